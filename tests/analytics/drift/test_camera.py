from __future__ import annotations

import json
from collections.abc import Callable
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from analytics.drift.camera import JUDGED_S, PROPOSED_S, CameraDrift
from analytics.drift.causes import Verdict
from analytics.drift.people import PeopleFrame
from analytics.drift.population import SLICE_S
from analytics.drift.watch import LOOK_FRAMES
from pipelines.types import FrameStamp, Image
from tests.analytics.drift.pictures import Hall

FPS = 5.0
MONDAY_NOON_S = 4 * 86400.0 + 12 * 3600


class Watched:
    """A camera before a hall, frame after frame."""

    def __init__(self, drift: CameraDrift | None = None, begun_s: float = MONDAY_NOON_S) -> None:
        self.drift = drift or CameraDrift()
        self.hall = Hall(31)
        self.time_s = begun_s
        self.frames = 0

    def run(self, seconds: float, picture: Callable[[], Image] | None = None) -> None:
        for _ in range(round(seconds * FPS)):
            # Pictures are made only where one is looked at.
            looked_at = self.frames % LOOK_FRAMES == 0
            shown = (picture or self.hall.picture)() if looked_at else self.hall.picture(people=0, noise=0)
            self.drift.show(shown, FrameStamp(self.frames, self.time_s))
            self.frames += 1
            self.time_s += 1 / FPS

    @property
    def causes(self) -> list[str]:
        return [verdict.cause for verdict in self.drift.verdicts]


@pytest.fixture(scope="module")
def moved() -> Watched:
    """A camera that was moved a minute ago."""
    watched = Watched()
    watched.run(150)
    assert watched.causes == []
    watched.run(60, lambda: watched.hall.picture(right=0.05))
    return watched


def people(time_s: float, number: int = 2) -> PeopleFrame:
    ids = list(range(number))
    return PeopleFrame(
        ids, np.full(number, 0.8), np.full(number, 0.3), np.full((number, 2), 0.5), [], number, time_s, 0.2
    )


def test_what_is_wrong_has_its_cause_and_the_time_since_when(moved: Watched) -> None:
    (verdict,) = moved.drift.verdicts
    assert verdict.cause == "moved"
    assert "5.0% of the width" in verdict.detail
    assert moved.time_s - 60 < verdict.since_s < moved.time_s - 20


def test_nothing_is_judged_before_everything_could_have_been_seen() -> None:
    watched = Watched()
    assert not watched.drift.judges_pictures
    watched.run(JUDGED_S - 5)
    assert not watched.drift.judges_pictures
    watched.run(10)
    assert watched.drift.judges_pictures
    assert not watched.drift.judges_people


def test_a_camera_that_stays_elsewhere_may_have_a_new_view(moved: Watched) -> None:
    (verdict,) = moved.drift.verdicts
    assert not moved.drift.proposes_renewal(verdict.since_s + PROPOSED_S - 1)
    assert moved.drift.proposes_renewal(verdict.since_s + PROPOSED_S)


def test_another_reader_goes_on_with_reference_and_state(moved: Watched) -> None:
    reference, state = (json.loads(json.dumps(one)) for one in (moved.drift.reference(), moved.drift.snapshot()))
    again = Watched(CameraDrift(), moved.time_s)
    again.drift.take_up(reference, state)
    assert again.causes == []
    again.run(60, lambda: again.hall.picture(right=0.05))
    assert again.causes == ["moved"]
    assert again.drift.verdicts[0].since_s == moved.drift.verdicts[0].since_s


def test_what_is_over_meanwhile_does_not_come_back_with_its_time(moved: Watched) -> None:
    again = Watched(CameraDrift(), moved.time_s)
    again.drift.take_up(moved.drift.reference(), moved.drift.snapshot())
    again.run(JUDGED_S + 10)
    assert again.causes == []
    assert again.drift.snapshot()["since"] == {}


def test_a_renewed_reference_is_what_the_camera_shows_from_then_on(moved: Watched) -> None:
    drift = CameraDrift()
    drift.take_up(moved.drift.reference(), moved.drift.snapshot())
    drift.renew(1)
    again = Watched(drift, moved.time_s)
    again.run(150, lambda: again.hall.picture(right=0.05))
    assert again.causes == []
    again.run(60)
    assert again.causes == ["moved"]
    assert drift.reference()["version"] == drift.snapshot()["version"] == 1


def test_what_belongs_to_another_version_is_left_out(moved: Watched) -> None:
    drift = CameraDrift(version=1)
    drift.take_up(moved.drift.reference(), moved.drift.snapshot())
    again = Watched(drift, moved.time_s)
    again.run(90, lambda: again.hall.picture(right=0.05))
    assert again.causes == []
    assert drift.reference()["version"] == 1


@pytest.mark.parametrize("broken", ["format", "view", "seasons", "population"])
def test_a_reference_that_cannot_be_read_changes_nothing(moved: Watched, broken: str) -> None:
    drift = CameraDrift()
    before = drift.reference()
    with pytest.raises(ValueError, match=broken):
        drift.take_up({**moved.drift.reference(), broken: None}, None)
    with pytest.raises(ValueError, match=r"watch|since|format"):
        drift.take_up(moved.drift.reference(), {"format": 1, "version": 0})
    assert drift.reference() == before


def test_people_are_judged_by_the_clock_on_the_wall() -> None:
    """Slices begin with the hour there, also where that is not the hour of the world."""
    kathmandu = ZoneInfo("Asia/Kathmandu")  # five hours and three quarters ahead
    drift = CameraDrift(zone=kathmandu)
    added: list[tuple[float, float]] = []
    drift._population.add = lambda counted, local_s, trusted=True: added.append((local_s, counted.covered_s))  # type: ignore[method-assign]
    begun_s = 1_790_510_400.0
    for frame in range(round(1500 * FPS)):
        drift.count(people(begun_s + frame / FPS))
    local_s = begun_s + (5 * 60 + 45) * 60
    first = local_s // SLICE_S * SLICE_S
    assert [one for one, _ in added] == [first, first + SLICE_S]
    assert added[1][1] == pytest.approx(SLICE_S)


def test_people_before_a_camera_that_is_wrong_are_no_reference(moved: Watched) -> None:
    drift = CameraDrift()
    told: list[bool] = []
    drift.take_up(moved.drift.reference(), None)
    drift._population.add = lambda counted, local_s, trusted=True: told.append(trusted)  # type: ignore[method-assign]
    watched = Watched(drift, moved.time_s)
    drift.count(people(watched.time_s))
    watched.run(60, lambda: watched.hall.picture(right=0.05))
    assert watched.causes == ["moved"]
    watched.run(60)
    assert watched.causes == []
    drift.count(people(watched.time_s + SLICE_S))
    drift.count(people(watched.time_s + 2 * SLICE_S))
    assert told == [False, True]


def test_features_are_told_by_name(moved: Watched) -> None:
    assert {"luma", "hidden", "sharpness", "noise"} <= moved.drift.features.keys()
    assert isinstance(moved.drift.verdicts[0], Verdict)
