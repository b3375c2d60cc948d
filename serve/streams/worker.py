"""One stream in one reader, for one epoch: from its checkpoint to its last row."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from analytics.counting.minute_book import KEPT_MINUTES
from analytics.counting.observer import StreamObserver
from analytics.errors import StaleEpoch, StoreError, StoreUnavailable
from analytics.events import Event, EventContext
from analytics.geometry import Geometry
from analytics.minutes import MINUTE_S, MinuteRow, minute_of
from analytics.storage.base import Checkpoint, Store
from analytics.storage.spool import Spool
from pipelines.batching.collector import BatchCollector
from pipelines.batching.mailbox import Mailbox
from pipelines.batching.stages import Stage
from pipelines.sources.base import Source
from pipelines.sources.clock import Timeline
from pipelines.sources.held import Mark
from pipelines.sources.supervisor import Part, Place, SourceStatus, SourceSupervisor, StreamState
from pipelines.tracking.bytetrack import ByteTracker
from serve.streams.delivery import deliver
from serve.streams.drift import StreamDrift
from serve.streams.frame_traces import FrameTraces
from serve.streams.onlookers import Onlookers
from serve.streams.processor import Cut, ProcessedFrame, StreamProcessor
from serve.streams.rehearsal import Rehearsal
from serve.streams.status import QUANTILES, StreamStatus

logger = logging.getLogger(__name__)
MINUTES_IN_MEMORY = 60
"""Of a live camera, while neither database nor disk takes them."""
PARTING_S = 1.0
UNREADABLE_S = 5.0
PLACE_S = 30.0
"""How often a place is stored that moves on while no frame comes."""


@dataclass(frozen=True, slots=True)
class _Trouble:
    """What keeps rows from being stored: for machines, for people, and for those who share the cause."""

    code: str
    message: str
    cause: str = ""


class _Kept(Enum):
    """Where a checkpoint is safe."""

    IN_DATABASE = "database"
    ON_DISK = "disk"
    NOWHERE = "memory"


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
        site: that the stream belongs to.
        model: names what finds the people, by now.
    """

    stream: str
    epoch: int
    make_source: Callable[[], Source]
    live: bool
    geometry: Geometry
    analysis_fps: float | None
    origin: str = ""
    site: str = ""
    model: Callable[[], str] = str


