"""What a camera shows when all is well: the reference that its pictures are compared with.

A reference has a version. It is made of the first looks after it was asked for, and then stays, however slowly a lens
gathers dust; only its landmarks follow, anchored to where they were. There is one for each class of brightness, for a
hall by night is another hall.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from analytics.drift.landmarks import Corners, LandmarkMap, Registration
from analytics.drift.picture import COLUMNS, ROWS, PictureFeatures
from analytics.drift.states import fields, number, packed, unpacked, whole
from pipelines.types import Float32Array

FORMAT = 1
BRIGHTEST = 128.0
"""Levels from which on a picture is of the brightest class; each class below begins at half of it."""
CLASSES = 6
ENOUGH = 8
"""Looks from which on a class can be compared with."""
SETTLED = 600
"""Looks after which a class stays as it is."""
TEXTURED = 3.0
"""Levels of a block's texture from which on its loss means something."""
LEAST_TEXTURED = 8
BARE_TEXTURE, BARE_DETAIL = 0.3, 0.45
"""Of what a block usually has, given the brightness: below both, what it shows is hidden."""
NOISE_IN_DETAIL = 3.57 * 1.08
"""Mean size of a Laplacian of noise with a standard deviation of 1: 4.47 times 0.8; and what its estimate is off by."""
LEAST_DETAIL = 0.2
GRAIN_GAINS = 0.55, 1.8
"""Within these, pictures of two brightnesses have the same grain."""
ASPECT_STEP = 0.02


@dataclass(frozen=True, slots=True)
class Likeness:
    """How a picture compares with the reference.

    Attributes:
        gain: its brightness, by the brighter quarter of its blocks: 1 is as usual.
        hidden: share of the blocks that usually show something, and now nothing.
        sharpness: fine structure of all others, as the logarithm of its ratio to the reference; noise is none. None if
            it is too dark, or too bright, to be compared in that.
        noise: logarithm of the ratio, of levels of which half a one is added to both; None with the other.
    """

    gain: float
    hidden: float
    sharpness: float | None
    noise: float | None


@dataclass(slots=True, eq=False)
class _Light:
    """What a camera shows in one class of brightness: means over looks, and landmarks."""

    looks: int = 0
    luma: Float32Array = field(default_factory=lambda: np.zeros((ROWS, COLUMNS), np.float32))
    texture: Float32Array = field(default_factory=lambda: np.zeros((ROWS, COLUMNS), np.float32))
    detail: Float32Array = field(default_factory=lambda: np.zeros((ROWS, COLUMNS), np.float32))
    noise: float = 0.0
    landmarks: LandmarkMap = field(default_factory=LandmarkMap)

    def add(self, features: PictureFeatures) -> None:
        if self.looks >= SETTLED:
            return
        self.looks += 1
        for mean, value in (
            (self.luma, features.luma),
            (self.texture, texture_of(features)),
            (self.detail, structure(features)),
        ):
            mean += (value - mean) / self.looks
        self.noise += (features.noise - self.noise) / self.looks

    @property
    def shows(self) -> Any:
        """Which blocks show something; bool ``[6, 8]``."""
        return self.texture >= TEXTURED

    @property
    def is_known(self) -> bool:
        """Whether there is something to compare with."""
        return self.looks >= ENOUGH and int(np.count_nonzero(self.shows)) >= LEAST_TEXTURED


def structure(features: PictureFeatures) -> Float32Array:
    """The detail of each block without what noise adds to it, levels; float32 ``[6, 8]``."""
    noise = NOISE_IN_DETAIL * features.noise
    return np.asarray(np.sqrt(np.maximum(features.detail**2 - noise**2, LEAST_DETAIL**2)), np.float32)


def texture_of(features: PictureFeatures) -> Float32Array:
    """The texture of each block without noise, levels; float32 ``[6, 8]``."""
    return np.asarray(np.sqrt(np.maximum(features.texture**2 - features.noise**2, 0)), np.float32)


