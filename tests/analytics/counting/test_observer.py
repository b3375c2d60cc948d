from __future__ import annotations

import copy
import json
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pytest

from analytics.counting.base import Crossing, ZoneEntry
from analytics.counting.heatmap import HEAT
from analytics.counting.lines import LINES
from analytics.counting.observer import StreamObserver
from analytics.counting.people import PEOPLE, PeopleCounter
from analytics.counting.zones import ZONES
from analytics.geometry import Geometry, Line, Zone
from analytics.minutes import MinuteRow, Totals
from pipelines.types import FrameStamp, Tracks
from tests.analytics.counting.walking import FRAME, tracks_at

DOOR = Line("door", (0.5, 0.1), (0.5, 0.9))
TILL = Zone("till", ((0.5, 0.0), (1.0, 0.0), (1.0, 1.0), (0.5, 1.0)), dwell_min_s=1.0)
DRAWN = Geometry((DOOR,), (TILL,))
DT = 0.125  # exact in binary: sums are exact, in whatever order
BEGIN_S = 1_800_000_000.0  # a full minute


def observer(epoch: int = 1, geometry: Geometry = DRAWN) -> StreamObserver:
    return StreamObserver("cam", epoch, geometry)


def feed(counter: StreamObserver, times: Iterable[float], tracks: Tracks | None = None) -> None:
    for time_s in times:
        counter.update(tracks if tracks is not None else Tracks.empty(), FrameStamp(0, time_s), FRAME)


def total(rows: Iterable[MinuteRow]) -> Totals:
    merged = Totals()
    for row in rows:
        merged.add(row.totals)
    return merged


