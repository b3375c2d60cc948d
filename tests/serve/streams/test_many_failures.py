"""A thousand cameras that cannot be had: what their attempts leave in the process."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from pipelines.simulator.recording import write_recording
from pipelines.simulator.rtsp.camera_server import CameraServer
from pipelines.simulator.scene.camera import Camera
from pipelines.simulator.scene.scene import Scene
from pipelines.sources.base import SourceLimits
from serve.definitions.rtsp import RtspDefinition
from serve.streams.probe import probe
from tests.integration.brokers import free_port
from tests.pipelines.sources.remains import nothing_left_behind, without_collecting

ATTEMPTS, AT_ONCE = 1000, 8
LIMITS = SourceLimits(5.0, 1.0, 1.0)
REASONS = {"source-unauthorized", "source-not-found", "source-unreachable", None}


def test_a_thousand_attempts_many_at_once_leave_no_thread_and_no_descriptor(tmp_path: Path) -> None:
    write_recording(Scene(Camera(160, 96), people=1, seconds=1, fps=8, seed=3), tmp_path)
    with (
        CameraServer({"cam": tmp_path / "video.mp4"}, user="viewer", password="right") as server,
        ThreadPoolExecutor(AT_ONCE) as pool,
        without_collecting(),
    ):
        good = server.url("cam")
        urls = [
            good.replace("right", "wrong"),
            good + "-unknown",
            f"rtsp://viewer:right@127.0.0.1:{free_port()}/cam",
        ]

        def attempt(number: int) -> str | None:
            url = good if number % 50 == 0 else urls[number % len(urls)]
            definition = RtspDefinition(type="rtsp", url=url)
            return probe(definition, 0.01, LIMITS, people_may_be_shown=False).error_code

        list(pool.map(attempt, range(10 * AT_ONCE)))
        with nothing_left_behind(within_s=10):  # the cameras are in this process, too
            found = set(pool.map(attempt, range(ATTEMPTS)))
    assert found == REASONS
