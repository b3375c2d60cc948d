"""Whether a detector still sees people as it did, and whether as many come as usual.

What was counted lately is compared with what the reference has of the same hours of the week, in the same mixture of
hours and of crowds. Two measures have to agree: the population stability index, which is the symmetric relative entropy
of two histograms, and the Wasserstein distance, which says how far they lie apart in their own unit.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from analytics.drift.causes import PeopleCause
from analytics.drift.people import (
    ACROSS,
    BINS,
    CROWDS,
    DOUBT,
    DOWN,
    HEIGHT,
    LENGTH,
    MEASURES,
    SCORE,
    Counts,
    Measure,
    PeopleCounts,
    columns_of,
)
from analytics.drift.season import DAY_H, EPOCH_HOUR, HOUR_S, LEAST_VALUES, SLOT_S, WEEK_H, Season
from analytics.drift.states import fields, packed, unpacked, whole

FORMAT = 1
SLICE_S = 600.0
"""So often what was counted is compared."""
BLOCK_H = 3
"""Hours of the week that are taken together in the reference."""
ENOUGH = 120
"""People of whom a comparison is made; the window reaches back until there are as many, for a day at most."""
LONGEST_S = DAY_H * HOUR_S
KNOWN_WEEKS = 2
"""Weeks in which hours were seen before they are judged: people before a door are seen otherwise by evening light."""
KNOWN = 30
"""Samples from which on a part of the reference is one."""
SETTLED_WEEKS = 4
"""After so many weeks of a part the reference stays as it is."""
SMOOTHING = 0.5
"""Added to each bin, so that an empty one is no infinity."""
LEAST_INDEX = 0.25
"""Of the stability index: the usual bound for a population that has changed."""
LEAST_COVERED_S = 1200.0
"""Of an hour, for its traffic to be judged."""
SPREADS, LEAST_TIMES = 4.0, 1.6
"""How far an hour's people must be from what is usual, in what such an hour usually lies off, and as a factor."""
FAR: Mapping[Measure, float] = {SCORE: 0.04, HEIGHT: 0.35, ACROSS: 0.08, DOWN: 0.08, LENGTH: 0.8, DOUBT: 0.15}
"""Wasserstein distance from which on a difference matters to anybody, in the unit of the measure."""
_STARTS = [columns_of(measure).start for measure in MEASURES]
_WIDTHS = [measure.bins for measure in MEASURES]
OF_MODEL = SCORE, DOUBT, LENGTH
"""What a worse model changes, most telling first."""


@dataclass(frozen=True, slots=True)
class PeopleSymptom:
    """A change.

    Attributes:
        cause: of it.
        detail: in plain words, with numbers.
    """

    cause: PeopleCause
    detail: str


@dataclass(frozen=True, slots=True)
class Distance:
    """How two histograms of one measure lie to each other.

    Attributes:
        index: population stability index; 0 is the same.
        away: Wasserstein distance, in the unit of the measure.
        chance: of the index, what so few samples give by themselves.
    """

    index: float
    away: float
    chance: float

    def is_far(self, measure: Measure) -> bool:
        """Whether it matters, and is no chance."""
        return self.index >= LEAST_INDEX + 2 * self.chance and self.away >= FAR[measure]


def distance(measure: Measure, now: Counts, reference: Counts, samples: tuple[float, float]) -> Distance:
    """Compare two histograms.

    Args:
        measure: that they are of.
        now: counts or weights of its bins.
        reference: likewise; only proportions count.
        samples: how many there are of each.
    """
    # Not at the top: it takes most of a second to import, of each start, and is wanted every ten minutes.
    from scipy import special, stats

    share = (now + SMOOTHING) / (now.sum() + SMOOTHING * measure.bins)
    usual = (reference + SMOOTHING) / (reference.sum() + SMOOTHING * measure.bins)
    index = float((special.rel_entr(share, usual) + special.rel_entr(usual, share)).sum())
    away = float(stats.wasserstein_distance(measure.centres, measure.centres, share, usual))
    # The expectation of the index of two samples of one population, to first order.
    chance = (measure.bins - 1) * sum(1 / max(number, 1.0) for number in samples)
    return Distance(index, away, chance)


