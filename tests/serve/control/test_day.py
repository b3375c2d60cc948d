"""Planner and policy together, over a day of shops that open and close."""

from __future__ import annotations

import math

import pytest

from benchmarks.shops import DAY_S, Cameras, Moment, day, flaps, over_provisioned

MOST_OVER = 0.2


@pytest.fixture(scope="module")
def moments() -> list[Moment]:
    return list(day(Cameras.of_shops(40, seed=11), step_s=30.0))


def test_readers_follow_the_shops_without_flapping(moments: list[Moment]) -> None:
    assert max(moment.needed for moment in moments) > 1.3 * min(moment.needed for moment in moments)
    assert flaps(moments) == 0
    assert over_provisioned(moments) <= MOST_OVER


def test_every_camera_has_a_reader_and_nearly_all_of_its_frames(moments: list[Moment]) -> None:
    assert max(moment.waiting for moment in moments) == 0
    assert max(moment.skipped for moment in moments) < 0.05
    assert sum(moment.skipped for moment in moments) / len(moments) < 0.001


def test_with_no_room_to_scale_frames_are_skipped_and_no_camera_waits() -> None:
    crowded = list(day(Cameras.of_shops(40, seed=11), step_s=60.0, most=30))
    assert max(moment.readers for moment in crowded) == 30
    assert max(moment.waiting for moment in crowded) == 0
    assert max(moment.skipped for moment in crowded) > 0.2


def test_what_the_day_is_judged_by_sees_what_it_is_for() -> None:
    def moment(at_s: float, needed: float, readers: int) -> Moment:
        return Moment(at_s, 1, needed, readers, 0, 0, 0.0)

    wasteful = [moment(at_s, 5.0, 10 if 600 <= at_s < 1200 else 5) for at_s in range(0, 3600, 30)]
    assert over_provisioned(wasteful) == pytest.approx(1.0)
    assert flaps(wasteful) == 1
    brief = [moment(at_s, 5.0, 10 if 600 <= at_s < 800 else 5) for at_s in range(0, 3600, 30)]
    assert over_provisioned(brief) == 0.0
    slow = [moment(at_s, 5.0, 6 if 600 <= at_s < 3000 else 5) for at_s in range(0, 3600, 30)]
    assert flaps(slow) == 0


def test_shops_are_open_for_part_of_the_day() -> None:
    cameras = Cameras.of_shops(200, seed=3)
    assert len(cameras.names) == len(set(cameras.names)) == len(cameras.weight)
    share = float((cameras.open_s / DAY_S).mean())
    assert 0.35 < share < 0.55
    assert math.isclose(float(cameras.always.mean()), 0.1, abs_tol=0.03)
