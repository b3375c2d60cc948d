"""Who is in a zone, who came, who left, how long they stayed, and whether there are too many."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from analytics.counting import histogram
from analytics.counting.base import (
    Analytic,
    Column,
    CountEvent,
    DwellExceeded,
    ObservedFrame,
    OccupancyChanged,
    QueueChanged,
    Row,
    ZoneEntry,
    ZoneExit,
)
from analytics.counting.level import Level
from analytics.counting.minute_book import MinuteBook
from analytics.geometry import Geometry, Zone


@dataclass(slots=True)
class ZoneTotals:
    """What happened in a zone.

    Attributes:
        person_seconds: time spent inside by all together; over covered seconds it is the mean occupancy.
        peak: most people inside at once.
        entries: visits that began.
        exits: visits that ended.
        dwells: of visits that ended, by duration; see `analytics.counting.histogram`.
    """

    person_seconds: float = 0.0
    peak: int = 0
    entries: int = 0
    exits: int = 0
    dwells: Counter[int] = field(default_factory=Counter)

    def add(self, other: ZoneTotals) -> None:
        self.person_seconds += other.person_seconds
        self.peak = max(self.peak, other.peak)
        self.entries += other.entries
        self.exits += other.exits
        self.dwells.update(other.dwells)


@dataclass(frozen=True, slots=True)
class ZoneChange:
    """What one frame changed in one zone.

    Attributes:
        inside: people in it now.
        present: visits that are not over.
        staying: those of them that are long enough to count.
        entered: tracks whose visits began.
        ended: tracks whose visits ended, with their lengths, seconds.
        overstayed: tracks whose visits have become too long, with their lengths so far, seconds.
        dwells_s: lengths of the ended visits that were long enough to count.
    """

    inside: int
    present: int
    staying: int
    entered: tuple[int, ...]
    ended: tuple[tuple[int, float], ...]
    overstayed: tuple[tuple[int, float], ...]
    dwells_s: tuple[float, ...]

    @property
    def entries(self) -> int:
        """Visits that began."""
        return len(self.entered)

    @property
    def exits(self) -> int:
        """Visits that ended."""
        return len(self.ended)


@dataclass(slots=True)
class _Visit:
    begun_s: float
    inside_s: float  # last seen inside
    overstayed: bool = False

    @property
    def dwell_s(self) -> float:
        return self.inside_s - self.begun_s


class VisitDetector:
    """Visits to one zone by the tracks of one stream.

    A visit begins when a foot point is first seen inside and ends once it has not been inside for ``exit_grace_s``:
    a step over the border and back, or a few hidden frames, do not end it.

    Args:
        zone: in normalised coordinates.
        exit_grace_s: how long a person may be outside or unseen without having left.
    """

    def __init__(self, zone: Zone, *, exit_grace_s: float = 1.5) -> None:
        self.zone = zone
        self._exit_grace_s = exit_grace_s
        self._visits: dict[int, _Visit] = {}

    def update(self, frame: ObservedFrame) -> ZoneChange:
        """Take one frame."""
        inside = self.zone.contains(frame.feet) if len(frame.feet) else ()
        here = [int(track) for track, is_inside in zip(frame.ids, inside, strict=True) if is_inside]
        time_s = frame.time_s
        entered = []
        for track in here:
            visit = self._visits.get(track)
            if visit is not None and time_s - visit.inside_s <= self._exit_grace_s:
                visit.inside_s = time_s
            elif visit is None:
                self._visits[track] = _Visit(time_s, time_s)
                entered.append(track)
        left = set(map(int, frame.gone))
        over = [
            track
            for track, visit in self._visits.items()
            if track in left or time_s - visit.inside_s > self._exit_grace_s
        ]
        ended = tuple((track, self._visits.pop(track).dwell_s) for track in over)
        returned = [track for track in over if track in here]
        for track in returned:  # came back after the grace: the old visit is over, a new one begins
            self._visits[track] = _Visit(time_s, time_s)
        return self._change(len(here), (*entered, *returned), ended)

    def end(self) -> ZoneChange:
        """Nobody looks any more: all visits are over."""
        ended = tuple((track, visit.dwell_s) for track, visit in self._visits.items())
        self._visits = {}
        return self._change(0, (), ended)

    def _change(self, inside: int, entered: tuple[int, ...], ended: tuple[tuple[int, float], ...]) -> ZoneChange:
        return ZoneChange(
            inside=inside,
            present=len(self._visits),
            staying=sum(visit.dwell_s >= self.zone.dwell_min_s for visit in self._visits.values()),
            entered=entered,
            ended=ended,
            overstayed=self._overstayed(),
            dwells_s=tuple(dwell_s for _, dwell_s in ended if dwell_s >= self.zone.dwell_min_s),
        )

    def _overstayed(self) -> tuple[tuple[int, float], ...]:
        """Visits that have just become too long."""
        limit_s = self.zone.limits.dwell_s
        if limit_s is None:
            return ()
        found = [(track, visit) for track, visit in self._visits.items() if visit.dwell_s > limit_s]
        new = tuple((track, visit.dwell_s) for track, visit in found if not visit.overstayed)
        for _, visit in found:
            visit.overstayed = True
        return new

    def snapshot(self) -> dict[str, Any]:
        return {str(track): [visit.begun_s, visit.inside_s, visit.overstayed] for track, visit in self._visits.items()}

    def restore(self, state: Mapping[str, Any]) -> None:
        self._visits = {int(track): _Visit(*visit) for track, visit in state.items()}


class _WatchedZone:
    """A zone with its visits, and what is told of them."""

    def __init__(self, zone: Zone) -> None:
        self.visits = VisitDetector(zone)
        self._queue = Level(zone.limits.queue)
        self._occupancy = Level(zone.limits.occupancy)
        self._last_s: float | None = None

    @property
    def zone(self) -> Zone:
        return self.visits.zone

    def use(self, zone: Zone) -> None:
        """The same zone, with another name or other limits."""
        self.visits.zone = zone
        self._queue.use(zone.limits.queue)
        self._occupancy.use(zone.limits.occupancy)

    def is_drawn_as(self, zone: Zone) -> bool:
        """Whether it is the same zone, whatever its name and limits."""
        return (self.zone.id, self.zone.polygon) == (zone.id, zone.polygon)

    def events(self, change: ZoneChange, frame: ObservedFrame) -> list[CountEvent]:
        """What is to be told of a frame's change."""
        name, time_s = self.zone.id, frame.time_s
        found: list[CountEvent] = [ZoneExit(name, track, dwell_s, time_s) for track, dwell_s in change.ended]
        found += [ZoneEntry(name, track, time_s) for track in change.entered]
        found += [DwellExceeded(name, track, dwell_s, time_s) for track, dwell_s in change.overstayed]
        seen_since_last = frame.dt_s > 0 or time_s == self._last_s  # clocks that tell seconds, or stand still
        self._last_s = time_s
        if (over := self._queue.update(change.staying, time_s, seen_since_last)) is not None:
            found.append(QueueChanged(name, over, change.staying, time_s))
        if (over := self._occupancy.update(change.present, time_s, seen_since_last)) is not None:
            found.append(OccupancyChanged(name, over, change.present, time_s))
        return found

    def last_events(self, change: ZoneChange, time_s: float) -> list[CountEvent]:
        """What is to be told when all visits have ended because nobody looks any more."""
        name = self.zone.id
        found: list[CountEvent] = [ZoneExit(name, track, dwell_s, time_s) for track, dwell_s in change.ended]
        kinds = (QueueChanged, self._queue), (OccupancyChanged, self._occupancy)
        return [*found, *(kind(name, False, 0, time_s) for kind, level in kinds if level.reached)]

    def snapshot(self) -> dict[str, Any]:
        # What was drawn stands beside its state: a zone that has moved since must not inherit visits.
        return {
            "drawn": [list(corner) for corner in self.zone.polygon],
            "tracks": self.visits.snapshot(),
            "queue": self._queue.snapshot(),
            "occupancy": self._occupancy.snapshot(),
        }

    @staticmethod
    def restored(zone: Zone, state: Mapping[str, Any]) -> _WatchedZone:
        """Where it was drawn then, with what ``zone`` is called now."""
        polygon = tuple((x, y) for x, y in state["drawn"])
        watched = _WatchedZone(replace(zone, polygon=polygon))
        watched.visits.restore(state["tracks"])
        watched._queue.restore(state.get("queue"))
        watched._occupancy.restore(state.get("occupancy"))
        return watched


