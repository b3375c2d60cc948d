"""A camera that is connected and decoded ahead of time, for a stream that another reader still has."""

from __future__ import annotations

import threading
from collections.abc import Callable

from pipelines.sources.base import Source
from pipelines.sources.supervisor import SourceSupervisor

OVERLAP_S, MOST_OVERLAP_S = 0.5, 4.0
"""For so long, and the time between two that are analysed, both readers have to have the pictures; and the most. Who
goes on looks for the one that was analysed last, and one connection may be a little behind the other."""


class Rehearsal:
    """Holds a live source's newest frames, until a `serve.streams.worker.StreamWorker` goes on with them, or none does.

    Args:
        stream: its id.
        make_source: a fresh source per attempt.
        analysis_fps: frames a second that are analysed; None for all.

    Attributes:
        supervisor: of the source.
        stop: ends it.
        thread: the source's.
    """

    def __init__(self, stream: str, make_source: Callable[[], Source], analysis_fps: float | None = None) -> None:
        self._overlap_s = min(OVERLAP_S + (1.0 / analysis_fps if analysis_fps else 0.0), MOST_OVERLAP_S)
        self.supervisor = SourceSupervisor(stream, make_source, analysis_fps=analysis_fps)
        self.stop = threading.Event()
        self.thread = threading.Thread(
            target=self.supervisor.run, args=(self.stop,), name=f"stream-{stream}", daemon=True
        )

    def start(self) -> None:
        self.thread.start()

    @property
    def ready(self) -> bool:
        """Whether pictures come, and the last one that somebody else analyses from here on is sure to be among them."""
        enough = self.supervisor.held_s >= self._overlap_s or self.supervisor.holds_all_it_can
        return self.supervisor.ready and enough

    def end(self) -> None:
        """Nobody goes on with it; its thread ends by itself."""
        self.stop.set()
