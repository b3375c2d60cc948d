"""A shop's camera over weeks: people, lamps that go out at night, a window with sun and clouds; and what can befall it.

The pictures are the simulator's. The lens sees more than the camera shows, so that it can be moved.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from pipelines.simulator.scene.camera import Camera
from pipelines.simulator.scene.scene import Scene
from pipelines.types import Float32Array, Image

WIDTH, HEIGHT = 640, 360
SEEN = 1.3
"""How much wider the lens is than the picture."""
MONDAY_S = 4 * 86400.0
"""Midnight before the first Monday of 1970, on the clock on the wall."""
OPENS_H, CLOSES_H, CLOSED_DAY = 9.0, 20.0, 6
BY_NIGHT = 0.12
"""Of the lamps' light, what is left on."""
BUSY_FRAMES, EMPTY_FRAMES = 40, 8
GRAIN = 1.0
"""Of the sensor, levels; in patches of two by two pixels, as a codec leaves it. The scene has some of its own."""


class ShopCamera:
    """One shop, drawn from a seed.

    Args:
        seed: of the hall, the people, the window, the weather.
    """

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self._busy = _drawn(seed, 3 + seed % 7, BUSY_FRAMES)
        self._empty = _drawn(seed, 0, EMPTY_FRAMES)
        self._window = float(self.rng.uniform(0, 0.3))
        self._days = np.exp(self.rng.normal(0, 0.04, 64))
        self._cloud = 0.0
        height, width = self._busy[0].shape[:2]
        self._y, self._x = np.mgrid[:height, :width].astype(np.float32)

    def lens(self, local_s: float) -> Image:
        """What the lens sees at a time of the clock on the wall, seconds."""
        day, hour = int(local_s // 86400), local_s % 86400 / 3600
        is_open = OPENS_H <= hour < CLOSES_H and (day + 3) % 7 != CLOSED_DAY
        frames = self._busy if is_open else self._empty
        image = frames[int(self.rng.integers(len(frames)))]
        self._cloud = 0.98 * self._cloud + float(self.rng.normal(0, 0.02))
        lit = image * self._light(day, hour, is_open)[..., None]
        small = self.rng.standard_normal((image.shape[0] // 2, image.shape[1] // 2), np.float32) * GRAIN
        lit += cv2.resize(small, (image.shape[1], image.shape[0]), interpolation=cv2.INTER_NEAREST)[..., None]
        return np.asarray(np.clip(lit, 0, 255), np.uint8)

    def _light(self, day: int, hour: float, is_open: bool) -> Float32Array:
        sun = max(0.0, math.sin((hour - 6) / 12 * math.pi))
        lamps = (1.0 if is_open else BY_NIGHT) * (1 - self._window)
        through_window = self._window * 1.2 * sun * math.exp(self._cloud)
        light = np.float32((lamps + through_window) * self._days[day % len(self._days)])
        if self._window < 0.1:
            return np.full(self._x.shape, light, np.float32)
        # A patch of sun on the floor, which moves over the day.
        height, width = self._x.shape
        away = ((self._x - width * hour / 24) ** 2 + (self._y - 0.7 * height) ** 2) / (2 * (0.12 * width) ** 2)
        return light * (1 + np.float32(0.6 * self._window * sun) * np.exp(-away))


def _drawn(seed: int, people: int, frames: int) -> list[Image]:
    width, height = round(WIDTH * SEEN / 2) * 2, round(HEIGHT * SEEN / 2) * 2
    angle = 2 * math.degrees(math.atan(math.tan(math.radians(31)) * width / WIDTH))
    scene = Scene(Camera(width, height, field_of_view_deg=angle), people=people, seconds=60, fps=1, seed=seed)
    return [scene.image(frame) for frame in range(frames)]


def shown(
    lens: Image, *, right: float = 0.0, turned_deg: float = 0.0, size: tuple[int, int] = (WIDTH, HEIGHT)
) -> Image:
    """The part of what the lens sees that the camera shows.

    Args:
        lens: the wider picture.
        right: how far the scene lies to the right of where it was, widths.
        turned_deg: clockwise.
        size: (width, height) of what is shown, pixels.
    """
    height, width = lens.shape[:2]
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), -turned_deg, 1)
    matrix[:, 2] += [(size[0] - width) / 2 + right * size[0], (size[1] - height) / 2]
    return np.asarray(cv2.warpAffine(lens, matrix, size), np.uint8)


@dataclass(frozen=True)
class Fault:
    """Something that befalls a camera.

    Attributes:
        cause: that is to be named.
        shown: keywords of `shown`.
        develop: what becomes of each picture, with a source of chance.
        frozen: whether the first picture stays.
    """

    cause: str
    shown: Mapping[str, float] | None = None
    develop: Callable[[Image, np.random.Generator], Image] | None = None
    frozen: bool = False


def _blurred(image: Image, _: np.random.Generator) -> Image:
    return np.asarray(cv2.GaussianBlur(image, (0, 0), image.shape[1] / 320), np.uint8)


def _dimmed(share: float) -> Callable[[Image, np.random.Generator], Image]:
    return lambda image, _: (image * (1 - share)).astype(np.uint8)


def _half_covered(image: Image, rng: np.random.Generator) -> Image:
    hidden = image.copy()
    part = hidden[:, : image.shape[1] // 2]
    part[:] = np.clip(rng.normal(30, 2, part.shape), 0, 255)
    return hidden


def _compressed(image: Image, _: np.random.Generator) -> Image:
    coded: Any = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 8])[1]
    return np.asarray(cv2.imdecode(coded, cv2.IMREAD_COLOR), np.uint8)


