"""Frames in which the detector is unsure, from a stream's worker to the folder."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from analytics.errors import StoreUnavailable
from analytics.storage.base import StreamRecord
from pipelines.types import Detections, Image
from serve.streams.aside import Aside
from serve.streams.hard_frame_folder import DAY_S, HardFrame, HardFrameFolder
from serve.streams.hard_frame_keeping import HardFrameKeeper, HardFrameKeeping
from serve.streams.hard_frames import PAUSE_S, RETRY_S
from serve.streams.onlookers import Onlookers
from tests.fakes import MemoryStore, ScriptedSource
from tests.serve.streams.scripted_reader import BEGIN_S, DT, FRAMES, Reader, script, two_walkers
from tests.serve.streams.test_hard_frames import NOON_S, UNSURE, frame, processed
from tests.waiting import wait_until

IN_FLIGHT = 50
"""Frames of a recording that may be on their way when something is asked of those to come."""


def unsure(image: Image) -> Detections:
    """Two walkers who are seen clearly, and two that may be none."""
    found = two_walkers(image)
    doubtful = np.array([[4, 4, 12, 20], [100, 40, 110, 60]], np.float32)
    scores = np.concatenate([found.scores, np.array([0.4, 0.3], np.float32)])
    return Detections(np.concatenate([found.boxes, doubtful]), scores, np.zeros(len(scores), np.int32))


@pytest.fixture
def store() -> MemoryStore:
    made = MemoryStore()
    made.put_stream(StreamRecord("cam", {}))
    return made


def keeper_of(folder: Path, store: MemoryStore, *, enabled: bool = True, now_s: float = BEGIN_S) -> HardFrameKeeper:
    return HardFrameKeeper(
        folder,
        200,
        14.0,
        enabled=enabled,
        blurs=lambda _: True,
        is_registered=lambda stream: store.get_stream(stream) is not None,
        wall_clock=lambda: now_s,
    )


def test_frames_of_a_stream_are_kept_while_it_is_counted(tmp_path: Path, store: MemoryStore) -> None:
    keeper = keeper_of(tmp_path / "hard", store)
    keeping = keeper.of("cam", lambda: "a-model")
    source = ScriptedSource(script(), live=False, brighter_per_s=8.0)
    reader = Reader(store, tmp_path / "spool", source, find=unsure, onlookers=Onlookers(keeping)).start()
    reader.until_frames(FRAMES).until(lambda: reader.worker.status().hard_frames_kept == 2, "two kept frames")
    status = reader.worker.status()
    reader.stop()
    keeper.stop(1.0)
    kept = list(HardFrameFolder(tmp_path / "hard").frames("cam"))
    first, second = (round((one.time_s - BEGIN_S) / DT) for one in kept)
    assert 1 <= first <= IN_FLIGHT, "the picture of the first doubtful frame was not asked for yet"
    assert PAUSE_S / DT <= second - first <= PAUSE_S / DT + IN_FLIGHT
    assert {one.model for one in kept} == {"a-model"}
    assert [len(one.boxes) for one in kept] >= [3, 3]
    assert status.hard_frames_missed == 0
    carried = [one.frame.video_frame is not None for one in reader.frames]
    assert sum(carried) <= 2 * IN_FLIGHT, "pictures travel only while one is wanted"


def test_nothing_is_kept_unless_the_operator_says_so(tmp_path: Path, store: MemoryStore) -> None:
    keeper = keeper_of(tmp_path / "hard", store, enabled=False)
    assert keeper.of("cam", str) is None
    keeper.stop(1.0)
    assert not (tmp_path / "hard").exists()


def test_a_stream_whose_detector_is_sure_carries_no_pictures(tmp_path: Path, store: MemoryStore) -> None:
    keeper = keeper_of(tmp_path / "hard", store)
    source = ScriptedSource(script(100), live=False, brighter_per_s=8.0)
    onlookers = Onlookers(keeper.of("cam", str))
    reader = Reader(store, tmp_path / "spool", source, onlookers=onlookers).start().until_frames(100)
    reader.stop()
    keeper.stop(1.0)
    assert all(one.frame.video_frame is None for one in reader.frames)


class _Folder(HardFrameFolder):
    """One that takes its time, or refuses."""

    def __init__(self, folder: Path, put: Callable[[HardFrame], bool]) -> None:
        super().__init__(folder)
        self._put = put

    def put(self, frame: HardFrame) -> bool:
        return self._put(frame)


@pytest.fixture
def aside() -> Iterator[Aside]:
    made = Aside("hard-frames")
    made.start()
    yield made
    made.stop()


def keeping_of(folder: HardFrameFolder, aside: Aside, stream: str = "cam", blur: bool = True) -> HardFrameKeeping:
    return HardFrameKeeping(stream, lambda: "m", folder, aside, lambda _: blur)


def test_a_slow_disk_holds_up_nobody_and_what_it_has_no_room_for_is_counted(tmp_path: Path, aside: Aside) -> None:
    goes_on, begun = threading.Event(), threading.Event()
    folder = _Folder(tmp_path, lambda _: (begun.set(), goes_on.wait(10))[1])
    streams = [keeping_of(folder, aside, f"cam-{number}") for number in range(4)]
    streams[0].look(processed(NOON_S, UNSURE))
    assert begun.wait(5)
    for one in streams[1:]:
        one.look(processed(NOON_S, UNSURE))
    assert [one.missed for one in streams] == [0, 0, 1, 1]
    goes_on.set()
    wait_until(lambda: [one.kept for one in streams] == [1, 1, 0, 0], 5, "both that had room")
    streams[2].look(processed(NOON_S + RETRY_S - 0.1, UNSURE))
    assert streams[2].missed == 1
    streams[2].look(processed(NOON_S + RETRY_S, UNSURE))
    wait_until(lambda: streams[2].kept == 1, 5, "another one, soon")


def test_a_full_disk_costs_no_more_than_the_frame(
    tmp_path: Path, aside: Aside, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: Path, target: Path) -> Path:
        raise OSError(28, "No space left on device")

    keeping = keeping_of(HardFrameFolder(tmp_path), aside)
    with monkeypatch.context() as patched:
        patched.setattr(Path, "replace", full)
        keeping.look(processed(NOON_S, UNSURE))
        wait_until(lambda: keeping.missed == 1, 5, "it is counted")
    keeping.look(processed(NOON_S + PAUSE_S, UNSURE))
    wait_until(lambda: keeping.kept == 1, 5, "there is room again")
    assert keeping.missed == 1


@pytest.mark.parametrize("blur", [True, False])
def test_people_are_blurred_as_the_operator_says(tmp_path: Path, aside: Aside, blur: bool) -> None:
    keeping = keeping_of(HardFrameFolder(tmp_path), aside, blur=blur)
    keeping.look(processed(NOON_S, UNSURE))
    wait_until(lambda: keeping.kept == 1, 5, "it is kept")
    (kept,) = HardFrameFolder(tmp_path).frames("cam")
    shown = cv2.imdecode(np.frombuffer(kept.jpeg, np.uint8), cv2.IMREAD_COLOR)
    x1, y1, x2, y2 = UNSURE.boxes.astype(int).tolist()[0]
    rough = np.abs(np.diff(shown[y1:y2, x1:x2].astype(int), axis=1)).mean()
    assert (rough < 10) == blur


def test_a_picture_is_asked_for_once_a_frame_was_doubtful_and_until_one_is_kept(tmp_path: Path, aside: Aside) -> None:
    keeping = keeping_of(HardFrameFolder(tmp_path), aside)
    assert not keeping.wants_picture
    keeping.look(processed(NOON_S, UNSURE, picture=False))
    assert keeping.wants_picture
    keeping.look(processed(NOON_S + 1, UNSURE))
    assert not keeping.wants_picture
    keeping.look(processed(NOON_S + 2, UNSURE, picture=False))
    assert not keeping.wants_picture, "the next minute has not begun"


def test_what_is_old_or_of_nobody_goes_also_where_nothing_is_kept_any_more(tmp_path: Path, store: MemoryStore) -> None:
    folder = HardFrameFolder(tmp_path)
    for stream in ("cam", "removed"):
        folder.put(frame(NOON_S, stream))
    folder.put(frame(NOON_S + 10 * DAY_S, "cam"))
    keeper = keeper_of(tmp_path, store, enabled=False, now_s=NOON_S + 20 * DAY_S)
    wait_until(lambda: len(list(folder.frames("cam"))) == 1, 5, "what is old goes")
    wait_until(lambda: folder.streams() == ["cam"], 5, "what is of nobody goes")
    keeper.stop(1.0)


def test_while_nobody_knows_which_streams_there_are_all_stay(tmp_path: Path, store: MemoryStore) -> None:
    folder = HardFrameFolder(tmp_path)
    folder.put(frame(NOON_S, "removed"))
    store.away = True
    with pytest.raises(StoreUnavailable):
        store.get_stream("removed")
    keeper = keeper_of(tmp_path, store, now_s=NOON_S)
    keeper.tidy()
    keeper.stop(1.0)
    assert folder.streams() == ["removed"]


class _Failing:
    """An onlooker that is wrong about every frame."""

    wants_picture = True

    def look(self, frame: object) -> None:
        raise ValueError("an odd frame")


def test_an_onlooker_that_fails_looks_no_more_and_costs_no_count(
    tmp_path: Path, store: MemoryStore, caplog: pytest.LogCaptureFixture
) -> None:
    source = ScriptedSource(script(50), live=False, brighter_per_s=8.0)
    reader = Reader(store, tmp_path / "spool", source, onlookers=Onlookers(None, _Failing())).start().until_frames(50)
    reader.stop()
    assert reader.worker.status().analysed == 50
    assert [record.message for record in caplog.records if record.levelname == "ERROR"] == ["_Failing looks no more"]
    assert reader.frames[-1].frame.video_frame is None
