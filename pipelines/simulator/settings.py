"""What a simulated camera shows, without the machinery that draws it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

SMALLEST_PX, LARGEST_PX = 64, 7680
NARROWEST, WIDEST = 0.5, 2.5
"""Width of a picture over its height."""
BOUNDS: Mapping[str, tuple[float, float]] = {
    "seed": (0, 2**31),
    "people": (0, 60),
    "width": (SMALLEST_PX, LARGEST_PX),
    "height": (SMALLEST_PX, LARGEST_PX),
    "fps": (1, 60),
    "seconds": (0.1, 600),
    "overlap": (0, 1),
}
"""Least and most of every setting: what keeps planning and rendering within what a reader can bear."""


@dataclass(frozen=True, slots=True)
class SceneSettings:
    """A scene, as in ``footfall simulate``; the same settings show the same people.

    Attributes:
        seed: of everything that is random.
        people: how many are there at a time, at most.
        width: pixels, even.
        height: pixels, even.
        fps: frames a second.
        seconds: length of a round; then it begins anew.
        overlap: largest share of a person that a nearer one may hide.
    """

    seed: int = 0
    people: int = 6
    width: int = 640
    height: int = 360
    fps: float = 15.0
    seconds: float = 60.0
    overlap: float = 0.3

    def __post_init__(self) -> None:
        """ValueError beyond the bounds."""
        for name, (least, most) in BOUNDS.items():
            if not least <= getattr(self, name) <= most:
                raise ValueError(f"{name} must be between {least} and {most}")
        if not NARROWEST <= self.width / self.height <= WIDEST:
            raise ValueError(f"the width must be {NARROWEST} to {WIDEST} times the height")
        if self.overlap < 0.1 and self.people > 12:
            raise ValueError("more than 12 people need an overlap of at least 0.1")
