from __future__ import annotations

import json
import threading
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pandas as pd
import pytest

from analytics.errors import GeometryError
from analytics.geometry import Geometry
from pipelines.detection.onnx import OnnxDetector
from pipelines.errors import DetectorUnavailable, SourceNotFound, SourceUnsupported
from pipelines.evaluation.tracking import TrackTable, score
from pipelines.simulator.people.sprite_cache import SpriteCache
from pipelines.simulator.recording import write_recording
from pipelines.simulator.scene.camera import Camera
from pipelines.simulator.scene.scene import Scene
from pipelines.types import Detections, Image, ImageBatch
from serve.cli.recordings import read_geometry
from serve.errors import OutputError
from serve.streams.recording import analyze, recorded_at
from tests.fakes import FakeDetector
from tests.pipelines.sources.videos import write_video

SEEDS = 931, pytest.param(932, marks=pytest.mark.slow), pytest.param(933, marks=pytest.mark.slow)
"""Of scenes that nothing was ever tuned on, and nothing ever must be; each takes half a minute to draw."""
FILES = {"tracks.txt", "counts.csv", "summary.json", "heatmap.npz", "heatmap.png"}
DOOR = {"id": "door", "a": [0.5, 0.0], "b": [0.5, 1.0]}
GEOMETRY = Geometry.parse({"lines": [DOOR], "zones": [{"id": "all", "polygon": [[0, 0], [1, 0], [1, 1], [0, 1]]}]})


# -- accuracy


