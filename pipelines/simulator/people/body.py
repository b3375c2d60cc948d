"""A walking body as some 90 ellipsoids and round cones on a skeleton.

Body coordinates are metres: x to the person's right, y forward, z up, the origin on the floor between the feet.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np

from pipelines.simulator.people.look import Look, Material
from pipelines.types import Float64Array

Trim: TypeAlias = Literal["none", "cap", "mane"]
"""Which part of an ellipsoid is kept: all of it, a head of short hair, or hair down the back."""

FLOOR_FROM_HEEL_M = 0.042
FLOOR_FROM_TOE_M = 0.032


@dataclass(frozen=True, slots=True, eq=False)
class Ellipsoid:
    """A stretched and turned unit sphere.

    Attributes:
        material: what it is made of.
        centre: ``[3]``, metres.
        axes: ``[3, 3]``, the half axes as columns, metres.
        trim: which part of it exists.
    """

    material: Material
    centre: Float64Array
    axes: Float64Array
    trim: Trim = "none"


@dataclass(frozen=True, slots=True, eq=False)
class Cone:
    """Two spheres and the cone that touches both; ends are ``[3]`` and radii in metres."""

    material: Material
    start: Float64Array
    end: Float64Array
    start_radius: float
    end_radius: float


Part: TypeAlias = Ellipsoid | Cone


@dataclass(frozen=True, slots=True, eq=False)
class Leg:
    """Joints of one leg in body coordinates, each ``[3]``, and the foot's rotation ``[3, 3]``."""

    hip: Float64Array
    knee: Float64Array
    ankle: Float64Array
    heel: Float64Array
    toe: Float64Array
    foot: Float64Array

    def lowest(self) -> float:
        """Height of the lower end of the sole, metres."""
        return float(min(self.heel[2] - FLOOR_FROM_HEEL_M, self.toe[2] - FLOOR_FROM_TOE_M))

    def lifted(self, up: Float64Array) -> Leg:
        return Leg(self.hip + up, self.knee + up, self.ankle + up, self.heel + up, self.toe + up, self.foot)


def rotation(axis: int, angle_rad: float) -> Float64Array:
    """Matrix that turns by `angle_rad` about axis 0 (x), 1 (y) or 2 (z)."""
    i, j = ((1, 2), (2, 0), (0, 1))[axis]
    matrix = np.eye(3)
    matrix[i, i] = matrix[j, j] = np.cos(angle_rad)
    matrix[j, i] = np.sin(angle_rad)
    matrix[i, j] = -matrix[j, i]
    return matrix


def body_parts(look: Look, phase_rad: float, stride: float) -> list[Part]:
    """All parts of a person who walks along +y.

    Args:
        look: who it is.
        phase_rad: of the gait, one full turn is two steps.
        stride: amplitude of the gait; 0 stands still.
    """
    return _Body(look, phase_rad, stride).build()


