"""Keeps a source delivering: connects, watches, retries, and says how it is.

The loop is the same for every kind of source. It runs in a thread of its own, one per camera, so that nothing a camera
does can hold up another.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, Protocol

import av

from pipelines.errors import FootfallError, SourceError
from pipelines.rates import RateMeter
from pipelines.redaction import redact
from pipelines.sources.backoff import Backoff
from pipelines.sources.base import Position, Source, SourceFrame
from pipelines.sources.clock import SLEW, Timeline
from pipelines.sources.held import HeldFrames, Mark
from pipelines.types import FrameStamp, StreamInfo

logger = logging.getLogger(__name__)
CATCH_UP_S = 2.0
"""For all frames that were held, and those that come meanwhile, to be analysed; then the newest one wins again."""
MARK_WAIT_S = 1.0
"""For the frame that was analysed last elsewhere to come here, too."""


class StreamState(StrEnum):
    STARTING = "starting"
    RUNNING = "running"
    RECONNECTING = "reconnecting"
    STOPPED = "stopped"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class SourceStatus:
    """How a source is right now.

    Attributes:
        state: of the connection.
        since_s: when the state began, seconds since the epoch.
        error: what went wrong last, in plain words; None while all is well.
        error_code: the same for machines.
        info: of the stream; None before the first connection.
        fps_in: decoded frames a second over the last seconds.
        frames: decoded since the start.
        corrupt: of these, with missing parts.
        reconnects: since the start.
        cpu_s: CPU seconds of the source's thread, with everything that is done to a frame before it is passed on, and
            its part of a thread that it shares.
        shard: see `pipelines.sources.base.Reached`.
        reconnects_by: the same by what broke the connection, as in ``error_code``.
    """

    state: StreamState
    since_s: float
    error: str | None = None
    error_code: str | None = None
    info: StreamInfo | None = None
    fps_in: float = 0.0
    frames: int = 0
    corrupt: int = 0
    reconnects: int = 0
    cpu_s: float = 0.0
    shard: str | None = None
    reconnects_by: Mapping[str, int] = field(default_factory=dict)


class FrameSink(Protocol):
    """Takes sampled frames from the supervisor's thread."""

    def offer(
        self, video_frame: av.VideoFrame, stamp: FrameStamp, stop: threading.Event, *, wait: bool = False
    ) -> None:
        """Take a frame; a sink of a source that may not skip blocks until there is room or ``stop`` is set.

        Args:
            video_frame: decoded.
            stamp: where and when it stands in its stream.
            stop: ends waiting.
            wait: this frame may not be skipped, whatever the source.
        """
        ...


@dataclass(frozen=True, slots=True)
class Part:
    """What a source that was connected ahead of time is to go on with.

    Attributes:
        sink: where sampled frames go.
        timeline: clock and sampler of the stream's worker.
        mark: the last frame that was analysed before; None if nothing is known of it.
        gap: whether something was missed, unless the frame behind ``mark`` is still here.
    """

    sink: FrameSink
    timeline: Timeline
    mark: Mark | None
    gap: bool


@dataclass(frozen=True, slots=True)
class Place:
    """Where a replayable stream goes on, which may be further than its last frame tells.

    Attributes:
        index: of the last frame that was passed on before this place; None if there was none.
        resume: as in `pipelines.types.FrameStamp`.
    """

    index: int | None
    resume: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class _Handed:
    """What was taken from a source so far, all as of the same frame."""

    source: Source
    frames: int
    index: int | None
    position: Position | None
    timeline: Mapping[str, Any]


