"""Detector replicas that die, hang, and are exchanged."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from tests.integration.chaos.deployed import Deployed
from tests.integration.chaos.load import Load
from tests.integration.chaos.test_detection import check_another_model

pytestmark = [pytest.mark.integration, pytest.mark.chaos, pytest.mark.slow, pytest.mark.timeout(300)]


FATES = {signal.SIGKILL: "is killed", signal.SIGSTOP: "freezes"}


@pytest.fixture(scope="module", autouse=True)
def detectors(deployed: Deployed, truth: dict[str, Any]) -> None:
    """Two replicas of their own, from here on; what they count is what detectors in the readers count."""
    deployed.deploy(detector={"placement": "replicas", "replicas": 2, "cpus": 1})
    deployed.wait_replicas("Detector", lambda pids: len(pids) == 2, "two detectors")
    deployed.wait_ready()


@pytest.mark.parametrize("fate", [signal.SIGKILL, signal.SIGSTOP])
def test_streams_go_on_with_the_other_detector_until_the_lost_one_is_replaced(
    deployed: Deployed, load: Load, truth: dict[str, Any], fate: signal.Signals
) -> None:
    before, detectors = load.places(), deployed.pids("Detector")
    name, pid = next(iter(detectors.items()))
    lost_s = time.monotonic()
    os.kill(pid, fate)
    load.wait_progress()
    deployed.wait_replicas("Detector", lambda pids: len(pids) == 2 and name not in pids, "another detector")
    outage_s = time.monotonic() - lost_s  # until then, live frames may be dropped with the batches that are lost
    load.wait_progress()
    load.check_topics(truth)
    load.check_stayed(before)
    load.check_cameras(outage_s, set(load.cameras), what=f"one of two detectors {FATES[fate]}")


def test_new_detectors_take_over_and_no_frame_is_lost(deployed: Deployed, load: Load, truth: dict[str, Any]) -> None:
    before, old = load.places(), deployed.pids("Detector")
    deployed.replace("Detector")
    deployed.wait_replicas(
        "Detector", lambda pids: len(pids) == 2 and not pids.keys() & old.keys(), "two new detectors"
    )
    load.wait_progress()
    load.check_topics(truth)
    load.check_stayed(before)
    load.check_cameras(what="all detectors are exchanged")


def test_another_model_takes_over_in_the_detectors_and_no_frame_is_lost(
    deployed: Deployed, load: Load, truth: dict[str, Any], model_path: Path, tmp_path: Path
) -> None:
    check_another_model("Detector", deployed, load, truth, model_path, tmp_path)


def test_a_reader_that_freezes_holds_up_no_other(deployed: Deployed, load: Load) -> None:
    """The detectors that they share wait for nobody, whatever was under way; so it freezes more than once."""
    victim = load.places()["cam0"][0]
    assert victim is not None
    others = set(load.cameras) - load.owned_by(victim)
    pid = deployed.pids("StreamReader")[victim]
    for _ in range(8):
        os.kill(pid, signal.SIGSTOP)
        try:
            load.wait_analysed(others, time.time() + 0.3)
        finally:
            os.kill(pid, signal.SIGCONT)
        load.wait_analysed(load.cameras, time.time())
    assert load.owned_by(victim)
