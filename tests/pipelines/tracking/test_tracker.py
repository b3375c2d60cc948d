"""What every `Tracker` keeps, and what `ByteTracker` promises on top."""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Callable, Mapping

import numpy as np
import pytest

from pipelines.tracking.base import Tracker
from pipelines.tracking.bytetrack import ByteTracker, ByteTrackSettings
from pipelines.types import Detections, Tracks

TRACKERS: dict[str, Callable[[], Tracker]] = {"bytetrack": ByteTracker}
WIDTH, HEIGHT = 40.0, 100.0


@pytest.fixture(params=TRACKERS)
def make_tracker(request: pytest.FixtureRequest) -> Callable[[], Tracker]:
    return TRACKERS[request.param]


@pytest.fixture
def tracker(make_tracker: Callable[[], Tracker]) -> Tracker:
    return make_tracker()


def found(*people: tuple[float, float] | tuple[float, float, float]) -> Detections:
    """Detections of people with their feet at x, y; the third number is the score."""
    rows = [(*person, 0.9)[:3] for person in people]
    boxes = [[x - WIDTH / 2, y - HEIGHT, x + WIDTH / 2, y] for x, y, _ in rows]
    return Detections(
        np.array(boxes, np.float32).reshape(-1, 4),
        np.array([score for *_, score in rows], np.float32),
        np.zeros(len(rows), np.int32),
    )


def street(frame: int, people: int = 12) -> Detections:
    """A busy street: people come and go, tremble, hide, and leave ghosts behind."""
    rng = np.random.default_rng(frame)
    places: list[tuple[float, float, float]] = []
    for person in range(people):
        phase = (frame + 17 * person) % 150
        if phase > 130 or rng.random() < 0.1:
            continue
        score = 0.35 if phase % 40 > 34 else 0.9
        x, y = 10 + phase * (4 + person % 3), 150 + 45 * person
        places.append((x + rng.normal(0, 1.5), y + rng.normal(0, 1.5), score))
    if rng.random() < 0.2:
        places.append((rng.uniform(0, 800), rng.uniform(100, 700), rng.uniform(0.1, 0.8)))
    return found(*places)


def by_id(tracks: Tracks) -> Mapping[int, list[float]]:
    return dict(zip(tracks.ids.tolist(), tracks.boxes.tolist(), strict=True))


# -- the contract


def test_nobody_found_is_no_tracks(tracker: Tracker) -> None:
    for frame in range(5):
        assert len(tracker.update(Detections.empty(), frame * 0.1)) == 0


def test_a_person_keeps_one_id(tracker: Tracker) -> None:
    ids = {tuple(tracker.update(found((100 + 5 * f, 300)), f * 0.1).ids.tolist()) for f in range(60)}
    assert ids == {(1,)}


def test_only_observed_boxes_are_handed_out(tracker: Tracker) -> None:
    for frame in range(300):
        detections = street(frame)
        tracks = tracker.update(detections, frame * 0.1)
        given = set(zip(map(tuple, detections.boxes.tolist()), detections.scores.tolist(), strict=True))
        taken = list(zip(map(tuple, tracks.boxes.tolist()), tracks.scores.tolist(), strict=True))
        assert set(taken) <= given
        assert len(set(taken)) == len(taken)


def test_ids_are_positive_unique_in_a_frame_and_never_used_again(tracker: Tracker) -> None:
    gone: set[int] = set()
    for frame in range(600):
        tracks = tracker.update(street(frame), frame * 0.1, discontinuity=frame % 97 == 0)
        ids = tracks.ids.tolist()
        assert min(ids, default=1) > 0
        assert len(set(ids)) == len(ids)
        assert not gone & set(ids)
        assert not gone & set(tracks.gone.tolist())
        gone |= set(tracks.gone.tolist())
    assert len(gone) > 30


