"""What is measured of one picture, to tell a camera that goes wrong from a scene that changes.

Nothing in here can be turned back into a picture: what leaves this module are means over forty-eight blocks, and a few
numbers of the whole.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

from pipelines.types import Float32Array, Image

WIDTH_PX = 320
"""Pictures are looked at in this width: what cannot be seen in it, a detector does not need."""
ROWS, COLUMNS = 6, 8
SMOOTH = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32)
"""Zero on flat and evenly sloping parts (Immerkaer: Fast Noise Variance Estimation, 1996)."""
SMOOTH_GAIN = 6.0
"""Standard deviation of what `SMOOTH` makes of noise with one of 1."""
MEDIAN_SHARE = 0.6745
"""Median of the absolute value, of a normal distribution with a standard deviation of 1."""
LEAST_SIDE_PX = 48
SAME = 0.1
"""Levels of mean difference below which two blocks are the same: what a codec makes of nothing."""

GreyImage: TypeAlias = npt.NDArray[np.uint8]
"""uint8 ``[height, width]``."""


@dataclass(frozen=True, slots=True, eq=False)
class PictureFeatures:
    """What one picture is like.

    Attributes:
        luma: float32 ``[6, 8]``, mean brightness of each block, levels of 0 to 255.
        texture: float32 ``[6, 8]``, standard deviation of the brightness in each block, levels.
        detail: float32 ``[6, 8]``, mean size of the Laplacian in each block, levels: fine structure, and noise.
        noise: standard deviation of what is not structure, levels; of the quieter half of the picture.
        changed: share of the blocks that are not as in the picture before; None for the first one, and after a change
            of size.
    """

    luma: Float32Array
    texture: Float32Array
    detail: Float32Array
    noise: float
    changed: float | None

    @property
    def brightness(self) -> float:
        """Mean of the whole picture, levels."""
        return float(self.luma.mean())


def grey_of(picture: Image) -> GreyImage | None:
    """A picture in the size and depth in which it is looked at; None if it is too small to tell anything.

    Args:
        picture: uint8 ``[height, width, 3]``, BGR, any size.
    """
    height, width = picture.shape[:2]
    if min(height, width) < LEAST_SIDE_PX:
        return None
    grey = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)
    if width > WIDTH_PX:
        size = WIDTH_PX, max(round(height * WIDTH_PX / width), LEAST_SIDE_PX)
        grey = cv2.resize(grey, size, interpolation=cv2.INTER_AREA)
    return np.asarray(grey, np.uint8)


def measure(grey: GreyImage, before: GreyImage | None) -> PictureFeatures:
    """The features of a picture.

    Args:
        grey: of `grey_of`.
        before: the picture that was measured before it, if there is one.
    """
    levels = grey.astype(np.float32)
    luma = _blocks(levels)
    texture = np.sqrt(np.maximum(_blocks(levels * levels) - luma * luma, 0))
    detail = _blocks(np.abs(cv2.Laplacian(grey, cv2.CV_32F)))
    changed = None
    if before is not None and before.shape == grey.shape:
        differs = _blocks(cv2.absdiff(grey, before).astype(np.float32))
        changed = float(np.mean(differs >= SAME))
    return PictureFeatures(luma, texture, detail, _noise(grey), changed)


def _blocks(values: Float32Array) -> Float32Array:
    """Means over the blocks."""
    return np.asarray(cv2.resize(values, (COLUMNS, ROWS), interpolation=cv2.INTER_AREA), np.float32)


def _noise(grey: GreyImage) -> float:
    """Noise, without what structure adds to it: the median does not see the few pixels where edges meet."""
    response = cv2.convertScaleAbs(cv2.filter2D(grey, cv2.CV_16S, SMOOTH))
    counts = cv2.calcHist([response], [0], None, [256], [0, 256]).ravel()
    below = np.cumsum(counts)
    half = below[-1] / 2
    index = int(np.searchsorted(below, half))
    before = float(below[index - 1]) if index else 0.0
    # Whole levels are too coarse for what is usually one or two: within its level, the median is interpolated.
    median = index + (half - before) / float(counts[index]) - 0.5
    return max(float(median), 0.0) / MEDIAN_SHARE / SMOOTH_GAIN
