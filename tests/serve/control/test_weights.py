"""What a camera weighs, by what its reader reports."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pipelines.sources.supervisor import StreamState
from serve.control.weights import WINDOW_S, Weight, WeightMeter, first_guess
from serve.streams.status import StreamStatus

MIN_FPS = 1.0
BEGIN = StreamStatus(StreamState.RUNNING, 0.0, frame_age_s=0.2)


def later(
    status: StreamStatus,
    seconds: float,
    *,
    fps: float = 10.0,
    decode_s: float = 0.01,
    frame_s: float = 0.02,
    skipped: int = 0,
    reconnects: int = 0,
) -> StreamStatus:
    """So many seconds of a camera whose frames cost ``decode_s`` to decode, and ``frame_s`` to analyse."""
    frames = round(fps * seconds)
    return replace(
        status,
        frames=status.frames + frames,
        analysed=status.analysed + frames - skipped,
        skipped=status.skipped + skipped,
        source_cpu_s=status.source_cpu_s + frames * decode_s,
        analysis_cpu_s=status.analysis_cpu_s + (frames - skipped) * frame_s,
        reconnects=status.reconnects + reconnects,
    )


def measured(*statuses: StreamStatus, known: Weight | None = None) -> WeightMeter:
    """Told of these, a window apart."""
    meter = WeightMeter(MIN_FPS, known)
    for number, status in enumerate(statuses):
        meter.hear(1, status, 100.0 + number * WINDOW_S)
    return meter


def test_a_camera_weighs_the_cpu_seconds_a_second_that_it_costs() -> None:
    meter = measured(BEGIN, later(BEGIN, WINDOW_S))
    assert meter.weight == Weight(pytest.approx(10 * 0.03), pytest.approx(10 * 0.01 + 1 * 0.02))


def test_a_camera_slower_than_the_least_rate_cannot_do_with_less_than_it_has() -> None:
    weight = measured(BEGIN, later(BEGIN, WINDOW_S, fps=0.5)).weight
    assert weight is not None
    assert weight.wanted == weight.least == pytest.approx(0.5 * 0.03)


def test_what_was_skipped_for_want_of_time_is_wanted_all_the_same() -> None:
    idle = measured(BEGIN, later(BEGIN, WINDOW_S)).weight
    busy = measured(BEGIN, later(BEGIN, WINDOW_S, skipped=80)).weight
    assert idle is not None
    assert busy is not None
    assert busy.wanted == pytest.approx(idle.wanted)


def test_frames_for_which_there_is_no_time_are_told_until_there_are_next_to_none() -> None:
    meter, status, shares = WeightMeter(MIN_FPS), BEGIN, []
    for number, skipped in enumerate((0, 8, 40, 8, 4, 8)):
        status = later(status, WINDOW_S, skipped=skipped) if number else status
        meter.hear(1, status, 100.0 + number * WINDOW_S)
        shares.append(meter.overload)
    told = [f"there is no time for {share}% of its frames" for share in (40, 8, 90)]
    assert shares == [None, None, told[0], told[1], None, None]
    meter.hear(1, later(status, WINDOW_S, skipped=90), 200.0 + WINDOW_S)
    assert meter.overload == told[2]
    meter.hear(2, BEGIN, 201.0 + WINDOW_S)  # a new epoch
    assert meter.overload is None


def test_a_topic_that_catches_up_weighs_what_it_costs_in_the_long_run() -> None:
    behind = replace(BEGIN, frame_age_s=600.0)
    # Ten times as fast as it was taken: ten seconds bring it forward by a hundred.
    caught_up = replace(later(behind, WINDOW_S, fps=100.0), frame_age_s=510.0)
    weight = measured(behind, caught_up).weight
    assert weight is not None
    assert weight.wanted == pytest.approx(10 * 0.03)


def falling_behind(status: StreamStatus, *, waits: float = 0.9, older_s: float = 5.0) -> StreamStatus:
    """Half of what a window of a topic brings is analysed, while the rest waits."""
    age_s = (status.frame_age_s or 0.0) + older_s
    done = later(status, WINDOW_S, fps=5.0)
    return replace(done, frame_age_s=age_s, waited_s=status.waited_s + waits * WINDOW_S)


def test_a_topic_that_falls_behind_weighs_what_it_would_take() -> None:
    weight = measured(BEGIN, falling_behind(BEGIN)).weight
    assert weight is not None
    assert weight.wanted == pytest.approx(10 * 0.03)


def test_a_camera_whose_detector_was_away_weighs_what_it_did() -> None:
    stalled = replace(later(BEGIN, WINDOW_S, skipped=80), frame_age_s=8.2)
    weight = measured(BEGIN, stalled).weight
    assert weight is not None
    assert weight.wanted == pytest.approx(10 * 0.03)


def test_a_clock_that_is_set_is_not_taken_for_falling_behind() -> None:
    weight = measured(BEGIN, falling_behind(BEGIN, older_s=3600.0)).weight
    assert weight is not None
    assert weight.wanted == pytest.approx(5 * 0.03)


def test_a_topic_that_does_next_to_nothing_does_not_weigh_more_than_a_few_times_what_it_does() -> None:
    weight = measured(BEGIN, falling_behind(BEGIN, older_s=9.9)).weight
    assert weight is not None
    assert weight.wanted == pytest.approx(25 * 0.03)


def test_a_topic_that_falls_behind_for_a_while_says_so_until_it_does_not() -> None:
    meter, status, told = WeightMeter(MIN_FPS), BEGIN, []
    for number in range(6):
        meter.hear(1, status, 100.0 + number * WINDOW_S)
        told.append(meter.overload is not None)
        status = falling_behind(status)
    assert told == [False, False, False, True, True, True]
    meter.hear(1, replace(later(status, WINDOW_S), frame_age_s=2.0), 100.0 + 6 * WINDOW_S)
    assert meter.overload is None


@pytest.mark.parametrize(("waits", "older_s"), [(0.1, 5.0), (0.9, -5.0), (0.9, 3600.0)])
def test_who_gets_frames_late_or_catches_up_does_not_fall_behind(waits: float, older_s: float) -> None:
    meter, status = WeightMeter(MIN_FPS), replace(BEGIN, frame_age_s=100.0)
    for number in range(6):
        meter.hear(1, status, 100.0 + number * WINDOW_S)
        status = falling_behind(status, waits=waits, older_s=older_s)
    assert meter.overload is None


@pytest.mark.parametrize(
    ("change", "epoch"),
    [
        ({"reconnects": 1}, 1),
        ({"fps": 0.0}, 1),
        ({}, 2),
    ],
    ids=["it reconnected", "no frame came", "another epoch"],
)
def test_a_window_that_tells_nothing_is_left_out(change: dict[str, float], epoch: int) -> None:
    meter = WeightMeter(MIN_FPS)
    meter.hear(1, BEGIN, 100.0)
    after = later(BEGIN, WINDOW_S, **change)  # type: ignore[arg-type]
    assert not meter.hear(epoch, after, 100.0 + WINDOW_S)
    assert meter.weight is None
    assert meter.hear(epoch, later(after, WINDOW_S), 100.0 + 2 * WINDOW_S)


def test_a_worker_that_began_anew_in_the_same_epoch_is_measured_anew() -> None:
    meter = measured(BEGIN, later(BEGIN, WINDOW_S))
    assert not meter.hear(1, BEGIN, 200.0)
    assert meter.weight == measured(BEGIN, later(BEGIN, WINDOW_S)).weight


def test_one_window_counts_for_little_once_there_are_several() -> None:
    first = later(BEGIN, WINDOW_S)
    second = later(first, WINDOW_S, frame_s=0.04)
    weight = measured(BEGIN, first, second).weight
    assert weight is not None
    assert 0.3 < weight.wanted < 0.4  # between what it was, .3, and what it would be from now on, .5


def test_small_changes_are_not_told_but_add_up() -> None:
    status, meter = BEGIN, WeightMeter(MIN_FPS)
    told = []
    for number in range(40):
        told.append(meter.hear(1, status, number * WINDOW_S))
        status = later(status, WINDOW_S, frame_s=0.02 if number < 2 else 0.03)  # by a quarter of all, for good
    assert told[1]
    assert sum(told) == 2
    assert meter.weight is not None
    assert meter.weight.wanted > 0.36


def test_what_was_known_before_is_planned_with_until_it_is_measured() -> None:
    known = Weight(0.5, 0.1)
    assert measured(known=known).weight == known
    statuses = [BEGIN]
    for _ in range(20):
        statuses.append(later(statuses[-1], WINDOW_S))
    assert measured(*statuses[:2], known=known).weight == known
    weight = measured(*statuses, known=known).weight
    assert weight is not None
    assert weight.wanted == pytest.approx(0.3, rel=0.25)


def test_a_first_guess_grows_with_size_rate_and_frames_to_analyse() -> None:
    unknown = first_guess(None, None, MIN_FPS)
    assert 0.01 < unknown.least < unknown.wanted < 1.0
    small = replace(BEGIN, width=640, height=360, fps_in=12.0, codec="h264")
    large = replace(small, width=3840, height=2160)
    assert first_guess(small, None, MIN_FPS).wanted < first_guess(large, None, MIN_FPS).wanted
    assert first_guess(small, 2.0, MIN_FPS).wanted < first_guess(small, None, MIN_FPS).wanted
    assert first_guess(small, None, MIN_FPS).wanted < first_guess(replace(small, fps_in=30.0), None, MIN_FPS).wanted
    assert first_guess(replace(small, codec="av1"), None, MIN_FPS) == first_guess(small, None, MIN_FPS)
    slow = first_guess(small, 0.5, MIN_FPS)
    assert slow.wanted == slow.least
