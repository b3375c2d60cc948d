"""Frames of many cameras, one batch, one call.

Crossing a process border or entering ONNX Runtime costs per call, not per frame, so frames are put together at the
source. A batch takes what is ready, one frame a camera and round after round, and is never held back for long.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from queue import Empty, SimpleQueue

import numpy as np

from pipelines.batching.batch_detector import BatchDetector, batch_size
from pipelines.batching.flights import CollectedStream, Flight, FrameConsumer, FrameInWork
from pipelines.batching.mailbox import Mailbox
from pipelines.batching.stages import Stage, StageSeconds
from pipelines.durations import Durations
from pipelines.errors import DetectorUnavailable, FootfallError
from pipelines.types import Detections, ImageBatch

logger = logging.getLogger(__name__)
COMPLAINT_INTERVAL_S = 5.0
"""Between two log messages about single frames or batches."""
LONGEST_RETRY_S = 5.0
LEAST_ROOM = 2
"""Frames that wait of a stream that may not skip: one that is taken, and one that is made meanwhile."""
ATTEMPTS = 5
"""After so many, a frame that no detector takes while others go through is given up."""


@dataclass(frozen=True, slots=True)
class BatchStatistics:
    """Since the start: frames detected, batches, the newest batch's seconds from submission to answer, failures."""

    frames: int
    batches: int
    latency_s: float
    failed: int = 0


@dataclass(frozen=True, slots=True)
class Queue:
    """Frames that wait for a place in a batch, and for how long the oldest of them has, seconds."""

    frames: int
    oldest_s: float


def retry_pause_s(attempts: int, first_s: float) -> float:
    """How long to wait after the ``attempts``-th failure of a frame: not at all first, then longer and longer."""
    if attempts <= 1:
        return 0.0
    pause_s: float = min(LONGEST_RETRY_S, first_s * 2.0 ** min(attempts - 2, 16))
    return pause_s


