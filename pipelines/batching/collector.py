"""Frames of many cameras, one batch, one call.

Crossing a process border or entering ONNX Runtime costs per call, not per frame, so frames are put together at the
source. A batch takes what is ready, one frame a camera and round after round, and is never held back for long. Sizes
are few and fixed, because inference engines keep memory for every shape they have seen.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from pipelines.batching.mailbox import Mailbox, WaitingFrame
from pipelines.detection.base import Detector
from pipelines.errors import DetectorUnavailable, FootfallError
from pipelines.types import Detections, ImageBatch

logger = logging.getLogger(__name__)
BATCH_SIZES = (1, 2, 4, 8, 16)
COMPLAINT_INTERVAL_S = 5.0
"""Between two log messages about single frames or batches."""


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

    def close(self) -> None:
        """Calls under way end by themselves: one that hangs must not hold up whoever closes."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._detector.close()


class FrameConsumer(Protocol):
    """What happens to a camera's frames after detection; called by one thread, in the order of capture."""

    def consume(self, frame: WaitingFrame, detections: Detections) -> None:
        """Take a frame and what was found in it, in source pixels."""
        ...


@dataclass(frozen=True, slots=True)
class _Item:
    mailbox: Mailbox
    consumer: FrameConsumer
    frame: WaitingFrame
    place: int
    """In the batch."""


@dataclass(slots=True)
class _Flight:
    """A batch under way; of ``items`` only those are left that still want an answer."""

    items: list[_Item]
    batch: ImageBatch
    future: Future[list[Detections]]
    begun_s: float


@dataclass(frozen=True, slots=True)
class BatchStatistics:
    """Since the start: frames detected, batches, and the newest batch's seconds from submission to answer."""

    frames: int
    batches: int
    latency_s: float


def batch_size(ready: int, largest: int) -> int:
    """The largest fixed size that ``ready`` frames fill."""
    return max((size for size in BATCH_SIZES if size <= min(ready, largest)), default=0)


