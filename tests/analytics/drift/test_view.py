from __future__ import annotations

import json

import numpy as np
import pytest

from analytics.drift.picture import PictureFeatures, grey_of, measure
from analytics.drift.states import packed
from analytics.drift.view import ENOUGH, SETTLED, View, class_of
from pipelines.types import Image
from tests.analytics.drift.pictures import Hall, blurred, covered


def features(picture: Image) -> PictureFeatures:
    grey = grey_of(picture)
    assert grey is not None
    return measure(grey, None)


def learnt(hall: Hall, looks: int = 20, gain: float = 1.0) -> View:
    view = View()
    for _ in range(looks):
        view.learn(features(hall.picture(gain=gain)))
    return view


def test_nothing_is_compared_before_a_few_looks() -> None:
    view = learnt(Hall(1), ENOUGH - 1)
    assert view.compare(features(Hall(1).picture())) is None
    view.learn(features(Hall(1).picture()))
    assert view.compare(features(Hall(1).picture())) is not None


@pytest.mark.parametrize(
    ("brightness", "expected"), [(0, 0), (7.9, 0), (8, 1), (63.9, 3), (64, 4), (127, 4), (128, 5), (255, 5)]
)
def test_each_class_is_twice_as_bright_as_the_one_below(brightness: float, expected: int) -> None:
    assert class_of(brightness) == expected


def test_the_same_scene_is_like_itself() -> None:
    hall = Hall(1)
    found = learnt(hall).compare(features(hall.picture()))
    assert found is not None
    assert found.gain == pytest.approx(1, abs=0.03)
    assert found.hidden <= 0.03
    assert found.sharpness is not None
    assert found.noise is not None
    assert abs(found.sharpness) < 0.1
    assert abs(found.noise) < 0.15


@pytest.mark.parametrize("gain", [0.7, 0.55, 1.3, 1.6])
def test_another_light_is_another_gain_and_nothing_else(gain: float) -> None:
    hall = Hall(2)
    found = learnt(hall).compare(features(hall.picture(gain=gain)))
    assert found is not None
    assert found.gain == pytest.approx(gain, abs=0.12)
    assert found.hidden <= 0.05
    assert found.sharpness is None or abs(found.sharpness) < 0.25


def test_blur_takes_sharpness_and_hides_nothing() -> None:
    hall = Hall(3)
    found = learnt(hall).compare(features(blurred(hall.picture())))
    assert found is not None
    assert found.sharpness is not None
    assert found.sharpness < -0.6
    assert found.hidden < 0.2


@pytest.mark.parametrize("share", [0.25, 0.5, 1.0])
def test_what_is_covered_is_hidden_and_the_rest_is_sharp(share: float) -> None:
    hall = Hall(4)
    found = learnt(hall).compare(features(covered(hall.picture(), share)), 120.0)
    assert found is not None
    assert found.hidden == pytest.approx(share, abs=0.13)
    assert found.sharpness is None or abs(found.sharpness) < 0.25


@pytest.mark.parametrize("noise", [6.0, 10.0])
def test_noise_is_no_sharpness(noise: float) -> None:
    hall = Hall(5)
    found = learnt(hall).compare(features(hall.picture(noise=noise)))
    assert found is not None
    assert found.noise is not None
    assert found.sharpness is not None
    assert found.noise > 0.6
    assert abs(found.sharpness) < 0.5


def test_what_is_much_darker_is_not_compared_unless_it_should_be_bright() -> None:
    hall = Hall(5)
    view = learnt(hall)
    assert view.compare(features(hall.picture(gain=0.1))) is None
    found = view.compare(features(hall.picture(gain=0.1)), 120.0)
    assert found is not None
    assert found.sharpness is found.noise is None
    assert found.hidden < 0.2


def test_what_is_usually_brighter_is_compared_with_that() -> None:
    hall = Hall(5)
    view = learnt(hall)
    for _ in range(20):
        view.learn(features(hall.picture(gain=0.1)))
    by_itself, by_day = (view.compare(features(hall.picture(gain=0.1)), usual) for usual in (None, 120.0))
    assert by_itself is not None
    assert by_day is not None
    assert by_itself.gain == pytest.approx(1, abs=0.05)
    assert by_day.gain == pytest.approx(0.1, abs=0.03)


def test_a_hall_by_night_is_compared_with_itself_by_night() -> None:
    hall = Hall(6)
    view = learnt(hall)
    night = [features(np.minimum(hall.picture(gain=0.1), 60)) for _ in range(20)]
    for one in night:
        view.learn(one)
    found = view.compare(night[-1])
    assert found is not None
    assert found.gain == pytest.approx(1, abs=0.1)


def test_a_wall_without_anything_on_it_tells_nothing() -> None:
    view = View()
    flat = np.full((360, 640, 3), 99, np.uint8)
    for _ in range(20):
        view.learn(features(flat))
    assert view.compare(features(flat)) is None


def test_a_reference_stays_however_slowly_a_lens_gathers_dust() -> None:
    hall = Hall(7)
    view = learnt(hall, 1)
    sharp, soft = features(hall.picture(people=0)), features(blurred(hall.picture(people=0)))
    for _ in range(SETTLED):
        view.learn(sharp)
    for _ in range(2 * SETTLED):
        view.learn(soft)
    found = view.compare(soft)
    assert found is not None
    assert found.sharpness is not None
    assert found.sharpness < -0.6


def test_a_snapshot_is_json_and_compares_the_same() -> None:
    hall = Hall(8)
    view = learnt(hall)
    again = View.of(json.loads(json.dumps(view.snapshot())))
    picture = features(hall.picture())
    one, other = view.compare(picture), again.compare(picture)
    assert one is not None
    assert other is not None
    assert one == other
    assert again.version == view.version
    assert again.snapshot() == view.snapshot()


@pytest.mark.parametrize(
    "change",
    [
        {"format": 0},
        {"lights": []},
        {"lights": None},
        {"lights": [{"format": 1}] * 6},
        {"version": None},
        {"version": 1.5},
        {"aspect": float("nan")},
        {"aspect": 0},
    ],
)
def test_what_is_no_reference_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"."):
        View.of({**learnt(Hall(9), 2).snapshot(), **change})


@pytest.mark.parametrize("state", [None, [], "state", 7])
def test_what_is_no_state_at_all_is_refused(state: object) -> None:
    with pytest.raises(ValueError, match="format"):
        View.of(state)  # type: ignore[arg-type]


def test_blocks_that_are_no_numbers_are_refused() -> None:
    state = learnt(Hall(9), 2).snapshot()
    light = state["lights"][-1]
    state["lights"][-1] = {**light, "blocks": packed(np.full((3, 6, 8), np.nan), "<f4")}
    with pytest.raises(ValueError, match="numbers"):
        View.of(state)
