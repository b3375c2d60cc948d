"""What a detector replica has to do: frames that wait for it, how long, and how busy it is."""

from __future__ import annotations

import itertools
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from serve.control.scaling import DetectorLoad

WINDOW_S = 10.0
"""Over so long it is averaged how busy a replica is: what one batch takes tells little."""


class DetectorMeter:
    """Measures one replica; thread-safe.

    Args:
        clock: monotonic seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._changing = threading.Lock()
        self._numbers = itertools.count()
        self._waiting: dict[int, tuple[float, int]] = {}
        self._done: deque[tuple[float, float, int]] = deque()
        self._frame_s = 0.0
        self._computed = 0
        self._made_s = clock()

    @contextmanager
    def waiting(self, frames: int) -> Iterator[None]:
        """So many frames wait for their answer meanwhile."""
        number = next(self._numbers)
        with self._changing:
            self._waiting[number] = self._clock(), frames
        try:
            yield
        finally:
            with self._changing:
                del self._waiting[number]

    @contextmanager
    def inference(self, frames: int) -> Iterator[None]:
        """So many frames are computed meanwhile; by one thread at a time."""
        begun_s = self._clock()
        self._computed = frames
        try:
            yield
        finally:
            self._computed = 0
        with self._changing:
            self._done.append((self._clock(), self._clock() - begun_s, frames))

    def load(self) -> DetectorLoad:
        """As of now."""
        with self._changing:
            now_s = self._clock()
            while self._done and now_s - self._done[0][0] > WINDOW_S:
                self._done.popleft()
            busy_s = sum(seconds for _, seconds, _ in self._done)
            frames = sum(count for _, _, count in self._done)
            if frames:
                self._frame_s = busy_s / frames
            busy = min(1.0, busy_s / max(1e-3, min(WINDOW_S, now_s - self._made_s)))
            # What is being computed is in `busy` as soon as it is done: it is not to be counted twice.
            queued = max(0, sum(count for _, count in self._waiting.values()) - self._computed)
            oldest_s = min((came_s for came_s, _ in self._waiting.values()), default=now_s)
            return DetectorLoad(busy, queued, now_s - oldest_s, self._frame_s)
