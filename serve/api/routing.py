"""Manners of every route: parameters that nobody knows are refused, and HEAD is answered where GET is."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response, params
from fastapi.dependencies.utils import get_flat_params
from fastapi.routing import APIRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serve.errors import BadRequest


class StrictRoute(APIRoute):
    """A route that refuses query parameters it does not know: a typing error must not quietly mean "all of it"."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Called once by FastAPI, when the route is made."""
        answer = super().get_route_handler()
        fields = get_flat_params(self.dependant)
        known = {field.alias for field in fields if isinstance(field.field_info, params.Query)} | {"token"}

        async def strict(request: Request) -> Response:
            unknown = request.query_params.keys() - known
            if unknown:
                listed = ", ".join(sorted(known - {"token"})) or "none"
                raise BadRequest(f"there is no query parameter {sorted(unknown)[0]!r} here; known are: {listed}")
            return await answer(request)

        return strict


class HeadAsGet:
    """Answers HEAD with what GET would say, without the body (RFC 9110, 9.3.2)."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self._app(scope, receive, send)
            return

        async def send_without_body(message: Message) -> None:
            if message["type"] == "http.response.body":
                message = {**message, "body": b""}
            await send(message)

        await self._app({**scope, "method": "GET"}, receive, send_without_body)
