"""The floor plan of a simulated hall: where people walk, the line that counts them and the zone that times them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipelines.types import BoolArray, Float64Array

Point = tuple[float, float]
"""On the floor, metres: x to the right, y away from the camera."""


@dataclass(frozen=True)
class Hall:
    """A hall in front of the camera, with a wall at its back.

    Attributes:
        near_m: where people turn at the nearest.
        far_m: where people turn at the farthest; the wall is one metre behind.
        half_width_m: of floor and wall.
        line: the counting line from `a` to `b`; *in* is to the right of somebody who walks from `a` to `b`.
        zone: corners of the timed zone, in order.
    """

    near_m: float = 4.8
    far_m: float = 15.0
    half_width_m: float = 14.0
    line: tuple[Point, Point] = ((0.0, 4.9), (0.0, 16.0))
    zone: tuple[Point, ...] = ((1.2, 8.0), (5.0, 8.0), (5.0, 12.0), (1.2, 12.0))

    def line_distance(self, points: Float64Array) -> Float64Array:
        """Distance of points ``[N, 2]`` from the endless line, metres, positive on the *in* side; ``[N]``."""
        a, direction, _ = self._line()
        return np.asarray((points - a) @ np.array([direction[1], -direction[0]]))

    def line_position(self, points: Float64Array) -> Float64Array:
        """How far along the line points ``[N, 2]`` are: 0 at its start, 1 at its end; ``[N]``."""
        a, direction, length = self._line()
        return np.asarray((points - a) @ direction / length)

    def line_end_distance(self, points: Float64Array) -> Float64Array:
        """Distance of points ``[N, 2]`` from the nearer end of the line, metres; ``[N]``."""
        ends = np.array(self.line)
        return np.asarray(np.linalg.norm(points[:, None] - ends, axis=2).min(axis=1))

    def zone_distance(self, points: Float64Array) -> Float64Array:
        """Distance of points ``[N, 2]`` from the zone's border, metres, positive inside; ``[N]``."""
        corners = np.array(self.zone)
        following = np.roll(corners, -1, axis=0)
        edge = following - corners
        offset = points[:, None] - corners
        share = np.clip((offset * edge).sum(2) / (edge * edge).sum(1), 0, 1)
        distance = np.linalg.norm(offset - share[..., None] * edge, axis=2).min(axis=1)
        return np.asarray(np.where(self._in_zone(points), distance, -distance))

    def _line(self) -> tuple[Float64Array, Float64Array, float]:
        """Start, unit direction and length."""
        a, b = np.array(self.line)
        length = float(np.linalg.norm(b - a))
        return a, (b - a) / length, length

    def _in_zone(self, points: Float64Array) -> BoolArray:
        """Even-odd rule: a ray towards +x crosses the border an odd number of times."""
        corners = np.array(self.zone)
        following = np.roll(corners, -1, axis=0)
        x, y = points[:, :1], points[:, 1:]
        spans = (corners[:, 1] > y) != (following[:, 1] > y)
        with np.errstate(divide="ignore", invalid="ignore"):
            slope = (following[:, 0] - corners[:, 0]) / (following[:, 1] - corners[:, 1])
            ahead = x < corners[:, 0] + (y - corners[:, 1]) * slope
        return np.asarray((spans & ahead).sum(1) % 2 == 1)
