"""How each stream was in the last hours, minute by minute: in memory, for whoever wants to see what led to this."""

from __future__ import annotations

import math
from array import array
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from serve.streams.status import StreamStatus
from serve.streams.travelling import travels

MINUTES = 240
"""That are kept: some ten kilobytes a stream."""
MINUTE_S = 60
FIELDS = (
    "fps_in",
    "fps_processed",
    "frame_age_s",
    "cores",
    "luma",
    "hidden",
    "sharpness",
    "noise",
    "people_score",
    "people_doubt",
)
"""What is kept of a minute, each as its mean; the last ones are features of drift."""
_OF_DRIFT = FIELDS[4:]


@travels
@dataclass(frozen=True, slots=True)
class Moment:
    """One minute.

    Attributes:
        minute: its begin, seconds since the epoch.
        values: by field; what nobody knew is left out.
    """

    minute: int
    values: Mapping[str, float]


class _Ring:
    """The minutes of one stream."""

    __slots__ = ("_counts", "_minute", "_sums", "_values")

    def __init__(self) -> None:
        self._values = array("f", [math.nan]) * (MINUTES * len(FIELDS))
        self._minute: int | None = None
        self._sums = [0.0] * len(FIELDS)
        self._counts = [0] * len(FIELDS)

    def note(self, minute: int, values: Mapping[str, float | None]) -> None:
        if minute != self._minute:
            self._turn(minute)
        for place, name in enumerate(FIELDS):
            value = values.get(name)
            if value is not None and math.isfinite(value):
                self._sums[place] += value
                self._counts[place] += 1

    def _turn(self, minute: int) -> None:
        """A minute is over; those of which nothing was heard, and those that a clock has left out, are empty."""
        if self._minute is not None:
            self._write(self._minute)
            if not 0 < minute - self._minute < MINUTES:
                self._values = array("f", [math.nan]) * len(self._values)
            else:
                for skipped in range(self._minute + 1, minute):
                    begin = skipped % MINUTES * len(FIELDS)
                    self._values[begin : begin + len(FIELDS)] = array("f", [math.nan]) * len(FIELDS)
        self._minute = minute
        self._sums = [0.0] * len(FIELDS)
        self._counts = [0] * len(FIELDS)

    def _write(self, minute: int) -> None:
        begin = minute % MINUTES * len(FIELDS)
        for place, (total, count) in enumerate(zip(self._sums, self._counts, strict=True)):
            self._values[begin + place] = total / count if count else math.nan

    def moments(self) -> Iterator[Moment]:
        if self._minute is None:
            return
        for minute in range(self._minute - MINUTES + 1, self._minute):
            begin = minute % MINUTES * len(FIELDS)
            row = self._values[begin : begin + len(FIELDS)]
            known = {name: round(value, 4) for name, value in zip(FIELDS, row, strict=True) if not math.isnan(value)}
            if known:
                yield Moment(minute * MINUTE_S, known)


class History:
    """Of all streams; for one thread."""

    def __init__(self) -> None:
        self._rings: dict[str, _Ring] = {}

    def note(self, stream: str, status: StreamStatus, cores: float | None, now_s: float) -> None:
        """Take what is known of a stream now.

        Args:
            stream: id.
            status: as it is shown.
            cores: that it takes; None until that was measured.
            now_s: seconds since the epoch.
        """
        features = status.drift.features if status.drift is not None else {}
        values: dict[str, float | None] = {name: features.get(name) for name in _OF_DRIFT}
        values |= {
            "fps_in": status.fps_in,
            "fps_processed": status.fps_processed,
            "frame_age_s": status.frame_age_s,
            "cores": cores,
        }
        self._rings.setdefault(stream, _Ring()).note(int(now_s // MINUTE_S), values)

    def moments(self, stream: str) -> list[Moment]:
        """Whole minutes of a stream of which something is known, the oldest first."""
        ring = self._rings.get(stream)
        return [] if ring is None else list(ring.moments())

    def keep(self, streams: Collection[str]) -> None:
        """Forget all others."""
        for gone in self._rings.keys() - set(streams):
            del self._rings[gone]
