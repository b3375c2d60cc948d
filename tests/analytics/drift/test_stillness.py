from __future__ import annotations

import json

import pytest

from analytics.drift.stillness import NOISY_S, QUIET_S, Stillness

LOOK_S = 2.0


def looked(changes: list[float | None], still: Stillness | None = None) -> Stillness:
    made = still or Stillness()
    for change in changes:
        made.look(change, LOOK_S)
    return made


def looks(seconds: float) -> int:
    return int(seconds / LOOK_S)


def test_a_camera_that_is_never_still_is_frozen_after_some_seconds() -> None:
    still = looked([None, *[1.0] * 30, *[0.0] * looks(NOISY_S)])
    assert not still.is_frozen
    still.look(0.0, LOOK_S)
    assert still.is_frozen
    assert still.still_s == pytest.approx(NOISY_S + LOOK_S, abs=LOOK_S)


def test_one_change_ends_it() -> None:
    still = looked([*[1.0] * 30, *[0.0] * 60])
    assert still.is_frozen
    still.look(0.9, LOOK_S)
    assert not still.is_frozen
    assert still.still_s == 0


def test_a_camera_that_freezes_again_and_again_is_told_each_time() -> None:
    still = looked([1.0] * 100)
    for _ in range(5):
        looked([*[0.0] * looks(60)], still)
        assert still.is_frozen
        looked([1.0] * 60, still)


def test_an_empty_hall_without_noise_is_not_frozen() -> None:
    """Somebody walks through, in a tenth of the picture, and then nobody for nine minutes, over and over."""
    still = Stillness()
    for _ in range(6):
        looked([0.1] * 10, still)
        looked([0.0] * looks(540), still)
        assert not still.is_frozen


def test_how_long_a_quiet_camera_is_still_is_learnt() -> None:
    still = looked([0.1] * 20)
    looked([0.0] * looks(3 * QUIET_S), still)
    assert still.is_frozen
    looked([0.1] * 20, still)
    looked([0.0] * looks(3 * QUIET_S), still)
    assert not still.is_frozen
    looked([0.0] * looks(8 * QUIET_S), still)
    assert still.is_frozen


def test_what_was_usual_once_is_forgotten_over_days() -> None:
    still = looked([0.1] * 20)
    looked([0.0] * looks(3 * QUIET_S), still)
    for _ in range(72 * 6):
        still.look(0.1, 600)
    looked([0.0] * looks(2.5 * QUIET_S), still)
    assert still.is_frozen


def test_a_gap_ends_it_and_teaches_nothing() -> None:
    still = looked([*[1.0] * 30, *[0.0] * 20])
    before = still.snapshot()
    still.look(None, 0.0)
    assert not still.is_frozen
    assert still.snapshot() == {**before, "still_s": 0.0, "still_looks": 0}


def test_a_codec_that_sends_noise_with_key_frames_alone_is_no_fault_for_long() -> None:
    """Still for a minute, and then all of it changes at once, all night."""
    still, told = Stillness(), 0
    for minute in range(12 * 60):
        looked([0.0] * looks(60), still)
        told += still.is_frozen and minute > 60
        still.look(1.0, LOOK_S)
    assert told == 0


def test_a_clock_that_jumps_is_no_stillness() -> None:
    still = looked([0.1] * 20)
    still.look(0.0, 7200.0)
    assert not still.is_frozen


def test_one_pair_of_the_same_pictures_is_no_fault_however_far_apart() -> None:
    still = Stillness()
    for _ in range(20):
        still.look(1.0, 20.0)
    still.look(0.0, 20.0)
    assert not still.is_frozen


def test_a_snapshot_is_json_and_goes_on() -> None:
    still = looked([*[1.0] * 30, *[0.0] * 5, 1.0])
    again = Stillness()
    again.restore(json.loads(json.dumps(still.snapshot())))
    for one in (still, again):
        looked([0.0] * 8, one)
        assert one.is_frozen


@pytest.mark.parametrize("part", ["format", "usual_s", "looks", "moving"])
@pytest.mark.parametrize("value", [None, -1, float("inf"), float("nan"), "1", True])
def test_a_broken_snapshot_is_refused_and_changes_nothing(part: str, value: object) -> None:
    still = looked([1.0] * 9)
    before = still.snapshot()
    with pytest.raises(ValueError, match=r"."):
        still.restore({**before, part: value})
    assert still.snapshot() == before


def test_a_frozen_camera_that_moves_to_another_reader_stays_frozen_as_soon_as_it_is_still_once() -> None:
    before = looked([*[0.1] * 30, *[0.0] * looks(QUIET_S + 60)])
    assert before.is_frozen
    after = Stillness()
    after.restore(json.loads(json.dumps(before.snapshot())))
    assert not after.is_frozen
    looked([None, 0.0], after)
    assert after.is_frozen
    assert after.still_s == pytest.approx(before.still_s + LOOK_S)
    again = Stillness()
    again.restore(after.snapshot())
    looked([None, 0.2, 0.0], again)
    assert not again.is_frozen


def test_a_state_without_how_long_it_is_still_is_taken_up_all_the_same() -> None:
    state = looked([0.1] * 30).snapshot()
    del state["still_s"], state["still_looks"]
    after = Stillness()
    after.restore(state)
    looked([None, 0.0], after)
    assert after.still_s == LOOK_S
