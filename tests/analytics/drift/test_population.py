from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pytest

from analytics.drift.causes import PeopleCause
from analytics.drift.people import (
    ACROSS,
    CROWDS,
    DOUBT,
    DOWN,
    HEIGHT,
    LENGTH,
    MEASURES,
    SCORE,
    PeopleCounts,
    columns_of,
)
from analytics.drift.population import ENOUGH, SLICE_S, Population, distance

MONDAY_S = 4 * 86400.0
SLICES_A_DAY = round(86400 / SLICE_S)


@dataclass(frozen=True)
class Hall:
    """People as a detector sees them.

    Attributes:
        score: mean, where somebody is alone; everybody more takes some of it.
        height: share of the picture.
        across: of the feet.
        doubt: share of detections that belong to nobody.
        busy: people an hour, by day.
        broken: how often a track breaks, on average.
    """

    score: float = 0.76
    height: float = 0.3
    across: float = 0.45
    doubt: float = 0.1
    busy: float = 90.0
    broken: float = 0.0

    def slice(self, local_s: float, rng: np.random.Generator) -> PeopleCounts:
        """Ten minutes."""
        hour, day = local_s % 86400 / 3600, (local_s - MONDAY_S) // 86400 % 7
        opened = 9 <= hour < 20 and day < 6
        rate = self.busy * (1.2 - 0.3 * math.cos((hour - 9) / 11 * 2 * math.pi)) if opened else 1.0
        people = int(rng.poisson(rate * SLICE_S / 3600))
        found = PeopleCounts(people=people, covered_s=SLICE_S)
        around = np.maximum(1.0, rng.normal(rate / 40, 1.0, people))
        length = rng.normal(2.2, 0.6, people) / math.log(2)
        broken = rng.random(people) < self.broken  # in two, with a quarter of the time each
        around, length = np.append(around, around[broken]), np.append(length - 2 * broken, length[broken] - 2)
        samples = (
            (SCORE, rng.normal(self.score - 0.012 * around, 0.06)),
            (HEIGHT, math.log2(self.height) + rng.normal(0, 0.5, len(around))),
            (ACROSS, rng.normal(self.across, 0.15, len(around))),
            (DOWN, rng.normal(0.6, 0.12, len(around))),
            (LENGTH, length),
            (DOUBT, rng.random(len(around)) < self.doubt),
        )
        crowds = np.searchsorted(CROWDS, around)
        for measure, values in samples:
            bins = np.searchsorted(measure.edges, values, side="right")
            np.add.at(found.counts[:, columns_of(measure)], (crowds, bins), 60 if measure is DOUBT else 1)
        return found


class Course:
    """Weeks before one camera."""

    def __init__(self, seed: int, population: Population | None = None) -> None:
        self.rng = np.random.default_rng(seed)
        self.population = population or Population()
        self.slice = 0
        self.told: list[PeopleCause] = []

    def run(self, days: float, hall: Hall, *, trusted: bool = True) -> int | None:
        """Returns after how many slices something was told first."""
        first, begun = None, self.slice
        self.told = []
        for _ in range(round(days * SLICES_A_DAY)):
            local_s = MONDAY_S + self.slice * SLICE_S
            self.population.add(hall.slice(local_s, self.rng), local_s, trusted=trusted)
            self.slice += 1
            self.told += [one.cause for one in self.population.symptoms]
            if first is None and self.told:
                first = self.slice - begun
        return first


USUAL = Hall()
NIGHT = 9.5 / 24


def learnt(seed: int, weeks: float = 2.0) -> Course:
    course = Course(seed)
    course.run(weeks * 7 + NIGHT, USUAL)
    return course


@pytest.fixture(scope="module")
def known() -> Course:
    return learnt(1)


def again(known: Course, seed: int = 5) -> Course:
    course = Course(seed, Population.of(json.loads(json.dumps(known.population.snapshot()))))
    course.slice = known.slice
    return course


def test_weeks_as_usual_are_no_change(known: Course) -> None:
    course = again(known)
    assert course.run(14, USUAL) is None


@pytest.mark.parametrize(
    "worse",
    [
        lambda hall: replace(hall, score=hall.score - 0.08),
        lambda hall: replace(hall, score=hall.score + 0.1),
        lambda hall: replace(hall, doubt=0.4, broken=0.7),
    ],
    ids=["less sure", "surer", "doubtful and broken"],
)
def test_a_worse_model_is_called_one_within_hours(known: Course, worse: Callable[[Hall], Hall]) -> None:
    course = again(known)
    first = course.run(0.4, worse(USUAL))
    assert first is not None
    assert first <= 4 * 3600 / SLICE_S
    assert course.told[-1] is PeopleCause.MODEL


