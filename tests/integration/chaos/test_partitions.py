"""Many cameras of one topic on two readers: each partition is read by one of them, once it is known who is in it."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterator
from contextlib import closing
from typing import cast

import cv2
import numpy as np
import pytest
from kafka import KafkaProducer
from kafka.admin import KafkaAdminClient, NewTopic
from kafka.partitioner import murmur2

from footfall import Client
from footfall.types import StreamBody
from tests.integration.brokers import Broker
from tests.integration.chaos.deployed import Deployed
from tests.integration.conftest import wait_state
from tests.integration.test_kafka import BEGUN_S, report
from tests.waiting import wait_until

pytestmark = [pytest.mark.integration, pytest.mark.slow, pytest.mark.timeout(300)]
PARTITIONS, FPS = 4, 4
KEYS = [f"camera-{number}" for number in range(8)]
PICTURE = cv2.imencode(".jpg", np.full((90, 160, 3), 90, np.uint8))[1].tobytes()


class Cameras:
    """Send a picture each, again and again.

    Attributes:
        sent: pictures of each so far.
    """

    def __init__(self, broker: Broker, topic: str) -> None:
        self.sent = 0
        self._topic = topic
        self._producer = KafkaProducer(bootstrap_servers=broker.address, acks="all")
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._stop.wait(1 / FPS):
            stamp_ms = round(1000 * (BEGUN_S + self.sent / FPS))
            for key in KEYS:
                self._producer.send(self._topic, PICTURE, key=key.encode(), timestamp_ms=stamp_ms)
            self._producer.flush()
            self.sent += 1

    def close(self) -> None:
        self._stop.set()
        self._thread.join(30)
        self._producer.close()


@pytest.fixture
def topic(broker: Broker) -> Iterator[str]:
    name = f"many-{uuid.uuid4().hex[:8]}"
    with closing(KafkaAdminClient(bootstrap_servers=broker.address)) as admin:
        admin.create_topics([NewTopic(name, PARTITIONS, 1)])
        yield name
        admin.delete_topics([name])


@pytest.fixture
def api(deployed: Deployed) -> Iterator[Client]:
    deployed.wait_ready()
    with deployed.client() as opened:
        yield opened
        for key in KEYS:
            opened.delete_stream(key, purge=True)


def test_a_partition_comes_to_one_reader_with_all_of_its_cameras_and_no_frame_is_lost(
    api: Client, broker: Broker, topic: str
) -> None:
    for key in KEYS:
        source = {"type": "kafka", "brokers": broker.address, "topic": topic, "key": key, "start": "earliest"}
        api.put_stream(key, cast(StreamBody, {"source": source, "analysis_fps": None}), only_new=True)

    def readers() -> dict[int, set[str | None]]:
        found: dict[int, set[str | None]] = {}
        for view in api.streams():
            home = (murmur2(view["id"].encode()) & 0x7FFFFFFF) % PARTITIONS
            found.setdefault(home, set()).add(view["reader"])
        return found

    with closing(Cameras(broker, topic)) as cameras:
        for key in KEYS:
            wait_state(api, key, "running")
        assert any(len(names) > 1 for names in readers().values())  # nobody knew any better
        wait_until(lambda: all(len(names) == 1 for names in readers().values()), 150, "each partition to be at home")
        assert len(set.union(*readers().values())) == 2
    covered_s = (cameras.sent - 1) / FPS
    for key in KEYS:
        wait_until(lambda key=key: report(api, key)["covered_s"] >= covered_s - 0.01, 60, f"all frames of {key}")
        assert report(api, key)["covered_s"] == pytest.approx(covered_s, abs=0.01)
