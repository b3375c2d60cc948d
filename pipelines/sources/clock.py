"""Capture times that can be trusted: clocks of cameras jump, drift and lie; time inside a stream never runs back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

CATCH_UP = 0.1
"""Share of its pace by which stream time is slowed down while it is ahead of a clock that was set back."""


@dataclass(slots=True)
class CaptureClock:
    """Turns a live camera's timestamps into seconds since the epoch.

    A camera's own clock (RTCP sender reports) gives the true moment of capture, unless nobody ever set it: a clock that
    is further than ``max_skew_s`` from ours is ignored. Without it, the stream's clock is compared with
    arrival times: its steadiest offset is the smallest one seen, because networks only ever add delay.

    Attributes:
        max_skew_s: largest credible distance between the camera's clock and ours; once believed, half as much again.
        max_drift_s: an offset that is off by more than this is made anew (the camera restarted its timestamps).
    """

    max_skew_s: float = 10.0
    max_drift_s: float = 3.0
    _clock_offset_s: float | None = None
    _trusted: bool = False

    def stamp(self, stream_s: float | None, arrival_s: float, sender_start_s: float | None = None) -> float:
        """The capture time of a frame.

        Args:
            stream_s: the frame's timestamp on the stream's own clock; None if it has none.
            arrival_s: when it came, seconds since the epoch.
            sender_start_s: what the camera says was the time when its stream's clock stood at zero; None if unknown.
        """
        if stream_s is None:
            return arrival_s
        if sender_start_s is not None:
            # Wider once trusted: a clock right at the limit must not be believed in one frame and not in the next.
            limit_s = self.max_skew_s * (1.5 if self._trusted else 1.0)
            self._trusted = abs(sender_start_s + stream_s - arrival_s) <= limit_s
            if self._trusted:
                return sender_start_s + stream_s
        offset_s, known_s = arrival_s - stream_s, self._clock_offset_s
        if known_s is None or abs(offset_s - known_s) > self.max_drift_s or offset_s < known_s:
            known_s = offset_s
        else:
            known_s += 1e-4 * (offset_s - known_s)  # follow a drifting crystal, not a jittering network
        self._clock_offset_s = known_s
        return known_s + stream_s


@dataclass(slots=True)
class StreamClock:
    """Makes the times of one stream run forward, deterministically, so that a replay gives the same times.

    A small step back is flattened. A step back of more than ``max_gap_s`` (somebody set the clock) is a gap; time then
    goes on from where it was, at nine tenths of the source's pace, until the source has caught up: an hour that the
    clock was set back is made good within ten.

    Attributes:
        max_gap_s: an interval from here on is a gap, not a slow frame.
    """

    max_gap_s: float = 2.0
    _last_s: float | None = None
    _raw_s: float | None = None
    _offset_s: float = 0.0

    def stamp(self, raw_s: float) -> tuple[float, bool]:
        """The frame's time, and whether there is a gap before it."""
        before_s, self._raw_s = self._raw_s, raw_s
        if self._last_s is None:
            self._last_s = raw_s
            return raw_s, False
        if self._offset_s and raw_s >= self._last_s:
            self._offset_s = 0.0
        elif self._offset_s and before_s is not None and raw_s > before_s:
            self._offset_s = max(0.0, self._offset_s - CATCH_UP * (raw_s - before_s))
        time_s = raw_s + self._offset_s
        gap = abs(time_s - self._last_s) > self.max_gap_s
        if time_s < self._last_s:
            if gap:
                self._offset_s += self._last_s - time_s
            time_s = self._last_s
        self._last_s = time_s
        return time_s, gap

    def snapshot(self) -> dict[str, Any]:
        return {"last_s": self._last_s, "raw_s": self._raw_s, "offset_s": self._offset_s}

    def restore(self, state: Mapping[str, Any]) -> None:
        self._last_s, self._raw_s, self._offset_s = state["last_s"], state.get("raw_s"), state["offset_s"]


@dataclass(slots=True)
class FrameSampler:
    """Thins a stream to ``fps`` frames a second of stream time, evenly and without drift.

    Attributes:
        fps: wanted rate; None takes every frame.
    """

    fps: float | None = None
    _due_s: float | None = None

    def take(self, time_s: float) -> bool:
        """Whether this frame is to be analysed."""
        if self.fps is None:
            return True
        period_s = 1.0 / self.fps
        if self._due_s is not None and time_s < self._due_s - period_s / 4:  # a quarter period of jitter is forgiven
            return False
        late = self._due_s is None or time_s - self._due_s > period_s
        self._due_s = (time_s if late or self._due_s is None else self._due_s) + period_s
        return True

    def snapshot(self) -> dict[str, Any]:
        return {"due_s": self._due_s}

    def restore(self, state: Mapping[str, Any]) -> None:
        self._due_s = state["due_s"]


@dataclass(frozen=True, slots=True)
class Admission:
    """What a `Timeline` made of a source frame.

    Attributes:
        index: its number, from 0.
        time_s: its time, never smaller than that of the frame before.
        stepped: the clock made a step right before it.
        sampled: whether it is to be analysed.
    """

    index: int
    time_s: float
    stepped: bool
    sampled: bool


@dataclass(slots=True)
class Timeline:
    """Clock, sampler and frame counter of one stream: what decides which frames are analysed, and as of when.

    It lives as long as the stream's worker, over any number of reconnects, and its state travels with every frame, so
    that a checkpoint taken at a frame continues exactly there.
    """

    clock: StreamClock
    sampler: FrameSampler
    index: int = 0

    @staticmethod
    def of(analysis_fps: float | None, max_gap_s: float = 2.0) -> Timeline:
        return Timeline(StreamClock(max_gap_s), FrameSampler(analysis_fps))

    def admit(self, raw_time_s: float) -> Admission:
        """Number a source frame, give it its time, and decide whether it is analysed."""
        time_s, stepped = self.clock.stamp(raw_time_s)
        index, self.index = self.index, self.index + 1
        return Admission(index, time_s, stepped, self.sampler.take(time_s))

    def snapshot(self) -> dict[str, Any]:
        return {"clock": self.clock.snapshot(), "sampler": self.sampler.snapshot(), "index": self.index}

    def restore(self, state: Mapping[str, Any]) -> None:
        self.clock.restore(state["clock"])
        self.sampler.restore(state["sampler"])
        self.index = state["index"]
