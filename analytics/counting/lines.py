"""People crossing a line, both ways, each crossing once.

What goes wrong with naive counters, and what is done about it here: boxes tremble, so a crossing needs the foot point
to be firmly on the other side (dead band); a person who stands on the line flickers, so the side is kept until the
other one is reached, and two crossings of one person are at least ``debounce_s`` apart; only the stretch between ``a``
and ``b`` counts, judged where the path really met the line.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from analytics.counting.base import Analytic, Column, Crossing, Direction, ObservedFrame, Row
from analytics.counting.minute_book import MinuteBook
from analytics.geometry import FloatArray, Geometry, Line

IntArray = npt.NDArray[np.int64]
_CORNERS = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])


@dataclass(slots=True)
class LineTotals:
    """Crossings of a line in each direction."""

    entered: int = 0
    left: int = 0

    def add(self, other: LineTotals) -> None:
        self.entered += other.entered
        self.left += other.left


@dataclass(slots=True)
class _Passage:
    """What is remembered of one track near one line.

    Attributes:
        side: +1 or -1 where the foot point last stood firmly, 0 before that.
        offset: signed distance of the last foot point, in units of the person's height.
        along: its place along the line, 0 at ``a`` and 1 at ``b``.
        met: where the path last met the (endless) line, as a place along it; None if it has not since ``side``.
        changed_s: when ``side`` last changed by a crossing.
    """

    side: int
    offset: float
    along: float
    met: float | None = None
    changed_s: float = -np.inf


class CrossingDetector:
    """Crossings of one line by the tracks of one stream.

    Args:
        line: in normalised coordinates.
        dead_band: half its width, as a share of the person's height in the picture; narrower on a side where the frame
            ends before that, so that a line near the edge can be crossed.
        debounce_s: least time between two crossings of one person.
    """

    def __init__(self, line: Line, *, dead_band: float = 0.06, debounce_s: float = 0.5) -> None:
        self.line = line
        self._dead_band = dead_band
        self._debounce_s = debounce_s
        self._passages: dict[int, _Passage] = {}

    def update(self, frame: ObservedFrame) -> list[Crossing]:
        """Take one frame. Distances are judged in pixels, where people are not squeezed."""
        scale = np.array([frame.size[1], frame.size[0]], np.float64)
        a, b = np.array(self.line.a) * scale, np.array(self.line.b) * scale
        length = float(np.hypot(*(b - a)))
        direction = (b - a) / length
        normal = np.array([direction[1], -direction[0]])
        relative = frame.feet * scale - a
        heights = np.maximum(frame.heights_px, 1.0)
        offsets = (relative @ normal) / heights
        alongs = (relative @ direction) / length
        sides = self._firm_sides(offsets, (_CORNERS * scale - a) @ normal, heights)
        crossings = []
        for track, side, offset, along in zip(
            frame.ids, sides.tolist(), offsets.tolist(), alongs.tolist(), strict=True
        ):
            crossed = self._step(int(track), side, offset, along, frame.time_s)
            if crossed is not None:
                crossings.append(Crossing(self.line.id, int(track), crossed, frame.time_s))
        self._forget(frame.gone)
        return crossings

    def _firm_sides(self, offsets: FloatArray, corners_px: FloatArray, heights_px: FloatArray) -> IntArray:
        """+1 or -1 for feet that stand firmly on that side, 0 for those within the dead band, ``[N]``.

        Args:
            offsets: signed distances of the feet, in heights.
            corners_px: signed distances of the frame's corners: as far as one can get on either side.
            heights_px: of the boxes.
        """
        reach = np.where(offsets > 0, max(corners_px.max(), 0.0), max(-corners_px.min(), 0.0)) / heights_px
        firm = np.abs(offsets) >= np.minimum(self._dead_band, reach / 2)
        return np.where(firm, np.sign(offsets), 0).astype(np.int64)

    def _step(self, track: int, firm: int, offset: float, along: float, time_s: float) -> Direction | None:
        """Move one track; returns the direction if it has now crossed."""
        passage = self._passages.get(track)
        if passage is None:
            self._passages[track] = _Passage(firm, offset, along)
            return None
        if passage.offset * offset < 0 or (passage.offset == 0 and offset != 0):
            share = passage.offset / (passage.offset - offset)
            passage.met = passage.along + share * (along - passage.along)
        passage.offset, passage.along = offset, along
        if firm == 0:
            return None
        if passage.side in (0, firm):
            passage.side, passage.met = firm, None
            return None
        if time_s - passage.changed_s < self._debounce_s:
            return None
        met, passage.met = passage.met, None
        passage.side = firm
        if met is None or not 0.0 <= met <= 1.0:
            return None
        passage.changed_s = time_s
        return "in" if firm > 0 else "out"

    def _forget(self, ids: Iterable[int]) -> None:
        for track in ids:
            self._passages.pop(int(track), None)

    def snapshot(self) -> dict[str, Any]:
        return {
            str(track): [p.side, p.offset, p.along, p.met, p.changed_s if np.isfinite(p.changed_s) else None]
            for track, p in self._passages.items()
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        self._passages = {
            int(track): _Passage(side, offset, along, met, -np.inf if changed is None else changed)
            for track, (side, offset, along, met, changed) in state.items()
        }


class LineCounter:
    """All lines of one stream; see `analytics.counting.base.Counter`."""

    def __init__(self, geometry: Geometry) -> None:
        self._detectors = [CrossingDetector(line) for line in geometry.lines]
        self._minutes: MinuteBook[dict[str, LineTotals]] = MinuteBook(dict)

    def use_geometry(self, geometry: Geometry) -> None:
        known = {(d.line.id, d.line.a, d.line.b): d for d in self._detectors}
        self._detectors = [known.get((line.id, line.a, line.b)) or CrossingDetector(line) for line in geometry.lines]
        for detector, line in zip(self._detectors, geometry.lines, strict=True):
            detector.line = line  # a new name is no new line

    def update(self, frame: ObservedFrame) -> Sequence[Crossing]:
        if not self._detectors:
            return ()
        minute = self._minutes.at(frame.time_s)
        crossings: list[Crossing] = []
        for detector in self._detectors:
            crossings += detector.update(frame)
            minute.setdefault(detector.line.id, LineTotals())  # watched, though nobody may cross it
        for crossing in crossings:
            totals = minute[crossing.line]
            totals.entered += crossing.direction == "in"
            totals.left += crossing.direction == "out"
        return crossings

    def pending(self) -> dict[int, dict[str, LineTotals]]:
        return self._minutes.pending()

    def acknowledge(self, written: Mapping[int, dict[str, LineTotals]]) -> None:
        self._minutes.acknowledge(written)

    def snapshot(self) -> dict[str, Any]:
        # What was drawn stands beside its state: a line that has moved since must not inherit sides.
        return {d.line.id: {"drawn": [*d.line.a, *d.line.b], "tracks": d.snapshot()} for d in self._detectors}

    def restore(self, state: Mapping[str, Any]) -> None:
        for detector in self._detectors:
            saved = state.get(detector.line.id, {})
            if saved.get("drawn") == [*detector.line.a, *detector.line.b]:
                detector.restore(saved["tracks"])

    def leave(self, state: Mapping[str, Any]) -> None:
        """Nothing to do: nobody is told of who was there."""


@dataclass(frozen=True)
class _Lines:
    name = "lines"
    table = "line_minutes"
    columns = (
        Column("line", "name", key=True),
        Column("entered", "integer", merge="sum"),
        Column("left", "integer", merge="sum"),
    )

    def counter(self, geometry: Geometry) -> LineCounter:
        return LineCounter(geometry)

    def zero(self) -> dict[str, LineTotals]:
        return {}

    def merge(self, into: dict[str, LineTotals], other: dict[str, LineTotals]) -> None:
        for line, totals in other.items():
            into.setdefault(line, LineTotals()).add(totals)

    def is_empty(self, value: dict[str, LineTotals]) -> bool:
        return not any(totals.entered or totals.left for totals in value.values())

    def to_rows(self, value: dict[str, LineTotals]) -> list[Row]:
        return [{"line": line, "entered": t.entered, "left": t.left} for line, t in sorted(value.items())]

    def from_rows(self, rows: Iterable[Mapping[str, Any]]) -> dict[str, LineTotals]:
        return {row["line"]: LineTotals(row["entered"], row["left"]) for row in rows}


LINES: Analytic[dict[str, LineTotals]] = _Lines()
