from __future__ import annotations

import itertools
import math
import random
from collections.abc import Callable

import pytest

from serve.control import scaling
from serve.control.scaling import (
    FRAME_AGE_S,
    FULL,
    LOOK_BACK_S,
    DetectorLoad,
    Sample,
    Scaling,
    detectors_needed,
    fresh,
    newest,
    readers_needed,
)

TICK_S = 2.0
Curve = Callable[[float], float]


def run(curve: Curve, seconds: float, *, least: int = 1, most: int = 1000, replicas: int = 1) -> list[int]:
    """How many there are, tick by tick, if what is wanted is there at once."""
    policy, found = Scaling(), []
    for number in range(int(seconds / TICK_S)):
        replicas = policy.wanted(replicas, curve(number * TICK_S), number * TICK_S, least=least, most=most)
        found.append(replicas)
    return found


def turns(replicas: list[int]) -> int:
    """How often it went the other way."""
    steps = [after - before for before, after in itertools.pairwise(replicas) if after != before]
    return sum(first * second < 0 for first, second in itertools.pairwise(steps))


def test_readers_are_planned_with_room_for_growth() -> None:
    assert readers_needed(8 * FULL, 1.0) == pytest.approx(8)
    assert readers_needed(8.0, 4.0) == pytest.approx(2 / FULL)
    assert readers_needed(0.0, 4.0) == 0


def test_more_is_there_at_once() -> None:
    assert run(lambda at_s: 1.0 if at_s < 10 else 6.2, 12) == [1] * 5 + [7]


def test_less_is_there_once_it_was_not_needed_for_long() -> None:
    found = run(lambda at_s: 6.0 if at_s < 200 else 2.0, 200 + 2 * LOOK_BACK_S, replicas=6)
    fewer = next(number for number, replicas in enumerate(found) if replicas < 6) * TICK_S
    assert 200 + LOOK_BACK_S <= fewer <= 200 + LOOK_BACK_S + 2 * TICK_S
    assert found[-1] == 3  # 2 would be full to the brim
    assert turns(found) == 0


def test_what_wavers_moves_nobody() -> None:
    noise = random.Random(3)
    found = run(lambda at_s: 40 * (1 + noise.uniform(-0.02, 0.02)), 24 * 3600)
    assert turns(found) <= 1
    assert max(found[10:]) <= math.ceil(40 * 1.02 * (1 + scaling.SLACK))
    waves = run(lambda at_s: 10 + 3 * math.sin(at_s / 60 * 2 * math.pi), 3600)
    assert turns(waves) == 0


def test_it_keeps_within_its_limits() -> None:
    assert set(run(lambda at_s: 50.0, 600, most=8)[1:]) == {8}
    assert set(run(lambda at_s: 0.0, 600, least=2, replicas=2)) == {2}
    assert Scaling().wanted(1, None, 0.0, least=2, most=8) == 2
    assert Scaling().wanted(9, None, 0.0, least=2, most=8) == 8


def test_nobody_goes_while_nobody_says_what_is_needed() -> None:
    policy = Scaling()
    for at_s in range(0, 1000, 2):
        assert policy.wanted(6, None, float(at_s), most=10) == 6
    # What is said again after a long silence is no reason either: nobody knows what was needed meanwhile.
    assert policy.wanted(6, 1.0, 1000.0, most=10) == 6
    assert policy.wanted(6, 1.0, 1000.0 + LOOK_BACK_S - 1 + 100, most=10) == 6


def test_a_controller_that_starts_anew_takes_nobody_away() -> None:
    for at_s in range(0, int(LOOK_BACK_S), 2):
        assert Scaling().wanted(6, 1.0, float(at_s), most=10) == 6


def test_detectors_keep_up_with_what_comes() -> None:
    idle = DetectorLoad(busy=0.1, queued_frames=0, oldest_age_s=0.0, frame_s=0.01)
    busy = DetectorLoad(busy=0.8, queued_frames=0, oldest_age_s=0.0, frame_s=0.01)
    assert detectors_needed([]) == 0
    assert detectors_needed([idle]) == pytest.approx(0.1 / FULL)
    assert detectors_needed([busy, busy]) == pytest.approx(2)


def test_frames_that_wait_are_to_be_done_in_time() -> None:
    """100 frames of 10 ms are a second of work, which as many replicas share as it takes."""
    waiting = DetectorLoad(busy=1.0, queued_frames=100, oldest_age_s=FRAME_AGE_S / 2, frame_s=0.01)
    assert detectors_needed([waiting]) == pytest.approx((1 + 1.0 / FRAME_AGE_S) / FULL)


def test_a_frame_that_has_waited_for_too_long_asks_for_one_more_than_report() -> None:
    late = DetectorLoad(busy=0.2, queued_frames=1, oldest_age_s=2 * FRAME_AGE_S, frame_s=0.01)
    assert detectors_needed([late]) == 2
    policy = Scaling()
    # While the second is on its way only one reports: it is not asked for again and again.
    assert [policy.wanted(2, detectors_needed([late]), at_s, most=10) for at_s in (0.0, 2.0, 4.0)] == [2, 2, 2]


def test_a_frozen_replica_has_no_say() -> None:
    reports = {"alive": Sample(1000.0, 3.0), "frozen": Sample(900.0, 70.0)}
    assert newest(reports) == Sample(1000.0, 3.0)
    assert fresh(reports) == {"alive": 3.0}
    assert newest({}) is None
    assert fresh({}) == {}
