"""What an MQTT broker retains of cameras, lines and zones: kept up by the events themselves."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, TypeAlias
from zoneinfo import ZoneInfo

from analytics.counting.base import Crossing, DwellExceeded, OccupancyChanged, QueueChanged, ZoneEntry, ZoneExit
from analytics.events import COUNT_EVENT_TYPES, STREAM_STATE, Event
from analytics.storage.base import StreamRecord

CROSSING, ENTRY, EXIT = COUNT_EVENT_TYPES[Crossing], COUNT_EVENT_TYPES[ZoneEntry], COUNT_EVENT_TYPES[ZoneExit]
QUEUE, OCCUPANCY = COUNT_EVENT_TYPES[QueueChanged], COUNT_EVENT_TYPES[OccupancyChanged]
NOTED = frozenset({CROSSING, ENTRY, EXIT, QUEUE, OCCUPANCY, STREAM_STATE})
"""Types that change what is retained."""
assert DwellExceeded in COUNT_EVENT_TYPES  # of all that counters tell, this alone leaves no trace
SHAPES: Mapping[str, frozenset[str]] = {
    "state": frozenset({"state", "error_code"}),
    "line": frozenset({"in", "out", "day"}),
    "zone": frozenset({"people", "entries", "queue", "occupied", "day"}),
}
"""Fields of what is retained, by kind."""
MOST = 10**9
Key: TypeAlias = tuple[str, str, str]
"""Stream; ``state``, ``line`` or ``zone``; id of the line or zone."""


@dataclass(frozen=True, slots=True)
class Place:
    """A camera, with what is drawn on it.

    Attributes:
        stream: id.
        name: for people.
        site: empty if none was given.
        lines: names by id.
        zones: likewise.
    """

    stream: str
    name: str
    site: str
    lines: Mapping[str, str]
    zones: Mapping[str, str]


def _count(value: object) -> int:
    """Zero for what is none: whoever may write to the broker may have written it."""
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < MOST else 0


def places_of(records: Sequence[StreamRecord]) -> dict[str, Place]:
    """Cameras by id."""
    return {
        record.id: Place(
            record.id,
            str(record.definition.get("name") or record.id),
            str(record.definition.get("site") or ""),
            _names(record.geometry.get("lines", ())),
            _names(record.geometry.get("zones", ())),
        )
        for record in records
    }


def _names(shapes: Collection[Mapping[str, Any]]) -> dict[str, str]:
    return {str(shape["id"]): str(shape.get("name") or shape["id"]) for shape in shapes}


@dataclass(slots=True)
class _Line:
    ways: dict[str, int] = field(default_factory=lambda: {"in": 0, "out": 0})


@dataclass(slots=True)
class _Zone:
    inside: set[int] = field(default_factory=set)
    entries: int = 0
    queue: bool | None = None
    occupied: bool | None = None


class Ledger:
    """Counts of today, who is where, and how cameras are.

    Each event is to be noted once. A person who is in a zone is known by his number, which goes on over epochs; of a
    camera that has stopped nobody is seen any more. What is not drawn (yet) is counted all the same, and told once it
    is.

    Args:
        zone: whose midnight ends a day.
    """

    def __init__(self, zone: ZoneInfo) -> None:
        self._zone = zone
        self._day = date.min
        self._lines: defaultdict[Key, _Line] = defaultdict(_Line)
        self._zones: defaultdict[Key, _Zone] = defaultdict(_Zone)
        self._states: dict[Key, dict[str, Any]] = {}
        self._drawn: set[Key] = set()
        self._changed: set[Key] = set()

    def midnight_s(self, now_s: float) -> float:
        """When the day began, seconds since the epoch."""
        return datetime.fromtimestamp(now_s, self._zone).replace(hour=0, minute=0, second=0, microsecond=0).timestamp()

    def turn(self, now_s: float) -> None:
        """Begin a new day, if it is one; by a clock that is right, not by that of some camera."""
        today = datetime.fromtimestamp(now_s, self._zone).date()
        if today <= self._day:
            return
        self._day = today
        for key in [key for key in (*self._lines, *self._zones) if key not in self._drawn]:
            self._lines.pop(key, None)
            self._zones.pop(key, None)
        for line in self._lines.values():
            line.ways = {"in": 0, "out": 0}
        for zone in self._zones.values():
            zone.entries = 0
        self._changed |= {key for key in self._drawn if key[1] != "state"}

    def use(self, places: Mapping[str, Place]) -> list[Key]:
        """Tell of these cameras, lines and zones and of no others; returns what is gone."""
        drawn: set[Key] = set()
        for place in places.values():
            drawn |= {(place.stream, "line", line) for line in place.lines}
            drawn |= {(place.stream, "zone", zone) for zone in place.zones}
            drawn.add((place.stream, "state", ""))
        gone = sorted(self._drawn - drawn)
        self._changed |= drawn - self._drawn
        self._changed -= set(gone)
        for key in gone:
            self._zones.pop(key, None)
            self._states.pop(key, None)
        self._drawn = drawn
        return gone

    def adopt(self, key: Key, told: Mapping[str, Any]) -> bool:
        """Take what was told last where nobody knows better: it may be older than what is kept of events.

        Returns:
            Whether that is drawn.
        """
        if key not in self._drawn:
            return False
        if key[1] == "state" and key not in self._states and isinstance(told.get("state"), str):
            self._states[key] = {"state": told["state"], "error_code": told.get("error_code")}
        of_today = told.get("day") == self._day.isoformat()
        if key[1] == "line" and of_today:
            ways = self._lines[key].ways
            ways |= {way: max(count, _count(told.get(way))) for way, count in ways.items()}
        elif key[1] == "zone":
            zone = self._zones[key]
            zone.entries = max(zone.entries, _count(told.get("entries")) if of_today else 0)
            zone.queue = bool(told.get("queue")) if zone.queue is None else zone.queue
            zone.occupied = bool(told.get("occupied")) if zone.occupied is None else zone.occupied
        self._changed.add(key)
        return True

    def note(self, event: Event) -> None:
        """Take up what has happened."""
        stream = event.context.stream
        if event.type == STREAM_STATE:
            self._note_state((stream, "state", ""), event)
        elif event.type == CROSSING:
            if self._is_of_today(event):
                key = (stream, "line", event.subject)
                self._lines[key].ways[str(event.data["direction"])] += 1
                self._changed.add(key)
        elif event.type in NOTED:
            key = (stream, "zone", event.subject)
            self._note_zone(self._zones[key], event)
            self._changed.add(key)

    def _is_of_today(self, event: Event) -> bool:
        """Late ones of yesterday are not; a camera whose clock is ahead counts for today."""
        return datetime.fromtimestamp(event.time_s, self._zone).date() >= self._day

    def _note_state(self, key: Key, event: Event) -> None:
        self._states[key] = {"state": event.data["state"], "error_code": event.data["error_code"]}
        self._changed.add(key)
        if event.data["state"] == "running":
            return
        for other, zone in self._zones.items():
            if other[0] == key[0] and zone.inside:
                zone.inside.clear()
                self._changed.add(other)

    def _note_zone(self, zone: _Zone, event: Event) -> None:
        if event.type == ENTRY:
            zone.inside.add(event.data["track"])
            zone.entries += self._is_of_today(event)
        elif event.type == EXIT:
            zone.inside.discard(event.data["track"])
        elif event.type == QUEUE:
            zone.queue = bool(event.data["over"])
        else:
            zone.occupied = bool(event.data["over"])

    def take_changed(self) -> Iterator[tuple[Key, dict[str, Any]]]:
        """What is to be retained instead of what was taken last, as JSON types."""
        changed, self._changed = self._changed & self._drawn, set()
        yield from ((key, self._document(key)) for key in sorted(changed))

    def change_all(self) -> None:
        """Everything is to be retained anew."""
        self._changed = set(self._drawn)

    def _document(self, key: Key) -> dict[str, Any]:
        if key[1] == "state":
            return self._states.get(key, {"state": "unknown", "error_code": None})
        if key[1] == "line":
            return {**self._lines[key].ways, "day": self._day.isoformat()}
        zone = self._zones[key]
        return {
            "people": len(zone.inside),
            "entries": zone.entries,
            "queue": bool(zone.queue),
            "occupied": bool(zone.occupied),
            "day": self._day.isoformat(),
        }
