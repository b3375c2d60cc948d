from __future__ import annotations

import numpy as np
import pytest

from analytics.drift.people import (
    ACROSS,
    BINS,
    DOUBT,
    DOWN,
    HEIGHT,
    LENGTH,
    MEASURES,
    MOST_OPEN,
    SCORE,
    Measure,
    PeopleCounts,
    PeopleFrame,
    PeopleSampler,
    columns_of,
)
from pipelines.types import Detections, Tracks


def frame(
    time_s: float,
    ids: list[int],
    *,
    score: float = 0.8,
    height: float = 0.25,
    feet: tuple[float, float] = (0.3, 0.6),
    gone: list[int] | None = None,
    more: int = 0,
    dt_s: float = 0.5,
) -> PeopleFrame:
    number = len(ids)
    return PeopleFrame(
        ids,
        np.full(number, score),
        np.full(number, height),
        np.tile(np.array(feet), (number, 1)),
        gone or [],
        number + more,
        time_s,
        dt_s,
    )


def counted(frames: list[PeopleFrame]) -> PeopleCounts:
    sampler = PeopleSampler()
    for one in frames:
        sampler.update(one)
    return sampler.take()


def bins(counts: PeopleCounts, measure: Measure) -> list[float]:
    return [float(value) for value in counts.counts.sum(axis=0)[columns_of(measure)]]


def test_measures_stand_side_by_side_and_fill_the_row() -> None:
    places = [columns_of(measure) for measure in MEASURES]
    assert [place.start for place in places[1:]] == [place.stop for place in places[:-1]]
    assert places[0].start == 0
    assert places[-1].stop == BINS


@pytest.mark.parametrize("measure", MEASURES, ids=lambda measure: measure.name)
def test_the_centre_of_a_bin_lies_in_it(measure: Measure) -> None:
    assert [measure.bin_of(centre) for centre in measure.centres] == list(range(measure.bins))


def test_a_frame_is_made_of_what_tracker_and_detector_say() -> None:
    boxes = np.array([[100, 50, 140, 250], [0, 0, 20, 40]], np.float32)
    tracks = Tracks(np.array([7, 9]), boxes, np.array([0.9, 0.6], np.float32), np.array([3]))
    scores = np.array([0.9, 0.6, 0.31, 0.2], np.float32)
    detections = Detections(np.zeros((4, 4), np.float32), scores, np.zeros(4, np.int32))
    made = PeopleFrame.of(tracks, detections, (500, 400), 12.5, 0.25)
    assert list(made.ids) == [7, 9]
    assert list(made.gone) == [3]
    assert made.scores == pytest.approx([0.9, 0.6])
    assert made.heights == pytest.approx([0.4, 0.08])
    assert made.feet[0] == pytest.approx([0.3, 0.5])
    assert made.detections == 3
    assert (made.time_s, made.dt_s) == (12.5, 0.25)


def test_somebody_is_one_sample_however_long_they_stay() -> None:
    found = counted([*(frame(t / 2, [1]) for t in range(200)), frame(100, [], gone=[1])])
    assert found.people == 1
    assert sum(bins(found, SCORE)) == sum(bins(found, LENGTH)) == 1
    assert bins(found, SCORE)[SCORE.bin_of(0.8)] == 1
    assert bins(found, HEIGHT)[HEIGHT.bin_of(-2.0)] == 1
    assert bins(found, ACROSS)[ACROSS.bin_of(0.3)] == 1
    assert bins(found, DOWN)[DOWN.bin_of(0.6)] == 1
    assert bins(found, LENGTH)[LENGTH.bin_of(np.log2(99.5))] == 1


def test_who_is_still_there_is_no_sample_yet_and_one_later() -> None:
    sampler = PeopleSampler()
    sampler.update(frame(0, [1]))
    assert sampler.take().people == 0
    sampler.update(frame(1, [], gone=[1]))
    assert sampler.take().people == 1


def test_a_sample_is_the_mean_of_what_was_seen() -> None:
    found = counted([frame(0, [1], score=0.5), frame(1, [1], score=0.9), frame(2, [], gone=[1])])
    assert bins(found, SCORE)[SCORE.bin_of(0.7)] == 1


def test_samples_are_kept_apart_by_the_crowd() -> None:
    alone = counted([frame(0, [1]), frame(1, [], gone=[1])])
    crowded = counted([frame(0, [1, 2, 3, 4, 5]), frame(1, [], gone=[1, 2, 3, 4, 5])])
    score = columns_of(SCORE)
    assert [float(row[score].sum()) for row in alone.counts] == [1, 0, 0, 0]
    assert [float(row[score].sum()) for row in crowded.counts] == [0, 0, 5, 0]


def test_detections_that_belong_to_nobody_are_doubtful() -> None:
    found = counted([frame(0, [1, 2], more=1), frame(1, [1], more=3)])
    assert bins(found, DOUBT) == [3, 4]


def test_only_time_that_was_seen_is_covered() -> None:
    assert counted([frame(0, [], dt_s=0.5), frame(1, [], dt_s=0.0), frame(2, [], dt_s=0.25)]).covered_s == 0.75


def test_taking_begins_anew_and_adding_is_exact() -> None:
    sampler = PeopleSampler()
    total = PeopleCounts()
    for turn in range(3):
        sampler.update(frame(turn, [turn]))
        sampler.update(frame(turn + 0.5, [], gone=[turn]))
        total.add(sampler.take())
    assert total.people == 3
    assert total.covered_s == 3.0
    assert sampler.take().people == 0


def test_a_tracker_that_begins_anew_takes_nobody_along() -> None:
    sampler = PeopleSampler()
    sampler.update(frame(0, [1]))
    sampler.forget()
    sampler.update(frame(100, [], gone=[1]))
    assert sampler.take().people == 0


def test_memory_is_bounded_by_who_is_there() -> None:
    sampler = PeopleSampler()
    sampler.update(frame(0, list(range(3 * MOST_OPEN))))
    sampler.update(frame(1, [], gone=list(range(3 * MOST_OPEN))))
    assert sampler.take().people == MOST_OPEN


def test_a_track_that_was_never_seen_may_go() -> None:
    assert counted([frame(0, [], gone=[7])]).people == 0