def _rained_on(image: Image, rng: np.random.Generator) -> Image:
    """Four hundred bright streaks, elsewhere in every picture."""
    height, width = image.shape[:2]
    drops = np.zeros((height, width), np.float32)
    for x, y, length, light in rng.uniform((0, 0, 8, 40), (width, height, 30, 120), (400, 4)):
        cv2.line(drops, (int(x), int(y)), (int(x + length / 5), int(y + length)), float(light), 1)
    return np.asarray(np.clip(image + drops[..., None], 0, 255), np.uint8)


FAULTS: Mapping[str, Fault] = {
    "moved by 2 %": Fault("moved", {"right": 0.02}),
    "moved by 5 %": Fault("moved", {"right": -0.05}),
    "moved by 10 %": Fault("moved", {"right": 0.1}),
    "turned by 2 degrees": Fault("moved", {"turned_deg": 2.0}),
    "blurred": Fault("blurred", develop=_blurred),
    "dimmed by 30 %": Fault("dark", develop=_dimmed(0.3)),
    "dimmed by 60 %": Fault("dark", develop=_dimmed(0.6)),
    "frozen": Fault("frozen", frozen=True),
    "half covered": Fault("covered", develop=_half_covered),
    "compressed": Fault("compressed", develop=_compressed),
    "rain-like noise": Fault("noisy", develop=_rained_on),
}


class Befallen:
    """Pictures of a camera that something befalls.

    Args:
        fault: what; None for nothing.
        rng: of its chance.
        size: (width, height) of the pictures.
    """

    def __init__(self, fault: Fault | None, rng: np.random.Generator, size: tuple[int, int] = (WIDTH, HEIGHT)) -> None:
        self._fault, self._rng, self._size = fault, rng, size
        self._frozen: Image | None = None

    def picture(self, lens: Image) -> Image:
        """What the camera shows of what its lens sees."""
        if self._fault is None:
            return shown(lens, size=self._size)
        if self._frozen is not None:
            return self._frozen
        image = shown(lens, size=self._size, **(self._fault.shown or {}))
        if self._fault.develop is not None:
            image = self._fault.develop(image, self._rng)
        if self._fault.frozen:
            self._frozen = image
        return image
