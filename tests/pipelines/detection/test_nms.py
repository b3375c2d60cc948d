from __future__ import annotations

import time

import numpy as np
import pytest

from pipelines.boxes import pairwise_iou
from pipelines.detection.nms import suppress
from pipelines.types import Float32Array


def _naive_iou(a: Float32Array, b: Float32Array) -> float:
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    shared = max(width, 0) * max(height, 0)
    return shared / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - shared)


def _naive_suppress(boxes: Float32Array, scores: Float32Array, floor: float) -> list[tuple[int, int]]:
    pairs = [(a, k) for a in range(len(boxes)) for k in range(scores.shape[1]) if scores[a, k] >= floor]
    kept: list[tuple[int, int]] = []
    for a, k in sorted(pairs, key=lambda pair: -scores[pair])[:300]:
        if all(k != other_k or _naive_iou(boxes[a], boxes[other]) <= 0.5 for other, other_k in kept):
            kept.append((a, k))
    return kept


def _crowd(seed: int, count: int, classes: int) -> tuple[Float32Array, Float32Array]:
    rng = np.random.default_rng(seed)
    corner, size = rng.uniform(0, 200, (count, 2)), rng.uniform(10, 80, (count, 2))
    boxes = np.concatenate([corner, corner + size], axis=1).astype(np.float32)
    return boxes, rng.uniform(0, 1, (count, classes)).astype(np.float32)


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("classes", [1, 3])
def test_it_agrees_with_the_naive_algorithm(seed: int, classes: int) -> None:
    boxes, scores = _crowd(seed, 150, classes)
    kept = _naive_suppress(boxes, scores, 0.1)
    found = suppress(boxes, scores)
    np.testing.assert_array_equal(found.boxes, boxes[[a for a, _ in kept]])
    np.testing.assert_array_equal(found.classes, [k for _, k in kept])
    np.testing.assert_array_equal(found.scores, [scores[pair] for pair in kept])


def test_scores_fall_from_first_to_last() -> None:
    found = suppress(*_crowd(3, 200, 2))
    assert len(found) > 5
    assert (np.diff(found.scores) <= 0).all()


def test_boxes_of_different_classes_do_not_suppress_each_other() -> None:
    boxes = np.array([[0, 0, 10, 10], [0, 0, 10, 10]], np.float32)
    found = suppress(boxes, np.array([[0.9, 0.0], [0.0, 0.8]], np.float32))
    assert found.classes.tolist() == [0, 1]


def test_of_equal_boxes_the_first_stays() -> None:
    boxes = np.array([[0, 0, 10, 10], [0, 0, 10, 10], [50, 0, 60, 10]], np.float32)
    found = suppress(boxes, np.full((3, 1), 0.5, np.float32))
    np.testing.assert_array_equal(found.boxes, boxes[[0, 2]])


def test_a_box_that_lost_suppresses_nothing() -> None:
    boxes = np.array([[0, 0, 10, 10], [3, 0, 13, 10], [6, 0, 16, 10]], np.float32)
    found = suppress(boxes, np.array([[0.9], [0.8], [0.7]], np.float32))
    np.testing.assert_array_equal(found.boxes, boxes[[0, 2]])


def test_scores_below_the_floor_are_dropped() -> None:
    boxes, _ = _crowd(0, 4, 1)
    assert len(suppress(boxes, np.full((4, 1), 0.09, np.float32))) == 0


def test_nothing_in_gives_nothing_out_with_the_right_shapes() -> None:
    found = suppress(np.zeros((0, 4), np.float32), np.zeros((0, 1), np.float32))
    assert found.boxes.shape == (0, 4)
    assert found.scores.dtype == np.float32
    assert found.classes.dtype == np.int32


def test_only_the_best_candidates_are_looked_at() -> None:
    boxes = np.array([[20 * i, 0, 20 * i + 10, 10] for i in range(50)], np.float32)
    scores = np.linspace(0.2, 0.9, 50, dtype=np.float32)[:, None]
    found = suppress(boxes, scores, candidates=10)
    np.testing.assert_array_equal(found.boxes, boxes[:-11:-1])


def test_empty_boxes_overlap_nothing() -> None:
    boxes = np.array([[5, 5, 5, 5], [9, 9, 3, 3]], np.float32)
    assert not pairwise_iou(boxes, boxes).any()


def test_three_hundred_candidates_take_a_few_milliseconds() -> None:
    boxes, scores = _crowd(1, 300, 1)
    scores = scores * 0.5 + 0.5
    best = min(_seconds(boxes, scores) for _ in range(5))
    assert best < 0.05


def _seconds(boxes: Float32Array, scores: Float32Array) -> float:
    start = time.perf_counter()
    suppress(boxes, scores)
    return time.perf_counter() - start
