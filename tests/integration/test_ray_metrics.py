"""What Ray's own metrics ports tell of us, where the operator wants that; and that they are shut where nobody does."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from footfall import Client
from pipelines.simulator.rtsp.camera_server import CameraServer
from serve.launch.cluster import WITHOUT_METRICS
from tests.integration.brokers import free_port
from tests.integration.conftest import wait_frames
from tests.waiting import wait_until

pytestmark = [pytest.mark.integration, pytest.mark.slow, pytest.mark.timeout(240)]
SCRIPT = """
import sys
from serve.launch.service import Service
from serve.settings import load
with Service(load(None)):
    import ray
    print(ray.nodes()[0]["MetricsExportPort"], flush=True)
    sys.stdin.read()
"""
TOLD = (
    "ray_footfall_readers",
    "ray_footfall_store_up",
    "ray_footfall_fps_processed",
    "ray_footfall_streams{",
    "ray_footfall_stage_seconds",
    "ray_footfall_detector_waiting_frames",
    "ray_footfall_frame_latency_seconds_bucket",
)


@contextmanager
def service(folder: Path, model: Path, *, metrics: bool) -> Iterator[tuple[str, int]]:
    """In a process of its own; gives its address, and Ray's port for metrics."""
    port = free_port()
    wanted = {
        "FOOTFALL_DATA_DIR": str(folder),
        "FOOTFALL_DETECTOR__MODEL": str(model),
        "FOOTFALL_API__PORT": str(port),
        "FOOTFALL_RAY__DASHBOARD": "false",
        "FOOTFALL_RAY__METRICS": str(metrics).lower(),
        "FOOTFALL_LOG_LEVEL": "WARNING",
    }
    given = {name: value for name, value in os.environ.items() if name not in WITHOUT_METRICS}
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT],
        env={**given, **wanted},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdin is not None
    try:
        line = process.stdout.readline()
        assert line, "the service has not come up"
        yield f"http://127.0.0.1:{port}", int(line)
    finally:
        process.stdin.close()
        process.wait(60)


def scraped(port: int) -> str:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/metrics", timeout=5).text
    except httpx.TransportError:
        return ""


def test_ray_is_told_of_readers_and_streams_as_a_whole_where_somebody_wants_that(
    tmp_path: Path, model_path: Path, cameras: CameraServer
) -> None:
    with service(tmp_path, model_path, metrics=True) as (url, port), Client(url) as api:
        api.put_stream("hall", {"source": {"type": "rtsp", "url": cameras.url("cam0")}})
        wait_frames(api, "hall", 12, timeout_s=60)
        wait_until(lambda: all(name in scraped(port) for name in TOLD), 60, "all of our series", every_s=1.0)
        text = scraped(port)
        ours = [line for line in text.splitlines() if line.startswith("ray_footfall_")]
        assert not any('stream="' in line for line in ours)
        assert any(line.startswith("ray_footfall_fps_processed") and float(line.split()[-1]) > 1 for line in ours)
        api.delete_stream("hall", purge=True)


def test_rays_metrics_ports_are_shut_otherwise(tmp_path: Path, model_path: Path) -> None:
    with service(tmp_path, model_path, metrics=False) as (_, port):
        assert "ray_footfall" not in scraped(port)
