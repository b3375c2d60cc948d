from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from analytics.counting.histogram import MAX_BIN, RATIO, bin_of, edges, merge, quantile


@pytest.mark.parametrize("duration_s", [0.0, 0.1, 0.5, 0.51, 1.0, 3.0, 29.9, 60.0, 3600.0, 86_400.0])
def test_a_duration_lies_between_the_edges_of_its_bin(duration_s: float) -> None:
    low, high = edges(bin_of(duration_s))
    assert low - 1e-9 <= duration_s <= high + 1e-9


def test_every_edge_begins_its_own_bin() -> None:
    for index in range(1, 100):
        assert bin_of(edges(index)[0] * 1.0001) == index
        assert bin_of(edges(index)[1] * 0.9999) == index


def test_bins_end_somewhere() -> None:
    assert bin_of(1e12) == MAX_BIN


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.99])
def test_quantiles_are_right_within_a_bin(share: float) -> None:
    stays = np.random.default_rng(5).lognormal(3, 1, 4000)
    estimated = quantile(Counter(bin_of(s) for s in stays), share)
    assert estimated == pytest.approx(float(np.quantile(stays, share)), rel=RATIO - 1)


def test_a_single_stay_is_its_own_median() -> None:
    assert quantile({bin_of(20.0): 1}, 0.5) == pytest.approx(20.0, rel=RATIO - 1)


def test_nothing_has_no_quantile() -> None:
    assert quantile({}, 0.5) is None
    assert quantile({3: 0}, 0.5) is None


def test_parts_merge_to_the_whole_in_any_order() -> None:
    stays = np.random.default_rng(6).lognormal(2, 1, 500)
    parts = [Counter(bin_of(s) for s in part) for part in np.array_split(stays, 7)]
    assert merge(*parts) == merge(*reversed(parts)) == Counter(bin_of(s) for s in stays)
