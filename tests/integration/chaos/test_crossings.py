"""The check of what is told would notice what is wrong."""

from __future__ import annotations

from tests.integration.chaos.crossings import Crossing, phases_of, shown_between, unmatched

LOOP_S = 20.0
CLIP = [Crossing(2.0, "out"), Crossing(11.0, "out"), Crossing(14.0, "in")]
SHOWN = shown_between(CLIP, 5.0, LOOP_S, 1000.0, 1040.0)
TOLD = [Crossing(one.time_s + 0.2, one.direction) for one in SHOWN]


def test_an_endless_clip_shows_its_crossings_again_and_again() -> None:
    times = [1007.0, 1016.0, 1019.0, 1027.0, 1036.0, 1039.0]
    assert [one.time_s for one in SHOWN] == times
    assert [one.direction for one in SHOWN] == ["out", "out", "in"] * 2


def test_the_beginning_of_the_clip_is_found_by_what_is_told() -> None:
    assert any(abs(phase_s - 5.2) < 0.01 for phase_s in phases_of(TOLD[1:2], CLIP, LOOP_S))


def test_what_is_told_as_it_was_shown_fits() -> None:
    assert unmatched(TOLD, SHOWN) == ([], [])


def test_a_crossing_that_is_told_twice_or_the_other_way_round_or_not_at_all_is_found() -> None:
    twice = [*TOLD, TOLD[2]]
    assert unmatched(twice, SHOWN) == ([TOLD[2]], [])
    turned = [Crossing(TOLD[0].time_s, "in"), *TOLD[1:]]
    assert unmatched(turned, SHOWN) == ([turned[0]], [SHOWN[0]])
    assert unmatched(TOLD[:-1], SHOWN) == ([], [SHOWN[-1]])
    ghost = Crossing(1010.0, "out")
    assert unmatched([*TOLD, ghost], SHOWN) == ([ghost], [])


def test_what_is_told_a_little_soon_and_a_little_late_was_shown_in_between() -> None:
    shown = [Crossing(2.33, "out"), Crossing(11.25, "out"), Crossing(13.67, "out")]
    told = [Crossing(111.25, "out"), Crossing(113.42, "out"), Crossing(122.99, "out")]
    fits = [
        unmatched(told, shown_between(shown, phase_s, LOOP_S, 110.0, 124.0))
        for phase_s in phases_of(told, shown, LOOP_S)
    ]
    assert ([], []) in fits
    late = [*told[:2], Crossing(123.8, "out")]
    for phase_s in phases_of(late, shown, LOOP_S):
        assert unmatched(late, shown_between(shown, phase_s, LOOP_S, 110.0, 124.0)) != ([], [])
