"""Detectors that take whole batches and answer later; in which sizes."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from typing import Protocol

import numpy as np

from pipelines.detection.base import Detector
from pipelines.errors import DetectorUnavailable
from pipelines.types import Detections, ImageBatch

BATCH_SIZES = (1, 2, 4, 8, 16)
"""Few and fixed: inference engines keep memory for every shape that they have seen."""
NEWEST_IMAGES = 500
"""Over about so many, what an image costs is averaged."""


def batch_size(ready: int, largest: int) -> int:
    """The largest fixed size that ``ready`` frames fill."""
    return max((size for size in BATCH_SIZES if size <= min(ready, largest)), default=0)


def black_batch(input_size: tuple[int, int], largest: int) -> ImageBatch:
    """The largest batch that there will be, of black images, to warm a detector up with.

    An engine's memory grows to what its largest batches take and does not shrink again. That is better known at the
    start than found out on the day when many cameras deliver at once.
    """
    return np.zeros((batch_size(largest, largest), *input_size, 3), np.uint8)


def warm_up(detector: Detector, largest: int, at_once: int, timeout_s: float = 60.0) -> None:
    """Have a detector that nobody uses yet compute the largest batch, so many at once.

    Raises:
        DetectorUnavailable: it fails, hangs, or does not answer for each image.
    """
    black = black_batch(detector.input_size, largest)
    pool = ThreadPoolExecutor(at_once, thread_name_prefix="warm-up")
    try:
        answers = [pool.submit(detector.detect, black) for _ in range(at_once)]
        found = [len(answer.result(timeout_s)) for answer in answers]
    except Exception as error:
        raise DetectorUnavailable(f"it fails with its first images: {error or type(error).__name__}") from error
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
    if set(found) != {len(black)}:
        raise DetectorUnavailable(f"it gives {found[0]} answers for {len(black)} images")


class BatchDetector(Protocol):
    """A detector that answers later, so that the next batch can be gathered meanwhile."""

    @property
    def input_size(self) -> tuple[int, int]: ...

    @property
    def in_flight(self) -> int:
        """Batches worth having under way at once."""
        ...

    @property
    def image_cpu_s(self) -> float:
        """CPU seconds that an image costs in this process, averaged; what others compute for it is not in it."""
        ...

    def submit(self, batch: ImageBatch) -> Future[list[Detections]]:
        """Begin detecting; ``batch`` must not change until the future is done."""
        ...

    def close(self) -> None: ...


class ImageCost:
    """What an image costs, of the newest some hundred; thread-safe.

    Args:
        clock: CPU seconds of the calling thread.

    Attributes:
        cpu_s: CPU seconds of the threads that measure; zero before the first.
    """

    def __init__(self, clock: Callable[[], float] = time.thread_time) -> None:
        self.cpu_s = 0.0
        self._clock = clock
        self._images = 0
        self._changing = threading.Lock()

    @contextmanager
    def of(self, images: int) -> Iterator[None]:
        """What this thread does meanwhile is done for so many images; nothing is learnt of what fails."""
        begun_s = self._clock()
        yield
        spent_s = self._clock() - begun_s
        with self._changing:
            self._images = min(self._images + images, NEWEST_IMAGES)
            self.cpu_s += (spent_s - images * self.cpu_s) / self._images


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
        self._cost = ImageCost()

    @property
    def input_size(self) -> tuple[int, int]:
        return self._detector.input_size

    @property
    def in_flight(self) -> int:
        return self._workers + 1

    @property
    def image_cpu_s(self) -> float:
        return self._cost.cpu_s

    def submit(self, batch: ImageBatch) -> Future[list[Detections]]:
        return self._pool.submit(self._detect, batch)

    def _detect(self, batch: ImageBatch) -> list[Detections]:
        with self._cost.of(len(batch)):
            return self._detector.detect(batch)

    def warm_up(self, largest: int, timeout_s: float = 60.0) -> None:
        """Compute the largest batch on every thread at once, and wait for that; what fails, fails again with frames."""
        black = black_batch(self.input_size, largest)
        wait([self._pool.submit(self._detector.detect, black) for _ in range(self._workers)], timeout_s)

    def close(self) -> None:
        """Calls under way end by themselves: one that hangs must not hold up whoever closes."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._detector.close()
