"""Sprites: a person in one pose, seen from one direction, as premultiplied pixels that are quick to paste."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from pipelines.simulator.people.body import Cone, Part, body_parts, rotation
from pipelines.simulator.people.look import Look, Material, look_of
from pipelines.simulator.people.raycast import ABOVE_M, HALF_WIDTH_M, SUPERSAMPLING, Surface, canvas_size, cast
from pipelines.simulator.people.shading import shade
from pipelines.types import Float32Array, Float64Array

POSES = 16
"""Frames of the gait cycle."""

DIRECTIONS = 16
"""Headings a person is drawn in."""

STANDING = -1
"""The pose of somebody who stands."""

MIP_LEVELS = 3
SHADOW_UNDER_FOOT = (0.12, 0.55)
SHADOW_UNDER_BODY = (0.34, 0.45)
"""Radius in metres and darkness of the soft contact shadows."""

Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class SpriteKey:
    """All that a sprite depends on.

    Attributes:
        look: number of the person.
        pose: frame of the gait in ``range(POSES)``, or `STANDING`.
        direction: heading in ``range(DIRECTIONS)``; 0 walks away from the viewer, counter-clockwise from above.
        elevation_deg: how far the viewer looks down.
        pixels_per_m: scale of the largest level.
    """

    look: int
    pose: int
    direction: int
    elevation_deg: int
    pixels_per_m: int

    @property
    def heading_rad(self) -> float:
        return self.direction * 2 * np.pi / DIRECTIONS


@dataclass(frozen=True, slots=True, eq=False)
class Sprite:
    """Pixels at full, half and quarter size.

    Attributes:
        paints: uint8 ``[h, w, 4]`` each: premultiplied blue, green and red, and the share of the background that stays
            (shadows lower it).
        covers: uint8 ``[h, w]`` each: how much of the pixel the person covers.
        foot: x and y of the foot point in the largest level, pixels.
    """

    paints: tuple[Pixels, ...]
    covers: tuple[Pixels, ...]
    foot: tuple[float, float]

    @property
    def size_bytes(self) -> int:
        return sum(pixels.nbytes for pixels in (*self.paints, *self.covers))


def draw_sprite(key: SpriteKey) -> Sprite:
    """Render a sprite; 5 to 100 ms. The same key gives the same pixels everywhere."""
    look, elevation_rad = look_of(key.look), float(np.radians(key.elevation_deg))
    walking = key.pose != STANDING
    phase_rad = 2 * np.pi * key.pose / POSES if walking else 0.0
    parts = body_parts(look, phase_rad, look.stride if walking else 0.0)
    surface = cast(parts, key.heading_rad, elevation_rad, key.pixels_per_m)
    colour = _coloured(surface, look, elevation_rad)
    canvas = _placed(colour, surface, key.pixels_per_m)
    shadow = _shadow(canvas.shape[:2], _footprints(parts, key.heading_rad), elevation_rad, key.pixels_per_m)
    canvas[..., 3] = (1 - canvas[..., 4]) * (1 - shadow) * 255
    canvas[..., 4] *= 255
    return _cropped(canvas, key.pixels_per_m)


def _coloured(surface: Surface, look: Look, elevation_rad: float) -> Float32Array:
    """Lit colours, zero where nothing is covered; float32 ``[h, w, 3]``."""
    colour = look.palette[surface.material]
    if look.striped:
        stripes = (surface.material == Material.TOP) & (np.sin(surface.position[..., 2] * 150) > 0.3)
        colour = np.where(stripes[..., None], colour * 0.55 + 60, colour)
    light = shade(surface, elevation_rad, look.number)
    return np.asarray(np.clip(colour * light[..., None], 0, 255) * surface.covered[..., None], np.float32)


def _placed(colour: Float32Array, surface: Surface, pixels_per_m: int) -> Float32Array:
    """Colour and cover, averaged down to sprite pixels on the whole canvas; float32 ``[H, W, 5]``, channel 3 unset."""
    layers = np.dstack([colour, surface.covered.astype(np.float32)])
    shrink = 1 / SUPERSAMPLING
    small = cv2.resize(layers, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA)
    width, height = canvas_size(pixels_per_m)
    canvas = np.zeros((height, width, 5), np.float32)
    rows = slice(surface.top, surface.top + small.shape[0])
    columns = slice(surface.left, surface.left + small.shape[1])
    canvas[rows, columns, :3] = small[..., :3]
    canvas[rows, columns, 4] = small[..., 3]
    return canvas


def _footprints(parts: list[Part], heading_rad: float) -> list[Float64Array]:
    """Where the soles are on the floor, metres to the right of and behind the foot point."""
    soles = [part for part in parts if isinstance(part, Cone) and part.material == Material.SOLE]
    return [(rotation(2, heading_rad) @ (sole.start + sole.end) / 2)[:2] for sole in soles]


def _shadow(
    shape: tuple[int, ...], footprints: list[Float64Array], elevation_rad: float, pixels_per_m: int
) -> Float32Array:
    """Darkness of the soft shadows under feet and body, in [0, 1]."""
    y, x = np.mgrid[: shape[0], : shape[1]].astype(np.float32)
    spots = [(foot[0], foot[1], *SHADOW_UNDER_FOOT) for foot in footprints]
    spots.append((0.06, 0.03, *SHADOW_UNDER_BODY))
    shadow = np.zeros(shape, np.float32)
    for right, behind, radius_m, darkness in spots:
        radius = radius_m * pixels_per_m
        flat = radius * max(float(np.sin(elevation_rad)), 0.15)
        across = (x - (HALF_WIDTH_M + right) * pixels_per_m) / radius
        along = (y - ABOVE_M * pixels_per_m + np.sin(elevation_rad) * behind * pixels_per_m) / flat
        shadow = np.maximum(shadow, darkness * np.exp(-(across**2 + along**2)))
    return np.where(shadow < 0.008, 0, shadow)


def _cropped(canvas: Float32Array, pixels_per_m: int) -> Sprite:
    """The part with anything in it, in whole blocks of the smallest level."""
    block = 2 ** (MIP_LEVELS - 1)
    left, top, width, height = cv2.boundingRect((canvas[..., 3] < 252).astype(np.uint8))
    left, right = left // block * block, (left + width + block - 1) // block * block
    top, bottom = top // block * block, (top + height + block - 1) // block * block
    level = np.clip(canvas[top:bottom, left:right] + 0.5, 0, 255).astype(np.uint8)
    levels = [level]
    for _ in range(MIP_LEVELS - 1):
        levels.append(_halved(levels[-1]))
    paints = tuple(np.ascontiguousarray(level[..., :4]) for level in levels)
    covers = tuple(np.ascontiguousarray(level[..., 4]) for level in levels)
    return Sprite(paints, covers, (HALF_WIDTH_M * pixels_per_m - left, ABOVE_M * pixels_per_m - top))


def _halved(level: Pixels) -> Pixels:
    height, width = level.shape[0] // 2, level.shape[1] // 2
    blocks = level[: 2 * height, : 2 * width].reshape(height, 2, width, 2, level.shape[2])
    return np.asarray(blocks.mean((1, 3)).round(), np.uint8)
