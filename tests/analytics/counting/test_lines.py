"""Each item of what goes wrong with counting lines elsewhere."""

from __future__ import annotations

import json

import numpy as np
import pytest

from analytics.counting.lines import CrossingDetector
from tests.analytics.counting.walking import Walk, crossings_of, directions, drawn, observed, path

DOOR = drawn((400, 50), (400, 350))  # top to bottom: left to right is in
LEFT, RIGHT = (300.0, 200.0), (500.0, 200.0)


@pytest.mark.parametrize(
    ("a", "b", "inwards"),
    [
        ((400, 50), (400, 350), (1, 0)),  # top to bottom: to the right
        ((400, 350), (400, 50), (-1, 0)),  # bottom to top: to the left
        ((100, 200), (700, 200), (0, -1)),  # left to right: upwards
        ((700, 200), (100, 200), (0, 1)),  # right to left: downwards
    ],
)
def test_in_is_towards_dy_minus_dx_however_the_line_is_drawn(
    a: tuple[float, float], b: tuple[float, float], inwards: tuple[int, int]
) -> None:
    x, y = (a[0] + b[0]) / 2, (a[1] + b[1]) / 2
    outside, inside = (x - 90 * inwards[0], y - 90 * inwards[1]), (x + 90 * inwards[0], y + 90 * inwards[1])
    line = drawn(a, b)
    dx, dy = b[0] - a[0], b[1] - a[1]
    assert np.dot((dy, -dx), inwards) > 0
    assert directions(CrossingDetector(line), Walk(1, path(outside, inside))) == [(1, "in")]
    assert directions(CrossingDetector(line), Walk(1, path(inside, outside))) == [(1, "out")]
    assert directions(CrossingDetector(line), Walk(1, path(outside, inside, outside, frames=60))) == [
        (1, "in"),
        (1, "out"),
    ]


def test_a_slanting_line_is_crossed_once() -> None:
    line = drawn((200, 100), (600, 300))
    assert directions(CrossingDetector(line), Walk(1, path((350, 350), (450, 50)))) == [(1, "in")]
    assert directions(CrossingDetector(line), Walk(1, path((450, 50), (350, 350)))) == [(1, "out")]


def test_a_crossing_tells_line_track_and_the_time_of_the_frame() -> None:
    (crossing,) = crossings_of(CrossingDetector(DOOR), Walk(7, path(LEFT, RIGHT, frames=21)), begin_s=100.0)
    assert (crossing.line, crossing.track) == ("door", 7)
    assert crossing.time_s == pytest.approx(101.1)  # 10 px beyond the line: out of the dead band


def test_somebody_who_stands_on_the_line_and_trembles_is_not_counted() -> None:
    trembling = [(400 + 5 * (-1) ** i, 200.0) for i in range(300)]
    assert directions(CrossingDetector(DOOR), Walk(1, [*path(LEFT, (395, 200)), *trembling])) == []


def test_somebody_who_stops_on_the_line_is_counted_once_on_leaving_it() -> None:
    rng = np.random.default_rng(4)
    standing = [(400 + float(x), 200.0) for x in np.clip(rng.normal(0, 2, 600), -5.9, 5.9)]
    through = [*path(LEFT, (398, 200)), *standing, *path((402, 200), RIGHT)]
    assert directions(CrossingDetector(DOOR), Walk(1, through)) == [(1, "in")]
    back = [*path(LEFT, (398, 200)), *standing, *path((398, 200), LEFT)]
    assert directions(CrossingDetector(DOOR), Walk(2, back)) == []


def test_a_flicker_over_the_dead_band_within_the_debounce_is_one_crossing() -> None:
    flicker = [(400 + 10 * (-1) ** i, 200.0) for i in range(4)]  # 0.4 s: within the debounce of 0.5 s
    walk = [*path(LEFT, (390, 200)), *flicker, *path((410, 200), RIGHT)]
    assert directions(CrossingDetector(DOOR), Walk(1, walk)) == [(1, "in")]


def test_a_return_after_the_debounce_counts_even_if_it_began_within() -> None:
    walk = [*path(LEFT, (410, 200), frames=11), (380.0, 200.0), *[(300.0, 200.0)] * 10]
    assert directions(CrossingDetector(DOOR), Walk(1, walk)) == [(1, "in"), (1, "out")]


def test_each_of_several_people_in_one_frame_is_counted_for_himself() -> None:
    walks = [Walk(n, path((300, 60 + 30 * n), (500, 60 + 30 * n))) for n in range(1, 5)]
    walks += [Walk(n, path((500, 60 + 30 * n), (300, 60 + 30 * n))) for n in range(5, 8)]
    counted = directions(CrossingDetector(DOOR), *walks)
    assert sorted(counted) == [(n, "in") for n in range(1, 5)] + [(n, "out") for n in range(5, 8)]


