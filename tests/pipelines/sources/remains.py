"""What a connection leaves behind."""

from __future__ import annotations

import gc
import os
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager

from pipelines.errors import SourceError
from pipelines.sources.base import Source
from tests.waiting import wait_until


@contextmanager
def without_collecting() -> Iterator[None]:
    """Cycles are not collected meanwhile: what is closed only then is left open for who knows how long."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


@contextmanager
def nothing_left_behind(within_s: float = 0.0) -> Iterator[None]:
    """What is done meanwhile leaves no thread and no descriptor more than there were.

    Do it once before, for what is kept for good. Where the other end is in this process, too, it sees the end of a
    connection a moment later, and ``within_s`` says how long that may take; what was still open before and is
    closed meanwhile is no fault.
    """
    before = _threads_and_descriptors()
    yield
    try:
        wait_until(lambda: _threads_and_descriptors() <= before, within_s, "threads and descriptors to be gone")
    except AssertionError as error:
        error.add_note(f"left behind: {_threads_and_descriptors() - before}")
        raise


def _threads_and_descriptors() -> Counter[str]:
    """How many threads of each name this process has, and how many open files."""
    found = Counter(thread.name for thread in threading.enumerate())
    found["descriptors"] = len(os.listdir("/proc/self/fd"))  # noqa: PTH208
    return found


def open_and_close(source: Source) -> SourceError | None:
    """Connect once, as a supervisor or a probe does."""
    with closing(source):
        try:
            source.connect(None)
        except SourceError as error:
            return error
    return None