@pytest.fixture(scope="module")
def pets(data_dir: Path, model_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Results for PETS09-S2L1 with the default model."""
    out = tmp_path_factory.mktemp("pets")
    analyze(data_dir / "pets09_s2l1_vtest" / "video.mp4", OnnxDetector(model_path), out)
    return out


def test_people_on_pets_are_found_and_keep_their_ids(pets: Path, data_dir: Path) -> None:
    truth, ignored = TrackTable.read(data_dir / "pets09_s2l1_vtest" / "gt.txt")
    result, _ = TrackTable.read(pets / "tracks.txt")
    scores = score(truth, result, ignored)
    assert scores.mota >= 0.70
    assert scores.idf1 >= 0.60
    assert scores.hota >= 0.50


def test_tracks_of_pets_are_a_file_of_the_mot_challenge(pets: Path) -> None:
    rows = np.loadtxt(pets / "tracks.txt", delimiter=",")
    assert rows.shape[1] == 10
    frames, ids, boxes, scores = rows[:, 0], rows[:, 1], rows[:, 2:6], rows[:, 6]
    assert (frames.min(), frames.max()) == (1, 795)
    assert (frames == np.sort(frames)).all()
    assert (ids >= 1).all()
    assert (ids == ids.round()).all()
    assert len(np.unique(rows[:, :2], axis=0)) == len(rows)
    assert (boxes[:, 2:] > 0).all()
    assert ((scores > 0) & (scores <= 1)).all()
    assert (rows[:, 7:] == -1).all()


@pytest.fixture(scope="module", params=SEEDS)
def clip(request: pytest.FixtureRequest, test_cache: Path) -> Path:
    """Folder of a simulated recording with its truth; drawn once, and kept."""
    folder = test_cache / "clips" / f"640x360-15fps-40s-6-people-overlap-0.15-seed-{request.param}"
    if not folder.is_dir():
        unfinished = folder.with_name(f"{folder.name}.part")
        cache = SpriteCache(test_cache / "sprites")
        scene = Scene(Camera(640, 360), people=6, seconds=40, fps=15, seed=request.param, max_overlap=0.15, cache=cache)
        write_recording(scene, unfinished)
        unfinished.rename(folder)
    return folder


def test_counts_of_simulated_people_are_the_truth(clip: Path, model_path: Path, tmp_path: Path) -> None:
    truth = json.loads((clip / "truth.json").read_text())
    drawn = read_geometry(clip / "geometry.json")
    done = analyze(clip / "video.mp4", OnnxDetector(model_path), tmp_path, geometry=drawn)
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert summary["lines"] == truth["lines"]
    for zone, expected in truth["zones"].items():
        assert summary["zones"][zone]["entries"] == expected["entries"]
        assert summary["zones"][zone]["person_seconds"] == pytest.approx(expected["person_seconds"], rel=0.06)
    # The truth leaves out who is three quarters hidden; a detector may see them all the same.
    assert summary["people"]["person_seconds"] == pytest.approx(truth["person_seconds"], rel=0.15)
    assert summary["frames"] == done.frames == truth["frames"]
    assert summary["coverage"] == 1.0
    heat = np.load(tmp_path / "heatmap.npz")
    assert heat["person_seconds"].sum() == pytest.approx(summary["people"]["person_seconds"], rel=1e-3)
    counts = pd.read_csv(tmp_path / "counts.csv")
    for line, expected in truth["lines"].items():
        assert {way: counts[f"line.{line}.{way}"].sum() for way in ("in", "out")} == expected


# -- files


def walker(image: Image) -> Detections:
    """One person, as far to the right as the picture is bright."""
    x = float(image[8, 8, 0]) / 255 * 48
    return Detections(np.array([[x - 4, 4, x + 4, 28]], np.float32), np.ones(1, np.float32), np.zeros(1, np.int32))


def brightening(path: Path, times_s: list[float], **tags: str) -> Path:
    """A video that gets brighter from frame to frame: for `walker`, somebody crosses it from left to right."""
    with av.open(str(path), "w", options={"movflags": "use_metadata_tags"}) as container:
        container.metadata.update(tags)
        stream = container.add_stream("libx264", rate=25, options={"preset": "ultrafast", "bf": "0", "crf": "1"})
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        stream.codec_context.time_base = Fraction(1, 1000)
        for number, time_s in enumerate(times_s):
            level = 40 + round(180 * number / len(times_s))
            frame = av.VideoFrame.from_ndarray(np.full((64, 96, 3), level, np.uint8), format="bgr24")
            frame.pts, frame.time_base = round(time_s * 1000), Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


TEN_SECONDS = [n / 25 for n in range(250)]


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return brightening(tmp_path_factory.mktemp("video") / "walk.mp4", TEN_SECONDS)


def run(video: Path, out: Path, **options: Any) -> dict[str, Any]:
    """The summary."""
    analyze(video, FakeDetector(walker), out, **({"geometry": GEOMETRY} | options))
    summary: dict[str, Any] = json.loads((out / "summary.json").read_text())
    return summary


def test_every_file_of_the_contract_is_there_in_its_shape(video: Path, tmp_path: Path) -> None:
    summary = run(video, tmp_path / "new" / "out")
    out = tmp_path / "new" / "out"
    assert {path.name for path in out.iterdir()} == FILES
    assert summary["lines"] == {"door": {"in": 1, "out": 0}}
    assert summary["zones"]["all"]["entries"] == 1
    assert (summary["frames"], summary["tracks"], summary["width"], summary["height"]) == (250, 1, 96, 64)
    assert summary["seconds"] == pytest.approx(9.96)
    assert summary["coverage"] == 1.0
    with np.load(out / "heatmap.npz") as heat:
        assert set(heat) == {"person_seconds", "visits"}
        for grid in heat.values():
            assert grid.dtype == np.float32
            assert grid.shape == (36, 64)
        assert heat["person_seconds"].sum() == pytest.approx(9.96, abs=0.01)
    picture = cv2.imread(str(out / "heatmap.png"))
    assert picture is not None
    assert picture.shape[1] >= 640
    counts = pd.read_csv(out / "counts.csv")
    assert {"start", "end", "coverage", "people.mean", "line.door.in", "zone.all.entries"} <= set(counts.columns)
    assert pd.to_datetime(counts["start"], utc=True).iloc[0] == pd.Timestamp(0, tz="UTC")
    tracks = np.loadtxt(out / "tracks.txt", delimiter=",")
    assert tracks[:, 0].tolist() == list(range(1, 251))


def test_nothing_drawn_counts_nobody_but_tracks_and_heat_are_there(video: Path, tmp_path: Path) -> None:
    summary = run(video, tmp_path, geometry=None)
    assert (summary["lines"], summary["zones"]) == ({}, {})
    assert summary["people"]["person_seconds"] == pytest.approx(9.96, abs=0.01)


def test_a_video_without_people_has_all_files_and_zeros(video: Path, tmp_path: Path) -> None:
    analyze(video, FakeDetector(), tmp_path, geometry=GEOMETRY)
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert {path.name for path in tmp_path.iterdir()} == FILES
    assert (tmp_path / "tracks.txt").read_text() == ""
    assert summary["lines"] == {"door": {"in": 0, "out": 0}}
    assert summary["zones"]["all"]["person_seconds"] == 0
    assert summary["coverage"] == 1.0


def test_an_analysis_is_the_same_every_time(video: Path, tmp_path: Path) -> None:
    for name, workers in (("a", 1), ("b", 3)):
        run(video, tmp_path / name, workers=workers)
    for name in ("tracks.txt", "counts.csv", "heatmap.png"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_fewer_frames_a_second_count_the_same_people(video: Path, tmp_path: Path) -> None:
    summary = run(video, tmp_path, fps=5)
    assert summary["frames"] == pytest.approx(50, abs=1)
    assert summary["lines"] == {"door": {"in": 1, "out": 0}}
    assert summary["people"]["person_seconds"] == pytest.approx(9.96, abs=0.25)
    frames = np.loadtxt(tmp_path / "tracks.txt", delimiter=",")[:, 0]
    assert set(np.diff(frames)) <= {4.0, 5.0}  # numbers of the source's own frames


def test_times_are_those_of_the_recording(video: Path, tmp_path: Path) -> None:
    run(video, tmp_path, start_s=1_800_000_055.0)
    counts = pd.read_csv(tmp_path / "counts.csv")
    starts = pd.to_datetime(counts["start"], utc=True)
    assert [int(start.timestamp()) for start in starts] == [1_800_000_000, 1_800_000_060]
    assert counts["zone.all.entries"].tolist() == [1, 0]


def test_a_recording_that_ends_on_the_first_frame_of_a_minute_keeps_it(tmp_path: Path) -> None:
    video = brightening(tmp_path / "minute.mkv", [n / 2 for n in range(121)])
    run(video, tmp_path / "out")
    counts = pd.read_csv(tmp_path / "out" / "counts.csv")
    assert counts["people.person_seconds"].sum() == pytest.approx(60.0)
    assert (counts["coverage"] <= 1).all()
    assert (pd.to_datetime(counts["end"]) > pd.to_datetime(counts["start"])).all()


def test_a_pause_in_a_recording_was_not_seen(tmp_path: Path) -> None:
    video = brightening(tmp_path / "pause.mkv", [*(n / 10 for n in range(50)), *(30 + n / 10 for n in range(50))])
    summary = run(video, tmp_path / "out")
    assert summary["covered_s"] == pytest.approx(9.8)
    assert summary["coverage"] == pytest.approx(9.8 / 34.9, abs=1e-3)


def test_a_recordings_own_date_is_read(tmp_path: Path) -> None:
    dated = brightening(tmp_path / "dated.mp4", TEN_SECONDS[:20], creation_time="2026-03-01T09:00:00.000000Z")
    assert recorded_at(dated) == pd.Timestamp("2026-03-01T09:00:00Z").timestamp()
    odd = brightening(tmp_path / "odd.mkv", TEN_SECONDS[:20], creation_time="yesterday")
    assert recorded_at(odd) == 0.0


def test_progress_is_told_to_the_last_frame(video: Path, tmp_path: Path) -> None:
    told: list[tuple[int, int | None]] = []
    run(video, tmp_path, progress=lambda done, total: told.append((done, total)))
    assert told[-1] == (250, 250)


# -- what goes wrong


def test_a_slow_detector_loses_no_frame_at_the_end(video: Path, tmp_path: Path) -> None:
    pause = threading.Event()

    class Slow(FakeDetector):
        def detect(self, batch: ImageBatch) -> list[Detections]:
            pause.wait(0.4)
            return super().detect(batch)

    done = analyze(video, Slow(walker), tmp_path, workers=1, max_batch=8, fps=5)
    assert done.frames == pytest.approx(50, abs=1)
    assert len(np.loadtxt(tmp_path / "tracks.txt", delimiter=",")) == done.frames


def test_a_detector_that_never_works_ends_the_analysis(video: Path, tmp_path: Path) -> None:
    detector = FakeDetector(walker)
    detector.failing = DetectorUnavailable("no memory")
    with pytest.raises(DetectorUnavailable, match="fails on every batch"):
        analyze(video, detector, tmp_path)
    assert detector.closed


def test_a_missing_video_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(SourceNotFound, match=r"none\.mp4 does not exist"):
        run(tmp_path / "none.mp4", tmp_path / "out")


@pytest.mark.parametrize("kind", ["empty", "text", "folder", "sound", "headless"])
def test_what_is_no_video_is_refused_in_plain_words(video: Path, tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"{kind}.mp4"
    if kind == "empty":
        path.write_bytes(b"")
    elif kind == "text":
        path.write_text("no video " * 200)
    elif kind == "folder":
        path.mkdir()
    elif kind == "sound":
        write_video(path, [], audio_only=True)
    else:
        path.write_bytes(video.read_bytes()[:1500])
    with pytest.raises(SourceUnsupported, match=kind):
        run(path, tmp_path / "out")


def test_a_truncated_video_is_analysed_as_far_as_it_goes(tmp_path: Path) -> None:
    whole = brightening(tmp_path / "whole.mkv", TEN_SECONDS)
    (tmp_path / "cut.mkv").write_bytes(whole.read_bytes()[: whole.stat().st_size * 2 // 3])
    summary = run(tmp_path / "cut.mkv", tmp_path / "out")
    assert 100 < summary["frames"] < 250
    assert {path.name for path in (tmp_path / "out").iterdir()} == FILES


def test_a_place_that_cannot_be_written_is_told_before_the_work(video: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for out in (tmp_path / "file", tmp_path / "file" / "out"):
        detector = FakeDetector(walker)
        with pytest.raises(OutputError, match="cannot be written"):
            analyze(video, detector, out)
        assert detector.sizes == []


def test_results_that_cannot_be_written_are_told(video: Path, tmp_path: Path) -> None:
    (tmp_path / "summary.json").mkdir()
    with pytest.raises(OutputError, match="results cannot be written"):
        run(video, tmp_path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "is no JSON"),
        ('{"lines": [{"id": "door", "a": [0, 0], "b": [0, 7]}]}', r"lines\[0\].b is \[0, 7\]"),
        ("[]", "geometry must be an object"),
    ],
)
def test_a_geometry_that_makes_no_sense_is_told_in_plain_words(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "geometry.json").write_text(content)
    with pytest.raises(GeometryError, match=message):
        read_geometry(tmp_path / "geometry.json")
    with pytest.raises(GeometryError, match="cannot be read"):
        read_geometry(tmp_path / "none.json")
