from __future__ import annotations

import json
from collections.abc import Callable

import cv2
import numpy as np
import pytest

from analytics.drift.causes import Cause
from analytics.drift.season import LEAST_VALUES, SLOT_S
from analytics.drift.view import View
from analytics.drift.watch import LOOK_FRAMES, LOOK_S, PictureWatch
from pipelines.types import Image
from tests.analytics.drift.pictures import Hall, blurred, compressed, covered

FPS = 6.0
MONDAY_NOON_S = 4 * 86400.0 + 12 * 3600


class Camera:
    """A camera that is watched, one analysed frame after another."""

    def __init__(self, seed: int, watch: PictureWatch | None = None, begun_s: float = MONDAY_NOON_S) -> None:
        self.hall = Hall(seed)
        self.watch = watch or PictureWatch(View())
        self.time_s = begun_s
        self.looks = 0

    def run(self, seconds: float, picture: Callable[[], Image] | None = None) -> float | None:
        """Show it pictures for a while; returns when something was wrong first, seconds from the begin."""
        begun_s, found_s = self.time_s, None
        for _ in range(round(seconds * FPS)):
            if self.watch.wants(self.time_s):
                self.looks += 1
                self.watch.look((picture or self.hall.picture)(), self.time_s, self.time_s)
            if found_s is None and self.watch.symptoms:
                found_s = self.time_s - begun_s
            self.time_s += 1 / FPS
        return found_s

    @property
    def causes(self) -> list[Cause]:
        return [symptom.cause for symptom in self.watch.symptoms]


def running(seed: int) -> Camera:
    camera = Camera(seed)
    assert camera.run(150) is None
    return camera


def test_looks_are_bounded_by_time_and_by_frames() -> None:
    fast, slow = PictureWatch(View()), PictureWatch(View())
    picture = Hall(0).picture()

    def looks(watch: PictureWatch, fps: float) -> int:
        found = 0
        for frame in range(600):
            if watch.wants(frame / fps):
                watch.look(picture, frame / fps, frame / fps)
                found += 1
        return found

    assert looks(fast, 30.0) == pytest.approx(600 / 30 / LOOK_S, abs=1)
    assert looks(slow, 1.0) == pytest.approx(600 / LOOK_FRAMES, abs=1)


@pytest.mark.parametrize(
    ("fault", "cause"),
    [
        (lambda hall: hall.picture(right=0.02), Cause.MOVED),
        (lambda hall: hall.picture(right=-0.05), Cause.MOVED),
        (lambda hall: hall.picture(right=0.1), Cause.MOVED),
        (lambda hall: hall.picture(turned_deg=2), Cause.MOVED),
        (lambda hall: blurred(hall.picture()), Cause.BLURRED),
        (lambda hall: covered(hall.picture(), 0.5), Cause.COVERED),
        (lambda hall: covered(hall.picture(), 1.0), Cause.COVERED),
        (lambda hall: hall.picture(gain=0.02), Cause.DARK),
        (lambda hall: compressed(hall.picture(noise=3)), Cause.COMPRESSED),
    ],
    ids=["right 2%", "left 5%", "right 10%", "turned", "blurred", "half", "covered", "black", "compressed"],
)
def test_each_fault_is_seen_within_half_a_minute_and_called_by_its_name(
    fault: Callable[[Hall], Image], cause: Cause
) -> None:
    camera = running(21)
    found_s = camera.run(40, lambda: fault(camera.hall))
    assert found_s is not None
    assert found_s < 30
    assert camera.causes == [cause]
    assert camera.watch.symptoms[0].detail


def test_noise_is_told_once_it_is_known_how_much_there_is_at_this_hour() -> None:
    """In less light cameras raise their gain, and noise with it: in the first week nobody knows."""
    camera = running(21)
    camera.run(40, lambda: camera.hall.picture(noise=14))
    assert camera.causes == []
    known, noise = running(21), np.random.default_rng(21)
    for quarter in range(21 * 96):
        for value in noise.normal(0, 0.05, LEAST_VALUES):
            known.watch.seasons["noise"].add(float(value), known.time_s + (quarter - 21 * 96) * SLOT_S)
    found_s = known.run(40, lambda: known.hall.picture(noise=14))
    assert found_s is not None
    assert found_s < 30
    assert known.causes == [Cause.NOISY]


