"""What other threads ask of the one that may use a connection."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

T = TypeVar("T")


class Errands:
    """Asked by any thread, done by one, in the order in which they were asked for.

    An errand is done or given up, never both: who gave up waiting may not find out later that it was done all the same.
    """

    def __init__(self) -> None:
        self._asked: deque[tuple[Callable[[], Any], Future[Any]]] = deque()
        self._changing = threading.Lock()
        self._over: Exception | None = None

    @property
    def over(self) -> bool:
        """Whether nothing more is done."""
        return self._over is not None

    def ask(self, errand: Callable[[], T], timeout_s: float) -> T:
        """Have something done, and wait for it; raises what it raises, or what ended it all.

        Raises:
            TimeoutError: it was not begun in time, and will not be.
        """
        answer: Future[T] = Future()
        with self._changing:
            if self._over is not None:
                raise self._over
            self._asked.append((errand, answer))
        try:
            return answer.result(timeout_s)
        except TimeoutError:
            if answer.done() or not answer.cancel():  # it is being done, or was by now
                return answer.result()
            raise

    def do(self) -> None:
        """All that was asked for so far; called by the one that does it."""
        while self._asked:
            errand, answer = self._asked.popleft()
            if not answer.set_running_or_notify_cancel():
                continue
            try:
                answer.set_result(errand())
            except Exception as error:
                answer.set_exception(error)

    def end(self, error: Exception) -> None:
        """Nothing more is done: who waits, and who asks from now on, is told so."""
        with self._changing:
            self._over = error
            asked = list(self._asked)
        for _, answer in asked:
            if answer.set_running_or_notify_cancel():
                answer.set_exception(error)
