"""Minutes to table rows and back."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import sqlalchemy as sa

from analytics.counting.heatmap import HeatCells
from analytics.minutes import LineTotals, MinuteRow, Totals, ZoneTotals
from analytics.storage import tables

_CELL = np.dtype([("cell", "<u4"), ("seconds", "<f8"), ("visits", "<u4")])
Row = dict[str, Any]


def pack_cells(heat: HeatCells) -> bytes:
    """Sparse cells as little-endian records of cell (u4), seconds (f8) and visits (u4), by cell."""
    cells = sorted(heat.seconds.keys() | heat.visits.keys())
    records = np.zeros(len(cells), _CELL)
    records["cell"] = cells
    records["seconds"] = [heat.seconds.get(cell, 0.0) for cell in cells]
    records["visits"] = [heat.visits.get(cell, 0) for cell in cells]
    return records.tobytes()


def unpack_cells(content: bytes, shape: tuple[int, int]) -> HeatCells:
    records = np.frombuffer(content, _CELL)
    cells = records["cell"].tolist()
    return HeatCells(
        {cell: seconds for cell, seconds in zip(cells, records["seconds"].tolist(), strict=True) if seconds},
        {cell: count for cell, count in zip(cells, records["visits"].tolist(), strict=True) if count},
        shape,
    )


def table_rows(row: MinuteRow) -> list[tuple[sa.Table, list[Row]]]:
    """A minute as rows of each table."""
    key = {"stream": row.stream, "minute": row.minute, "epoch": row.epoch}
    totals = row.totals
    return [
        (
            tables.minutes,
            [
                key
                | {
                    "covered_s": totals.covered_s,
                    "frames": totals.frames,
                    "person_seconds": totals.person_seconds,
                    "peak": totals.peak,
                }
            ],
        ),
        (
            tables.line_minutes,
            [key | {"line": line, "entered": t.entered, "left": t.left} for line, t in sorted(totals.lines.items())],
        ),
        (tables.zone_minutes, [key | _zone_values(zone, t) for zone, t in sorted(totals.zones.items())]),
        (
            tables.heat_minutes,
            [
                key
                | {
                    "grid_height": totals.heat.shape[0],
                    "grid_width": totals.heat.shape[1],
                    "cells": pack_cells(totals.heat),
                }
            ]
            if totals.heat.visits or totals.heat.seconds
            else [],
        ),
    ]


def _zone_values(zone: str, totals: ZoneTotals) -> Row:
    return {
        "zone": zone,
        "person_seconds": totals.person_seconds,
        "peak": totals.peak,
        "entries": totals.entries,
        "exits": totals.exits,
        "dwells": json.dumps({str(k): n for k, n in sorted(totals.dwells.items())}),
    }


def minute_rows(
    minutes: Iterable[Mapping[str, Any]],
    lines: Iterable[Mapping[str, Any]],
    zones: Iterable[Mapping[str, Any]],
    heat: Iterable[Mapping[str, Any]],
) -> list[MinuteRow]:
    """Table rows as minutes, by minute and epoch."""
    found: dict[tuple[int, int], MinuteRow] = {}
    for row in minutes:
        totals = Totals(row["covered_s"], row["frames"], row["person_seconds"], row["peak"])
        found[row["minute"], row["epoch"]] = MinuteRow(row["stream"], row["minute"], row["epoch"], totals)
    for row in lines:
        found[row["minute"], row["epoch"]].totals.lines[row["line"]] = LineTotals(row["entered"], row["left"])
    for row in zones:
        dwells = Counter({int(k): n for k, n in json.loads(row["dwells"]).items()})
        found[row["minute"], row["epoch"]].totals.zones[row["zone"]] = ZoneTotals(
            row["person_seconds"], row["peak"], row["entries"], row["exits"], dwells
        )
    for row in heat:
        cells = unpack_cells(row["cells"], (row["grid_height"], row["grid_width"]))
        found[row["minute"], row["epoch"]].totals.heat = cells
    return [found[key] for key in sorted(found)]


def to_json(row: MinuteRow) -> Row:
    """A minute as JSON types, for the spool."""
    totals = row.totals
    return {
        "stream": row.stream,
        "minute": row.minute,
        "epoch": row.epoch,
        "totals": [totals.covered_s, totals.frames, totals.person_seconds, totals.peak],
        "lines": {line: [t.entered, t.left] for line, t in totals.lines.items()},
        "zones": {
            zone: [t.person_seconds, t.peak, t.entries, t.exits, list(t.dwells.items())]
            for zone, t in totals.zones.items()
        },
        "heat": [list(totals.heat.shape), list(totals.heat.seconds.items()), list(totals.heat.visits.items())],
    }


def from_json(document: Mapping[str, Any]) -> MinuteRow:
    """The reverse of `to_json`."""
    shape, seconds, visits = document["heat"]
    covered_s, frames, person_seconds, peak = document["totals"]
    totals = Totals(
        covered_s=covered_s,
        frames=frames,
        person_seconds=person_seconds,
        peak=peak,
        lines={line: LineTotals(entered, left) for line, (entered, left) in document["lines"].items()},
        zones={zone: _zone_totals(values) for zone, values in document["zones"].items()},
        heat=HeatCells({int(c): s for c, s in seconds}, {int(c): n for c, n in visits}, (int(shape[0]), int(shape[1]))),
    )
    return MinuteRow(document["stream"], document["minute"], document["epoch"], totals)


def _zone_totals(values: list[Any]) -> ZoneTotals:
    zone_seconds, peak, entries, exits, dwells = values
    return ZoneTotals(zone_seconds, peak, entries, exits, Counter({int(k): n for k, n in dwells}))
