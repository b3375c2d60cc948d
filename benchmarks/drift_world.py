"""A shop's camera over weeks: people, lamps, cleaners, sun and clouds, a sensor, a codec; and what befalls it.

The pictures are the simulator's, in the size in which they are looked at. The lens sees more than the camera shows, so
that it can be moved.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Protocol

import av
import cv2
import numpy as np

from analytics.drift.picture import WIDTH_PX
from pipelines.simulator.scene.camera import Camera
from pipelines.simulator.scene.scene import Scene
from pipelines.types import Float32Array, Image

WIDTH, HEIGHT = WIDTH_PX, WIDTH_PX * 9 // 16
SEEN = 1.3
"""How much wider the lens is than the picture."""
MONDAY_S = 4 * 86400.0
"""Midnight before the first Monday of 1970, on the clock on the wall."""
OPENS_H, CLOSES_H, CLOSED_DAY = 9.0, 20.0, 6
BY_NIGHT = 0.12
"""Of the lamps' light, what is left on."""
CLEANED_H = 0.8
"""How long the lamps are on when somebody cleans, some time before opening or after closing, on some days."""
BUSY_FRAMES, EMPTY_FRAMES = 40, 8
GRAIN = 1.0
"""Of the sensor, levels, before its gain."""
EXPOSED, SETTLES_S = 95.0, 8.0
"""Levels that a camera with automatic gain aims at, and its time constant."""
MOST_GAIN = 4.0
LIGHT_S = 60.0
"""So often the light is computed anew."""
CRFS = None, 23, 28
"""How much codecs of different shops leave out; None: nothing, as a sensor gives it."""
GOP = 30
"""Pictures between two that are coded on their own."""


class ShopCamera:
    """One shop, drawn from a seed.

    Args:
        seed: of the hall, the people, the window, the weather, the sensor.
    """

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.crf = CRFS[seed % len(CRFS)]
        self._busy = _drawn(seed, 3 + seed % 7, BUSY_FRAMES)
        self._empty = _drawn(seed, 0, EMPTY_FRAMES)
        self._window = float(self.rng.uniform(0, 0.3))
        self._days = np.exp(self.rng.normal(0, 0.04, 64))
        self._cleaned_h = np.where(self.rng.random(64) < 0.4, self.rng.choice((6.5, 20.2, 21.5), 64), -1.0)
        self._shakes_px = float(self.rng.uniform(0, 0.8))
        self._adapts = bool(seed % 2)
        self._gain = 1.0
        self._exposed_s: float | None = None
        self._cloud = 0.0
        self._lit: tuple[float, Float32Array] | None = None
        height, width = self._busy[0].shape[:2]
        self._y, self._x = np.mgrid[:height, :width].astype(np.float32)
        self._grain = self.rng.standard_normal((2 * HEIGHT, 2 * WIDTH, 3), np.float32) * np.float32(GRAIN)

    def picture(self, local_s: float, *, right: float = 0.0, turned_deg: float = 0.0) -> Image:
        """What the sensor gives at a time of the clock on the wall, seconds; uint8 ``[180, 320, 3]``.

        Args:
            local_s: when.
            right: how far the scene lies to the right of where it was, widths.
            turned_deg: clockwise.
        """
        frames = self._busy if self._is_open(local_s) else self._empty
        image = frames[int(self.rng.integers(len(frames)))]
        away = self.rng.normal(0, self._shakes_px / 2, 2)
        size = WIDTH, HEIGHT
        matrix = shown(image, size, right * WIDTH + float(away[0]), float(away[1]), turned_deg)
        lit = cv2.warpAffine(image, matrix, size).astype(np.float32)
        lit *= cv2.warpAffine(self._light(local_s), matrix, size)[..., None]
        gain = self._exposure(float(lit[::8, ::8].mean()), local_s)
        lit *= np.float32(gain)
        x, y = (int(value) for value in self.rng.integers(0, size))
        lit += self._grain[y : y + HEIGHT, x : x + WIDTH] * np.float32(math.sqrt(max(gain, 1.0)) * gain)
        return np.asarray(np.clip(lit, 0, 255), np.uint8)

    def _is_open(self, local_s: float) -> bool:
        day, hour = int(local_s // 86400), local_s % 86400 / 3600
        return OPENS_H <= hour < CLOSES_H and (day + 3) % 7 != CLOSED_DAY

    def _exposure(self, brightness: float, local_s: float) -> float:
        """What the sensor makes of the light; a camera that adapts does so within seconds."""
        if not self._adapts:
            return 1.0
        wanted = min(max(EXPOSED / max(brightness, 1.0), 0.7), MOST_GAIN)
        passed_s = math.inf if self._exposed_s is None else max(local_s - self._exposed_s, 0.0)
        self._gain += (1 - math.exp(-passed_s / SETTLES_S)) * (wanted - self._gain)
        self._exposed_s = local_s
        return self._gain

    def _light(self, local_s: float) -> Float32Array:
        """On each point of what the lens sees; 1 is as the scene was drawn."""
        if self._lit is not None and 0 <= local_s - self._lit[0] < LIGHT_S:
            return self._lit[1]
        passed_s = LIGHT_S if self._lit is None else min(max(local_s - self._lit[0], 0.0), 3600.0)
        day, hour = int(local_s // 86400), local_s % 86400 / 3600
        keeps = math.exp(-passed_s / 1200)  # clouds come and go within twenty minutes
        self._cloud = keeps * self._cloud + float(self.rng.normal(0, 0.1)) * math.sqrt(1 - keeps**2)
        sun = max(0.0, math.sin((hour - 6) / 12 * math.pi))
        cleaned_h = self._cleaned_h[day % len(self._cleaned_h)]
        is_lit = self._is_open(local_s) or cleaned_h <= hour < cleaned_h + CLEANED_H
        lamps = (1.0 if is_lit else BY_NIGHT) * (1 - self._window)
        through_window = self._window * 1.2 * sun * math.exp(self._cloud)
        light = np.full(self._x.shape, (lamps + through_window) * self._days[day % len(self._days)], np.float32)
        if self._window >= 0.1:  # a patch of sun on the floor, which moves over the day
            height, width = self._x.shape
            away = ((self._x - width * hour / 24) ** 2 + (self._y - 0.7 * height) ** 2) / (2 * (0.12 * width) ** 2)
            light *= 1 + np.float32(0.6 * self._window * sun) * np.exp(-away)
        self._lit = local_s, light
        return light


def _drawn(seed: int, people: int, frames: int) -> list[Image]:
    width, height = round(WIDTH * SEEN / 2) * 2, round(HEIGHT * SEEN / 2) * 2
    angle = 2 * math.degrees(math.atan(math.tan(math.radians(31)) * width / WIDTH))
    # Drawn at twice the size: as a detector's camera would, and what is looked at is a smaller copy.
    scene = Scene(Camera(2 * width, 2 * height, field_of_view_deg=angle), people=people, seconds=60, fps=1, seed=seed)
    return [
        np.asarray(cv2.resize(scene.image(frame), (width, height), interpolation=cv2.INTER_AREA), np.uint8)
        for frame in range(frames)
    ]


def shown(lens: Image, size: tuple[int, int], right_px: float, down_px: float, turned_deg: float) -> Any:
    """Affine map ``[2, 3]`` to the part of what the lens sees that the camera shows.

    Args:
        lens: the wider picture.
        size: (width, height) of what is shown, pixels.
        right_px: how far the scene lies to the right of where it was.
        down_px: likewise, down.
        turned_deg: clockwise.
    """
    height, width = lens.shape[:2]
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), -turned_deg, 1)
    matrix[:, 2] += [(size[0] - width) / 2 + right_px, (size[1] - height) / 2 + down_px]
    return matrix


