"""What every counter does, and what makes it an analytic: how its minutes merge, are stored, and come back.

An analytic is defined once, in one module of this folder: a *value* (what it knows of a minute), a `Counter` (tracks of
one stream in, values out) and an `Analytic` (how values merge, and the one codec between a value and its rows). The
catalogue lists it, a migration makes its table, and `analytics.reports.sections` says how people see it. Nobody else
knows it by name.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeAlias, TypeVar

from analytics.geometry import FloatArray, Geometry

Value = TypeVar("Value")
Direction = Literal["in", "out"]
Row: TypeAlias = dict[str, Any]
"""One row of an analytic's table, without its key (stream, minute, epoch)."""


@dataclass(frozen=True, slots=True)
class ObservedFrame:
    """The observed, confirmed tracks of one frame, as counters need them.

    Attributes:
        ids: of the tracks, ``[N]``.
        feet: foot points ``[N, 2]``, normalised, x right, y down.
        heights_px: of the boxes ``[N]``, source pixels.
        gone: tracks that will not come back.
        size: (height, width) of the source frame, pixels.
        time_s: capture time, seconds since the epoch.
        dt_s: the time that the frame stands for; zero after a gap.
    """

    ids: Sequence[int]
    feet: FloatArray
    heights_px: FloatArray
    gone: Sequence[int]
    size: tuple[int, int]
    time_s: float
    dt_s: float


@dataclass(frozen=True, slots=True)
class Crossing:
    """One person over one line."""

    line: str
    track: int
    direction: Direction
    time_s: float


@dataclass(frozen=True, slots=True)
class ZoneEntry:
    """A visit to a zone has begun."""

    zone: str
    track: int
    time_s: float


@dataclass(frozen=True, slots=True)
class ZoneExit:
    """A visit to a zone is known to be over; ``dwell_s`` is from the first to the last frame inside."""

    zone: str
    track: int
    dwell_s: float
    time_s: float


@dataclass(frozen=True, slots=True)
class DwellExceeded:
    """A visit has lasted longer than its zone's limit; told once a visit."""

    zone: str
    track: int
    dwell_s: float
    time_s: float


@dataclass(frozen=True, slots=True)
class QueueChanged:
    """So many wait in a zone that it is too long a queue (``over``), or not any more."""

    zone: str
    over: bool
    people: int
    time_s: float


@dataclass(frozen=True, slots=True)
class OccupancyChanged:
    """So many are in a zone that its threshold is reached (``over``), or not any more."""

    zone: str
    over: bool
    people: int
    time_s: float


CountEvent: TypeAlias = Crossing | ZoneEntry | ZoneExit | DwellExceeded | QueueChanged | OccupancyChanged
"""What a counter tells at once, beside what it adds to the minute."""


class Counter(Protocol[Value]):
    """Counts one thing in one stream.

    Called by one thread at a time, frame after frame in the order of capture; never blocks. The minutes it has changed
    are pending until they are acknowledged; its state (who stands where) is a snapshot of JSON types.
    """

    def use_geometry(self, geometry: Geometry) -> None:
        """Count with other lines and zones from the next frame on; what stayed where it was keeps its state."""
        ...

    def update(self, frame: ObservedFrame) -> Sequence[CountEvent]:
        """Count one frame; returns what is to be told at once."""
        ...

    def pending(self) -> dict[int, Value]:
        """Copies of the minutes (by start, seconds since the epoch) that changed since they were acknowledged."""
        ...

    def acknowledge(self, written: Mapping[int, Value]) -> None:
        """These are stored: a minute that has not changed since is not pending any more."""
        ...

    def snapshot(self) -> dict[str, Any]:
        """The state as JSON types; minutes are rows, not state."""
        ...

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take up a ``snapshot``; what was drawn since then begins afresh."""
        ...

    def leave(self, state: Mapping[str, Any]) -> None:
        """Something else is watched than in a ``snapshot``: with the next frame, everybody in there has left."""
        ...


@dataclass(frozen=True, slots=True)
class Column:
    """A column of an analytic's table.

    Attributes:
        name: in the table, and in a `Row`.
        kind: of its values; ``name`` is an id of at most 64 characters, ``bytes`` is opaque.
        key: whether it is part of the key, beside stream, minute and epoch.
        merge: how a database merges it: by sum, maximum, or as texts joined by line feeds, which ``from_rows`` takes
            apart; None if it cannot, which holds for the analytic as a whole.
    """

    name: str
    kind: Literal["integer", "real", "text", "name", "bytes"]
    key: bool = False
    merge: Literal["sum", "max", "join"] | None = None


class Analytic(Protocol[Value]):
    """One thing that is counted: how its values merge, and the codec between a value and its rows.

    Hashable, and equal to every copy of itself: totals are kept by analytic.

    Attributes:
        name: stable; in checkpoints, the spool and queries.
        table: name of its table.
        columns: of the table, beside stream, minute and epoch.
    """

    @property
    def name(self) -> str: ...

    @property
    def table(self) -> str: ...

    @property
    def columns(self) -> Sequence[Column]: ...

    def counter(self, geometry: Geometry) -> Counter[Value]:
        """A counter of one stream."""
        ...

    def zero(self) -> Value:
        """What nothing amounts to; merging it changes nothing. Falsy if it is not worth a row."""
        ...

    def merge(self, into: Value, other: Value) -> None:
        """Add ``other`` to ``into``, by addition, maximum or union: any order gives the same."""
        ...

    def is_empty(self, value: Value) -> bool:
        """Whether a value says nothing: no time was seen, nobody was there, nothing happened."""
        ...

    def to_rows(self, value: Value) -> list[Row]:
        """A value as rows of the table."""
        ...

    def from_rows(self, rows: Iterable[Mapping[str, Any]]) -> Value:
        """The reverse of ``to_rows``; further columns are ignored."""
        ...
