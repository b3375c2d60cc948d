from __future__ import annotations

import base64
from pathlib import Path

import cv2
import numpy as np
import pytest

from pipelines.sources.base import SourceLimits
from pipelines.sources.reach import Reach
from serve.definitions.base import SourceDefinition
from serve.definitions.file import FileDefinition
from serve.definitions.kafka import KafkaDefinition
from serve.definitions.rtsp import RtspDefinition
from serve.streams.probe import probe
from tests.integration.brokers import free_port
from tests.pipelines.sources.remains import nothing_left_behind, without_collecting
from tests.pipelines.sources.videos import write_video

LIMITS = SourceLimits(0.2, 1.0, 1.0)


def nowhere(kind: str, folder: Path) -> SourceDefinition:
    """A definition that cannot be opened."""
    if kind == "kafka":
        return KafkaDefinition(type="kafka", brokers=f"127.0.0.1:{free_port()}", topic="frames", key=None)
    if kind == "rtsp":
        return RtspDefinition(type="rtsp", url=f"rtsp://127.0.0.1:{free_port()}/cam")
    return FileDefinition(type="file", path=str(folder / "none.mp4"))


@pytest.mark.parametrize("kind", ["kafka", "rtsp", "file"])
def test_a_probe_that_fails_says_why_and_leaves_nothing_behind(kind: str, tmp_path: Path) -> None:
    with without_collecting():
        probe(nowhere(kind, tmp_path), 0.1, LIMITS, people_may_be_shown=False)
        with nothing_left_behind():
            results = [probe(nowhere(kind, tmp_path), 0.1, LIMITS, people_may_be_shown=False) for _ in range(5)]
    assert {(result.ok, result.error_code) for result in results} == {
        (False, "source-not-found" if kind == "file" else "source-unreachable")
    }


def snapshot(video: Path, *, people_may_be_shown: bool) -> np.ndarray:
    definition = FileDefinition(type="file", path=str(video), realtime=False)
    found = probe(definition, 0.1, LIMITS, people_may_be_shown=people_may_be_shown)
    assert found.snapshot is not None
    content = base64.b64decode(found.snapshot.partition(",")[2])
    return cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR).astype(float)


def test_a_probe_shows_which_view_it_is_and_nobody_in_it(tmp_path: Path) -> None:
    video = write_video(tmp_path / "clip.mp4", [n / 25 for n in range(5)])
    sharp = snapshot(video, people_may_be_shown=True)
    coarse = snapshot(video, people_may_be_shown=False)
    assert coarse.shape == sharp.shape
    cells = cv2.resize(coarse, (32, round(32 * coarse.shape[0] / coarse.shape[1])), interpolation=cv2.INTER_AREA)
    again = cv2.resize(cells, (coarse.shape[1], coarse.shape[0]), interpolation=cv2.INTER_NEAREST)
    assert np.abs(again - coarse).mean() < 4  # there is nothing in it but its cells
    assert np.abs(again - sharp).mean() > 4


def test_a_probe_of_what_may_not_be_opened_says_the_same_whatever_is_there(tmp_path: Path) -> None:
    (tmp_path / "there.mp4").write_bytes(b"x")
    limits = SourceLimits(0.2, 1.0, 1.0, Reach(file_dirs=(tmp_path / "recordings",), networks=("10.0.0.0/8",)))
    for kind in ("file", "rtsp", "kafka"):
        found = probe(nowhere(kind, tmp_path), 0.1, limits, people_may_be_shown=False)
        assert (found.ok, found.error_code) == (False, "source-not-allowed")
    there, none = (
        probe(FileDefinition(type="file", path=str(tmp_path / name)), 0.1, limits, people_may_be_shown=False)
        for name in ("there.mp4", "none.mp4")
    )
    assert there == none
