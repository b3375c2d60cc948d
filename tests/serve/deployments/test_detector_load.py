from __future__ import annotations

import pytest

from serve.deployments.detector_load import WINDOW_S, DetectorMeter


class Clock:
    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def test_an_idle_replica_has_nothing_to_do() -> None:
    load = DetectorMeter(Clock()).load()
    assert (load.busy, load.queued_frames, load.oldest_age_s, load.frame_s) == (0, 0, 0, 0)


def test_frames_wait_until_they_are_answered() -> None:
    clock = Clock()
    meter = DetectorMeter(clock)
    with meter.waiting(8):
        clock.now_s = 1.0
        with meter.waiting(4):
            clock.now_s = 1.5
            assert (meter.load().queued_frames, meter.load().oldest_age_s) == (12, 1.5)
        assert (meter.load().queued_frames, meter.load().oldest_age_s) == (8, 1.5)
    assert (meter.load().queued_frames, meter.load().oldest_age_s) == (0, 0)


def test_what_is_being_computed_does_not_wait_beside() -> None:
    """It is part of how busy the replica is as soon as it is done; counted twice, it would ask for a second replica."""
    meter = DetectorMeter(Clock())
    with meter.waiting(8), meter.waiting(5):
        with meter.inference(8):
            assert meter.load().queued_frames == 5
        assert meter.load().queued_frames == 13
        with pytest.raises(ValueError, match="broken"), meter.inference(8):
            raise ValueError("broken")
        assert meter.load().queued_frames == 13
    with meter.waiting(3), meter.inference(4):  # padded to one of the few sizes of a batch
        assert meter.load().queued_frames == 0


def test_who_asked_in_vain_waits_no_more() -> None:
    meter = DetectorMeter(Clock())
    with pytest.raises(ValueError, match="broken"), meter.waiting(8):
        raise ValueError("broken")
    assert meter.load().queued_frames == 0


def test_how_busy_it_is_and_what_a_frame_takes_is_averaged_over_the_last_seconds() -> None:
    clock = Clock()
    meter = DetectorMeter(clock)
    for _ in range(40):
        with meter.inference(8):
            clock.now_s += 0.4
        clock.now_s += 0.1
    load = meter.load()
    assert load.busy == pytest.approx(0.8, abs=0.05)
    assert load.frame_s == pytest.approx(0.05)
    clock.now_s += WINDOW_S + 1
    idle = meter.load()
    assert (idle.busy, idle.frame_s) == (0, pytest.approx(0.05))  # what a frame takes stays known


def test_a_replica_that_just_started_is_judged_by_the_time_that_it_had() -> None:
    clock = Clock()
    meter = DetectorMeter(clock)
    with meter.inference(8):
        clock.now_s += 1.0
    assert meter.load().busy == 1.0
