"""Detectors that take whole batches and answer later; in which sizes."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Protocol

import numpy as np

from pipelines.detection.base import Detector
from pipelines.types import Detections, ImageBatch

BATCH_SIZES = (1, 2, 4, 8, 16)
"""Few and fixed: inference engines keep memory for every shape that they have seen."""


def batch_size(ready: int, largest: int) -> int:
    """The largest fixed size that ``ready`` frames fill."""
    return max((size for size in BATCH_SIZES if size <= min(ready, largest)), default=0)


def black_batch(input_size: tuple[int, int], largest: int) -> ImageBatch:
    """The largest batch that there will be, of black images, to warm a detector up with.

    An engine's memory grows to what its largest batches take and does not shrink again. That is better known at the
    start than found out on the day when many cameras deliver at once.
    """
    return np.zeros((batch_size(largest, largest), *input_size, 3), np.uint8)


class BatchDetector(Protocol):
    """A detector that answers later, so that the next batch can be gathered meanwhile."""

    @property
    def input_size(self) -> tuple[int, int]: ...

    @property
    def in_flight(self) -> int:
        """Batches worth having under way at once."""
        ...

    def submit(self, batch: ImageBatch) -> Future[list[Detections]]:
        """Begin detecting; ``batch`` must not change until the future is done."""
        ...

    def close(self) -> None: ...


class ThreadedDetector:
    """A detector in this process, on threads of its own.

    Args:
        detector: thread-safe; each call runs on one of the threads.
        workers: batches computed at the same time: one per core that is to be busy.
    """

    def __init__(self, detector: Detector, workers: int = 1) -> None:
        self._detector = detector
        self._workers = workers
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="detector")

    @property
    def input_size(self) -> tuple[int, int]:
        return self._detector.input_size

    @property
    def in_flight(self) -> int:
        return self._workers + 1

    def submit(self, batch: ImageBatch) -> Future[list[Detections]]:
        return self._pool.submit(self._detector.detect, batch)

    def warm_up(self, largest: int, timeout_s: float = 60.0) -> None:
        """Compute the largest batch on every thread at once, and wait for that; what fails, fails again with frames."""
        black = black_batch(self.input_size, largest)
        wait([self._pool.submit(self._detector.detect, black) for _ in range(self._workers)], timeout_s)

    def close(self) -> None:
        """Calls under way end by themselves: one that hangs must not hold up whoever closes."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._detector.close()