class Coder:
    """What a codec leaves of pictures: each is coded, and decoded again.

    Args:
        crf: how much is left out; None: nothing.
    """

    def __init__(self, crf: int | None) -> None:
        self._decoder: Any = None
        self._encoder: Any = None
        self._number = 0
        if crf is None:
            return
        self._decoder = av.CodecContext.create("h264", "r")
        self._encoder = av.CodecContext.create("libx264", "w")
        self._encoder.width, self._encoder.height, self._encoder.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        self._encoder.time_base, self._encoder.gop_size, self._encoder.thread_count = Fraction(1), GOP, 1
        self._encoder.options = {"crf": str(crf), "preset": "superfast", "tune": "zerolatency"}
        self._decoder.thread_count = 1  # or else pictures come late

    def code(self, picture: Image) -> Image:
        """The picture, as who gets it sees it."""
        if self._encoder is None:
            return picture
        # Not with FFmpeg's scaler, which would be made anew for each picture: that takes longer than to code it.
        planes = np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2YUV_I420), np.uint8)
        frame = av.VideoFrame.from_ndarray(planes, "yuv420p")
        frame.pts, self._number = self._number, self._number + 1
        (found,) = (one for packet in self._encoder.encode(frame) for one in self._decoder.decode(packet))
        return np.asarray(cv2.cvtColor(found.to_ndarray(), cv2.COLOR_YUV2BGR_I420), np.uint8)


@dataclass(frozen=True)
class Fault:
    """Something that befalls a camera.

    Attributes:
        cause: that is to be named.
        shown: keywords of `ShopCamera.picture`.
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
    """Some hundred bright streaks, elsewhere in every picture."""
    height, width = image.shape[:2]
    drops = np.zeros((height, width), np.float32)
    for x, y, length, light in rng.uniform((0, 0, 5, 40), (width, height, 20, 120), (250, 4)):
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


class Filmed(Protocol):
    """A camera that can be moved.

    Attributes:
        rng: source of chance.
        crf: of its codec; None if it has none.
    """

    rng: np.random.Generator
    crf: int | None

    def picture(self, local_s: float, *, right: float = 0.0, turned_deg: float = 0.0) -> Image:
        """See `ShopCamera.picture`."""


class Befallen:
    """Pictures of a camera that something befalls.

    Args:
        camera: that it befalls.
        fault: what; None for nothing.
    """

    def __init__(self, camera: Filmed, fault: Fault | None) -> None:
        self._camera = camera
        self._fault = fault
        self._coder = Coder(camera.crf)
        self._frozen: Image | None = None

    def picture(self, local_s: float) -> Image:
        """What arrives at a time of the clock on the wall, seconds."""
        if self._frozen is not None:
            return self._frozen
        image = self._camera.picture(local_s, **(self._fault.shown or {} if self._fault is not None else {}))
        if self._fault is not None and self._fault.develop is not None:
            image = self._fault.develop(image, self._camera.rng)
        image = self._coder.code(image)
        if self._fault is not None and self._fault.frozen:
            self._frozen = image
        return image
