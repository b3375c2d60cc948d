"""What a simulated person looks like: proportions, garments and colours, all drawn from one number."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache

import numpy as np

from pipelines.types import Float32Array

BODY_HEIGHT_M = 1.755
"""Height of a body of size 1."""

Colour = tuple[int, int, int]
"""Blue, green, red, each in [0, 255]."""


class Material(IntEnum):
    """What a body part is made of; the index of its colour in `Look.palette`."""

    SKIN = 0
    HAIR = 1
    TOP = 2
    LEGWEAR = 3
    SHOE = 4
    DARK = 5
    BAG = 6
    LIPS = 7
    SOLE = 8


SKIN_TONES: tuple[Colour, ...] = ((150, 180, 226), (125, 160, 212), (90, 125, 180), (60, 85, 130), (165, 190, 235))
HAIR_TONES: tuple[Colour, ...] = ((25, 28, 34), (30, 45, 70), (50, 80, 115), (20, 20, 24), (130, 130, 135))
CLOTH_TONES: tuple[Colour, ...] = (
    (60, 50, 45),
    (40, 40, 42),
    (110, 70, 40),
    (45, 45, 140),
    (200, 205, 208),
    (70, 95, 70),
    (130, 120, 110),
    (50, 110, 165),
    (120, 60, 90),
    (225, 225, 222),
    (150, 110, 60),
    (35, 60, 95),
)
LEGWEAR_TONES: tuple[Colour, ...] = (
    (70, 48, 38),
    (45, 42, 40),
    (105, 78, 58),
    (95, 95, 98),
    (110, 135, 160),
    (40, 34, 30),
    (120, 95, 75),
)
SHOE_TONES: tuple[Colour, ...] = ((38, 36, 38), (40, 40, 46), (200, 200, 200))
SOLE_TONES: tuple[Colour, ...] = ((50, 50, 52), (210, 210, 210))
DARK_TONE: Colour = (30, 30, 34)
LIP_TONE: Colour = (95, 95, 165)


@dataclass(frozen=True, slots=True, eq=False)
class Look:
    """One person's appearance.

    Attributes:
        number: the seed it was drawn from.
        palette: float32 ``[len(Material), 3]``, BGR.
        feminine: slimmer build and neck.
        coat: the top reaches over the hips.
        skirt_m: length below the hips of a skirt or a long coat; 0 for none.
        skirt: it is a skirt rather than a coat's hem.
        bare_legs: skin below the knees.
        long_sleeves: cloth down to the wrists.
        handbag: one hangs from the left hand.
        backpack: one is on the back.
        striped: the top has stripes.
        hair: ``long``, ``short`` or ``bald``.
        girth: width of trunk and limbs, 1 is average.
        arm_swing: amplitude, 1 is average.
        gaze_rad: how far the head is turned to one side.
        stride: amplitude of the gait, 1 is average.
        size: height as a share of `BODY_HEIGHT_M`.
    """

    number: int
    palette: Float32Array
    feminine: bool
    coat: bool
    skirt_m: float
    skirt: bool
    bare_legs: bool
    long_sleeves: bool
    handbag: bool
    backpack: bool
    striped: bool
    hair: str
    girth: float
    arm_swing: float
    gaze_rad: float
    stride: float
    size: float


@lru_cache(maxsize=1024)
def look_of(number: int) -> Look:
    """Person number `number`: the same number gives the same person everywhere."""
    rng = np.random.default_rng(1000 + number)
    feminine = bool(rng.random() < 0.45)
    skirt = feminine and bool(rng.random() < 0.3)
    coat = not skirt and bool(rng.random() < 0.3)
    palette = _palette(rng)
    hem_m = 0.25 if coat and rng.random() < 0.5 else 0.0
    return Look(
        number=number,
        palette=palette,
        feminine=feminine,
        coat=coat,
        skirt_m=0.42 if skirt else hem_m,
        skirt=skirt,
        bare_legs=skirt or bool(rng.random() < 0.12),
        girth=float(rng.uniform(0.93, 1.1)),
        long_sleeves=bool(rng.random() < 0.7),
        arm_swing=float(rng.uniform(0.7, 1.2)),
        handbag=feminine and bool(rng.random() < 0.35),
        backpack=bool(rng.random() < 0.25),
        gaze_rad=float(rng.uniform(-0.2, 0.2)),
        hair=str(rng.choice(["long", "short"] if feminine else ["short", "short", "bald"])),
        stride=float(rng.uniform(0.85, 1.05)) * (0.75 if skirt else 1.0),
        size=float(rng.normal(1.66 if feminine else 1.77, 0.05)) / BODY_HEIGHT_M,
        striped=bool(rng.random() < 0.2),
    )


def _palette(rng: np.random.Generator) -> Float32Array:
    """A colour for every material, in the order of `Material`."""
    colours = [
        _tone(rng, SKIN_TONES),
        _tone(rng, HAIR_TONES),
        _tone(rng, CLOTH_TONES),
        _tone(rng, LEGWEAR_TONES),
        _tone(rng, SHOE_TONES),
        np.array(DARK_TONE, np.float32),
        _tone(rng, CLOTH_TONES),
        np.array(LIP_TONE, np.float32),
        _tone(rng, SOLE_TONES),
    ]
    return np.stack(colours).astype(np.float32)


def _tone(rng: np.random.Generator, options: tuple[Colour, ...]) -> Float32Array:
    """One of the options, a little lighter or darker and with a tint of its own."""
    colour = np.array(options[rng.integers(len(options))]) * rng.uniform(0.85, 1.15) + rng.normal(0, 6, 3)
    return np.clip(colour, 8, 245).astype(np.float32)
