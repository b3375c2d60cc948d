from __future__ import annotations

import json
import stat
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from analytics.counting.observer import FrameOutcome
from pipelines.batching.letterbox import Letterbox
from pipelines.batching.mailbox import WaitingFrame
from pipelines.types import Detections, FrameStamp, Tracks
from serve.streams.coco import export_coco
from serve.streams.hard_frame_folder import DAY_S, HardFrame, HardFrameFolder, SeenBox
from serve.streams.hard_frames import (
    LEAST_DOUBTFUL,
    LONGEST_SIDE_PX,
    PAUSE_S,
    HardFrameChooser,
    doubts,
    hard_frame,
)
from serve.streams.processor import ProcessedFrame

NOON_S = 1_790_000_000.0


def detections(*scores: float) -> Detections:
    boxes = np.array([[60 * i, 40, 60 * i + 40, 140] for i in range(len(scores))], np.float32).reshape(-1, 4)
    return Detections(boxes, np.array(scores, np.float32), np.zeros(len(scores), np.int32))


def tracks(*scores: float) -> Tracks:
    found = detections(*scores)
    return Tracks(np.arange(1, len(scores) + 1), found.boxes, found.scores)


def processed(
    time_s: float,
    found: Detections,
    tracked: Tracks | None = None,
    size: tuple[int, int] = (360, 640),
    picture: bool = True,
) -> ProcessedFrame:
    image = np.random.default_rng(1).integers(0, 255, (*size, 3), np.uint8)
    frame = av.VideoFrame.from_ndarray(image, "bgr24") if picture else None
    waiting = WaitingFrame(np.zeros((4, 4, 3), np.uint8), Letterbox(size, size), FrameStamp(0, time_s), frame)
    return ProcessedFrame(waiting, found, tracked or Tracks.empty(), FrameOutcome(0.2, 0, ()))


UNSURE = detections(0.9, 0.4, 0.3)


@pytest.mark.parametrize(
    ("found", "tracked", "number"),
    [
        (detections(), Tracks.empty(), 0),
        (detections(0.9, 0.8), tracks(0.9, 0.8), 0),
        (detections(0.1, 0.2), Tracks.empty(), 0),
        (UNSURE, tracks(0.9), 2),
        (UNSURE, tracks(0.9, 0.4), 1),
    ],
    ids=["empty", "sure", "noise", "unsure", "tracked"],
)
def test_doubtful_is_what_no_track_has_taken(found: Detections, tracked: Tracks, number: int) -> None:
    assert doubts(found, tracked) == number


def test_frames_in_a_row_are_not_kept() -> None:
    chooser = HardFrameChooser()
    assert chooser.wants(processed(NOON_S, UNSURE))
    assert not chooser.wants(processed(NOON_S + PAUSE_S - 0.1, UNSURE))
    assert chooser.wants(processed(NOON_S + PAUSE_S, UNSURE))
    assert chooser.wants(processed(NOON_S - 3600, UNSURE)), "the clock was set back"


def test_only_doubtful_frames_that_have_a_picture_are_kept() -> None:
    chooser = HardFrameChooser()
    assert LEAST_DOUBTFUL == 2
    assert not chooser.wants(processed(NOON_S, detections(0.9, 0.4)))
    assert not chooser.wants(processed(NOON_S, UNSURE, picture=False))
    assert chooser.wants(processed(NOON_S, UNSURE))


def test_people_are_pixelated_unless_the_operator_wants_them_to_be_seen() -> None:
    source = processed(NOON_S, UNSURE)
    blurred, plain = (hard_frame("cam", "nanodet-g", source, blur) for blur in (True, False))
    shown, clear = (cv2.imdecode(np.frombuffer(one.jpeg, np.uint8), cv2.IMREAD_COLOR) for one in (blurred, plain))
    difference = np.abs(shown.astype(int) - clear.astype(int)).mean(axis=2)
    for x1, y1, x2, y2 in UNSURE.boxes.astype(int).tolist():
        assert difference[y1:y2, x1:x2].mean() > 20
    assert difference[200:, 300:].mean() < 1


def test_boxes_are_those_of_the_kept_picture() -> None:
    found = hard_frame("cam", "m", processed(NOON_S, UNSURE, size=(1440, 2560)), True)
    assert max(found.width, found.height) == LONGEST_SIDE_PX
    assert found.boxes[1] == SeenBox(30.0, 20.0, 20.0, 50.0, 0.4)


