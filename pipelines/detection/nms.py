"""Greedy non-maximum suppression: one box an object."""

from __future__ import annotations

import numpy as np

from pipelines.boxes import pairwise_iou
from pipelines.types import BoolArray, Detections, Float32Array, Int32Array


def suppress(
    boxes: Float32Array,
    scores: Float32Array,
    *,
    score_floor: float = 0.1,
    iou_threshold: float = 0.5,
    candidates: int = 300,
) -> Detections:
    """Keep the best box of every pile of overlapping ones, class by class.

    A box and class with the highest score stays; boxes of the same class that overlap it by more than `iou_threshold`
    go; and so on with the next. A candidate may be kept for several classes. Of equal scores the earlier wins, so that
    the result never depends on the rest of the batch.

    Args:
        boxes: ``[A, 4]``, x1, y1, x2, y2.
        scores: ``[A, K]``, in [0, 1].
        score_floor: lower scores are not looked at.
        iou_threshold: intersection over union above which two boxes are one object.
        candidates: only so many of the best pairs of box and class are looked at.

    Returns:
        Boxes in the coordinates given, best score first.
    """
    anchors, classes = np.nonzero(scores >= score_floor)
    if len(anchors) == 0:
        return Detections.empty()
    found = scores[anchors, classes]
    order = np.argsort(-found, kind="stable")[:candidates]
    best_boxes = boxes[anchors[order]].astype(np.float32, copy=False)
    best_classes = classes[order].astype(np.int32)
    keep = greedy_keep(best_boxes, best_classes, iou_threshold)
    return Detections(best_boxes[keep], found[order][keep].astype(np.float32, copy=False), best_classes[keep])


def greedy_keep(boxes: Float32Array, classes: Int32Array, iou_threshold: float) -> BoolArray:
    """Which boxes survive, given in order of falling score.

    Args:
        boxes: ``[N, 4]``.
        classes: ``[N]``.
        iou_threshold: see `suppress`.

    Returns:
        ``[N]``, true where the box stays.
    """
    rivals = (pairwise_iou(boxes, boxes) > iou_threshold) & (classes[:, None] == classes[None, :])
    keep = np.ones(len(boxes), np.bool_)
    for i in np.flatnonzero(np.triu(rivals, k=1).any(axis=1)):
        if keep[i]:
            keep[i + 1 :] &= ~rivals[i, i + 1 :]
    return keep
