"""Simulated people as a live camera, rendered in this process: a camera for those who have none."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

import av

from pipelines.errors import SourceUnsupported
from pipelines.simulator.live import SceneLoop
from pipelines.simulator.scene.camera import Camera
from pipelines.simulator.scene.scene import Scene
from pipelines.simulator.settings import SceneSettings
from pipelines.sources.base import Position, Reached, SourceFrame
from pipelines.types import StreamInfo


class SimulatorSource:
    """One run of a simulated camera; see `pipelines.sources.base.Source`.

    Args:
        settings: of the scene.
        wall_clock: for tests.
    """

    def __init__(self, settings: SceneSettings, *, wall_clock: Callable[[], float] = time.time) -> None:
        self._settings = settings
        self._wall_clock = wall_clock
        self._loop: SceneLoop | None = None

    def connect(self, resume: Position | None = None) -> StreamInfo:
        del resume  # live: what was is gone
        try:
            self._loop = SceneLoop(_scene_of(self._settings))
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

    def reached(self) -> Reached | None:
        return None

    def acknowledge(self, position: Position) -> None:
        """Nothing to do: a live source does not replay."""

    def close(self) -> None:
        self._loop = None


def _scene_of(settings: SceneSettings) -> Scene:
    """Takes about a second. ValueError if a setting makes no sense."""
    return Scene(
        Camera(settings.width, settings.height),
        people=settings.people,
        seconds=settings.seconds,
        fps=settings.fps,
        seed=settings.seed,
        max_overlap=settings.overlap,
    )
