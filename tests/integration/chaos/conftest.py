"""Two readers under load."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from pipelines.simulator.kafka_feed import KafkaFeed
from pipelines.simulator.rtsp.camera_server import CameraServer
from pipelines.simulator.scene.camera import Camera
from pipelines.simulator.scene.scene import Scene
from tests.integration.brokers import Broker
from tests.integration.chaos.deployed import Deployed
from tests.integration.chaos.load import SECONDS, Load
from tests.integration.ray_head import RayHead
from tests.integration.test_kafka import FPS, register, send, wait_all_counted


@pytest.fixture(scope="package")
def deployed(tmp_path_factory: pytest.TempPathFactory, model_path: Path) -> Iterator[Deployed]:
    with RayHead.started(tmp_path_factory.mktemp("ray")) as head:
        service = Deployed(head, tmp_path_factory.mktemp("chaos"), model_path)
        service.deploy()
        service.wait_ready()
        yield service


@pytest.fixture(scope="package")
def scene(test_cache: Path) -> Scene:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FOOTFALL_CACHE", str(test_cache))
        made = Scene(Camera(480, 270), people=6, seconds=SECONDS, fps=FPS, seed=77, max_overlap=0.3)
        made.warm()
        return made


@pytest.fixture(scope="package")
def own_cameras(clip: Path) -> Iterator[dict[str, CameraServer]]:
    """Cameras that show the same frame at nearly the same moment, each of which can be taken away."""
    servers = {name: CameraServer({name: clip / "video.mp4"}) for name in ("cam0", "cam1", "cam2", "cam3")}
    with ExitStack() as ends:
        for server in servers.values():
            ends.enter_context(server)
        yield servers


@pytest.fixture(scope="package")
def truth(deployed: Deployed, broker: Broker, scene: Scene) -> dict[str, Any]:
    """What an undisturbed run counts of the topic."""
    feed = KafkaFeed(broker.address, f"chaos-{os.urandom(4).hex()}", "camera-1")
    send(feed, scene)
    feed.close()
    with deployed.client() as api:
        register(api, "undisturbed", broker, feed, scene)
        found = wait_all_counted(api, "undisturbed", scene.frames)
        api.delete_stream("undisturbed", purge=True)
    assert sum(sum(counts.values()) for b in found["buckets"] for counts in b["lines"].values()) > 0
    return found


@pytest.fixture
def load(
    deployed: Deployed,
    own_cameras: dict[str, CameraServer],
    clip: Path,
    broker: Broker,
    scene: Scene,
    truth: dict[str, Any],
) -> Iterator[Load]:
    """Running, with all readers at work."""
    deployed.wait_ready()
    with ExitStack() as ends:
        api = ends.enter_context(deployed.client())
        feed = KafkaFeed(broker.address, f"chaos-{os.urandom(4).hex()}", "camera-1")
        ends.callback(feed.close)
        made = Load(api, own_cameras, clip, feed, scene)
        ends.callback(made.end)
        made.begin(broker)
        assert len({owner for owner, _ in made.places().values()}) == deployed.sections["reader"]["replicas"]
        yield made
