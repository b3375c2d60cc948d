"""`serve deploy` with the config that we ship, on a real Ray cluster of three nodes, with detectors as replicas."""

from __future__ import annotations

import math
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from footfall import ApiProblem, Client, Unreachable
from footfall.types import RtspDefinition
from pipelines.detection.onnx import OnnxDetector
from pipelines.simulator.rtsp.camera_server import CameraServer
from serve.deployments.reads import readers_of
from serve.settings import Settings, load
from tests.analytics.storage.conftest import Postgres, postgres
from tests.conftest import ROOT
from tests.integration.brokers import free_port
from tests.integration.conftest import wait_frames
from tests.integration.ray_head import RayHead
from tests.pipelines.detection.tiny_models import passthrough_model
from tests.waiting import wait_until

pytestmark = pytest.mark.integration
CONFIG = ROOT / "deploy" / "serve.yaml"
BIN = Path(sys.executable).parent
TOKEN = "deployed-token"
__all__ = ["postgres"]


@pytest.fixture(scope="module")
def ray_head(tmp_path_factory: pytest.TempPathFactory, postgres: Postgres) -> Iterator[RayHead]:
    """With two more nodes, none of which has room for all; secrets are in the environment of each."""
    secrets = {"FOOTFALL_API__TOKEN": TOKEN, "FOOTFALL_DATABASE_URL": postgres.fresh_database()}
    with ExitStack() as ends:
        head = ends.enter_context(RayHead.started(tmp_path_factory.mktemp("ray"), cpus=2, alone=False, **secrets))
        for _ in range(2):
            ends.enter_context(head.joined(tmp_path_factory.mktemp("node"), cpus=2))
        yield head


@dataclass(frozen=True)
class Deployed:
    """The service, with the config that it was deployed with."""

    config: Path
    url: str

    def change(self, head: RayHead, deployments: dict[str, dict[str, Any]]) -> None:
        """Deploy the config again, with other options of deployments; does not wait for it."""
        document = yaml.safe_load(self.config.read_text())
        known = document["applications"][0]["deployments"]
        for name, options in deployments.items():
            found = next((one for one in known if one["name"] == name), None)
            if found is None:
                known.append(found := {"name": name})
            found.update(options)
        self.config.write_text(yaml.safe_dump(document))
        head.deploy(document)


@pytest.fixture(scope="module")
def deployed(ray_head: RayHead, tmp_path_factory: pytest.TempPathFactory, model_path: Path) -> Deployed:
    """Ready."""
    port = free_port()
    config = config_for_test(tmp_path_factory.mktemp("deployed"), model_path, port)
    deploy(ray_head, config)
    url = f"http://127.0.0.1:{port}"

    def ready() -> bool:
        try:
            with Client(url, timeout_s=2) as api:
                return api.readiness()["status"] == "ready"
        except (ApiProblem, Unreachable):
            return False

    wait_until(ready, 90, "the deployed service")
    return Deployed(config, url)


@pytest.fixture
def api(deployed: Deployed, cameras: CameraServer) -> Iterator[Client]:
    """A client of it, with two cameras that run."""
    with Client(deployed.url, token=TOKEN) as api:
        for number in range(2):
            source: RtspDefinition = {"type": "rtsp", "url": cameras.url(f"cam{number}")}
            api.put_stream(f"cam{number}", {"source": source})
        for number in range(2):
            wait_frames(api, f"cam{number}", 24, timeout_s=40)
        yield api


def config_for_test(folder: Path, model: Path, port: int) -> Path:
    """The shipped file with another port, folder and model; in a hurry, and alike whatever else this machine does.

    What deploy/kubernetes keeps on the head is kept there, too.
    """
    document: dict[str, Any] = yaml.safe_load(CONFIG.read_text())
    document["http_options"]["port"] = port
    arguments = document["applications"][0]["args"]
    arguments["data_dir"] = str(folder / "data")
    arguments["detector"]["model"] = str(model)
    for deployment in document["applications"][0]["deployments"]:
        deployment["autoscaling_config"]["max_replicas"] = 1
        variables = deployment["ray_actor_options"].get("runtime_env", {}).get("env_vars", {})
        if "FOOTFALL_READER__CHECKPOINT_S" in variables:
            variables["FOOTFALL_READER__CHECKPOINT_S"] = "0.5"
    document["applications"][0]["deployments"] += kept_on_head()
    target = folder / "serve.yaml"
    target.write_text(yaml.safe_dump(document))
    return target


