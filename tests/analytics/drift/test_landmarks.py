from __future__ import annotations

import json

import numpy as np
import pytest

from analytics.drift.landmarks import FIRST_LOOKS, MOST, CornerFinder, Corners, LandmarkMap, Registration
from analytics.drift.picture import grey_of
from pipelines.types import Image
from tests.analytics.drift.pictures import HEIGHT, WIDTH, Hall, blurred

ASPECT = HEIGHT / WIDTH
finder = CornerFinder()


def corners(picture: Image) -> Corners:
    grey = grey_of(picture)
    assert grey is not None
    return finder.find(grey)


def learnt(hall: Hall, looks: int = 12) -> LandmarkMap:
    made = LandmarkMap()
    for _ in range(looks):
        found = corners(hall.picture())
        made.learn(found, made.register(found, ASPECT))
    return made


def registered(landmarks: LandmarkMap, picture: Image) -> Registration:
    found = landmarks.register(corners(picture), ASPECT)
    assert found is not None
    return found


def test_there_is_no_map_before_a_few_looks_have_agreed() -> None:
    hall, landmarks = Hall(1), LandmarkMap()
    for _ in range(FIRST_LOOKS):
        assert not landmarks.is_ready
        assert landmarks.register(corners(hall.picture()), ASPECT) is None
        landmarks.learn(corners(hall.picture()), None)
    assert landmarks.is_ready


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("right", [0.0, 0.02, -0.05, 0.1])
def test_how_far_a_scene_has_gone_is_found_to_a_thousandth(seed: int, right: float) -> None:
    hall = Hall(seed)
    found = registered(learnt(hall), hall.picture(right=right))
    assert found.right == pytest.approx(right, abs=1.5e-3)
    assert found.down == pytest.approx(0, abs=1.5e-3)
    assert found.offset == pytest.approx(abs(right), abs=3e-3)


@pytest.mark.parametrize("turned_deg", [2.0, -2.0, 5.0])
def test_a_turn_is_found_with_its_sense(turned_deg: float) -> None:
    hall = Hall(5)
    found = registered(learnt(hall), hall.picture(turned_deg=turned_deg))
    assert found.turned_deg == pytest.approx(turned_deg, abs=0.3)
    assert abs(found.right) < 3e-3
    assert found.offset > 0.015


def test_light_that_changes_moves_nothing() -> None:
    hall = Hall(6)
    assert registered(learnt(hall), hall.picture(gain=0.5)).offset < 4e-3


def test_another_scene_is_not_found_again() -> None:
    assert learnt(Hall(7)).register(corners(Hall(8).picture()), ASPECT) is None


def test_a_blurred_picture_is_not_found_somewhere_else() -> None:
    hall = Hall(9)
    found = learnt(hall).register(corners(blurred(hall.picture())), ASPECT)
    assert found is None or found.offset < 0.012


def test_a_picture_without_corners_tells_nothing() -> None:
    flat = np.full((HEIGHT, WIDTH, 3), 90, np.uint8)
    assert len(corners(flat)) == 0
    landmarks = learnt(Hall(1))
    assert landmarks.register(corners(flat), ASPECT) is None
    before = landmarks.snapshot()
    landmarks.learn(corners(flat), None)
    assert landmarks.snapshot() == before


def test_people_do_not_become_landmarks() -> None:
    hall = Hall(10)
    alone, crowded = learnt(hall, 12), LandmarkMap()
    for _ in range(12):
        found = corners(hall.picture(people=12))
        crowded.learn(found, crowded.register(found, ASPECT))
    assert len(crowded) < 1.1 * len(alone)


def test_what_is_learnt_later_stands_where_it_was_in_the_first_picture() -> None:
    """A camera that sags by less than it takes to notice, again and again, is noticed in the end."""
    hall = Hall(11)
    landmarks = learnt(hall)
    offset = 0.0
    for step in range(40):
        found = corners(hall.picture(right=step * 0.0005))
        where = landmarks.register(found, ASPECT)
        assert where is not None
        landmarks.learn(found, where)
        offset = where.offset
    assert offset == pytest.approx(39 * 0.0005, abs=3e-3)