def test_the_same_picture_again_and_again_is_frozen() -> None:
    camera = running(22)
    last = camera.hall.picture()
    assert camera.run(30, lambda: last) is not None
    assert camera.causes == [Cause.FROZEN]


def test_what_is_over_is_no_symptom_any_more() -> None:
    camera = running(23)
    camera.run(40, lambda: camera.hall.picture(right=0.05))
    assert camera.causes == [Cause.MOVED]
    camera.run(40)
    assert camera.causes == []


@pytest.mark.slow
def test_a_camera_that_shakes_has_not_been_moved() -> None:
    camera, rng = running(24), np.random.default_rng(24)
    in_a_row = longest = 0
    for _ in range(40):
        camera.run(4, lambda: camera.hall.picture(right=rng.uniform(-0.025, 0.025)))
        in_a_row = in_a_row + 1 if Cause.MOVED in camera.causes else 0
        longest = max(longest, in_a_row)
    assert longest * 4 < 16  # an alert waits for more than that


def test_another_view_is_a_camera_that_was_moved() -> None:
    camera, elsewhere = running(25), Hall(99)
    camera.run(90, elsewhere.picture)
    assert camera.causes == [Cause.MOVED]


@pytest.mark.slow
def test_a_fault_does_not_become_usual() -> None:
    camera = running(26)
    camera.run(240, lambda: blurred(camera.hall.picture()))
    assert camera.causes == [Cause.BLURRED]


