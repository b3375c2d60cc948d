from __future__ import annotations

import json
from dataclasses import replace

import pytest

from analytics.counting.base import CountEvent, DwellExceeded, OccupancyChanged, QueueChanged, ZoneEntry, ZoneExit
from analytics.counting.zones import VisitDetector, ZoneChange, ZoneCounter
from analytics.geometry import Geometry, PeopleLimit, Zone, ZoneLimits
from tests.analytics.counting.walking import FRAME, observed

TILL = Zone("till", ((0.2, 0.2), (0.6, 0.2), (0.6, 0.6), (0.2, 0.6)), dwell_min_s=3.0)
INSIDE, OUTSIDE = (0.4, 0.4), (0.8, 0.4)
DT = 0.125


class Visitors:
    """A counter, and a clock that goes on by an eighth of a second a frame."""

    def __init__(self, zone: Zone = TILL) -> None:
        self.counter = VisitDetector(zone)
        self.time_s = 0.0
        self.entries = self.exits = 0
        self.dwells: list[float] = []

    def frame(self, people: dict[int, tuple[float, float]], gone: tuple[int, ...] = ()) -> ZoneChange:
        self.time_s += DT
        pixels = {track: (x * FRAME[1], y * FRAME[0]) for track, (x, y) in people.items()}
        change = self.counter.update(observed(pixels, self.time_s, gone=gone))
        self.entries += change.entries
        self.exits += change.exits
        self.dwells += change.dwells_s
        return change

    def frames(self, count: int, people: dict[int, tuple[float, float]]) -> None:
        for _ in range(count):
            self.frame(people)

    def wait(self, seconds: float) -> None:
        self.frames(round(seconds / DT), {})


def test_a_visit_has_one_entry_one_exit_and_its_length() -> None:
    zone = Visitors()
    zone.frames(8, {1: OUTSIDE})
    zone.frames(41, {1: INSIDE})
    assert (zone.entries, zone.exits, zone.dwells) == (1, 0, [])
    zone.frames(40, {1: OUTSIDE})
    assert (zone.entries, zone.exits, zone.dwells) == (1, 1, [40 * DT])


def test_everybody_inside_is_counted_in_every_frame() -> None:
    zone = Visitors()
    assert zone.frame({1: INSIDE, 2: INSIDE, 3: OUTSIDE}).inside == 2
    assert zone.frame({1: INSIDE, 3: INSIDE}).inside == 2
    assert zone.frame({}).inside == 0
    assert zone.entries == 3


def test_a_short_stay_is_an_entry_but_no_dwell() -> None:
    zone = Visitors()
    zone.frames(24, {1: INSIDE})  # 2.875 s from the first to the last frame
    zone.wait(2)
    assert (zone.entries, zone.exits, zone.dwells) == (1, 1, [])
    zone.frames(25, {2: INSIDE})  # 3 s
    zone.wait(2)
    assert (zone.entries, zone.exits, zone.dwells) == (2, 2, [3.0])


def test_a_flicker_over_the_border_is_one_visit() -> None:
    zone = Visitors()
    for _ in range(40):
        zone.frame({1: (0.599, 0.4)})
        zone.frame({1: (0.601, 0.4)})
    zone.wait(2)
    assert (zone.entries, zone.exits) == (1, 1)
    assert zone.dwells == [78 * DT]


def test_the_grace_bridges_a_short_loss_and_not_a_long_one() -> None:
    zone = Visitors()
    zone.frame({1: INSIDE})
    zone.wait(1.375)
    zone.frame({1: INSIDE})  # exactly 1.5 s later
    assert (zone.entries, zone.exits) == (1, 0)
    zone.wait(1.5)
    assert (zone.entries, zone.exits) == (1, 0)
    zone.frame({1: INSIDE})  # 1.625 s later: another visit
    assert (zone.entries, zone.exits) == (2, 1)
    zone.wait(2)
    assert (zone.entries, zone.exits) == (2, 2)


def test_a_visit_ends_at_once_with_its_track() -> None:
    zone = Visitors()
    zone.frames(25, {1: INSIDE})
    zone.frame({}, gone=(1,))
    assert (zone.exits, zone.dwells) == (1, [3.0])


def test_a_return_after_the_grace_within_the_same_frame_ends_the_old_visit() -> None:
    zone = Visitors()
    zone.frames(25, {1: INSIDE})
    zone.time_s += 10
    change = zone.frame({1: INSIDE})
    assert (change.entries, change.exits, change.dwells_s) == (1, 1, (3.0,))
    zone.wait(2)
    assert (zone.entries, zone.exits) == (2, 2)


def test_memory_is_bounded_by_those_who_are_there() -> None:
    zone = Visitors()
    for track in range(1, 1000):
        zone.frame({track: INSIDE})
    assert len(zone.counter.snapshot()) <= 1.5 / DT + 2
    zone.wait(2)
    assert zone.counter.snapshot() == {}
    assert zone.entries == zone.exits == 999


