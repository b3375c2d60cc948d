from __future__ import annotations

import json

import pytest

from analytics.counting.level import Level
from analytics.geometry import PeopleLimit

LIMIT = PeopleLimit(people=5, clear=3, hold_s=2.0, cool_down_s=10.0)


class Watched:
    """A level, and a clock that goes on by a second a frame."""

    def __init__(self, limit: PeopleLimit | None = LIMIT) -> None:
        self.level = Level(limit)
        self.time_s = 1000.0
        self.told: list[tuple[float, bool]] = []

    def see(self, *people: int, after_gap: bool = False) -> list[tuple[float, bool]]:
        """What is told over some frames, with the second it is told in."""
        before = len(self.told)
        for number in people:
            over = self.level.update(number, self.time_s, not after_gap)
            if over is not None:
                self.told.append((self.time_s - 1000, over))
            self.time_s += 1
        return self.told[before:]


def test_a_limit_is_told_once_it_has_held_and_cleared_once_that_has_held() -> None:
    level = Watched()
    assert level.see(4, 5, 6, 5, 5, 9) == [(3, True)]
    assert level.see(4, 4, 3, 3, 2, 0) == [(10, False)]


def test_a_flicker_is_not_told() -> None:
    level = Watched()
    assert level.see(*[5, 5, 4] * 10) == []
    assert level.see(5, 5, 5) == [(32, True)]
    assert level.see(*[3, 3, 4] * 10) == []


def test_between_the_two_numbers_nothing_changes() -> None:
    level = Watched()
    assert level.see(*[4] * 20) == []
    level.see(5, 5, 5)
    assert level.see(*[4] * 20) == []


def test_it_is_not_told_again_before_it_has_cooled_down() -> None:
    level = Watched()
    assert level.see(*[5] * 3, *[0] * 3, *[5] * 8) == [(2, True), (5, False), (12, True)]


def test_after_a_gap_holding_begins_anew() -> None:
    level = Watched()
    level.see(5, 5)
    assert level.see(5, after_gap=True) == []
    assert level.see(5) == []
    assert level.see(5) == [(4, True)]


def test_a_clock_that_is_set_back_neither_tells_too_early_nor_is_silent_for_ever() -> None:
    level = Watched()
    level.see(5, 5, 5, 0, 0, 0)
    level.time_s -= 3600
    assert [over for _, over in level.see(5, 5, 5)] == [True]


def test_without_a_limit_nothing_is_told_and_one_that_is_taken_away_is_cleared() -> None:
    assert Watched(None).see(*[100] * 20) == []
    level = Watched()
    level.see(5, 5, 5)
    level.level.use(None)
    assert level.see(9, 9, 9) == [(3, False)]
    assert level.level.snapshot() is None


@pytest.mark.parametrize("cut", range(1, 14))
def test_it_goes_on_after_a_snapshot(cut: int) -> None:
    people = [5] * 4 + [0] * 4 + [5] * 6
    whole, parts = Watched(), Watched()
    whole.see(*people)
    parts.see(*people[:cut])
    state = json.loads(json.dumps(parts.level.snapshot()))
    parts.level = Level(LIMIT)
    parts.level.restore(state)
    parts.see(*people[cut:])
    assert parts.told == whole.told == [(2, True), (6, False), (12, True)]
