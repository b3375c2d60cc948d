"""How long was looked, and how many people were in the picture."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from analytics.counting.base import Analytic, Column, CountEvent, ObservedFrame, Row
from analytics.counting.minute_book import MinuteBook
from analytics.geometry import Geometry


@dataclass(slots=True)
class PeopleTotals:
    """Coverage and presence.

    Attributes:
        covered_s: seconds that were really seen.
        frames: analysed.
        person_seconds: of everybody in the picture.
        peak: most people in one frame.
    """

    covered_s: float = 0.0
    frames: int = 0
    person_seconds: float = 0.0
    peak: int = 0

    def add(self, other: PeopleTotals) -> None:
        self.covered_s += other.covered_s
        self.frames += other.frames
        self.person_seconds += other.person_seconds
        self.peak = max(self.peak, other.peak)

    @property
    def mean(self) -> float | None:
        """People at a time, weighted by time; None if nothing was seen."""
        return self.person_seconds / self.covered_s if self.covered_s > 0 else None


class PeopleCounter:
    """See `analytics.counting.base.Counter`; it needs no geometry and has no state."""

    def __init__(self) -> None:
        self._minutes = MinuteBook(PeopleTotals)

    def use_geometry(self, geometry: Geometry) -> None:
        """Nothing to do: everybody in the picture counts."""

    def update(self, frame: ObservedFrame) -> Sequence[CountEvent]:
        people = len(frame.ids)
        self._minutes.at(frame.time_s).add(PeopleTotals(frame.dt_s, 1, people * frame.dt_s, people))
        return ()

    def pending(self) -> dict[int, PeopleTotals]:
        return self._minutes.pending()

    def acknowledge(self, written: Mapping[int, PeopleTotals]) -> None:
        self._minutes.acknowledge(written)

    def snapshot(self) -> dict[str, Any]:
        return {}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Nothing to do."""

    def leave(self, state: Mapping[str, Any]) -> None:
        """Nothing to do: nobody is told of who was there."""


@dataclass(frozen=True)
class _People:
    name = "people"
    table = "minutes"
    columns = (
        Column("covered_s", "real", merge="sum"),
        Column("frames", "integer", merge="sum"),
        Column("person_seconds", "real", merge="sum"),
        Column("peak", "integer", merge="max"),
    )

    def counter(self, geometry: Geometry) -> PeopleCounter:
        del geometry
        return PeopleCounter()

    def zero(self) -> PeopleTotals:
        return PeopleTotals()

    def merge(self, into: PeopleTotals, other: PeopleTotals) -> None:
        into.add(other)

    def is_empty(self, value: PeopleTotals) -> bool:
        return value.covered_s <= 0 and not value.peak

    def to_rows(self, value: PeopleTotals) -> list[Row]:
        return [{column.name: getattr(value, column.name) for column in self.columns}]

    def from_rows(self, rows: Iterable[Mapping[str, Any]]) -> PeopleTotals:
        total = PeopleTotals()
        for row in rows:
            total.add(PeopleTotals(row["covered_s"], row["frames"], row["person_seconds"], row["peak"]))
        return total


PEOPLE: Analytic[PeopleTotals] = _People()