class _Body:
    """Collects the parts of one pose; later parts are drawn over earlier ones where both are equally near."""

    def __init__(self, look: Look, phase_rad: float, stride: float) -> None:
        self._look = look
        self._phase = phase_rad
        self._stride = stride
        self._parts: list[Part] = []
        self._turn_rad = 0.12 * stride * np.cos(phase_rad)
        self._trunk = rotation(2, self._turn_rad) @ rotation(0, -0.05 * stride)
        self._shoulder_width = 0.9 if look.feminine else 1.0
        legs = [_swing_leg(side, self._phase_of(side), stride) for side in (-1, 1)]
        self._lift = np.array([0, 0, -min(leg.lowest() for leg in legs)])
        self._legs = [leg.lifted(self._lift) for leg in legs]

    def build(self) -> list[Part]:
        for leg in self._legs:
            self._add_leg(leg)
        self._add_trunk()
        for side in (-1, 1):
            self._add_arm(side)
        if self._look.backpack:
            self._ellipsoid(Material.BAG, self._at(0, -0.17, 0.27), (0.15, 0.10, 0.22), self._trunk)
            self._ellipsoid(Material.BAG, self._at(0, -0.24, 0.2), (0.11, 0.06, 0.11), self._trunk)
        self._add_head()
        return self._parts

    def _phase_of(self, side: int) -> float:
        """The right side is half a cycle behind the left one."""
        return self._phase + (np.pi if side > 0 else 0)

    def _at(self, x: float, y: float, z: float) -> Float64Array:
        """A point of the trunk, given relative to the hips."""
        return np.asarray(self._lift + self._trunk @ np.array([x, y, z]))

    def _ellipsoid(
        self,
        material: Material,
        centre: Float64Array,
        half_axes: tuple[float, float, float],
        turn: Float64Array | None = None,
        trim: Trim = "none",
    ) -> None:
        axes = (np.eye(3) if turn is None else turn) * np.asarray(half_axes)
        self._parts.append(Ellipsoid(material, centre, axes, trim))

    def _cone(
        self, material: Material, start: Float64Array, end: Float64Array, radius: float, end_radius: float
    ) -> None:
        self._parts.append(Cone(material, start, end, radius, end_radius))

    def _add_leg(self, leg: Leg) -> None:
        bare = self._look.bare_legs
        lower = Material.SKIN if bare else Material.LEGWEAR
        calf = leg.knee + (leg.ankle - leg.knee) * 0.3 + np.array([0, -0.012, 0])
        self._cone(Material.LEGWEAR, leg.hip, leg.knee, 0.098 * self._look.girth, 0.066)
        self._cone(lower, leg.knee, calf, 0.062, 0.064)
        self._cone(lower, calf, leg.ankle, 0.06, 0.04 if bare else 0.054)
        instep = (leg.heel + leg.toe) / 2 + leg.foot @ np.array([0, -0.02, 0.035])
        self._cone(Material.SHOE, leg.heel + np.array([0, 0, 0.012]), leg.toe, 0.042, 0.034)
        self._cone(Material.SHOE, instep, leg.toe, 0.036, 0.034)
        sole_start = leg.heel + leg.foot @ np.array([0, 0, -0.012])
        sole_end = leg.toe + leg.foot @ np.array([0, 0.006, -0.006])
        self._cone(Material.SOLE, sole_start, sole_end, 0.036, 0.031)

    def _add_trunk(self) -> None:
        look, girth, wide = self._look, self._look.girth, self._shoulder_width
        self._ellipsoid(Material.LEGWEAR, self._at(0, -0.015, -0.02), (0.162 * girth, 0.122 * girth, 0.14))
        if look.skirt_m:
            self._add_skirt()
        else:
            centre = self._at(0, 0, -0.02 if look.coat else 0.03)
            half_axes = (0.166 * girth, 0.124 * girth, 0.19 if look.coat else 0.12)
            self._ellipsoid(Material.TOP, centre, half_axes, self._trunk)
        self._ellipsoid(Material.TOP, self._at(0, 0, 0.16), (0.150 * girth * wide, 0.114 * girth, 0.17), self._trunk)
        self._ellipsoid(Material.TOP, self._at(0, 0, 0.33), (0.170 * girth * wide, 0.120 * girth, 0.19), self._trunk)
        self._ellipsoid(Material.TOP, self._at(0, 0.05, 0.35), (0.135, 0.08, 0.09), self._trunk)

    def _add_skirt(self) -> None:
        material = Material.TOP if self._look.coat else Material.LEGWEAR
        sway = 0.05 * self._stride * np.cos(self._phase)
        for angle in np.arange(0, 6.28, 0.8):
            x, y = np.cos(angle), np.sin(angle)
            hem = self._lift + np.array([0.14 * x, 0.145 * y - sway * x, -self._look.skirt_m])
            self._cone(material, self._at(0.07 * x, 0.03 * y, 0.06), hem, 0.09, 0.085)

    def _add_arm(self, side: int) -> None:
        look, girth, wide = self._look, self._look.girth, self._shoulder_width
        swing = np.cos(self._phase_of(side))
        upper_rad = 0.02 - self._stride * 0.40 * swing * look.arm_swing
        lower_rad = upper_rad + 0.18 + self._stride * 0.16 * (1 - swing)
        collar, tip = self._at(side * 0.03, -0.015, 0.50), self._at(side * 0.165 * wide, -0.015, 0.445)
        self._cone(Material.TOP, collar, tip, 0.052, 0.058)
        shoulder = self._at(side * 0.178 * wide, -0.015, 0.44)
        outward = side * (0.10 + 0.12 * (girth - 0.9))
        upper = self._trunk @ np.array([outward, np.sin(upper_rad), -np.cos(upper_rad)])
        lower = self._trunk @ np.array([-side * 0.02, np.sin(lower_rad), -np.cos(lower_rad)])
        elbow = shoulder + 0.285 * upper / np.linalg.norm(upper)
        wrist = elbow + 0.25 * lower
        self._cone(Material.TOP, shoulder, elbow, 0.064 * girth, 0.05 * girth)
        if look.long_sleeves:
            self._cone(Material.TOP, elbow, wrist, 0.048 * girth, 0.04)
        else:
            self._cone(Material.SKIN, elbow, wrist, 0.04, 0.029)
        knuckles = wrist + 0.085 * lower
        fingertips = wrist + 0.15 * lower + self._trunk @ np.array([-side * 0.015, 0.01, 0])
        self._cone(Material.SKIN, wrist, knuckles, 0.03, 0.034)
        self._cone(Material.SKIN, knuckles, fingertips, 0.033, 0.02)
        self._add_luggage(side, wrist)

    def _add_luggage(self, side: int, wrist: Float64Array) -> None:
        """A handbag in the left hand; the backpack's strap over either shoulder."""
        if self._look.handbag and side < 0:
            self._ellipsoid(Material.BAG, wrist + np.array([side * 0.03, 0, -0.27]), (0.06, 0.15, 0.12))
            handle, clasp = wrist + np.array([0, 0, -0.05]), wrist + np.array([side * 0.03, 0, -0.2])
            self._cone(Material.BAG, handle, clasp, 0.014, 0.014)
        if self._look.backpack:
            bottom, top = self._at(side * 0.10, 0.10, 0.30), self._at(side * 0.11, 0.06, 0.47)
            self._cone(Material.BAG, bottom, top, 0.02, 0.02)

    def _add_head(self) -> None:
        slim = 0.008 if self._look.feminine else 0.0
        self._cone(Material.SKIN, self._at(0, 0, 0.50), self._at(0, 0.03, 0.62), 0.056 - slim, 0.053 - slim)
        turn = rotation(2, self._turn_rad * 0.2 + self._look.gaze_rad) @ rotation(0, -0.05)
        middle = self._at(0, 0.045, 0.695)

        def add(
            material: Material,
            offset: tuple[float, float, float],
            half_axes: tuple[float, float, float],
            trim: Trim = "none",
        ) -> None:
            self._ellipsoid(material, middle + turn @ np.array(offset), half_axes, turn, trim)

        add(Material.SKIN, (0, -0.012, 0.035), (0.076, 0.096, 0.088))  # skull
        add(Material.SKIN, (0, 0.018, -0.028), (0.064, 0.078, 0.098))  # jaw
        add(Material.SKIN, (0, 0.096, -0.02), (0.013, 0.02, 0.026))  # nose
        for side in (-1, 1):
            add(Material.SKIN, (side * 0.077, -0.005, -0.012), (0.013, 0.022, 0.031))  # ear
            add(Material.DARK, (side * 0.030, 0.082, 0.010), (0.016, 0.012, 0.008))  # eye
            add(Material.HAIR, (side * 0.031, 0.086, 0.031), (0.022, 0.01, 0.005))  # brow
        add(Material.LIPS, (0, 0.085, -0.066), (0.024, 0.012, 0.008))
        if self._look.hair != "bald":
            add(Material.HAIR, (0, -0.022, 0.045), (0.086, 0.102, 0.094), "cap")
        if self._look.hair == "long":
            add(Material.HAIR, (0, -0.05, -0.04), (0.088, 0.07, 0.14), "mane")
            add(Material.HAIR, (0, -0.07, -0.13), (0.085, 0.05, 0.12))


