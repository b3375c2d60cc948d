"""A broker and a camera that are away for a while: nobody else notices."""

from __future__ import annotations

import time
from typing import Any

import pytest

from pipelines.simulator.rtsp.camera_server import CameraServer
from tests.integration.brokers import Broker
from tests.integration.chaos.load import Load
from tests.integration.conftest import wait_state

pytestmark = [pytest.mark.integration, pytest.mark.chaos, pytest.mark.slow, pytest.mark.timeout(300)]
BROKER_AWAY_S = 20.0
CAMERA_AWAY_S = 10.0


def test_topics_wait_for_a_broker_that_is_away_and_no_camera_does(
    load: Load, truth: dict[str, Any], broker: Broker
) -> None:
    before = load.places()
    broker.kill()
    try:
        for name in load.topics:
            wait_state(load.api, name, "reconnecting", timeout_s=30)
        load.wait_away_s(BROKER_AWAY_S)
    finally:
        broker.start()
    load.check_topics(truth)
    load.check_stayed(before)
    load.check_cameras(what=f"Kafka is away for {BROKER_AWAY_S:.0f} s")


def test_a_camera_that_is_away_misses_that_time_and_no_other_does(
    load: Load, truth: dict[str, Any], own_cameras: dict[str, CameraServer]
) -> None:
    before, gone_s = load.places(), time.time()
    own_cameras["cam0"].stop()
    try:
        wait_state(load.api, "cam0", "reconnecting")
        load.wait_away_s(CAMERA_AWAY_S, ("cam1", "cam2", "cam3"))
        assert load.api.get_stream("cam0")["error_code"] == "source-unreachable"
    finally:
        own_cameras["cam0"].start()
    load.wait_progress()
    outage_s = time.time() - gone_s
    load.check_topics(truth)
    load.check_stayed(before)
    what = f"a camera is away for {CAMERA_AWAY_S:.0f} s"
    load.check_cameras(outage_s, {"cam0"}, least_s=CAMERA_AWAY_S - 1, what=what, undated={"cam0"})
