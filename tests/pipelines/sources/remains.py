"""What a connection leaves behind."""

from __future__ import annotations

import gc
import os
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager

from pipelines.errors import SourceError
from pipelines.sources.base import Source


@contextmanager
def without_collecting() -> Iterator[None]:
    """Cycles are not collected meanwhile: what is closed only then is left open for who knows how long."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def threads_and_descriptors() -> tuple[list[str], int]:
    """Names of this process's threads, and how many files it has open."""
    return sorted(thread.name for thread in threading.enumerate()), len(os.listdir("/proc/self/fd"))  # noqa: PTH208


def open_and_close(source: Source) -> SourceError | None:
    """Connect once, as a supervisor or a probe does."""
    with closing(source):
        try:
            source.connect(None)
        except SourceError as error:
            return error
    return None
