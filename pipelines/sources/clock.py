"""Capture times that can be trusted: clocks of cameras jump, drift and lie."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

SLEW = 0.02
"""Share of its pace by which time is hurried or slowed down to meet a clock that turned out to be right: 8 s in 7 min.
A gap instead would cost every track in the picture."""


@dataclass(slots=True)
class CaptureClock:
    """Turns a live camera's timestamps into seconds since the epoch.

    A camera's own clock (RTCP sender reports) gives the true moment of capture, unless nobody ever set it: a clock that
    is further than ``max_skew_s`` from ours is ignored. Without it, the stream's clock is compared with
    arrival times: its steadiest offset is the smallest one seen, because networks only ever add delay.

    What is learned late is approached by `SLEW`, never by a step, unless the camera restarted its timestamps.

    Attributes:
        max_skew_s: largest credible distance between the camera's clock and ours; once believed, half as much again.
        max_drift_s: an offset that is off by more than this is made anew (the camera restarted its timestamps).
    """

    max_skew_s: float = 10.0
    max_drift_s: float = 3.0
    _arrival_offset_s: float | None = None
    _offset_s: float | None = None
    _stream_s: float = 0.0
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
        best_s = self._best_offset(stream_s, arrival_s, sender_start_s)
        passed_s, self._stream_s = stream_s - self._stream_s, stream_s
        off_s = best_s - self._offset_s if self._offset_s is not None else None
        if off_s is None or self._offset_s is None or abs(off_s) > 1.5 * self.max_skew_s:
            self._offset_s = best_s
        else:
            most_s = SLEW * min(max(passed_s, 0.0), 1.0)
            self._offset_s += min(max(off_s, -most_s), most_s)
        return self._offset_s + stream_s

    def _best_offset(self, stream_s: float, arrival_s: float, sender_start_s: float | None) -> float:
        """What has to be added to the stream's clock, as far as is known now."""
        if sender_start_s is not None:
            # Wider once trusted: a clock right at the limit must not be believed in one frame and not in the next.
            limit_s = self.max_skew_s * (1.5 if self._trusted else 1.0)
            self._trusted = abs(sender_start_s + stream_s - arrival_s) <= limit_s
            if self._trusted:
                return sender_start_s
        offset_s, known_s = arrival_s - stream_s, self._arrival_offset_s
        if known_s is None or abs(offset_s - known_s) > self.max_drift_s or offset_s < known_s:
            known_s = offset_s
        else:
            known_s += 1e-4 * (offset_s - known_s)  # follow a drifting crystal, not a jittering network
        self._arrival_offset_s = known_s
        return known_s


