"""Detections of one stream to tracks, counts and heat; the same for the service and for a recording on the desk."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from analytics.counting.observer import FrameOutcome, StreamObserver
from analytics.events import Event, EventContext, EventMaker
from analytics.geometry import Geometry
from analytics.minutes import MinuteRow
from pipelines.batching.mailbox import WaitingFrame
from pipelines.batching.stages import Stage, StageSeconds
from pipelines.durations import Durations, RecentDurations
from pipelines.rates import RateMeter
from pipelines.tracking.base import Tracker
from pipelines.types import Detections, FrameStamp, Tracks

FORMAT = "stream-1"
UNSEEN_S = 60.0
"""A longer time between two frames is none in which nobody was there."""


@dataclass(frozen=True, slots=True)
class ProcessedFrame:
    """One frame, with everything that was made of it."""

    frame: WaitingFrame
    detections: Detections
    tracks: Tracks
    outcome: FrameOutcome


@dataclass(frozen=True, slots=True)
class Cut:
    """State, rows and place of a stream, all after the very same frame.

    Attributes:
        stamp: of that frame.
        state: of tracker and observer.
        rows: minutes that changed.
        events: that nobody has stored yet, in their order.
    """

    stamp: FrameStamp
    state: Mapping[str, Any]
    rows: list[MinuteRow]
    events: tuple[Event, ...] = ()


class StreamProcessor:
    """Feeds a tracker and an observer; a `pipelines.batching.flights.FrameConsumer`.

    Args:
        tracker: of this stream alone.
        observer: likewise.
        on_frame: called after each frame, by the same thread; must not block.
        context: of the stream's events, asked for those frames that bring any; None: nobody wants them.
        clock: monotonic seconds, for the rate.
        longest_step_back_s: how far time may run back; beyond it, counters may know no more what of a minute is stored,
            and only another epoch adds to it.
        stages: where it is added up how long tracking and counting take.
        wall_clock: seconds since the epoch, for what frames have been through.
        latency: of all streams together, to be added to by the same thread; None: this stream's is no part of it.
    """

    def __init__(
        self,
        tracker: Tracker,
        observer: StreamObserver,
        *,
        on_frame: Callable[[ProcessedFrame], None] | None = None,
        context: Callable[[], EventContext] | None = None,
        clock: Callable[[], float],
        longest_step_back_s: float = math.inf,
        stages: StageSeconds | None = None,
        wall_clock: Callable[[], float] = time.time,
        latency: Durations | None = None,
    ) -> None:
        self._stages = stages or StageSeconds()
        self._wall_clock = wall_clock
        self.latency = RecentDurations()
        """From capture to count, as far as the frame's time is the clock's."""
        self._latency_of_all = latency
        self._tracker = tracker
        self._observer = observer
        self._on_frame = on_frame
        self._context = context
        self._clock = clock
        self._longest_step_back_s = longest_step_back_s
        self._lock = threading.Lock()
        self._meter = RateMeter()
        self._newest: FrameStamp | None = None
        self._geometry: Geometry | None = None
        self._event_maker = EventMaker()
        self._events: list[Event] = []
        self._seen_s: float | None = None
        self.person_s: float | None = None
        """Capture time of the newest frame in which somebody was, later by what was not seen since; of the first one
        until somebody was."""
        self.frames = 0
        """That were processed since the start."""
        self.over = False
        """Time has run back too far; nothing is counted any more."""

    def consume(self, frame: WaitingFrame, detections: Detections) -> None:
        with self._lock:
            before = self._newest
            if self.over or (before is not None and before.time_s - frame.stamp.time_s > self._longest_step_back_s):
                self.over = True
                return
            if self._geometry is not None:
                self._observer.use_geometry(self._geometry)
                self._geometry = None
            begun_s = time.monotonic()
            with self._stages.timed(Stage.TRACK):
                tracks = self._tracker.update(detections, frame.stamp.time_s, discontinuity=frame.stamp.gap)
            tracked_s = time.monotonic()
            with self._stages.timed(Stage.COUNT):
                outcome = self._observer.update(tracks, frame.stamp, frame.letterbox.source_size)
            if frame.trace is not None:
                frame.trace.add(Stage.TRACK.value, begun_s, tracked_s)
                frame.trace.add(Stage.COUNT.value, tracked_s)
            self._newest = frame.stamp
            if len(tracks) or self.person_s is None:
                self.person_s = frame.stamp.time_s
            elif self._seen_s is not None and (unseen_s := frame.stamp.time_s - self._seen_s) > UNSEEN_S:
                self.person_s += unseen_s  # nobody has looked meanwhile
            self._seen_s = frame.stamp.time_s
            self.frames += 1
            if outcome.events and self._context is not None:
                self._events += self._event_maker.make(outcome.events, self._context(), frame.stamp)
        now_s = self._clock()
        self._meter.tick(now_s)
        latency_s = self._wall_clock() - frame.stamp.time_s
        self.latency.add(latency_s, now_s)
        if self._latency_of_all is not None:
            self._latency_of_all.add(latency_s)
        if self._on_frame is not None:
            self._on_frame(ProcessedFrame(frame, detections, tracks, outcome))

    @property
    def fps(self) -> float:
        """Frames processed a second over the last seconds."""
        return self._meter.rate(self._clock())

    @property
    def newest(self) -> FrameStamp | None:
        """Stamp of the last frame that was processed."""
        return self._newest

    def use_geometry(self, geometry: Geometry) -> None:
        """From the next frame on."""
        # Kept until then: counters belong to the collector's thread, and a line must not change within a frame.
        with self._lock:
            self._geometry = geometry

    def cut(self) -> Cut | None:
        """A consistent copy of everything; None before the first frame."""
        # Between two frames, never within one: rows, state and place that are not of the very same frame would count it
        # twice or not at all after a crash.
        with self._lock:
            if self._newest is None:
                return None
            state = {
                "format": FORMAT,
                "time_s": self._newest.time_s,
                "tracker": self._tracker.snapshot(),
                "observer": self._observer.snapshot(),
                "events": self._event_maker.snapshot(),
                "person_s": self.person_s,
            }
            return Cut(self._newest, state, self._observer.pending(), tuple(self._events))

    @property
    def has_events(self) -> bool:
        """Whether something has happened that nobody has stored yet."""
        return bool(self._events)

    def acknowledge(self, rows: list[MinuteRow], events: Sequence[Event] = ()) -> None:
        """These rows and events are stored."""
        with self._lock:
            self._observer.acknowledge(rows)
            stored = {event.id for event in events}
            self._events = [event for event in self._events if event.id not in stored]

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take up the state of a `Cut`.

        Raises:
            ValueError: it has another format.
        """
        _check(state)
        with self._lock:
            self._tracker.restore(state["tracker"])
            self._observer.restore(state["observer"])
            self._event_maker.restore(state.get("events", {}))
            self.person_s, self._seen_s = state.get("person_s"), state.get("time_s")

    def leave(self, state: Mapping[str, Any]) -> None:
        """Another scene is watched than that of a `Cut`'s state: who was in there leaves, and nothing else is taken up.

        Raises:
            ValueError: it has another format.
        """
        _check(state)
        with self._lock:
            self._observer.leave(state["observer"])


def _check(state: Mapping[str, Any]) -> None:
    if state.get("format") != FORMAT:
        raise ValueError(f"a stream state of format {FORMAT} is needed, found {state.get('format')!r}")
