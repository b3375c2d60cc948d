"""Manners of every route: parameters that nobody knows are refused, and HEAD is answered where GET is."""

from __future__ import annotations

import re

from fastapi import Depends, Request, params
from fastapi.dependencies.utils import get_flat_params
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serve.errors import BadRequest


def refuse_unknown_parameters(request: Request) -> None:
    """Refuse query parameters that the route does not know, or that come twice where one counts.

    A typing error must not quietly mean "all of it". Comes after the check of access: whoever may not ask learns
    nothing of what could be asked.

    Raises:
        BadRequest: naming the parameter.
    """
    fields = {
        field.alias: field
        for field in get_flat_params(request.scope["route"].dependant)
        if isinstance(field.field_info, params.Query)
    }
    for name in request.query_params:
        if name not in fields:
            listed = ", ".join(sorted(fields)) or "none"
            raise BadRequest(f"there is no query parameter {name!r} here; known are: {listed}")
        several = name in fields and "list" in str(fields[name].field_info.annotation)
        if not several and len(request.query_params.getlist(name)) > 1:
            raise BadRequest(f"the query parameter {name!r} is given more than once")


KnownParameters = Depends(refuse_unknown_parameters)


def allowed_methods(request: Request) -> str | None:
    """The methods of a path for ``Allow``, as the document has them; a route that refuses knows only its own."""
    path = request.scope["path"].removeprefix(request.scope.get("root_path", ""))
    paths = request.app.openapi()["paths"]
    known = (template for template in paths if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", template), path))
    template = path if path in paths else next(known, None)
    if template is None:
        return None
    found = sorted(method.upper() for method in paths[template])
    return ", ".join(["HEAD", *found] if "GET" in found else found)


HEAD_ONLY = "footfall.head"
"""In the scope of a request whose body nobody wants: what would go on for ever ends with its head."""


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

        await self._app({**scope, "method": "GET", HEAD_ONLY: True}, receive, send_without_body)