@pytest.mark.parametrize("cut", [5, 20, 60, 90])
def test_a_visit_goes_on_after_a_snapshot(cut: int) -> None:
    walk = [OUTSIDE] * 10 + [INSIDE] * 50 + [OUTSIDE] * 40
    zone = Visitors()
    for place in walk[:cut]:
        zone.frame({1: place})
    state = json.loads(json.dumps(zone.counter.snapshot()))
    zone.counter = VisitDetector(TILL)
    zone.counter.restore(state)
    for place in walk[cut:]:
        zone.frame({1: place})
    assert (zone.entries, zone.exits, zone.dwells) == (1, 1, [49 * DT])


# -- what is told at once

LIMITS = ZoneLimits(dwell_s=4.0, queue=PeopleLimit(2, 0, 1.0, 0.0), occupancy=PeopleLimit(3, 2, 0.5, 0.0))


class Told:
    """All that the counter of a zone tells, by the frame it is told in."""

    def __init__(self, limits: ZoneLimits = LIMITS) -> None:
        self.counter = ZoneCounter(Geometry(zones=(replace(TILL, limits=limits),)))
        self.number = 0

    def frames(self, count: int, *inside: int, gone: tuple[int, ...] = ()) -> list[CountEvent]:
        """Frames with these people inside, and what they bring."""
        found: list[CountEvent] = []
        for _ in range(count):
            self.number += 1
            pixels = dict.fromkeys(inside, (INSIDE[0] * FRAME[1], INSIDE[1] * FRAME[0]))
            found += self.counter.update(observed(pixels, self.number * DT, dt_s=DT, gone=gone))
        return found


def test_entries_and_exits_are_told_with_the_length_of_the_visit() -> None:
    zone = Told(ZoneLimits())
    assert zone.frames(9, 1) == [ZoneEntry("till", 1, DT)]
    assert zone.frames(12) == []
    assert zone.frames(1) == [ZoneExit("till", 1, 1.0, 22 * DT)]
    totals = zone.counter.pending()[0]["till"]
    assert (totals.entries, totals.exits) == (1, 1)


def test_who_comes_back_after_the_grace_has_left_first() -> None:
    zone = Told(ZoneLimits())
    zone.frames(1, 1)
    zone.number += 100
    assert [type(event) for event in zone.frames(1, 1)] == [ZoneExit, ZoneEntry]


def test_a_stay_that_becomes_too_long_is_told_once() -> None:
    zone = Told()
    assert zone.frames(33, 1) == [ZoneEntry("till", 1, DT)]
    assert zone.frames(1, 1) == [DwellExceeded("till", 1, 33 * DT, 34 * DT)]
    assert zone.frames(100, 1) == []


def test_a_queue_is_made_of_those_who_stay() -> None:
    zone = Told()
    told = zone.frames(24 + 9, 1, 2)
    assert [event for event in told if isinstance(event, QueueChanged)] == [QueueChanged("till", True, 2, 33 * DT)]
    told = zone.frames(30)
    # The grace of 1.5 s, and the second that it has to hold.
    assert [event for event in told if isinstance(event, QueueChanged)] == [QueueChanged("till", False, 0, 54 * DT)]


def test_an_occupancy_is_made_of_everybody() -> None:
    zone = Told()
    told = zone.frames(5, 1, 2, 3)
    assert told[-1] == OccupancyChanged("till", True, 3, 5 * DT)
    told = zone.frames(5, 1, 2, gone=(3,))
    assert told[-1] == OccupancyChanged("till", False, 2, 10 * DT)


@pytest.mark.parametrize("cut", [1, 4, 20, 30, 33, 34, 40, 50])
def test_what_is_told_goes_on_after_a_snapshot(cut: int) -> None:
    people = [(1, 2, 3)] * 40 + [(1,)] * 10 + [()] * 30
    whole, parts = Told(), Told()
    wanted = [event for inside in people for event in whole.frames(1, *inside)]
    found = [event for inside in people[:cut] for event in parts.frames(1, *inside)]
    state = json.loads(json.dumps(parts.counter.snapshot()))
    parts.counter = Told().counter
    parts.counter.restore(state)
    assert found + [event for inside in people[cut:] for event in parts.frames(1, *inside)] == wanted
    assert {type(event) for event in wanted} == {ZoneEntry, ZoneExit, DwellExceeded, QueueChanged, OccupancyChanged}


def test_a_state_from_before_there_were_limits_is_taken_up() -> None:
    zone = Told()
    zone.counter.restore({"till": {"drawn": [list(corner) for corner in TILL.polygon], "tracks": {"1": [0.0, 0.125]}}})
    assert zone.frames(1, 1) == []


