"""Pictures that may leave a reader: scaled down, people unrecognisable unless the operator allows otherwise."""

from __future__ import annotations

import cv2
import numpy as np

from pipelines.types import Float32Array, Image

BLOCKS = 6
"""A pixelated person is this many blocks wide: enough to see that somebody is there, too few to see who."""

CELLS = 32
"""Blocks along the longer side of a picture that nobody has looked for people in."""


def pixelate(image: Image, boxes: Float32Array, margin: float = 0.12) -> Image:
    """``image`` with every box (and a margin of its size around it) made of coarse blocks, in place.

    Args:
        image: uint8 ``[H, W, 3]``.
        boxes: ``[N, 4]``, x1, y1, x2, y2, pixels of ``image``.
        margin: share of the box added on each side, because boxes are tight and doubtful.
    """
    height, width = image.shape[:2]
    for x1, y1, x2, y2 in boxes.tolist():
        grow_x, grow_y = (x2 - x1) * margin, (y2 - y1) * margin
        left, top = max(0, int(x1 - grow_x)), max(0, int(y1 - grow_y))
        right, bottom = min(width, int(np.ceil(x2 + grow_x))), min(height, int(np.ceil(y2 + grow_y)))
        if right <= left or bottom <= top:
            continue
        area = image[top:bottom, left:right]
        rows = max(1, round(BLOCKS * (bottom - top) / max(right - left, 1)))
        small = cv2.resize(area, (BLOCKS, min(rows, 4 * BLOCKS)), interpolation=cv2.INTER_AREA)
        area[:] = cv2.resize(small, (right - left, bottom - top), interpolation=cv2.INTER_NEAREST)
    return image


def mosaic(image: Image) -> Image:
    """All of ``image`` in coarse blocks: which view it is can be told, who stands in it cannot."""
    height, width = image.shape[:2]
    share = CELLS / max(height, width)
    cells = (max(1, round(width * share)), max(1, round(height * share)))
    small = cv2.resize(image, cells, interpolation=cv2.INTER_AREA)
    return cv2.resize(small, (width, height), interpolation=cv2.INTER_NEAREST).astype(np.uint8)


def encode_jpeg(image: Image, quality: int = 80) -> bytes:
    """Raises ValueError if OpenCV cannot encode it."""
    ok, content = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not ok:
        raise ValueError("the picture cannot be encoded")
    return content.tobytes()


def scale_down(image: Image, longest: int) -> tuple[Image, float]:
    """``image`` with no side longer than ``longest`` pixels, and the scale that was applied."""
    scale = min(1.0, longest / max(image.shape[:2]))
    if scale == 1.0:
        return image.copy(), 1.0
    return cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA).astype(np.uint8), scale