def test_whoever_was_ever_handed_out_is_reported_gone_exactly_once_in_the_end(tracker: Tracker) -> None:
    seen: set[int] = set()
    gone: list[int] = []
    for frame in range(300):
        tracks = tracker.update(street(frame) if frame < 200 else Detections.empty(), frame * 0.1)
        seen |= set(tracks.ids.tolist())
        gone += tracks.gone.tolist()
    assert sorted(gone) == sorted(seen)


def test_two_trackers_share_nothing(make_tracker: Callable[[], Tracker]) -> None:
    first, second = make_tracker(), make_tracker()
    for frame in range(5):
        one = first.update(found((100, 300), (300, 300)), frame * 0.1)
        other = second.update(found((500, 300)), frame * 0.1)
    assert one.ids.tolist() == [1, 2]
    assert other.ids.tolist() == [1]


@pytest.mark.parametrize("cut", [0, 1, 2, 57, 150])
def test_a_restored_tracker_goes_on_bit_for_bit(make_tracker: Callable[[], Tracker], cut: int) -> None:
    whole, first, second = make_tracker(), make_tracker(), make_tracker()
    for frame in range(cut):
        whole.update(street(frame), frame * 0.13)
        first.update(street(frame), frame * 0.13)
    second.restore(json.loads(json.dumps(first.snapshot())))
    for frame in range(cut, cut + 100):
        expected, tracks = (t.update(street(frame), frame * 0.13) for t in (whole, second))
        for name in ("ids", "boxes", "scores", "gone"):
            ours, theirs = getattr(tracks, name), getattr(expected, name)
            assert ours.dtype == theirs.dtype
            assert np.array_equal(ours, theirs), (frame, name)
    assert second.snapshot() == whole.snapshot()


def test_a_snapshot_is_not_changed_by_what_comes_after(tracker: Tracker) -> None:
    for frame in range(10):
        tracker.update(street(frame), frame * 0.1)
    state = tracker.snapshot()
    before = json.dumps(state)
    for frame in range(10, 20):
        tracker.update(street(frame), frame * 0.1)
    assert json.dumps(state) == before


@pytest.mark.parametrize("state", [{}, {"format": "bytetrack-0"}, {"format": None}])
def test_a_foreign_state_is_refused(tracker: Tracker, state: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="format"):
        tracker.restore(state)


def test_a_short_gap_keeps_ids_and_a_long_one_does_not(tracker: Tracker) -> None:
    for frame in range(10):
        tracker.update(found((100, 300)), frame * 0.1)
    assert tracker.update(found((102, 300)), 1.9, discontinuity=True).ids.tolist() == [1]
    after = tracker.update(found((102, 300)), 60.0, discontinuity=True)
    assert after.gone.tolist() == [1]
    assert 1 not in after.ids
    assert tracker.update(found((102, 300)), 60.1).ids.tolist() == [2]


def test_memory_does_not_grow_with_time(tracker: Tracker) -> None:
    sizes = []
    for frame in range(1500):
        tracker.update(street(frame), frame * 0.1)
        if frame % 300 == 299:
            sizes.append(len(json.dumps(tracker.snapshot())))
    assert max(sizes) < 2 * min(sizes)


def test_two_people_who_cross_keep_their_ids(tracker: Tracker) -> None:
    for frame in range(61):
        left, right = (100 + 10 * frame, 300.0), (700 - 10 * frame, 320.0)
        tracks = by_id(tracker.update(found(left, right), frame * 0.1))
    assert set(tracks) == {1, 2}
    assert tracks[1][0] > 600
    assert tracks[2][0] < 200


def test_an_occlusion_with_a_doubtful_detection_keeps_the_id(tracker: Tracker) -> None:
    ids = []
    for frame in range(40):
        score = 0.35 if 15 <= frame < 25 else 0.9
        ids += tracker.update(found((100 + 6 * frame, 300, score)), frame * 0.1).ids.tolist()
    assert ids == [1] * 40


