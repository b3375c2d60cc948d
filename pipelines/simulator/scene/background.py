"""The empty hall as its camera sees it: tiled floor, a back wall with things on it, and uneven light."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

from pipelines.simulator.scene.camera import Camera
from pipelines.simulator.scene.hall import Hall, Point
from pipelines.types import Float32Array, Float64Array, Image

SUPERSAMPLING = 2
FLOOR_FRONT_M = 1.2
WALL_HEIGHT_M = 4.2
FLOOR_TEXELS_PER_M = 60
TILE_TEXELS = 36

LINE_COLOUR = (60, 150, 190)
ZONE_COLOUR = (65, 115, 70)
"""Of the stripes on the floor, BGR."""

Texture = npt.NDArray[np.floating]
"""``[h, w, 3]``, BGR, 0 to 255."""


def paint_background(camera: Camera, hall: Hall, seed: int) -> tuple[Image, Float32Array]:
    """The hall without people.

    Returns:
        The image, BGR, and its light map: float32 ``[height, width]``, a factor around 1.
    """
    rng = np.random.default_rng(seed)
    painter = _Painter(camera, hall, rng)
    painter.floor()
    painter.plain_wall()
    painter.furnish()
    painter.markings()
    image = cv2.resize(painter.canvas, (camera.width, camera.height), interpolation=cv2.INTER_AREA)
    light = _light(camera, rng)
    return np.clip(image * light[..., None], 0, 255).astype(np.uint8), light


def clouds(rng: np.random.Generator, height: int, width: int, octaves: int, coarseness: int) -> Float32Array:
    """Fractal noise with a standard deviation of about 1; ``[height, width]``."""
    total = np.zeros((height, width), np.float32)
    for octave in range(octaves):
        side = coarseness * 2**octave + 1
        noise = rng.normal(size=(side, side)).astype(np.float32)
        grown = cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC)
        total += np.asarray(grown, np.float32) / 1.6**octave
    return total


def _light(camera: Camera, rng: np.random.Generator) -> Float32Array:
    """Brighter in the middle, with faint large patches."""
    y, x = np.mgrid[: camera.height, : camera.width].astype(np.float32)
    light = 1.04 - 0.44 * ((x / camera.width - 0.5) ** 2 + (y / camera.height - 0.5) ** 2)
    patches = cv2.GaussianBlur(clouds(rng, camera.height, camera.width, 2, 3), (0, 0), camera.width / 40)
    return np.asarray(light * (1 + 0.07 * patches), np.float32)


def _plain(height: int, width: int, colour: npt.ArrayLike) -> Float64Array:
    return np.asarray(np.ones((height, width, 3)) * np.asarray(colour, np.float64))


class _Painter:
    """Pastes flat textures into the camera's view of the hall."""

    def __init__(self, camera: Camera, hall: Hall, rng: np.random.Generator) -> None:
        self.canvas: Float32Array = np.full(
            (camera.height * SUPERSAMPLING, camera.width * SUPERSAMPLING, 3), 150, np.float32
        )
        self._camera = camera
        self._hall = hall
        self._rng = rng
        self._back_m = hall.far_m + 1

    def floor(self) -> None:
        half = self._hall.half_width_m
        height = int((self._back_m - FLOOR_FRONT_M) * FLOOR_TEXELS_PER_M)
        width = int(2 * half * FLOOR_TEXELS_PER_M)
        tiles = self._rng.normal(0, 5, (height // TILE_TEXELS + 1, width // TILE_TEXELS + 1))
        grey = 158 + np.kron(tiles, np.ones((TILE_TEXELS, TILE_TEXELS)))[:height, :width]
        grey += 5 * clouds(self._rng, height, width, 6, 6)
        grey += self._rng.normal(0, 5, (height, width))
        grey[np.arange(height) % TILE_TEXELS < 2] -= 34
        grey[:, np.arange(width) % TILE_TEXELS < 2] -= 34
        corners = [(-half, self._back_m), (half, self._back_m), (half, FLOOR_FRONT_M), (-half, FLOOR_FRONT_M)]
        self._paste(grey[..., None] * [0.95, 1, 1.03], [(*corner, 0) for corner in corners])

    def plain_wall(self) -> None:
        half = self._hall.half_width_m
        grey = 178 + 4 * clouds(self._rng, 300, 2000, 6, 3) + np.linspace(14, -14, 300)[:, None]
        self._hang(-half, half, 0, WALL_HEIGHT_M, grey[..., None] * [0.97, 1, 1])
        self._hang(-half, half, 0, 0.14, _plain(8, 200, 70))

    def furnish(self) -> None:
        """Shelves, doors, windows, posters and gaps along the wall."""
        left = -self._hall.half_width_m + 0.5
        while left < self._hall.half_width_m - 3:
            kind, width = self._rng.integers(5), float(self._rng.uniform(1.6, 3.4))
            if kind == 0:
                self._hang(left, left + width, 0, 2.2, self._shelf(width))
            elif kind == 1:
                self._hang(left, left + 1, 0, 2.1, self._door())
                width = 1.2
            elif kind == 2:
                self._hang(left, left + width, 0.9, 2.6, self._window())
            elif kind == 3:
                self._hang(left, left + 0.9, 1, 2.2, self._poster())
            left += width + float(self._rng.uniform(0.2, 0.8))

    def markings(self) -> None:
        """The counting line and the zone's border as stripes on the floor."""
        self._stripe(*self._hall.line, LINE_COLOUR)
        corners = self._hall.zone
        for start, end in zip(corners, (*corners[1:], corners[0]), strict=True):
            self._stripe(start, end, ZONE_COLOUR)

    def _shelf(self, width_m: float) -> Texture:
        texture = _plain(220, int(width_m * 100), 88)
        for board in range(40, 220, 44):
            x = 4
            while x < texture.shape[1] - 16:
                width = min(int(self._rng.integers(7, 22)), texture.shape[1] - x)
                height = int(self._rng.integers(14, 34))
                gloss = np.linspace(-14, 14, width)[:, None]
                texture[board - height : board, x : x + width] = self._rng.uniform(40, 215, 3) + gloss
                x += width + int(self._rng.integers(1, 4))
            texture[board : board + 4] = 140
        return texture

    def _door(self) -> Texture:
        texture = _plain(210, 100, self._rng.uniform(70, 150, 3)) + 3 * clouds(self._rng, 210, 100, 5, 4)[..., None]
        cv2.rectangle(texture, (0, 0), (99, 209), (60, 60, 62), 5)
        cv2.rectangle(texture, (20, 22), (80, 95), (190, 185, 175), -1)
        return texture

    def _window(self) -> Texture:
        grey = 120 + 22 * clouds(self._rng, 150, 300, 4, 2) + np.linspace(50, -20, 150)[:, None]
        texture: Texture = grey[..., None] * np.array([1.08, 1, 0.94])
        texture[:, ::75] = 60
        texture[::75] = 60
        return texture

    def _poster(self) -> Texture:
        texture = _plain(120, 90, self._rng.uniform(60, 220, 3))
        for _ in range(6):
            one, other = self._rng.integers(0, 90, 2).tolist(), self._rng.integers(0, 120, 2).tolist()
            cv2.rectangle(texture, one, other, self._rng.uniform(30, 230, 3).tolist(), -1)
        return texture

    def _hang(self, left_m: float, right_m: float, bottom_m: float, top_m: float, texture: Texture) -> None:
        """Put a texture on the back wall."""
        corners = [(left_m, top_m), (right_m, top_m), (right_m, bottom_m), (left_m, bottom_m)]
        self._paste(texture, [(x, self._back_m, z) for x, z in corners])

    def _stripe(self, start: Point, end: Point, colour: tuple[int, int, int], half_width_m: float = 0.05) -> None:
        a, b = np.array(start), np.array(end)
        across = half_width_m * np.array([a[1] - b[1], b[0] - a[0]]) / np.linalg.norm(b - a)
        corners = (a + across, b + across, b - across, a - across)
        self._paste(_plain(9, 9, colour), [(float(x), float(y), 0.0) for x, y in corners])

    def _paste(self, texture: Texture, corners: Sequence[tuple[float, float, float]]) -> None:
        """Stretch a texture between its four corners in the world: top left, then clockwise."""
        height, width = texture.shape[:2]
        target = (self._camera.project(corners)[0] * SUPERSAMPLING).astype(np.float32)
        source = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
        warp = cv2.getPerspectiveTransform(source, target)
        size = self.canvas.shape[1], self.canvas.shape[0]
        mask = cv2.warpPerspective(np.ones((height, width), np.float32), warp, size)[..., None]
        pixels = cv2.warpPerspective(texture.astype(np.float32), warp, size, borderMode=cv2.BORDER_REPLICATE)
        self.canvas = np.asarray(self.canvas * (1 - mask) + pixels * mask, np.float32)
