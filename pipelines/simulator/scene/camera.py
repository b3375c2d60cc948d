"""A pinhole camera that looks down a hall.

World coordinates are metres: x to the right, y away from the camera, z up, the origin on the floor below the camera.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from pipelines.simulator.settings import LARGEST_PX, NARROWEST, SMALLEST_PX, WIDEST
from pipelines.types import Float64Array

REFERENCE_ASPECT = 16 / 9
"""Frames wider than this see more to the sides, not less above and below."""


@dataclass(frozen=True)
class Camera:
    """Size, lens and place of a camera.

    Attributes:
        width: of a frame, pixels, even.
        height: of a frame, pixels, even.
        field_of_view_deg: horizontal, of a frame of 16 to 9 or narrower.
        up_m: height above the floor.
        pitch_deg: how far it looks below the horizon.
    """

    width: int = 640
    height: int = 360
    field_of_view_deg: float = 62.0
    up_m: float = 3.2
    pitch_deg: float = 17.0

    def __post_init__(self) -> None:
        size = f"{self.width}x{self.height}"
        if self.width % 2 or self.height % 2:
            raise ValueError(f"frame size {size}: both sides must be even, as the video format halves the colours")
        if min(self.width, self.height) < SMALLEST_PX or max(self.width, self.height) > LARGEST_PX:
            raise ValueError(f"frame size {size}: both sides must be between {SMALLEST_PX} and {LARGEST_PX} pixels")
        if not NARROWEST <= self.width / self.height <= WIDEST:
            raise ValueError(f"frame size {size}: the width must be {NARROWEST} to {WIDEST} times the height")

    @cached_property
    def focal_px(self) -> float:
        side = min(self.width, self.height * REFERENCE_ASPECT)
        return side / 2 / math.tan(math.radians(self.field_of_view_deg / 2))

    @cached_property
    def rotation(self) -> Float64Array:
        """``[3, 3]``, from the world to the camera's right, down and forward."""
        cos, sin = math.cos(math.radians(self.pitch_deg)), math.sin(math.radians(self.pitch_deg))
        return np.array([[1, 0, 0], [0, -sin, -cos], [0, cos, -sin]])

    def project(self, points: npt.ArrayLike) -> tuple[Float64Array, Float64Array]:
        """Where world points ``[..., 3]`` appear.

        Returns:
            Pixels ``[..., 2]`` (x right, y down) and distances ``[...]`` along the line of sight, metres.
        """
        seen = (np.asarray(points, np.float64) - [0, 0, self.up_m]) @ self.rotation.T
        pixels = seen[..., :2] / seen[..., 2:] * self.focal_px + [self.width / 2, self.height / 2]
        return pixels, seen[..., 2]

    def project_floor(self, points: npt.ArrayLike) -> tuple[Float64Array, Float64Array]:
        """Where points ``[..., 2]`` of the floor appear; see `project`."""
        flat = np.asarray(points, np.float64)
        return self.project(np.concatenate([flat, np.zeros((*flat.shape[:-1], 1))], axis=-1))

    def outline(self, feet: npt.ArrayLike, height_m: float = 1.8) -> Float64Array:
        """Boxes of upright people ``[N, 4]`` (x1, y1, x2, y2, pixels), from foot points on the floor ``[N, 2]``."""
        pixels, distance = self.project_floor(feet)
        tall = self.focal_px / distance * height_m
        x, y = pixels[..., 0], pixels[..., 1]
        return np.stack([x - 0.2 * tall, y - tall, x + 0.2 * tall, y], axis=-1)