@pytest.mark.parametrize(("y", "crossed"), [(45.0, False), (55.0, True), (345.0, True), (355.0, False)])
def test_only_the_stretch_between_the_ends_counts(y: float, crossed: bool) -> None:
    assert bool(directions(CrossingDetector(DOOR), Walk(1, path((300, y), (500, y))))) == crossed


def test_whoever_walks_around_the_end_of_a_line_has_not_crossed_it() -> None:
    around = path((300, 200), (300, 20), (500, 20), (500, 200), frames=80)
    assert directions(CrossingDetector(DOOR), Walk(1, around)) == []
    there_and_back_through = [*around, *path((500, 200), (300, 200))]
    assert directions(CrossingDetector(DOOR), Walk(1, there_and_back_through)) == [(1, "out")]


def test_the_place_of_a_crossing_is_where_the_path_met_the_line_not_where_it_was_seen_next() -> None:
    # A fast walker: seen at 30 % of the line's length on one side, then beyond its end on the other.
    assert directions(CrossingDetector(DOOR), Walk(1, [(390, 330), (420, 390)])) == [(1, "in")]
    assert directions(CrossingDetector(DOOR), Walk(1, [(330, 330), (420, 390)])) == []


def test_somebody_lost_and_found_on_the_other_side_is_counted() -> None:
    walk: list[tuple[float, float] | None] = [*path(LEFT, (380, 200)), *[None] * 8, *path((420, 200), RIGHT)]
    assert directions(CrossingDetector(DOOR), Walk(1, walk)) == [(1, "in")]


def test_a_new_id_on_the_other_side_is_no_crossing_and_a_forgotten_one_does_not_linger() -> None:
    counter = CrossingDetector(DOOR)
    assert directions(counter, Walk(1, path(LEFT, (390, 200)))) == []
    counter.update(observed({}, 100.0, gone=[1]))
    assert directions(counter, Walk(2, path((410, 200), RIGHT))) == []
    assert directions(counter, Walk(1, path((410, 200), RIGHT))) == []
    assert set(counter.snapshot()) == {"1", "2"}


def test_memory_is_given_back_for_tracks_that_are_gone() -> None:
    counter = CrossingDetector(DOOR)
    for track in range(1, 500):
        directions(counter, Walk(track, path(LEFT, RIGHT, frames=3)))
        counter.update(observed({}, 100.0, gone=[track]))
    assert counter.snapshot() == {}


def test_whoever_first_appears_on_the_line_is_counted_only_once_a_side_is_known() -> None:
    assert directions(CrossingDetector(DOOR), Walk(1, path((400, 200), RIGHT))) == []
    assert directions(CrossingDetector(DOOR), Walk(1, path((400, 200), RIGHT, LEFT, frames=60))) == [(1, "out")]


@pytest.mark.parametrize(
    ("line", "walk"),
    [
        (drawn((20, 393), (780, 393)), path((400, 300), (400, 400))),  # 7 px above the lower edge
        (drawn((20, 397), (780, 397)), path((400, 300), (400, 400))),  # 3 px: narrower than the dead band
        (drawn((3, 20), (3, 380)), path((100, 200), (0, 200))),
        (drawn((797, 380), (797, 20)), path((700, 200), (800, 200))),
    ],
)
def test_a_line_near_the_frames_edge_can_be_crossed(line: object, walk: list[tuple[float, float]]) -> None:
    counter = CrossingDetector(line)  # type: ignore[arg-type]
    there_and_back = [*walk, *[walk[-1]] * 5, *walk[::-1]]
    counted = [direction for _, direction in directions(counter, Walk(1, there_and_back))]
    assert sorted(counted) == ["in", "out"]


def test_the_state_continues_after_a_snapshot_as_if_nothing_had_happened() -> None:
    walk = Walk(1, path(LEFT, RIGHT, LEFT, RIGHT, frames=90))
    whole = CrossingDetector(DOOR)
    expected = crossings_of(whole, walk)
    for cut in range(1, 90):
        first, second = CrossingDetector(DOOR), CrossingDetector(DOOR)
        found = crossings_of(first, Walk(1, walk.places[:cut]))
        second.restore(json.loads(json.dumps(first.snapshot())))
        found += crossings_of(second, Walk(1, walk.places[cut:]), begin_s=cut / 10)
        assert [(c.direction, round(c.time_s, 6)) for c in found] == [
            (c.direction, round(c.time_s, 6)) for c in expected
        ]
        assert second.snapshot()["1"] == pytest.approx(whole.snapshot()["1"])