class BatchCollector:
    """Gathers batches from mailboxes, has them detected, and hands results on, in order for every camera.

    Batches may be answered in any order, late, or never: a camera waits for its own frames alone. What was in a batch
    that failed is tried again, one frame at a time; meanwhile its cameras give no others, and all others go on.

    Two threads: one gathers and submits, one takes answers and feeds the consumers. ``start`` and ``stop`` frame its
    life; cameras come and go at any time.

    Args:
        detector: where batches go.
        max_batch: largest batch.
        max_wait_s: how long an idle detector waits for a batch to fill up.
        retry_s: first pause before a frame that has failed twice is tried again.
        deadline_s: an answer that takes longer is not waited for.
        stalled_s: a detector that has answered nothing right for so long is not healthy; None if that is for others to
            judge.
        on_failure: told of every failed batch, with the number of failures in a row; must not block.
    """

    def __init__(
        self,
        detector: BatchDetector,
        *,
        max_batch: int = 8,
        max_wait_s: float = 0.0,
        retry_s: float = 0.5,
        deadline_s: float = 30.0,
        stalled_s: float | None = None,
        on_failure: Callable[[int], None] | None = None,
    ) -> None:
        self.stages = StageSeconds()
        """How long frames take, by stage."""
        self.latency = Durations()
        """From capture to count, of live frames; added to by their consumers."""
        self._detector = detector
        self._max_batch = max_batch
        self._max_wait_s = max_wait_s
        self._retry_s = retry_s
        self._deadline_s = deadline_s
        self._stalled_s = stalled_s
        self._on_failure = on_failure
        self._changed = threading.Condition()
        self._streams: dict[str, CollectedStream] = {}
        self._turn = 0
        self._flights: dict[Flight, Future[list[Detections]]] = {}
        self._answered: SimpleQueue[Flight | None] = SimpleQueue()
        self._again: list[tuple[float, FrameInWork | None]] = []
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []
        self._frames = self._batches = self._failed_batches = 0
        self._latency_s = 0.0
        self._silent_until_s = 0.0
        self._failing_since_s: float | None = None
        self.failures = 0
        """Batches that failed in a row."""

    @property
    def input_size(self) -> tuple[int, int]:
        """(height, width) of the images that frames are scaled to, pixels."""
        return self._detector.input_size

    @property
    def statistics(self) -> BatchStatistics:
        return BatchStatistics(self._frames, self._batches, self._latency_s, self._failed_batches)

    def queue(self) -> Queue:
        """What waits for a place in a batch right now."""
        with self._changed:
            mailboxes = [stream.mailbox for stream in self._streams.values()]
        oldest_s = [since_s for mailbox in mailboxes if (since_s := mailbox.oldest_s) is not None]
        age_s = max(0.0, time.monotonic() - min(oldest_s)) if oldest_s else 0.0
        return Queue(sum(len(mailbox) for mailbox in mailboxes), age_s)

    @property
    def healthy(self) -> bool:
        """Whether both threads run, between `start` and `stop`, and the detector does what it is for."""
        since_s = self._failing_since_s
        stalled = self._stalled_s is not None and since_s is not None and time.monotonic() - since_s > self._stalled_s
        return bool(self._threads) and all(thread.is_alive() for thread in self._threads) and not stalled

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
        self._answered.put(None)
        for thread in self._threads:
            thread.join(10.0)
        self._threads.clear()
        self._detector.close()

    def add(self, name: str, consumer: FrameConsumer, *, live: bool, capacity: int | None = None) -> Mailbox:
        """Give a stream a mailbox; live streams hold one frame by default, others their part of a batch."""
        with self._changed:
            share = max(LEAST_ROOM, self._max_batch // (1 + len(self._streams)))
            frames = capacity if capacity is not None else 1 if live else share
            mailbox = Mailbox(
                self._detector.input_size, live=live, capacity=frames, arrived=self._changed, stages=self.stages
            )
            self._streams[name] = CollectedStream(mailbox, consumer)
        return mailbox

    def remove(self, name: str, timeout_s: float = 10.0) -> bool:
        """Close a stream's mailbox and wait until its last frame was consumed; False if that took too long.

        Afterwards nothing is consumed any more.
        """
        with self._changed:
            stream = self._streams.get(name)
        if stream is None:
            return True
        stream.mailbox.close()
        drained = stream.mailbox.wait_empty(timeout_s)
        with self._changed:
            stream.gone = True
            if self._streams.get(name) is stream:
                del self._streams[name]
        return drained

    # -- gathering

    def _gather(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._stop.is_set() or self._may_submit(), self._patience_s())
                if self._stop.is_set():
                    return
                if not self._may_submit():
                    continue
                due = self._take_due()
                ready = self._ready()
                if not due and self._max_wait_s and not self._flights and ready < self._max_batch:
                    self._changed.wait_for(lambda: self._ready() >= self._max_batch, self._max_wait_s)
                order = self._fair_order()
                size = batch_size(self._ready(), self._max_batch)
            if due:
                self._submit_again(due[0])
            else:
                self._submit(order, size)

    def _ready(self) -> int:
        """Frames that may be taken now, counted as far as a batch goes: this is asked for with every frame."""
        ready = 0
        for stream in self._streams.values():
            ready += stream.ready
            if ready >= self._max_batch:
                break
        return ready

    def _may_submit(self) -> bool:
        return len(self._flights) < self._detector.in_flight and (self._ready() > 0 or self._is_due())

    def _is_due(self) -> bool:
        """Whether a frame is to be tried again: one at a time, for what made it fail may do so again."""
        waiting = any(due_s <= time.monotonic() for due_s, _ in self._again)
        return waiting and not any(flight.again for flight in self._flights)

    def _patience_s(self) -> float:
        """Until the next frame is to be tried again, but no longer than a second."""
        next_s = min((due_s for due_s, _ in self._again), default=float("inf"))
        return min(1.0, max(next_s - time.monotonic(), 0.01))

    def _take_due(self) -> list[FrameInWork | None]:
        """What is to be tried again now: nothing, or one."""
        if not self._is_due():
            return []
        first = min(range(len(self._again)), key=lambda index: self._again[index][0])
        return [self._again.pop(first)[1]]

    def _fair_order(self) -> list[CollectedStream]:
        """All streams, beginning one further than last time."""
        streams = list(self._streams.values())
        self._turn = (self._turn + 1) % max(len(streams), 1)
        return streams[self._turn :] + streams[: self._turn]

    def _submit(self, order: Sequence[CollectedStream], size: int) -> None:
        batch: ImageBatch = np.empty((size, *self._detector.input_size, 3), np.uint8)
        items: list[FrameInWork] = []
        while len(items) < size:
            before = len(items)
            for stream in order:
                if len(items) == size:
                    break
                frame = stream.mailbox.take_into(batch[len(items)]) if stream.ready else None
                if frame is not None:
                    items.append(FrameInWork(stream, frame))
                    with self._changed:  # whoever delivers may be looking at what is in work
                        stream.order.append(items[-1])
            if len(items) == before:  # a camera got into trouble since the frames were counted
                batch[len(items) :] = 0
                break
        if items:
            now_s = time.monotonic()
            self.stages.add(Stage.WAIT, sum(now_s - item.frame.queued_s for item in items), len(items))
            for item in items:
                if item.frame.trace is not None:
                    item.frame.trace.add(Stage.WAIT.value, item.frame.queued_s, now_s)
            self._fly(Flight(items, batch, now_s))

    def _submit_again(self, item: FrameInWork | None) -> None:
        """One frame, or a black one: the answer tells whether the detector works at all."""
        image = np.zeros((1, *self._detector.input_size, 3), np.uint8) if item is None else item.image
        assert image is not None
        self._fly(Flight([] if item is None else [item], image, time.monotonic(), again=True))

    def _fly(self, flight: Flight) -> None:
        try:
            future = self._detector.submit(flight.batch)
        except Exception as error:  # a refusal is an answer too, and is dealt with where answers are
            future = Future()
            future.set_exception(error)
        with self._changed:
            self._flights[flight] = future
        future.add_done_callback(lambda _: self._answered.put(flight))

    # -- delivering

    def _deliver(self) -> None:
        while not self._stop.is_set():
            try:
                flight = self._answered.get(timeout=min(0.2, self._deadline_s))
            except Empty:
                flight = None
            for landed in (*self._overdue(), *((flight,) if flight is not None else ())):
                with self._changed:
                    future = self._flights.pop(landed, None)
                    self._changed.notify_all()
                if future is not None:  # else it was given up before its answer came
                    self._complete(landed, future)

    def _overdue(self) -> list[Flight]:
        late_s = time.monotonic() - self._deadline_s
        with self._changed:
            return [flight for flight in self._flights if flight.begun_s < late_s]

    def _complete(self, flight: Flight, future: Future[list[Detections]]) -> None:
        """Take a flight's answer, and hand on what its cameras may have by now."""
        try:
            if not future.done():
                future.cancel()
                raise DetectorUnavailable(f"the detector has not answered for {self._deadline_s:.0f} s")
            results = future.result()
            if len(results) != len(flight.batch):
                raise DetectorUnavailable(f"the detector gave {len(results)} answers for {len(flight.batch)} images")
        except Exception as error:
            self._failed(flight, error, answered=future.done() and not future.cancelled())
        else:
            self.failures = 0
            self._failing_since_s = None
            self._frames += len(flight.items)
            self._batches += 1
            self._latency_s = time.monotonic() - flight.begun_s
            self.stages.add(Stage.INFER, self._latency_s * len(flight.items), len(flight.items))
            for item, answer in zip(flight.items, results, strict=False):
                item.answer = answer
                item.image = None
                if item.frame.trace is not None:
                    item.frame.trace.add(Stage.INFER.value, flight.begun_s)
                    item.frame.trace.batch = len(flight.batch)
        self._hand_on({item.stream: None for item in flight.items})

    def _failed(self, flight: Flight, error: Exception, *, answered: bool) -> None:
        """Try the frames of a failed flight again, or give them up."""
        self.failures += 1
        self._failed_batches += 1
        if self._failing_since_s is None:
            self._failing_since_s = flight.begun_s
        if self._on_failure is not None:
            self._on_failure(self.failures)
        if self._may_complain():
            known = isinstance(error, FootfallError)
            logger.warning("the detector failed: %s", error, exc_info=None if known else error)
        with self._changed:
            for place, item in enumerate(flight.items):
                item.attempts += 1
                if item.attempts == 1:
                    item.image, item.successes = flight.batch[place : place + 1].copy(), self._batches
                item.lost = item.stream.gone or self._is_hopeless(item, answered=answered)
                if not item.lost:
                    if item.attempts >= ATTEMPTS:  # is it the frame, or the detector?
                        self._again.append((time.monotonic(), None))
                    item.stream.troubled = True
                    pause_s = retry_pause_s(item.attempts, self._retry_s)
                    self._again.append((time.monotonic() + pause_s, item))
            self._changed.notify_all()

    def _is_hopeless(self, item: FrameInWork, *, answered: bool) -> bool:
        """Whether a frame is not worth another attempt: live ones soon, others if all but they go through."""
        if item.stream.mailbox.live:
            return not answered or item.attempts > 1
        if item.attempts < ATTEMPTS:
            return False
        if self._batches > item.successes:
            logger.error("the detector takes anything but one frame, which is given up")
            return True
        return False

    def _hand_on(self, streams: Iterable[CollectedStream]) -> None:
        """Feed the consumers, as far as no earlier frame of the same camera is missing."""
        for stream in streams:
            while stream.order and (stream.order[0].lost or stream.order[0].answer is not None):
                self._feed(stream.order.popleft())
            with self._changed:
                stream.troubled = any(item.attempts and not item.lost for item in stream.order)
                self._changed.notify_all()

    def _feed(self, item: FrameInWork) -> None:
        mailbox, stream = item.stream.mailbox, item.stream
        if item.lost or item.answer is None:
            mailbox.lost(item.frame)
            return
        frame = mailbox.arrives(item.frame)
        begun_s = time.thread_time()
        try:
            if not stream.gone:
                stream.consumer.consume(frame, frame.letterbox.to_source(item.answer))
        except Exception:  # one stream's bug must not stop the others' results
            if self._may_complain():
                logger.exception("a frame's results were lost")
        finally:
            mailbox.finished(time.thread_time() - begun_s + self._detector.image_cpu_s)

    def _may_complain(self) -> bool:
        """Whether enough time has passed since the last message about a single batch or frame."""
        now_s = time.monotonic()
        if now_s < self._silent_until_s:
            return False
        self._silent_until_s = now_s + COMPLAINT_INTERVAL_S
        return True
