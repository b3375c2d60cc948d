from __future__ import annotations

import json
import math

import numpy as np
import pytest

from analytics.drift.season import LEAST_VALUES, SLOT_S, WEEK_SLOTS, Expected, Season

MONDAY_S = 4 * 86400.0
"""The fifth of January 1970."""
DAY_S, WEEK_S = 86400.0, 7 * 86400.0


def usual(local_s: float, opens_h: float = 9.0, closes_h: float = 20.0) -> float:
    """Bright from nine to eight, but on Sundays."""
    hour, day = local_s % DAY_S / 3600, (local_s - MONDAY_S) // DAY_S % 7
    return 5.0 if opens_h <= hour < closes_h and day < 6 else 2.0


def fill(
    season: Season, begin: float, weeks: float, spread: float = 0.0, within: float = 0.0, closes_h: float = 20.0
) -> None:
    """Weeks of it, from week ``begin`` on."""
    rng = np.random.default_rng(round(begin * 100))
    for slot in range(round(begin * WEEK_SLOTS), round((begin + weeks) * WEEK_SLOTS)):
        local_s = MONDAY_S + slot * SLOT_S
        off = rng.normal(0, spread) if spread else 0.0
        for part in range(5):
            at_s = local_s + part * SLOT_S / 5
            season.add(usual(at_s, closes_h=closes_h) + off + within * (part - 2) / 2, at_s)


def learnt(weeks: float, spread: float = 0.0, *, settles: bool = False, within: float = 0.0) -> Season:
    season = Season(0.05, settles=settles)
    fill(season, 0, weeks, spread, within)
    return season


def at(day: int, hour: float) -> float:
    return MONDAY_S + 100 * WEEK_S + day * DAY_S + hour * 3600


def sure(season: Season, local_s: float) -> Expected:
    found = season.expected(local_s)
    assert found is not None
    assert found.sure
    return found


def test_nothing_is_expected_on_the_first_day() -> None:
    assert Season(0.05).expected(at(0, 12)) is None
    assert learnt(0.25 / 7).expected(at(0, 12)) is None


def test_in_the_first_week_other_days_say_what_would_be_no_surprise() -> None:
    found = learnt(2.5 / 7).expected(at(4, 12))
    assert found is not None
    assert not found.sure
    assert found.low == found.high == pytest.approx(5)


def test_after_a_week_a_time_of_the_week_is_known() -> None:
    season = learnt(1.2)
    assert sure(season, at(0, 12)).low == pytest.approx(5)
    assert sure(season, at(6, 12)).high == pytest.approx(2)


def test_the_hour_of_the_week_counts_and_not_that_of_the_day() -> None:
    season = learnt(3)
    noon, sunday = sure(season, at(2, 12)), sure(season, at(6, 12))
    assert noon.low == noon.high == pytest.approx(5)
    assert sunday.low == sunday.high == pytest.approx(2)


@pytest.mark.parametrize(
    ("hour", "low", "high"),
    [(8.5, 2, 2), (8.7, 2, 5), (9.3, 2, 5), (9.7, 5, 5), (19.4, 5, 5), (19.7, 2, 5), (20.3, 2, 5), (20.8, 2, 2)],
)
def test_near_a_change_both_are_usual(hour: float, low: float, high: float) -> None:
    found = sure(learnt(3), at(1, hour))
    assert (found.low, found.high) == (pytest.approx(low), pytest.approx(high))


@pytest.mark.parametrize("minute", range(0, 60, 7))
def test_lamps_that_go_out_within_a_quarter_of_an_hour_surprise_nobody(minute: int) -> None:
    """At a quarter past eight, give or take some minutes, as people do."""
    season, rng = Season(0.05), np.random.default_rng(minute)
    for week in range(3):
        fill(season, week, 1, closes_h=20 + minute / 60 + rng.normal(0, 2) / 60)
    for around in range(-40, 41, 2):
        time_s = at(1, 20 + minute / 60 + around / 60)
        value = usual(time_s, closes_h=20 + minute / 60)
        found = sure(season, time_s)
        assert abs(found.deviation(value)) < 4 * found.spread


def test_a_deviation_is_signed_and_zero_within() -> None:
    found = sure(learnt(3), at(1, 9.1))
    assert found.deviation(3) == 0
    assert found.deviation(1.5) == pytest.approx(-0.5)
    assert found.deviation(6) == pytest.approx(1)


def test_what_goes_up_and_down_within_a_slot_is_usual() -> None:
    found = sure(learnt(3, within=1.0), at(2, 12))
    assert found.low == pytest.approx(4, abs=0.15)
    assert found.high == pytest.approx(6, abs=0.15)


