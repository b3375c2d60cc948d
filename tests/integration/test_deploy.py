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
from serve.deployments.reads import readers_of
from serve.settings import Settings, load
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


def deploy(head: RayHead, config: Path) -> None:
    """As an operator does."""
    deployed = subprocess.run(
        [str(BIN / "serve"), "deploy", str(config), "--address", head.dashboard],
        env=head.environment,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert deployed.returncode == 0, deployed.stderr


def replicas(head: RayHead) -> dict[str, list[str]]:
    """Who runs, by deployment."""
    deployments = head.applications()["footfall"]["deployments"]
    return {
        name: sorted(replica["replica_id"] for replica in deployment["replicas"] if replica["state"] == "RUNNING")
        for name, deployment in deployments.items()
    }


def is_healthy(head: RayHead) -> bool:
    application = head.applications()["footfall"]
    deployments = application["deployments"].values()
    return application["status"] == "RUNNING" and all(one["status"] == "HEALTHY" for one in deployments)


def test_the_shipped_config_holds_nothing_but_known_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """And every deployment is told nothing but what it reads."""
    application = yaml.safe_load(CONFIG.read_text())["applications"][0]
    assert Settings.of(application["args"]).detector.placement == "replicas"
    for deployment in application["deployments"]:
        environment = deployment["ray_actor_options"].get("runtime_env", {}).get("env_vars", {})
        for variable, value in environment.items():
            monkeypatch.setenv(variable, value)
            setting = variable.removeprefix("FOOTFALL_").lower().replace("__", ".")
            assert deployment["name"] in readers_of(setting), variable
    load()


def test_the_shipped_config_deploys_and_counts_with_detector_replicas(
    ray_head: RayHead, tmp_path: Path, model_path: Path, cameras: CameraServer
) -> None:
    port = free_port()
    config = config_for_test(tmp_path, model_path, port)
    deploy(ray_head, config)
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
    assert set(applications["footfall"]["deployments"]) == {"Api", "Registry", "Live", "StreamReader", "Detector"}
    assert is_healthy(ray_head)

    before = replicas(ray_head)
    document = yaml.safe_load(config.read_text())
    reader = next(one for one in document["applications"][0]["deployments"] if one["name"] == "StreamReader")
    reader["ray_actor_options"]["runtime_env"]["env_vars"]["FOOTFALL_READER__CAPACITY"] = "2"
    config.write_text(yaml.safe_dump(document))
    deploy(ray_head, config)

    def replaced() -> bool:
        return is_healthy(ray_head) and not set(replicas(ray_head)["StreamReader"]) & set(before["StreamReader"])

    wait_until(replaced, 60, "the reader with its new setting", every_s=0.5)
    after = replicas(ray_head)
    assert {name for name in before if before[name] != after[name]} == {"StreamReader"}
    with Client(url, token=TOKEN) as api:
        for number in range(2):
            wait_frames(api, f"cam{number}", 8, timeout_s=40)
        assert [reader["capacity"] for reader in api.readers()] == [2]
