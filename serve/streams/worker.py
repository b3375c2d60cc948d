"""One stream in one reader, for one epoch: from its checkpoint to its last row."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from analytics.counting.observer import StreamObserver
from analytics.errors import StaleEpoch, StoreError, StoreUnavailable
from analytics.geometry import Geometry
from analytics.storage.base import Checkpoint, Store
from analytics.storage.spool import Spool
from pipelines.batching.collector import BatchCollector
from pipelines.batching.mailbox import Mailbox
from pipelines.sources.base import Source
from pipelines.sources.clock import Timeline
from pipelines.sources.supervisor import SourceStatus, SourceSupervisor, StreamState
from pipelines.tracking.bytetrack import ByteTracker
from serve.streams.processor import ProcessedFrame, StreamProcessor
from serve.streams.status import StreamStatus

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class WorkerPlan:
    """What a worker is to do.

    Attributes:
        stream: id.
        epoch: of the assignment.
        make_source: a fresh source per attempt.
        live: whether the newest frame wins.
        geometry: lines and zones.
        analysis_fps: None for every frame.
        origin: names what the source shows; state of another origin is not taken up.
    """

    stream: str
    epoch: int
    make_source: Callable[[], Source]
    live: bool
    geometry: Geometry
    analysis_fps: float | None
    origin: str = ""


class StreamWorker:
    """Owns source, tracker and counters of one stream, between `start` and `stop`.

    Args:
        plan: what to do.
        collector: shared by all workers of a reader.
        store: for checkpoints.
        spool: where checkpoints wait while the database is away.
        on_frame: called by the collector's thread after each frame.
    """

    def __init__(
        self,
        plan: WorkerPlan,
        collector: BatchCollector,
        store: Store,
        spool: Spool,
        *,
        on_frame: Callable[[ProcessedFrame], None] | None = None,
    ) -> None:
        self.plan = plan
        self.fenced = False
        """True once the store said that the stream belongs to a newer epoch."""
        self._collector = collector
        self._store = store
        self._spool = spool
        observer = StreamObserver(plan.stream, plan.epoch, plan.geometry)
        self._processor = StreamProcessor(ByteTracker(), observer, on_frame=on_frame, clock=time.monotonic)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"stream-{plan.stream}", daemon=True)
        self._supervisor: SourceSupervisor | None = None
        self._mailbox: Mailbox | None = None
        self._started_s = time.time()
        self._checkpointing = threading.Lock()
        self._store_error: str | None = None
        self._mailbox_name = f"{plan.stream}#{plan.epoch}"

    def start(self) -> None:
        self._thread.start()

    def _run(self) -> None:
        checkpoint = self._previous()
        if self._stop.is_set():
            return
        timeline = Timeline.of(self.plan.analysis_fps)
        position = self._take_up(checkpoint, timeline) if checkpoint is not None else None
        mailbox = self._collector.add(self._mailbox_name, self._processor, live=self.plan.live)
        supervisor = SourceSupervisor(
            self.plan.stream,
            self.plan.make_source,
            mailbox,
            timeline,
            resume=position,
            gap_first=checkpoint is not None and position is None,  # live: what happened meanwhile nobody saw
        )
        self._mailbox, self._supervisor = mailbox, supervisor
        supervisor.run(self._stop)

    def _previous(self) -> Checkpoint | None:
        """The checkpoint of the epoch before, waiting for the database if need be: to begin at zero would lose it."""
        while not self._stop.is_set():
            try:
                self._deliver_spooled()
                self._store_error = None
                return self._store.load_checkpoint(self.plan.stream)
            except StoreError as error:
                self._store_error = str(error)
                self._stop.wait(1.0)
        return None

    def _take_up(self, checkpoint: Checkpoint, timeline: Timeline) -> Any:
        """Restore state; returns where the source goes on, or None to begin anew."""
        if checkpoint.state.get("origin", self.plan.origin) != self.plan.origin:
            logger.info("another source: it begins anew", extra={"stream": self.plan.stream})
            return None
        try:
            self._processor.restore(checkpoint.state)
            if checkpoint.resume is not None:
                timeline.restore(checkpoint.resume["timeline"])
        except (ValueError, KeyError, TypeError) as error:
            logger.warning("state of another version is left behind: %s", error, extra={"stream": self.plan.stream})
        if checkpoint.resume is None:
            return None  # live: a gap comes first, and then the time that the camera tells, whatever it was before
        return checkpoint.resume.get("position")

    def use_geometry(self, geometry: Geometry) -> None:
        """Count with other lines and zones from the next frame on."""
        self._processor.use_geometry(geometry)

    def keep_video_frames(self, wanted: bool) -> None:
        """Whether processed frames carry their decoded frame, because somebody looks."""
        if self._mailbox is not None:
            self._mailbox.keep_video_frames = wanted

    def checkpoint(self, *, database_away: bool = False) -> bool:
        """Write what is pending; when the database is away, to disk. Called every few seconds, by one thread.

        Args:
            database_away: somebody found out just now, so do not wait for it again.

        Returns:
            False if the database is away.
        """
        # The checkpoint thread and `stop` both come here. From the cut to its acknowledgement is one step: of two cuts
        # under way, the older could be written last, and take rows and place back.
        with self._checkpointing:
            cut = self._processor.cut()
            if cut is None or self.fenced or (not cut.rows and not len(self._spool)):
                return not database_away
            state = {**cut.state, "origin": self.plan.origin}
            checkpoint = Checkpoint(
                self.plan.stream, self.plan.epoch, cut.rows, state, cut.stamp.resume, cut.stamp.time_s
            )
            reached = self._write(checkpoint, database_away)
            if reached is None:
                return not database_away
            # Only now: a crash between the write and this repeats the rows, which changes nothing; the other way round
            # it would lose them. The broker hears of the place last: what it knows is only for people to look at.
            self._processor.acknowledge(cut.rows)
            if cut.stamp.resume is not None and self._supervisor is not None:
                self._supervisor.acknowledge(cut.stamp.resume["position"])
            return reached

    def _write(self, checkpoint: Checkpoint, database_away: bool) -> bool | None:
        """To the database (True) or to disk (False); None if it is safe in neither, and still pending."""
        try:
            if database_away:
                raise StoreUnavailable(self._store_error or "the database is away")
            # What was spooled comes first: it is older, and its state must not end up over this one's.
            self._deliver_spooled()
            self._store.checkpoint(checkpoint)
            self._store_error = None
            return True
        except StaleEpoch as error:
            self.fenced = True
            logger.warning("%s; this reader lets go of it", error, extra={"stream": self.plan.stream})
        except StoreUnavailable as error:
            if self._store_error is None:
                logger.error("%s; rows go to disk", error, extra={"stream": self.plan.stream})
            self._store_error = str(error)
            if self._spool.put(checkpoint):
                return False
        except StoreError as error:
            self._store_error = str(error)
            logger.error("%s", error, extra={"stream": self.plan.stream})
        return None

    def _deliver_spooled(self) -> None:
        """Hand the database what it missed, oldest first."""
        for path, waiting in self._spool.waiting():
            try:
                # What an earlier epoch left on this disk may follow, as long as nobody has gone on without it.
                self._store.checkpoint(waiting, writer_epoch=self.plan.epoch)
            except StaleEpoch as error:
                logger.warning("spooled rows are refused: %s", error, extra={"stream": self.plan.stream})
                self._spool.refused(path)
            else:
                self._spool.delivered(path)

    def stop(self, timeout_s: float = 10.0) -> None:
        """Drain in order: source, frames in flight, rows. Idempotent."""
        # Each step waits for the one before: rows written while frames are in flight would miss what these count.
        self._stop.set()
        if self._thread.is_alive() and threading.current_thread() is not self._thread:
            self._thread.join(timeout_s)
        self._collector.remove(self._mailbox_name, timeout_s)
        self.checkpoint()

    def status(self) -> StreamStatus:
        """How the stream is right now."""
        source = self._supervisor.status if self._supervisor else SourceStatus(StreamState.STARTING, self._started_s)
        newest = self._processor.newest
        info = source.info
        error, code = source.error, source.error_code
        if error is None and self._collector.failures:
            error, code = "the detector does not answer; frames are lost or wait", "detector-unavailable"
        elif error is None and self._store_error is not None:
            error, code = f"{self._store_error}; rows wait on disk", "store-unavailable"
        return StreamStatus(
            state=source.state,
            since_s=source.since_s,
            error=error,
            error_code=code,
            codec=info.codec if info else None,
            width=info.width if info else None,
            height=info.height if info else None,
            fps_in=round(source.fps_in, 2),
            fps_processed=round(self._processor.fps, 2),
            frame_age_s=round(max(0.0, time.time() - newest.time_s), 3) if newest else None,
            frames=source.frames,
            corrupt=source.corrupt,
            reconnects=source.reconnects,
            skipped=self._mailbox.skipped if self._mailbox else 0,
            spooled=len(self._spool),
            rows_lost=self._spool.statistics.lost,
        )
