"""Who is in a zone, who came, who left, and how long they stayed."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from analytics.counting import histogram
from analytics.counting.base import Analytic, Column, CountEvent, ObservedFrame, Row
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
        entries: visits that began.
        exits: visits that ended.
        dwells_s: lengths of the ended visits that were long enough to count.
    """

    inside: int
    entries: int
    exits: int
    dwells_s: tuple[float, ...]


@dataclass(slots=True)
class _Visit:
    begun_s: float
    inside_s: float  # last seen inside


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
        entries = 0
        for track in here:
            visit = self._visits.get(track)
            if visit is not None and time_s - visit.inside_s <= self._exit_grace_s:
                visit.inside_s = time_s
            elif visit is None:
                self._visits[track] = _Visit(time_s, time_s)
                entries += 1
        left = set(map(int, frame.gone))
        over = [
            track
            for track, visit in self._visits.items()
            if track in left or time_s - visit.inside_s > self._exit_grace_s
        ]
        ended = [self._visits.pop(track) for track in over]
        returned = [track for track in over if track in here]
        for track in returned:  # came back after the grace: the old visit is over, a new one begins
            self._visits[track] = _Visit(time_s, time_s)
        dwells = (visit.inside_s - visit.begun_s for visit in ended)
        long_enough = tuple(dwell_s for dwell_s in dwells if dwell_s >= self.zone.dwell_min_s)
        return ZoneChange(len(here), entries + len(returned), len(ended), long_enough)

    def snapshot(self) -> dict[str, Any]:
        return {str(track): [visit.begun_s, visit.inside_s] for track, visit in self._visits.items()}

    def restore(self, state: Mapping[str, Any]) -> None:
        self._visits = {int(track): _Visit(begun, inside) for track, (begun, inside) in state.items()}


class ZoneCounter:
    """All zones of one stream; see `analytics.counting.base.Counter`."""

    def __init__(self, geometry: Geometry) -> None:
        self._detectors = [VisitDetector(zone) for zone in geometry.zones]
        self._minutes: MinuteBook[dict[str, ZoneTotals]] = MinuteBook(dict)

    def use_geometry(self, geometry: Geometry) -> None:
        known = {(d.zone.id, d.zone.polygon): d for d in self._detectors}
        self._detectors = [known.get((zone.id, zone.polygon)) or VisitDetector(zone) for zone in geometry.zones]
        for detector, zone in zip(self._detectors, geometry.zones, strict=True):
            detector.zone = zone  # a new name is no new zone

    def update(self, frame: ObservedFrame) -> Sequence[CountEvent]:
        if not self._detectors:
            return ()
        minute = self._minutes.at(frame.time_s)
        for detector in self._detectors:
            change = detector.update(frame)
            dwells = Counter(map(histogram.bin_of, change.dwells_s))
            totals = minute.setdefault(detector.zone.id, ZoneTotals())
            totals.add(ZoneTotals(change.inside * frame.dt_s, change.inside, change.entries, change.exits, dwells))
        return ()

    def pending(self) -> dict[int, dict[str, ZoneTotals]]:
        return self._minutes.pending()

    def acknowledge(self, written: Mapping[int, dict[str, ZoneTotals]]) -> None:
        self._minutes.acknowledge(written)

    def snapshot(self) -> dict[str, Any]:
        # What was drawn stands beside its state: a zone that has moved since must not inherit visits.
        return {d.zone.id: {"drawn": _corners(d.zone), "tracks": d.snapshot()} for d in self._detectors}

    def restore(self, state: Mapping[str, Any]) -> None:
        for detector in self._detectors:
            saved = state.get(detector.zone.id, {})
            if saved.get("drawn") == _corners(detector.zone):
                detector.restore(saved["tracks"])


def _corners(zone: Zone) -> list[list[float]]:
    return [list(corner) for corner in zone.polygon]


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
