"""How often something happens."""

from __future__ import annotations

from collections import deque


class RateMeter:
    """Events a second over a sliding window."""

    def __init__(self, window_s: float = 5.0) -> None:
        self._window_s = window_s
        self._times: deque[float] = deque()

    def tick(self, now_s: float) -> None:
        self._times.append(now_s)
        while now_s - self._times[0] > self._window_s:
            self._times.popleft()

    def rate(self, now_s: float) -> float:
        times = list(self._times)
        recent = [t for t in times if now_s - t <= self._window_s]
        if len(recent) < 2:
            return 0.0
        return (len(recent) - 1) / max(now_s - recent[0], 1e-3)