def kept_on_head() -> list[dict[str, Any]]:
    """The deployments of deploy/kubernetes that have no limits of their own."""
    manifest = yaml.safe_load((ROOT / "deploy/kubernetes/base/rayservice.yaml").read_text())
    (application,) = yaml.safe_load(manifest["spec"]["serveConfigV2"])["applications"]
    return [one for one in application["deployments"] if "autoscaling_config" not in one]


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


def nodes(head: RayHead) -> dict[str, set[str]]:
    """Where replicas run, by deployment."""
    deployments = head.applications()["footfall"]["deployments"]
    return {name: {replica["node_id"] for replica in one["replicas"]} for name, one in deployments.items()}


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


def people_s(api: Client) -> float:
    """Person-seconds that were counted of a camera."""
    return api.counts("cam1", bucket="1d")["total"]["people"]["person_seconds"]


def test_the_shipped_config_deploys_and_counts_with_detector_replicas(
    ray_head: RayHead, deployed: Deployed, api: Client
) -> None:
    assert httpx.get(f"{deployed.url}/api/v1/streams").status_code == 401
    wait_until(lambda: people_s(api) > 1, 40, "people, found by a detector replica")
    assert httpx.get(f"{ray_head.dashboard}/api/serve/applications/").status_code == 401
    applications = ray_head.applications()
    assert TOKEN not in str(applications)  # what the nodes' environment holds is not shown, unlike the arguments
    assert set(applications["footfall"]["deployments"]) == {
        *("Api", "Registry", "Live", "Deliverer", "StreamReader", "Detector")
    }
    wait_until(lambda: is_healthy(ray_head), 20, "all to be healthy")
    where = nodes(ray_head)
    assert len(set().union(*where.values())) > 1
    assert set().union(*where.values()) <= set(ray_head.nodes())
    assert {node for one in kept_on_head() for node in where[one["name"]]} == {ray_head.node}

    before = replicas(ray_head)
    document = yaml.safe_load(deployed.config.read_text())
    reader = next(one for one in document["applications"][0]["deployments"] if one["name"] == "StreamReader")
    options = reader["ray_actor_options"]
    options["runtime_env"]["env_vars"]["FOOTFALL_READER__CAPACITY"] = "2"
    deployed.change(ray_head, {"StreamReader": {"ray_actor_options": options}})

    def replaced() -> bool:
        return is_healthy(ray_head) and not set(replicas(ray_head)["StreamReader"]) & set(before["StreamReader"])

    wait_until(replaced, 60, "the reader with its new setting", every_s=0.5)
    after = replicas(ray_head)
    assert {name for name in before if before[name] != after[name]} == {"StreamReader"}
    for number in range(2):
        wait_frames(api, f"cam{number}", 8, timeout_s=40)
    assert [reader["capacity"] for reader in api.readers()] == [2]


def test_model_and_thresholds_change_what_is_counted_and_restart_nothing(
    ray_head: RayHead, deployed: Deployed, api: Client, model_path: Path, tmp_path: Path
) -> None:
    """Neither does a model that is not there: the one before goes on."""
    blind = passthrough_model(
        tmp_path / "blind.onnx", input_shape=("batch", *OnnxDetector(model_path).input_size, 3), brightest=math.inf
    )
    float32 = model_path.with_name("nanodet-g-fp32.onnx")

    def epochs() -> dict[str, int]:
        return {view["id"]: view["epoch"] for view in api.streams()}

    def use(**user_config: Any) -> None:
        deployed.change(
            ray_head, {name: {"user_config": user_config} for name in ("Detector", "StreamReader", "Registry")}
        )

    def wait_counted() -> None:
        begun_s = people_s(api)
        wait_until(lambda: people_s(api) > begun_s + 1, 20, "people to be counted")

    def wait_nobody() -> None:
        """Counted for a while, with nobody in it."""

        def nobody() -> bool:
            found_s, covered_s = people_s(api), api.heatmap("cam1")["covered_s"]
            wait_until(lambda: api.heatmap("cam1")["covered_s"] > covered_s + 1.5, 20, "1.5 s of the camera")
            return people_s(api) == found_s

        wait_until(nobody, 20, "nobody to be counted any more")

    wait_counted()
    running, begun = replicas(ray_head), epochs()
    use(model=str(blind))
    wait_nobody()
    use(model=str(float32))
    wait_counted()
    use(model=str(tmp_path / "missing.onnx"))
    wait_counted()
    use(score_threshold=0.99)
    wait_nobody()
    use()
    wait_counted()
    wait_until(lambda: is_healthy(ray_head), 20, "all to be healthy")
    assert replicas(ray_head) == running
    assert epochs() == begun
    assert all(view["reconnects"] == 0 for view in api.streams())
