"""What is usual at this time of the week: learnt while it goes on, one number at a time.

A shop at noon is nothing like the same shop at night, and a Sunday nothing like a Monday. So each quarter of an hour of
the week remembers between what bounds the number lay in it, and each hour of the day how far next week's bounds lie
from those: a camera at a window is judged less strictly than one in a cellar, by day less than by night, and nobody has
to say which is which.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from analytics.drift.states import fields, packed, unpacked

FORMAT = 1
HOUR_S, DAY_H, WEEK_H = 3600, 24, 168
EPOCH_HOUR = 72
"""The clock that computers count by begins on a Thursday; weeks begin on Mondays."""
SLOT_S = 900
DAY_SLOTS, WEEK_SLOTS = DAY_H * HOUR_S // SLOT_S, WEEK_H * HOUR_S // SLOT_S
BOUNDS = 0.05, 0.95
"""Quantiles of what was seen in a slot."""
LEAST_VALUES, MOST_VALUES = 3, 1000
"""Of a slot: fewer say nothing, and more are not kept."""
LEAST_WEIGHT = 0.2
"""Of the newest week in the bounds of a slot, once there are five."""
SETTLED_WEEKS = 4
MOST_HELD = 80
"""Doubtful slots: a long night has 64."""
EDGE_S = 1500
"""So long before, and afterwards, what is usual then is usual, too: shops do not open to the minute."""
LEAST_RESIDUALS = 24
SPREAD_SHARE = 0.05
"""Least weight of the newest slot in the spread of its hour of the day."""
POOLED = 8
"""As many residuals of all hours together stand beside those of an hour of the day."""


@dataclass(frozen=True, slots=True)
class Expected:
    """What a number usually is at some time.

    Attributes:
        low: what it is seldom below.
        high: what it is seldom above.
        spread: how far the bounds of one week lie from those of the weeks before, as a standard deviation.
        sure: whether this time of the week is known; else it is only that of other days, and says what would be no
            surprise.
    """

    low: float
    high: float
    spread: float
    sure: bool

    def deviation(self, value: float) -> float:
        """How far a value lies outside: 0 within, else negative below, positive above; in the unit of the value."""
        return min(value - self.low, 0.0) + max(value - self.high, 0.0)


class Season:
    """What one number of one stream usually is, by time of the week. For one thread.

    All times are those of the clock on the wall, as seconds since 1970 began there: shops live by it.

    Args:
        least_spread: what a slot may always lie off, in the unit of the number.
        settles: whether what is usual is learnt once, in four weeks, so that what creeps is seen in the end; else it
            follows, as daylight does over the year.
    """

    def __init__(self, least_spread: float, *, settles: bool = False) -> None:
        self._least_spread = least_spread
        self._settles = settles
        self._weeks = np.zeros(WEEK_SLOTS, np.int64)
        self._low, self._high = np.zeros(WEEK_SLOTS), np.zeros(WEEK_SLOTS)
        self._residuals = np.zeros(DAY_H, np.int64)
        self._variances = np.zeros(DAY_H)
        self._slot: int | None = None
        self._closed: int | None = None
        self._values: list[float] = []
        self._doubtful = False
        self._held: deque[tuple[int, float, float]] = deque(maxlen=MOST_HELD)
        self._asked: tuple[tuple[int, int], Expected | None] | None = None
        """Slots that somebody has asked about, and the answer: each look does so a dozen times."""

    def add(self, value: float, local_s: float, *, doubtful: bool = False) -> None:
        """Learn a value.

        Args:
            value: of the number.
            local_s: when.
            doubtful: it may be wrong: its slot is held back until `settle` says what it was.
        """
        slot = int(local_s // SLOT_S)
        if slot != self._slot:
            self._close()
            self._slot = slot
        if len(self._values) < MOST_VALUES:
            self._values.append(value)
        self._doubtful = self._doubtful or doubtful

    def settle(self, usual: bool) -> None:
        """What was doubtful is over: it is learnt if that is how it usually goes, or forgotten."""
        if usual:
            for slot, low, high in self._held:
                self._enter(slot, low, high)
        elif self._doubtful:
            self._values = []
        self._held.clear()
        self._doubtful = False

    def _close(self) -> None:
        """The slot is over."""
        values, self._values = self._values, []
        doubtful, self._doubtful = self._doubtful, False
        if self._slot is None or len(values) < LEAST_VALUES:
            return
        if self._closed is not None and 0 <= self._closed - self._slot < DAY_SLOTS:
            return  # a clock that was set back, or goes to and fro: it is no week later
        self._closed = self._slot
        low, high = (float(bound) for bound in np.quantile(values, BOUNDS))
        if doubtful:
            self._held.append((self._slot, low, high))
        else:
            self._enter(self._slot, low, high)

    def _enter(self, slot: int, low: float, high: float) -> None:
        self._asked = None
        week = _of_week(slot)
        if self._weeks[week]:
            hour = week * SLOT_S // HOUR_S % DAY_H
            self._residuals[hour] += 1
            off = ((low - self._low[week]) ** 2 + (high - self._high[week]) ** 2) / 2
            share = max(SPREAD_SHARE, 1 / self._residuals[hour])
            self._variances[hour] += share * (off - self._variances[hour])
        if not (self._settles and self._weeks[week] >= SETTLED_WEEKS):
            self._weeks[week] += 1
            weight = max(LEAST_WEIGHT, 1 / self._weeks[week])
            self._low[week] += weight * (low - self._low[week])
            self._high[week] += weight * (high - self._high[week])

    def expected(self, local_s: float) -> Expected | None:
        """What is usual at a time; None while nothing is known of it, which is for a day."""
        first, last = (int((local_s + shift_s) // SLOT_S) for shift_s in (-EDGE_S, EDGE_S))
        if self._asked is None or self._asked[0] != (first, last):
            self._asked = (first, last), self._of_slots(first, last)
        return self._asked[1]

    def _of_slots(self, first: int, last: int) -> Expected | None:
        around = [_of_week(slot) for slot in range(first, last + 1)]
        total = int(self._residuals.sum())
        if self._weeks[around].all() and total >= LEAST_RESIDUALS:
            hours = np.unique([slot * SLOT_S // HOUR_S % DAY_H for slot in around])
            pooled = float(self._variances @ self._residuals) / total
            counts = self._residuals[hours]
            variances = (counts * self._variances[hours] + POOLED * pooled) / (counts + POOLED)
            spread = max(math.sqrt(float(variances.max())), self._least_spread)
            return Expected(float(self._low[around].min()), float(self._high[around].max()), spread, True)
        # The first week: what was seen at this time on any day.
        days = np.array([(slot + day * DAY_SLOTS) % WEEK_SLOTS for slot in around for day in range(WEEK_H // DAY_H)])
        known = days[self._weeks[days] > 0]
        if not len(known):
            return None
        return Expected(float(self._low[known].min()), float(self._high[known].max()), 2 * self._least_spread, False)

    def snapshot(self) -> dict[str, Any]:
        """The state as JSON types, without the slot that is not over."""
        return {
            "format": FORMAT,
            "weeks": packed(np.minimum(self._weeks, 255), "u1"),
            "bounds": packed(np.stack([self._low, self._high]), "<f4"),
            "residuals": packed(np.minimum(self._residuals, 65535), "<u2"),
            "variances": packed(self._variances, "<f4"),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take up a `snapshot`.

        Raises:
            ValueError: it is none, or of another format; nothing is changed then.
        """
        state = fields(state, FORMAT)
        weeks = unpacked(state, "weeks", "u1", (WEEK_SLOTS,)).astype(np.int64)
        bounds = unpacked(state, "bounds", "<f4", (2, WEEK_SLOTS)).astype(float)
        residuals = unpacked(state, "residuals", "<u2", (DAY_H,)).astype(np.int64)
        variances = unpacked(state, "variances", "<f4", (DAY_H,)).astype(float)
        if (variances < 0).any():
            raise ValueError("variances are not negative")
        self._weeks, self._low, self._high = weeks, bounds[0], bounds[1]
        self._residuals, self._variances = residuals, variances
        self._slot, self._values, self._doubtful = None, [], False
        self._held.clear()
        self._asked = None


def _of_week(slot: int) -> int:
    """Which slot of its week a slot since 1970 is."""
    return (slot + EPOCH_HOUR * HOUR_S // SLOT_S) % WEEK_SLOTS
