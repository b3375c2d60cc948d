"""A scene: people walk through a hall before a camera, every frame known to the pixel."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from pipelines.simulator.people.look import look_of
from pipelines.simulator.people.sprite_cache import SpriteCache, default_cache
from pipelines.simulator.people.sprites import DIRECTIONS, MIP_LEVELS, Pixels, Sprite, SpriteKey
from pipelines.simulator.scene import truth
from pipelines.simulator.scene.background import paint_background
from pipelines.simulator.scene.camera import Camera
from pipelines.simulator.scene.hall import Hall
from pipelines.simulator.scene.plan import make_plan
from pipelines.simulator.scene.truth import Crossing, Person, Visit
from pipelines.simulator.scene.walk import Walk
from pipelines.types import Float64Array, Image

LOOKED_AT_M = 0.9
"""Height at which a person's elevation is taken."""

MEASURED_M = 1.7
"""Height, of a person of size 1, over which the scale and slant of a sprite are measured."""

ELEVATION_STEP_DEG = 8
LOWEST_ELEVATION_DEG = 4
SHARPNESS = 0.15
"""How much a sprite level may be enlarged before the next larger one is taken, in powers of two."""

GRAINS = 8
GRAIN_STRIDE = 5
"""Patterns of sensor noise, and the step from one frame's to the next."""

NOISE = 5.1
"""Standard deviation of the noise before it is smoothed."""


@dataclass(frozen=True, slots=True, eq=False)
class _Appearance:
    """One person in one frame, before pasting.

    Attributes:
        walk: whose.
        sample: of the walk.
        sprite: the picture.
        level: which of its sizes.
        place: ``[2, 3]``, affine map from the level's pixels to the image.
        foot: ``[2]``, foot point in the image, pixels.
    """

    walk: Walk
    sample: int
    sprite: Sprite
    level: int
    place: Float64Array
    foot: Float64Array


@dataclass(frozen=True, slots=True)
class _Window:
    """A rectangle of the image; x2 and y2 exclusive."""

    x1: int
    y1: int
    x2: int
    y2: int

    @property
    def size(self) -> tuple[int, int]:
        return self.x2 - self.x1, self.y2 - self.y1

    @property
    def pixels(self) -> tuple[slice, slice]:
        return slice(self.y1, self.y2), slice(self.x1, self.x2)

    def relative(self, place: Float64Array) -> Float64Array:
        """An affine map to the image, as one to this window."""
        return place - [[0, 0, self.x1], [0, 0, self.y1]]