def test_a_picture_that_lies_elsewhere_teaches_nothing() -> None:
    hall = Hall(12)
    landmarks = learnt(hall)
    before = landmarks.snapshot()
    found = corners(hall.picture(right=0.05))
    landmarks.learn(found, landmarks.register(found, ASPECT))
    assert landmarks.snapshot() == before


@pytest.mark.slow
def test_what_only_the_day_shows_is_known_after_a_night() -> None:
    hall = Hall(13)
    landmarks = learnt(hall)
    known = len(landmarks)
    for _ in range(150):  # hidden points only lose trust in looks in which the rest is found
        half = corners(hall.picture())
        left = Corners(half.places[half.places[:, 0] < 0.5], half.descriptors[half.places[:, 0] < 0.5])
        landmarks.learn(left, landmarks.register(left, ASPECT))
    assert len(landmarks) > 0.9 * known


def test_a_map_is_bounded() -> None:
    landmarks = LandmarkMap()
    for seed in range(12):
        landmarks.learn(corners(Hall(seed).picture()), None)
    assert len(LandmarkMap.of(landmarks.snapshot())) <= MOST


def test_a_snapshot_is_json_and_finds_the_same() -> None:
    hall = Hall(14)
    landmarks = learnt(hall)
    again = LandmarkMap.of(json.loads(json.dumps(landmarks.snapshot())))
    assert len(again) == len(landmarks)
    assert again.looks == landmarks.looks
    picture = hall.picture(right=0.04)
    assert registered(again, picture).right == pytest.approx(registered(landmarks, picture).right, abs=1e-3)


@pytest.mark.parametrize("part", ["format", "places", "descriptors", "trust", "looks", "usual_corners"])
@pytest.mark.parametrize("value", ["AAAA", None, -1, float("nan"), 10**400, []])
def test_a_broken_snapshot_is_refused(part: str, value: object) -> None:
    with pytest.raises(ValueError, match=r"."):
        LandmarkMap.of({**learnt(Hall(15), 2).snapshot(), part: value})


def test_a_portrait_picture_is_kept_whole() -> None:
    hall, landmarks = Hall(16), LandmarkMap()

    def portrait(right: float = 0.0) -> Image:
        return np.ascontiguousarray(hall.picture(right=right)[:, 200:400])

    aspect = HEIGHT / 200
    for _ in range(12):
        found = corners(portrait())
        landmarks.learn(found, landmarks.register(found, aspect))
    again = LandmarkMap.of(json.loads(json.dumps(landmarks.snapshot())))
    assert max(corners(portrait()).places[:, 1]) > 1
    found = again.register(corners(portrait(right=0.02)), aspect)
    assert found is not None
    assert found.right == pytest.approx(0.02 * WIDTH / 200, abs=3e-3)
    assert found.share > 0.3


@pytest.mark.parametrize("seed", range(3))
def test_a_registration_maps_there_and_back(seed: int) -> None:
    rng = np.random.default_rng(seed)
    found = Registration(*rng.normal([1, 0, 0, 0], 0.1), ASPECT, 20, 0.5)
    places = rng.uniform(0, 1, (9, 2))
    assert found.unmapped(found.mapped(places)) == pytest.approx(places)
    assert found.away_from(found) == 0


@pytest.mark.slow
def test_a_camera_that_turns_a_little_every_day_cannot_take_its_map_along() -> None:
    hall = Hall(17)
    landmarks = learnt(hall)
    turned = offset = 0.0
    for step in range(30):
        found = corners(hall.picture(turned_deg=step * 0.05))
        where = landmarks.register(found, ASPECT)
        assert where is not None
        landmarks.learn(found, where)
        turned, offset = where.turned_deg, where.offset
    assert turned == pytest.approx(29 * 0.05, abs=0.3)
    assert offset > 0.01
