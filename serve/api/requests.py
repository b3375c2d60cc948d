"""Counts requests by method, route and status: for Prometheus, so with no more names than there are routes."""

from __future__ import annotations

from collections import Counter

from starlette.types import ASGIApp, Message, Receive, Scope, Send

OTHER = "other"
"""What belongs to no route: anybody can ask for anything."""
METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"))


class RequestCounter:
    """Middleware.

    Args:
        app: what answers.
        counts: where requests are counted, by method, route and status.
    """

    def __init__(self, app: ASGIApp, counts: Counter[tuple[str, str, int]]) -> None:
        self._app = app
        self._counts = counts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status = 500

        async def send_and_note(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, send_and_note)
        finally:
            route = getattr(scope.get("route"), "path", OTHER)  # said by the router, once it has found one
            method = scope["method"] if scope["method"] in METHODS else OTHER
            self._counts[method, route, status] += 1
