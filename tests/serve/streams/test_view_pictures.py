"""Pictures of a camera's view: when one is taken, what is on it, and that nobody waits for it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import cast

import cv2
import numpy as np
import pytest

from analytics.drift.causes import Verdict
from analytics.errors import StoreUnavailable
from analytics.storage.base import StreamRecord
from analytics.storage.view_pictures import StoredView, ViewKind
from pipelines.types import Detections
from serve.streams.aside import Aside
from serve.streams.drift import StreamDrift
from serve.streams.drift_report import DriftReport
from serve.streams.view_pictures import LONGEST_SIDE_PX, LOOK_S, PATIENCE_S, RETRY_S, ViewPictures, wanted
from tests.assigning import assign
from tests.fakes import MemoryStore, MemoryViewPictures
from tests.serve.streams.test_drift import Stream
from tests.serve.streams.test_hard_frames import NOON_S, detections, processed, tracks
from tests.waiting import wait_until

WELL = DriftReport(judges_pictures=True, version=1)
NOBODY, SOMEBODY = detections(0.1), detections(0.9, 0.3)
BEFORE, AFTER = StoredView(ViewKind.BEFORE, 1, NOON_S, True), StoredView(ViewKind.AFTER, 1, NOON_S + 50, True)


def wrong(cause: str, since_s: float = NOON_S, version: int = 1) -> DriftReport:
    return DriftReport((Verdict(cause, "so it is", since_s),), judges_pictures=True, version=version)


@pytest.mark.parametrize(
    ("report", "known", "kind"),
    [
        (WELL, (), ViewKind.BEFORE),
        (WELL, (BEFORE,), None),
        (WELL, (BEFORE, AFTER), None),
        (DriftReport(version=1), (), None),
        (DriftReport(judges_pictures=True, version=2), (BEFORE, AFTER), ViewKind.BEFORE),
        (wrong("frozen"), (), None),
        (wrong("traffic"), (), ViewKind.BEFORE),
        (wrong("moved"), (), ViewKind.AFTER),
        (wrong("covered"), (BEFORE,), ViewKind.AFTER),
        (wrong("dark", NOON_S + 49), (BEFORE, AFTER), None),
        (wrong("blurred", NOON_S + 51), (BEFORE, AFTER), ViewKind.AFTER),
        (wrong("moved", NOON_S, version=2), (BEFORE, AFTER), ViewKind.AFTER),
    ],
    ids=[
        *("first", "known", "both-known", "not-judged-yet", "new-reference", "frozen", "traffic", "moved-before-any"),
        *("covered", "still-wrong", "wrong-again", "wrong-in-a-new-reference"),
    ],
)
def test_which_picture_is_wanted(report: DriftReport, known: tuple[StoredView, ...], kind: ViewKind | None) -> None:
    assert wanted(report, {view.kind: view for view in known}) is kind


class _Drift:
    """What is known of a camera, as a test says."""

    is_new = False

    def __init__(self) -> None:
        self.now = WELL

    def report(self) -> DriftReport:
        return self.now


class Camera:
    """One stream whose view is pictured."""

    def __init__(self, aside: Aside) -> None:
        self.store = MemoryStore()
        self.store.put_stream(StreamRecord("cam", {}))
        self.views = MemoryViewPictures(self.store)
        self.drift = _Drift()
        self.clock_s, self.blur = 0.0, True
        self._aside = aside
        self.next_epoch()

    def next_epoch(self) -> ViewPictures:
        epoch = assign(self.store, "cam", "reader")
        drift = cast(StreamDrift, self.drift)
        args = (self.views, self._aside, lambda _: self.blur, lambda: self.clock_s)
        self.pictures = ViewPictures("cam", epoch, drift, *args)
        return self.pictures

    def show(self, found: Detections = NOBODY, after_s: float = LOOK_S, picture: bool = True) -> None:
        """A frame, and what is done about it beside."""
        self.clock_s += after_s
        self.pictures.look(processed(NOON_S + self.clock_s, found, size=(720, 1280), picture=picture))
        wait_until(lambda: not self.pictures._busy, 5, "what is done aside")

    def kinds(self) -> set[str]:
        return {kind.value for kind in self.views.find("cam")}


@pytest.fixture
def aside() -> Iterator[Aside]:
    made = Aside("view-pictures")
    made.start()
    yield made
    made.stop()


@pytest.fixture
def camera(aside: Aside) -> Camera:
    made = Camera(aside)
    made.show()  # it learns what there is
    return made


def test_a_picture_of_before_is_small_and_taken_once(camera: Camera) -> None:
    assert not camera.pictures.wants_picture
    camera.show(picture=False)
    assert camera.pictures.wants_picture
    camera.show()
    assert camera.kinds() == {"before"}
    assert not camera.pictures.wants_picture
    found = camera.views.jpeg("cam", ViewKind.BEFORE)
    assert found is not None
    view, jpeg = found
    assert (view.captured_s, view.version, view.blurred) == (NOON_S + 3 * LOOK_S, 1, True)
    shown = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    assert max(shown.shape[:2]) == LONGEST_SIDE_PX
    for _ in range(5):
        camera.show()
    assert camera.views.find("cam")[ViewKind.BEFORE] == view


def test_one_without_people_is_waited_for_but_not_for_ever(camera: Camera) -> None:
    camera.show(SOMEBODY)
    camera.show(SOMEBODY, PATIENCE_S[ViewKind.BEFORE] - 2)
    assert camera.kinds() == set()
    assert camera.pictures.wants_picture
    camera.show(SOMEBODY, 5)
    assert camera.kinds() == {"before"}


@pytest.mark.parametrize("blur", [True, False])
def test_people_are_pixelated_unless_they_may_be_shown(camera: Camera, blur: bool) -> None:
    camera.blur = blur
    camera.show(SOMEBODY)
    camera.show(SOMEBODY, PATIENCE_S[ViewKind.BEFORE])
    found = camera.views.jpeg("cam", ViewKind.BEFORE)
    assert found is not None
    assert found[0].blurred is blur
    shown = cv2.imdecode(np.frombuffer(found[1], np.uint8), cv2.IMREAD_COLOR)
    x1, y1, x2, y2 = (SOMEBODY.boxes / 2).astype(int).tolist()[0]
    rough = np.abs(np.diff(shown[y1:y2, x1:x2].astype(int), axis=1)).mean()
    assert (rough < 12) == blur


def test_what_goes_wrong_is_pictured_once_and_again_when_it_goes_wrong_anew(camera: Camera) -> None:
    camera.show()
    camera.drift.now = wrong("moved", NOON_S + camera.clock_s)
    camera.show(SOMEBODY)
    assert camera.kinds() == {"before"}
    camera.show()
    assert camera.kinds() == {"before", "after"}
    first = camera.views.find("cam")[ViewKind.AFTER]
    camera.show()
    assert camera.views.find("cam")[ViewKind.AFTER] == first
    camera.drift.now = WELL
    camera.show()
    assert camera.kinds() == {"before", "after"}, "somebody may want to know what it was"
    camera.drift.now = wrong("covered", NOON_S + camera.clock_s)
    camera.show()
    assert camera.views.find("cam")[ViewKind.AFTER].captured_s > first.captured_s


def test_what_ends_before_a_picture_was_taken_is_not_pictured(camera: Camera) -> None:
    camera.show()
    camera.drift.now = wrong("covered", NOON_S + camera.clock_s)
    camera.show(SOMEBODY)
    assert camera.pictures.wants_picture
    camera.drift.now = WELL
    camera.show(SOMEBODY)
    assert not camera.pictures.wants_picture
    assert camera.kinds() == {"before"}


def test_the_next_reader_takes_none_that_is_there(camera: Camera) -> None:
    camera.show()
    camera.drift.now = wrong("moved", NOON_S + camera.clock_s)
    camera.show()
    kept = camera.views.find("cam")
    camera.next_epoch()
    for _ in range(3):
        camera.show()
    assert camera.views.find("cam") == kept


def test_a_new_view_is_pictured_anew_and_what_was_after_vanishes(camera: Camera) -> None:
    camera.show()
    camera.drift.now = wrong("moved", NOON_S + camera.clock_s)
    camera.show()
    camera.store.put_stream(StreamRecord("cam", {}, reference_version=2))
    camera.show()  # the reader has not heard of it
    assert camera.kinds() == set()
    camera.drift.now = DriftReport(judges_pictures=False, version=2)
    camera.show()
    assert camera.kinds() == set()
    camera.drift.now = DriftReport(judges_pictures=True, version=2)
    camera.show()
    assert camera.kinds() == {"before"}
    assert camera.views.find("cam")[ViewKind.BEFORE].version == 2


def test_pictures_of_another_camera_go(camera: Camera) -> None:
    camera.show()
    camera.drift.is_new = True
    camera.drift.now = DriftReport(version=1)
    camera.next_epoch()
    camera.show()
    assert camera.kinds() == set()


def test_pictures_that_show_people_go_once_these_are_not_to_be_shown(camera: Camera) -> None:
    camera.blur = False
    camera.show()
    assert camera.kinds() == {"before"}
    camera.blur = True
    camera.drift.now = DriftReport(version=1)
    camera.next_epoch()
    camera.show()
    assert camera.kinds() == set()


def test_while_the_database_is_away_a_picture_waits(camera: Camera) -> None:
    camera.store.away = True
    with pytest.raises(StoreUnavailable):
        camera.views.find("cam")
    camera.show()
    camera.store.away = False
    camera.show()
    assert camera.kinds() == set()
    camera.show(after_s=RETRY_S)
    camera.show()
    assert camera.kinds() == {"before"}


def test_who_has_lost_the_stream_takes_none_any_more(camera: Camera, caplog: pytest.LogCaptureFixture) -> None:
    assign(camera.store, "cam", "another")
    for _ in range(3):
        camera.show()
    assert camera.kinds() == set()
    assert not camera.pictures.wants_picture
    assert not [record for record in caplog.records if record.levelname in ("WARNING", "ERROR")]


def test_a_slow_database_holds_up_nobody(aside: Aside, monkeypatch: pytest.MonkeyPatch) -> None:
    camera, goes_on, begun = Camera(aside), threading.Event(), threading.Event()
    keep: Callable[..., bool] = camera.views.keep

    def slow(*args: object) -> bool:
        begun.set()
        return goes_on.wait(10) and keep(*args)

    monkeypatch.setattr(camera.views, "keep", slow)
    camera.show()
    camera.clock_s += LOOK_S
    frame = processed(NOON_S + camera.clock_s, NOBODY, tracks())
    camera.pictures.look(frame)
    assert begun.wait(5)
    camera.pictures.look(frame)  # at once
    goes_on.set()
    wait_until(lambda: camera.kinds() == {"before"}, 5, "the picture")


def test_what_fails_in_there_is_said_once_and_ends_it(
    camera: Camera, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(camera.views, "keep", lambda *_: 1 / 0)
    for _ in range(3):
        camera.show()
    assert [record.message for record in caplog.records if record.levelname == "ERROR"] == [
        "no pictures of the view are kept any more"
    ]
    assert not camera.pictures.wants_picture


def test_a_camera_that_is_turned_and_then_said_to_be_right(aside: Aside) -> None:
    """With what really judges it, from the first minute on."""
    stream = Stream()
    views = MemoryViewPictures(stream.store)
    epoch = stream.store.list_streams()[0].epoch
    pictures = ViewPictures("cam", epoch, stream.drift, views, aside, lambda _: True, lambda: stream.clock_s)

    def run(seconds: float, right: float) -> None:
        for _ in range(round(seconds)):
            stream.run(1.0, lambda: stream.hall.picture(right=right))
            pictures.look(processed(stream.time_s, NOBODY))
            wait_until(lambda: not pictures._busy, 5, "what is done aside")

    def taken() -> dict[str, int]:
        return {kind.value: view.version for kind, view in views.find("cam").items()}

    run(40, 0.0)
    assert taken() == {}
    run(20, 0.0)
    assert taken() == {"before": 1}
    run(60, 0.05)
    assert taken() == {"before": 1, "after": 1}
    stream.store.put_stream(StreamRecord("cam", {}, reference_version=2))
    stream.drift.renew(2)
    run(30, 0.05)
    assert taken() == {}
    run(30, 0.05)
    assert taken() == {"before": 2}
