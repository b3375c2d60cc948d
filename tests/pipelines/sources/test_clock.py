from __future__ import annotations

import itertools
import json
from collections.abc import Sequence

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
    assert NOW + 0.9 < clock.stamp(1.0, NOW + 1, NOW - 14) < NOW + 1  # believed, and approached slowly
    assert NOW + 1.9 < clock.stamp(2.0, NOW + 2, NOW - 20) <= NOW + 2  # not believed any more


@pytest.mark.parametrize("late_s", [-8.0, 8.0])
def test_a_camera_clock_that_is_learned_late_costs_no_gap_and_hardly_any_time(late_s: float) -> None:
    capture, stream = CaptureClock(), StreamClock()
    stamps = []
    for stream_s in np.arange(0, 900, 0.1):
        raw_s = capture.stamp(float(stream_s), NOW + stream_s + 0.1, NOW + late_s if stream_s >= 5 else None)
        stamped = stream.stamp(raw_s)
        assert stamped is not None
        stamps.append(stamped)
    times = np.array([time_s for time_s, _ in stamps])
    assert not any(gap for _, gap in stamps)
    assert np.diff(times[:600]).sum() == pytest.approx(59.9, rel=0.03)  # the first minute is a minute
    assert np.diff(times).min() > 0.09
    assert times[-1] == pytest.approx(NOW + late_s + 899.9)


def test_frames_without_a_timestamp_count_from_their_arrival() -> None:
    assert CaptureClock().stamp(None, NOW + 3, NOW) == NOW + 3


def test_a_sender_report_that_comes_late_makes_no_jump_beyond_the_delay() -> None:
    clock, stream = CaptureClock(), StreamClock()
    stamps = []
    for number, stream_s in enumerate(np.arange(0, 30, 0.1)):
        raw_s = clock.stamp(float(stream_s), NOW + stream_s + 0.4, NOW if number >= 50 else None)
        stamped = stream.stamp(raw_s)
        assert stamped is not None
        stamps.append(stamped)
    times = np.array([time_s for time_s, _ in stamps])
    assert not any(gap for _, gap in stamps)
    assert (np.diff(times) > 0.09).all()
    assert times[-1] == pytest.approx(NOW + 29.9)
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


def run(clock: StreamClock, raw: Sequence[float]) -> tuple[list[float | None], list[bool]]:
    """Time of each frame, None where it is left out, and whether there is a gap before it."""
    stamped = [clock.stamp(raw_s) for raw_s in raw]
    return [s[0] if s else None for s in stamped], [bool(s and s[1]) for s in stamped]


def every(period_s: float, begin_s: float, end_s: float) -> list[float]:
    return np.arange(begin_s, end_s, period_s).tolist()  # type: ignore[no-any-return]


def test_times_that_run_forward_are_left_alone() -> None:
    raw = [10.0, 10.1, 10.3, 12.3, 12.4]
    assert run(StreamClock(), raw) == (raw, [False] * 5)


def test_a_small_step_back_is_flattened() -> None:
    times, gaps = run(StreamClock(), [10.0, 10.1, 10.05, 10.08, 10.2])
    assert times == [10.0, 10.1, 10.1, 10.1, 10.2]
    assert not any(gaps)


def test_a_step_forward_is_a_gap() -> None:
    assert run(StreamClock(), [10.0, 10.1, 50.0, 50.1]) == ([10.0, 10.1, 50.0, 50.1], [False, False, True, False])


def test_one_message_that_is_an_hour_ahead_costs_its_own_frame_only() -> None:
    raw = every(0.1, 0, 60)
    raw[300] += 59 * 60
    times, gaps = run(StreamClock(), raw)
    assert times[300] is None
    assert times[:300] + times[301:] == raw[:300] + raw[301:]
    assert not any(gaps)


@pytest.mark.parametrize("step_s", [3600.0, -3600.0, 90.0, -16.0])
def test_a_large_step_is_believed_once_frames_agree_and_nothing_of_it_stays(step_s: float) -> None:
    raw = [*every(0.1, 1e6, 1e6 + 10), *every(0.1, 1e6 + 10 + step_s, 1e6 + 100 + step_s)]
    times, gaps = run(StreamClock(), raw)
    assert times[:100] == raw[:100]
    assert times[100:102] == [None, None]
    assert times[102:] == raw[102:]
    assert [number for number, gap in enumerate(gaps) if gap] == [102]


def test_a_pause_costs_two_frames_at_most() -> None:
    raw = [*every(0.1, 0, 10), *every(0.1, 700, 710)]
    times, gaps = run(StreamClock(), raw)
    assert times.count(None) == 2
    assert sum(gaps) == 1


def test_wrong_times_of_many_kinds_are_not_taken_for_agreement() -> None:
    raw = every(0.1, 1000, 1100)
    for number, wrong_s in ((100, 5000.0), (101, 200.0), (200, 0.0), (201, 9e6), (300, 1e6), (301, 1e6 - 500)):
        raw[number] = wrong_s
    times, gaps = run(StreamClock(), raw)
    assert [number for number, time_s in enumerate(times) if time_s is None] == [100, 101, 200, 201, 300, 301]
    assert not any(gaps)


