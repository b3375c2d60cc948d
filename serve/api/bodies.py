"""What a body may be: bounded, and JSON whose values Python can hold."""

from __future__ import annotations

import json
from collections.abc import Callable, Coroutine
from http import HTTPStatus
from typing import Any, NoReturn

from fastapi import HTTPException, Request, Response
from fastapi.routing import APIRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MAX_BODY_BYTES = 1 << 20
MAX_DEPTH = 32
"""Of lists and objects in one another; what the API knows is less than ten deep."""
MAX_DIGITS = 20
"""Of a whole number; longer ones are read as floats, of which each field knows how large they may be."""


class BodyRefused(HTTPException):
    """A body that is not read to its end, or not understood; FastAPI lets nothing else out of reading one."""

    def __init__(self, status: HTTPStatus, code: str, detail: str) -> None:
        super().__init__(status, detail)
        self.code = code


class BoundedBody:
    """Ends the reading of a body that is too long, whether or not its length was said.

    Args:
        app: what reads.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        declared = next((value for name, value in scope["headers"] if name == b"content-length"), b"0")
        received = 0

        async def receive_bounded() -> Message:
            nonlocal received
            if not declared.isdigit() or int(declared) > MAX_BODY_BYTES:
                _too_large()
            message = await receive()
            received += len(message.get("body", b""))
            if received > MAX_BODY_BYTES:
                _too_large()
            return message

        await self._app(scope, receive_bounded, send)


def _too_large() -> NoReturn:
    detail = f"a body may have {MAX_BODY_BYTES} bytes"
    raise BodyRefused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too-large", detail)


class _StrictRequest(Request):
    async def json(self) -> Any:
        """The body. Raises JSONDecodeError if it is no JSON, and BodyRefused if it is none that we take."""
        body = await self.body()
        try:
            found = json.loads(body, parse_constant=_no_number, parse_int=_whole_number)
        except RecursionError:
            _too_deep()
        except UnicodeDecodeError:
            raise _invalid("the body is not UTF-8") from None
        _check_depth(found)
        return found


def _invalid(detail: str) -> BodyRefused:
    return BodyRefused(HTTPStatus.UNPROCESSABLE_ENTITY, "invalid", detail)


def _no_number(text: str) -> NoReturn:
    raise _invalid(f"{text} is no number in JSON (RFC 8259)")


def _whole_number(text: str) -> int | float:
    return int(text) if len(text) <= MAX_DIGITS else float(text)


def _too_deep() -> NoReturn:
    raise _invalid(f"lists and objects may be {MAX_DEPTH} deep")


def _check_depth(found: Any) -> None:
    level = [found]
    for _ in range(MAX_DEPTH):
        level = [inner for value in level for inner in _inside(value)]
        if not level:
            return
    _too_deep()


def _inside(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []


class StrictRoute(APIRoute):
    """A route that reads its body so; for the ``route_class`` of routers."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def handle_strictly(request: Request) -> Response:
            return await handle(_StrictRequest(request.scope, request.receive))

        return handle_strictly
