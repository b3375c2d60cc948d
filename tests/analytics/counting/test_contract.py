"""What every analytic of the catalogue keeps: its counter, its merging, its codec."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest

from analytics.counting.base import Analytic, Counter, ObservedFrame
from analytics.counting.catalogue import ANALYTICS
from analytics.geometry import Geometry, Line, Zone
from analytics.storage.tables import MINUTE_TABLES
from tests.analytics.counting.walking import observed

GEOMETRY = Geometry(
    (Line("door", (0.5, 0.0), (0.5, 1.0)),),
    (Zone("till", ((0.5, 0.0), (1.0, 0.0), (1.0, 1.0), (0.5, 1.0)), dwell_min_s=0.5),),
)
DT = 0.125  # exact in binary: sums are exact, in whatever order
pytestmark = pytest.mark.parametrize("analytic", ANALYTICS, ids=[analytic.name for analytic in ANALYTICS])


def frames(begin: int, end: int) -> list[ObservedFrame]:
    """Two people who walk to and fro over the door, through several minutes."""
    found = []
    for number in range(begin, end):
        step = number % 80
        x = 100.0 + 600 * (step if step < 40 else 80 - step) / 40
        found.append(observed({1: (x, 200.0), 2: (800.0 - x, 300.0)}, 1000 + number * DT, dt_s=DT))
    return found


def feed(counter: Counter[Any], seen: Sequence[ObservedFrame]) -> None:
    for frame in seen:
        counter.update(frame)


def merged(analytic: Analytic[Any], *parts: dict[int, Any]) -> Any:
    total = analytic.zero()
    for part in parts:
        for value in part.values():
            analytic.merge(total, value)
    return total


def test_it_says_something_of_people_who_walk_about(analytic: Analytic[Any]) -> None:
    counter = analytic.counter(GEOMETRY)
    feed(counter, frames(0, 1200))
    total = merged(analytic, counter.pending())
    assert counter.pending().keys() == {960, 1020, 1080, 1140}
    assert not analytic.is_empty(total)
    assert analytic.is_empty(analytic.zero())


def test_a_snapshot_goes_on_in_the_next_epoch_and_the_parts_add_up(analytic: Analytic[Any]) -> None:
    whole, first, second = (analytic.counter(GEOMETRY) for _ in range(3))
    feed(whole, frames(0, 1200))
    feed(first, frames(0, 611))
    second.restore(json.loads(json.dumps(first.snapshot())))
    feed(second, frames(611, 1200))
    assert merged(analytic, first.pending(), second.pending()) == merged(analytic, whole.pending())


def test_a_state_from_before_it_existed_begins_afresh(analytic: Analytic[Any]) -> None:
    counter = analytic.counter(GEOMETRY)
    counter.restore({})
    feed(counter, frames(0, 10))
    assert counter.pending().keys() <= {960}


def test_what_was_acknowledged_is_not_pending_and_what_grew_meanwhile_is(analytic: Analytic[Any]) -> None:
    counter = analytic.counter(GEOMETRY)
    feed(counter, frames(0, 40))
    written = counter.pending()
    feed(counter, frames(40, 80))
    counter.acknowledge(written)
    assert counter.pending().keys() == written.keys()
    counter.acknowledge(counter.pending())
    assert counter.pending() == {}


def test_a_stored_minute_that_time_runs_back_into_grows_on(analytic: Analytic[Any]) -> None:
    whole, in_parts = analytic.counter(GEOMETRY), analytic.counter(GEOMETRY)
    stored: dict[int, Any] = {}
    for begin in [*range(0, 1200, 40)] * 2:
        feed(whole, frames(begin, begin + 40))
        feed(in_parts, frames(begin, begin + 40))
        written = in_parts.pending()
        stored |= written
        in_parts.acknowledge(written)
    assert stored == whole.pending()
    assert in_parts.pending() == {}


def test_pending_values_are_copies(analytic: Analytic[Any]) -> None:
    counter = analytic.counter(GEOMETRY)
    feed(counter, frames(0, 40))
    first = counter.pending()
    rows = [analytic.to_rows(value) for value in first.values()]
    feed(counter, frames(40, 80))
    assert [analytic.to_rows(value) for value in first.values()] == rows


def test_values_come_back_from_their_rows_as_they_were(analytic: Analytic[Any]) -> None:
    counter = analytic.counter(GEOMETRY)
    feed(counter, frames(0, 1200))
    for value in counter.pending().values():
        rows = analytic.to_rows(value)
        assert [list(row) for row in rows] == [[c.name for c in analytic.columns]] * len(rows)
        keyed = [{"stream": "cam", "minute": 960, "epoch": 1, **row} for row in rows]
        assert analytic.from_rows(keyed) == value


def test_zero_changes_nothing_and_merging_shares_nothing(analytic: Analytic[Any]) -> None:
    counter = analytic.counter(GEOMETRY)
    feed(counter, frames(0, 40))
    (value,) = counter.pending().values()
    (same,) = counter.pending().values()
    total = merged(analytic, {0: value}, {0: analytic.zero()})
    assert total == value
    analytic.merge(total, value)
    assert value == same


def test_its_table_is_made_of_its_columns(analytic: Analytic[Any]) -> None:
    table = MINUTE_TABLES[analytic]
    assert table.name == analytic.table
    assert [c.name for c in table.columns] == ["stream", "minute", "epoch", *(c.name for c in analytic.columns)]