def crowd(frame: int) -> Tracks:
    """Some people walk to and fro over the door with different paces; ids end and begin."""
    places, gone = {}, []
    for person in range(6):
        life, phase = 200 + 30 * person, frame + 37 * person
        track = 1 + person + 10 * (phase // life)
        if phase % life == 0 and phase:
            gone.append(track - 10)
        if phase % (11 + person) < 8:  # sometimes hidden
            x = 400 + 300 * np.sin(phase / (9 + 3 * person))
            places[track] = (float(x), 120.0 + 40 * person)
    return tracks_at(places, gone)


def test_coverage_is_the_time_between_frames() -> None:
    counter = observer()
    feed(counter, BEGIN_S + DT * np.arange(81))
    (row,) = counter.pending()
    assert row.totals[PEOPLE].covered_s == 10.0
    assert row.totals[PEOPLE].frames == 81


def test_an_interval_of_two_seconds_was_seen_and_a_longer_one_was_not() -> None:
    counter = observer()
    feed(counter, [BEGIN_S, BEGIN_S + 2.0, BEGIN_S + 4.25, BEGIN_S + 4.5])
    assert total(counter.pending())[PEOPLE].covered_s == 2.25


def test_people_do_not_stay_on_through_a_gap() -> None:
    counter = observer()
    feed(counter, [BEGIN_S, BEGIN_S + 1, BEGIN_S + 31, BEGIN_S + 32], tracks_at({1: (600, 200)}))
    totals = total(counter.pending())
    assert totals[PEOPLE].person_seconds == 2.0
    assert totals[ZONES]["till"].person_seconds == 2.0
    assert totals[HEAT].grid("dwell").sum() == 2.0


def test_a_minute_that_nobody_saw_has_no_row() -> None:
    counter = observer()
    feed(counter, [*(BEGIN_S + DT * np.arange(8)), *(BEGIN_S + 180 + DT * np.arange(8))])
    assert [row.minute - BEGIN_S for row in counter.pending()] == [0, 180]


def test_a_frame_belongs_to_the_minute_in_which_it_was_captured() -> None:
    counter = observer()
    feed(counter, BEGIN_S + 59 + DT * np.arange(16), tracks_at({1: (600, 200)}))
    first, second = counter.pending()
    assert (first.minute, second.minute) == (BEGIN_S, BEGIN_S + 60)
    assert (first.totals[PEOPLE].frames, second.totals[PEOPLE].frames) == (8, 8)
    assert (first.totals[PEOPLE].covered_s, second.totals[PEOPLE].covered_s) == (7 * DT, 8 * DT)
    assert (first.totals[ZONES]["till"].entries, second.totals[ZONES]["till"].entries) == (1, 0)
    assert second.totals[ZONES]["till"].peak == 1


def test_occupancy_is_weighted_by_time_and_peaks_are_kept() -> None:
    counter = observer()
    feed(counter, BEGIN_S + DT * np.arange(9), tracks_at({1: (600, 200), 2: (610, 250), 3: (100, 200)}))
    feed(counter, BEGIN_S + 1 + DT * np.arange(1, 25))
    (row,) = counter.pending()
    assert row.totals[PEOPLE].mean == pytest.approx(3 * 1.0 / 4.0)
    assert (row.totals[PEOPLE].peak, row.totals[ZONES]["till"].peak) == (3, 2)
    assert row.totals[ZONES]["till"].person_seconds == 2.0


def test_crossings_are_counted_and_told() -> None:
    counter = observer()
    told = []
    for frame in range(30):
        outcome = counter.update(
            tracks_at({4: (300 + 10 * frame, 200)}), FrameStamp(frame, BEGIN_S + frame * DT), FRAME
        )
        told += outcome.events
        assert outcome.people == 1
    totals = total(counter.pending())
    assert (totals[LINES]["door"].entered, totals[LINES]["door"].left) == (1, 0)
    times = [event.time_s for event in told]
    assert told == [ZoneEntry("till", 4, times[0]), Crossing("door", 4, "in", times[1])]
    assert times == [BEGIN_S + 10 * DT, BEGIN_S + 11 * DT]


def test_a_line_that_nobody_crosses_is_there_with_zeros() -> None:
    counter = observer()
    feed(counter, [BEGIN_S, BEGIN_S + 1])
    (row,) = counter.pending()
    assert (row.totals[LINES]["door"].entered, row.totals[LINES]["door"].left) == (0, 0)


def test_only_what_changed_since_the_last_checkpoint_is_owed() -> None:
    counter = observer()
    feed(counter, BEGIN_S + DT * np.arange(8))
    counter.acknowledge(counter.pending())
    assert counter.pending() == []
    feed(counter, [BEGIN_S + 30])
    (row,) = counter.pending()
    assert row.totals[PEOPLE].frames == 9  # the whole minute: rows replace each other
    feed(counter, [BEGIN_S + 61])
    assert len(counter.pending()) == 2


def test_a_row_that_grew_while_it_was_written_is_still_owed() -> None:
    counter = observer()
    feed(counter, [BEGIN_S])
    written = counter.pending()
    feed(counter, [BEGIN_S + 1])
    counter.acknowledge(written)
    assert [row.totals[PEOPLE].frames for row in counter.pending()] == [2]


def test_rows_are_copies() -> None:
    counter = observer()
    feed(counter, [BEGIN_S, BEGIN_S + 1], tracks_at({1: (600, 200)}))
    rows = counter.pending()
    before = copy.deepcopy(rows)
    feed(counter, [BEGIN_S + 2], tracks_at({1: (100, 200)}))
    assert rows == before


def test_settled_minutes_are_forgotten() -> None:
    counter = observer()
    for minute in range(500):
        feed(counter, [BEGIN_S + 60 * minute, BEGIN_S + 60 * minute + 1])
        counter.acknowledge(counter.pending())
    assert {len(counted._minutes) for counted in counter._counters.values()} == {0, 1}  # nobody was there: no heat


@pytest.mark.parametrize("cuts", [[100], [1, 2, 3], [333, 480, 481, 900]])
def test_epochs_sum_to_the_undisturbed_run_exactly(cuts: list[int]) -> None:
    frames = 1200
    whole = observer()
    for frame in range(frames):
        whole.update(crowd(frame), FrameStamp(frame, BEGIN_S + frame * DT), FRAME)
    undisturbed = total(whole.pending())
    assert undisturbed[LINES]["door"].entered > 5
    assert undisturbed[ZONES]["till"].exits > 5
    assert undisturbed[ZONES]["till"].dwells

    rows: list[MinuteRow] = []
    state = None
    for epoch, (begin, end) in enumerate(zip([0, *cuts], [*cuts, frames], strict=True), start=1):
        counter = observer(epoch)
        if state is not None:
            counter.restore(json.loads(state))
        for frame in range(begin, end):
            counter.update(crowd(frame), FrameStamp(frame, BEGIN_S + frame * DT), FRAME)
        rows += counter.pending()
        state = json.dumps(counter.snapshot())
    assert {row.epoch for row in rows} == set(range(1, len(cuts) + 2))
    assert total(rows) == undisturbed


def test_a_line_that_was_drawn_anew_inherits_no_sides() -> None:
    counter = observer()
    feed(counter, [BEGIN_S], tracks_at({1: (300, 200)}))
    state = json.loads(json.dumps(counter.snapshot()))
    moved = Geometry((Line("door", (0.25, 0.1), (0.25, 0.9)),), ())
    after = observer(2, moved)
    after.restore(state)
    feed(after, [BEGIN_S + 1], tracks_at({1: (310, 200)}))  # was left of the old line, is right of the new one
    assert total(after.pending())[LINES]["door"].entered == 0
    same = observer(2)
    same.restore(state)
    feed(same, [BEGIN_S + 1], tracks_at({1: (500, 200)}))
    assert total(same.pending())[LINES]["door"].entered == 1


def test_a_new_geometry_counts_from_the_next_frame_on_and_keeps_what_stayed_the_same() -> None:
    counter = observer()
    feed(counter, [BEGIN_S], tracks_at({1: (300, 200)}))
    counter.use_geometry(Geometry((DOOR, Line("other", (0.3, 0.1), (0.3, 0.9))), ()))
    feed(counter, [BEGIN_S + 1], tracks_at({1: (500, 200)}))
    totals = total(counter.pending())
    assert totals[LINES]["door"].entered == 1
    assert totals[LINES]["other"].entered == 0


def test_a_state_of_another_format_is_refused() -> None:
    with pytest.raises(ValueError, match="observer-1"):
        observer().restore({"format": "observer-0"})


class Footsteps(PeopleCounter):
    """An analytic of somebody's own: it counts observed feet."""


@dataclass(frozen=True)
class _Footsteps(type(PEOPLE)):  # type: ignore[misc]
    name = "footsteps"
    table = "footstep_minutes"

    def counter(self, geometry: Geometry) -> Footsteps:
        return Footsteps()


def test_an_observer_feeds_whatever_analytic_it_is_given() -> None:
    extra = _Footsteps()
    counter = StreamObserver("cam", 1, DRAWN, analytics=(PEOPLE, extra))
    feed(counter, [BEGIN_S, BEGIN_S + 1], tracks_at({1: (600, 200)}))
    (row,) = counter.pending()
    assert set(row.totals.values) == {PEOPLE, extra}
    assert row.totals[extra] == row.totals[PEOPLE]
    assert set(counter.snapshot()) == {"format", "last_s", "people", "footsteps"}
    counter.acknowledge([row])
    assert counter.pending() == []
