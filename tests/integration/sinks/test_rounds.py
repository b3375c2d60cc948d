"""Whatever dies, everybody who gets events has every crossing, in order."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from footfall import Client
from pipelines.simulator.scene.camera import Camera
from pipelines.simulator.scene.scene import Scene
from serve.launch.service import Service
from tests.analytics.storage.conftest import Postgres, postgres
from tests.integration.brokers import Broker
from tests.integration.chaos.deployed import Deployed
from tests.integration.conftest import kill_replica
from tests.integration.ray_head import RayHead
from tests.integration.sinks.receivers import HttpReceiver, Mosquitto
from tests.integration.sinks.rounds import Rounds
from tests.integration.test_kafka import FPS

__all__ = ["postgres"]
pytestmark = pytest.mark.integration
ROUNDS = 20
FROZEN_S = 6.0


@pytest.fixture(scope="module")
def scene(test_cache: Path) -> Scene:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FOOTFALL_CACHE", str(test_cache))
        made = Scene(Camera(480, 270), people=12, seconds=30, fps=FPS, seed=611, max_overlap=0.15)
        made.warm()
        return made


def restart(receiver: HttpReceiver) -> None:
    receiver.kill()
    time.sleep(1.0)  # for as long it is away
    receiver.start()


def restart_broker(broker: Broker) -> None:
    broker.kill()
    broker.start()


@pytest.mark.timeout(300)
def test_every_receiver_has_every_crossing_though_each_part_dies_once(
    api: Client, service: Service, broker: Broker, mosquitto: Mosquitto, receiver: HttpReceiver, scene: Scene
) -> None:
    rounds = Rounds(api, service.url, broker, mosquitto, receiver, scene)
    try:
        rounds.wait_progress()
        victims: dict[str, Callable[[], object]] = {
            "deliverer": lambda: kill_replica("Deliverer"),
            "MQTT broker": mosquitto.restart,
            "HTTP receiver": lambda: restart(receiver),
            "reader": lambda: kill_replica("StreamReader"),
            "Kafka broker": lambda: restart_broker(broker),
        }
        for kill in victims.values():
            kill()
            rounds.wait_progress()
        rounds.check()
    finally:
        rounds.close()


@pytest.fixture
def clustered(tmp_path_factory: pytest.TempPathFactory, model_path: Path, postgres: Postgres) -> Iterator[Deployed]:
    """Two readers and two deliverers, with PostgreSQL."""
    with RayHead.started(tmp_path_factory.mktemp("ray")) as head:
        made = Deployed(head, tmp_path_factory.mktemp("rounds"), model_path, postgres.fresh_database())
        made.sections["events"] = {"deliverers": 2}
        made.deploy()
        made.wait_ready()
        yield made


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_every_receiver_has_every_crossing_after_twenty_deaths_at_random(
    clustered: Deployed,
    postgres: Postgres,
    broker: Broker,
    mosquitto: Mosquitto,
    receiver: HttpReceiver,
    scene: Scene,
) -> None:
    chance = random.Random(20)

    def kill(deployment: str, how: signal.Signals = signal.SIGKILL) -> int:
        pid = chance.choice(sorted(clustered.pids(deployment).values()))
        os.kill(pid, how)
        return pid

    def freeze() -> None:
        pid = kill("Deliverer", signal.SIGSTOP)
        time.sleep(FROZEN_S)
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)

    def lose_database() -> None:
        postgres.stop()
        time.sleep(chance.uniform(0.5, 3.0))
        postgres.start()

    victims: dict[str, Callable[[], object]] = {
        "a deliverer is killed": lambda: kill("Deliverer"),
        "a deliverer freezes": freeze,
        "a reader is killed": lambda: kill("StreamReader"),
        "the API is killed": lambda: kill("Api"),
        "the registry is killed": lambda: kill("Registry"),
        "the database is killed": lose_database,
        "the MQTT broker is restarted": mosquitto.restart,
        "the HTTP receiver is killed": lambda: restart(receiver),
        "the Kafka broker is killed": lambda: restart_broker(broker),
    }
    order = [*victims, *chance.choices(sorted(victims), k=ROUNDS - len(victims))]
    chance.shuffle(order)
    with clustered.client() as api:
        rounds = Rounds(api, clustered.url, broker, mosquitto, receiver, scene)
        try:
            for victim in order:
                time.sleep(chance.uniform(0.2, 2.0))  # at any moment of its work
                print(f"{time.monotonic():.0f} {victim}", flush=True)  # noqa: T201
                victims[victim]()
                rounds.wait_progress(1.0)
                clustered.wait_replicas("StreamReader", lambda pids: len(pids) == 2, "two readers")
                clustered.wait_replicas("Deliverer", lambda pids: len(pids) == 2, "two deliverers")
            print(f"{rounds.check()} crossings; repeats {rounds.repeats()}")  # noqa: T201
        finally:
            rounds.close()
