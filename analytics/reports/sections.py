"""How people see an analytic: its part of a report, as JSON and as columns of a table."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

from analytics.counting import histogram
from analytics.counting.base import Analytic
from analytics.counting.lines import LINES
from analytics.counting.people import PEOPLE
from analytics.counting.zones import ZONES, ZoneTotals
from analytics.minutes import Totals


class Section(Protocol):
    """One analytic's part of a counts report.

    Attributes:
        name: its key in the report's JSON.
        analytic: what it shows.
    """

    @property
    def name(self) -> str: ...

    @property
    def analytic(self) -> Analytic[Any]: ...

    def document(self, totals: Totals) -> dict[str, Any]:
        """As the REST contract has it."""
        ...

    def columns(self, document: dict[str, Any]) -> Iterator[tuple[str, Any]]:
        """A ``document`` as columns of a flat table, such as ``line.door.in``."""
        ...


@dataclass(frozen=True)
class _People:
    name = "people"
    analytic = PEOPLE

    def document(self, totals: Totals) -> dict[str, Any]:
        people = totals[PEOPLE]
        return {
            "mean": rounded(people.mean),
            "peak": people.peak,
            "person_seconds": round(people.person_seconds, 3),
        }

    def columns(self, document: dict[str, Any]) -> Iterator[tuple[str, Any]]:
        for key, value in document.items():
            yield f"people.{key}", value


@dataclass(frozen=True)
class _Lines:
    name = "lines"
    analytic = LINES

    def document(self, totals: Totals) -> dict[str, Any]:
        return {line: {"in": t.entered, "out": t.left} for line, t in sorted(totals[LINES].items())}

    def columns(self, document: dict[str, Any]) -> Iterator[tuple[str, Any]]:
        return _columns_of_each("line", document)


@dataclass(frozen=True)
class _Zones:
    name = "zones"
    analytic = ZONES

    def document(self, totals: Totals) -> dict[str, Any]:
        covered_s = totals[PEOPLE].covered_s
        return {zone: self._zone(t, covered_s) for zone, t in sorted(totals[ZONES].items())}

    @staticmethod
    def _zone(totals: ZoneTotals, covered_s: float) -> dict[str, Any]:
        return {
            "mean": rounded(totals.person_seconds / covered_s if covered_s > 0 else None),
            "peak": totals.peak,
            "person_seconds": round(totals.person_seconds, 3),
            "entries": totals.entries,
            "exits": totals.exits,
            "dwells": sum(totals.dwells.values()),
            "dwell_p50_s": rounded(histogram.quantile(totals.dwells, 0.5)),
            "dwell_p90_s": rounded(histogram.quantile(totals.dwells, 0.9)),
        }

    def columns(self, document: dict[str, Any]) -> Iterator[tuple[str, Any]]:
        return _columns_of_each("zone", document)


def _columns_of_each(singular: str, document: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, values in document.items():
        for key, value in values.items():
            yield f"{singular}.{name}.{key}", value


def rounded(value: float | None) -> float | None:
    """To a thousandth."""
    return None if value is None else round(value, 3)


SECTIONS: tuple[Section, ...] = (_People(), _Lines(), _Zones())
"""What a counts report shows, in its order; heatmaps have a report of their own."""
COUNTED = tuple(section.analytic for section in SECTIONS)
"""What has to be read for it."""
