"""Sinks: where events go by themselves."""

from __future__ import annotations

import asyncio
import time
from typing import Annotated, Any, Self

from fastapi import APIRouter, Path, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from analytics.reports.queries import iso
from analytics.storage.outbox import MOST_COUNTED, MOST_PASSED, NumberedEvent
from analytics.storage.sinks import DeadLetter
from serve.api.bodies import StrictRoute
from serve.api.dependencies import ExpectedOrAbsent, InOutbox, InSinkDesk
from serve.api.errors import BODY_RESPONSES, CONFLICT, PRECONDITION, RESPONSES, UNDELIVERED, UNKNOWN
from serve.api.events import EXAMPLE, After, EventAnswer, Since, since_of
from serve.api.routing import KnownParameters
from serve.api.security import Operator, Viewer
from serve.definitions.stream import STREAM_ID
from serve.events.definition import SinkDefinition
from serve.events.desk import SinkView
from serve.events.envelope import cloud_event
from serve.events.sinks.catalogue import sink_types

router = APIRouter(
    prefix="/api/v1",
    dependencies=[Viewer, KnownParameters],
    responses=RESPONSES,
    tags=["sinks"],
    route_class=StrictRoute,
)
MAX_PAGE = 1000
_ETAG: dict[str, Any] = {"ETag": {"description": "For If-Match.", "schema": {"type": "string"}}}
SinkId = Annotated[
    str,
    Path(
        pattern=f"^{STREAM_ID.pattern}$",
        description="Chosen by you: letters, digits, '_', '.', '-'.",
        examples=["till-light"],
    ),
]
LetterNumber = Annotated[int, Path(ge=1, le=2**62, examples=[17])]
_BODY: dict[str, Any] = {
    "name": "Light over the till",
    "types": ["footfall.queue.v1"],
    "target": {"type": "webhook", "url": "http://192.168.1.20/light", "secret": "whsec_..."},
}
_ANSWER: dict[str, Any] = {
    "id": "till-light",
    "name": "Light over the till",
    "enabled": True,
    "types": ["footfall.queue.v1"],
    "streams": [],
    "sites": [],
    "target": {
        "type": "webhook",
        "url": "http://192.168.1.20/light",
        "secret": "***",
        "authorization": None,
        "at_once": 1,
    },
    "place": "http://192.168.1.20/light",
    "by_settings": False,
    "deliverer": "footfall#Deliverer#ab12cd",
    "after": 4711,
    "waiting": 0,
    "lag_s": 0.0,
    "delivered": 391,
    "delivered_at": "2026-03-01T09:00:00Z",
    "error": None,
    "error_at": None,
    "missed": 0,
    "dead_letters": 0,
}


UNKNOWN_DEFINITION: dict[str, Any] = {
    "name": "",
    "enabled": False,
    "types": [],
    "streams": [],
    "sites": [],
    "target": {"type": "unknown"},
}
"""Of a sink that another version has made: it can be removed, or made anew."""


class SinkType(BaseModel):
    """A type of sink, with what a form needs to know of it."""

    type: str
    title: str
    description: str
    schema_: dict[str, Any] = Field(alias="schema", description="JSON Schema of a `target` of this type.")


class SinkBody(SinkDefinition):
    """A sink as it is wanted."""

    model_config = ConfigDict(json_schema_extra={"example": _BODY})

    def definition(self) -> SinkDefinition:
        """Without what belongs to the API."""
        return SinkDefinition.model_construct(**{name: getattr(self, name) for name in SinkDefinition.model_fields})


class SinkAnswer(BaseModel):
    """A sink, wanted and observed."""

    model_config = ConfigDict(json_schema_extra={"example": _ANSWER})
    id: str
    name: str
    enabled: bool
    types: list[str]
    streams: list[str]
    sites: list[str]
    target: dict[str, Any] = Field(description="Without its secrets.")
    place: str = Field(description="Where events go, for people.")
    by_settings: bool = Field(description="Whether the settings say what it is; then it cannot be changed here.")
    deliverer: str | None = Field(description="Who brings events there just now; none: nobody does.")
    after: int = Field(description="Number of the last event that is there, or need not be.")
    waiting: int = Field(
        description=f"Events that are not there yet; {MOST_COUNTED} stands for more, too, and 0 for those with more "
        f"than {MOST_PASSED} unwanted ones before them."
    )
    lag_s: float = Field(description="How long the first of them has been waiting, seconds.")
    delivered: int = Field(description="Events, since it was made.")
    delivered_at: str | None = Field(description="When the last one was, RFC 3339.")
    error: str | None = Field(description="What is wrong, for people; none if nothing is.")
    error_at: str | None = Field(description="When that was last so, RFC 3339.")
    missed: int = Field(
        description="Events, wanted or not, that were gone when their turn came; since it was made or replayed."
    )
    dead_letters: int = Field(description="Events that it refused, and that are kept.")

    @classmethod
    def of(cls, view: SinkView) -> Self:
        standing, waiting = view.standing, view.waiting
        definition = view.definition
        shown = UNKNOWN_DEFINITION if definition is None else definition.redacted()
        lag_s = 0.0 if waiting.since_s is None else max(0.0, time.time() - waiting.since_s)
        return cls(
            id=view.id,
            **shown,
            place="" if definition is None else definition.target.place,
            by_settings=view.by_settings,
            deliverer=standing.owner,
            after=standing.position,
            waiting=waiting.events,
            lag_s=round(lag_s, 1),
            delivered=standing.delivered,
            delivered_at=_iso(standing.delivered_s),
            error=standing.error,
            error_at=_iso(standing.error_s),
            missed=standing.missed,
            dead_letters=standing.dead,
        )


