"""Detector replicas come with the frames that wait for them, and go with them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from footfall.types import RtspDefinition
from pipelines.simulator.rtsp.camera_server import CameraServer
from tests.integration.chaos.deployed import Deployed
from tests.integration.conftest import wait_state
from tests.integration.ray_head import RayHead

pytestmark = [pytest.mark.integration, pytest.mark.slow, pytest.mark.timeout(400)]
MANY = 16


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RayHead]:
    with RayHead.started(tmp_path_factory.mktemp("ray"), cpus=4) as head:
        yield head


@pytest.fixture(scope="module")
def detecting(alone: RayHead, tmp_path_factory: pytest.TempPathFactory, model_path: Path) -> Deployed:
    service = Deployed(alone, tmp_path_factory.mktemp("detecting"), model_path)
    service.options["Detector"] = {
        "autoscaling_config": {
            "min_replicas": 1,
            "max_replicas": 2,
            "metrics_interval_s": 1,
            "upscale_delay_s": 0,
            "downscale_delay_s": 0,
            "policy": {
                "policy_function": "serve.deployments.policies:DetectorPolicy",
                "policy_kwargs": {"look_back_s": 15},
            },
        }
    }
    service.deploy(reader={"replicas": 1, "capacity": 16}, detector={"placement": "replicas", "cpus": 0.5})
    service.wait_ready()
    return service


def test_a_detector_comes_with_the_frames_and_goes_with_them(detecting: Deployed, cameras: CameraServer) -> None:
    with detecting.client() as api:
        detecting.wait_replicas("Detector", lambda pids: len(pids) == 1, "one detector")
        for number in range(MANY):
            source: RtspDefinition = {"type": "rtsp", "url": cameras.url("cam0")}
            api.put_stream(f"many-{number}", {"source": source, "analysis_fps": 12})
        detecting.wait_replicas("Detector", lambda pids: len(pids) == 2, "another detector")
        for number in range(MANY):
            wait_state(api, f"many-{number}", "running", timeout_s=60)
        for number in range(1, MANY):
            api.delete_stream(f"many-{number}", purge=True)
        detecting.wait_replicas("Detector", lambda pids: len(pids) == 1, "one detector to be enough")
        wait_state(api, "many-0", "running")
