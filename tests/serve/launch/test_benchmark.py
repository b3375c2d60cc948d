"""The benchmark's arithmetic; its figures are nobody's assertion."""

from __future__ import annotations

import pytest

from serve.launch.benchmark import Measurement, summarise


def test_ratios_are_taken_within_a_round_so_that_a_slow_minute_cancels_out() -> None:
    rounds = [
        [Measurement("limit", 100, 1.0), Measurement("analyze", 90, 1.0)],
        [Measurement("limit", 100, 2.0), Measurement("analyze", 90, 2.0)],  # the machine was half as fast
        [Measurement("limit", 100, 1.0), Measurement("analyze", 80, 1.0)],
    ]
    limit, analyze = summarise(rounds)
    assert limit.fps == 100
    assert limit.of_limit == 1
    assert analyze.of_limit == pytest.approx(0.9)
    assert (analyze.slowest, analyze.fastest) == (45, 90)


def test_nothing_measured_is_no_division_by_zero() -> None:
    assert Measurement("limit", 0, 0.0).fps == 0
