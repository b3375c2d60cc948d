"""A thread for what can wait and may be left undone: nobody who counts people ever waits for it."""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable
from contextlib import suppress

logger = logging.getLogger(__name__)
EVERY_S = 3600.0


class Aside:
    """Does one task after the other, with one more that waits at most. `start`, and in the end `stop`.

    Args:
        name: of the thread.
        tidy: done at the start and then once an hour, between two tasks; None: nothing.
        every_s: seconds from one to the next.
    """

    def __init__(self, name: str, tidy: Callable[[], None] | None = None, every_s: float = EVERY_S) -> None:
        self._tidy = tidy
        self._every_s = every_s
        self._waiting: queue.Queue[Callable[[], None] | None] = queue.Queue(1)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def offer(self, task: Callable[[], None]) -> bool:
        """Have something done soon; False if there is no room, and then it is not done. Never blocks."""
        if self._stop.is_set():
            return False
        try:
            self._waiting.put_nowait(task)
        except queue.Full:
            return False
        return True

    def stop(self, timeout_s: float = 1.0) -> None:
        """Do no more; a task that hangs in its disk or database is left to itself. Idempotent."""
        self._stop.set()
        with suppress(queue.Full):  # else it looks after the task that it has
            self._waiting.put_nowait(None)
        if self._thread.is_alive():
            self._thread.join(timeout_s)

    def _run(self) -> None:
        due_s = time.monotonic()
        while not self._stop.is_set():
            if self._tidy is not None and time.monotonic() >= due_s:
                self._do(self._tidy)
                due_s = time.monotonic() + self._every_s
            try:
                task = self._waiting.get(timeout=max(0.0, due_s - time.monotonic()) if self._tidy is not None else None)
            except queue.Empty:
                continue
            if task is not None and not self._stop.is_set():
                self._do(task)

    def _do(self, task: Callable[[], None]) -> None:
        try:
            task()
        except Exception:
            logger.exception("%s: something was left undone", self._thread.name)
