from __future__ import annotations

import json
import logging
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from analytics.counting.observer import FrameOutcome
from analytics.drift.camera import CameraDrift
from analytics.drift.watch import LOOK_FRAMES
from analytics.errors import StoreUnavailable
from analytics.storage.base import StreamRecord
from pipelines.batching.letterbox import Letterbox
from pipelines.batching.mailbox import WaitingFrame
from pipelines.types import Detections, FrameStamp, Image, Tracks
from serve.streams.drift import FIRST_KEPT_S, KEPT_S, StreamDrift
from serve.streams.processor import ProcessedFrame
from tests.analytics.drift.pictures import Hall
from tests.assigning import assign
from tests.fakes import MemoryReferences, MemoryStore

FPS = 5.0
NOON_S = 1_790_510_400.0


class Stream:
    """One stream whose pictures are watched, epoch after epoch."""

    def __init__(self) -> None:
        self.store = MemoryStore()
        self.store.put_stream(StreamRecord("cam", {}))
        self.references = MemoryReferences(self.store)
        self.hall = Hall(31)
        self.time_s, self.clock_s, self.frames = NOON_S, 0.0, 0
        self.state: dict[str, Any] | None = None
        self.drift = self.next_epoch()

    def next_epoch(self, version: int = 1, origin: str = "rtsp://camera") -> StreamDrift:
        epoch = assign(self.store, "cam", "reader")
        self.drift = StreamDrift("cam", epoch, version, origin, self.references, clock=lambda: self.clock_s)
        self.drift.begin(self.state)
        return self.drift

    def run(self, seconds: float, picture: Callable[[], Image] | None = None) -> None:
        for _ in range(round(seconds * FPS)):
            shown = (
                (picture or self.hall.picture)()
                if self.frames % LOOK_FRAMES == 0
                else self.hall.picture(people=0, noise=0)
            )
            self.drift.show(shown, FrameStamp(self.frames, self.time_s))
            self.frames += 1
            self.time_s += 1 / FPS
            self.clock_s += 1 / FPS

    def end(self) -> None:
        """The epoch ends as it should."""
        self.state = json.loads(json.dumps(self.drift.snapshot()))
        self.drift.keep(at_once=True)


@pytest.fixture(scope="module")
def watched() -> Stream:
    """A stream that was watched for long enough to know its view."""
    stream = Stream()
    stream.run(150)
    stream.end()
    return stream


def again(stream: Stream) -> Stream:
    """Another one that goes on from there, for a test of its own."""
    made = Stream()
    made.references.kept = dict(stream.references.kept)
    made.state, made.time_s, made.hall = stream.state, stream.time_s, Hall(31)
    return made


def processed(time_s: float) -> ProcessedFrame:
    box = np.array([[10, 10, 50, 100]], np.float32)
    one = np.array([0.9], np.float32)
    waiting = WaitingFrame(np.zeros((4, 4, 3), np.uint8), Letterbox((360, 640), (36, 64)), FrameStamp(0, time_s), None)
    tracks = Tracks(np.array([1]), box, one)
    return ProcessedFrame(waiting, Detections(box, one, np.zeros(1, np.int32)), tracks, FrameOutcome(0.2, 1, ()))


def test_the_next_reader_knows_what_the_camera_usually_shows(watched: Stream) -> None:
    stream = again(watched)
    stream.next_epoch()
    stream.run(60, lambda: stream.hall.picture(right=0.05))
    assert stream.drift.report().causes == ("moved",)
    assert stream.drift.report().judges_pictures


def test_who_takes_up_a_stream_can_tell_whether_anything_was_known_of_its_camera(watched: Stream) -> None:
    stream = again(watched)
    assert Stream().drift.is_new
    assert not stream.next_epoch().is_new
    assert stream.next_epoch(origin="rtsp://another").is_new


def test_another_source_is_no_camera_that_was_moved(watched: Stream) -> None:
    stream = again(watched)
    stream.next_epoch(origin="rtsp://another")
    stream.run(60, lambda: stream.hall.picture(right=0.05))
    assert stream.drift.report().causes == ()


def test_a_new_view_is_one_for_the_next_reader_too(watched: Stream) -> None:
    stream = again(watched)
    stream.next_epoch()
    stream.drift.renew(2)
    stream.run(120, lambda: stream.hall.picture(right=0.05))
    assert stream.drift.report().causes == ()
    assert stream.drift.report().version == 2
    stream.end()
    assert stream.references.kept["cam"].version == 2
    stream.next_epoch(version=2)
    stream.run(60)
    assert stream.drift.report().causes == ("moved",)


