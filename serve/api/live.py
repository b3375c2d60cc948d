"""Pictures and tracks as they happen."""

from __future__ import annotations

import json
from typing import Annotated

from fastapi import APIRouter, Query, Response, WebSocket
from fastapi.responses import Response as PlainResponse

from pipelines.errors import FootfallError
from serve.api.dependencies import InRegistry
from serve.api.errors import BINARY, RESPONSES, UNKNOWN
from serve.api.models import StreamId
from serve.api.registry_client import RegistryClient, newest_frame
from serve.api.routing import KnownParameters
from serve.api.security import Viewer
from serve.api.sockets import AGAIN, FULL, GONE, Farewell, converse
from serve.errors import NotReady, TooManyWatchers

router = APIRouter(prefix="/api/v1", tags=["live"])


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
    await converse(socket, ("picture",), lambda: _send(socket, registry, stream, picture))


async def _send(socket: WebSocket, registry: RegistryClient, stream: str, picture: bool) -> Farewell:
    """Send frames until there are no more."""
    frames = registry.watch(stream)
    try:
        async for frame in frames:
            await socket.send_text(json.dumps(frame.to_json()))
            if picture:
                await socket.send_bytes(frame.jpeg)
    except NotReady as error:
        return AGAIN, str(error)
    except TooManyWatchers as error:
        return FULL, str(error)
    except FootfallError as error:
        return GONE, str(error)
    finally:
        close = getattr(frames, "aclose", None)
        if close is not None:
            await close()
    return GONE, "the stream was removed"