def frame(time_s: float, stream: str = "cam") -> HardFrame:
    return HardFrame(stream, time_s, "nanodet-g", 640, 360, (SeenBox(1.0, 2.0, 30.0, 80.0, 0.4),), b"\xff\xd8picture")


def test_what_is_kept_is_read_back_the_oldest_first(tmp_path: Path) -> None:
    folder = HardFrameFolder(tmp_path / "hard", 10, 7)
    kept = [frame(NOON_S + second) for second in (5, 0, 10)]
    assert all(folder.put(one) for one in kept)
    assert list(folder.frames("cam")) == sorted(kept, key=lambda one: one.time_s)
    assert folder.streams() == ["cam"]


def test_others_cannot_read_what_is_kept(tmp_path: Path) -> None:
    HardFrameFolder(tmp_path / "hard", 10, 7).put(frame(NOON_S))
    made = list((tmp_path / "hard").rglob("*"))
    assert made
    assert all(stat.S_IMODE(path.stat().st_mode) & 0o077 == 0 for path in made)


def test_the_oldest_make_room(tmp_path: Path) -> None:
    folder = HardFrameFolder(tmp_path, 3, 7)
    for second in range(8):
        folder.put(frame(NOON_S + second))
    assert [one.time_s for one in folder.frames("cam")] == [NOON_S + second for second in (5, 6, 7)]
    assert len(list((tmp_path / "cam").iterdir())) == 6


def test_what_is_old_goes_also_where_nothing_new_comes(tmp_path: Path) -> None:
    folder = HardFrameFolder(tmp_path, 10, 7)
    folder.put(frame(NOON_S))
    folder.put(frame(NOON_S, "other"))
    folder.put(frame(NOON_S + 6 * DAY_S, "other"))
    folder.sweep(NOON_S + 7.5 * DAY_S)
    assert folder.streams() == ["other"]
    assert len(list(folder.frames("other"))) == 1


def test_a_stream_is_deleted_with_all_it_has(tmp_path: Path) -> None:
    folder = HardFrameFolder(tmp_path, 10, 7)
    folder.put(frame(NOON_S))
    folder.delete("cam")
    folder.delete("never-there")
    assert list(tmp_path.iterdir()) == []


def test_what_was_damaged_is_left_out(tmp_path: Path) -> None:
    folder = HardFrameFolder(tmp_path, 10, 7)
    for second in range(4):
        folder.put(frame(NOON_S + second))
    described = sorted((tmp_path / "cam").glob("*.json"))
    described[0].write_text("{")
    described[1].write_text(json.dumps({"format": 2}))
    described[2].with_suffix(".jpg").unlink()
    assert [one.time_s for one in folder.frames("cam")] == [NOON_S + 3]


def test_a_disk_that_refuses_is_told_once_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    folder = HardFrameFolder(tmp_path, 10, 7)
    folder.put(frame(NOON_S))

    def full(self: Path, target: Path) -> Path:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    assert not folder.put(frame(NOON_S + 1))
    assert not folder.put(frame(NOON_S + 2))
    assert [record.message for record in caplog.records if record.levelname == "WARNING"] == [
        "a hard frame cannot be kept: No space left on device"
    ]
    monkeypatch.undo()
    assert sorted(path.suffix for path in (tmp_path / "cam").iterdir()) == [".jpg", ".json"]
    assert folder.put(frame(NOON_S + 3))


def test_a_data_set_has_every_picture_and_what_the_model_saw(tmp_path: Path) -> None:
    frames = [frame(NOON_S), frame(NOON_S + 0.5), frame(NOON_S, "other")]
    assert export_coco(frames, tmp_path / "set") == 3
    found = json.loads((tmp_path / "set" / "annotations.json").read_text())
    assert [image["file_name"] for image in found["images"]] == [
        "images/cam-20260921T141320-000000.jpg",
        "images/cam-20260921T141320-500000.jpg",
        "images/other-20260921T141320-000000.jpg",
    ]
    assert all((tmp_path / "set" / image["file_name"]).read_bytes() == frames[0].jpeg for image in found["images"])
    assert [(one["id"], one["image_id"], one["bbox"]) for one in found["annotations"]] == [
        (number, number, [1.0, 2.0, 30.0, 80.0]) for number in (1, 2, 3)
    ]
    assert found["annotations"][0]["area"] == 2400.0
    assert [category["name"] for category in found["categories"]] == ["person"]


def test_a_data_set_of_nothing_is_one(tmp_path: Path) -> None:
    assert export_coco([], tmp_path / "set") == 0
    found = json.loads((tmp_path / "set" / "annotations.json").read_text())
    assert found["images"] == found["annotations"] == []
