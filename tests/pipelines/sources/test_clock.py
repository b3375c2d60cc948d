from __future__ import annotations

import itertools
import json

import numpy as np
import pytest

from pipelines.sources.clock import CaptureClock, FrameSampler, StreamClock, Timeline

NOW = 1_800_000_000.0


def arrivals(stream_s: np.ndarray, delay_s: float = 0.05, jitter_s: float = 0.0, seed: int = 0) -> np.ndarray:
    """When frames of a stream that began at NOW arrive; in order, as over TCP."""
    jitter = np.random.default_rng(seed).exponential(jitter_s, len(stream_s)) if jitter_s else 0.0
    return np.maximum.accumulate(NOW + stream_s + delay_s + jitter)


# -- the camera's clock


def test_the_cameras_own_clock_tells_the_moment_of_capture() -> None:
    clock = CaptureClock()
    for stream_s, arrival_s in zip(t := np.arange(0, 10, 0.04), arrivals(t, 0.3, 0.1), strict=True):
        assert clock.stamp(float(stream_s), float(arrival_s), NOW) == pytest.approx(NOW + stream_s)


@pytest.mark.parametrize("sender_start_s", [0.0, NOW - 3600, NOW + 86_400])
def test_a_clock_that_nobody_ever_set_is_not_believed(sender_start_s: float) -> None:
    clock = CaptureClock()
    for stream_s in np.arange(0, 5, 0.1):
        assert clock.stamp(float(stream_s), NOW + stream_s + 0.1, sender_start_s) == pytest.approx(NOW + stream_s + 0.1)


def test_a_clock_right_at_the_limit_is_not_believed_in_one_frame_and_not_in_the_next() -> None:
    clock, rng = CaptureClock(), np.random.default_rng(1)
    t = np.arange(0, 20, 0.1)
    stamps = [clock.stamp(float(s), NOW + s + float(rng.uniform(0, 0.1)), NOW - 9.95) for s in t]
    assert (np.abs(np.diff(stamps)) > 1).sum() <= 1


def test_a_clock_that_drifts_far_away_is_given_up() -> None:
    clock = CaptureClock()
    assert clock.stamp(0.0, NOW, NOW) == NOW
    assert clock.stamp(1.0, NOW + 1, NOW - 14) == NOW - 13
    assert clock.stamp(2.0, NOW + 2, NOW - 20) == NOW + 2


def test_frames_without_a_timestamp_count_from_their_arrival() -> None:
    assert CaptureClock().stamp(None, NOW + 3, NOW) == NOW + 3


def test_a_sender_report_that_comes_late_makes_no_jump_beyond_the_delay() -> None:
    clock, stream = CaptureClock(), StreamClock()
    stamps = []
    for number, stream_s in enumerate(np.arange(0, 10, 0.1)):
        raw_s = clock.stamp(float(stream_s), NOW + stream_s + 0.4, NOW if number >= 50 else None)
        stamps.append(stream.stamp(raw_s))
    times = np.array([time_s for time_s, _ in stamps])
    assert not any(gap for _, gap in stamps)
    assert (np.diff(times) >= 0).all()
    assert times[-1] == pytest.approx(NOW + 9.9)
    assert times[40] == pytest.approx(NOW + 4.0 + 0.4)


def test_jitter_of_the_network_does_not_reach_the_times() -> None:
    t = np.arange(0, 120, 1 / 15)
    clock = CaptureClock()
    stamps = [clock.stamp(float(s), float(a)) for s, a in zip(t, arrivals(t, 0.05, 0.08), strict=True)]
    intervals = np.diff(stamps[150:])  # the least delay shows after a while
    assert intervals == pytest.approx(1 / 15, abs=0.02)
    assert np.ptp(arrivals(t, 0.05, 0.08)[150:] - t[150:]) > 0.3


@pytest.mark.parametrize("drift", [100e-6, -100e-6])
def test_a_drifting_crystal_is_followed(drift: float) -> None:
    t = np.arange(0, 3600, 0.1)
    clock = CaptureClock()
    stamps = np.array([clock.stamp(float(s * (1 + drift)), float(NOW + s + 0.05)) for s in t])
    assert np.abs(stamps - (NOW + t + 0.05)).max() < 0.15


def test_timestamps_that_start_again_are_tied_anew() -> None:
    clock = CaptureClock()
    for stream_s in np.arange(500, 510, 0.1):
        clock.stamp(float(stream_s), NOW + stream_s - 500)
    assert clock.stamp(0.0, NOW + 10) == pytest.approx(NOW + 10)
    assert clock.stamp(0.1, NOW + 10.1) == pytest.approx(NOW + 10.1)


# -- the stream's clock


def run(clock: StreamClock, raw: list[float]) -> tuple[list[float], list[bool]]:
    stamped = [clock.stamp(raw_s) for raw_s in raw]
    return [time_s for time_s, _ in stamped], [gap for _, gap in stamped]


