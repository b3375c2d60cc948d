"""Simulated people as a live camera, rendered in this process: a camera for those who have none."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import av

from pipelines.errors import SourceUnsupported
from pipelines.simulator.live import SceneLoop
from pipelines.simulator.scene.camera import Camera
from pipelines.simulator.scene.scene import Scene
from pipelines.sources.base import Position, SourceFrame
from pipelines.types import StreamInfo


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
        """Bounds that keep planning and rendering within what a reader can bear; ValueError beyond them."""
        bounds = {"people": (0, 60), "fps": (1, 60), "seconds": (0.1, 600), "overlap": (0, 1), "seed": (0, 2**31)}
        for name, (least, most) in bounds.items():
            if not least <= getattr(self, name) <= most:
                raise ValueError(f"{name} must be between {least} and {most}")
        if self.overlap < 0.1 and self.people > 12:
            raise ValueError("more than 12 people need an overlap of at least 0.1")

    def scene(self) -> Scene:
        """The scene; takes about a second.

        Raises:
            ValueError: a setting makes no sense.
        """
        return Scene(
            Camera(self.width, self.height),
            people=self.people,
            seconds=self.seconds,
            fps=self.fps,
            seed=self.seed,
            max_overlap=self.overlap,
        )


class SimulatorSource:
    """One run of a simulated camera; see `pipelines.sources.base.Source`.

    Args:
        settings: of the scene.
        wall_clock: for tests.
    """

    live = True

    def __init__(self, settings: SceneSettings, *, wall_clock: Callable[[], float] = time.time) -> None:
        self._settings = settings
        self._wall_clock = wall_clock
        self._loop: SceneLoop | None = None

    def connect(self, resume: Position | None = None) -> StreamInfo:
        del resume  # live: what was is gone
        try:
            self._loop = SceneLoop(self._settings.scene())
        except ValueError as error:
            raise SourceUnsupported(f"the scene cannot be made: {error}") from error
        return StreamInfo("rawvideo", self._settings.width, self._settings.height, self._settings.fps)

    def frames(self, stop: threading.Event) -> Iterator[SourceFrame]:
        if self._loop is None:
            raise RuntimeError("connect() comes first")
        begun, number = time.monotonic(), 0
        while not stop.wait(max(0.0, begun + number / self._settings.fps - time.monotonic())):
            late = int((time.monotonic() - begun) * self._settings.fps) - number
            number += max(late, 0)  # a slow machine shows fewer frames, not an ever older scene
            image = self._loop.image(number)
            yield SourceFrame(av.VideoFrame.from_ndarray(image, format="bgr24"), self._wall_clock())
            number += 1

    def acknowledge(self, position: Position) -> None:
        """Nothing to do: a live source does not replay."""

    def close(self) -> None:
        self._loop = None