def test_other_limits_keep_the_visits() -> None:
    zone = Told(ZoneLimits())
    zone.frames(34, 1)
    zone.counter.use_geometry(Geometry(zones=(replace(TILL, limits=LIMITS),)))
    assert zone.frames(1, 1) == [DwellExceeded("till", 1, 34 * DT, 35 * DT)]


MOVED = replace(TILL, polygon=((0.1, 0.1), (0.45, 0.1), (0.45, 0.45), (0.1, 0.45)))
"""Whoever is inside of the one is inside of the other."""


@pytest.mark.parametrize("zones", [(), (MOVED,)])
@pytest.mark.parametrize("resumed", [False, True])
def test_what_is_drawn_anew_or_taken_away_is_left_by_everybody_and_told_to_have_room(
    zones: tuple[Zone, ...], resumed: bool
) -> None:
    zone = Told()
    assert zone.frames(28, 1, 2, 3)[-1] == OccupancyChanged("till", True, 3, 5 * DT)
    zone.counter.use_geometry(Geometry(zones=zones))
    if resumed:  # by another reader, which is told of the new zones alone
        state = json.loads(json.dumps(zone.counter.snapshot()))
        counted, zone.counter = zone.counter, ZoneCounter(Geometry(zones=zones))
        zone.counter.restore(state)
    entries = [ZoneEntry("till", track, 29 * DT) for track in (1, 2, 3)] if zones else []
    assert zone.frames(1, 1, 2, 3) == [
        *(ZoneExit("till", track, 27 * DT, 29 * DT) for track in (1, 2, 3)),
        OccupancyChanged("till", False, 0, 29 * DT),
        *entries,
    ]
    (totals,) = zone.counter.pending().values()
    exits = totals["till"].exits
    assert (exits, sum(totals["till"].dwells.values())) == (3, 3)
    assert totals["till"].entries + (counted.pending()[0]["till"].entries if resumed else 0) == 3 + len(entries)
    assert zone.frames(20) == [ZoneExit("till", track, 0.0, (29 + 13) * DT) for track in (1, 2, 3) if zones]


def test_where_another_scene_is_watched_everybody_has_left_whatever_their_numbers() -> None:
    zone = Told()
    zone.frames(28, 1, 2, 3)
    state, zone.counter = zone.counter.snapshot(), ZoneCounter(Geometry(zones=(zone.counter._zones[0].zone,)))
    zone.counter.leave(state)
    assert zone.frames(1, 1) == [
        *(ZoneExit("till", track, 27 * DT, 29 * DT) for track in (1, 2, 3)),
        OccupancyChanged("till", False, 0, 29 * DT),
        ZoneEntry("till", 1, 29 * DT),
    ]
    assert zone.frames(20) == [ZoneExit("till", 1, 0.0, (29 + 13) * DT)]


def test_a_zone_that_was_gone_for_a_moment_is_another_one() -> None:
    """Others have heard that it is gone, and know of nobody in it any more."""
    zone = Told(ZoneLimits())
    zone.frames(1, 1)
    for zones in ((), (replace(TILL, limits=ZoneLimits()),)):
        zone.counter.use_geometry(Geometry(zones=zones))
    assert zone.frames(1, 1) == [ZoneExit("till", 1, 0.0, 2 * DT), ZoneEntry("till", 1, 2 * DT)]
    assert zone.frames(1, 1) == []


def test_a_stay_in_a_zone_that_is_gone_is_as_long_as_what_is_drawn_by_now_has_it() -> None:
    """While nobody watched it was drawn anew, for longer stays."""
    zone = Told()
    zone.frames(28, 1)
    state = zone.counter.snapshot()
    zone.counter = ZoneCounter(Geometry(zones=(replace(MOVED, dwell_min_s=20.0),)))
    zone.counter.restore(state)
    zone.frames(1)
    (totals,) = zone.counter.pending().values()
    assert (totals["till"].exits, totals["till"].dwells) == (1, {})


def test_a_limit_that_is_taken_away_is_told_to_be_cleared() -> None:
    zone = Told()
    zone.frames(5, 1, 2, 3)
    zone.counter.use_geometry(Geometry(zones=(replace(TILL, limits=ZoneLimits()),)))
    assert zone.frames(1, 1, 2, 3) == [OccupancyChanged("till", False, 3, 6 * DT)]


def test_frames_of_the_same_time_do_not_keep_a_limit_from_being_reached() -> None:
    """Timestamps of a topic may tell seconds alone."""
    zone = Told(ZoneLimits(occupancy=PeopleLimit(1, 0, 2.0, 0.0)))
    told: list[CountEvent] = []
    for number in range(20):
        second, first_of_it = number // 4, number % 4 == 0
        pixels = {1: (INSIDE[0] * FRAME[1], INSIDE[1] * FRAME[0])}
        told += zone.counter.update(observed(pixels, float(second), dt_s=1.0 if first_of_it and second else 0.0))
    assert [event for event in told if isinstance(event, OccupancyChanged)] == [OccupancyChanged("till", True, 1, 2.0)]
