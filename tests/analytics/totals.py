"""Totals by their parts."""

from __future__ import annotations

from collections.abc import Mapping

from analytics.counting.heatmap import HEAT, HeatCells
from analytics.counting.lines import LINES, LineTotals
from analytics.counting.people import PEOPLE, PeopleTotals
from analytics.counting.zones import ZONES, ZoneTotals
from analytics.minutes import Totals


def totals_of(
    people: PeopleTotals,
    lines: Mapping[str, LineTotals] | None = None,
    zones: Mapping[str, ZoneTotals] | None = None,
    heat: HeatCells | None = None,
) -> Totals:
    """What the analytics know of a minute; what is not named is left out."""
    made = Totals({PEOPLE: people})
    for analytic, value in ((LINES, lines), (ZONES, zones), (HEAT, heat)):
        if value:
            made.values[analytic] = value
    return made