class Population:
    """What is usual of the people before one camera, and whether it still is.

    Times are those of the clock on the wall, as in `Season`.

    Args:
        version: of the reference.
    """

    def __init__(self, version: int = 0) -> None:
        self.version = version
        self._usual = np.zeros((WEEK_H // BLOCK_H, len(CROWDS) + 1, BINS))
        self._weeks = np.zeros(WEEK_H // BLOCK_H, np.int64)
        self._last_week = np.full(WEEK_H // BLOCK_H, -1, np.int64)
        self._traffic = Season(1.0)  # of `_steadied` numbers
        self._slices: deque[tuple[float, PeopleCounts]] = deque()
        self._hour: int | None = None
        self._of_hour = PeopleCounts()
        self._times: float | None = None
        self._symptoms: tuple[PeopleSymptom, ...] = ()
        self.hours = 0
        """Whose traffic was looked at."""
        self.distances: Mapping[str, Distance] = {}
        """Of each measure, as of the last comparison; none while there is nothing to compare."""

    @property
    def symptoms(self) -> tuple[PeopleSymptom, ...]:
        """What has changed, as of the last comparison."""
        return self._symptoms

    def add(self, counted: PeopleCounts, local_s: float, *, trusted: bool = True) -> None:
        """Compare what was counted in the last ten minutes.

        Args:
            counted: of a stream.
            local_s: when it began.
            trusted: whether the pictures are all right: what a camera that was moved sees is no reference, and no
                fault of the model.
        """
        found = [] if not trusted else [*self._judge_traffic(counted, local_s)]
        if trusted:
            self._slices.append((local_s, counted))
            while not 0 <= local_s - self._slices[0][0] <= LONGEST_S:
                self._slices.popleft()
            found += self._judge_people()
            unknown = self._weeks[_block_of(local_s)] < KNOWN_WEEKS
            if unknown or not any(one.cause is PeopleCause.MODEL for one in found):
                self._learn(counted, local_s)
        else:
            self._slices.clear()
            self.distances = {}
        self._symptoms = tuple(sorted(found, key=lambda one: one.cause is PeopleCause.TRAFFIC))

    def _judge_traffic(self, counted: PeopleCounts, local_s: float) -> list[PeopleSymptom]:
        """As many as come in an hour; judged when it is over, until the next one is."""
        hour = int(local_s // HOUR_S)
        if hour != self._hour:
            self._times = None
            self.hours += self._hour is not None
            # Only of the hour before: an older one is no news, and was perhaps cut short.
            if self._hour == hour - 1 and self._of_hour.covered_s >= LEAST_COVERED_S:
                self._times = self._compare_hour((self._hour + 0.5) * HOUR_S)
            self._hour, self._of_hour = hour, PeopleCounts()
        self._of_hour.add(counted)
        if self._times is None:
            return []
        return [PeopleSymptom(PeopleCause.TRAFFIC, f"{self._times:.1f} times as many people as usual at this hour")]

    def _compare_hour(self, middle_s: float) -> float | None:
        """How many times as many people as usual came in the hour that is over, if that is no chance."""
        number = self._of_hour.people / self._of_hour.covered_s * HOUR_S
        expected = self._traffic.expected(middle_s)
        for part in range(HOUR_S // SLOT_S * LEAST_VALUES):  # an hour has one number, which holds for all of it
            self._traffic.add(_steadied(number), middle_s - HOUR_S / 2 + part * SLOT_S / LEAST_VALUES)
        if expected is None or not expected.sure:
            return None
        if abs(expected.deviation(_steadied(number))) < SPREADS * expected.spread:
            return None
        times = (number + 1) / (_unsteadied(expected.low) + 1)
        return times if max(times, 1 / times) >= LEAST_TIMES else None

    def _judge_people(self) -> list[PeopleSymptom]:
        now, usual, samples = self._window()
        distances: dict[str, Distance] = {}
        for measure in MEASURES if samples[0] >= ENOUGH else ():
            columns = columns_of(measure)
            distances[measure.name] = distance(measure, now[columns], usual[columns], samples)
        self.distances = distances  # whole: others may be looking
        if not distances:
            return []
        far = [measure for measure in MEASURES if self.distances[measure.name].is_far(measure)]
        of_model = [measure for measure in OF_MODEL if measure in far]
        elsewhere = [measure for measure in (HEIGHT, ACROSS, DOWN) if measure in far]
        # Who walks farther away is smaller, and harder to be sure of: that alone is no worse model.
        if len(of_model) > 1 or (SCORE in far and not elsewhere):
            return [PeopleSymptom(PeopleCause.MODEL, self._described(of_model))]
        if elsewhere:
            return [PeopleSymptom(PeopleCause.TRAFFIC, self._described(elsewhere))]
        return []

    def _window(self) -> tuple[Counts, Counts, tuple[float, float]]:
        """The newest people, the usual ones in the same mixture, and how many there are of both."""
        now, usual = np.zeros(BINS), np.zeros(BINS)
        score, seen, known = columns_of(SCORE), 0.0, 0.0
        at_all = self._usual.sum(axis=0)
        for begun_s, counted in reversed(self._slices):
            if seen >= ENOUGH:
                break
            block = _block_of(begun_s)
            if self._weeks[block] < KNOWN_WEEKS:
                continue
            for crowd in np.flatnonzero(counted.counts.any(axis=1)):
                # Where so many people are seldom seen at this hour, those of all hours stand for them.
                references = (self._usual[block, crowd], at_all[crowd])
                reference = next((one for one in references if one[score].sum() >= KNOWN), None)
                if reference is None:
                    continue
                row = counted.counts[crowd]
                now += row
                usual += reference * np.repeat(_of_measures(row) / np.maximum(_of_measures(reference), 1), _WIDTHS)
                seen += row[score].sum()
                known = max(known, float(reference[score].sum()))
        return now, usual, (float(seen), known)

    def _learn(self, counted: PeopleCounts, local_s: float) -> None:
        block, week = _block_of(local_s), int((local_s / HOUR_S + EPOCH_HOUR) // WEEK_H)
        if self._last_week[block] != week:
            self._last_week[block] = week
            self._weeks[block] += 1
        if self._weeks[block] <= SETTLED_WEEKS:
            self._usual[block] += counted.counts

    def _described(self, measures: list[Measure]) -> str:
        found = self.distances
        parts = [f"{one.name} (index {found[one.name].index:.2f}, {found[one.name].away:.2f} away)" for one in measures]
        return "not as in the reference: " + ", ".join(parts)

    def snapshot(self) -> dict[str, Any]:
        """The reference as JSON types; the newest slices are made anew."""
        return {
            "format": FORMAT,
            "version": self.version,
            "usual": packed(self._usual, "<f4"),
            "weeks": packed(np.minimum(self._weeks, 255), "u1"),
            "last_week": packed(self._last_week, "<i4"),
            "traffic": self._traffic.snapshot(),
        }

    @staticmethod
    def of(state: Mapping[str, Any]) -> Population:
        """The reference of a `snapshot`.

        Raises:
            ValueError: it is none, or one of another format.
        """
        state = fields(state, FORMAT)
        made = Population(whole(state, "version"))
        made._usual = unpacked(state, "usual", "<f4", made._usual.shape).astype(float)
        if (made._usual < 0).any():
            raise ValueError("counts are not negative")
        made._weeks = unpacked(state, "weeks", "u1", made._weeks.shape).astype(np.int64)
        made._last_week = unpacked(state, "last_week", "<i4", made._last_week.shape).astype(np.int64)
        made._traffic.restore(state.get("traffic", {}))
        return made


def _of_measures(row: Counts) -> Counts:
    """The sums of each measure's bins."""
    return np.asarray(np.add.reduceat(row, _STARTS))


def _steadied(number: float) -> float:
    """A count such that chance makes it lie off by 1, however large it is (Anscombe, 1948)."""
    return 2 * math.sqrt(number + 0.375)


def _unsteadied(value: float) -> float:
    return max((value / 2) ** 2 - 0.375, 0.0)


def _block_of(local_s: float) -> int:
    return int(local_s // HOUR_S + EPOCH_HOUR) % WEEK_H // BLOCK_H