@dataclass(slots=True)
class StreamClock:
    """Decides which times of a stream to believe, deterministically, so that a replay gives the same times.

    ======================================  ======================================================================
    a step of                               means
    ======================================  ======================================================================
    up to ``max_gap_s`` forward             the next frame
    up to ``max_leap_s`` forward            a gap; of a camera that sends less often, up to twice its pace
    up to ``max_gap_s`` back                jitter: time stands still meanwhile
    up to ``max_slew_s`` back               a clock was set right: time goes on, slowed down by `SLEW` until they meet
    more, forward or back                   nothing yet: the frame is left out. Once ``agreeing`` frames in a row say
                                            the same it is believed, as a gap: time goes on from there
    ======================================  ======================================================================

    So a single wrong time costs its own frame, and a clock that was wrong for an hour misdates that hour and nothing
    behind it. Only in the last case, and always with a gap, does time run back; minutes that are counted a second time
    add up.
    """

    max_gap_s: float = 2.0
    max_slew_s: float = 15.0
    max_leap_s: float = 60.0
    agreeing: int = 3
    _last_s: float | None = None
    _raw_s: float | None = None
    _offset_s: float = 0.0
    _pace_s: float = 0.0
    _doubted_s: float | None = None
    _doubted: int = 0
    _doubted_step_s: float = 0.0

    def stamp(self, raw_s: float) -> tuple[float, bool] | None:
        """The frame's time, and whether there is a gap before it; None if its time is not to be believed yet."""
        if self._last_s is None:
            return self._begin_at(raw_s), False
        step_s = raw_s - self._last_s
        if not -self.max_slew_s <= step_s <= max(self.max_leap_s, 2 * self._pace_s):
            return (self._begin_at(raw_s), True) if self._agreed(raw_s) else None
        self._doubted_s, self._doubted = None, 0
        passed_s = max(0.0, raw_s - (self._last_s if self._raw_s is None else self._raw_s))
        self._raw_s, self._pace_s = raw_s, passed_s
        self._offset_s = 0.0 if step_s >= 0 else max(0.0, self._offset_s - SLEW * passed_s)
        time_s = raw_s + self._offset_s
        gap = time_s - self._last_s > self.max_gap_s
        if self._last_s - time_s > self.max_gap_s:
            self._offset_s = -step_s
        self._last_s = max(self._last_s, time_s)
        return self._last_s, gap

    def _begin_at(self, raw_s: float) -> float:
        self._pace_s = 0.0 if self._doubted_s is None else max(0.0, raw_s - self._doubted_s)
        self._last_s = self._raw_s = raw_s
        self._offset_s, self._doubted_s, self._doubted = 0.0, None, 0
        return raw_s

    def _agreed(self, raw_s: float) -> bool:
        """Whether enough frames in a row, this one the last of them, tell of the same step."""
        before_s = self._last_s if self._doubted_s is None else self._doubted_s
        step_s = 0.0 if before_s is None else raw_s - before_s
        # Frames that are far apart agree if they are evenly so: a topic may hold one an hour.
        farthest_s = max(self.max_leap_s, 2 * self._pace_s, 2 * self._doubted_step_s)
        same = self._doubted_s is not None and -self.max_gap_s <= step_s <= farthest_s
        self._doubted = self._doubted + 1 if same else 1
        if self._doubted >= self.agreeing:
            return True
        self._doubted_s, self._doubted_step_s = raw_s, abs(step_s)
        return False

    def snapshot(self) -> dict[str, Any]:
        return {
            "last_s": self._last_s,
            "raw_s": self._raw_s,
            "offset_s": self._offset_s,
            "pace_s": self._pace_s,
            "doubted_s": self._doubted_s,
            "doubted": self._doubted,
            "doubted_step_s": self._doubted_step_s,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take up a ``snapshot``, also one of an earlier version, whose offset may be of hours: that is given up."""
        self._last_s, self._raw_s = state["last_s"], state.get("raw_s")
        self._offset_s = state["offset_s"] if state["offset_s"] <= self.max_slew_s else 0.0
        self._pace_s = state.get("pace_s", 0.0)
        self._doubted_s, self._doubted = state.get("doubted_s"), state.get("doubted", 0)
        self._doubted_step_s = state.get("doubted_step_s", 0.0)


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
        late = self._due_s is None or time_s - self._due_s > period_s
        if late or self._due_s is None or self._due_s - time_s > 1.5 * period_s:  # the last: time ran back
            self._due_s = time_s
        elif time_s < self._due_s - period_s / 4:  # a quarter period of jitter is forgiven
            return False
        self._due_s += period_s
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
        time_s: its time, never smaller than that of the frame before unless the clock made a step.
        stepped: the clock made a step right before it.
        sampled: whether it is to be analysed: one whose time is in doubt is not.
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
        stamped = self.clock.stamp(raw_time_s)
        index, self.index = self.index, self.index + 1
        if stamped is None:
            return Admission(index, raw_time_s, stepped=False, sampled=False)
        time_s, stepped = stamped
        return Admission(index, time_s, stepped, self.sampler.take(time_s))

    def snapshot(self) -> dict[str, Any]:
        return {"clock": self.clock.snapshot(), "sampler": self.sampler.snapshot(), "index": self.index}

    def restore(self, state: Mapping[str, Any]) -> None:
        self.clock.restore(state["clock"])
        self.sampler.restore(state["sampler"])
        self.index = state["index"]