class SourceSupervisor:
    """Runs one source until it is stopped or ends.

    Nothing that goes wrong is final: passwords, cameras and topics are repaired on the other side, and memory comes
    back. What looks final is shown as failed, and tried again every few minutes.

    A live source may be connected before it is known what is to be done with its frames: they are held until `play`.

    Args:
        name: of the stream, for logs.
        make_source: a fresh source for every attempt.
        sink: where sampled frames go; None until somebody says so.
        timeline: clock and sampler of the stream's worker; likewise.
        resume: where a replayable source goes on.
        analysis_fps: frames a second that are analysed, if that is known before the timeline is; None for all.
        backoff: between attempts.
        wall_clock: seconds since the epoch.
    """

    def __init__(
        self,
        name: str,
        make_source: Callable[[], Source],
        sink: FrameSink | None = None,
        timeline: Timeline | None = None,
        *,
        resume: Position | None = None,
        gap_first: bool = False,
        analysis_fps: float | None = None,
        backoff: Backoff | None = None,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self._name = name
        self._make_source = make_source
        self._sink = sink
        self._timeline = timeline
        self._position = resume
        self._gap = gap_first
        self._backoff = backoff or Backoff()
        self._wall_clock = wall_clock
        self._meter = RateMeter()
        self._source: Source | None = None
        self._index: int | None = None
        self._handed: _Handed | None = None
        self._unexpected = ""
        self._shared_cpu_s = 0.0
        self._held = HeldFrames(analysis_fps)
        self._cue: Callable[[], Part | None] | None = None
        self._part: Part | None = None
        self._cued_s = 0.0
        self._since_cue = 0
        self._patient_until_s = 0.0
        self._shift_s = 0.0
        self._raw_s: float | None = None
        self._status = SourceStatus(StreamState.STARTING, wall_clock())

    @property
    def status(self) -> SourceStatus:
        """A snapshot; may be read from any thread."""
        source = self._source
        reached = source.reached() if source is not None else None
        shard = reached.shard if reached is not None else None
        return replace(self._status, fps_in=self._meter.rate(time.monotonic()), shard=shard)

    @property
    def ready(self) -> bool:
        """Whether a picture has come since it connected."""
        return self._status.state is StreamState.RUNNING

    @property
    def held_s(self) -> float:
        """From how far back frames are held, seconds."""
        return self._held.held_s

    @property
    def holds_all_it_can(self) -> bool:
        """Whether frames have been let go of for lack of room."""
        return self._held.full

    def play(self, cue: Callable[[], Part | None]) -> None:
        """Go on with the frames that are held, and with all others.

        Args:
            cue: says with what; called once by the camera's thread, which may wait in it. None if it is to stop.
        """
        self._cue = cue

    def acknowledge(self, position: Position) -> None:
        """Pass on to the source that everything up to ``position`` is stored."""
        source = self._source
        if source is not None:
            source.acknowledge(position)

    def place(self) -> Place | None:
        """Where the stream goes on behind all that was passed on; None if it cannot be replayed, or is not known yet.

        It moves on without frames: as soon as a topic is open, and with everything in it that is no picture of this
        camera. May be stored with the state after frame ``index``, and with no other. May be called from any thread.
        """
        source = self._source
        # In this order: what is read second may only be newer, and then the numbers of frames differ.
        reached = source.reached() if source is not None else None
        handed = self._handed
        if handed is None:
            return None
        position = handed.position
        if reached is not None and handed.source is source:
            if handed.frames != reached.frames:
                return None  # a frame is on its way; what was handed on may lie before what was told last time
            position = reached.position
        if position is None:
            return None
        return Place(handed.index, {"position": position, "timeline": handed.timeline})

    def run(self, stop: threading.Event) -> None:
        """Until ``stop`` or the end of a recording; never raises for a source's sake."""
        failures = 0
        while not stop.is_set():
            begun = time.monotonic()
            try:
                self._run_once(stop)
            except Exception as error:  # the last line of defence: one camera's bug must not end its thread unseen
                healthy = self._status.state is StreamState.RUNNING and (
                    time.monotonic() - begun > self._backoff.healthy_s
                )
                failures = 1 if healthy else failures + 1
                told = error if isinstance(error, SourceError) else self._tell_unexpected(error)
                delay_s = self._backoff.delay_s(failures, told, random.random())
                logger.log(
                    logging.WARNING if told.retryable else logging.ERROR,
                    *("%s; next attempt in %.1f s", told, delay_s),
                    extra={"stream": self._name},
                )
                self._gap = self._gap or self._position is None  # what can be replayed has missed nothing
                self._enter(StreamState.RECONNECTING if told.retryable else StreamState.FAILED, told)
                self._count_reconnect(told.code)
                stop.wait(delay_s)
            else:
                break
        self._enter(StreamState.STOPPED, None)

    def _count_reconnect(self, code: str) -> None:
        by = self._status.reconnects_by
        self._status = replace(
            self._status, reconnects=self._status.reconnects + 1, reconnects_by={**by, code: by.get(code, 0) + 1}
        )

    def _tell_unexpected(self, error: Exception) -> FootfallError:
        """An error of ours for one that nobody foresaw; its stack is logged, but not with every attempt."""
        if repr(error) != self._unexpected:
            self._unexpected = repr(error)
            logger.error("stream failed", exc_info=error, extra={"stream": self._name})
        return FootfallError(f"internal error: {redact(str(error)) or type(error).__name__}")

    def _run_once(self, stop: threading.Event) -> None:
        """One connection, from its beginning to its end."""
        source = self._make_source()
        frames = 0
        self._held.clear()
        self._since_cue = 0
        self._shift_s, self._raw_s = 0.0, None
        if not self._gap or self._handed is None or self._handed.position is None:  # nothing was passed on so far
            self._hand(source, frames)
        self._source = source
        try:
            info = source.connect(self._position)
            logger.info("connected: %s %dx%d", info.codec, info.width, info.height, extra={"stream": self._name})
            self._status = replace(self._status, info=info)
            for frame in source.frames(stop):
                if stop.is_set():
                    return
                if self._status.state is not StreamState.RUNNING:
                    self._enter(StreamState.RUNNING, None)
                self._meter.tick(time.monotonic())
                self._shared_cpu_s += frame.shared_cpu_s
                # A topic's first message may come late, and a camera may be set to another resolution.
                if (info.width, info.height) != (frame.video_frame.width, frame.video_frame.height):
                    info = replace(info, width=frame.video_frame.width, height=frame.video_frame.height)
                self._status = replace(
                    self._status,
                    info=info,
                    frames=self._status.frames + 1,
                    corrupt=self._status.corrupt + frame.corrupt,
                    cpu_s=time.thread_time() + self._shared_cpu_s,
                )
                frames += 1
                if self._sink is not None:
                    self._pass_on(source, frames, frame, stop)
                else:
                    self._hold(source, frames, frame, stop)
        finally:
            reached = source.reached()
            if reached is not None and reached.frames == frames:
                self._position = reached.position
            self._source = None
            source.close()

    def _hold(self, source: Source, frames: int, frame: SourceFrame, stop: threading.Event) -> None:
        """Keep a frame until it is known what is to be done with it, and whether it follows on the last one."""
        self._held.hold(frame)
        if self._part is None:
            self._part = self._cue() if self._cue is not None else None
            self._cued_s = time.monotonic()
        part = self._part
        if part is None:
            return
        self._since_cue += 1
        following = self._held.behind(part.mark) if part.mark is not None else None
        if part.mark is not None and following is None and time.monotonic() - self._cued_s < MARK_WAIT_S:
            return  # this connection may be a little behind the other one
        self._sink, self._timeline = part.sink, part.timeline
        if part.mark is None or following is None:
            self._gap = part.gap
            held = self._held.newest(self._since_cue)
        else:
            self._timeline.restore(part.mark.timeline)
            held, self._shift_s = following
            self._gap = False
        self._patient_until_s = time.monotonic() + CATCH_UP_S
        for one in held:
            self._pass_on(source, frames, one, stop)
        self._held.clear()

    def _pass_on(self, source: Source, frames: int, frame: SourceFrame, stop: threading.Event) -> None:
        assert self._timeline is not None
        assert self._sink is not None
        raw_s = self._shifted(frame.raw_time_s)
        admitted = self._timeline.admit(raw_s)
        self._gap = self._gap or admitted.stepped
        self._position = frame.position
        if admitted.sampled:
            self._index = admitted.index
        if admitted.sampled or not self._gap:  # a gap is marked on a frame, and no place may lie between the two
            self._hand(source, frames)
        if not admitted.sampled:
            return
        resume: dict[str, Any] | None = None
        mark: dict[str, Any] | None = None
        if self._handed is not None:
            timeline = self._handed.timeline
            if frame.position is not None:
                resume = {"position": frame.position, "timeline": timeline}
            elif frame.fingerprint is not None:
                mark = Mark(frame.fingerprint, raw_s, timeline).state
        stamp = FrameStamp(admitted.index, admitted.time_s, self._gap, resume, mark)
        self._sink.offer(frame.video_frame, stamp, stop, wait=time.monotonic() < self._patient_until_s)
        self._gap = False

    def _shifted(self, raw_s: float) -> float:
        """Time goes on where another connection left off, and meets this one's slowly."""
        passed_s = 0.0 if self._raw_s is None else min(max(raw_s - self._raw_s, 0.0), 1.0)
        self._raw_s = raw_s
        most_s = SLEW * passed_s
        self._shift_s -= min(max(self._shift_s, -most_s), most_s)
        return raw_s + self._shift_s

    def _hand(self, source: Source, frames: int) -> None:
        if self._timeline is not None:
            self._handed = _Handed(source, frames, self._index, self._position, self._timeline.snapshot())

    def _enter(self, state: StreamState, error: FootfallError | None) -> None:
        changed = state is not self._status.state
        self._status = replace(
            self._status,
            state=state,
            since_s=self._wall_clock() if changed else self._status.since_s,
            error=str(error) if error else None,
            error_code=error.code if error else None,
        )
