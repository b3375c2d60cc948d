"""A scene that never ends, for cameras that are simulated inside the service."""

from __future__ import annotations

from pipelines.simulator.scene.scene import Scene
from pipelines.types import Image


class SceneLoop:
    """Plays a scene over and over. At the seam everybody jumps, and new people have the old ids.

    Args:
        scene: what to play.
    """

    def __init__(self, scene: Scene) -> None:
        self.scene = scene

    @property
    def fps(self) -> float:
        return self.scene.fps

    @property
    def frames_per_round(self) -> int:
        return self.scene.frames

    def warm(self) -> None:
        """Fetch all sprites; takes seconds to a minute the first time, then about a second. See `Scene.warm`."""
        self.scene.warm()

    def image(self, number: int) -> Image:
        """Frame `number`, counted from 0 for ever; BGR."""
        return self.scene.image(number % self.scene.frames)

    def starts_over(self, number: int) -> bool:
        """Whether frame `number` does not follow from the frame before."""
        return number > 0 and number % self.scene.frames == 0
