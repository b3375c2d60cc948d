"""Pictures and tracks as they happen."""

from __future__ import annotations

import asyncio
import contextlib
import json
from typing import Annotated

from fastapi import APIRouter, Query, Response, WebSocket, WebSocketDisconnect
from fastapi.responses import Response as PlainResponse

from analytics.errors import StoreError
from pipelines.errors import FootfallError
from serve.api.credentials import FRESH_S, Scope
from serve.api.dependencies import InRegistry
from serve.api.errors import BINARY, RESPONSES, UNKNOWN
from serve.api.models import StreamId
from serve.api.registry_client import RegistryClient, newest_frame
from serve.api.routing import KnownParameters
from serve.api.security import PROTOCOL, Viewer, require, require_still
from serve.errors import NotReady, TooManyWatchers

router = APIRouter(prefix="/api/v1", tags=["live"])
WS_BAD, WS_REFUSED, WS_GONE, WS_AGAIN = 4400, 4401, 4404, 4503
WS_FULL = 1013
"""Try again later, in the words of the registry of close codes (RFC 6455, 7.4)."""


@router.get(
    "/streams/{stream}/snapshot.jpg",
    dependencies=[Viewer, KnownParameters],
    responses=RESPONSES | UNKNOWN | {200: {"content": {"image/jpeg": {"schema": BINARY}}}},
    response_class=PlainResponse,
)
async def get_snapshot(stream: StreamId, registry: InRegistry) -> Response:
    """The newest frame; people are pixelated unless the operator allows otherwise."""
    frame = await newest_frame(registry, stream)
    headers = {"Cache-Control": "no-store", "X-Footfall-Time": f"{frame.time_s:.3f}"}
    return PlainResponse(frame.jpeg, media_type="image/jpeg", headers=headers)


@router.websocket("/streams/{stream}/tracks")
async def tracks(
    socket: WebSocket,
    stream: StreamId,
    registry: InRegistry,
    picture: Annotated[
        bool, Query(description="Follow every message with the frame as a binary JPEG message.")
    ] = False,
) -> None:
    """Boxes and ids of every frame that is analysed, several a second, newest first.

    Each message is JSON: ``time_s``, ``width``, ``height``, ``tracks`` (``id``, ``box`` as x1, y1, x2, y2 in shares of
    the picture, ``score``) and ``crossings``. Closes with 4400 for a parameter that nobody knows, 4401 without the
    right token, 4404 when the stream is gone, 4503 when the service is restarting, 1013 when too many are looking.

    A page, which cannot set headers here, gives its token as the subprotocol ``footfall.token.TOKEN`` (the token in
    base64url, without padding), and offers ``footfall`` beside it, which is the one that is chosen.
    """
    await socket.accept(PROTOCOL if PROTOCOL in socket.scope.get("subprotocols", ()) else None)
    try:
        require(socket, Scope.VIEWER)
    except FootfallError as error:
        await socket.close(WS_REFUSED, str(error)[:120])
        return
    unknown = socket.query_params.keys() - {"picture"}
    if unknown:
        await socket.close(WS_BAD, f"there is no query parameter {sorted(unknown)[0]!r} here"[:120])
        return
    sender = asyncio.create_task(_send(socket, registry, stream, picture))
    listener = asyncio.create_task(_until_gone(socket))
    doorman = asyncio.create_task(_until_refused(socket))
    done, pending = await asyncio.wait({sender, listener, doorman}, return_when=asyncio.FIRST_COMPLETED)
    for task in pending:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError, Exception):
            await task
    told = next((task.result() for task in (doorman, sender) if task in done), None)
    code, reason = told or (1000, "")
    with contextlib.suppress(RuntimeError):
        await socket.close(code, reason[:120])


async def _send(socket: WebSocket, registry: RegistryClient, stream: str, picture: bool) -> tuple[int, str]:
    """Send frames until there are no more; returns the code to close with, and why."""
    frames = registry.watch(stream)
    try:
        async for frame in frames:
            await socket.send_text(json.dumps(frame.to_json()))
            if picture:
                await socket.send_bytes(frame.jpeg)
    except NotReady as error:
        return WS_AGAIN, str(error)
    except TooManyWatchers as error:
        return WS_FULL, str(error)
    except FootfallError as error:
        return WS_GONE, str(error)
    except (WebSocketDisconnect, RuntimeError):
        return 1000, ""
    finally:
        close = getattr(frames, "aclose", None)
        if close is not None:
            await close()
    return WS_GONE, "the stream was removed"


async def _until_refused(socket: WebSocket) -> tuple[int, str]:
    """As long as the token is good; returns the code to close with, and why."""
    while True:
        await asyncio.sleep(FRESH_S)
        try:
            await require_still(socket, Scope.VIEWER)
        except StoreError as error:
            return WS_AGAIN, str(error)
        except FootfallError as error:
            return WS_REFUSED, str(error)


async def _until_gone(socket: WebSocket) -> None:
    with contextlib.suppress(WebSocketDisconnect, RuntimeError):
        while True:
            await socket.receive()
