from __future__ import annotations

import threading
import time
from pathlib import Path

import numpy as np
import pytest

from pipelines.errors import SourceError, SourceNotFound, SourceUnsupported
from pipelines.sources.base import Position, SourceFrame
from pipelines.sources.file import FileSource
from tests.pipelines.sources.videos import number_of, write_video

STEADY = [n / 25 for n in range(40)]


def read(source: FileSource, resume: Position | None = None) -> list[SourceFrame]:
    source.connect(resume)
    try:
        return list(source.frames(threading.Event()))
    finally:
        source.close()


def numbers(frames: list[SourceFrame]) -> list[int]:
    return [number_of(frame.video_frame) for frame in frames]


@pytest.fixture(scope="module")
def steady(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_video(tmp_path_factory.mktemp("videos") / "steady.mp4", STEADY)


def test_every_frame_comes_once_in_order_with_its_time(steady: Path) -> None:
    frames = read(FileSource(steady, start_s=1000.0))
    assert numbers(frames) == list(range(40))
    assert [frame.raw_time_s for frame in frames] == pytest.approx([1000 + t for t in STEADY], abs=1e-3)


def test_what_it_is_is_known_before_the_first_frame(steady: Path) -> None:
    source = FileSource(steady)
    info = source.connect()
    assert (info.codec, info.width, info.height) == ("h264", 160, 96)
    assert source.frame_count == 40
    source.close()
    assert source.frame_count is None


@pytest.mark.parametrize("bframes", [0, 3])
@pytest.mark.parametrize("frame", [1, 7, 10, 25, 39, 40])
def test_going_on_at_a_frame_gives_the_very_same_frames(tmp_path: Path, bframes: int, frame: int) -> None:
    video = write_video(tmp_path / "clip.mp4", STEADY, bframes=bframes)
    whole = read(FileSource(video, start_s=5.0))
    rest = read(FileSource(video, start_s=5.0), {"frame": frame})
    assert [(number_of(f.video_frame), f.raw_time_s, f.position) for f in rest] == [
        (number_of(f.video_frame), f.raw_time_s, f.position) for f in whole[frame:]
    ]


def test_every_frames_position_leads_to_the_next_one(steady: Path) -> None:
    frames = read(FileSource(steady))
    position = frames[16].position
    assert position is not None
    assert numbers(read(FileSource(steady), position)) == list(range(17, 40))


def test_uneven_frame_times_are_those_of_the_file(tmp_path: Path) -> None:
    times = np.cumsum([0, 0.04, 0.2, 0.04, 1.5, 0.1, 0.04]).tolist()
    frames = read(FileSource(write_video(tmp_path / "vfr.mkv", times)))
    assert [frame.raw_time_s for frame in frames] == pytest.approx(times, abs=2e-3)


def test_a_file_whose_times_begin_late_starts_at_the_given_moment(tmp_path: Path) -> None:
    video = write_video(tmp_path / "late.mkv", [t + 3600 for t in STEADY])
    assert read(FileSource(video, start_s=7.0))[0].raw_time_s == 7.0


def test_a_damaged_stretch_costs_its_own_pictures_only(steady: Path, tmp_path: Path) -> None:
    content = bytearray(steady.read_bytes())
    pictures = content.index(b"mdat") + 4
    middle = pictures + (content.index(b"moov") - pictures) // 2
    content[middle : middle + 300] = np.random.default_rng(1).bytes(300)
    (tmp_path / "damaged.mp4").write_bytes(content)
    frames = read(FileSource(tmp_path / "damaged.mp4"))
    assert 10 <= len(frames) <= 40
    assert numbers(frames)[0] == 0
    times = [frame.raw_time_s for frame in frames]
    assert times == sorted(times)
    assert frames[-1].raw_time_s > 1.0


def test_a_file_that_was_cut_off_gives_what_there_is(tmp_path: Path) -> None:
    video = write_video(tmp_path / "whole.mkv", STEADY)
    content = video.read_bytes()
    (tmp_path / "cut.mkv").write_bytes(content[: len(content) * 2 // 3])
    frames = read(FileSource(tmp_path / "cut.mkv"))
    assert 15 < len(frames) < 40
    assert numbers(frames) == list(range(len(frames)))


def files_that_are_no_video(folder: Path) -> dict[str, Path]:
    (folder / "text.mp4").write_text("not a video, but long enough to be looked at\n" * 50)
    (folder / "empty.mp4").write_bytes(b"")
    (folder / "folder").mkdir()
    write_video(folder / "sound.m4a", [], audio_only=True)
    whole = write_video(folder / "whole.mp4", STEADY)
    (folder / "headless.mp4").write_bytes(whole.read_bytes()[:2000])  # the index of an MP4 stands at its end
    return {name: folder / name for name in ("text.mp4", "empty.mp4", "folder", "sound.m4a", "headless.mp4")}


@pytest.mark.parametrize("name", ["text.mp4", "empty.mp4", "folder", "sound.m4a", "headless.mp4"])
def test_what_is_no_video_fails_for_good_and_says_why(tmp_path: Path, name: str) -> None:
    path = files_that_are_no_video(tmp_path)[name]
    with pytest.raises(SourceUnsupported, match=name):
        read(FileSource(path))


@pytest.mark.parametrize("path", ["/nowhere/clip.mp4", "http://127.0.0.1:9/clip.mp4", "pipe:0", "x" * 5000])
def test_only_what_lies_on_the_disk_is_a_file(path: str) -> None:
    with pytest.raises(SourceError) as caught:
        FileSource(Path(path)).connect()
    if len(path) < 1000:
        assert isinstance(caught.value, SourceNotFound)
        assert "does not exist" in str(caught.value)


def test_a_recording_can_be_played_at_its_own_speed(steady: Path) -> None:
    source, begun = FileSource(steady, realtime=True), time.monotonic()
    assert len(read(source, {"frame": 20})) == 20
    assert 0.6 < time.monotonic() - begun < 3  # 20 frames of 40 ms, less the first


def test_a_stop_ends_a_recording_that_waits_for_its_next_frame(tmp_path: Path) -> None:
    video = write_video(tmp_path / "slow.mkv", [0.0, 0.04, 60.0])
    source, stop = FileSource(video, realtime=True), threading.Event()
    source.connect()
    frames = source.frames(stop)
    next(frames)
    next(frames)
    threading.Timer(0.1, stop.set).start()
    begun = time.monotonic()
    assert list(frames) == []
    assert time.monotonic() - begun < 5
    source.close()
