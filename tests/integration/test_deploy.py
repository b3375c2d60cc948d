"""`serve deploy` with the config that we ship, on a real Ray cluster, with detectors as replicas."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from footfall import ApiProblem, Client, Unreachable
from footfall.types import RtspDefinition
from pipelines.simulator.rtsp.camera_server import CameraServer
from serve.settings import Settings
from tests.conftest import ROOT
from tests.integration.brokers import free_port
from tests.integration.conftest import wait_frames
from tests.integration.ray_head import RayHead
from tests.waiting import wait_until

pytestmark = pytest.mark.integration
CONFIG = ROOT / "deploy" / "serve.yaml"
BIN = Path(sys.executable).parent
TOKEN = "deployed-token"


@pytest.fixture(scope="module")
def ray_head(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RayHead]:
    with RayHead.started(tmp_path_factory.mktemp("ray"), FOOTFALL_API__TOKEN=TOKEN) as head:
        yield head


def config_for_test(folder: Path, model: Path, port: int) -> Path:
    """The shipped file with another port, folder and model."""
    document: dict[str, Any] = yaml.safe_load(CONFIG.read_text())
    document["http_options"]["port"] = port
    arguments = document["applications"][0]["args"]
    arguments["data_dir"] = str(folder / "data")
    arguments["detector"]["model"] = str(model)
    target = folder / "serve.yaml"
    target.write_text(yaml.safe_dump(document))
    return target


def test_the_shipped_config_holds_nothing_but_known_settings() -> None:
    arguments = yaml.safe_load(CONFIG.read_text())["applications"][0]["args"]
    assert Settings.of(arguments).detector.placement == "replicas"


def test_the_shipped_config_deploys_and_counts_with_detector_replicas(
    ray_head: RayHead, tmp_path: Path, model_path: Path, cameras: CameraServer
) -> None:
    port = free_port()
    config = config_for_test(tmp_path, model_path, port)
    deployed = subprocess.run(
        [str(BIN / "serve"), "deploy", str(config), "--address", ray_head.dashboard],
        env=ray_head.environment,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert deployed.returncode == 0, deployed.stderr
    url = f"http://127.0.0.1:{port}"

    def ready() -> bool:
        try:
            with Client(url, timeout_s=2) as api:
                return api.readiness()["status"] == "ready"
        except (ApiProblem, Unreachable):
            return False

    wait_until(ready, 90, "the deployed service")
    assert httpx.get(f"{url}/api/v1/streams").status_code == 401
    with Client(url, token=TOKEN) as api:
        for number in range(2):
            source: RtspDefinition = {"type": "rtsp", "url": cameras.url(f"cam{number}")}
            api.put_stream(f"cam{number}", {"source": source}, only_new=True)
        for number in range(2):
            wait_frames(api, f"cam{number}", 24, timeout_s=40)

        def seen() -> bool:
            return api.counts("cam1", bucket="1d")["total"]["people"]["person_seconds"] > 1

        wait_until(seen, 40, "people, found by a detector replica")
    assert httpx.get(f"{ray_head.dashboard}/api/serve/applications/").status_code == 401
    applications = ray_head.applications()
    assert TOKEN not in str(applications)  # what the nodes' environment holds is not shown, unlike the arguments
    deployments = applications["footfall"]["deployments"]
    assert set(deployments) == {"Api", "Registry", "Live", "StreamReader", "Detector"}
    assert all(deployment["status"] == "HEALTHY" for deployment in deployments.values())