class Scene:
    """People in a hall, drawn from a seed: the same arguments give the same frames and the same truth everywhere.

    Making a scene takes around a second; frames can then be rendered in any order.

    Args:
        camera: size, lens and place.
        hall: the floor plan.
        people: how many are there at a time, at most.
        seconds: length.
        fps: frames a second.
        seed: of everything that is random.
        max_overlap: largest share of a person's box that one nearer person may hide; 0 to 0.2 makes counts provable.
        cache: where sprites come from; None for the shared one in the user's cache folder.

    Raises:
        ValueError: an argument makes no sense.
    """

    def __init__(
        self,
        camera: Camera | None = None,
        hall: Hall | None = None,
        people: int = 8,
        seconds: float = 20.0,
        fps: float = 15.0,
        seed: int = 0,
        max_overlap: float = 1.0,
        cache: SpriteCache | None = None,
    ) -> None:
        _check(people, seconds, fps, seed, max_overlap)
        self.camera = camera or Camera()
        self.hall = hall or Hall()
        self.people = people
        self.fps = fps
        self.seed = seed
        self.max_overlap = max_overlap
        self.frames = max(round(seconds * fps), 1)
        self._geometry = truth.geometry(self.camera, self.hall)
        self._cache = cache or default_cache()
        rng = np.random.default_rng(seed)
        self.plan = make_plan(self.camera, self.hall, people, self.frames, fps, max_overlap, rng)
        self._background, self._light = paint_background(self.camera, self.hall, seed)
        self._grains = [_grain(rng, self._background.shape) for _ in range(GRAINS)]
        nearest_m = math.hypot(self.hall.near_m + 0.8, self.camera.up_m)
        self._pixels_per_m = max(int(1.05 * self.camera.focal_px / nearest_m), 4)

    def geometry(self) -> dict[str, Any]:
        """The line and the zone in normalised image coordinates; see `pipelines.simulator.scene.truth.geometry`."""
        return self._geometry

    def crossings(self) -> list[Crossing]:
        return truth.crossings(self.plan)

    def visits(self) -> list[Visit]:
        return truth.visits(self.plan)

    def image(self, frame: int) -> Image:
        """Frame `frame` of ``range(frames)`` without its truth, which is faster than `render`."""
        image = self._background.copy()
        for appearance in self._appearances(frame):
            window = self._window(appearance)
            if window is not None:
                self._paste(image, appearance, window)
        return self._developed(image, frame)

    def render(self, frame: int) -> tuple[Image, list[Person]]:
        """Frame `frame` of ``range(frames)``: the image, and everybody of whom any pixel is in it, far to near."""
        image = self._background.copy()
        owner = np.zeros(image.shape[:2], np.uint8 if len(self.plan.walks) < 255 else np.uint16)
        shown: list[tuple[_Appearance, _Window, Pixels]] = []
        for appearance in self._appearances(frame):
            window = self._window(appearance)
            if window is None:
                continue
            self._paste(image, appearance, window)
            cover = appearance.sprite.covers[appearance.level]
            mask = cv2.warpAffine(cover, window.relative(appearance.place), window.size) > 127
            if mask.any():
                shown.append((appearance, window, mask.view(np.uint8)))
                owner[window.pixels][mask] = len(shown)
        seen = np.bincount(owner.ravel(), minlength=len(shown) + 1)
        people = [self._person(*shown[i], seen_px=int(seen[i + 1])) for i in range(len(shown))]
        return self._developed(image, frame), people

    def warm(self) -> int:
        """Fetch every sprite that the scene needs, so that frames take equally long; returns how many frames it has."""
        for frame in range(self.frames):
            self._appearances(frame)
        return self.frames

    def _appearances(self, frame: int) -> list[_Appearance]:
        """Everybody in the world, far to near."""
        if not 0 <= frame < self.frames:
            raise IndexError(f"frame {frame} of a scene with {self.frames}")
        present = [(walk, frame - walk.start) for walk in self.plan.walks if walk.start <= frame < walk.stop]
        present.sort(key=lambda one: -one[0].feet[one[1], 1])
        return [self._appearance(walk, sample) for walk, sample in present]

    def _appearance(self, walk: Walk, sample: int) -> _Appearance:
        x, y = (float(value) for value in walk.feet[sample])
        height = MEASURED_M * look_of(walk.look).size
        (foot, top), _ = self.camera.project([(x, y, 0), (x, y, height)])
        elevation = math.atan2(self.camera.up_m - LOOKED_AT_M, math.hypot(x, y))
        sprite = self._cache.get(self._sprite_key(walk, sample, elevation))
        # The image step for one pixel upwards in the sprite: its length is the scale, its direction the slant.
        right, down = (top - foot) / (MEASURED_M * self._pixels_per_m * math.cos(elevation))
        shrink = -math.log2(max(math.hypot(right, down), 1e-3))
        level = min(max(int(shrink + SHARPNESS), 0), MIP_LEVELS - 1)
        turn = np.array([[-down, -right], [right, -down]])
        place = np.column_stack([turn, foot - turn @ sprite.foot])
        step = 2**level
        from_level = np.array([[step, 0, step / 2 - 0.5], [0, step, step / 2 - 0.5], [0, 0, 1]])
        return _Appearance(walk, sample, sprite, level, place @ from_level, foot)

    def _sprite_key(self, walk: Walk, sample: int, elevation_rad: float) -> SpriteKey:
        x, y = walk.feet[sample]
        seen_from = float(walk.heading_rad[sample]) + math.atan2(x, y)
        degrees = round(math.degrees(elevation_rad) / ELEVATION_STEP_DEG) * ELEVATION_STEP_DEG
        return SpriteKey(
            look=walk.look,
            pose=int(walk.pose[sample]),
            direction=round(seen_from / (2 * math.pi) * DIRECTIONS) % DIRECTIONS,
            elevation_deg=max(LOWEST_ELEVATION_DEG, degrees),
            pixels_per_m=self._pixels_per_m,
        )

    def _window(self, appearance: _Appearance) -> _Window | None:
        """The part of the image that the sprite covers; None if it is out of view."""
        height, width = appearance.sprite.covers[appearance.level].shape
        corners = (appearance.place @ [[0, width, width, 0], [0, 0, height, height], [1, 1, 1, 1]]).T
        x1, y1 = (int(value) for value in np.maximum(np.floor(corners.min(0)), 0))
        limit = [self.camera.width, self.camera.height]
        x2, y2 = (int(value) for value in np.minimum(np.ceil(corners.max(0)), limit))
        return _Window(x1, y1, x2, y2) if x1 < x2 and y1 < y2 else None

    def _paste(self, image: Image, appearance: _Appearance, window: _Window) -> None:
        paint = appearance.sprite.paints[appearance.level]
        place = window.relative(appearance.place)
        pixels = cv2.warpAffine(paint, place, window.size, borderValue=(0, 0, 0, 255))
        x = min(max(int(appearance.foot[0]), 0), self.camera.width - 1)
        y = min(max(int(appearance.foot[1]), 0), self.camera.height - 1)
        lit = cv2.convertScaleAbs(pixels[..., :3], alpha=float(self._light[y, x]))
        stays = cv2.merge([pixels[..., 3]] * 3)
        behind = image[window.pixels]
        behind[:] = cv2.add(cv2.multiply(behind, stays, scale=1 / 255), lit)

    def _developed(self, image: Image, frame: int) -> Image:
        """The lens's softness and the sensor's noise."""
        lighter, darker = self._grains[frame * GRAIN_STRIDE % GRAINS]
        soft = cv2.GaussianBlur(image, (3, 3), 0.6)
        return np.asarray(cv2.subtract(cv2.add(soft, lighter), darker), np.uint8)

    def _person(self, appearance: _Appearance, window: _Window, mask: Pixels, *, seen_px: int) -> Person:
        left, top, width, height = cv2.boundingRect(mask)
        x1, y1 = window.x1 + left, window.y1 + top
        x2, y2 = x1 + width, y1 + height
        cut = x1 <= 0 or y1 <= 0 or x2 >= self.camera.width or y2 >= self.camera.height
        whole_px = float(np.count_nonzero(mask))
        if cut:
            cover = appearance.sprite.covers[appearance.level]
            scale = abs(float(np.linalg.det(appearance.place[:, :2])))
            whole_px = max(whole_px, np.count_nonzero(cover > 127) * scale)
        walk, sample = appearance.walk, appearance.sample
        return Person(
            id=walk.id,
            look=walk.look,
            box=(x1, y1, x2, y2),
            foot=(float(appearance.foot[0]), float(appearance.foot[1])),
            world=(float(walk.feet[sample, 0]), float(walk.feet[sample, 1])),
            pose=int(walk.pose[sample]),
            visible=seen_px / whole_px,
            cut=cut,
        )


def _check(people: int, seconds: float, fps: float, seed: int, max_overlap: float) -> None:
    if people < 0:
        raise ValueError(f"people must not be negative, not {people}")
    if not (fps > 0 and math.isfinite(fps)):
        raise ValueError(f"fps must be positive, not {fps}")
    if not (seconds > 0 and math.isfinite(seconds)):
        raise ValueError(f"seconds must be positive, not {seconds}")
    if seed < 0:
        raise ValueError(f"the seed must not be negative, not {seed}")
    if not 0 <= max_overlap <= 1:
        raise ValueError(f"max_overlap is a share between 0 and 1, not {max_overlap}")


def _grain(rng: np.random.Generator, shape: tuple[int, ...]) -> tuple[Image, Image]:
    """Smoothed noise: what to add and what to subtract."""
    noise = cv2.GaussianBlur(rng.normal(0, NOISE, shape), (3, 3), 0)
    return np.clip(noise, 0, 255).astype(np.uint8), np.clip(-noise, 0, 255).astype(np.uint8)