class ZoneCounter:
    """All zones of one stream; see `analytics.counting.base.Counter`.

    Where a zone is removed or drawn elsewhere, the visits to it are over with the next frame: whoever entered leaves.
    """

    def __init__(self, geometry: Geometry) -> None:
        self._geometry = geometry
        self._gone: set[int] = set()  # zones that were not drawn any more in between
        self._watching: Geometry | None = None  # what zones were made of; None where they were restored
        self._zones: list[_WatchedZone] = []
        self._minutes: MinuteBook[dict[str, ZoneTotals]] = MinuteBook(dict)

    def use_geometry(self, geometry: Geometry) -> None:
        self._geometry = geometry
        self._gone |= {id(one) for one in self._zones if not any(one.is_drawn_as(zone) for zone in geometry.zones)}

    def update(self, frame: ObservedFrame) -> Sequence[CountEvent]:
        events = self._redraw(frame)
        for watched in self._zones:
            change = watched.visits.update(frame)
            self._count(watched.zone, change, frame)
            events += watched.events(change, frame)
        return events

    def _redraw(self, frame: ObservedFrame) -> list[CountEvent]:
        """Watch what is drawn by now; returns what is to be told of zones that are not there any more."""
        if self._geometry is self._watching:
            return []
        self._watching, zones, before = self._geometry, self._geometry.zones, self._zones
        there, self._gone = [one for one in before if id(one) not in self._gone], set()
        found = [next((one for one in there if one.is_drawn_as(zone)), None) for zone in zones]
        self._zones = [one or _WatchedZone(zone) for one, zone in zip(found, zones, strict=True)]
        for watched, zone in zip(self._zones, zones, strict=True):
            watched.use(zone)  # a new name is no new zone
        events: list[CountEvent] = []
        for watched in before:
            if watched not in self._zones:
                change = watched.visits.end()
                self._count(watched.zone, change, frame)
                events += watched.last_events(change, frame.time_s)
        return events

    def _count(self, zone: Zone, change: ZoneChange, frame: ObservedFrame) -> None:
        dwells = Counter(map(histogram.bin_of, change.dwells_s))
        totals = self._minutes.at(frame.time_s).setdefault(zone.id, ZoneTotals())
        totals.add(ZoneTotals(change.inside * frame.dt_s, change.inside, change.entries, change.exits, dwells))

    def pending(self) -> dict[int, dict[str, ZoneTotals]]:
        return self._minutes.pending()

    def acknowledge(self, written: Mapping[int, dict[str, ZoneTotals]]) -> None:
        self._minutes.acknowledge(written)

    def snapshot(self) -> dict[str, Any]:
        return {watched.zone.id: watched.snapshot() for watched in self._zones}

    def restore(self, state: Mapping[str, Any]) -> None:
        named = {zone.id: zone for zone in self._geometry.zones}
        zones = [(named.get(name) or Zone(name, ()), zone_state) for name, zone_state in state.items()]
        self._zones = [_WatchedZone.restored(*one) for one in zones if "drawn" in one[1]]
        self._watching = None

    def leave(self, state: Mapping[str, Any]) -> None:
        self.restore(state)
        self._gone = {id(one) for one in self._zones}