class Weeks:
    """A camera that is looked at for some seconds in each quarter of an hour."""

    def __init__(self, seed: int, shown: Callable[[Hall, float], Image]) -> None:
        self.watch, self.hall, self._shown = PictureWatch(View()), Hall(seed), shown
        self.told: dict[int, set[Cause]] = {}
        """Causes that were seen, by day."""

    def run(self, first_h: float, last_h: float) -> None:
        for quarter in range(round(first_h * 4), round(last_h * 4)):
            for look in range(4):
                time_s = MONDAY_NOON_S - 12 * 3600 + quarter * 900 + look * LOOK_S
                for _ in range(LOOK_FRAMES):
                    self.watch.wants(time_s)
                self.watch.look(self._shown(self.hall, time_s), time_s, time_s)
                self.told.setdefault(quarter // 96, set()).update(one.cause for one in self.watch.symptoms)


def is_day(time_s: float) -> bool:
    return 9 <= time_s % 86400 / 3600 < 20


def lit_in_part(picture: Image) -> Image:
    """By a lamp on the right."""
    by_night = picture.copy()
    by_night[:, :430] = (by_night[:, :430] * 0.02).astype(np.uint8)
    return by_night


@pytest.mark.slow
@pytest.mark.parametrize(
    "by_night",
    [
        lambda hall: hall.picture(gain=0.02, people=0),
        lambda hall: hall.picture(gain=0.15, people=0),
        lambda hall: lit_in_part(hall.picture(people=0)),
        lambda hall: hall.picture(gain=0.8, noise=9, people=0),
        lambda hall: hall.picture(gain=2.0),
    ],
    ids=["black", "dim", "a lamp", "noise", "glare"],
)
def test_what_comes_every_night_is_usual_before_a_week_is_over(by_night: Callable[[Hall], Image]) -> None:
    weeks = Weeks(27, lambda hall, time_s: hall.picture() if is_day(time_s) else by_night(hall))
    weeks.run(13, 10 * 24)
    assert [weeks.told[day] for day in range(3, 10)] == [set()] * 7
    noon_s = MONDAY_NOON_S + 10 * 86400
    dimmed = Camera(27, weeks.watch, noon_s)
    assert dimmed.run(20, lambda: dimmed.hall.picture()) is None
    assert dimmed.run(60, lambda: dimmed.hall.picture(gain=0.65)) is not None
    assert dimmed.causes == [Cause.DARK]


@pytest.mark.slow
def test_a_fault_of_the_first_week_is_not_taken_for_the_night() -> None:
    """Half the lens is covered on the second day, and stays so: it is told on every day that follows."""
    weeks = Weeks(28, lambda hall, time_s: hall.picture(gain=1.0 if is_day(time_s) else 0.6))
    weeks.run(10, 34)
    weeks._shown = lambda hall, time_s: covered(hall.picture(gain=1.0 if is_day(time_s) else 0.6), 0.5)
    weeks.run(34, 12 * 24)
    assert all(Cause.COVERED in weeks.told[day] for day in range(2, 12))


def test_pictures_of_another_shape_are_no_pictures_of_this_view() -> None:
    camera = running(28)
    found_s = camera.run(40, lambda: np.ascontiguousarray(camera.hall.picture()[:, :480]))
    assert found_s is not None
    assert camera.causes == [Cause.MOVED]
    camera.run(20)
    assert camera.causes == []


def test_pictures_of_another_size_and_the_same_shape_are_compared() -> None:
    camera = running(28)
    assert camera.run(60, lambda: cv2.resize(camera.hall.picture(), (480, 270), interpolation=cv2.INTER_AREA)) is None


def test_a_picture_too_small_to_tell_anything_is_passed_over() -> None:
    camera = running(29)
    assert camera.run(30, lambda: np.zeros((20, 20, 3), np.uint8)) is None


def test_after_a_gap_nothing_is_frozen() -> None:
    camera = running(30)
    last = camera.hall.picture()
    camera.run(30, lambda: last)
    assert camera.causes == [Cause.FROZEN]
    camera.watch.gap()
    camera.run(4, lambda: last)
    assert camera.causes == []


@pytest.mark.parametrize("step_s", [-7200.0, 7200.0, -5.0])
def test_a_clock_that_jumps_is_no_fault(step_s: float) -> None:
    camera = running(31)
    camera.time_s += step_s
    assert camera.run(60) is None


def test_another_reader_goes_on_with_a_snapshot() -> None:
    camera = running(32)
    again = PictureWatch(View.of(json.loads(json.dumps(camera.watch.view.snapshot()))))
    again.restore(json.loads(json.dumps(camera.watch.snapshot())))
    for name, season in camera.watch.seasons.items():
        again.seasons[name].restore(json.loads(json.dumps(season.snapshot())))
    moved = Camera(32, again, camera.time_s)
    assert moved.run(30) is None
    found_s = moved.run(30, lambda: moved.hall.picture(right=0.05))
    assert found_s is not None
    assert moved.causes == [Cause.MOVED]


def test_a_snapshot_that_is_asked_for_again_is_the_same() -> None:
    camera = running(33)
    assert camera.watch.snapshot() == json.loads(json.dumps(camera.watch.snapshot()))


@pytest.mark.parametrize(
    "state", [None, [], {"format": 9}, {"format": 1, "version": 0}, {"format": 1, "version": "0", "stillness": {}}]
)
def test_what_is_no_state_is_refused_and_changes_nothing(state: object) -> None:
    watch = PictureWatch(View())
    before = watch.snapshot()
    with pytest.raises(ValueError, match=r"."):
        watch.restore(state)  # type: ignore[arg-type]
    assert watch.snapshot() == before


@pytest.mark.slow
def test_one_look_that_finds_nothing_does_not_forget_what_was_found() -> None:
    camera = running(34)
    assert camera.run(30, lambda: camera.hall.picture(right=0.05)) is not None
    for _ in range(10):
        camera.run(8, lambda: camera.hall.picture(right=0.05))
        camera.run(2, Hall(99).picture)
        assert camera.causes == [Cause.MOVED]
