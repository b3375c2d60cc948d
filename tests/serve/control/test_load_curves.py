"""The policies over load curves: one that was recorded on a real service, and days of detectors that are made up."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from serve.control.scaling import (
    FRAME_AGE_S,
    FULL,
    LOOK_BACK_S,
    DetectorLoad,
    Scaling,
    detectors_needed,
    readers_needed,
)
from tests.conftest import ROOT
from tests.serve.control.test_scaling import turns

RECORDED = ROOT / "benchmarks" / "results" / "elastic.json"
HOUR_S = 3600.0
TICK_S = 2.0
START_S = 12.0
"""For a new detector replica to be there, with its model."""
WAITING = 64
"""Frames that readers have under way at most; a newer frame takes the place of what they would have to add."""
FRAME_S = 0.01
"""Seconds of inference that a frame takes."""


def test_readers_follow_a_recorded_ramp_up_once_and_down_once() -> None:
    """What the cameras of `benchmarks/ramp.py` wanted, second by second, while readers came and went."""
    ramp = json.loads(RECORDED.read_text())["ramp"]
    samples = [dict(zip(ramp["columns"], row, strict=True)) for row in ramp["samples"]]
    policy, readers, found = Scaling(), 1, []
    for sample in samples:
        readers = policy.wanted(readers, readers_needed(sample["wanted"], 0.25), sample["at_s"], most=4)
        found.append(readers)
    assert max(found) == ramp["readers_most"] == 4
    assert found[0] == found[-1] == 1
    assert turns(found) == 1
    few_s = next(s["at_s"] for s in reversed(samples) if s["cameras"] > samples[0]["cameras"])
    gone_s = next(s["at_s"] for s, count in zip(reversed(samples), reversed(found), strict=True) if count > 1)
    assert few_s + LOOK_BACK_S <= gone_s + TICK_S <= few_s + LOOK_BACK_S + 60  # weights are smoothed


@dataclass(frozen=True)
class Moment:
    """Detectors at a moment.

    Attributes:
        at_s: since the beginning.
        replicas: that work.
        needed: of these, for what comes.
        age_s: how long the oldest frame has waited.
    """

    at_s: float
    replicas: int
    needed: float
    age_s: float


def detectors(fps: Callable[[float], float], seconds: float, *, most: int = 100) -> list[Moment]:
    """Frames that wait, and replicas that take a while to start."""
    policy, working, wanted, queued = Scaling(), 1, 1, 0.0
    coming: list[tuple[float, int]] = []
    found = []
    for number in range(int(seconds / TICK_S)):
        at_s = number * TICK_S
        while coming and coming[0][0] <= at_s:
            working = max(working, coming.pop(0)[1])
        work_s = (queued + fps(at_s) * TICK_S) * FRAME_S
        done_s = min(work_s, working * TICK_S)
        queued = min((work_s - done_s) / FRAME_S, WAITING)
        age_s = queued * FRAME_S / working
        found.append(Moment(at_s, working, fps(at_s) * FRAME_S, age_s))
        each = DetectorLoad(done_s / (working * TICK_S), queued / working, age_s, FRAME_S)
        wanted = policy.wanted(wanted, detectors_needed([each] * working), at_s, most=most)
        if wanted > max([working, *(count for _, count in coming)]):
            coming.append((at_s + START_S, wanted))
        working = min(working, wanted)
    return found


def test_detectors_follow_a_day_and_no_frame_is_late() -> None:
    """Shops open for half of the day, with more people around noon than before and after."""

    def fps(at_s: float) -> float:
        hour = at_s / HOUR_S
        return 60.0 + (500.0 * math.sin((hour - 8) / 12 * math.pi) if 8 <= hour < 20 else 0.0)

    day = detectors(fps, 24 * HOUR_S)
    assert max(moment.age_s for moment in day) <= FRAME_AGE_S
    assert turns([moment.replicas for moment in day]) == 1
    assert day[0].replicas == day[-1].replicas == 1
    assert max(moment.replicas for moment in day) == math.ceil(max(moment.needed for moment in day) / FULL)


def test_when_many_cameras_come_at_once_frames_wait_for_little_more_than_a_detector_takes_to_start() -> None:
    rush = detectors(lambda at_s: 70.0 if at_s < 600 else 400.0, 1200)
    late = [moment.at_s for moment in rush if moment.age_s > FRAME_AGE_S]
    assert late
    assert late[0] >= 600
    assert late[-1] <= 600 + START_S + 2 * TICK_S
    assert max(moment.age_s for moment in rush) <= WAITING * FRAME_S
    assert turns([moment.replicas for moment in rush]) <= 1
    assert max(moment.replicas for moment in rush) <= 1.2 * 400 * FRAME_S / FULL + 1


@pytest.mark.parametrize("period_s", [20.0, 120.0])
def test_detectors_do_not_come_and_go_with_every_wave(period_s: float) -> None:
    waves = detectors(lambda at_s: 300.0 + 60.0 * math.sin(at_s / period_s * 2 * math.pi), 2 * HOUR_S)
    assert turns([moment.replicas for moment in waves if moment.at_s > 60]) == 0


def test_with_no_room_to_scale_there_are_never_more_than_there_may_be() -> None:
    crowded = detectors(lambda at_s: 500.0, 120, most=2)
    assert max(moment.replicas for moment in crowded) == 2
