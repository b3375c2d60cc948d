"""Minutes to rows and back, of tables and of the spool; each analytic's codec says what stands in them."""

from __future__ import annotations

import base64
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from analytics.counting.base import Analytic, Row
from analytics.counting.catalogue import BY_NAME
from analytics.counting.heatmap import HEAT, HeatCells
from analytics.counting.lines import LINES, LineTotals
from analytics.counting.people import PEOPLE, PeopleTotals
from analytics.counting.zones import ZONES, ZoneTotals
from analytics.minutes import MinuteRow, Totals


def table_rows(row: MinuteRow) -> Iterator[tuple[Analytic[Any], list[Row]]]:
    """A minute as rows of each analytic's table, with their key."""
    key = {"stream": row.stream, "minute": row.minute, "epoch": row.epoch}
    for analytic, value in row.totals.values.items():
        yield analytic, [key | columns for columns in analytic.to_rows(value)]


def minute_rows(found: Mapping[Analytic[Any], Iterable[Mapping[str, Any]]]) -> list[MinuteRow]:
    """Table rows of one stream as minutes, by minute and epoch."""
    minutes: dict[tuple[int, int], MinuteRow] = {}
    for analytic, rows in found.items():
        grouped: defaultdict[tuple[str, int, int], list[Mapping[str, Any]]] = defaultdict(list)
        for row in rows:
            grouped[row["stream"], row["minute"], row["epoch"]].append(row)
        for (stream, minute, epoch), group in grouped.items():
            known = minutes.setdefault((minute, epoch), MinuteRow(stream, minute, epoch, Totals()))
            known.totals.values[analytic] = analytic.from_rows(group)
    return [minutes[key] for key in sorted(minutes)]


def steps(found: Mapping[Analytic[Any], Iterable[Mapping[str, Any]]]) -> list[tuple[int, Totals]]:
    """Merged table rows as totals by step, oldest first."""
    totals: defaultdict[int, Totals] = defaultdict(Totals)
    for analytic, rows in found.items():
        grouped: defaultdict[int, list[Mapping[str, Any]]] = defaultdict(list)
        for row in rows:
            grouped[row["step"]].append(row)
        for step, group in grouped.items():
            totals[step].values[analytic] = analytic.from_rows(group)
    return sorted(totals.items(), key=lambda item: item[0])


def to_json(row: MinuteRow) -> dict[str, Any]:
    """A minute as JSON types, for the spool."""
    return {
        "stream": row.stream,
        "minute": row.minute,
        "epoch": row.epoch,
        "values": {
            analytic.name: [_packed(analytic, columns) for columns in analytic.to_rows(value)]
            for analytic, value in row.totals.values.items()
        },
    }


def from_json(document: Mapping[str, Any]) -> MinuteRow:
    """The reverse of `to_json`.

    Raises:
        KeyError: a part is missing, or an analytic is not known.
    """
    totals = Totals()
    values = document["values"] if "values" in document else _first_format(document)
    for name, rows in values.items():
        analytic = BY_NAME[name]
        totals.values[analytic] = analytic.from_rows(_unpacked(analytic, columns) for columns in rows)
    return MinuteRow(document["stream"], document["minute"], document["epoch"], totals)


def _first_format(document: Mapping[str, Any]) -> dict[str, list[Row]]:
    """The values of a minute that was spooled before analytics had codecs: an upgrade must not lose what waits."""
    covered_s, frames, person_seconds, peak = document["totals"]
    (height, width), seconds, visits = document["heat"]
    heat = HeatCells({int(c): s for c, s in seconds}, {int(c): n for c, n in visits}, (int(height), int(width)))
    return {
        PEOPLE.name: PEOPLE.to_rows(PeopleTotals(covered_s, frames, person_seconds, peak)),
        LINES.name: LINES.to_rows(
            {line: LineTotals(entered, left) for line, (entered, left) in document["lines"].items()}
        ),
        ZONES.name: ZONES.to_rows(
            {
                zone: ZoneTotals(inside_s, most, entries, exits, Counter({int(k): n for k, n in dwells}))
                for zone, (inside_s, most, entries, exits, dwells) in document["zones"].items()
            }
        ),
        HEAT.name: [_packed(HEAT, columns) for columns in HEAT.to_rows(heat)],
    }


def _packed(analytic: Analytic[Any], columns: Row) -> Row:
    """JSON has no bytes."""
    opaque = {c.name: base64.b64encode(columns[c.name]).decode() for c in analytic.columns if c.kind == "bytes"}
    return columns | opaque


def _unpacked(analytic: Analytic[Any], columns: Row) -> Row:
    return columns | {c.name: base64.b64decode(columns[c.name]) for c in analytic.columns if c.kind == "bytes"}
