"""The thread that has all streams of a reader write their checkpoints, one after the other."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence

from analytics.errors import StoreError
from serve.streams.delivery import Leftovers
from serve.streams.freed_memory import FreedMemory
from serve.streams.worker import StreamWorker

logger = logging.getLogger(__name__)
LEFTOVERS_S = 30.0
NEWS_S = 0.25
"""How often it is looked whether a stream has something to tell; that is written ahead of the next round."""


class Checkpoints:
    """Begins at once; `stop` ends it.

    Args:
        workers: of the streams, whoever they are by now.
        interval_s: from the beginning of a round to that of the next. Streams with events do not wait for it.
        leftovers: what others have left behind, delivered beside.
        freed: given back beside.
    """

    def __init__(
        self, workers: Callable[[], Sequence[StreamWorker]], interval_s: float, leftovers: Leftovers, freed: FreedMemory
    ) -> None:
        self._workers = workers
        self._interval_s = interval_s
        self._leftovers, self._freed = leftovers, freed
        self._leftovers_due_s = time.monotonic()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="checkpoints", daemon=True)
        self._thread.start()

    @property
    def alive(self) -> bool:
        """Whether it goes on."""
        return self._thread.is_alive()

    def stop(self, timeout_s: float) -> None:
        """Write no more, and wait for what is being written. Idempotent."""
        self._stop.set()
        self._thread.join(timeout_s)

    def _run(self) -> None:
        due_s = time.monotonic()
        while not self._stop.wait(min(NEWS_S, max(0.0, due_s - time.monotonic()))):
            if time.monotonic() < due_s:
                self._write([worker for worker in self._workers() if worker.has_news])
                continue
            due_s = time.monotonic() + self._interval_s
            away = self._write(self._workers())
            self._freed.give_back()
            if not away and time.monotonic() >= self._leftovers_due_s:
                self._leftovers_due_s = time.monotonic() + LEFTOVERS_S
                self._deliver()

    def _write(self, workers: Sequence[StreamWorker]) -> bool:
        """These, once; returns whether the database is away."""
        away = False
        for worker in workers:
            try:
                away = not worker.checkpoint(database_away=away)
            except Exception:
                logger.exception("a checkpoint failed", extra={"stream": worker.plan.stream})
        return away

    def _deliver(self) -> None:
        try:
            self._leftovers.deliver()
        except StoreError as error:
            logger.debug("what others left behind waits on: %s", error)
        except Exception:  # whatever lies there, our own rows come first
            logger.exception("what others left behind cannot be delivered")
