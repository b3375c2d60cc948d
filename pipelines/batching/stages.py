"""How long frames take in each stage from their packets to the count, summed up over all cameras of a process.

What receiving and decoding take is CPU time: a camera's thread mostly waits.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from enum import Enum


class Stage(Enum):
    """In the order in which a frame comes through."""

    DECODE = "decode"
    """Receiving and decoding, CPU seconds of the camera's thread, with the pictures between two that are analysed."""
    SCALE = "scale"
    WAIT = "wait"
    """For a place in a batch."""
    INFER = "infer"
    """From submission to answer; frames of one batch each take as long as all of it."""
    TRACK = "track"
    COUNT = "count"
    STORE = "store"
    """One checkpoint of one stream, which is not one frame."""


class StageSeconds:
    """Adds up; for any number of threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts = dict.fromkeys(Stage, 0)
        self._seconds = dict.fromkeys(Stage, 0.0)

    def add(self, stage: Stage, seconds: float, frames: int = 1) -> None:
        """So many frames took so long, together."""
        with self._lock:
            self._counts[stage] += frames
            self._seconds[stage] += max(seconds, 0.0)

    @contextmanager
    def timed(self, stage: Stage) -> Iterator[None]:
        """What happens meanwhile is one frame's."""
        begun_s = time.perf_counter()
        try:
            yield
        finally:
            self.add(stage, time.perf_counter() - begun_s)

    def totals(self) -> Mapping[str, tuple[int, float]]:
        """Frames and seconds by stage, since the start."""
        with self._lock:
            return {stage.value: (self._counts[stage], round(self._seconds[stage], 6)) for stage in Stage}
