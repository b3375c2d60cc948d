from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from analytics.errors import GeometryError
from analytics.geometry import Geometry, PeopleLimit, Zone, ZoneLimits, foot_points

DOOR: dict[str, Any] = {
    "id": "door",
    "name": "Door",
    "a": [0.5, 0.1],
    "b": [0.5, 0.9],
    "in_name": "enter",
    "out_name": "leave",
}
TILL: dict[str, Any] = {
    "id": "till",
    "name": "Till",
    "polygon": [[0.1, 0.1], [0.4, 0.1], [0.4, 0.4], [0.1, 0.4]],
    "dwell_min_s": 3,
}


def line(**changes: Any) -> dict[str, Any]:
    return {"lines": [DOOR | changes]}


def zone(**changes: Any) -> dict[str, Any]:
    return {"zones": [TILL | changes]}


def test_the_document_of_the_contract_survives_a_round_trip() -> None:
    document = {"lines": [DOOR], "zones": [TILL], "homography": [[1, 0, 0], [0, 2, 0], [0, 0, 1]]}
    parsed = Geometry.parse(document)
    assert Geometry.parse(json.loads(json.dumps(parsed.to_json()))) == parsed
    assert parsed.lines[0].in_name == "enter"
    assert parsed.zones[0].dwell_min_s == 3.0


def test_limits_survive_a_round_trip_and_have_defaults() -> None:
    queue, occupancy = {"people": 5, "clear": None}, {"people": 20, "clear": 15, "hold_s": 0}
    limits = {"dwell_s": 300, "queue": queue, "occupancy": occupancy}
    parsed = Geometry.parse(zone(limits=limits))
    assert Geometry.parse(json.loads(json.dumps(parsed.to_json()))) == parsed
    assert parsed.zones[0].limits == ZoneLimits(300.0, PeopleLimit(5, 4, 5.0, 60.0), PeopleLimit(20, 15, 0.0, 60.0))
    assert Geometry.parse(zone(limits=None)) == Geometry.parse(zone()) == Geometry.parse(zone(limits={}))
    assert Geometry.parse(zone()).to_json()["zones"][0]["limits"] is None


@pytest.mark.parametrize("document", [{}, {"lines": None, "zones": []}, {"version": 4}])
def test_nothing_drawn_is_a_geometry_too(document: dict[str, Any]) -> None:
    assert Geometry.parse(document) == Geometry()


def test_names_and_directions_have_defaults() -> None:
    parsed = Geometry.parse({"lines": [{"id": "a", "a": [0, 0], "b": [1, 1]}]})
    assert (parsed.lines[0].name, parsed.lines[0].in_name, parsed.lines[0].out_name) == ("", "in", "out")


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ([], "geometry must be an object with lines and zones"),
        ({"line": []}, "geometry has unknown parts: line"),
        ({"lines": {}, "zones": "x"}, "zones must be a list"),
        ({"lines": "door"}, "lines must be a list"),
        ({"lines": [DOOR] * 65}, "lines has 65 entries, at most 64 are possible"),
        ({"lines": ["door"]}, r"lines\[0\] must be an object"),
        (line(colour="red"), r"lines\[0\] has unknown parts: colour"),
        (line(id="-door"), r"lines\[0\].id must be 1 to 64 letters"),
        (line(id="d" * 65), r"lines\[0\].id must be 1 to 64 letters"),
        (line(id=7), r"lines\[0\].id must be 1 to 64 letters"),
        (line(name="n" * 201), r"lines\[0\].name must be text of at most 200 characters"),
        (line(in_name=None), r"lines\[0\].in_name must be text"),
        (line(a=[0.5]), r"lines\[0\].a must be a point \[x, y\]"),
        (line(a=[0.5, True]), r"lines\[0\].a must be a point"),
        (line(b=[0.5, float("nan")]), r"lines\[0\].b must be a point"),
        (line(b=[0.5, 1.2]), r"lines\[0\].b is \[0.5, 1.2\]: coordinates are shares of the picture"),
        (line(b=[0.5, 0.105]), r"lines\[0\]: a and b are the same point"),
        ({"lines": [DOOR, DOOR]}, "lines repeat the id 'door'"),
        ({"zones": [TILL, TILL]}, "zones repeat the id 'till'"),
        (zone(polygon=[[0, 0], [1, 1]]), r"zones\[0\].polygon must have 3 to 64 points"),
        (zone(polygon="square"), r"zones\[0\].polygon must have 3 to 64 points"),
        (zone(polygon=[[0, 0], [0.5, 0.5], [1, 1]]), r"zones\[0\].polygon encloses no area"),
        (zone(polygon=[[0, 0], [1, 0.9], [1, 0], [0, 1]]), r"zones\[0\].polygon crosses itself"),
        (zone(polygon=[[0, 0], [1, 0], [1, "y"]]), r"zones\[0\].polygon\[2\] must be a point"),
        (zone(dwell_min_s=-1), r"zones\[0\].dwell_min_s must be between 0 and 3600 seconds"),
        (zone(dwell_min_s="long"), r"zones\[0\].dwell_min_s must be between 0 and 3600 seconds"),
        (zone(limits=5), r"zones\[0\].limits must be an object"),
        (zone(limits={"people": 5}), r"zones\[0\].limits has unknown parts: people"),
        (zone(limits={"dwell_s": -1}), r"zones\[0\].limits.dwell_s must be between 0 and 86400 seconds"),
        (zone(limits={"queue": {}}), r"zones\[0\].limits.queue.people must be a whole number from 1 to 10,000"),
        (zone(limits={"queue": {"people": 2.5}}), r"limits.queue.people must be a whole number"),
        (zone(limits={"queue": {"people": True}}), r"limits.queue.people must be a whole number"),
        (zone(limits={"occupancy": {"people": 3, "clear": 3}}), r"occupancy.clear must be a whole number from 0 to"),
        (zone(limits={"queue": {"people": 3, "hold_s": 1e9}}), r"queue.hold_s must be between 0 and 3600 seconds"),
        (zone(limits={"queue": {"people": 3, "cool_down_s": None}}), r"cool_down_s must be between 0 and 86400"),
        (zone(limits={"queue": {"people": 3, "over": 1}}), r"limits.queue has unknown parts: over"),
        (zone(id=""), r"zones\[0\].id must be 1 to 64 letters"),
        ({"homography": [[1, 0], [0, 1]]}, "homography must be 3 rows of 3 numbers"),
        ({"homography": [[1, 0, 0], [0, 1], [0, 0, 1]]}, "homography must be 3 rows of 3 numbers"),
        ({"homography": "unit"}, "homography must be 3 rows of 3 numbers"),
        ({"homography": [[1, 0, 0], [2, 0, 0], [0, 0, 1]]}, "homography cannot be inverted"),
    ],
)
def test_what_makes_no_sense_is_refused_in_plain_words(document: Any, message: str) -> None:
    with pytest.raises(GeometryError, match=message):
        Geometry.parse(document)


