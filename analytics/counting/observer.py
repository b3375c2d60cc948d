"""One stream's tracks in, its minutes out: the only state between a tracker and the store."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from analytics.counting import histogram
from analytics.counting.heatmap import HeatTracker
from analytics.counting.lines import Crossing, LineCounter
from analytics.counting.zones import ZoneCounter
from analytics.geometry import Geometry, Zone, foot_points
from analytics.minutes import LineTotals, MinuteRow, Totals, ZoneTotals, minute_of
from pipelines.types import FrameStamp, Tracks

FORMAT = "observer-1"


@dataclass(frozen=True, slots=True)
class FrameOutcome:
    """What one frame brought: seconds it stands for, people in it, and crossings."""

    dt_s: float
    people: int
    crossings: tuple[Crossing, ...]


class StreamObserver:
    """Counts one stream. Called by one thread, frame after frame in the order of capture; never blocks.

    A frame stands for the time since the one before, if that is at most ``max_gap_s``; else that time was not seen and
    nothing is made of it. Minutes accumulate per epoch: after ``restore`` in a new epoch they begin at zero, and the
    sum over epochs is the truth.

    Args:
        stream: id.
        epoch: of the assignment.
        geometry: lines and zones.
        max_gap_s: longest interval that one frame may stand for.
    """

    def __init__(self, stream: str, epoch: int, geometry: Geometry, *, max_gap_s: float = 2.0) -> None:
        self._stream = stream
        self._epoch = epoch
        self._max_gap_s = max_gap_s
        self._last_s: float | None = None
        self._lines = [LineCounter(line) for line in geometry.lines]
        self._zones = [ZoneCounter(zone) for zone in geometry.zones]
        self._heat = HeatTracker()
        self._minutes: dict[int, Totals] = {}
        self._changed: set[int] = set()

    def update(self, tracks: Tracks, stamp: FrameStamp, frame_size: tuple[int, int]) -> FrameOutcome:
        """Count one frame.

        Args:
            tracks: observed and confirmed.
            stamp: when it was captured.
            frame_size: (height, width) of the source frame, pixels.
        """
        time_s = stamp.time_s
        interval_s = 0.0 if self._last_s is None else time_s - self._last_s
        dt_s = interval_s if 0.0 <= interval_s <= self._max_gap_s else 0.0
        self._last_s = time_s
        minute = self._minute(time_s)
        people = len(tracks)
        minute.covered_s += dt_s
        minute.frames += 1
        minute.person_seconds += people * dt_s
        minute.peak = max(minute.peak, people)

        feet = foot_points(tracks.boxes, frame_size)
        heights = (tracks.boxes[:, 3] - tracks.boxes[:, 1]).astype(float)
        ids, gone = tracks.ids.tolist(), tracks.gone.tolist()
        crossings: list[Crossing] = []
        for line in self._lines:
            crossings += line.update(ids, feet, heights, frame_size, time_s)
            line.forget(gone)
            minute.lines.setdefault(line.line.id, LineTotals())
        for crossing in crossings:
            totals = minute.lines[crossing.line]
            totals.entered += crossing.direction == "in"
            totals.left += crossing.direction == "out"
        for zone in self._zones:
            change = zone.update(ids, feet, time_s, gone)
            occupied = minute.zones.setdefault(zone.zone.id, ZoneTotals())
            occupied.person_seconds += change.inside * dt_s
            occupied.peak = max(occupied.peak, change.inside)
            occupied.entries += change.entries
            occupied.exits += change.exits
            occupied.dwells.update(map(histogram.bin_of, change.dwells_s))
        self._heat.update(ids, feet, dt_s, minute.heat)
        self._heat.forget(gone)
        return FrameOutcome(dt_s, people, tuple(crossings))

    def _minute(self, time_s: float) -> Totals:
        start = minute_of(time_s)
        self._changed.add(start)
        totals = self._minutes.get(start)
        if totals is None:
            totals = self._minutes[start] = Totals()
        return totals

    def use_geometry(self, geometry: Geometry) -> None:
        """Count with other lines and zones from the next frame on; unchanged ones keep their state."""
        lines = {(c.line.id, c.line.a, c.line.b): c for c in self._lines}
        zones = {(c.zone.id, c.zone.polygon): c for c in self._zones}
        self._lines = [lines.get((line.id, line.a, line.b)) or LineCounter(line) for line in geometry.lines]
        self._zones = [zones.get((zone.id, zone.polygon)) or ZoneCounter(zone) for zone in geometry.zones]
        for line_counter, line in zip(self._lines, geometry.lines, strict=True):
            line_counter.line = line  # a new name is no new line
        for zone_counter, zone in zip(self._zones, geometry.zones, strict=True):
            zone_counter.zone = zone

    def owed(self) -> list[MinuteRow]:
        """Copies of all minutes that changed since they were last `settled`."""
        return [
            MinuteRow(self._stream, minute, self._epoch, copy.deepcopy(self._minutes[minute]))
            for minute in sorted(self._changed)
        ]

    def settled(self, rows: list[MinuteRow]) -> None:
        """These rows are safe; minutes that are over are forgotten, the newest may still grow."""
        for row in rows:
            if self._minutes.get(row.minute) == row.totals:
                self._changed.discard(row.minute)
        newest = max(self._minutes, default=0)
        for minute in self._minutes.keys() - self._changed - {newest}:
            del self._minutes[minute]

    def snapshot(self) -> dict[str, Any]:
        """State of lines, zones and heat as JSON types; the minutes are rows, not state."""
        return {
            "format": FORMAT,
            "last_s": self._last_s,
            # What was drawn stands beside its state: a line that has moved since must not inherit sides.
            "lines": {c.line.id: {"drawn": [*c.line.a, *c.line.b], "tracks": c.snapshot()} for c in self._lines},
            "zones": {c.zone.id: {"drawn": _corners(c.zone), "tracks": c.snapshot()} for c in self._zones},
            "heat": self._heat.snapshot(),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take up a ``snapshot``; lines and zones that were drawn since then begin afresh.

        Raises:
            ValueError: the state has another format.
        """
        if state.get("format") != FORMAT:
            raise ValueError(f"an observer state of format {FORMAT} is needed, found {state.get('format')!r}")
        self._last_s = state["last_s"]
        for line in self._lines:
            saved = state["lines"].get(line.line.id, {})
            if saved.get("drawn") == [*line.line.a, *line.line.b]:
                line.restore(saved["tracks"])
        for zone in self._zones:
            saved = state["zones"].get(zone.zone.id, {})
            if saved.get("drawn") == _corners(zone.zone):
                zone.restore(saved["tracks"])
        self._heat.restore(state["heat"])


def _corners(zone: Zone) -> list[list[float]]:
    return [list(corner) for corner in zone.polygon]