class DeadLetterAnswer(BaseModel):
    """An event that a sink refused for good."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "number": 17,
                "at": "2026-03-01T09:00:01Z",
                "error": "192.168.1.20 answers 422",
                "event": EXAMPLE,
            }
        }
    )
    number: int = Field(description="Of the letter.")
    at: str = Field(description="When it was refused, RFC 3339.")
    error: str = Field(description="Why.")
    event: EventAnswer

    @classmethod
    def of(cls, letter: DeadLetter) -> Self:
        event = cloud_event(NumberedEvent(letter.event_number, letter.event, letter.died_s))
        return cls(number=letter.number, at=iso(letter.died_s), error=letter.error, event=EventAnswer(**event))


def _iso(time_s: float | None) -> str | None:
    return None if time_s is None else iso(time_s)


def _answer(view: SinkView, response: Response) -> SinkAnswer:
    response.headers["ETag"] = view.etag
    return SinkAnswer.of(view)


@router.get("/sink-types")
async def list_sink_types() -> list[SinkType]:
    """Every type of sink, with the JSON Schema of its target."""
    return [SinkType.model_validate(kind) for kind in sink_types()]


@router.get("/sinks")
async def list_sinks(desk: InSinkDesk) -> list[SinkAnswer]:
    """All sinks by id, wanted and observed."""
    return [SinkAnswer.of(view) for view in await desk.views()]


@router.get("/sinks/{sink}", responses=UNKNOWN | {200: {"headers": _ETAG}})
async def get_sink(sink: SinkId, desk: InSinkDesk, response: Response) -> SinkAnswer:
    """One sink. Its ETag names what is wanted of it, not how it is."""
    return _answer(await desk.view(sink), response)


@router.put(
    "/sinks/{sink}",
    dependencies=[Operator],
    responses=BODY_RESPONSES
    | CONFLICT
    | PRECONDITION
    | {200: {"headers": _ETAG}, 201: {"model": SinkAnswer, "headers": _ETAG, "description": "It is new."}},
)
async def put_sink(
    sink: SinkId,
    body: SinkBody,
    desk: InSinkDesk,
    outbox: InOutbox,
    response: Response,
    expected: ExpectedOrAbsent,
    after: After = None,
    since: Since = None,
) -> SinkAnswer:
    """Make a sink (201) or change it (200). A new one begins now, unless `after` or `since` say otherwise."""
    if after is None and since is not None:
        after = await asyncio.to_thread(outbox.before, since_of(since))
    view, created = await desk.put(sink, body.definition(), after, expected)
    response.status_code = 201 if created else 200
    return _answer(view, response)


@router.delete("/sinks/{sink}", status_code=204, dependencies=[Operator], responses=UNKNOWN | CONFLICT | PRECONDITION)
async def delete_sink(sink: SinkId, desk: InSinkDesk, expected: ExpectedOrAbsent) -> None:
    """Send nothing there any more, and forget its dead letters."""
    await desk.delete(sink, expected)


@router.post("/sinks/{sink}/test", status_code=204, dependencies=[Operator], responses=UNKNOWN | UNDELIVERED)
async def test_sink(sink: SinkId, desk: InSinkDesk) -> None:
    """Send an event of type `footfall.test.v1` now, past all others, and say whether it has arrived."""
    await desk.test(sink)


@router.post("/sinks/{sink}/replay", dependencies=[Operator], responses=UNKNOWN)
async def replay_sink(
    sink: SinkId,
    desk: InSinkDesk,
    outbox: InOutbox,
    response: Response,
    after: After = None,
    since: Since = None,
) -> SinkAnswer:
    """Send again what came after a number or since a time, as far as it is kept; without either, all of it."""
    if after is None:
        after = 0 if since is None else await asyncio.to_thread(outbox.before, since_of(since))
    return _answer(await desk.rewind(sink, after), response)


@router.get(
    "/sinks/{sink}/dead-letters",
    responses=UNKNOWN
    | {
        200: {
            "headers": {"Link": {"description": '`rel="next"`: the page of later ones.', "schema": {"type": "string"}}}
        }
    },
)
async def list_dead_letters(
    sink: SinkId,
    desk: InSinkDesk,
    response: Response,
    after: Annotated[int, Query(ge=0, le=2**62, description="Only letters with larger numbers.")] = 0,
    limit: Annotated[int, Query(ge=1, le=MAX_PAGE, description="Letters on a page.")] = 100,
) -> list[DeadLetterAnswer]:
    """Events that the receiver refused, oldest first. The newest 10,000 of a sink are kept."""
    found = await desk.dead_letters(sink, limit + 1, after)
    if len(found) > limit:
        response.headers["Link"] = f'<?limit={limit}&after={found[limit - 1].number}>; rel="next"'
    return [DeadLetterAnswer.of(letter) for letter in found[:limit]]


@router.post(
    "/sinks/{sink}/dead-letters/{number}/resend",
    status_code=204,
    dependencies=[Operator],
    responses=UNKNOWN | UNDELIVERED,
)
async def resend_dead_letter(sink: SinkId, number: LetterNumber, desk: InSinkDesk) -> None:
    """Send a dead letter again; it is forgotten once it has arrived."""
    await desk.resend(sink, number)


@router.delete("/sinks/{sink}/dead-letters/{number}", status_code=204, dependencies=[Operator], responses=UNKNOWN)
async def delete_dead_letter(sink: SinkId, number: LetterNumber, desk: InSinkDesk) -> None:
    """Throw a dead letter away."""
    await desk.forget(sink, number)
