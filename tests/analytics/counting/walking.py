"""People for counters: paths of foot points, and what counters make of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from analytics.counting.base import Crossing, ObservedFrame
from analytics.counting.lines import CrossingDetector
from analytics.geometry import Line
from pipelines.types import Tracks

FRAME = (400, 800)
"""Height and width of the picture, pixels."""
HEIGHT_PX = 100.0
"""Of everybody: a dead band of 0.06 is 6 pixels."""
FPS = 10.0

Point = tuple[float, float]


def path(*corners: Point, frames: int = 20) -> list[Point]:
    """Foot points in pixels, even steps from corner to corner."""
    places = np.linspace(0, len(corners) - 1, frames)
    xs, ys = zip(*corners, strict=True)
    index = np.arange(len(corners))
    return list(zip(np.interp(places, index, xs).tolist(), np.interp(places, index, ys).tolist(), strict=True))


@dataclass(frozen=True)
class Walk:
    """A track with a foot point for each frame; None where it is not observed."""

    track: int
    places: Sequence[Point | None]


def normalised(points: Iterable[Point]) -> np.ndarray:
    return np.array(list(points), np.float64).reshape(-1, 2) / [FRAME[1], FRAME[0]]


def observed(
    places: Mapping[int, Point], time_s: float, *, dt_s: float = 1 / FPS, gone: Sequence[int] = ()
) -> ObservedFrame:
    """A frame with the given foot points, pixels."""
    return ObservedFrame(
        list(places), normalised(places.values()), np.full(len(places), HEIGHT_PX), gone, FRAME, time_s, dt_s
    )


def crossings_of(counter: CrossingDetector, *walks: Walk, begin_s: float = 0.0) -> list[Crossing]:
    """Feed walks frame by frame."""
    found: list[Crossing] = []
    for frame in range(max(len(walk.places) for walk in walks)):
        seen = {w.track: w.places[frame] for w in walks if frame < len(w.places)}
        present = {track: place for track, place in seen.items() if place is not None}
        found += counter.update(observed(present, begin_s + frame / FPS))
    return found


def directions(counter: CrossingDetector, *walks: Walk) -> list[tuple[int, str]]:
    return [(crossing.track, crossing.direction) for crossing in crossings_of(counter, *walks)]


def drawn(a: Point, b: Point) -> Line:
    """A line given in pixels."""
    return Line("door", (a[0] / FRAME[1], a[1] / FRAME[0]), (b[0] / FRAME[1], b[1] / FRAME[0]))


def tracks_at(places: Mapping[int, Point], gone: Sequence[int] = ()) -> Tracks:
    """Observed tracks with the given foot points, pixels."""
    boxes = [[x - 20, y - HEIGHT_PX, x + 20, y] for x, y in places.values()]
    return Tracks(
        np.array(list(places), np.int64),
        np.array(boxes, np.float32).reshape(-1, 4),
        np.full(len(places), 0.9, np.float32),
        np.array(gone, np.int64),
    )
