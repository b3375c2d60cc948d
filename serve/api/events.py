"""What happens, as it happens, and what has happened lately."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing
from datetime import UTC
from functools import partial
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Header, Query, Request, Response, WebSocket
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field
from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.types import Message, Receive, Send
from starlette.types import Scope as ASGIScope

from analytics.errors import StoreError
from analytics.storage.outbox import EventFilter, NumberedEvent, Outbox
from pipelines.errors import FootfallError
from serve.api.credentials import FRESH_S, Scope
from serve.api.dependencies import InEventTail, InOutbox
from serve.api.errors import RESPONSES, TEXT
from serve.api.period import moment
from serve.api.routing import HEAD_ONLY, KnownParameters
from serve.api.security import Viewer, require_still
from serve.api.sockets import AGAIN, BAD, FULL, Farewell, converse
from serve.definitions.stream import STREAM_ID
from serve.errors import BadRequest, TooManyWatchers
from serve.events.envelope import cloud_event
from serve.events.telling import Told, telling

router = APIRouter(prefix="/api/v1", dependencies=[Viewer, KnownParameters], responses=RESPONSES, tags=["events"])
socket_router = APIRouter(prefix="/api/v1", tags=["events"])  # sockets are opened before anybody is refused
PING_S = 15
RETRY_MS = 2000
SEND_TIMEOUT_S = 30.0
"""Who takes nothing for so long is hung up on, and may connect again."""
MOST_LISTENERS = 200
MOST_AT_A_TIME = 5000
"""Events on one connection; who wants more comes back, as browsers do by themselves. Between us and him others keep
what he does not take, in memory, and do not tell us: so it is bounded here."""
MAX_PAGE = 1000
NUMBER = r"[0-9]{1,18}"
EXAMPLE: dict[str, Any] = {
    "specversion": "1.0",
    "id": "0f7c3e6a4d5b9c1e8a2f7d6b5c4e3f21",
    "source": "/api/v1/streams/entrance",
    "type": "footfall.crossing.v1",
    "subject": "door",
    "time": "2026-03-01T09:00:00.125000Z",
    "datacontenttype": "application/json",
    "data": {"line": "door", "track": 17, "direction": "in"},
    "stream": "entrance",
    "site": "berlin-1",
    "epoch": 3,
    "model": "nanodet-g",
    "sequence": "00000000000000004711",
}


class EventAnswer(BaseModel):
    """An event as a CloudEvent 1.0 in JSON."""

    model_config = ConfigDict(json_schema_extra={"example": EXAMPLE})
    specversion: str
    id: str = Field(description="The same however often it is sent: who has seen it drops it.")
    source: str = Field(description="The stream, as a path of this API.")
    type: str = Field(description="With its version, such as `footfall.crossing.v1`.")
    subject: str | None = Field(None, description="Id of the line or zone that it is about.")
    time: str = Field(description="Of the capture, RFC 3339.")
    datacontenttype: str
    data: dict[str, Any] = Field(description="By its type.")
    stream: str
    site: str | None = None
    epoch: int = Field(description="Of the stream's assignment.")
    model: str | None = Field(None, description="That found the people.")
    sequence: str = Field(description="Its number among all events, in 20 digits.")


Types = Annotated[
    list[Annotated[str, Field(min_length=1, max_length=64)]] | None,
    Query(alias="type", max_length=32, description="Only these types; may be given several times."),
]
Streams = Annotated[
    list[Annotated[str, Field(pattern=f"^{STREAM_ID.pattern}$")]] | None,
    Query(alias="stream", max_length=200, description="Only of these streams; likewise."),
]
Sites = Annotated[
    list[Annotated[str, Field(min_length=1, max_length=200)]] | None,
    Query(alias="site", max_length=200, description="Only of these sites; likewise."),
]
Since = Annotated[
    str | None,
    Query(
        min_length=1,
        max_length=64,
        examples=["2026-03-01T09:00:00Z", 1_772_355_600],
        description="Only what was captured then or later: ISO 8601, or seconds since the epoch.",
    ),
]


def since_of(text: str) -> float:
    """Seconds since the epoch. Raises BadRequest for what is no time."""
    return moment(text, "since", UTC)


def _wanted(types: Types = None, streams: Streams = None, sites: Sites = None, since: Since = None) -> EventFilter:
    since_s = None if since is None else since_of(since)
    return EventFilter(frozenset(types or ()), frozenset(streams or ()), frozenset(sites or ()), since_s)


def _wanted_later(
    types: Types = None, streams: Streams = None, sites: Sites = None, since: Since = None
) -> Callable[[], EventFilter]:
    """The same for a WebSocket, which can say what is wrong only once it is open."""
    return partial(_wanted, types, streams, sites, since)


Wanted = Annotated[EventFilter, Depends(_wanted)]
WantedLater = Annotated[Callable[[], EventFilter], Depends(_wanted_later)]
After = Annotated[int | None, Query(ge=0, le=10**18, description="Only events with larger numbers (`sequence`).")]


def _last_event_id(
    last_event_id: Annotated[
        str | None,
        Header(description="Number of the last event that came; sent by browsers when they connect again."),
    ] = None,
) -> int | None:
    if not last_event_id:
        return None
    if not re.fullmatch(NUMBER, last_event_id):
        raise BadRequest("Last-Event-ID: the number of an event is needed, as it came in the field id")
    return int(last_event_id)


@router.get(
    "/events",
    response_class=EventSourceResponse,
    responses={200: {"content": {"text/event-stream": {"schema": TEXT}}}},
)
async def follow_events(
    request: Request,
    tail: InEventTail,
    outbox: InOutbox,
    wanted: Wanted,
    last: Annotated[int | None, Depends(_last_event_id)],
    after: After = None,
) -> Response:
    """What happens, as server-sent events, for as long as you listen; begins now unless you say where.

    The field `id` of each is its number, `data` the event as a CloudEvent in JSON. A browser that connects again says
    which number came last (`Last-Event-ID`), and misses nothing: where it begins is told at once, and then every few
    seconds, by messages with an `id` and no data. `after` and `since` begin in the past. Where what was asked for is
    not kept any more, an event of the name `gap` says so, with the number of the `oldest` that is. After 5,000 events
    the connection ends: who connects again goes on.
    """
    if request.scope.get(HEAD_ONLY):
        return Response(media_type="text/event-stream")
    if tail.listeners >= MOST_LISTENERS:
        raise TooManyWatchers(f"{MOST_LISTENERS} are listening already: try again later")
    number, gap = await asyncio.to_thread(_beginning, outbox, wanted, after if last is None else last)
    messages = _messages(request, telling(tail, number, wanted, gap))
    return _UntilHungUp(messages, ping=PING_S, send_timeout=SEND_TIMEOUT_S, sep="\n")


class _UntilHungUp(EventSourceResponse):
    """Ends quietly when the client does."""

    async def __call__(self, scope: ASGIScope, receive: Receive, send: Send) -> None:
        async def receive_or_gone() -> Message:
            # Who hosts us may tell by an error of its own that nobody is there any more, as Ray Serve does; with that,
            # everybody who closes a tab would leave a stack in the log.
            try:
                return await receive()
            except Exception:
                return {"type": "http.disconnect"}

        await super().__call__(scope, receive_or_gone, send)


def _beginning(outbox: Outbox, wanted: EventFilter, asked: int | None) -> tuple[int, dict[str, int] | None]:
    """The number after which to read, and what of that was asked for is not there."""
    newest = outbox.number()
    if asked is None:
        return (newest if wanted.since_s is None else outbox.before(wanted.since_s)), None
    if asked > newest:  # the database is another, or was set back: who drops what he has seen misses nothing
        return 0, {"after": asked, "oldest": outbox.oldest()}
    return asked, None


async def _messages(request: Request, tellings: AsyncGenerator[Told]) -> AsyncIterator[ServerSentEvent]:
    yield ServerSentEvent(comment="events of Footfall", retry=RETRY_MS)
    coming: asyncio.Future[Told] | None = None
    count = 0
    try:
        while count < MOST_AT_A_TIME:
            coming = coming or asyncio.ensure_future(anext(tellings))
            done, _ = await asyncio.wait({coming}, timeout=FRESH_S)
            try:
                await require_still(request, Scope.VIEWER)
            except StoreError:
                continue  # nothing can be read either: it goes on when the database is back
            except FootfallError:
                return  # who connects again hears why
            if done:
                try:
                    told, coming = coming.result(), None
                except StopAsyncIteration:
                    return
                if told.gap is not None:
                    yield ServerSentEvent(event="gap", data=json.dumps(told.gap))
                for one in told.events:
                    yield ServerSentEvent(id=str(one.number), data=json.dumps(cloud_event(one)))
                if not told.events:  # without data, it tells nothing but where to go on
                    yield ServerSentEvent(id=str(told.position))
                count += len(told.events)
    finally:
        if coming is not None:
            coming.cancel()
            await asyncio.gather(coming, return_exceptions=True)
        await tellings.aclose()


@socket_router.websocket("/events/socket")
async def events_socket(
    socket: WebSocket, tail: InEventTail, outbox: InOutbox, wanted: WantedLater, after: After = None
) -> None:
    """The same over a WebSocket: each message is an event in JSON, or tells of a position or a gap.

    Takes the same parameters. ``{"position": NUMBER}`` comes first, and then every few seconds: say `after` that one,
    or the newest event's, to go on. ``{"gap": {"after": ..., "oldest": ...}}`` comes where what was asked for is not
    kept any more. Closes with 4400 for a parameter that nobody knows or a time that cannot be read, 4401 without the
    right token, 4503 while the database is away and after 5,000 events (go on after the last one), 1013 when too many
    are listening. A token is given as for live pictures.
    """

    async def tell() -> Farewell:
        try:
            number, gap = await asyncio.to_thread(_beginning, outbox, wanted(), after)
        except BadRequest as error:
            return BAD, str(error)
        except StoreError as error:
            return AGAIN, str(error)
        if tail.listeners >= MOST_LISTENERS:
            return FULL, f"{MOST_LISTENERS} are listening already: try again later"
        count = 0
        async with aclosing(telling(tail, number, wanted(), gap)) as tellings:
            async for told in tellings:
                if told.gap is not None:
                    await socket.send_json({"gap": told.gap})
                for one in told.events:
                    await socket.send_json(cloud_event(one))
                if not told.events:
                    await socket.send_json({"position": told.position})
                count += len(told.events)
                if count >= MOST_AT_A_TIME:
                    return AGAIN, f"{count} events are enough for one connection: go on after the last one"
        return AGAIN, "the database was set back: come again"

    await converse(socket, ("type", "stream", "site", "since", "after"), tell)


@router.get(
    "/events/history",
    response_model=list[EventAnswer],
    responses={
        200: {
            "headers": {"Link": {"description": '`rel="next"`: the page of later ones.', "schema": {"type": "string"}}}
        }
    },
)
async def list_events(
    request: Request,
    outbox: InOutbox,
    wanted: Wanted,
    after: After = None,
    limit: Annotated[int, Query(ge=1, le=MAX_PAGE, description="Events on a page.")] = 100,
) -> Response:
    """What has happened, oldest first, a page at a time, as far back as events are kept."""
    found = await asyncio.to_thread(_page, outbox, wanted, after, limit)
    headers = {}
    if len(found) > limit:
        kept = [(key, value) for key, value in request.query_params.multi_items() if key != "after"]
        headers["Link"] = f'<?{urlencode([*kept, ("after", found[limit - 1].number)])}>; rel="next"'
    return JSONResponse([cloud_event(one) for one in found[:limit]], headers=headers)


def _page(outbox: Outbox, wanted: EventFilter, after: int | None, limit: int) -> list[NumberedEvent]:
    outbox.number()
    if after is None:
        after = 0 if wanted.since_s is None else outbox.before(wanted.since_s)
    return outbox.after(after, limit + 1, wanted)
