"""What a detector says of people, as counts in bins: what its statistics are made of.

A person is one sample, however long they stay: boxes of one person in a row are all alike, and tests that take each of
them for news see changes everywhere. Samples are kept apart by how many people are in the picture, for a crowd hides
its own: more people are no worse model.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from analytics.geometry import FloatArray, foot_points
from pipelines.types import Detections, Tracks

Counts: TypeAlias = npt.NDArray[np.float64]
"""``[crowds, bins]``."""
CROWDS = 1.5, 3.5, 6.5
"""Bounds between the classes, mean people in the picture while somebody was there."""
LEAST_SCORE = 0.3
"""Of a detection that a tracker may go on with."""
MOST_OPEN = 2000
"""People who may be in the picture at a time; a tracker has a bound of its own."""


@dataclass(frozen=True, slots=True)
class Measure:
    """One thing that is counted of people.

    Attributes:
        name: stable.
        edges: between its bins, ascending; the outermost bins are open.
    """

    name: str
    edges: tuple[float, ...]

    @property
    def bins(self) -> int:
        return len(self.edges) + 1

    @property
    def centres(self) -> list[float]:
        """A value for each bin."""
        step = self.edges[1] - self.edges[0] if len(self.edges) > 1 else 1.0
        return [self.edges[0] - step / 2, *(edge + step / 2 for edge in self.edges)]

    def bin_of(self, value: float) -> int:
        return int(np.searchsorted(self.edges, value, side="right"))


def _steps(first: float, last: float, number: int) -> tuple[float, ...]:
    return tuple(float(edge) for edge in np.linspace(first, last, number))


SCORE = Measure("score", _steps(0.34, 0.94, 16))
HEIGHT = Measure("height", _steps(-5.0, -0.5, 10))
"""Logarithm to the base 2 of the share of the picture's height."""
ACROSS = Measure("across", _steps(0.125, 0.875, 7))
DOWN = Measure("down", _steps(0.125, 0.875, 7))
"""Of the mean foot point, shares of the picture."""
LENGTH = Measure("length", _steps(-1.0, 6.0, 8))
"""Logarithm to the base 2 of the seconds between first and last sight."""
DOUBT = Measure("doubt", (0.5,))
"""Of detections: 0 belongs to a confirmed track, 1 to none."""
MEASURES = SCORE, HEIGHT, ACROSS, DOWN, LENGTH, DOUBT
BINS = sum(measure.bins for measure in MEASURES)


@cache
def columns_of(measure: Measure) -> slice:
    """Where the bins of a measure stand in `Counts`."""
    begin = sum(one.bins for one in MEASURES[: MEASURES.index(measure)])
    return slice(begin, begin + measure.bins)


@dataclass(frozen=True, slots=True, eq=False)
class PeopleFrame:
    """What one frame showed.

    Attributes:
        ids: of the confirmed tracks that were observed, ``[N]``.
        scores: of their detections, ``[N]``.
        heights: of their boxes, shares of the picture's height, ``[N]``.
        feet: foot points, shares of the picture, ``[N, 2]``.
        gone: tracks that will not come back.
        detections: all that a tracker may go on with, also those that belong to no confirmed track.
        time_s: capture time, seconds since the epoch.
        dt_s: the time that the frame stands for; zero after a gap.
    """

    ids: Sequence[int]
    scores: FloatArray
    heights: FloatArray
    feet: FloatArray
    gone: Sequence[int]
    detections: int
    time_s: float
    dt_s: float

    @staticmethod
    def of(tracks: Tracks, detections: Detections, size: tuple[int, int], time_s: float, dt_s: float) -> PeopleFrame:
        """What a tracker made of what a detector found.

        Args:
            tracks: observed and confirmed.
            detections: that they were made of.
            size: (height, width) of the source frame, pixels.
            time_s: capture time, seconds since the epoch.
            dt_s: the time that the frame stands for.
        """
        return PeopleFrame(
            ids=tracks.ids.tolist(),
            scores=tracks.scores.astype(float),
            heights=(tracks.boxes[:, 3] - tracks.boxes[:, 1]).astype(float) / size[0],
            feet=foot_points(tracks.boxes, size),
            gone=tracks.gone.tolist(),
            detections=int(np.count_nonzero(detections.scores >= LEAST_SCORE)),
            time_s=time_s,
            dt_s=dt_s,
        )


@dataclass(slots=True, eq=False)
class PeopleCounts:
    """What was counted in some time.

    Attributes:
        counts: of samples, by crowd and bin.
        people: that were there, and have left.
        covered_s: seconds that were really seen.
    """

    counts: Counts = field(default_factory=lambda: np.zeros((len(CROWDS) + 1, BINS)))
    people: int = 0
    covered_s: float = 0.0

    def add(self, other: PeopleCounts) -> None:
        self.counts += other.counts
        self.people += other.people
        self.covered_s += other.covered_s


@dataclass(slots=True)
class _Stay:
    """One person, so far."""

    first_s: float
    last_s: float
    looks: int = 0
    score: float = 0.0
    height: float = 0.0
    across: float = 0.0
    down: float = 0.0
    crowd: float = 0.0


class PeopleSampler:
    """Makes samples of the frames of one stream. What was seen of people who are still there is lost with a reader."""

    def __init__(self) -> None:
        self._stays: dict[int, _Stay] = {}
        self._counts = PeopleCounts()

    def update(self, frame: PeopleFrame) -> None:
        """Take in a frame."""
        crowd = len(frame.ids)
        for index, track in enumerate(frame.ids):
            stay = self._stays.get(track)
            if stay is None:
                if len(self._stays) >= MOST_OPEN:
                    continue
                stay = self._stays[track] = _Stay(frame.time_s, frame.time_s)
            stay.last_s = frame.time_s
            stay.looks += 1
            stay.score += float(frame.scores[index])
            stay.height += float(frame.heights[index])
            stay.across += float(frame.feet[index][0])
            stay.down += float(frame.feet[index][1])
            stay.crowd += crowd
        doubt = self._counts.counts[_class_of(crowd), columns_of(DOUBT)]
        doubt[0] += crowd
        doubt[1] += max(frame.detections - crowd, 0)
        self._counts.covered_s += frame.dt_s
        for track in frame.gone:
            stay = self._stays.pop(track, None)
            if stay is not None:
                self._sample(stay)

    def _sample(self, stay: _Stay) -> None:
        row = self._counts.counts[_class_of(stay.crowd / stay.looks)]
        values = (
            (SCORE, stay.score / stay.looks),
            (HEIGHT, math.log2(max(stay.height / stay.looks, 1e-3))),
            (ACROSS, stay.across / stay.looks),
            (DOWN, stay.down / stay.looks),
            (LENGTH, math.log2(max(stay.last_s - stay.first_s, 0.1))),
        )
        for measure, value in values:
            row[columns_of(measure)][measure.bin_of(value)] += 1
        self._counts.people += 1

    def take(self) -> PeopleCounts:
        """What was counted since the last time."""
        taken, self._counts = self._counts, PeopleCounts()
        return taken

    def forget(self) -> None:
        """The tracker has begun anew, and its numbers with it."""
        self._stays.clear()


def _class_of(crowd: float) -> int:
    return int(np.searchsorted(CROWDS, crowd))