def test_times_that_run_forward_are_left_alone() -> None:
    raw = [10.0, 10.1, 10.3, 12.3, 12.4]
    assert run(StreamClock(), raw) == (raw, [False] * 5)


def test_a_small_step_back_is_flattened() -> None:
    times, gaps = run(StreamClock(), [10.0, 10.1, 10.05, 10.08, 10.2])
    assert times == [10.0, 10.1, 10.1, 10.1, 10.2]
    assert not any(gaps)


def test_a_jump_forward_is_a_gap() -> None:
    assert run(StreamClock(), [10.0, 10.1, 500.0, 500.1]) == ([10.0, 10.1, 500.0, 500.1], [False, False, True, False])


def test_after_a_jump_back_time_goes_on_a_little_slower_than_the_source() -> None:
    times, gaps = run(StreamClock(), [100.0, 100.5, 40.0, 40.5, 41.0])
    assert times == pytest.approx([100.0, 100.5, 100.5, 100.95, 101.4])
    assert gaps == [False, False, True, False, False]


def test_a_clock_that_was_set_back_is_caught_up_with_within_ten_times_the_step() -> None:
    raw = [1000.0, *np.arange(900.0, 2100.0, 0.5).tolist()]
    times, gaps = run(StreamClock(), raw)
    assert sum(gaps) == 1
    behind = next(
        number for number, (time_s, raw_s) in enumerate(zip(times, raw, strict=True)) if number and time_s == raw_s
    )
    assert 1880.0 <= raw[behind] <= 1901.0
    assert times[behind:] == raw[behind:]


def test_a_clock_that_is_set_right_again_is_followed_again() -> None:
    times, gaps = run(StreamClock(), [100.0, 40.0, 41.0, 160.0, 160.5])
    assert times == pytest.approx([100.0, 100.0, 100.9, 160.0, 160.5])
    assert gaps == [False, True, False, True, False]


def test_time_never_runs_back_whatever_comes() -> None:
    rng = np.random.default_rng(2)
    raw = np.cumsum(rng.choice([0.04, 0.1, -0.3, -50.0, 80.0], 3000, p=[0.5, 0.4, 0.08, 0.01, 0.01])).tolist()
    times, _ = run(StreamClock(), raw)
    assert all(later >= earlier for earlier, later in itertools.pairwise(times))


def test_a_replay_gives_the_same_times_from_any_point_on() -> None:
    rng = np.random.default_rng(3)
    raw = np.cumsum(rng.choice([0.04, 0.1, -0.3, -50.0, 80.0], 400, p=[0.5, 0.4, 0.06, 0.02, 0.02])).tolist()
    whole = Timeline.of(6.0)
    expected, states = [], []
    for raw_s in raw:
        states.append(json.dumps(whole.snapshot()))
        time_s, gap = whole.clock.stamp(raw_s)
        whole.index += 1
        expected.append((time_s, gap, whole.sampler.take(time_s), whole.index))
    for begin in range(0, 400, 37):
        replay = Timeline.of(6.0)
        replay.restore(json.loads(states[begin]))
        for number in range(begin, 400):
            time_s, gap = replay.clock.stamp(raw[number])
            replay.index += 1
            assert (time_s, gap, replay.sampler.take(time_s), replay.index) == expected[number]


# -- the sampler


def taken(fps: float | None, times: np.ndarray) -> np.ndarray:
    sampler = FrameSampler(fps)
    return np.array([float(t) for t in times if sampler.take(float(t))])


def test_every_frame_is_taken_if_no_rate_is_wanted() -> None:
    assert len(taken(None, np.zeros(7))) == 7


def test_25_frames_a_second_become_6_even_ones() -> None:
    times = taken(6.0, NOW + np.arange(0, 60, 0.04))
    assert len(times) == pytest.approx(360, abs=1)
    assert np.diff(times).max() <= 0.2 + 1e-6
    assert np.diff(times).min() >= 0.12 - 1e-6


def test_an_hour_shows_no_drift() -> None:
    times = taken(6.0, np.arange(0, 3600, 1 / 29.97))
    assert len(times) == pytest.approx(21_600, abs=1)


def test_a_camera_that_sends_what_is_wanted_loses_no_frame_to_jitter() -> None:
    rng = np.random.default_rng(4)
    times = np.arange(0, 600, 1 / 15) + rng.uniform(-0.007, 0.007, 9000)
    assert len(taken(15.0, times)) == 9000


def test_a_slower_camera_keeps_all_its_frames() -> None:
    assert len(taken(15.0, np.arange(0, 60, 1 / 7))) == len(np.arange(0, 60, 1 / 7))


def test_after_a_pause_frames_are_not_taken_in_a_burst() -> None:
    times = np.concatenate([np.arange(0, 10, 0.04), np.arange(100, 110, 0.04)])
    after = taken(6.0, times)
    assert np.diff(after[after >= 100]).min() > 0.1