def test_a_first_frame_that_is_wrong_costs_the_next_two() -> None:
    raw = [5000.0, *every(0.1, 1000, 1010)]
    times, gaps = run(StreamClock(), raw)
    assert times == [5000.0, None, None, *raw[3:]]
    assert [number for number, gap in enumerate(gaps) if gap] == [3]


def test_a_camera_that_sends_every_few_minutes_is_believed_at_its_own_pace() -> None:
    raw = every(300.0, 0, 30_000)
    times, _ = run(StreamClock(), raw)
    assert [number for number, time_s in enumerate(times) if time_s is None] == [1, 2]


def test_a_clock_that_is_set_back_by_seconds_is_met_without_a_gap() -> None:
    raw = [*every(0.1, 1000, 1010), *every(0.1, 1002, 1602)]
    times, gaps = run(StreamClock(), raw)
    seen = [time_s for time_s in times if time_s is not None]
    assert len(seen) == len(raw)
    assert not any(gaps)
    assert seen == sorted(seen)
    assert seen[-1] == raw[-1]
    assert max(time_s - raw_s for time_s, raw_s in zip(seen, raw, strict=True)) < 8.2
    assert sum(itertools.starmap(lambda a, b: b - a, itertools.pairwise(seen))) > 0.97 * (10 + 600 - 8)


def test_what_a_clock_is_ahead_never_grows_beyond_its_limit() -> None:
    raw: list[float] = [1000.0]
    for number in range(2000):  # every second back by 3 s
        raw.append(raw[-1] + (0.1 if number % 10 else -3.0))
    clock = StreamClock()
    for raw_s in raw:
        stamped = clock.stamp(raw_s)
        assert stamped is None or stamped[0] - raw_s <= clock.max_slew_s


def test_an_offset_of_hours_that_an_earlier_version_stored_is_not_carried_on() -> None:
    clock = StreamClock()
    clock.restore({"last_s": 13_600.0, "raw_s": 10_000.0, "offset_s": 3600.0})
    raw = every(0.1, 10_000.1, 10_010)
    times, gaps = run(clock, raw)
    assert times == [None, None, *raw[2:]]
    assert gaps[2]
    assert sum(gaps) == 1


def test_time_runs_back_behind_a_gap_only() -> None:
    times = [(time_s, gap) for time_s, gap in _stamped(StreamClock(), _wild(3000, seed=2)) if time_s is not None]
    assert all(later >= earlier or gap for (earlier, _), (later, gap) in itertools.pairwise(times))
    assert any(later < earlier for (earlier, _), (later, _) in itertools.pairwise(times))


def _wild(count: int, seed: int) -> list[float]:
    rng = np.random.default_rng(seed)
    steps = rng.choice([0.04, 0.1, -0.3, -8.0, -500.0, 800.0], count, p=[0.5, 0.4, 0.04, 0.02, 0.02, 0.02])
    return np.cumsum(steps).tolist()  # type: ignore[no-any-return]


def _stamped(clock: StreamClock, raw: Sequence[float]) -> list[tuple[float | None, bool]]:
    return list(zip(*run(clock, raw), strict=True))


def test_a_replay_gives_the_same_times_from_any_point_on() -> None:
    raw = _wild(400, seed=3)
    whole = Timeline.of(6.0)
    expected, states = [], []
    for raw_s in raw:
        states.append(json.dumps(whole.snapshot()))
        expected.append(whole.admit(raw_s))
    for begin in range(0, 400, 7):
        replay = Timeline.of(6.0)
        replay.restore(json.loads(states[begin]))
        assert [replay.admit(raw_s) for raw_s in raw[begin:]] == expected[begin:]


def test_hours_of_offset_in_an_old_checkpoint_are_given_up() -> None:
    """The first version believed a jump of an hour, and added it to everything from then on."""
    clock = StreamClock()
    clock.restore({"last_s": NOW, "offset_s": 3600.0})
    assert [clock.stamp(NOW - 0.1), clock.stamp(NOW + 0.1)] == [(NOW, False), (NOW + 0.1, False)]


def test_frames_are_sampled_on_when_time_has_run_back() -> None:
    timeline = Timeline.of(5.0)
    raw = [*every(0.04, 10_000, 10_060), *every(0.04, 6_400, 6_460)]
    taken = [admitted.time_s for admitted in map(timeline.admit, raw) if admitted.sampled]
    assert len([time_s for time_s in taken if time_s < 7_000]) == pytest.approx(300, abs=2)


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


def test_times_that_have_nothing_to_do_with_one_another_do_not_agree() -> None:
    raw = [*every(0.1, 1000, 1010), 4000.0, 50_000.0, 9e8, *every(0.1, 1010.4, 1020)]
    times, gaps = run(StreamClock(), raw)
    assert [time_s for time_s in times if time_s is not None] == [t for t in raw if t < 2000]
    assert not any(gaps)