@pytest.mark.parametrize("times", [2.0, 3.0, 0.3])
def test_more_or_fewer_people_are_traffic_and_no_model(known: Course, times: float) -> None:
    course = again(known)
    assert course.run(0.4, replace(USUAL, busy=USUAL.busy * times)) is not None
    assert set(course.told) == {PeopleCause.TRAFFIC}


def test_people_who_walk_elsewhere_are_traffic_and_no_model(known: Course) -> None:
    course = again(known)
    assert course.run(0.4, replace(USUAL, across=0.7)) is not None
    assert set(course.told) == {PeopleCause.TRAFFIC}


def test_nobody_is_judged_by_pictures_that_are_wrong(known: Course) -> None:
    course = again(known)
    assert course.run(0.4, replace(USUAL, score=0.6, busy=300), trusted=False) is None
    before = known.population.snapshot()
    assert {**course.population.snapshot(), "traffic": None} == {**before, "traffic": None}


@pytest.mark.slow
def test_a_worse_model_does_not_become_usual(known: Course) -> None:
    course = again(known)
    course.run(14, replace(USUAL, score=0.64))
    assert PeopleCause.MODEL in course.told[-5:]


@pytest.mark.slow
def test_what_settles_stays_and_what_creeps_is_seen() -> None:
    course = learnt(3, weeks=5)
    first = None
    for week in range(10):
        first = course.run(1, replace(USUAL, score=USUAL.score - 0.012 * week))
        course.slice += 6 * SLICES_A_DAY
        if first is not None:
            break
    assert first is not None
    assert PeopleCause.MODEL in course.told


def test_few_people_are_not_enough_to_judge_a_model(known: Course) -> None:
    course = again(known)
    course.run(0.05, replace(USUAL, score=0.5, busy=ENOUGH / 3))
    assert PeopleCause.MODEL not in course.told


def test_nothing_is_judged_before_anything_is_known() -> None:
    course = Course(4)
    assert course.run(6.9, USUAL) is None
    assert course.population.distances == {}


def test_an_hour_that_was_hardly_seen_is_no_traffic(known: Course) -> None:
    course = again(known)
    for _ in range(40):
        local_s = MONDAY_S + course.slice * SLICE_S
        course.population.add(PeopleCounts(people=0, covered_s=60.0), local_s)
        course.slice += 1
        assert course.population.symptoms == ()


@pytest.mark.parametrize("measure", MEASURES, ids=lambda measure: measure.name)
def test_the_same_histogram_is_at_no_distance(measure: object) -> None:
    counts = np.arange(1.0, measure.bins + 1)  # type: ignore[attr-defined]
    found = distance(measure, counts, 7 * counts, (100, 700))  # type: ignore[arg-type]
    assert found.index < 0.05
    assert found.away < 0.2


def test_a_distance_is_symmetric_and_in_the_unit_of_its_measure() -> None:
    one, other = np.zeros(SCORE.bins), np.zeros(SCORE.bins)
    one[4], other[9] = 500, 500
    there, back = distance(SCORE, one, other, (500, 500)), distance(SCORE, other, one, (500, 500))
    assert there.index == pytest.approx(back.index)
    assert there.away == pytest.approx(5 * 0.04, rel=0.05)
    assert there.is_far(SCORE)


def test_few_samples_are_given_the_benefit_of_chance() -> None:
    rng = np.random.default_rng(6)
    usual = rng.multinomial(5000, [1 / SCORE.bins] * SCORE.bins).astype(float)
    for _ in range(200):
        now = rng.multinomial(ENOUGH, [1 / SCORE.bins] * SCORE.bins).astype(float)
        assert not distance(SCORE, now, usual, (ENOUGH, 5000)).is_far(SCORE)


def test_a_snapshot_is_json_and_small(known: Course) -> None:
    text = json.dumps(known.population.snapshot())
    assert len(text) < 30_000
    assert Population.of(json.loads(text)).snapshot() == json.loads(text)


@pytest.mark.parametrize("change", [{"format": 0}, {"usual": "AAAA"}, {"usual": "!"}, {"weeks": [1]}, {"traffic": {}}])
def test_what_is_no_reference_is_refused(known: Course, change: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"."):
        Population.of({**known.population.snapshot(), **change})
