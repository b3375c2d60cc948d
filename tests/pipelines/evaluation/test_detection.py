from __future__ import annotations

import math

import numpy as np
import pytest

from pipelines.evaluation.detection import LabelledImage, Matches, ScoringSet, average_precision, evaluate, match
from pipelines.types import Detections, Float32Array, ImageBatch


def _boxes(*boxes: tuple[float, float, float, float]) -> Float32Array:
    return np.array(boxes, np.float32).reshape(-1, 4)


def _found(*boxes: tuple[float, float, float, float]) -> Detections:
    """Detections of falling score."""
    scores = np.linspace(0.9, 0.5, len(boxes), dtype=np.float32)
    return Detections(_boxes(*boxes), scores, np.zeros(len(boxes), np.int32))


def _matches(*right: bool) -> Matches:
    return Matches(np.linspace(0.9, 0.1, len(right), dtype=np.float32), np.array(right, np.bool_))


NOBODY = _boxes()
A, B = (0, 0, 10, 20), (50, 0, 60, 20)


def test_a_person_counts_once_and_for_the_better_detection() -> None:
    assert match(_found(A, (0, 0, 10, 19)), _boxes(A), NOBODY).right.tolist() == [True, False]


def test_a_detection_takes_the_person_it_overlaps_most() -> None:
    result = match(_found((0, 0, 10, 16), (0, 0, 10, 12)), _boxes((0, 0, 10, 12), (0, 0, 10, 16)), NOBODY)
    assert result.right.tolist() == [True, True]


def test_too_little_overlap_is_wrong() -> None:
    assert match(_found((0, 0, 10, 9)), _boxes(A), NOBODY).right.tolist() == [False]


def test_a_detection_in_an_ignore_region_is_neither_right_nor_wrong() -> None:
    result = match(_found(A, B), _boxes(B), _boxes((0, 0, 40, 40)))
    assert result.right.tolist() == [True]
    assert result.scores.tolist() == [0.5]


def test_a_person_in_an_ignore_region_still_counts() -> None:
    assert match(_found(A), _boxes(A), _boxes((0, 0, 40, 40))).right.tolist() == [True]


def test_an_image_without_people_or_detections_has_no_matches() -> None:
    assert len(match(Detections.empty(), NOBODY, NOBODY).right) == 0
    assert match(_found(A), NOBODY, NOBODY).right.tolist() == [False]


def test_perfect_detections_have_an_ap_of_one() -> None:
    assert average_precision([_matches(True, True), _matches(True)], 3) == pytest.approx(1)


def test_ap_is_the_mean_precision_at_101_recalls() -> None:
    # Precision 1 up to recall 1/2 (51 of the 101 recalls), 2/3 up to recall 1 (50 of them).
    assert average_precision([_matches(True, False, True)], 2) == pytest.approx((51 * 1 + 50 * 2 / 3) / 101)


def test_recalls_never_reached_count_as_zero() -> None:
    assert average_precision([_matches(True)], 2) == pytest.approx(51 / 101)


def test_nothing_found_is_zero_and_nobody_to_find_is_undefined() -> None:
    assert average_precision([_matches()], 4) == 0
    assert average_precision([], 4) == 0
    assert math.isnan(average_precision([_matches(False)], 0))


def test_scores_are_compared_across_images() -> None:
    good = Matches(np.array([0.9], np.float32), np.array([True]))
    bad = Matches(np.array([0.95], np.float32), np.array([False]))
    assert average_precision([good, bad], 1) == pytest.approx(0.5)


class _Oracle:
    """Answers each image with one box, and one of another class around it."""

    input_size = (32, 64)

    def __init__(self, classes: tuple[str, ...]) -> None:
        self.classes = classes

    def detect(self, batch: ImageBatch) -> list[Detections]:
        boxes = _boxes((8, 8, 16, 24), (30, 8, 40, 24))
        return [Detections(boxes, np.array([0.9, 0.8], np.float32), np.array([1, 0], np.int32)) for _ in batch]

    def close(self) -> None:
        pass


def test_boxes_are_compared_in_pixels_of_the_image_and_only_persons_count() -> None:
    image = LabelledImage(np.zeros((64, 128, 3), np.uint8), _boxes((16, 16, 32, 48)), NOBODY)
    done: list[int] = []
    score = evaluate(_Oracle(("car", "person")), ScoringSet("two", lambda: [image, image]), done.append)
    assert (score.ap50, score.images, score.people, score.scoring_set) == (pytest.approx(1), 2, 2, "two")
    assert done == [1, 2]


def test_a_detector_without_persons_cannot_be_scored() -> None:
    with pytest.raises(ValueError, match="finds no person, only: car"):
        evaluate(_Oracle(("car",)), ScoringSet("none", list))
