"""Durations as a histogram that merges exactly: any number of minutes, cameras or crashes add up to the same."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping

FIRST_S = 0.5
RATIO = 1.1
"""Bin edges are ``FIRST_S * RATIO ** k``: a quantile is off by a bin's 10 % at most, from half a second to days."""
MAX_BIN = 150


def bin_of(duration_s: float) -> int:
    """The bin of a duration; 0 holds everything up to ``FIRST_S``."""
    if duration_s <= FIRST_S:
        return 0
    return min(1 + math.floor(math.log(duration_s / FIRST_S) / math.log(RATIO) + 1e-9), MAX_BIN)


def edges(index: int) -> tuple[float, float]:
    """Lower and upper edge of a bin, seconds."""
    if index == 0:
        return 0.0, FIRST_S
    return FIRST_S * RATIO ** (index - 1), FIRST_S * RATIO**index


def quantile(counts: Mapping[int, int], share: float) -> float | None:
    """The duration below which ``share`` of the entries lie, seconds; None if there are none.

    Inside a bin, entries are taken to be spread evenly.
    """
    total = sum(counts.values())
    if not total:
        return None
    wanted, before = share * total, 0
    for index in sorted(counts):
        if counts[index] and before + counts[index] >= wanted:
            low, high = edges(index)
            return low + (high - low) * (wanted - before) / counts[index]
        before += counts[index]
    return edges(max(counts))[1]


def merge(*histograms: Mapping[int, int]) -> Counter[int]:
    total: Counter[int] = Counter()
    for histogram in histograms:
        total.update(histogram)
    return total
