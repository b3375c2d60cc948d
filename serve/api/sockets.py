"""WebSockets that tell something for as long as somebody may hear it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Collection

from fastapi import FastAPI, WebSocket, WebSocketDisconnect
from fastapi.exceptions import WebSocketRequestValidationError

from analytics.errors import StoreError
from pipelines.errors import FootfallError
from serve.api.credentials import FRESH_S, Scope
from serve.api.security import PROTOCOL, require, require_still

BAD, REFUSED, GONE, AGAIN = 4400, 4401, 4404, 4503
FULL = 1013
"""Try again later, in the words of the registry of close codes (RFC 6455, 7.4)."""
Farewell = tuple[int, str]
"""The code to close with, and why."""


async def converse(socket: WebSocket, known: Collection[str], tell: Callable[[], Awaitable[Farewell]]) -> None:
    """Accept, check who asks and what for, and tell, until that ends, he is gone, or his token is.

    Args:
        socket: not accepted so far.
        known: names of the query parameters that there are.
        tell: sends, until there is nothing more.
    """
    await socket.accept(PROTOCOL if PROTOCOL in socket.scope.get("subprotocols", ()) else None)
    try:
        require(socket, Scope.VIEWER)
    except FootfallError as error:
        await close(socket, (REFUSED, str(error)))
        return
    unknown = socket.query_params.keys() - set(known)
    if unknown:
        await close(socket, (BAD, f"there is no query parameter {sorted(unknown)[0]!r} here"))
        return
    sender = asyncio.ensure_future(_until_hung_up(tell))
    listener = asyncio.create_task(_until_gone(socket))
    doorman = asyncio.create_task(_until_refused(socket))
    done, pending = await asyncio.wait({sender, listener, doorman}, return_when=asyncio.FIRST_COMPLETED)
    for task in pending:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError, Exception):
            await task
    told = next((task.result() for task in (doorman, sender) if task in done), None)
    await close(socket, told or (1000, ""))


def install(app: FastAPI) -> None:
    """Say why to who asks for what cannot be read, which FastAPI finds before the socket is open."""

    @app.exception_handler(WebSocketRequestValidationError)
    async def unreadable(socket: WebSocket, error: WebSocketRequestValidationError) -> None:
        first = error.errors()[0]

        async def tell() -> Farewell:
            return BAD, f"{first['loc'][-1]}: {first['msg']}"

        await converse(socket, socket.query_params.keys(), tell)


async def close(socket: WebSocket, farewell: Farewell) -> None:
    """Close with a code and a reason, unless that is done already."""
    code, reason = farewell
    with contextlib.suppress(RuntimeError):
        await socket.close(code, reason[:120])


async def _until_hung_up(tell: Callable[[], Awaitable[Farewell]]) -> Farewell:
    try:
        return await tell()
    except (WebSocketDisconnect, RuntimeError):
        return 1000, ""


async def _until_refused(socket: WebSocket) -> Farewell:
    """As long as the token is good."""
    while True:
        await asyncio.sleep(FRESH_S)
        try:
            await require_still(socket, Scope.VIEWER)
        except StoreError as error:
            return AGAIN, str(error)
        except FootfallError as error:
            return REFUSED, str(error)


async def _until_gone(socket: WebSocket) -> None:
    with contextlib.suppress(WebSocketDisconnect, RuntimeError):
        while True:
            await socket.receive()
