"""Questions to the stored minutes: counts in buckets of local time, and heatmaps of any window."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Any, Literal

import pandas as pd

from analytics.counting.heatmap import HEAT, HeatCells
from analytics.counting.people import PEOPLE
from analytics.minutes import MINUTE_S, MinuteRow, Totals, minute_of
from analytics.reports.sections import COUNTED, SECTIONS, rounded
from analytics.storage.base import Store

Bucket = Literal["1m", "15m", "1h", "1d"]
BUCKET_S: dict[Bucket, int] = {"1m": 60, "15m": 900, "1h": 3600, "1d": 86_400}
HEAT_CHUNK_S = 86_400
DAY_S = 86_400
STEP_S = 3600


@dataclass(frozen=True, slots=True)
class Window:
    """From ``start`` to before ``end``, seconds since the epoch, whole minutes."""

    start: int
    end: int

    @staticmethod
    def of(start_s: float, end_s: float) -> Window:
        """The whole minutes that touch an interval.

        Raises:
            ValueError: it is empty.
        """
        if end_s <= start_s:
            raise ValueError("the window's end must be after its start")
        return Window(minute_of(start_s), math.ceil(end_s / MINUTE_S) * MINUTE_S)

    @property
    def length_s(self) -> int:
        return self.end - self.start


@dataclass(slots=True)
class BucketTotals:
    """One bucket of a report, seconds since the epoch."""

    start: int
    end: int
    totals: Totals = field(default_factory=Totals)

    @property
    def coverage(self) -> float:
        """Share of the bucket that was seen, in [0, 1]."""
        return min(1.0, self.totals[PEOPLE].covered_s / max(self.end - self.start, 1))

    @property
    def analysed_fps(self) -> float | None:
        """Frames that were analysed of each second that was seen; None if nothing was."""
        people = self.totals[PEOPLE]
        return people.frames / people.covered_s if people.covered_s > 0 else None


def bucket_bounds(minute: int, bucket: Bucket, zone: tzinfo) -> tuple[int, int]:
    """The bucket that a minute belongs to, in local time of ``zone``; days have 23 or 25 hours when clocks change."""
    local = datetime.fromtimestamp(minute, zone)
    if bucket == "1d":
        return _midnight(local.date(), zone), _midnight(local.date() + timedelta(days=1), zone)
    offset = int((local.utcoffset() or timedelta()).total_seconds())
    size = BUCKET_S[bucket]
    start = (minute + offset) // size * size - offset
    return start, start + size


def _midnight(day: date, zone: tzinfo) -> int:
    return int(datetime.combine(day, time(), zone).timestamp())


def counts(store: Store, stream: str, window: Window, bucket: Bucket, zone: tzinfo = UTC) -> list[BucketTotals]:
    """Buckets of a stream, oldest first; one that nobody saw anything of is not there, rather than zero.

    The first and last bucket are cut to the window.
    """
    steps = store.sums(stream, window.start, window.end, step_within(bucket, window, zone), COUNTED)
    return merged(steps, window, bucket, zone)


def step_within(bucket: Bucket, window: Window, zone: tzinfo) -> int:
    """The longest step, seconds, within which no bucket of a window begins: the database merges what lies in it."""
    days = range(window.start, window.end + DAY_S, DAY_S)
    offsets = {datetime.fromtimestamp(moment, zone).utcoffset() or timedelta() for moment in days}
    return math.gcd(STEP_S, BUCKET_S[bucket], *(int(offset.total_seconds()) for offset in offsets))


def in_buckets(rows: Iterable[MinuteRow], window: Window, bucket: Bucket, zone: tzinfo = UTC) -> list[BucketTotals]:
    """Minutes merged into buckets; see `merged`."""
    return merged(((row.minute, row.totals) for row in rows), window, bucket, zone)


def merged(
    parts: Iterable[tuple[int, Totals]], window: Window, bucket: Bucket, zone: tzinfo = UTC
) -> list[BucketTotals]:
    """Parts of buckets, by their start, merged into buckets, exactly: they add up to it.

    A minute of which no time was seen, and in which nobody was, says nothing: it makes no bucket.
    """
    found: dict[int, BucketTotals] = {}
    for begin, totals in parts:
        if totals.is_empty:
            continue
        start, end = bucket_bounds(begin, bucket, zone)
        whole = found.get(start)
        if whole is None:
            whole = found[start] = BucketTotals(max(start, window.start), min(end, window.end))
        whole.totals.add(totals)
    return [found[start] for start in sorted(found)]


def heatmap(store: Store, stream: str, window: Window) -> tuple[HeatCells, float]:
    """The cells of a window and the seconds that were covered in it."""
    cells, covered_s = HeatCells(), 0.0
    # Hour by hour would ask too often, all at once would hold a year of cells in memory.
    first, end = store.extent(stream)
    start, end = max(window.start, first), min(window.end, end)
    for begin in range(start, end, HEAT_CHUNK_S):
        for row in store.minutes(stream, begin, min(begin + HEAT_CHUNK_S, end), (PEOPLE, HEAT)):
            covered_s += row.totals[PEOPLE].covered_s
            cells.add(row.totals[HEAT])
    return cells, covered_s


def as_json(merged: BucketTotals) -> dict[str, Any]:
    """A bucket as the REST contract has it."""
    return {
        "start": iso(merged.start),
        "end": iso(merged.end),
        "coverage": round(merged.coverage, 4),
        "analysed_fps": rounded(merged.analysed_fps),
        **{section.name: section.document(merged.totals) for section in SECTIONS},
    }


def total_of(buckets: Iterable[BucketTotals], window: Window) -> BucketTotals:
    """All buckets as one, over the whole window."""
    merged = BucketTotals(window.start, window.end)
    for bucket in buckets:
        merged.totals.add(bucket.totals)
    return merged


def as_table(buckets: Iterable[BucketTotals], zone: tzinfo = UTC) -> pd.DataFrame:
    """Buckets as a flat table, a row each: ``line.door.in``, ``zone.till.mean`` and so on; times in ``zone``."""
    rows = []
    for merged in buckets:
        document = as_json(merged)
        row: dict[str, Any] = {
            "start": pd.Timestamp(merged.start, unit="s", tz=zone),
            "end": pd.Timestamp(merged.end, unit="s", tz=zone),
            "coverage": document["coverage"],
            "analysed_fps": document["analysed_fps"],
        }
        for section in SECTIONS:
            row |= dict(section.columns(document[section.name]))
        rows.append(row)
    columns = ["start", "end", "coverage", "analysed_fps", "people.mean", "people.peak", "people.person_seconds"]
    return pd.DataFrame(rows) if rows else pd.DataFrame(columns=columns)


def iso(time_s: float) -> str:
    """RFC 3339 in UTC, such as ``2026-03-01T09:00:00Z``."""
    return datetime.fromtimestamp(time_s, UTC).isoformat().replace("+00:00", "Z")
