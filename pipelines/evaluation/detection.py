"""How good a detector is: average precision over labelled images.

AP50 here is COCO's: a detection is right if it overlaps a person, not yet taken by a better one, with an intersection
over union of at least 0.5; precision is interpolated at the 101 recalls 0, 0.01 ... 1 (Lin et al., ECCV 2014, and
pycocotools). Ignore regions follow COCO's crowds: a detection that finds no person, and half of whose area lies in one
of them, is neither right nor wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from pipelines.boxes import covered_shares, pairwise_iou
from pipelines.detection.base import Detector
from pipelines.evaluation.images import letterbox
from pipelines.types import BoolArray, Detections, Float32Array, Image

RECALLS = np.linspace(0, 1, 101)


@dataclass(frozen=True, slots=True)
class LabelledImage:
    """An image and the people in it.

    Attributes:
        image: BGR.
        people: float32 ``[N, 4]``, x1, y1, x2, y2, pixels of the image.
        ignored: float32 ``[M, 4]``, regions in which detections do not count.
    """

    image: Image
    people: Float32Array
    ignored: Float32Array


@dataclass(frozen=True, slots=True)
class ScoringSet:
    """Labelled images under a name.

    Attributes:
        name: for reports.
        images: starts a fresh pass over them; they need not fit into memory together.
    """

    name: str
    images: Callable[[], Iterable[LabelledImage]]


@dataclass(frozen=True, slots=True)
class Score:
    """Result of an evaluation.

    Attributes:
        ap50: in [0, 1].
        images: how many there were.
        people: how many were labelled in them, ignore regions aside.
        scoring_set: its name.
    """

    ap50: float
    images: int
    people: int
    scoring_set: str


@dataclass(frozen=True, slots=True)
class Matches:
    """What became of the detections of one image, those in ignore regions left out.

    Attributes:
        scores: float32 ``[N]``, falling.
        right: ``[N]``, true where a person was found.
    """

    scores: Float32Array
    right: BoolArray


def evaluate(
    detector: Detector, scoring: ScoringSet, progress: Callable[[int], None] | None = None, iou: float = 0.5
) -> Score:
    """Run a detector over a scoring set. Of its classes only ``person`` counts.

    Args:
        detector: with a low score floor, or the tail of its curve is cut off.
        scoring: the images.
        progress: told of the number of images done.
        iou: overlap that makes a detection right.

    Raises:
        ValueError: the detector has no class ``person``.
    """
    if "person" not in detector.classes:
        raise ValueError(f"the detector finds no person, only: {', '.join(detector.classes)}")
    person = detector.classes.index("person")
    matches, people = [], 0
    for sample in scoring.images():
        letterboxed, placement = letterbox(sample.image, detector.input_size)
        found = detector.detect(letterboxed[None])[0]
        chosen = found.classes == person
        detections = Detections(found.boxes[chosen], found.scores[chosen], found.classes[chosen])
        matches.append(match(placement.to_source(detections), sample.people, sample.ignored, iou))
        people += len(sample.people)
        if progress is not None:
            progress(len(matches))
    return Score(average_precision(matches, people), len(matches), people, scoring.name)


def match(detections: Detections, people: Float32Array, ignored: Float32Array, iou: float = 0.5) -> Matches:
    """Give every detection, best first, the free person that it overlaps most.

    Args:
        detections: of one image, best score first.
        people: ``[N, 4]``, in the same pixels.
        ignored: ``[M, 4]``.
        iou: least overlap.
    """
    overlaps = pairwise_iou(detections.boxes, people)
    in_ignored = covered_shares(detections.boxes, ignored).max(axis=1, initial=0) >= iou
    free = np.ones(len(people), np.bool_)
    right = np.zeros(len(detections), np.bool_)
    for i, row in enumerate(overlaps):
        candidates = np.where(free, row, 0)
        best = int(candidates.argmax()) if len(candidates) else -1
        if best >= 0 and candidates[best] >= iou:
            free[best] = False
            right[i] = True
    counted = right | ~in_ignored
    return Matches(detections.scores[counted], right[counted])


def average_precision(matches: Sequence[Matches], people: int) -> float:
    """Area under the precision-recall curve, 101-point interpolation.

    Args:
        matches: of all images.
        people: labelled in all images; with none the result is nan.
    """
    if people == 0:
        return float("nan")
    if not matches:
        return 0.0
    scores = np.concatenate([image.scores for image in matches])
    right = np.concatenate([image.right for image in matches])[np.argsort(-scores, kind="stable")]
    found = np.cumsum(right)
    recall = found / people
    precision = found / np.arange(1, len(right) + 1)
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    places = np.searchsorted(recall, RECALLS, side="left")
    return float(np.append(envelope, 0.0)[places].mean())
