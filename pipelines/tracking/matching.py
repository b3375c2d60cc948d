"""Which detection continues which track: overlaps and one-to-one assignment."""

from __future__ import annotations

import numpy as np
from scipy.optimize import linear_sum_assignment

from pipelines.types import Float64Array, Int64Array


def iou_matrix(a: Float64Array, b: Float64Array) -> Float64Array:
    """Intersection over union of every box of ``a`` ``[N, 4]`` with every box of ``b`` ``[M, 4]``: ``[N, M]``."""
    low = np.maximum(a[:, None, :2], b[None, :, :2])
    high = np.minimum(a[:, None, 2:], b[None, :, 2:])
    sides = np.clip(high - low, 0.0, None)
    intersection = sides[..., 0] * sides[..., 1]
    union = area(a)[:, None] + area(b)[None, :] - intersection
    return np.asarray(intersection / np.maximum(union, 1e-9))


def area(boxes: Float64Array) -> Float64Array:
    """``[N, 4]`` to ``[N]``; an inverted box has none."""
    return np.asarray(np.clip(boxes[:, 2] - boxes[:, 0], 0, None) * np.clip(boxes[:, 3] - boxes[:, 1], 0, None))


def widen(boxes: Float64Array, share: float) -> Float64Array:
    """Boxes grown by ``share`` of their own width and height on each side.

    Overlaps of widened boxes still tell neighbours apart when people have moved further than their own width between
    two frames (Yang et al.: Hard to Track Objects with Irregular Motions and Similar Appearances, WACV 2023).
    """
    margin = (boxes[:, 2:] - boxes[:, :2]) * share
    return np.concatenate([boxes[:, :2] - margin, boxes[:, 2:] + margin], axis=1)


def assign(similarity: Float64Array, at_least: float) -> tuple[Int64Array, Int64Array]:
    """The one-to-one pairs of largest total similarity, none below ``at_least``.

    Args:
        similarity: ``[N, M]``, larger is better.
        at_least: pairs below this are never made.

    Returns:
        Row and column indices of the pairs, both ``[P]``.
    """
    if not similarity.size:
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    # A forbidden pair is worth nothing, so that it cannot push a good pair aside only to be thrown away afterwards.
    rows, columns = linear_sum_assignment(np.where(similarity >= at_least, similarity, 0.0), maximize=True)
    kept = similarity[rows, columns] >= at_least
    return rows[kept].astype(np.int64), columns[kept].astype(np.int64)