class BatchCollector:
    """Gathers batches from mailboxes, has them detected, and hands results on in order.

    Two threads: one gathers and submits, one waits for answers and feeds the consumers. ``start`` and ``stop`` frame
    its life; cameras come and go at any time.

    Args:
        detector: where batches go.
        max_batch: largest batch.
        max_wait_s: how long an idle detector waits for a batch to fill up.
        retry_s: pause before a batch of frames that may not be skipped is tried again.
        on_failure: told of every failed batch, with the number of failures in a row; must not block.
    """

    def __init__(
        self,
        detector: BatchDetector,
        *,
        max_batch: int = 8,
        max_wait_s: float = 0.0,
        retry_s: float = 0.5,
        on_failure: Callable[[int], None] | None = None,
    ) -> None:
        self._detector = detector
        self._max_batch = max_batch
        self._max_wait_s = max_wait_s
        self._retry_s = retry_s
        self._on_failure = on_failure
        self._changed = threading.Condition()
        self._streams: dict[str, tuple[Mailbox, FrameConsumer]] = {}
        self._turn = 0
        self._flights: deque[_Flight] = deque()
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []
        self._frames = self._batches = 0
        self._latency_s = 0.0
        self._silent_until_s = 0.0
        self.failures = 0
        """Batches that failed in a row."""

    @property
    def statistics(self) -> BatchStatistics:
        return BatchStatistics(self._frames, self._batches, self._latency_s)

    @property
    def alive(self) -> bool:
        """Whether both threads run, between `start` and `stop`."""
        return bool(self._threads) and all(thread.is_alive() for thread in self._threads)

    def start(self) -> None:
        for run in (self._gather, self._deliver):
            thread = threading.Thread(target=run, name=f"batch-{run.__name__[1:]}", daemon=True)
            thread.start()
            self._threads.append(thread)

    def stop(self) -> None:
        """End both threads and the detector; frames that still wait are dropped. Idempotent."""
        self._stop.set()
        with self._changed:
            self._changed.notify_all()
        for thread in self._threads:
            thread.join(10.0)
        self._threads.clear()
        self._detector.close()

    def add(self, name: str, consumer: FrameConsumer, *, live: bool, capacity: int | None = None) -> Mailbox:
        """Give a stream a mailbox; live streams hold one frame by default, others a batch."""
        frames = capacity if capacity is not None else 1 if live else self._max_batch
        mailbox = Mailbox(self._detector.input_size, live=live, capacity=frames, arrived=self._changed)
        with self._changed:
            self._streams[name] = (mailbox, consumer)
        return mailbox

    def remove(self, name: str, timeout_s: float = 10.0) -> bool:
        """Close a stream's mailbox and wait until its last frame was consumed; False if that took too long."""
        with self._changed:
            stream = self._streams.get(name)
        if stream is None:
            return True
        stream[0].close()
        drained = stream[0].wait_empty(timeout_s)
        with self._changed:
            if self._streams.get(name) is stream:
                del self._streams[name]
        return drained

    # -- gathering

    def _gather(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._stop.is_set() or self._may_submit(), 1.0)
                if self._stop.is_set():
                    return
                ready = self._ready()
                if not ready or not self._may_submit():
                    continue
                if self._max_wait_s and not self._flights and ready < self._max_batch:
                    self._changed.wait_for(lambda: self._ready() >= self._max_batch, self._max_wait_s)
                order = self._fair_order()
                size = batch_size(self._ready(), self._max_batch)
            self._submit(order, size)

    def _ready(self) -> int:
        return sum(len(mailbox) for mailbox, _ in self._streams.values())

    def _may_submit(self) -> bool:
        return self._ready() > 0 and len(self._flights) < self._detector.in_flight

    def _fair_order(self) -> list[tuple[Mailbox, FrameConsumer]]:
        """All streams, beginning one further than last time."""
        streams = list(self._streams.values())
        self._turn = (self._turn + 1) % max(len(streams), 1)
        return streams[self._turn :] + streams[: self._turn]

    def _submit(self, order: Sequence[tuple[Mailbox, FrameConsumer]], size: int) -> None:
        batch: ImageBatch = np.empty((size, *self._detector.input_size, 3), np.uint8)
        items: list[_Item] = []
        while len(items) < size:
            before = len(items)
            for mailbox, consumer in order:
                if len(items) == size:
                    break
                frame = mailbox.take_into(batch[len(items)])
                if frame is not None:
                    items.append(_Item(mailbox, consumer, frame, len(items)))
            if len(items) == before:  # only this thread takes, so this cannot happen; never spin if it does
                batch[len(items) :] = 0
                break
        if items:
            flight = _Flight(items, batch, self._begin(batch), time.monotonic())
            with self._changed:
                self._flights.append(flight)
                self._changed.notify_all()

    def _begin(self, batch: ImageBatch) -> Future[list[Detections]]:
        try:
            return self._detector.submit(batch)
        except Exception as error:  # a refusal is an answer too, and is dealt with where answers are
            failed: Future[list[Detections]] = Future()
            failed.set_exception(error)
            return failed

    # -- delivering

    def _deliver(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._stop.is_set() or bool(self._flights), 1.0)
                if self._stop.is_set():
                    return
                if not self._flights:
                    continue
                flight = self._flights[0]
            self._complete(flight)
            with self._changed:
                self._flights.popleft()
                self._changed.notify_all()

    def _complete(self, flight: _Flight) -> None:
        """Wait for a flight's results and feed the consumers; frames that may not be skipped are tried again."""
        while not self._stop.is_set():
            try:
                results = self._answer(flight)
            except Exception as error:
                self.failures += 1
                if self._on_failure is not None:
                    self._on_failure(self.failures)
                if self._may_complain():
                    known = isinstance(error, FootfallError)
                    logger.warning("the detector failed: %s", error, exc_info=None if known else error)
                flight.items = self._drop_live(flight.items)
                if not flight.items:
                    return
                self._stop.wait(self._retry_s)
                # The whole batch again, for its size is one of the fixed ones.
                flight.future = self._begin(flight.batch)
                continue
            if results is None:
                continue
            self.failures = 0
            self._frames += len(flight.items)
            self._batches += 1
            self._latency_s = time.monotonic() - flight.begun_s
            for item in flight.items:
                self._feed(item, results[item.place])
            return

    @staticmethod
    def _answer(flight: _Flight) -> list[Detections] | None:
        """What the detector found; None if it has not answered yet, so that nobody waits for it past the end."""
        if not wait((flight.future,), timeout=0.2).done:
            return None
        results = flight.future.result()
        if len(results) != len(flight.batch):
            raise DetectorUnavailable(f"the detector gave {len(results)} answers for {len(flight.batch)} images")
        return results

    @staticmethod
    def _drop_live(items: Sequence[_Item]) -> list[_Item]:
        """Give up a failed flight's live frames; returns the others."""
        for item in items:
            if item.mailbox.live:
                item.mailbox.lost(item.frame)
        return [item for item in items if not item.mailbox.live]

    def _feed(self, item: _Item, detections: Detections) -> None:
        frame = item.mailbox.arrives(item.frame)
        try:
            item.consumer.consume(frame, frame.letterbox.to_source(detections))
        except Exception:  # one stream's bug must not stop the others' results
            if self._may_complain():
                logger.exception("a frame's results were lost")
        finally:
            item.mailbox.finished()

    def _may_complain(self) -> bool:
        """Whether enough time has passed since the last message about a single batch or frame."""
        now_s = time.monotonic()
        if now_s < self._silent_until_s:
            return False
        self._silent_until_s = now_s + COMPLAINT_INTERVAL_S
        return True