def _swing_leg(side: int, phase_rad: float, stride: float) -> Leg:
    """Joints of the left (-1) or right (1) leg, with the hips at the origin."""
    thigh_rad = stride * (0.14 + 0.40 * np.cos(phase_rad))
    bend = 0.22 * _pulse(phase_rad, 0.14, 0.09) + _pulse(phase_rad, 0.73, 0.13)
    shin_rad = thigh_rad - 0.06 - stride * bend
    roll = 0.30 * _pulse(phase_rad, 0.99, 0.07) - 0.75 * _pulse(phase_rad, 0.62, 0.10)
    foot = rotation(2, -side * 0.12) @ rotation(0, stride * roll)
    hip = np.array([side * 0.088, 0, 0])
    knee = hip + 0.435 * np.array([0, np.sin(thigh_rad), -np.cos(thigh_rad)])
    ankle = knee + 0.42 * np.array([-0.03 * side, np.sin(shin_rad), -np.cos(shin_rad)])
    heel = ankle + foot @ np.array([0, -0.045, -0.06])
    toe = ankle + foot @ np.array([0, 0.165, -0.068])
    return Leg(hip, knee, ankle, heel, toe, foot)


def _pulse(phase_rad: float, centre: float, width: float) -> float:
    """A Gaussian bump in the gait; centre and width as shares of the cycle."""
    distance = (phase_rad / (2 * np.pi) - centre + 0.5) % 1 - 0.5
    return float(np.exp(-((distance / width) ** 2)))
