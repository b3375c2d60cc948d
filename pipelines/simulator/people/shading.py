"""How light falls on a body: cloth folds, one soft lamp, occlusion in corners and the gloss of hair and leather."""

from __future__ import annotations

import cv2
import numpy as np

from pipelines.simulator.people.look import Material
from pipelines.simulator.people.raycast import Surface
from pipelines.types import Float32Array

LAMP = np.array([-0.45, 0.62, 0.64], np.float32)
HALFWAY = np.array([-0.2, 0.5, 0.84], np.float32)
"""Directions in view coordinates: to the lamp, and halfway between lamp and viewer."""

FOLD_OCTAVES = ((13, 0.55), (22, 0.4), (37, 0.25))
"""Waves a metre (in radians) and depth of every layer of folds."""

OCCLUSION_LAYERS = ((9, 4.0), (25, 1.6))
"""Radius in rays, and darkening a metre of depth below the surroundings."""

FOLD_STRENGTH = 0.34
SPECULAR_POWER = 24


def shade(surface: Surface, elevation_rad: float, number: int) -> Float32Array:
    """Brightness of every point of a surface.

    Args:
        surface: what the rays hit.
        elevation_rad: how far the viewer looks down.
        number: of the person; the folds of its clothes are drawn from it.

    Returns:
        float32 ``[h, w]``, a factor on the material's colour, around 1; zero where nothing is covered.
    """
    normal = _folded(surface, number)
    sky = np.array([0, np.cos(elevation_rad), np.sin(elevation_rad)], np.float32)
    light = 0.44 + 0.20 * (normal @ sky) + 0.56 * np.clip(normal @ LAMP, 0, None)
    light *= _openness(surface)
    glossy = np.isin(surface.material, (Material.HAIR, Material.SHOE, Material.BAG))
    light += np.where(glossy, 0.22, 0.05) * np.clip(normal @ HALFWAY, 0, 1) ** SPECULAR_POWER
    x, z = surface.position[..., 0], surface.position[..., 2]
    strands = 0.10 * np.sin(x * 420 + 3 * np.sin(z * 60))
    light += np.where(surface.material == Material.HAIR, strands, 0)
    return np.asarray(light * surface.covered, np.float32)


def _folded(surface: Surface, number: int) -> Float32Array:
    """Unit normals, tilted where cloth has folds; ``[h, w, 3]``."""
    folds = _folds(surface, number)
    is_cloth = np.isin(surface.material, (Material.TOP, Material.LEGWEAR, Material.BAG))
    strength = is_cloth * np.float32(FOLD_STRENGTH)
    normal = surface.normal.copy()
    normal[..., 0] -= strength * cv2.Sobel(folds, cv2.CV_32F, 1, 0)
    normal[..., 1] += strength * cv2.Sobel(folds, cv2.CV_32F, 0, 1)
    normal /= np.sqrt((normal * normal).sum(2, keepdims=True)) + 1e-6
    return normal


def _folds(surface: Surface, number: int) -> Float32Array:
    """Height of the folds: warped sine waves in body space, so that they move with the body; ``[h, w]``."""
    rng = np.random.default_rng(number)
    covered = surface.covered
    folds = np.zeros(covered.shape, np.float32)
    for frequency, depth in FOLD_OCTAVES:
        directions = rng.normal(size=(4, 3)) * [1, 1, 0.8]
        waves = directions * (frequency / np.linalg.norm(directions, axis=1))[:, None]
        phase = surface.position[covered] @ waves.T.astype(np.float32)
        first = np.sin(phase[:, 0] + 1.6 * np.sin(0.6 * phase[:, 1]))
        second = np.sin(phase[:, 2] + 1.6 * np.sin(0.6 * phase[:, 3]))
        folds[covered] += depth * (first + second)
    return np.asarray(_twice_blurred(folds, 5), np.float32)


def _openness(surface: Surface) -> Float32Array:
    """How little of the light the surroundings take away, from depth alone; ``[h, w]``, up to 1."""
    weight = surface.covered.astype(np.float32)
    depth = np.where(surface.covered, surface.depth, np.float32(0))
    openness = np.ones(depth.shape, np.float32)
    for radius, gain in OCCLUSION_LAYERS:
        around = _twice_blurred(depth, radius, 2 * radius + 1)
        known = _twice_blurred(weight, radius, 2 * radius + 1)
        below = np.clip(around / np.maximum(known, 1e-3) - surface.depth - 0.012, 0, 0.2)
        openness *= np.clip(1 - gain * below, 0.4, 1)
    return openness


def _twice_blurred(values: Float32Array, first: int, second: int | None = None) -> Float32Array:
    """Two box filters of the given widths: close to a Gaussian, and fast."""
    once = cv2.blur(values, (first, first))
    return np.asarray(cv2.blur(once, (second or first, second or first)), np.float32)
