from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.durations import BOUNDS_S, WINDOW_S, Durations, RecentDurations, quantile


def test_a_bound_belongs_to_the_bin_below_it() -> None:
    found = Durations()
    for duration_s in (0.0, BOUNDS_S[0], BOUNDS_S[0] + 1e-6, BOUNDS_S[-1], BOUNDS_S[-1] + 1):
        found.add(duration_s)
    assert found.counts[:2] == [2, 1]
    assert found.counts[-2:] == [1, 1]
    assert found.total_s == pytest.approx(2 * BOUNDS_S[0] + 2 * BOUNDS_S[-1] + 1, abs=1e-5)


def test_a_clock_that_was_set_back_makes_nothing_negative() -> None:
    found = Durations()
    found.add(-5.0)
    assert found.counts[0] == 1
    assert found.total_s == 0


@given(st.lists(st.floats(0, 100)), st.lists(st.floats(0, 100)))
def test_merged_is_what_both_have_counted(one: list[float], other: list[float]) -> None:
    first, second, both = Durations(), Durations(), Durations()
    for durations, target in ((one, first), (other, second), (one + other, both)):
        for duration_s in durations:
            target.add(duration_s)
    first.merge(second)
    assert first.counts == both.counts
    assert first.total_s == pytest.approx(both.total_s)


@given(st.lists(st.floats(0, BOUNDS_S[-1]), min_size=1), st.floats(0, 1))
def test_a_quantile_lies_in_the_bin_of_the_true_one(durations: list[float], share: float) -> None:
    found = Durations()
    for duration_s in durations:
        found.add(duration_s)
    value = quantile(found.counts, share)
    truth = float(np.quantile(durations, share, method="inverted_cdf"))
    assert value is not None
    edges = (0.0, *BOUNDS_S)
    low, high = next((a, b) for a, b in itertools.pairwise(edges) if a <= truth <= b)
    assert low <= value <= high


def test_nothing_has_no_quantile_and_what_has_no_bound_counts_as_the_last_one() -> None:
    assert quantile(Durations().counts, 0.5) is None
    far = Durations()
    far.add(1000.0)
    assert quantile(far.counts, 0.5) == BOUNDS_S[-1]


def test_what_is_long_ago_is_not_recent() -> None:
    recent = RecentDurations()
    for number in range(10):
        recent.add(0.02, 100.0 + number)
    assert recent.quantile(0.5, 110.0) == pytest.approx(0.015)
    recent.add(2.0, 100.0 + WINDOW_S)
    assert recent.quantile(0.99, 100.0 + WINDOW_S) is not None
    assert recent.quantile(0.5, 100.0 + 2 * WINDOW_S) == pytest.approx(1.75)
    assert recent.quantile(0.5, 100.0 + 4 * WINDOW_S) is None
    assert sum(recent.all.counts) == 11
