"""What parallel rays see of a body: the nearest part, its material and its normal, at every pixel.

View coordinates are metres: x to the right, y up, z towards the viewer; the body's foot point is the origin. Rays run
along -z and meet every part in closed form (the cone's formula is Inigo Quilez's for rounded cones).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipelines.simulator.people.body import Cone, Ellipsoid, Part, Trim, rotation
from pipelines.simulator.people.look import Material
from pipelines.types import BoolArray, Float32Array, Float64Array, Image

HALF_WIDTH_M = 0.72
ABOVE_M = 1.98
BELOW_M = 0.32
"""The canvas around the foot point: half its width, and its reach above and below."""

SUPERSAMPLING = 2
"""Rays per pixel of a sprite, in either direction."""

NOTHING = -9.0
"""Depth where no part was hit."""

SHARP_FEATURES = (Material.DARK, Material.LIPS, Material.HAIR)
BLEND_PER_M = 55
"""How abruptly the normals of two parts change over where they meet."""


@dataclass(frozen=True, slots=True, eq=False)
class Hits:
    """Where the rays of a rectangle meet one part.

    Attributes:
        found: bool ``[h, w]``.
        depth: float32 ``[h, w]``, metres, larger is nearer.
        normal: float32 ``[3, h, w]``, outward, any length.
    """

    found: BoolArray
    depth: Float32Array
    normal: Float32Array


@dataclass(frozen=True, slots=True, eq=False)
class Surface:
    """The visible surface of a body, cropped to it.

    Attributes:
        material: uint8 ``[h, w]``, see `Material`; meaningless where nothing is covered.
        normal: float32 ``[h, w, 3]``, view coordinates.
        depth: float32 ``[h, w]``, metres; `NOTHING` where nothing is covered.
        position: float32 ``[h, w, 3]``, body coordinates, metres; zero where nothing is covered.
        left: column of the crop on the canvas, in sprite pixels.
        top: row of the crop on the canvas, in sprite pixels.
    """

    material: Image
    normal: Float32Array
    depth: Float32Array
    position: Float32Array
    left: int
    top: int

    @property
    def covered(self) -> BoolArray:
        return self.depth > NOTHING + 1


def canvas_size(pixels_per_m: int) -> tuple[int, int]:
    """Width and height of the canvas in sprite pixels."""
    return int(2 * HALF_WIDTH_M * pixels_per_m), int((ABOVE_M + BELOW_M) * pixels_per_m)


def cast(parts: list[Part], heading_rad: float, elevation_rad: float, pixels_per_m: int) -> Surface:
    """Look at a body from the front.

    Args:
        parts: the body.
        heading_rad: which way it faces; 0 is away from the viewer, counter-clockwise from above.
        elevation_rad: how far the viewer looks down.
        pixels_per_m: of the sprite; rays are `SUPERSAMPLING` times as dense.
    """
    view = _view_matrix(heading_rad, elevation_rad)
    canvas = _Canvas(pixels_per_m)
    for part in parts:
        canvas.draw(_seen_from(view, part))
    return canvas.surface(view)


def _view_matrix(heading_rad: float, elevation_rad: float) -> Float64Array:
    cos, sin = np.cos(elevation_rad), np.sin(elevation_rad)
    tilt = np.array([[1, 0, 0], [0, sin, cos], [0, -cos, sin]])
    return np.asarray(tilt @ rotation(2, heading_rad))


def _seen_from(view: Float64Array, part: Part) -> Part:
    if isinstance(part, Ellipsoid):
        return Ellipsoid(part.material, view @ part.centre, view @ part.axes, part.trim)
    return Cone(part.material, view @ part.start, view @ part.end, part.start_radius, part.end_radius)


class _Canvas:
    """Depth, normal and material of the nearest part so far."""

    def __init__(self, pixels_per_m: int) -> None:
        width, height = canvas_size(pixels_per_m)
        shape = height * SUPERSAMPLING, width * SUPERSAMPLING
        self._rays_per_m = pixels_per_m * SUPERSAMPLING
        self._depth = np.full(shape, NOTHING, np.float32)
        self._normal = np.zeros((3, *shape), np.float32)
        self._material = np.zeros(shape, np.uint8)

    def draw(self, part: Part) -> None:
        rows, columns = self._window(part)
        u = ((np.arange(columns.start, columns.stop) + 0.5) / self._rays_per_m - HALF_WIDTH_M).astype(np.float32)
        v = (ABOVE_M - (np.arange(rows.start, rows.stop) + 0.5) / self._rays_per_m).astype(np.float32)
        meet = _meet_ellipsoid if isinstance(part, Ellipsoid) else _meet_cone
        self._blend(part.material, meet(u[None], v[:, None], part), rows, columns)  # type: ignore[arg-type]

    def _window(self, part: Part) -> tuple[slice, slice]:
        """Rows and columns of the canvas that the part may cover."""
        low, high = _extent(part)
        height, width = self._depth.shape
        left = max(int((low[0] + HALF_WIDTH_M) * self._rays_per_m), 0)
        right = min(int((high[0] + HALF_WIDTH_M) * self._rays_per_m) + 2, width)
        top = max(int((ABOVE_M - high[1]) * self._rays_per_m), 0)
        bottom = min(int((ABOVE_M - low[1]) * self._rays_per_m) + 2, height)
        return slice(top, bottom), slice(left, right)

    def _blend(self, material: Material, hits: Hits, rows: slice, columns: slice) -> None:
        """Flesh and cloth melt into what they touch; the features of a face stay sharp."""
        unit = hits.normal * (hits.found / np.sqrt((hits.normal * hits.normal).sum(0) + 1e-9))
        behind = self._depth[rows, columns]
        lead = np.clip(hits.depth - behind, -1, 1) + 0.05 * (material in SHARP_FEATURES)
        weight = np.where(hits.found, 1 / (1 + np.exp(-BLEND_PER_M * lead)), 0)
        self._normal[:, rows, columns] = self._normal[:, rows, columns] * (1 - weight) + unit * weight
        slack = 0.004 if material in (Material.DARK, Material.LIPS) else 0.0
        wins = hits.found & (hits.depth > behind - slack)
        self._depth[rows, columns] = np.where(wins, hits.depth, behind)
        self._material[rows, columns] = np.where(wins, np.uint8(material), self._material[rows, columns])

    def surface(self, view: Float64Array) -> Surface:
        """What was drawn, cropped to whole sprite pixels."""
        rows, columns = (_whole_pixels(np.flatnonzero((self._depth > NOTHING + 1).any(axis))) for axis in (1, 0))
        depth = self._depth[rows, columns]
        covered = depth > NOTHING + 1
        y, x = np.nonzero(covered)
        right = (x + columns.start + 0.5) / self._rays_per_m - HALF_WIDTH_M
        up = ABOVE_M - (y + rows.start + 0.5) / self._rays_per_m
        position = np.zeros((*depth.shape, 3), np.float32)
        position[covered] = np.stack([right, up, depth[covered]], axis=1) @ view
        return Surface(
            material=self._material[rows, columns],
            normal=self._normal[:, rows, columns].transpose(1, 2, 0),
            depth=depth,
            position=position,
            left=columns.start // SUPERSAMPLING,
            top=rows.start // SUPERSAMPLING,
        )


def _whole_pixels(touched: np.ndarray[tuple[int], np.dtype[np.intp]]) -> slice:
    """From the first to the last ray that hit something, widened to sprite pixels."""
    first, last = int(touched[0]), int(touched[-1])
    return slice(first // SUPERSAMPLING * SUPERSAMPLING, -(-(last + 1) // SUPERSAMPLING) * SUPERSAMPLING)


def _extent(part: Part) -> tuple[Float64Array, Float64Array]:
    """Lowest and highest x and y of a part, each ``[2]``."""
    if isinstance(part, Ellipsoid):
        reach = np.sqrt((part.axes[:2] ** 2).sum(1))
        return part.centre[:2] - reach, part.centre[:2] + reach
    start, end = part.start[:2], part.end[:2]
    low = np.minimum(start - part.start_radius, end - part.end_radius)
    high = np.maximum(start + part.start_radius, end + part.end_radius)
    return low, high


def _meet_ellipsoid(u: Float32Array, v: Float32Array, part: Ellipsoid) -> Hits:
    """Rays at columns ``u [1, w]`` and rows ``v [h, 1]``, metres; solved on the unit sphere."""
    to_sphere = np.linalg.inv(part.axes).astype(np.float32)
    right, up = u - np.float32(part.centre[0]), v - np.float32(part.centre[1])
    towards = to_sphere[:, 2]
    origin = [row[0] * right + row[1] * up for row in to_sphere]
    a = np.float32(towards @ towards)
    b = towards[0] * origin[0] + towards[1] * origin[1] + towards[2] * origin[2]
    discriminant = b * b - a * (origin[0] ** 2 + origin[1] ** 2 + origin[2] ** 2 - 1)
    step = (np.sqrt(np.maximum(discriminant, 0)) - b) / a
    x, y, z = (o + direction * step for o, direction in zip(origin, towards, strict=True))
    normal = np.stack([column[0] * x + column[1] * y + column[2] * z for column in to_sphere.T])
    found = (discriminant > 0) & _kept(part.trim, y, z)
    return Hits(found, step + np.float32(part.centre[2]), normal)


def _kept(trim: Trim, y: Float32Array, z: Float32Array) -> BoolArray:
    """Which points of the unit sphere (y forward, z up) exist."""
    if trim == "cap":
        hairline = np.clip(0.25 + 0.9 * z, -0.05, 0.95) - 0.5 * (z < -0.55)
        return np.asarray(y < hairline)
    if trim == "mane":
        return np.asarray(y < 0.4)
    return np.ones(y.shape, np.bool_)


def _meet_cone(u: Float32Array, v: Float32Array, part: Cone) -> Hits:
    """Rays at columns ``u [1, w]`` and rows ``v [h, 1]``, metres: the mantle first, then the nearer of the two ends."""
    axis = (part.end - part.start).astype(np.float32)
    radius, taper = np.float32(part.start_radius), np.float32(part.start_radius - part.end_radius)
    x, y, z = u - np.float32(part.start[0]), v - np.float32(part.start[1]), -np.float32(part.start[2])
    axis_squared = axis @ axis
    along = axis[0] * x + axis[1] * y + axis[2] * z
    slant = axis_squared - taper * taper
    k2 = np.maximum(slant - axis[2] ** 2, np.float32(1e-6))
    k1 = along * axis[2] - slant * z - axis[2] * taper * radius
    k0 = slant * (x * x + y * y + z * z) - along * along + 2 * along * taper * radius - axis_squared * radius * radius
    discriminant = k1 * k1 - k0 * k2
    step = (-np.sqrt(np.maximum(discriminant, 0)) - k1) / k2
    height = along - radius * taper - step * axis[2]
    on_mantle = (discriminant > 0) & (height > 0) & (height < slant)
    depth = np.where(on_mantle, -step, np.float32(NOTHING))
    mantle = [slant * x - axis[0] * height, slant * y - axis[1] * height, slant * (z - step) - axis[2] * height]
    normal = np.where(on_mantle, np.stack(mantle), np.float32(0))
    for centre, end_radius in ((part.start, part.start_radius), (part.end, part.end_radius)):
        depth, normal = _cap(u, v, centre, end_radius, depth, normal)
    return Hits(depth > NOTHING + 1, depth, normal)


def _cap(
    u: Float32Array, v: Float32Array, centre: Float64Array, radius: float, depth: Float32Array, normal: Float32Array
) -> tuple[Float32Array, Float32Array]:
    """Depth and normal after a sphere, where it is nearer than `depth`."""
    right, up = u - np.float32(centre[0]), v - np.float32(centre[1])
    squared = np.float32(radius * radius) - right * right - up * up
    towards = np.sqrt(np.maximum(squared, 0))
    nearer = (squared > 0) & (towards + np.float32(centre[2]) > depth)
    sphere = np.stack([right + 0 * towards, up + 0 * towards, towards])
    return np.where(nearer, towards + np.float32(centre[2]), depth), np.where(nearer, sphere, normal)
