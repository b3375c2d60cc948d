from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest

from pipelines.boxes import grown, pairwise_iou
from pipelines.tracking.matching import assign


def test_overlaps_of_boxes_worked_out_by_hand() -> None:
    a = np.array([[0, 0, 10, 10], [0, 0, 2, 2]], np.float64)
    b = np.array([[5, 0, 15, 10], [0, 0, 10, 10], [20, 20, 30, 30], [10, 0, 20, 10]], np.float64)
    assert pairwise_iou(a, b) == pytest.approx(np.array([[1 / 3, 1, 0, 0], [0, 0.04, 0, 0]]))


def test_no_boxes_have_no_overlaps() -> None:
    assert pairwise_iou(np.zeros((0, 4)), np.zeros((3, 4))).shape == (0, 3)
    assert pairwise_iou(np.zeros((1, 4)), np.zeros((1, 4))).tolist() == [[0.0]]


def test_widening_grows_each_side_by_a_share_of_the_box() -> None:
    assert grown(np.array([[10, 20, 20, 60]], np.float64), 0.5).tolist() == [[5, 0, 25, 80]]


def test_pairs_are_one_to_one_and_best_in_total() -> None:
    rng = np.random.default_rng(9)
    for _ in range(50):
        similarity = rng.random((4, 4))
        rows, columns = assign(similarity, 0.0)
        best = max(sum(similarity[i, p] for i, p in enumerate(order)) for order in permutations(range(4)))
        assert sorted(rows) == sorted(columns) == [0, 1, 2, 3]
        assert similarity[rows, columns].sum() == pytest.approx(best)


def test_no_pair_lies_below_the_least_overlap() -> None:
    similarity = np.array([[0.9, 0.1], [0.2, 0.1]])
    rows, columns = assign(similarity, 0.25)
    assert (rows.tolist(), columns.tolist()) == ([0], [0])


def test_a_forbidden_pair_pushes_no_good_pair_aside() -> None:
    # Taking 0.24 + 0.24 would beat 0.45 alone, were 0.24 not forbidden.
    similarity = np.array([[0.45, 0.24], [0.24, 0.0]])
    rows, columns = assign(similarity, 0.25)
    assert (rows.tolist(), columns.tolist()) == ([0], [0])


@pytest.mark.parametrize("shape", [(0, 3), (3, 0), (0, 0)])
def test_nobody_is_paired_with_nobody(shape: tuple[int, int]) -> None:
    rows, columns = assign(np.zeros(shape), 0.1)
    assert len(rows) == len(columns) == 0
