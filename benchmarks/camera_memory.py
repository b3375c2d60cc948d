"""What one more camera adds to its reader's memory: a service of its own with few cameras, more, and more again."""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from footfall import Client
from footfall.types import RtspDefinition, StreamBody
from pipelines.models.catalogue import DEFAULT_MODEL
from pipelines.simulator.recording import write_recording
from pipelines.simulator.rtsp.camera_server import CameraServer
from pipelines.simulator.scene.camera import Camera
from pipelines.simulator.scene.scene import Scene
from serve.launch.service import Service, client
from serve.settings import load

PORT = 8010
WIDTH, HEIGHT, FPS = 1280, 720, 15
STEPS = 2, 6, 10, 14
SETTLE_S = 40.0
"""Until buffers are as large as they get."""
SAMPLES = 10


def reader_bytes() -> int:
    """Memory that the one reader has for itself, and its part of what it shares."""
    for command_line in Path("/proc").glob("[0-9]*/cmdline"):
        if b"StreamReader" in command_line.read_bytes():
            for line in (command_line.parent / "smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    return 1024 * int(line.split()[1])
    raise RuntimeError("the reader's process is not found")


def _wait_running(api: Client, cameras: int) -> None:
    deadline = time.monotonic() + 120
    while sum(view["state"] == "running" for view in api.streams()) < cameras:
        if time.monotonic() > deadline:
            raise TimeoutError(f"{cameras} cameras do not run")
        time.sleep(0.5)


def measure() -> dict[str, Any]:
    """Bytes of the reader with each number of cameras, and the slope."""
    with tempfile.TemporaryDirectory() as folder:
        scene = Scene(Camera(WIDTH, HEIGHT), people=6, seconds=10, fps=FPS, seed=21, max_overlap=0.3)
        write_recording(scene, Path(folder) / "clip", None)
        settings = load(
            None,
            data_dir=folder,
            api={"port": PORT},
            detector={"model": DEFAULT_MODEL, "placement": "inline"},
            ray={"dashboard": False},
            log_level="ERROR",
        )
        found: dict[int, float] = {}
        with (
            CameraServer({"hall": Path(folder) / "clip" / "video.mp4"}) as server,
            Service(settings),
            client(settings) as api,
        ):
            source: RtspDefinition = {"type": "rtsp", "url": server.url("hall")}
            body: StreamBody = {"source": source, "analysis_fps": 1}
            for number in range(max(STEPS)):
                api.put_stream(f"hall-{number:02d}", body)
                if number + 1 in STEPS:
                    _wait_running(api, number + 1)
                    time.sleep(SETTLE_S)
                    samples = []
                    for _ in range(SAMPLES):
                        samples.append(reader_bytes())
                        time.sleep(1.0)
                    found[number + 1] = statistics.median(samples)
                    print(f"{number + 1} cameras: {found[number + 1] / 1e6:.0f} MB", file=sys.stderr, flush=True)
    slope, base = statistics.linear_regression(list(found), list(found.values()))
    return {
        "picture": f"{WIDTH}x{HEIGHT} H.264, {FPS} frames a second",
        "megabytes": {str(cameras): round(size / 1e6) for cameras, size in found.items()},
        "megabytes_a_camera": round(slope / 1e6, 1),
        "megabytes_without": round(base / 1e6),
    }


if __name__ == "__main__":
    print(json.dumps(measure(), indent=1))