HOURGLASS = [[0.1, 0.1], [0.9, 0.1], [0.5, 0.5], [0.9, 0.9], [0.1, 0.9], [0.5, 0.5]]


@pytest.mark.parametrize(
    ("document", "message"),
    [
        (zone(polygon=HOURGLASS), r"zones\[0\].polygon touches itself"),
        (zone(polygon=[[0.1, 0.1], [0.9, 0.1], [0.9, 0.9], [0.5, 0.1]]), "touches itself"),  # a corner on an edge
        (zone(polygon=[[0.1, 0.1], [0.9, 0.1], [0.5, 0.1], [0.5, 0.9]]), "touches itself"),  # an edge that runs back
        (zone(polygon=[[0.1, 0.1], [0.9, 0.1], [0.9, 0.1], [0.5, 0.9]]), "touches itself"),  # a corner twice
        ({"homography": [[1e300, 0, 0], [0, 1, 0], [0, 0, 1]]}, "homography must have entries of at most 1,000,000"),
    ],
)
def test_what_is_drawn_anew_must_be_better_than_what_is_stored(document: Any, message: str) -> None:
    with pytest.raises(GeometryError, match=message):
        Geometry.drawn(document)
    assert Geometry.parse(document) != Geometry()  # a stream that has it goes on


def test_what_can_be_counted_may_be_drawn() -> None:
    letter_u = [[0.1, 0.1], [0.3, 0.1], [0.3, 0.6], [0.7, 0.6], [0.7, 0.1], [0.9, 0.1], [0.9, 0.9], [0.1, 0.9]]
    document = {
        "lines": [DOOR],
        "zones": [TILL | {"polygon": letter_u}],
        "homography": [[12, 0, -3], [0, 9, 1], [0, 0, 1]],
    }
    assert Geometry.drawn(document) == Geometry.parse(document)


def test_a_line_and_a_zone_may_share_an_id() -> None:
    parsed = Geometry.parse({"lines": [DOOR | {"id": "x"}], "zones": [TILL | {"id": "x"}]})
    assert parsed.lines[0].id == parsed.zones[0].id == "x"


def test_the_foot_point_is_the_bottom_centre_of_the_box_cut_at_the_frame() -> None:
    boxes = np.array([[10, 20, 30, 60], [-20, 0, 20, 50], [180, 50, 220, 130]], np.float32)
    feet = foot_points(boxes, (100, 200))
    assert feet == pytest.approx(np.array([[0.1, 0.6], [0.05, 0.5], [0.95, 1.0]]))


def inside(polygon: list[list[float]], *points: tuple[float, float]) -> list[bool]:
    drawn = Zone("z", tuple((x, y) for x, y in polygon))
    return drawn.contains(np.array(points, np.float64)).tolist()


def test_a_concave_zone_leaves_its_notch_out() -> None:
    letter_u = [[0.1, 0.1], [0.3, 0.1], [0.3, 0.6], [0.7, 0.6], [0.7, 0.1], [0.9, 0.1], [0.9, 0.9], [0.1, 0.9]]
    assert inside(letter_u, (0.2, 0.3), (0.8, 0.3), (0.5, 0.8), (0.5, 0.3), (0.95, 0.5)) == [
        True,
        True,
        True,
        False,
        False,
    ]
    assert inside(letter_u[::-1], (0.2, 0.3), (0.5, 0.3)) == [True, False]


def test_neighbouring_zones_share_no_point_and_leave_none_out() -> None:
    left = [[0.2, 0.2], [0.5, 0.2], [0.5, 0.8], [0.2, 0.8]]
    right = [[0.5, 0.2], [0.8, 0.2], [0.8, 0.8], [0.5, 0.8]]
    border = [(0.5, y) for y in np.linspace(0.2, 0.79, 30)]
    counted = np.add(inside(left, *border), inside(right, *border))
    assert (counted == 1).all()


def test_whoever_stands_at_the_frames_edge_is_in_a_zone_that_reaches_it() -> None:
    whole = [[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]]
    assert inside(whole, (0.0, 0.0), (0.5, 1.0), (1.0, 0.5), (1.0, 1.0), (0.0, 1.0)) == [True] * 5
