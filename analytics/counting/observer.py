"""One stream's tracks in, its minutes out: the only state between a tracker and the store."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from analytics.counting.base import Analytic, CountEvent, ObservedFrame
from analytics.counting.catalogue import ANALYTICS
from analytics.geometry import Geometry, foot_points
from analytics.minutes import MinuteRow, Totals
from pipelines.types import FrameStamp, Tracks

FORMAT = "observer-1"


@dataclass(frozen=True, slots=True)
class FrameOutcome:
    """What one frame brought: seconds it stands for, people in it, and what is to be told at once."""

    dt_s: float
    people: int
    events: tuple[CountEvent, ...]


class StreamObserver:
    """Counts one stream with every analytic there is.

    Called by one thread, frame after frame in the order of capture; never blocks. A frame stands for the time since the
    one before, if that is at most ``max_gap_s``; else that time was not seen and nothing is made of it. Minutes
    accumulate per epoch: after ``restore`` in a new epoch they begin at zero, and the sum over epochs is the truth.

    Args:
        stream: id.
        epoch: of the assignment.
        geometry: lines and zones.
        max_gap_s: longest interval that one frame may stand for.
        analytics: what to count.
    """

    def __init__(
        self,
        stream: str,
        epoch: int,
        geometry: Geometry,
        *,
        max_gap_s: float = 2.0,
        analytics: Sequence[Analytic[Any]] = ANALYTICS,
    ) -> None:
        self._stream = stream
        self._epoch = epoch
        self._max_gap_s = max_gap_s
        self._last_s: float | None = None
        self._counters = {analytic: analytic.counter(geometry) for analytic in analytics}

    def update(self, tracks: Tracks, stamp: FrameStamp, frame_size: tuple[int, int]) -> FrameOutcome:
        """Count one frame.

        Args:
            tracks: observed and confirmed.
            stamp: when it was captured.
            frame_size: (height, width) of the source frame, pixels.
        """
        interval_s = 0.0 if self._last_s is None else stamp.time_s - self._last_s
        self._last_s = stamp.time_s
        frame = ObservedFrame(
            ids=tracks.ids.tolist(),
            feet=foot_points(tracks.boxes, frame_size),
            heights_px=(tracks.boxes[:, 3] - tracks.boxes[:, 1]).astype(float),
            gone=tracks.gone.tolist(),
            size=frame_size,
            time_s=stamp.time_s,
            dt_s=interval_s if 0.0 <= interval_s <= self._max_gap_s else 0.0,
        )
        events = tuple(event for counter in self._counters.values() for event in counter.update(frame))
        return FrameOutcome(frame.dt_s, len(tracks), events)

    def use_geometry(self, geometry: Geometry) -> None:
        """Count with other lines and zones from the next frame on; unchanged ones keep their state."""
        for counter in self._counters.values():
            counter.use_geometry(geometry)

    def pending(self) -> list[MinuteRow]:
        """Copies of all minutes that changed since they were acknowledged, oldest first."""
        found: defaultdict[int, Totals] = defaultdict(Totals)
        for analytic, counter in self._counters.items():
            for minute, value in counter.pending().items():
                found[minute].values[analytic] = value
        return [MinuteRow(self._stream, minute, self._epoch, found[minute]) for minute in sorted(found)]

    def acknowledge(self, rows: Iterable[MinuteRow]) -> None:
        """These rows are stored; what has not changed since is not pending any more."""
        rows = list(rows)
        for analytic, counter in self._counters.items():
            counter.acknowledge({r.minute: r.totals.values[analytic] for r in rows if analytic in r.totals.values})

    def snapshot(self) -> dict[str, Any]:
        """State of all counters as JSON types; the minutes are rows, not state."""
        states = {analytic.name: counter.snapshot() for analytic, counter in self._counters.items()}
        return {"format": FORMAT, "last_s": self._last_s, **states}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take up a ``snapshot``; an analytic that it does not know begins afresh.

        Raises:
            ValueError: the state has another format.
        """
        _check(state)
        self._last_s = state["last_s"]
        for analytic, counter in self._counters.items():
            counter.restore(state.get(analytic.name, {}))

    def leave(self, state: Mapping[str, Any]) -> None:
        """Something else is watched than in a ``snapshot``: with the next frame, everybody in there has left.

        Raises:
            ValueError: the state has another format.
        """
        _check(state)
        for analytic, counter in self._counters.items():
            counter.leave(state.get(analytic.name, {}))


def _check(state: Mapping[str, Any]) -> None:
    if state.get("format") != FORMAT:
        raise ValueError(f"an observer state of format {FORMAT} is needed, found {state.get('format')!r}")
