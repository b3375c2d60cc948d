"""A camera that shows numbered pictures, for the tests of sources."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pipelines.simulator.rtsp.camera_server import CameraServer
from tests.pipelines.sources.videos import write_video


@pytest.fixture(scope="session")
def camera_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two seconds at 25 frames a second, a key frame every ten."""
    return write_video(tmp_path_factory.mktemp("camera") / "clip.mp4", [n / 25 for n in range(50)])


@pytest.fixture
def camera(camera_clip: Path) -> Iterator[CameraServer]:
    """One camera, which asks for a password."""
    with CameraServer({"cam": camera_clip}, user="viewer", password="s3/cr@t") as running:
        yield running
