"""Rows to store."""

from __future__ import annotations

from collections import Counter
from typing import Any

from analytics.counting.heatmap import HeatCells
from analytics.counting.lines import LineTotals
from analytics.counting.people import PeopleTotals
from analytics.counting.zones import ZoneTotals
from analytics.minutes import MinuteRow
from analytics.storage.base import Checkpoint, StreamRecord
from analytics.storage.database import DatabaseStore
from tests.analytics.totals import totals_of
from tests.assigning import assign

NOON = 1_800_000_000


def row(stream: str = "cam", minute: int = NOON, epoch: int = 1, frames: int = 360) -> MinuteRow:
    """A minute with something in every part, and numbers that are not exact in decimal."""
    totals = totals_of(
        PeopleTotals(frames / 6.0, frames, 0.1 + 0.2 + frames, 7),
        lines={"door": LineTotals(3, 4), "gate": LineTotals()},
        zones={"till": ZoneTotals(1 / 3, 2, 5, 4, Counter({0: 1, 17: 2}))},
        heat=HeatCells({0: 1 / 7, 2303: 4.5}, {0: 1, 5: 2}),
    )
    return MinuteRow(stream, minute, epoch, totals)


def checkpoint(
    epoch: int, *rows: MinuteRow, stream: str = "cam", resume: dict[str, Any] | None = None, **state: Any
) -> Checkpoint:
    time_s = max((row.minute for row in rows), default=NOON) + 30.125
    return Checkpoint(stream, epoch, rows, state, resume, time_s)


def write_many(url: str, stream: str, count: int) -> None:
    """Register a stream and write ``count`` minutes of it, a checkpoint each: what one of several processes does."""
    store = DatabaseStore(url)
    store.put_stream(StreamRecord(stream, {}))
    epoch = assign(store, stream, "reader")
    for number in range(count):
        store.checkpoint(checkpoint(epoch, row(stream, NOON + 60 * number, epoch), stream=stream, n=number))
    store.close()