class StreamWorker:
    """Owns source, tracker and counters of one stream, between `start` and `stop`.

    Args:
        plan: what to do.
        collector: shared by all workers of a reader.
        store: for checkpoints.
        spool: where checkpoints wait while the database is away.
        on_frame: called by the collector's thread after each frame.
        rehearsal: the stream's live source, if it is connected already.
        drift: watches how pictures and people compare with their reference; None: nobody does.
        traces: follows some frames to their rows; None: nobody does.
        onlookers: look at its frames besides; for this worker alone.
    """

    def __init__(
        self,
        plan: WorkerPlan,
        collector: BatchCollector,
        store: Store,
        spool: Spool,
        *,
        on_frame: Callable[[ProcessedFrame], None] | None = None,
        rehearsal: Rehearsal | None = None,
        drift: StreamDrift | None = None,
        traces: FrameTraces | None = None,
        onlookers: Onlookers | None = None,
    ) -> None:
        self.plan = plan
        self.fenced = False
        """True once the store said that the stream belongs to a newer epoch."""
        self._collector = collector
        self._store = store
        self._spool = spool
        self._drift = drift
        self._traces = traces
        self._on_frame = on_frame
        self._onlookers = onlookers or Onlookers()
        observer = StreamObserver(plan.stream, plan.epoch, plan.geometry)
        self._processor = StreamProcessor(
            ByteTracker(),
            observer,
            on_frame=self._processed,
            context=lambda: EventContext(plan.stream, plan.site, plan.epoch, plan.model()),
            clock=time.monotonic,
            longest_step_back_s=(KEPT_MINUTES - 30) * MINUTE_S,
            stages=collector.stages,
            latency=collector.latency if plan.live else None,
        )
        self._rehearsal = rehearsal
        if rehearsal is None:
            self._stop = threading.Event()
            self._thread = threading.Thread(target=self._run, name=f"stream-{plan.stream}", daemon=True)
        else:
            self._stop, self._thread = rehearsal.stop, rehearsal.thread
        self._supervisor: SourceSupervisor | None = None if rehearsal is None else rehearsal.supervisor
        self._mailbox: Mailbox | None = None
        self._started_s = time.time()
        self._beginning = threading.Lock()
        self._checkpointing = threading.Lock()
        self._trouble: _Trouble | None = None
        self._trouble_since_s = 0.0
        self._minutes_lost = 0
        self._cuts = 0
        self._begun_with: tuple[Mapping[str, Any], float] = {}, 0.0
        self._stored_resume: Mapping[str, Any] | None = None
        self._stored_s = time.monotonic()
        self._mailbox_name = f"{plan.stream}#{plan.epoch}"

    def start(self) -> None:
        if self._rehearsal is None:
            self._thread.start()
        else:
            self._rehearsal.supervisor.play(self._begin_played)

    def _begin_played(self) -> Part | None:
        """Begin the epoch with a source that is there; called by its thread."""
        checkpoint = self._previous()
        if self.fenced:
            self._stop.set()
            return None
        timeline = Timeline.of(self.plan.analysis_fps)
        if checkpoint is not None:
            self._take_up(checkpoint, timeline)
        self._mailbox = self._open_mailbox()
        if self._mailbox is None:
            return None
        return Part(self._mailbox, timeline, Mark.of(self._begun_with[0].get("mark")), gap=checkpoint is not None)

    def _open_mailbox(self) -> Mailbox | None:
        """None if it is to stop: a mailbox that is made after `drain` would never be removed."""
        with self._beginning:
            if self._stop.is_set():
                return None
            mailbox = self._collector.add(self._mailbox_name, self._processor, live=self.plan.live)
        if self._drift is not None:
            mailbox.on_picture = self._drift.show
        if self._traces is not None:
            mailbox.trace = self._traces.begin
        self._onlookers.attach(mailbox)
        return mailbox

    def _run(self) -> None:
        checkpoint = self._previous()
        if self.fenced:
            return  # another reader has it, and its camera may take no second one
        timeline = Timeline.of(self.plan.analysis_fps)
        position = self._take_up(checkpoint, timeline) if checkpoint is not None else None
        mailbox = self._open_mailbox()
        if mailbox is None:
            return
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
        """What the epoch before left, waiting for the database if need be: to begin at zero would lose it."""
        while not self._stop.is_set():
            try:
                deliver(self._spool, self._store, self.plan.stream)
                begun = self._store.begin(self.plan.stream, self.plan.epoch)
                if self._drift is not None:
                    self._drift.begin(None if begun is None else begun.state.get("drift"))
            except StaleEpoch as error:
                self._fence(error)
                return None
            except StoreError as error:
                self._tell(_Trouble("store-unavailable", f"{error}; it begins when the database is back"))
                self._stop.wait(1.0)
            except Exception as error:  # to begin without what was counted so far would count some of it again
                what = f"what was stored cannot be read: {type(error).__name__}"
                self._tell(_Trouble("store-error", f"{what}; it begins once it can", what), error)
                self._stop.wait(UNREADABLE_S)
            else:
                self._tell(None)
                return begun
        return None

    def _take_up(self, checkpoint: Checkpoint, timeline: Timeline) -> Any:
        """Restore state; returns where the source goes on, or None to begin anew."""
        origin = self.plan.origin
        counted = checkpoint.state.get("origin", origin)
        same, place_of = counted == origin, checkpoint.state.get("place_of", counted)
        # Until something is counted of another source, the state is still that of the one before, and says so: whoever
        # goes back to that one goes on from where it was left.
        left_at = checkpoint.resume if place_of == counted else checkpoint.state.get("left_at")
        resume = checkpoint.resume if place_of == origin else left_at if same else None
        state = {**checkpoint.state, "left_at": None if same else left_at}
        self._begun_with = {**state, **({} if same else {"mark": None})}, checkpoint.time_s
        if not same:
            logger.info("another source: it begins anew", extra={"stream": self.plan.stream})
        try:
            if "format" in checkpoint.state:  # else there was nothing but a place
                (self._processor.restore if same else self._processor.leave)(checkpoint.state)
            if resume is not None:
                timeline.restore(resume["timeline"])
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            logger.warning("state of another version is left behind: %s", error, extra={"stream": self.plan.stream})
        if resume is None:
            return None  # live: a gap comes first, and then the time that the camera tells, whatever it was before
        return resume.get("position")

    @property
    def over(self) -> bool:
        """Whether this epoch has come to its end: it is another's, or time has run far back."""
        return self.fenced or self._processor.over

    def use_geometry(self, geometry: Geometry) -> None:
        """Count with other lines and zones from the next frame on."""
        self._processor.use_geometry(geometry)

    def use_reference(self, version: int) -> None:
        """What the camera shows from now on is how it should be."""
        if self._drift is not None:
            self._drift.renew(version)

    def _processed(self, frame: ProcessedFrame) -> None:
        """Called by the collector's thread after each frame."""
        if self._drift is not None:
            self._drift.count(frame)
        if self._traces is not None and frame.frame.trace is not None:
            self._traces.counted(frame.frame.trace)
        if self._on_frame is not None:
            self._on_frame(frame)
        self._onlookers.look(frame)

    def keep_video_frames(self, wanted: bool) -> None:
        """Whether processed frames carry their decoded frame, because somebody looks."""
        self._onlookers.watch(wanted)

    @property
    def has_news(self) -> bool:
        """Whether something has happened that others wait for, and the database is there to take it."""
        return self._processor.has_events and self._trouble is None

    def checkpoint(self, *, database_away: bool = False) -> bool:
        """Write what is pending; when the database is away, to disk. Called every few seconds, by one thread.

        Args:
            database_away: somebody found out just now, so do not wait for it again.

        Returns:
            False if the database is away.
        """
        # The checkpoint thread and `drain` both come here. From the cut to its acknowledgement is one step: of two cuts
        # under way, the older could be written last, and take rows and place back.
        with self._checkpointing, self._collector.stages.timed(Stage.STORE):
            # In this order: a place that is asked for second can only be newer, and then it says that it does not fit.
            cut_s, cut = time.monotonic(), self._processor.cut()
            place = self._supervisor.place() if self._supervisor is not None else None
            owed = self._owed(cut, place)
            if owed is None or self.fenced:
                return not database_away
            kept, away = self._write(owed, database_away)
            if kept is _Kept.NOWHERE:
                self._hold_on(owed)
            elif not self.fenced:
                self._settle(owed)
                if self._traces is not None:
                    self._traces.stored(cut_s)
            if not away and self._drift is not None:
                self._drift.keep()
            return not away

    def _owed(self, cut: Cut | None, place: Place | None) -> Checkpoint | None:
        """What is to be written now: rows that changed, or else a place that has moved on without frames."""
        state, time_s = self._begun_with
        rows: list[MinuteRow] = []
        events: tuple[Event, ...] = ()
        index = resume = None
        if cut is not None:
            state, time_s, rows, events = cut.state, cut.stamp.time_s, cut.rows, cut.events
            index, resume = cut.stamp.index, cut.stamp.resume
        fits = place is not None and place.index == index
        if fits and place is not None:
            resume = place.resume
        moved = fits and resume != self._stored_resume
        if moved and not rows and not len(self._spool):  # a silent camera among busy ones
            moved = time.monotonic() - self._stored_s >= PLACE_S
        if not rows and not moved and not (cut is not None and len(self._spool)):
            return None
        mark = cut.stamp.mark if cut is not None else state.get("mark")
        origin = self.plan.origin if cut is not None else state.get("origin", self.plan.origin)
        state = {**state, "origin": origin, "place_of": self.plan.origin, "mark": mark}
        if self._drift is not None:
            state["drift"] = self._drift.snapshot()
        self._cuts += 1
        return Checkpoint(
            self.plan.stream, self.plan.epoch, rows, state, resume, time_s, self._cuts, time.time(), events
        )

    def _settle(self, written: Checkpoint) -> None:
        """What was cut is safe, and may be forgotten."""
        # Only now: after a crash in between, rows are written twice, which changes nothing; the other way round they
        # would be lost. The broker hears of the place last: what it knows is only for people to look at.
        self._processor.acknowledge(list(written.rows), written.events)
        self._stored_resume, self._stored_s = written.resume, time.monotonic()
        if self._mailbox is not None:
            self._mailbox.pause(False)
        if written.resume is not None and self._supervisor is not None:
            self._supervisor.acknowledge(written.resume["position"])

    def _hold_on(self, cut: Checkpoint) -> None:
        """There is no safe place for what was cut: who can wait does, and a live camera's oldest minutes go."""
        if not self.plan.live:
            if self._mailbox is not None:
                self._mailbox.pause(True)
            return
        over = sorted({row.minute for row in cut.rows})[:-MINUTES_IN_MEMORY]
        if over:
            self._minutes_lost += len(over)
            self._processor.acknowledge(
                [row for row in cut.rows if row.minute <= over[-1]],
                [event for event in cut.events if minute_of(event.time_s) <= over[-1]],
            )

    def _write(self, checkpoint: Checkpoint, database_away: bool) -> tuple[_Kept, bool]:
        """To the database, or else to disk; also returns whether the database is away."""
        try:
            if database_away:
                raise StoreUnavailable(self._trouble.cause if self._trouble else "the database is away")
            # What was spooled comes first: it is older, and its state must not end up over this one's.
            deliver(self._spool, self._store, self.plan.stream)
            self._store.checkpoint(checkpoint)
            self._tell(None)
            return _Kept.IN_DATABASE, False
        except StaleEpoch as error:
            self._fence(error)
            if checkpoint.resume is None:  # what can be replayed is counted by whoever has it now
                self._minutes_lost += len(checkpoint.rows)
            return _Kept.IN_DATABASE, False
        except StoreUnavailable as error:
            if self._spool.put(checkpoint):
                self._tell(_Trouble("store-unavailable", f"{error}; rows wait on disk", str(error)))
                return _Kept.ON_DISK, True
            self._tell(_Trouble("store-unavailable", f"{error}; no room on disk, rows wait in memory", str(error)))
            return _Kept.NOWHERE, True
        except StoreError as error:
            self._tell(_Trouble("store-error", f"{error}; rows wait in memory", str(error)))
        except Exception as error:  # whatever keeps rows from being written has to be seen, once
            what = f"rows cannot be written: {type(error).__name__}"
            self._tell(_Trouble("store-error", f"{what}; they wait in memory", what), error)
        return _Kept.NOWHERE, False

    def _fence(self, error: StaleEpoch) -> None:
        self.fenced = True
        logger.warning("%s; this reader lets go of it", error, extra={"stream": self.plan.stream})

    def _tell(self, trouble: _Trouble | None, error: Exception | None = None) -> None:
        """Say what keeps rows from being stored, once for as long as it lasts."""
        if trouble is not None and trouble != self._trouble:
            logger.error("%s", trouble.message, exc_info=error, extra={"stream": self.plan.stream})
        elif trouble is None and self._trouble is not None:
            logger.info("rows are stored again", extra={"stream": self.plan.stream})
        if self._trouble is None:
            self._trouble_since_s = time.monotonic()
        self._trouble = trouble

    def drain(self, timeout_s: float = 10.0) -> None:
        """Take no more frames, wait for those in flight, write the last rows. Idempotent.

        The source's thread ends by itself: one that hangs in a camera that does not answer holds up nobody, since what
        it still brings is not taken.
        """
        if self._drift is not None and self._trouble is None:
            self._drift.keep(at_once=True)  # first: from here on somebody waits
        with self._beginning:
            self._stop.set()
        # Each step waits for the one before: rows written while frames are in flight would miss what these count.
        self._collector.remove(self._mailbox_name, timeout_s)
        self.checkpoint()
        self.join(PARTING_S)  # a camera that answers is let go of before somebody else opens it

    def join(self, timeout_s: float) -> bool:
        """Wait for the source's thread; False if it still runs."""
        if self._thread.is_alive() and threading.current_thread() is not self._thread:
            self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def stop(self, timeout_s: float = 10.0) -> None:
        """Drain, and wait for everything. Idempotent."""
        self.drain(timeout_s)
        self.join(timeout_s)

    def status(self) -> StreamStatus:
        """How the stream is right now."""
        source = self._supervisor.status if self._supervisor else SourceStatus(StreamState.STARTING, self._started_s)
        newest, now_s = self._processor.newest, time.monotonic()
        info, (kept, missed) = source.info, self._onlookers.hard_frames
        error, code = source.error, source.error_code
        if error is None and self._collector.failures:
            error, code = "the detector does not answer; frames are lost or wait", "detector-unavailable"
        elif error is None and self._trouble is not None:
            error, code = self._trouble.message, self._trouble.code
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
            analysed=self._processor.frames,
            skipped=self._mailbox.skipped if self._mailbox is not None else 0,
            source_cpu_s=round(source.cpu_s, 3),
            analysis_cpu_s=round(self._mailbox.cpu_s, 3) if self._mailbox is not None else 0.0,
            waited_s=round(self._mailbox.waited_s, 3) if self._mailbox is not None else 0.0,
            spooled=len(self._spool),
            rows_lost=self._spool.statistics.lost + self._minutes_lost,
            unsaved_s=round(time.monotonic() - self._trouble_since_s, 1) if self._trouble is not None else 0.0,
            shard=source.shard,
            latency_s=tuple(
                None if (value := self._processor.latency.quantile(share, now_s)) is None else round(value, 4)
                for share in QUANTILES
            )
            if self.plan.live
            else (),
            person_s=self._processor.person_s,
            drift=self._drift.report() if self._drift is not None else None,
            reconnects_by=source.reconnects_by,
            hard_frames_kept=kept,
            hard_frames_missed=missed,
        )
