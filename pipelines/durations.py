"""How long something takes, as a histogram with few bins: cheap enough for every frame, and what Prometheus takes."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field

BOUNDS_S = (
    0.005,
    0.01,
    0.02,
    0.03,
    0.05,
    0.075,
    0.1,
    0.15,
    0.2,
    0.3,
    0.4,
    0.5,
    0.75,
    1.0,
    1.5,
    2.0,
    3.0,
    5.0,
    10.0,
    30.0,
)
"""Upper edges of all bins but the last one, which has none."""
WINDOW_S = 60.0
"""What was added in this window, and in the one before, is recent."""


@dataclass(slots=True)
class Durations:
    """What was added since the beginning; never falls. For one thread that adds.

    Attributes:
        counts: by bin; one more than there are bounds.
        total_s: the sum of all durations, seconds.
    """

    counts: list[int] = field(default_factory=lambda: [0] * (len(BOUNDS_S) + 1))
    total_s: float = 0.0

    def add(self, duration_s: float) -> None:
        """Count one; a clock that was set back makes none of them negative."""
        duration_s = max(duration_s, 0.0)
        self.counts[bisect_left(BOUNDS_S, duration_s)] += 1
        self.total_s += duration_s

    def merge(self, other: Durations) -> None:
        """Count what another one has counted, too."""
        self.counts = [mine + theirs for mine, theirs in zip(self.counts, other.counts, strict=True)]
        self.total_s += other.total_s


class RecentDurations:
    """What took how long lately. For one thread that adds."""

    def __init__(self) -> None:
        self.all = Durations()
        """Since the beginning."""
        self._window = 0
        self._now: list[int] = list(self.all.counts)
        self._before: list[int] = list(self.all.counts)

    def add(self, duration_s: float, now_s: float) -> None:
        """Count one.

        Args:
            duration_s: how long it took.
            now_s: monotonic seconds.
        """
        self._turn(now_s)
        self.all.add(duration_s)
        self._now[bisect_left(BOUNDS_S, max(duration_s, 0.0))] += 1

    def quantile(self, share: float, now_s: float) -> float | None:
        """The duration that so many of the recent ones stay below, seconds; None if there are none.

        Args:
            share: in [0, 1].
            now_s: monotonic seconds.
        """
        self._turn(now_s)
        return quantile([one + other for one, other in zip(self._now, self._before, strict=True)], share)

    def _turn(self, now_s: float) -> None:
        window = math.floor(now_s / WINDOW_S)
        if window == self._window:
            return
        empty = [0] * len(self._now)
        self._before = self._now if window == self._window + 1 else list(empty)
        self._now, self._window = empty, window


def quantile(counts: Sequence[int], share: float) -> float | None:
    """The duration that ``share`` of what was counted stays below, seconds; None if nothing was.

    Inside a bin, durations are taken to be spread evenly; what lies beyond the last bound counts as it.
    """
    wanted, before = share * sum(counts), 0
    if not any(counts):
        return None
    for number, (low, high) in zip(counts, zip((0.0, *BOUNDS_S), BOUNDS_S, strict=False), strict=False):
        if number and before + number >= wanted:
            return low + (high - low) * (wanted - before) / number
        before += number
    return BOUNDS_S[-1]
