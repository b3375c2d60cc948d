from __future__ import annotations

import io
from collections import Counter
from datetime import UTC, datetime, tzinfo
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest

from analytics.counting.heatmap import HeatCells
from analytics.counting.lines import LINES, LineTotals
from analytics.counting.people import PEOPLE, PeopleTotals
from analytics.counting.zones import ZONES, ZoneTotals
from analytics.minutes import MinuteRow, Totals
from analytics.reports.queries import (
    Bucket,
    BucketTotals,
    Window,
    as_json,
    as_table,
    bucket_bounds,
    counts,
    heatmap,
    in_buckets,
    iso,
    step_within,
    total_of,
)
from tests.analytics.totals import totals_of
from tests.assigning import assign
from tests.fakes import MemoryStore

BERLIN, KOLKATA, KATHMANDU = ZoneInfo("Europe/Berlin"), ZoneInfo("Asia/Kolkata"), ZoneInfo("Asia/Kathmandu")


def utc(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


def row(minute: int, epoch: int = 1, *, covered_s: float = 60.0, people: float = 1.0, entered: int = 1) -> MinuteRow:
    totals = totals_of(
        PeopleTotals(covered_s, int(covered_s * 6), people * covered_s, int(np.ceil(people))),
        lines={"door": LineTotals(entered, 2 * entered)},
        zones={"till": ZoneTotals(people * covered_s / 2, 1, 1, 1, Counter({20: 1}))},
        heat=HeatCells({5: covered_s * people}, {5: 1}),
    )
    return MinuteRow("cam", minute, epoch, totals)


def minutes_between(start: int, end: int) -> list[MinuteRow]:
    return [row(minute) for minute in range(start, end, 60)]


@pytest.mark.parametrize(
    ("start_s", "end_s", "minutes"),
    [
        (0.0, 60.0, (0, 60)),
        (0.0, 60.001, (0, 120)),
        (59.9, 60.0, (0, 60)),
        (61.0, 62.0, (60, 120)),
        (1_800_000_000.0, 1_800_003_600.0, (1_800_000_000, 1_800_003_600)),
        (1_800_000_000.0, 1_800_003_600.5, (1_800_000_000, 1_800_003_660)),
    ],
)
def test_a_window_holds_the_minutes_that_it_touches_and_no_other(
    start_s: float, end_s: float, minutes: tuple[int, int]
) -> None:
    window = Window.of(start_s, end_s)
    assert (window.start, window.end) == minutes


@pytest.mark.parametrize(("start_s", "end_s"), [(60.0, 60.0), (61.0, 60.0)])
def test_an_empty_window_is_refused(start_s: float, end_s: float) -> None:
    with pytest.raises(ValueError, match="end must be after its start"):
        Window.of(start_s, end_s)


@pytest.mark.parametrize(
    ("moment", "bucket", "zone", "start", "end"),
    [
        ("2026-07-01T10:07", "15m", UTC, "2026-07-01T10:00", "2026-07-01T10:15"),
        ("2026-07-01T10:07", "1h", KOLKATA, "2026-07-01T09:30", "2026-07-01T10:30"),
        ("2026-07-01T10:20", "15m", KATHMANDU, "2026-07-01T10:15", "2026-07-01T10:30"),
        ("2026-07-01T20:07", "1d", KOLKATA, "2026-07-01T18:30", "2026-07-02T18:30"),
        ("2026-07-01T10:07", "1d", BERLIN, "2026-06-30T22:00", "2026-07-01T22:00"),
        # Clocks go forward on 29 March 2026 at 01:00 UTC, back on 25 October 2026 at 01:00 UTC.
        ("2026-03-29T12:00", "1d", BERLIN, "2026-03-28T23:00", "2026-03-29T22:00"),
        ("2026-10-25T12:00", "1d", BERLIN, "2026-10-24T22:00", "2026-10-25T23:00"),
        ("2026-10-25T00:30", "1h", BERLIN, "2026-10-25T00:00", "2026-10-25T01:00"),
        ("2026-10-25T01:30", "1h", BERLIN, "2026-10-25T01:00", "2026-10-25T02:00"),
        ("2026-03-29T00:59", "1h", BERLIN, "2026-03-29T00:00", "2026-03-29T01:00"),
        ("2026-03-29T01:00", "1h", BERLIN, "2026-03-29T01:00", "2026-03-29T02:00"),
    ],
)
def test_buckets_are_those_of_local_time(moment: str, bucket: Bucket, zone: tzinfo, start: str, end: str) -> None:
    assert bucket_bounds(utc(moment), bucket, zone) == (utc(start), utc(end))


@pytest.mark.parametrize(("day", "hours"), [("2026-03-29", 23), ("2026-06-10", 24), ("2026-10-25", 25)])
def test_a_local_day_has_as_many_hours_as_the_clocks_say(day: str, hours: int) -> None:
    local = datetime.fromisoformat(day).replace(tzinfo=BERLIN)
    start = int(local.timestamp())
    window = Window(start, start + hours * 3600)
    rows = minutes_between(window.start, window.end)
    (whole_day,) = in_buckets(rows, window, "1d", BERLIN)
    by_hour = in_buckets(rows, window, "1h", BERLIN)
    assert (whole_day.start, whole_day.end) == (window.start, window.end)
    assert whole_day.coverage == 1.0
    assert len(by_hour) == hours
    assert {part.end - part.start for part in by_hour} == {3600}


@pytest.mark.parametrize("zone", [UTC, BERLIN, KOLKATA])
def test_hours_and_days_are_exact_sums_of_minutes(zone: tzinfo) -> None:
    start = utc("2026-10-24T00:00")
    window = Window(start, start + 3 * 86_400)
    rng = np.random.default_rng(1)
    rows = [
        row(minute, covered_s=float(rng.integers(1, 61)), people=float(rng.integers(0, 5)), entered=int(minute % 7))
        for minute in range(window.start, window.end, 60)
        if rng.random() < 0.5
    ]
    expected = Totals()
    for one in rows:
        expected.add(one.totals)
    for bucket in ("1m", "15m", "1h", "1d"):
        assert total_of(in_buckets(rows, window, bucket, zone), window).totals == expected


def test_the_parts_of_several_epochs_make_one_minute() -> None:
    store = MemoryStore()
    store.register("cam")
    first = assign(store, "cam", "reader-1")
    store.write("cam", first, [row(0, first, covered_s=20.0, people=1.0, entered=1)])
    second = assign(store, "cam", "reader-2")
    store.write("cam", second, [row(0, second, covered_s=30.0, people=3.0, entered=4)])
    (merged,) = counts(store, "cam", Window(0, 60), "1m")
    assert merged.totals[LINES]["door"] == LineTotals(5, 10)
    assert merged.totals[PEOPLE].covered_s == 50.0
    assert merged.coverage == pytest.approx(50 / 60)
    assert merged.totals[PEOPLE].mean == pytest.approx((20 + 90) / 50)
    assert merged.totals[PEOPLE].peak == 3
    assert merged.totals[ZONES]["till"].dwells == Counter({20: 2})


@pytest.mark.parametrize(
    ("zone", "bucket", "step_s"),
    [(UTC, "1d", 3600), (BERLIN, "1h", 3600), (KOLKATA, "1d", 1800), (KATHMANDU, "1h", 900), (UTC, "1m", 60)],
)
def test_no_bucket_begins_within_what_the_database_merges(zone: tzinfo, bucket: Bucket, step_s: int) -> None:
    window = Window(utc("2026-10-24T00:00"), utc("2026-10-27T00:00"))
    assert step_within(bucket, window, zone) == step_s
    for begin in range(window.start, window.end, step_s):
        assert bucket_bounds(begin, bucket, zone) == bucket_bounds(begin + step_s - 60, bucket, zone)


def test_a_bucket_that_nobody_saw_is_not_there() -> None:
    rows = [row(0), row(3600)]
    assert [b.start for b in in_buckets(rows, Window(0, 7200), "15m")] == [0, 3600]


def test_a_minute_of_a_single_frame_without_people_claims_nothing() -> None:
    alone = MinuteRow("cam", 0, 1, totals_of(PeopleTotals(frames=1), {"door": LineTotals()}, {"till": ZoneTotals()}))
    assert in_buckets([alone], Window(0, 60), "1m") == []
    somebody = MinuteRow("cam", 0, 1, totals_of(PeopleTotals(frames=1, peak=1), zones={"till": ZoneTotals(0.0, 1, 1)}))
    (bucket,) = in_buckets([somebody], Window(0, 60), "1m")
    assert as_json(bucket)["coverage"] == 0.0
    assert as_json(bucket)["people"]["mean"] is None


def test_the_first_and_last_bucket_are_cut_to_the_window() -> None:
    window = Window(600, 4200)
    parts = in_buckets(minutes_between(600, 4200), window, "1h")
    assert [(p.start, p.end) for p in parts] == [(600, 3600), (3600, 4200)]
    assert [p.coverage for p in parts] == [1.0, 1.0]


def test_coverage_is_a_share_of_the_bucket() -> None:
    (hour,) = in_buckets(minutes_between(0, 900), Window(0, 3600), "1h")
    assert hour.coverage == 0.25
    assert as_json(hour)["coverage"] == 0.25


def test_a_report_says_how_closely_what_was_seen_was_looked_at() -> None:
    assert as_json(BucketTotals(0, 3600))["analysed_fps"] is None
    seen = totals_of(PeopleTotals(covered_s=900.0, frames=4230))
    assert as_json(BucketTotals(0, 3600, seen))["analysed_fps"] == 4.7


def test_a_heatmap_of_a_window_is_the_sum_of_its_minutes() -> None:
    store = MemoryStore()
    store.register("cam")
    epoch = assign(store, "cam", "reader")
    store.write("cam", epoch, [row(60 * n, epoch) for n in range(10)])
    cells, covered_s = heatmap(store, "cam", Window(120, 300))
    assert covered_s == 180.0
    assert cells.seconds == {5: 180.0}
    assert cells.visits == {5: 3}
    assert heatmap(store, "nobody", Window(0, 60)) == (HeatCells(), 0.0)


def test_the_json_of_the_contract_has_every_part() -> None:
    (bucket,) = in_buckets([row(0, people=2.0)], Window(0, 60), "1m")
    document = as_json(bucket)
    assert document["start"] == "1970-01-01T00:00:00Z"
    assert document["end"] == "1970-01-01T00:01:00Z"
    assert document["people"] == {"mean": 2.0, "peak": 2, "person_seconds": 120.0}
    assert document["lines"] == {"door": {"in": 1, "out": 2}}
    till = document["zones"]["till"]
    assert (till["mean"], till["entries"], till["exits"], till["dwells"]) == (1.0, 1, 1, 1)
    assert till["dwell_p50_s"] == pytest.approx(3.2, rel=0.1)


def test_tables_have_a_row_a_bucket_and_local_times() -> None:
    window = Window(utc("2026-10-24T22:00"), utc("2026-10-25T23:00"))
    table = as_table(in_buckets(minutes_between(window.start, window.end), window, "1h", BERLIN), BERLIN)
    assert len(table) == 25
    assert [f"{t:%H:%M%z}" for t in table["start"][1:5]] == ["01:00+0200", "02:00+0200", "02:00+0100", "03:00+0100"]
    assert table["line.door.in"].sum() == 25 * 60
    assert table["zone.till.entries"].dtype.kind == "i"
    assert (table["coverage"] == 1.0).all()


def test_tables_survive_csv_and_parquet() -> None:
    table = as_table(in_buckets(minutes_between(0, 7200), Window(0, 7200), "1h", KOLKATA), KOLKATA)
    text = table.to_csv(index=False)
    assert text.splitlines()[1].startswith("1970-01-01 05:30:00+05:30,1970-01-01 06:00:00+05:30,1.0,")
    content = io.BytesIO()
    table.to_parquet(content, index=False)
    back = pd.read_parquet(content)
    assert back["line.door.out"].tolist() == table["line.door.out"].tolist()
    assert [t.timestamp() for t in back["start"]] == [t.timestamp() for t in table["start"]]


def test_an_empty_table_still_has_its_columns() -> None:
    assert list(as_table([]).columns)[:4] == ["start", "end", "coverage", "analysed_fps"]
    assert as_table([]).to_csv(index=False).startswith("start,end,coverage,analysed_fps,people.mean")


def test_times_are_written_as_rfc_3339() -> None:
    assert iso(utc("2026-03-01T09:00")) == "2026-03-01T09:00:00Z"
