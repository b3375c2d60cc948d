"""Frames of one stream that are followed, from their pictures to their rows."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from pipelines.batching.frame_trace import FrameTrace, TracedFrames
from pipelines.batching.stages import Stage
from pipelines.types import FrameStamp

MOST_WAITING = 16
"""Traces of frames whose rows are not stored yet; of more, the oldest are let go."""


class FrameTraces:
    """Of one stream. Frames begin in the camera's thread, are counted in the collector's, and stored in another one.

    Args:
        one_in: of so many frames, one is followed.
        export: takes what is whole; must neither block nor raise.
    """

    def __init__(self, one_in: int, export: Callable[[FrameTrace], None]) -> None:
        self._frames = TracedFrames(one_in)
        self._export = export
        self._lock = threading.Lock()
        self._waiting: list[tuple[FrameTrace, float]] = []

    def begin(self, stamp: FrameStamp) -> FrameTrace | None:
        """See `TracedFrames.begin`."""
        return self._frames.begin(stamp)

    def counted(self, trace: FrameTrace) -> None:
        """What was made of a frame waits to be stored."""
        with self._lock:
            self._waiting = [*self._waiting, (trace, time.monotonic())][-MOST_WAITING:]

    def stored(self, cut_s: float) -> None:
        """All that was counted before a checkpoint was cut is safe now.

        Args:
            cut_s: when it was cut, monotonic seconds.
        """
        with self._lock:
            done = [one for one in self._waiting if one[1] <= cut_s]
            self._waiting = [one for one in self._waiting if one[1] > cut_s]
        for trace, counted_s in done:
            trace.add(Stage.STORE.value, counted_s)
            self._export(trace)
