from __future__ import annotations

import json
from pathlib import Path

import av
import pytest
from av.video.frame import PictureType

from pipelines.errors import SimulatorError
from pipelines.simulator.people.sprite_cache import SpriteCache
from pipelines.simulator.recording import write_recording
from pipelines.simulator.scene.camera import Camera
from pipelines.simulator.scene.scene import Scene
from tests.pipelines.simulator.scene.observer import count_line, read_mot


def test_the_video_has_every_frame_no_b_frames_and_regular_key_frames(recording: Path, recorded_scene: Scene) -> None:
    with av.open(str(recording / "video.mp4")) as container:
        stream = container.streams.video[0]
        assert stream.codec_context.name == "h264"
        assert (stream.codec_context.width, stream.codec_context.height) == (160, 90)
        assert stream.codec_context.pix_fmt == "yuv420p"
        assert stream.average_rate == 10
        frames = list(container.decode(stream))
    assert len(frames) == recorded_scene.frames
    assert not any(frame.pict_type == PictureType.B for frame in frames)
    assert [i for i, frame in enumerate(frames) if frame.key_frame] == [0, 20, 40, 60]


def test_a_frame_of_the_video_looks_like_the_rendered_one(recording: Path, recorded_scene: Scene) -> None:
    with av.open(str(recording / "video.mp4")) as container:
        first = next(container.decode(video=0)).to_ndarray(format="bgr24")
    difference = first.astype(int) - recorded_scene.image(0)
    assert abs(difference).mean() < 6


def test_ground_truth_lists_who_is_visible_in_each_frame(recording: Path, recorded_scene: Scene) -> None:
    tracks = read_mot(recording / "gt.txt")
    for frame in (1, 40, recorded_scene.frames):
        listed = {person: box for person, track in tracks.items() for number, box in track if number == frame}
        _, people = recorded_scene.render(frame - 1)
        assert listed == {person.id: person.box for person in people if person.counts_as_visible}


def test_person_seconds_are_the_lines_of_the_ground_truth(recording: Path) -> None:
    truth = json.loads((recording / "truth.json").read_text())
    lines = (recording / "gt.txt").read_text().splitlines()
    assert lines
    assert truth["person_seconds"] == pytest.approx(len(lines) / 10)


def test_truth_says_what_was_asked_for(recording: Path) -> None:
    truth = json.loads((recording / "truth.json").read_text())
    asked = {name: truth[name] for name in ("seed", "people", "fps", "frames", "size", "max_overlap")}
    assert asked == {"seed": 3, "people": 4, "fps": 10, "frames": 80, "size": [160, 90], "max_overlap": 0.2}


def test_an_observer_of_box_bottoms_counts_what_truth_says(sprites: SpriteCache, tmp_path: Path) -> None:
    scene = Scene(Camera(320, 180), people=5, seconds=12, fps=6, seed=2, max_overlap=0.3, cache=sprites)
    tracks: dict[int, list[tuple[int, tuple[float, float, float, float]]]] = {}
    for frame in range(scene.frames):
        for person in scene.render(frame)[1]:
            if person.counts_as_visible:
                tracks.setdefault(person.id, []).append((frame, person.box))
    counted = count_line(scene.geometry()["lines"][0], tracks.values(), 320, 180)
    directions = [crossing.direction for crossing in scene.crossings()]
    assert len(directions) >= 2
    assert counted == {"in": directions.count("in"), "out": directions.count("out")}


def test_progress_is_told_after_every_frame(empty_hall: Scene, tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    write_recording(empty_hall, tmp_path, lambda done, of: told.append((done, of)))
    assert told == [(done, 10) for done in range(1, 11)]


def test_an_empty_hall_has_an_empty_ground_truth(empty_hall: Scene, tmp_path: Path) -> None:
    write_recording(empty_hall, tmp_path / "new" / "folder")
    assert (tmp_path / "new" / "folder" / "gt.txt").read_text() == ""
    truth = json.loads((tmp_path / "new" / "folder" / "truth.json").read_text())
    assert truth["lines"] == {"door": {"in": 0, "out": 0}}
    assert truth["person_seconds"] == 0


def test_a_folder_that_cannot_be_made_is_a_clear_error(empty_hall: Scene, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(SimulatorError, match=r"cannot write the recording to .*file") as caught:
        write_recording(empty_hall, tmp_path / "file" / "out")
    assert isinstance(caught.value.__cause__, OSError)


def test_a_video_file_that_cannot_be_written_is_a_clear_error(empty_hall: Scene, tmp_path: Path) -> None:
    (tmp_path / "video.mp4").mkdir()
    with pytest.raises(SimulatorError, match="cannot write the recording"):
        write_recording(empty_hall, tmp_path)
