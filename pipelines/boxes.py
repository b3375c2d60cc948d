"""Geometry of boxes: the one place that knows how much two of them overlap.

Boxes are ``x1, y1, x2, y2`` with x right and y down, in any unit; results have the precision of what they are made of.
"""

from __future__ import annotations

from typing import TypeVar

import numpy as np
import numpy.typing as npt

Real = TypeVar("Real", np.float32, np.float64)
_LEAST = 1e-9
"""Stands in for an area of nothing, so that nothing over nothing is no overlap."""


def areas(boxes: npt.NDArray[Real]) -> npt.NDArray[Real]:
    """Of boxes ``[N, 4]``: ``[N]``; an inverted box has none."""
    sides = np.clip(boxes[:, 2:] - boxes[:, :2], 0, None)
    return np.asarray(sides[:, 0] * sides[:, 1])


def intersections(a: npt.NDArray[Real], b: npt.NDArray[Real]) -> npt.NDArray[Real]:
    """Area that every box of ``a`` ``[N, 4]`` shares with every box of ``b`` ``[M, 4]``: ``[N, M]``."""
    low = np.maximum(a[:, None, :2], b[None, :, :2])
    high = np.minimum(a[:, None, 2:], b[None, :, 2:])
    sides = np.clip(high - low, 0, None)
    return np.asarray(sides[..., 0] * sides[..., 1])


def pairwise_iou(a: npt.NDArray[Real], b: npt.NDArray[Real]) -> npt.NDArray[Real]:
    """Intersection over union of every box of ``a`` ``[N, 4]`` with every box of ``b`` ``[M, 4]``.

    Returns:
        ``[N, M]``, in [0, 1]; 0 where both boxes are empty.
    """
    shared = intersections(a, b)
    union = areas(a)[:, None] + areas(b)[None, :] - shared
    return np.asarray(shared / np.maximum(union, _LEAST))


def covered_shares(boxes: npt.NDArray[Real], regions: npt.NDArray[Real]) -> npt.NDArray[Real]:
    """Share of each box's area that lies in each region, ``[N, M]``."""
    return np.asarray(intersections(boxes, regions) / np.maximum(areas(boxes), _LEAST)[:, None])


def grown(boxes: npt.NDArray[Real], share: float) -> npt.NDArray[Real]:
    """Boxes grown by ``share`` of their own width and height on each side."""
    margin = (boxes[:, 2:] - boxes[:, :2]) * share
    return np.concatenate([boxes[:, :2] - margin, boxes[:, 2:] + margin], axis=1)
