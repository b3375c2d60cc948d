from __future__ import annotations

import json

import pytest

from analytics.counting.zones import VisitDetector, ZoneChange
from analytics.geometry import Zone
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
