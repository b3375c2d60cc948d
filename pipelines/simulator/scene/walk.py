"""One person's random way through the hall, sampled once per frame."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from pipelines.simulator.people.look import look_of
from pipelines.simulator.people.sprites import POSES, STANDING
from pipelines.simulator.scene.camera import Camera
from pipelines.simulator.scene.hall import Hall
from pipelines.types import Float64Array, Int64Array

STANDS_BELOW_M_S = 0.25
CYCLE_M = 1.42
"""Way that a body of size 1 makes in two steps."""

TALLEST_M = 1.8
SIDES = (-1, 0, 1)
"""Where people come from and leave to: the left edge, the near end, the right edge of the view."""

SHARE_STOPPING = 0.35
"""Of the people, who stop in the zone for a while."""


@dataclass(frozen=True, slots=True, eq=False)
class Walk:
    """Attributes are sampled at frames `start`, `start` + 1 and so on.

    Attributes:
        id: of the person, from 1, unique in a scene.
        look: number of the person's look.
        start: the first frame; may be negative.
        feet: float64 ``[n, 2]``, foot points on the floor, metres.
        heading_rad: float64 ``[n]``; 0 walks away from the camera, counter-clockwise from above.
        pose: int64 ``[n]``, frame of the gait, or `STANDING`.
    """

    id: int
    look: int
    start: int
    feet: Float64Array
    heading_rad: Float64Array
    pose: Int64Array

    @property
    def stop(self) -> int:
        """The first frame after the walk."""
        return self.start + len(self.feet)

    def within(self, frames: int) -> slice:
        """The samples that fall into a clip of so many frames."""
        return slice(min(max(-self.start, 0), len(self.feet)), max(min(frames - self.start, len(self.feet)), 0))


class WalkSource:
    """Draws walks: in at one edge of the view, perhaps by a point or a stop inside, out at an edge.

    Args:
        camera: whose view people come into.
        hall: its floor plan.
        fps: frames a second.
        looks: how many different people there are.
        rng: where all chance comes from.
    """

    def __init__(self, camera: Camera, hall: Hall, fps: float, looks: int, rng: np.random.Generator) -> None:
        self._camera = camera
        self._hall = hall
        self._fps = fps
        self._looks = looks
        self._rng = rng

    def draw(self, number: int, start: int) -> Walk:
        """A walk of person `number` that begins at frame `start`."""
        look = look_of(int(self._rng.integers(self._looks)))
        feet = self._smoothed(self._path(float(self._rng.uniform(1.0, 1.5))))
        velocity = np.gradient(feet, axis=0) * self._fps
        speed = np.hypot(velocity[:, 0], velocity[:, 1])
        standing = speed < STANDS_BELOW_M_S
        cycles = np.cumsum(speed) / self._fps / (CYCLE_M * look.stride * look.size) + self._rng.random()
        pose = np.where(standing, STANDING, np.floor(cycles % 1 * POSES)).astype(np.int64)
        heading = np.unwrap(np.arctan2(-velocity[:, 0], velocity[:, 1]))
        return Walk(number, look.number, start, feet, _held(heading, standing), pose)

    def _path(self, speed_m_s: float) -> Float64Array:
        """Foot points with sharp corners; ``[n, 2]``."""
        rng, hall = self._rng, self._hall
        side = int(rng.choice(SIDES, p=[0.4, 0.2, 0.4]))
        stops = bool(rng.random() < SHARE_STOPPING)
        if stops:
            low, high = np.min(hall.zone, axis=0), np.max(hall.zone, axis=0)
            via = rng.uniform(low + 0.4, high - 0.4)
        else:
            via = np.array([rng.uniform(-3, 3), rng.uniform(hall.near_m + 1, hall.far_m - 0.5)])
        first = self._edge(side)
        detours = stops or side == 0 or bool(rng.random() < 0.5)
        last = self._edge(-side if rng.random() < 0.6 else int(rng.choice(SIDES)))
        if not detours:
            return self._straight(first, last, speed_m_s)
        pause = int(rng.uniform(2, 8) * self._fps) if stops else 0
        legs = (self._straight(first, via, speed_m_s), np.repeat(via[None], pause, 0))
        return np.concatenate([*legs, self._straight(via, last, speed_m_s)])

    def _edge(self, side: int) -> Float64Array:
        """A random point just out of view."""
        camera = self._camera
        if side == 0:
            half_view = math.atan(camera.height / 2 / camera.focal_px)
            ahead = (camera.up_m - TALLEST_M) / math.tan(math.radians(camera.pitch_deg) + half_view)
            return np.array([self._rng.uniform(-1.5, 1.5), max(ahead - 0.3, 0.2)])
        away = self._rng.uniform(self._hall.near_m + 0.8, self._hall.far_m - 0.5)
        half_width = away / math.cos(math.radians(camera.pitch_deg)) * camera.width / 2 / camera.focal_px
        return np.array([side * (half_width * 1.02 + 1), away])

    def _straight(self, start: Float64Array, end: Float64Array, speed_m_s: float) -> Float64Array:
        samples = max(int(np.linalg.norm(end - start) / speed_m_s * self._fps), 2)
        return start + (end - start) * np.linspace(0, 1, samples, endpoint=False)[:, None]

    def _smoothed(self, path: Float64Array) -> Float64Array:
        """The path with its corners rounded over a second."""
        half = max(min(int(self._fps / 2), len(path) - 1), 1)
        extended = np.concatenate([2 * path[0] - path[half:0:-1], path, 2 * path[-1] - path[-2 : -half - 2 : -1]])
        kernel = np.hanning(2 * half + 3)[1:-1]
        kernel /= kernel.sum()
        return np.stack([np.convolve(extended[:, axis], kernel, "valid") for axis in (0, 1)], axis=1)


def _held(heading_rad: Float64Array, standing: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> Float64Array:
    """Headings, with that of the last step kept while somebody stands."""
    index = np.where(standing, 0, np.arange(len(heading_rad)))
    return np.asarray(heading_rad[np.maximum.accumulate(index)])
