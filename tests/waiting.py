"""Waiting on a condition: the only way in which tests wait."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TypeVar

Found = TypeVar("Found")
_PAUSE = threading.Event()


def wait_until(condition: Callable[[], Found], timeout_s: float, what: str, every_s: float = 0.05) -> Found:
    """The first true answer of ``condition``; fails loudly with ``what`` was waited for."""
    deadline = time.monotonic() + timeout_s
    while True:
        found = condition()
        if found:
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {timeout_s:.0f} s in vain for {what}; last answer: {found!r}")
        _PAUSE.wait(every_s)