def test_a_version_that_was_asked_for_while_nobody_read_begins_anew(watched: Stream) -> None:
    stream = again(watched)
    stream.next_epoch(version=2)
    stream.run(90, lambda: stream.hall.picture(right=0.05))
    assert stream.drift.report().causes == ()


def test_what_is_known_is_written_soon_and_then_once_an_hour() -> None:
    stream = Stream()
    stream.run(20)

    def kept(after_s: float) -> bool:
        stream.references.kept.clear()
        stream.clock_s += after_s
        stream.drift.keep()
        return bool(stream.references.kept)

    assert not kept(FIRST_KEPT_S - 30)
    assert kept(FIRST_KEPT_S + 30), "spread, since streams of a reader begin together"
    assert not kept(KEPT_S - 1)
    assert kept(KEPT_S / 4 + 1)


def test_a_database_that_is_away_is_asked_again_and_nothing_is_begun_without_it(watched: Stream) -> None:
    stream = again(watched)
    stream.store.away = True
    with pytest.raises(StoreUnavailable):
        StreamDrift("cam", 1, 1, "rtsp://camera", stream.references).begin(None)
    stream.run(1)
    stream.clock_s += 2 * FIRST_KEPT_S
    stream.references.kept.clear()
    stream.drift.keep()
    stream.store.away = False
    stream.drift.keep()
    assert not stream.references.kept
    stream.clock_s += FIRST_KEPT_S
    stream.drift.keep()
    assert stream.references.kept


def test_what_was_never_begun_or_never_shown_is_not_written_over_what_is_known(watched: Stream) -> None:
    stream = again(watched)
    before = dict(stream.references.kept)
    epoch = assign(stream.store, "cam", "reader")
    StreamDrift("cam", epoch, 1, "rtsp://camera", stream.references).keep(at_once=True)
    assert stream.references.kept == before
    stream.next_epoch()
    stream.end()
    assert stream.references.kept == before


def test_a_source_that_was_mistyped_for_a_moment_costs_nothing_that_was_known(watched: Stream) -> None:
    stream = again(watched)
    before = dict(stream.references.kept)
    stream.next_epoch(origin="rtsp://another")
    stream.run(30)
    stream.end()
    assert stream.references.kept == before
    stream.clock_s += FIRST_KEPT_S
    stream.end()
    assert stream.references.kept["cam"].state["origin"] == "rtsp://another"


def test_what_is_damaged_in_the_database_stops_no_camera(
    watched: Stream, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def damaged(*_: Any) -> None:
        raise ValueError("no JSON")

    stream = again(watched)
    monkeypatch.setattr(MemoryReferences, "find", damaged)
    with caplog.at_level(logging.WARNING):
        stream.next_epoch()
    assert any("is damaged" in message for message in caplog.messages)


def test_who_has_lost_the_stream_keeps_nothing(watched: Stream) -> None:
    stream = again(watched)
    old, before = stream.drift, dict(stream.references.kept)
    stream.next_epoch()
    old.keep(at_once=True)
    assert stream.references.kept == before


def test_what_fails_in_here_fails_once_and_costs_nothing_else(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fails(*_: Any) -> None:
        raise RuntimeError("a picture that nobody foresaw")

    stream = Stream()
    monkeypatch.setattr(CameraDrift, "show", fails)
    with caplog.at_level(logging.ERROR):
        stream.run(10)
    assert caplog.messages == ["drift is not watched any more"]
    report = stream.drift.report()
    assert (report.causes, report.judges_pictures) == ((), False)
    stream.drift.keep(at_once=True)
    assert not stream.references.kept, "what is half known is not written over what was"


def test_a_reference_that_cannot_be_read_is_left_behind(watched: Stream, caplog: pytest.LogCaptureFixture) -> None:
    stream = again(watched)
    found = stream.references.kept["cam"]
    broken = {**found.state, "camera": {**found.state["camera"], "view": "nonsense"}}
    stream.references.kept["cam"] = type(found)(found.version, found.stored_s, broken)
    with caplog.at_level(logging.WARNING):
        stream.next_epoch()
    assert any("left behind" in message for message in caplog.messages)
    stream.run(60)
    assert stream.drift.report().causes == ()


def test_people_are_counted_by_what_the_tracker_says() -> None:
    stream = Stream()
    for number in range(10):
        stream.drift.count(processed(NOON_S + number / FPS))
    counted = stream.drift._camera._sampler.take()
    assert counted.covered_s == pytest.approx(2.0)


def test_features_are_rounded_so_that_a_heartbeat_stays_small(watched: Stream) -> None:
    features = watched.drift.report().features
    assert {"luma", "hidden", "sharpness", "noise"} <= features.keys()
    assert all(value == round(value, 3) for value in features.values())
