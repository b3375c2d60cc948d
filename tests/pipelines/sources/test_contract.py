"""What every `Source` keeps, whatever it reads from."""

from __future__ import annotations

import itertools
import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from pipelines.errors import SourceError
from pipelines.simulator.kafka_feed import KafkaFeed
from pipelines.simulator.rtsp.camera_server import CameraServer
from pipelines.sources.base import Source, SourceLimits
from pipelines.sources.file import FileSource
from pipelines.sources.kafka import KafkaSource
from pipelines.sources.rtsp import RtspSource
from pipelines.sources.simulator import SceneSettings, SimulatorSource
from tests.fakes import ScriptedSource
from tests.integration.brokers import NoidaBroker
from tests.pipelines.sources.remains import nothing_left_behind, open_and_close, without_collecting
from tests.pipelines.sources.videos import numbered, write_video

LIMITS = SourceLimits(open_s=3.0, read_s=1.0, stall_s=2.0)
FRAMES = 20


@dataclass(frozen=True)
class Kind:
    """A kind of source: one that works, and one that cannot be opened."""

    make: Callable[[], Source]
    make_broken: Callable[[], Source]
    replayable: bool


BEGUN_S = float(int(time.time()) - 60)  # brokers delete what is old, and nobody believes the future


@pytest.fixture(scope="module")
def broker() -> Iterator[NoidaBroker]:
    with NoidaBroker() as running:
        feed = KafkaFeed(running.address, "frames", "cam")
        for number in range(FRAMES):
            feed.send(numbered(number), BEGUN_S + number / 10)
        feed.flush()
        feed.close()
        yield running


@pytest.fixture(
    params=[
        "scripted",
        "file",
        "simulator",
        pytest.param("rtsp", marks=pytest.mark.integration),
        pytest.param("kafka", marks=pytest.mark.integration),
    ]
)
def kind(request: pytest.FixtureRequest, tmp_path: Path, test_cache: Path, monkeypatch: pytest.MonkeyPatch) -> Kind:
    if request.param == "file":
        video = write_video(tmp_path / "clip.mp4", [n / 10 for n in range(FRAMES)])
        return Kind(lambda: FileSource(video), lambda: FileSource(tmp_path / "none.mp4"), replayable=True)
    if request.param == "simulator":
        monkeypatch.setenv("FOOTFALL_CACHE", str(test_cache))
        scene = SceneSettings(people=1, width=160, height=90, fps=25.0, seconds=4.0)
        broken = SceneSettings(people=1, width=161, height=90)
        return Kind(lambda: SimulatorSource(scene), lambda: SimulatorSource(broken), replayable=False)
    if request.param == "rtsp":
        camera: CameraServer = request.getfixturevalue("camera")
        return Kind(
            lambda: RtspSource(camera.url("cam"), limits=LIMITS),
            lambda: RtspSource(camera.url("none"), limits=LIMITS),
            replayable=False,
        )
    if request.param == "kafka":
        address = request.getfixturevalue("broker").address

        def kafka(topic: str) -> KafkaSource:
            return KafkaSource(address, topic, "cam", start="earliest", limits=LIMITS)

        return Kind(lambda: kafka("frames"), lambda: kafka("none"), replayable=True)
    steps = [(number / 10, {"frame": number + 1}) for number in range(FRAMES)]
    refusal = SourceError("no")
    return Kind(lambda: ScriptedSource(steps), lambda: ScriptedSource(refusal=refusal), replayable=True)


def test_frames_come_in_order_and_in_the_size_that_was_told(kind: Kind) -> None:
    source = kind.make()
    try:
        info = source.connect(None)
        frames = list(itertools.islice(source.frames(threading.Event()), 10))
    finally:
        source.close()
    assert len(frames) == 10
    assert {(frame.video_frame.width, frame.video_frame.height) for frame in frames} == {(info.width, info.height)}
    times = [frame.raw_time_s for frame in frames]
    assert times == sorted(times)


def test_a_stop_ends_the_frames_soon(kind: Kind) -> None:
    source, stop = kind.make(), threading.Event()
    try:
        source.connect(None)
        frames = source.frames(stop)
        next(frames)
        stop.set()
        begun = time.monotonic()
        assert len(list(frames)) <= 1
        assert time.monotonic() - begun < LIMITS.read_s + 1
    finally:
        source.close()


def test_closing_is_idempotent_and_possible_at_any_time(kind: Kind) -> None:
    source = kind.make()
    source.close()
    source = kind.make()
    source.connect(None)
    source.close()
    source.close()


def test_frames_before_a_connection_are_a_mistake_of_ours(kind: Kind) -> None:
    with pytest.raises(RuntimeError, match="connect"):
        next(kind.make().frames(threading.Event()))


def test_a_refusal_is_a_source_error_and_leaves_nothing_open(kind: Kind) -> None:
    with without_collecting():
        assert isinstance(open_and_close(kind.make_broken()), SourceError)
        with nothing_left_behind(within_s=10):  # a camera that refuses may be in this process, too
            assert all(isinstance(open_and_close(kind.make_broken()), SourceError) for _ in range(5))


def test_positions_are_json_and_lead_to_the_next_frame_or_there_are_none(kind: Kind) -> None:
    source = kind.make()
    try:
        source.connect(None)
        first = list(itertools.islice(source.frames(threading.Event()), 12))
    finally:
        source.close()
    if not kind.replayable:
        assert all(frame.position is None for frame in first)
        return
    position = first[4].position
    assert position is not None
    again = kind.make()
    try:
        again.connect(json.loads(json.dumps(position)))
        rest = list(itertools.islice(again.frames(threading.Event()), 7))
    finally:
        again.close()
    assert [(f.raw_time_s, f.position) for f in rest] == [(f.raw_time_s, f.position) for f in first[5:]]


def test_acknowledging_does_not_block(kind: Kind) -> None:
    source = kind.make()
    try:
        source.connect(None)
        frame = next(source.frames(threading.Event()))
        begun = time.monotonic()
        source.acknowledge(frame.position or {})
        assert time.monotonic() - begun < 0.1
    finally:
        source.close()
