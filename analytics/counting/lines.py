"""People crossing a line, both ways, each crossing once.

What goes wrong with naive counters, and what is done about it here: boxes tremble, so a crossing needs the foot point
to be firmly on the other side (dead band); a person who stands on the line flickers, so the side is kept until the
other one is reached, and two crossings of one person are at least ``debounce_s`` apart; only the stretch between ``a``
and ``b`` counts, judged where the path really met the line.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from analytics.geometry import FloatArray, Line

Direction = Literal["in", "out"]
IntArray = npt.NDArray[np.int64]
_CORNERS = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])


@dataclass(frozen=True, slots=True)
class Crossing:
    """One person over one line."""

    line: str
    track: int
    direction: Direction
    time_s: float


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


class LineCounter:
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

    def update(
        self,
        ids: Iterable[int],
        feet: FloatArray,
        heights_px: FloatArray,
        frame_size: tuple[int, int],
        time_s: float,
    ) -> list[Crossing]:
        """Take the observed tracks of one frame.

        Args:
            ids: of the tracks.
            feet: foot points ``[N, 2]``, normalised.
            heights_px: of the boxes ``[N]``, source pixels.
            frame_size: (height, width), pixels: distances are judged in pixels, where people are not squeezed.
            time_s: capture time.
        """
        scale = np.array([frame_size[1], frame_size[0]], np.float64)
        a, b = np.array(self.line.a) * scale, np.array(self.line.b) * scale
        length = float(np.hypot(*(b - a)))
        direction = (b - a) / length
        normal = np.array([direction[1], -direction[0]])
        relative = feet * scale - a
        heights = np.maximum(heights_px, 1.0)
        offsets = (relative @ normal) / heights
        alongs = (relative @ direction) / length
        sides = self._firm_sides(offsets, (_CORNERS * scale - a) @ normal, heights)
        crossings = []
        for track, side, offset, along in zip(ids, sides.tolist(), offsets.tolist(), alongs.tolist(), strict=True):
            crossed = self._step(int(track), side, offset, along, time_s)
            if crossed is not None:
                crossings.append(Crossing(self.line.id, int(track), crossed, time_s))
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

    def forget(self, ids: Iterable[int]) -> None:
        """These tracks will not come back."""
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