def test_somebody_hidden_for_a_second_comes_back_with_the_same_id(tracker: Tracker) -> None:
    for frame in range(50):
        hidden = 20 <= frame < 30
        tracks = tracker.update(Detections.empty() if hidden else found((100 + 5 * frame, 300)), frame * 0.1)
        assert tracks.ids.tolist() == ([] if hidden else [1])


def test_a_frame_rate_that_changes_all_the_time_breaks_no_track(tracker: Tracker) -> None:
    rng = np.random.default_rng(11)
    time_s, ids = 0.0, set()
    for _ in range(200):
        time_s += float(rng.choice([0.04, 0.1, 0.2, 0.35]))
        tracks = tracker.update(found((50 + 40 * time_s, 300), (900 - 40 * time_s, 600)), time_s)
        ids |= set(tracks.ids.tolist())
    assert ids == {1, 2}


def test_two_frames_of_the_same_moment_do_no_harm(tracker: Tracker) -> None:
    for time_s in (0.0, 0.0, 0.1, 0.1, 0.1, 0.2):
        assert tracker.update(found((100, 300)), time_s).ids.tolist() == [1]


# -- ByteTracker


def test_a_newcomer_is_confirmed_by_a_second_look_and_a_ghost_never() -> None:
    tracker = ByteTracker()
    tracker.update(Detections.empty(), 0.0)
    assert tracker.update(found((100, 300)), 0.1).ids.tolist() == []
    assert tracker.update(found((103, 300)), 0.2).ids.tolist() == [1]
    for frame in range(3, 30):
        ghost = (900.0 - 200 * (frame % 4), 600.0) if frame % 2 else (400.0, 900.0 - 10 * frame)
        assert tracker.update(found((100 + 3 * frame, 300), ghost), frame * 0.1).ids.tolist() == [1]


def test_doubtful_detections_alone_found_no_track() -> None:
    tracker = ByteTracker()
    for frame in range(20):
        assert len(tracker.update(found((100, 300, 0.45)), frame * 0.1)) == 0


def test_whoever_stands_there_when_the_stream_begins_is_taken_at_once() -> None:
    assert ByteTracker().update(found((100, 300), (300, 300)), 0.0).ids.tolist() == [1, 2]


def test_a_lost_track_is_not_continued_by_a_doubtful_detection() -> None:
    tracker = ByteTracker()
    for frame in range(10):
        tracker.update(found((100, 300)), frame * 0.1)
    tracker.update(Detections.empty(), 1.0)
    assert len(tracker.update(found((100, 300, 0.4)), 1.1)) == 0
    assert tracker.update(found((100, 300, 0.9)), 1.2).ids.tolist() == [1]


def test_no_more_tracks_are_kept_than_allowed_and_the_longest_unseen_go_first() -> None:
    tracker = ByteTracker(ByteTrackSettings(max_tracks=10))
    tracker.update(found(*((100.0 * n, 300.0) for n in range(8))), 0.0)
    tracks = tracker.update(found(*((100.0 * n, 900.0) for n in range(5))), 0.1)
    assert len(tracker) == 10
    assert tracks.gone.tolist() == [1, 2, 3]
    everybody = tracker.update(found(*((100.0 * n, 1500.0) for n in range(50))), 0.2)
    assert len(tracker) == 10
    assert len(everybody) <= 10


def test_many_people_cost_array_operations_not_loops() -> None:
    tracker = ByteTracker()
    crowd = [(60.0 * x, 150.0 * y) for x, y in itertools.product(range(20), range(1, 11))]
    tracker.update(found(*crowd), 0.0)
    durations = []
    for frame in range(1, 21):
        detections = found(*((x + frame, y) for x, y in crowd))
        begun = time.perf_counter()
        tracks = tracker.update(detections, frame * 0.1)
        durations.append(time.perf_counter() - begun)
    assert tracks.ids.tolist() == list(range(1, 201))
    assert sorted(durations)[len(durations) // 2] < 0.05