@dataclass(frozen=True)
class _Zones:
    name = "zones"
    table = "zone_minutes"
    columns = (
        Column("zone", "name", key=True),
        Column("person_seconds", "real", merge="sum"),
        Column("peak", "integer", merge="max"),
        Column("entries", "integer", merge="sum"),
        Column("exits", "integer", merge="sum"),
        Column("dwells", "text", merge="join"),
    )

    def counter(self, geometry: Geometry) -> ZoneCounter:
        return ZoneCounter(geometry)

    def zero(self) -> dict[str, ZoneTotals]:
        return {}

    def merge(self, into: dict[str, ZoneTotals], other: dict[str, ZoneTotals]) -> None:
        for zone, totals in other.items():
            into.setdefault(zone, ZoneTotals()).add(totals)

    def is_empty(self, value: dict[str, ZoneTotals]) -> bool:
        return not any(totals.entries or totals.exits for totals in value.values())

    def to_rows(self, value: dict[str, ZoneTotals]) -> list[Row]:
        return [
            {
                "zone": zone,
                "person_seconds": totals.person_seconds,
                "peak": totals.peak,
                "entries": totals.entries,
                "exits": totals.exits,
                "dwells": json.dumps({str(k): n for k, n in sorted(totals.dwells.items())}),
            }
            for zone, totals in sorted(value.items())
        ]

    def from_rows(self, rows: Iterable[Mapping[str, Any]]) -> dict[str, ZoneTotals]:
        return {
            row["zone"]: ZoneTotals(
                row["person_seconds"],
                row["peak"],
                row["entries"],
                row["exits"],
                _dwells(row["dwells"]),
            )
            for row in rows
        }


def _dwells(text: str) -> Counter[int]:
    """A histogram, from any number of them, a line each; most minutes have the same: none."""
    total: Counter[int] = Counter()
    for line, times in Counter(text.splitlines()).items():
        for index, count in json.loads(line).items():
            total[int(index)] += count * times
    return total


ZONES: Analytic[dict[str, ZoneTotals]] = _Zones()
