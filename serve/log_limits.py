"""How often the same may be logged: what fails with every frame must not fill a disk, nor hide what else is said."""

from __future__ import annotations

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

BURST, EACH_S = 5, 10.0
"""So many lines of a kind in a row, and then one in so many seconds."""
KINDS = 4096
"""That are told apart; of more, those that were silent for longest are forgotten."""


@dataclass(slots=True)
class _Kind:
    """Lines that say the same of the same stream."""

    left: float
    seen_s: float
    held_back: int = 0


class RateLimit(logging.Filter):
    """Lets through the first lines of a kind, and then some; the next one says how many were held back.

    Of a kind are lines of one level that are written at one place, about one stream. What is worse than an error
    always comes through.

    Args:
        clock: monotonic seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._lock = threading.Lock()
        self._kinds: OrderedDict[tuple[str, int, str | None, int], _Kind] = OrderedDict()

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether to write it; sets ``held_back`` of one that others of its kind were held back before."""
        if record.levelno > logging.ERROR:
            return True
        key = record.pathname, record.lineno, getattr(record, "stream", None), record.levelno
        with self._lock:
            now_s = self._clock()
            kind = self._kinds.pop(key, None) or _Kind(BURST, now_s)
            self._kinds[key] = kind
            if len(self._kinds) > KINDS:
                self._kinds.popitem(last=False)
            kind.left = min(kind.left + (now_s - kind.seen_s) / EACH_S, BURST)
            kind.seen_s = now_s
            if kind.left < 1:
                kind.held_back += 1
                return False
            kind.left -= 1
            record.held_back, kind.held_back = kind.held_back, 0
        return True