class View:
    """The reference of one camera. For one thread.

    Args:
        version: of the reference; a higher one was asked for later.

    Attributes:
        aspect: height of its pictures, in widths; None before the first.
    """

    def __init__(self, version: int = 0) -> None:
        self.version = version
        self.aspect: float | None = None
        self._lights = [_Light() for _ in range(CLASSES)]

    def is_known(self, brightness: float) -> bool:
        """Whether there is something to compare pictures of such a brightness (levels) with."""
        return self._lights[class_of(brightness)].is_known

    def fits(self, aspect: float) -> bool:
        """Whether pictures of a shape (height, in widths) can be those of this view; the first one says which."""
        if self.aspect is None:
            self.aspect = aspect
        return abs(aspect - self.aspect) <= ASPECT_STEP

    def learn(self, features: PictureFeatures) -> None:
        """Take in a picture that nothing is known to be wrong with."""
        self._lights[class_of(features.brightness)].add(features)

    def compare(self, features: PictureFeatures, brightness: float | None = None) -> Likeness | None:
        """How a picture compares; None while there is nothing to compare with, or nothing was ever to be seen.

        Args:
            features: of the picture.
            brightness: that is usual now, levels; None takes the picture's own, or that of a class beside it.
        """
        wanted = class_of(features.brightness if brightness is None else brightness)
        known = [index for index, light in enumerate(self._lights) if light.is_known]
        # What was dimmed a little is compared with what it looks like when it is brighter.
        nearest = min(known, key=lambda index: (abs(index - wanted), -index), default=None)
        if nearest is None or abs(nearest - wanted) > 1:
            return None
        usual = self._lights[nearest]
        gain = float(np.quantile(features.luma / np.maximum(usual.luma, 1.0), 0.75))
        dimmed = max(gain, 0.02)
        detail = structure(features) / (dimmed * np.maximum(usual.detail, LEAST_DETAIL))
        blown = features.luma > 250  # where the sensor is at its end, nothing can be seen, and nothing is hidden
        bare = (texture_of(features) < BARE_TEXTURE * dimmed * usual.texture) & (detail < BARE_DETAIL) & ~blown
        shows = usual.shows
        hidden = float(bare[shows].mean())
        seen = shows & ~bare & ~blown & (usual.detail > NOISE_IN_DETAIL * usual.noise / 2)
        if not GRAIN_GAINS[0] <= gain <= GRAIN_GAINS[1] or np.count_nonzero(seen) < LEAST_TEXTURED // 2:
            return Likeness(gain, hidden, None, None)
        sharpness = max(float(np.median(detail[seen])), 0.01)
        noise = (features.noise + 0.5) / (usual.noise + 0.5)
        return Likeness(gain, hidden, math.log(sharpness), math.log(noise))

    def landmarks(self, brightness: float) -> LandmarkMap:
        """Those of a class of brightness (levels)."""
        return self._lights[class_of(brightness)].landmarks

    def register(self, corners: Corners, brightness: float) -> Registration | None:
        """How a picture lies; by the landmarks of its brightness, or else of another; None if none are found again."""
        own = class_of(brightness)
        for index in sorted(range(CLASSES), key=lambda index: (abs(index - own), -index)):
            found = self._lights[index].landmarks.register(corners, self.aspect or 1.0)
            if found is not None:
                return found
        return None

    @property
    def has_landmarks(self) -> bool:
        """Whether a picture of some brightness could be found again."""
        return any(light.landmarks.is_ready for light in self._lights)

    def snapshot(self) -> dict[str, Any]:
        """The reference as JSON types."""
        return {
            "format": FORMAT,
            "version": self.version,
            "aspect": self.aspect,
            "lights": [
                {
                    "format": FORMAT,
                    "looks": one.looks,
                    "noise": one.noise,
                    "blocks": packed(np.stack([one.luma, one.texture, one.detail]), "<f4"),
                    "landmarks": one.landmarks.snapshot(),
                }
                for one in self._lights
            ],
        }

    @staticmethod
    def of(state: Mapping[str, Any]) -> View:
        """The reference of a `snapshot`.

        Raises:
            ValueError: it is none, or one of another format.
        """
        state = fields(state, FORMAT)
        view = View(whole(state, "version"))
        view.aspect = None if state.get("aspect") is None else number(state, "aspect", 0.01)
        lights = state.get("lights")
        if not isinstance(lights, list) or len(lights) != CLASSES:
            raise ValueError(f"a reference has {CLASSES} classes of brightness")
        view._lights = [_restored(one) for one in lights]
        return view


def _restored(state: Any) -> _Light:
    state = fields(state, FORMAT)
    luma, texture, detail = unpacked(state, "blocks", "<f4", (3, ROWS, COLUMNS))
    landmarks = LandmarkMap.of(state.get("landmarks", {}))
    return _Light(whole(state, "looks"), luma, texture, detail, number(state, "noise", 0), landmarks)


def class_of(brightness: float) -> int:
    """Which class of brightness, from levels: 5 from 128 on, 4 from 64 on, ... 0 below 8."""
    return min(max(CLASSES - 1 + math.floor(math.log2(max(brightness, 1.0) / BRIGHTEST)), 0), CLASSES - 1)
