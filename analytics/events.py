"""What others are told as it happens: what counters tell, with an identity that outlives crashes and replays.

An event has a type with a version, such as ``footfall.crossing.v1``. What such an event means never changes: fields
may be added, for anything else there is a ``v2``.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from analytics.counting.base import (
    CountEvent,
    Crossing,
    DwellExceeded,
    OccupancyChanged,
    QueueChanged,
    ZoneEntry,
    ZoneExit,
)
from pipelines.types import FrameStamp

COUNT_EVENT_TYPES: Mapping[type[CountEvent], str] = {
    Crossing: "footfall.crossing.v1",
    ZoneEntry: "footfall.zone-entry.v1",
    ZoneExit: "footfall.zone-exit.v1",
    DwellExceeded: "footfall.dwell-exceeded.v1",
    QueueChanged: "footfall.queue.v1",
    OccupancyChanged: "footfall.occupancy.v1",
}
"""What each thing that a counter tells is called outside."""


@dataclass(frozen=True, slots=True)
class StreamStateChanged:
    """A stream is in another state than it was, or has another problem."""

    state: str
    before: str | None
    error: str | None
    error_code: str | None
    time_s: float


@dataclass(frozen=True, slots=True)
class SinkTested:
    """Nothing has happened: somebody tries whether events arrive. The stream is ``test``, and need not be there."""

    sink: str
    time_s: float


@dataclass(frozen=True, slots=True)
class SiteOccupancyChanged:
    """So many are in the zones of a site's cameras that its limit is reached (``over``), or not any more.

    Its stream is the first one of the site.
    """

    over: bool
    people: int
    time_s: float


@dataclass(frozen=True, slots=True)
class AlertRaised:
    """Something is wrong that somebody should look at.

    Its stream is ``service`` where it is about no single one.
    """

    alert: str
    severity: str
    summary: str
    rule: str
    about: str
    detail: str
    advice: str
    time_s: float


@dataclass(frozen=True, slots=True)
class AlertCleared:
    """What an alert was raised for is over."""

    alert: str
    severity: str
    summary: str
    rule: str
    about: str
    detail: str
    time_s: float


SITE_OCCUPANCY = "footfall.site-occupancy.v1"
ALERT_RAISED, ALERT_CLEARED = "footfall.alert-raised.v1", "footfall.alert-cleared.v1"
STREAM_STATE = "footfall.stream-state.v1"
TEST = "footfall.test.v1"
EVENT_TYPES: Mapping[str, type[Any]] = {
    **{name: source for source, name in COUNT_EVENT_TYPES.items()},
    SITE_OCCUPANCY: SiteOccupancyChanged,
    STREAM_STATE: StreamStateChanged,
    ALERT_RAISED: AlertRaised,
    ALERT_CLEARED: AlertCleared,
    TEST: SinkTested,
}
"""Every type of event, with what it is made of; the data of an event are its fields but for the time."""


@dataclass(frozen=True, slots=True)
class EventContext:
    """What is the same for all events of a stream for a while.

    Attributes:
        stream: id.
        site: that it belongs to; empty if none was given.
        epoch: of the assignment.
        model: name of what found the people.
    """

    stream: str
    site: str
    epoch: int
    model: str


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened.

    Attributes:
        id: 32 hexadecimal digits; the same whenever the same frames of a replayable source are analysed.
        type: with its version.
        context: whose it is.
        subject: id of the line or zone that it is about; empty if it is about the stream.
        time_s: capture time, seconds since the epoch.
        data: JSON types, by its type.
    """

    id: str
    type: str
    context: EventContext
    subject: str
    time_s: float
    data: Mapping[str, Any]

    def to_json(self) -> dict[str, Any]:
        """As JSON types, for the spool."""
        return asdict(self)

    @staticmethod
    def from_json(document: Mapping[str, Any]) -> Event:
        """The reverse of `to_json`.

        Raises:
            KeyError, TypeError: a part is missing, or is something else.
        """
        return Event(**{**document, "context": EventContext(**document["context"])})


class EventMaker:
    """Makes events of what the counters of one stream tell, and gives them their identities.

    Two people may cross a line in one frame, and frames may have the same time; which of them is which makes no
    difference to anybody, so they are told apart by their number alone. The track's number is no part of the identity:
    the next epoch may give another. A clock that is set back may show a time twice, so its turns are counted. All of
    that is state, which goes on with the counters': so frames that are analysed again after a crash have the very same
    events.
    """

    def __init__(self) -> None:
        self._time_us: int | None = None
        self._turns = 0
        self._seen: Counter[str] = Counter()

    def make(self, told: Iterable[CountEvent], context: EventContext, stamp: FrameStamp) -> list[Event]:
        """What counters told of one frame, as events.

        Args:
            told: in the order in which it was told.
            context: of the stream, when the frame was analysed.
            stamp: of the frame. One that can be replayed has the same identity whoever analyses it; a live one is seen
                once, by one epoch.
        """
        epoch = context.epoch if stamp.resume is None else None
        found = []
        for one in told:
            self._pass(round(one.time_s * 1e6))
            data = asdict(one)
            del data["time_s"]
            subject = data["line" if isinstance(one, Crossing) else "zone"]
            kind = COUNT_EVENT_TYPES[type(one)]
            what = json.dumps([kind, subject, data.get("direction"), data.get("over")])
            self._seen[what] += 1
            key = context.stream, epoch, self._turns, self._time_us, what, self._seen[what]
            found.append(Event(identity(*key), kind, context, subject, one.time_s, data))
        return found

    def _pass(self, time_us: int) -> None:
        if time_us == self._time_us:
            return
        if self._time_us is not None and time_us < self._time_us:
            self._turns += 1
        self._time_us = time_us
        self._seen.clear()

    def snapshot(self) -> dict[str, Any]:
        """The state as JSON types."""
        return {"time_us": self._time_us, "turns": self._turns, "seen": dict(self._seen)}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take up a `snapshot`; one from before there were any begins afresh."""
        self._time_us, self._turns = state.get("time_us"), state.get("turns", 0)
        self._seen = Counter(state.get("seen", {}))


def identity(*parts: Any) -> str:
    """An id for what ``parts`` (JSON types) say; the same parts give the same."""
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]