@pytest.mark.parametrize("spread", [0.1, 0.3])
def test_the_spread_is_how_far_a_week_lies_from_those_before(spread: float) -> None:
    assert sure(learnt(12, spread), at(2, 12.5)).spread == pytest.approx(spread, rel=0.4)


def test_a_calm_night_does_not_make_the_day_strict() -> None:
    rng, season = np.random.default_rng(2), Season(0.01)
    for slot in range(8 * WEEK_SLOTS):
        day = 9 <= slot * SLOT_S / 3600 % 24 < 20
        off = rng.normal(0, 0.4) if day else 0.0
        for _ in range(LEAST_VALUES):
            season.add(3 + off, MONDAY_S + slot * SLOT_S)
    noon, night = sure(season, at(2, 13.5)), sure(season, at(2, 3.5))
    assert noon.spread > 0.25
    assert night.spread < 0.5 * noon.spread


@pytest.mark.slow
def test_what_is_usual_follows_unless_it_settles() -> None:
    follows, settled = learnt(6), learnt(6, settles=True)
    for season in (follows, settled):
        for week in range(6, 30):
            for slot in range(WEEK_SLOTS):
                local_s = MONDAY_S + week * WEEK_S + slot * SLOT_S
                for _ in range(LEAST_VALUES):
                    season.add(usual(local_s) - 0.05 * (week - 5), local_s)
    assert sure(follows, at(2, 12)).low < 4.2
    assert sure(settled, at(2, 12)).low == pytest.approx(5)


def test_a_slot_that_was_hardly_seen_teaches_nothing() -> None:
    season = Season(0.05)
    for slot in range(WEEK_SLOTS):
        for _ in range(LEAST_VALUES - 1):
            season.add(1.0, MONDAY_S + slot * SLOT_S)
    assert season.expected(at(0, 12)) is None


def test_a_clock_that_goes_to_and_fro_makes_no_weeks() -> None:
    season = learnt(1.2)
    edge_s, found = MONDAY_S + 1.2 * WEEK_S, set()
    for turn in range(50):
        for _ in range(LEAST_VALUES):
            season.add(9.0, edge_s - SLOT_S * (1 + turn % 2))
        if turn > 2:
            found.add(season.snapshot()["weeks"])
    assert len(found) == 1


def test_what_was_doubtful_is_learnt_when_it_turns_out_to_be_usual_and_forgotten_when_not() -> None:
    kept, dropped = Season(0.05), Season(0.05)
    for season in (kept, dropped):
        for slot in range(40):
            for _ in range(LEAST_VALUES):
                season.add(1.0, MONDAY_S + slot * SLOT_S, doubtful=True)
        assert season.expected(at(0, 3)) is None
    kept.settle(usual=True)
    dropped.settle(usual=False)
    assert kept.expected(at(0, 3)) is not None
    assert dropped.expected(at(0, 3)) is None


def test_what_is_doubtful_takes_bounded_memory() -> None:
    season = Season(0.05)
    for slot in range(3 * WEEK_SLOTS):
        for _ in range(LEAST_VALUES):
            season.add(1.0, MONDAY_S + slot * SLOT_S, doubtful=True)
    season.settle(usual=True)
    assert season.expected(at(0, 12)) is None or not season.expected(at(0, 12)).sure  # type: ignore[union-attr]


def test_a_snapshot_is_json_and_goes_on() -> None:
    season = learnt(2.5)
    again = Season(0.05)
    again.restore(json.loads(json.dumps(season.snapshot())))
    for one in (season, again):
        fill(one, 2.5, 1.5)
    for hour in range(168):
        expected, found = (sure(one, at(0, hour)) for one in (season, again))
        assert math.isclose(expected.low, found.low, rel_tol=1e-5)
        assert math.isclose(expected.high, found.high, rel_tol=1e-5)
        assert math.isclose(expected.spread, found.spread, rel_tol=1e-4)


def test_a_snapshot_is_small() -> None:
    assert len(json.dumps(learnt(4, 0.1, within=0.2).snapshot())) < 12_000


@pytest.mark.parametrize("part", ["format", "weeks", "bounds", "residuals", "variances"])
@pytest.mark.parametrize("value", [None, "AAAA", "!", 3, []])
def test_a_broken_snapshot_is_refused_and_changes_nothing(part: str, value: object) -> None:
    season = learnt(2)
    before = season.snapshot()
    with pytest.raises(ValueError, match=r"."):
        season.restore({**before, part: value})
    assert season.snapshot() == before
