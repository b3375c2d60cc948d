from __future__ import annotations

import itertools

import numpy as np
import pytest

from pipelines.simulator.scene import truth
from pipelines.simulator.scene.camera import Camera
from pipelines.simulator.scene.hall import Hall
from pipelines.simulator.scene.plan import Plan, make_plan
from tests.pipelines.simulator.scene.observer import contains, in_distance, is_beside

CAMERA = Camera(640, 360)


@pytest.fixture(scope="module", params=[(6, 0.1, 15.0, 1), (12, 1.0, 15.0, 2), (12, 1.0, 5.0, 3), (12, 1.0, 30.0, 4)])
def plan(request: pytest.FixtureRequest) -> Plan:
    people, overlap, fps, seed = request.param
    return make_plan(CAMERA, Hall(), people, int(20 * fps), fps, overlap, np.random.default_rng(seed))


def image_feet(plan: Plan) -> dict[int, list[tuple[int, float, float]]]:
    """Frame, x and y of the projected foot points by id, within the clip."""
    feet = {}
    for walk in plan.walks:
        pixels, _ = plan.camera.project_floor(walk.feet)
        frames = range(walk.start, walk.stop)
        feet[walk.id] = [(f, *xy) for f, xy in zip(frames, pixels.tolist(), strict=True) if 0 <= f < plan.frames]
    return feet


def test_crossings_are_those_of_the_projected_foot_points(plan: Plan) -> None:
    line = truth.geometry(plan.camera, plan.hall)["lines"][0]
    size = plan.camera.width, plan.camera.height
    found = []
    for person, feet in image_feet(plan).items():
        for (_, x1, y1), (frame, x2, y2) in itertools.pairwise(feet):
            before, after = in_distance(line, x1, y1, *size), in_distance(line, x2, y2, *size)
            if (before > 0) != (after > 0) and is_beside(line, x2, y2, *size):
                found.append((frame, person, "in" if after > 0 else "out"))
    assert len(found) >= 3
    assert sorted(found) == [(c.frame, c.id, c.direction) for c in truth.crossings(plan)]


def test_visits_are_those_of_the_projected_foot_points(plan: Plan) -> None:
    polygon = truth.geometry(plan.camera, plan.hall)["zones"][0]["polygon"]
    inside = {
        (person, frame)
        for person, feet in image_feet(plan).items()
        for frame, x, y in feet
        if contains(polygon, x / plan.camera.width, y / plan.camera.height)
    }
    visits = truth.visits(plan)
    assert {(v.id, frame) for v in visits for frame in range(v.first, v.last + 1)} == inside
    zone = truth.document(plan, 0)["zones"]["till"]
    assert zone == {"person_seconds": pytest.approx(len(inside) / plan.fps), "entries": len(visits)}
    assert len(visits) >= 2


def test_from_left_to_right_is_in() -> None:
    line = truth.geometry(CAMERA, Hall())["lines"][0]
    assert line["a"][1] < line["b"][1], "the line is drawn from top to bottom"
    assert in_distance(line, 600, 200, 640, 360) > 0


def test_a_slanted_line_keeps_its_direction() -> None:
    hall = Hall(line=((-2.0, 8.0), (1.0, 14.0)))
    points = np.array([[-4.0, 9.0], [3.0, 9.0], [0.0, 13.0], [0.0, 11.0]])
    line = truth.geometry(CAMERA, hall)["lines"][0]
    pixels, _ = CAMERA.project_floor(points)
    for metres, (x, y) in zip(hall.line_distance(points), pixels, strict=True):
        assert (metres > 0) == (in_distance(line, x, y, 640, 360) > 0)


def test_geometry_is_normalised_and_named() -> None:
    geometry = truth.geometry(CAMERA, Hall())
    corners = [geometry["lines"][0]["a"], geometry["lines"][0]["b"], *geometry["zones"][0]["polygon"]]
    assert all(0 <= value <= 1 for corner in corners for value in corner)
    assert (geometry["lines"][0]["id"], geometry["zones"][0]["id"]) == ("door", "till")
    assert geometry == truth.geometry(Camera(1280, 720), Hall())


def test_a_zone_out_of_view_is_refused() -> None:
    with pytest.raises(ValueError, match="zone is not wholly in"):
        truth.geometry(CAMERA, Hall(zone=((8.0, 8.0), (12.0, 8.0), (12.0, 12.0))))


def test_whoever_crosses_is_wholly_in_view_for_a_second_before_and_after(plan: Plan) -> None:
    walks = {walk.id: walk for walk in plan.walks}
    second = round(plan.fps)
    for crossing in truth.crossings(plan):
        assert second <= crossing.frame
        assert crossing.frame + second < plan.frames
        walk = walks[crossing.id]
        at = crossing.frame - walk.start
        boxes = plan.camera.outline(walk.feet[at - second : at + second + 1])
        assert len(boxes) == 2 * second + 1
        assert boxes[:, 0].min() > 0
        assert boxes[:, 1].min() > 0
        assert boxes[:, 2].max() < plan.camera.width
        assert boxes[:, 3].max() < plan.camera.height


def test_nobody_is_in_the_zone_at_the_first_frame(plan: Plan) -> None:
    assert all(visit.first > 0 for visit in truth.visits(plan))


def test_zone_distance_is_positive_inside_and_measured_to_the_border() -> None:
    hall = Hall(zone=((0.0, 0.0), (4.0, 0.0), (4.0, 4.0), (0.0, 4.0)))
    points = np.array([[1.0, 2.0], [2.0, 3.5], [-3.0, 2.0], [7.0, 8.0]])
    assert hall.zone_distance(points).tolist() == [1.0, 0.5, -3.0, -5.0]
