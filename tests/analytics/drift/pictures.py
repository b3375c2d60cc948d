"""Pictures of a hall that is made of a seed, and what can go wrong with them."""

from __future__ import annotations

import cv2
import numpy as np

from pipelines.types import Image

WIDTH, HEIGHT, MARGIN = 640, 360, 80


class Hall:
    """A picture larger than its camera shows, with things of all sizes in it."""

    def __init__(self, seed: int) -> None:
        self._rng = np.random.default_rng(seed)
        size = HEIGHT + 2 * MARGIN, WIDTH + 2 * MARGIN
        image = np.full((*size, 3), 120, np.uint8)
        for _ in range(260):
            x, y = int(self._rng.integers(size[1])), int(self._rng.integers(size[0]))
            width, height = (int(value) for value in self._rng.integers(6, 70, 2))
            shade = tuple(int(value) for value in self._rng.integers(40, 220, 3))
            cv2.rectangle(image, (x, y), (x + width, y + height), shade, -1)
        self._image = cv2.GaussianBlur(image, (3, 3), 0)
        self._grain = self._rng.standard_normal((HEIGHT, WIDTH, 3), np.float32)

    def picture(
        self, *, right: float = 0.0, turned_deg: float = 0.0, gain: float = 1.0, noise: float = 2.0, people: int = 2
    ) -> Image:
        """What the camera shows now, uint8 ``[360, 640, 3]``.

        Args:
            right: how far the scene has gone, widths.
            turned_deg: clockwise.
            gain: of the light.
            noise: of the sensor, levels; 0 gives the same picture again and again.
            people: grey boxes somewhere.
        """
        height, width = self._image.shape[:2]
        matrix = cv2.getRotationMatrix2D((width / 2, height / 2), -turned_deg, 1)
        matrix[:, 2] += [right * WIDTH - MARGIN, -MARGIN]
        shown = cv2.warpAffine(self._image, matrix, (WIDTH, HEIGHT))
        for _ in range(people):
            x, y = int(self._rng.integers(WIDTH - 30)), int(self._rng.integers(60, HEIGHT - 90))
            cv2.rectangle(shown, (x, y), (x + 30, y + 90), (70, 60, 60), -1)
        lit = shown * np.float32(gain)
        if noise:  # the same grain, elsewhere each time: to draw it anew would take longer than to look at it
            x, y = (int(value) for value in self._rng.integers(0, (WIDTH, HEIGHT)))
            lit += np.roll(self._grain, (y, x), (0, 1)) * np.float32(noise)
        return np.clip(lit, 0, 255).astype(np.uint8)


def blurred(picture: Image) -> Image:
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), 4), np.uint8)


def covered(picture: Image, share: float) -> Image:
    """The left part hidden behind something dark."""
    hidden = picture.copy()
    part = hidden[:, : round(share * picture.shape[1])]
    part[:] = np.random.default_rng(picture.sum()).integers(22, 28, part.shape)
    return hidden


def compressed(picture: Image) -> Image:
    _, coded = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 8])
    return np.asarray(cv2.imdecode(coded, cv2.IMREAD_COLOR), np.uint8)
