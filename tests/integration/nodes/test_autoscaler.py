"""Ray's own autoscaler adds a node for cameras, and gives it back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from footfall import Client
from footfall.types import RtspDefinition
from pipelines.simulator.rtsp.camera_server import CameraServer
from tests.analytics.storage.conftest import Postgres
from tests.integration.chaos.deployed import Deployed
from tests.integration.conftest import wait_state
from tests.integration.ray_head import Machines, RayHead
from tests.waiting import wait_until

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]
FEW, MANY = 2, 12


@pytest.fixture(scope="module")
def growing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RayHead]:
    """A cluster that may have two nodes more."""
    machines = Machines(cpus=1, most=2)
    with RayHead.started(tmp_path_factory.mktemp("ray"), cpus=2, machines=machines) as head:
        yield head


@pytest.fixture(scope="module")
def scaled(
    growing: RayHead, postgres: Postgres, tmp_path_factory: pytest.TempPathFactory, model_path: Path
) -> Deployed:
    service = Deployed(growing, tmp_path_factory.mktemp("scaled"), model_path, postgres.fresh_database())
    service.options["StreamReader"] = {
        "autoscaling_config": {
            "min_replicas": 1,
            "max_replicas": 3,
            "metrics_interval_s": 1,
            "upscale_delay_s": 0,
            "downscale_delay_s": 0,
            "policy": {
                "policy_function": "serve.deployments.policies:ReaderPolicy",
                "policy_kwargs": {"look_back_s": 15},
            },
        }
    }
    service.deploy(reader={"replicas": 1, "cpus": 1, "capacity": 0.3})
    service.wait_ready()
    return service


def put(api: Client, cameras: CameraServer, number: int) -> None:
    source: RtspDefinition = {"type": "rtsp", "url": cameras.url("cam0")}
    api.put_stream(f"many-{number}", {"source": source, "analysis_fps": 2}, only_new=True)


def test_a_node_comes_with_the_cameras_and_goes_with_them(
    growing: RayHead, scaled: Deployed, cameras: CameraServer
) -> None:
    with scaled.client() as api:
        for number in range(FEW):
            put(api, cameras, number)
        for number in range(FEW):
            wait_state(api, f"many-{number}", "running")
        assert len(growing.nodes()) == len(scaled.pids("StreamReader")) == 1
        for number in range(FEW, MANY):
            put(api, cameras, number)
        wait_until(lambda: len(api.readers()) > 1, 90, "another reader", every_s=0.5)
        wait_until(lambda: len(growing.nodes()) > 1, 30, "the dashboard to show the new node", every_s=0.5)
        assert len({reader["node"] for reader in api.readers()}) > 1
        for number in range(MANY):
            wait_state(api, f"many-{number}", "running", timeout_s=60)
        wait_until(lambda: all(reader["streams"] > 1 for reader in api.readers()), 60, "all to have their share")
        for number in range(FEW, MANY):
            api.delete_stream(f"many-{number}", purge=True)
        wait_until(lambda: len(api.readers()) == 1, 120, "one reader to be enough", every_s=0.5)
        wait_until(lambda: len(growing.nodes()) == 1, 60, "the nodes to be given back", every_s=0.5)
        for number in range(FEW):
            wait_state(api, f"many-{number}", "running")
