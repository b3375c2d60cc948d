"""``footfall hard-frames``: a table, a data set, and nothing left."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from serve.cli.main import app
from serve.streams.hard_frame_folder import HardFrameFolder
from tests.serve.streams.test_hard_frames import NOON_S, frame


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    folder = HardFrameFolder(tmp_path / "data" / "hard-frames")
    for second in (0, 60, 120):
        folder.put(frame(NOON_S + second, "entrance"))
    folder.put(frame(NOON_S + 30, "till"))
    return tmp_path / "data"


def hard_frames(data_dir: Path, *arguments: str) -> Result:
    return CliRunner().invoke(app, ["hard-frames", *arguments, "--data-dir", str(data_dir)])


def complaint(done: Result, code: int) -> str:
    assert done.exit_code == code, done.output
    (line,) = done.stderr.strip().splitlines()
    assert line.startswith("footfall: ")
    return line


def test_streams_are_listed_with_how_many_and_since_when(data_dir: Path) -> None:
    done = hard_frames(data_dir, "list")
    assert done.exit_code == 0, done.output
    rows = [line.split() for line in done.stdout.splitlines()]
    assert rows[1:] == [
        ["entrance", "3", "2026-09-21", "14:13:20", "UTC", "2026-09-21", "14:15:20", "UTC"],
        ["till", "1", "2026-09-21", "14:13:50", "UTC", "2026-09-21", "14:13:50", "UTC"],
    ]


@pytest.mark.parametrize(("chosen", "number"), [((), 4), (("--stream", "entrance"), 3), (("--stream", "till"), 1)])
def test_a_data_set_is_written(data_dir: Path, tmp_path: Path, chosen: tuple[str, ...], number: int) -> None:
    out = tmp_path / "set"
    done = hard_frames(data_dir, "export", "--output", str(out), *chosen)
    assert done.exit_code == 0, done.output
    document = json.loads((out / "annotations.json").read_text())
    assert len(document["images"]) == number
    assert all((out / image["file_name"]).is_file() for image in document["images"])
    assert f"{number} frames" in done.stderr


def test_those_of_a_stream_are_deleted_or_all(data_dir: Path) -> None:
    folder = HardFrameFolder(data_dir / "hard-frames")
    done = hard_frames(data_dir, "delete", "--stream", "entrance")
    assert (done.exit_code, done.stdout) == (0, "entrance: 3 deleted\n")
    assert folder.streams() == ["till"]
    assert hard_frames(data_dir, "delete", "--all").exit_code == 0
    assert folder.streams() == []
    assert hard_frames(data_dir, "delete", "--all").exit_code == 0


def test_what_makes_no_sense_is_said_in_a_line(data_dir: Path, tmp_path: Path) -> None:
    there = tmp_path / "there"
    there.mkdir()
    (there / "something").write_text("")
    assert "--stream ID, or --all" in complaint(hard_frames(data_dir, "delete"), 2)
    assert "--stream ID, or --all" in complaint(hard_frames(data_dir, "delete", "--all", "--stream", "till"), 2)
    assert "no frames of roof" in complaint(hard_frames(data_dir, "delete", "--stream", "roof"), 1)
    assert "no frames of roof" in complaint(
        hard_frames(data_dir, "export", "--output", str(tmp_path / "set"), "--stream", "roof"), 1
    )
    assert "is not empty" in complaint(hard_frames(data_dir, "export", "--output", str(there)), 1)
    assert "cannot be written" in complaint(hard_frames(data_dir, "export", "--output", str(there / "something")), 1)
    assert "there is no folder" in complaint(hard_frames(tmp_path / "mistyped", "list"), 1)
