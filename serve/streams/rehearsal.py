"""A camera that is connected and decoded ahead of time, for a stream that another reader still has."""

from __future__ import annotations

import threading
from collections.abc import Callable

from pipelines.sources.base import Source
from pipelines.sources.supervisor import SourceSupervisor


class Rehearsal:
    """Holds a live source's newest frames, until a `serve.streams.worker.StreamWorker` goes on with them, or none does.

    Args:
        stream: its id.
        make_source: a fresh source per attempt.

    Attributes:
        supervisor: of the source.
        stop: ends it.
        thread: the source's.
    """

    def __init__(self, stream: str, make_source: Callable[[], Source]) -> None:
        self.supervisor = SourceSupervisor(stream, make_source)
        self.stop = threading.Event()
        self.thread = threading.Thread(
            target=self.supervisor.run, args=(self.stop,), name=f"stream-{stream}", daemon=True
        )

    def start(self) -> None:
        self.thread.start()

    @property
    def ready(self) -> bool:
        """Whether pictures come."""
        return self.supervisor.ready

    def end(self) -> None:
        """Nobody goes on with it; its thread ends by itself."""
        self.stop.set()
