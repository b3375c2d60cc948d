"""A registry that dies, freezes, and is exchanged: no stream moves."""

from __future__ import annotations

import os
import signal
from typing import Any

import pytest

from footfall import ApiProblem, Unreachable
from tests.integration.chaos.deployed import Deployed
from tests.integration.chaos.load import Load
from tests.waiting import wait_until

pytestmark = [pytest.mark.integration, pytest.mark.chaos, pytest.mark.timeout(300)]


def test_a_killed_registry_moves_no_stream(deployed: Deployed, load: Load, truth: dict[str, Any]) -> None:
    before, killed = load.places(), deployed.pids("Registry")
    os.kill(*killed.values(), signal.SIGKILL)
    deployed.wait_replicas("Registry", lambda pids: len(pids) == 1 and pids != killed, "a new registry")
    wait_all_heard(load)
    load.wait_progress()
    load.check_topics(truth)
    load.check_stayed(before, another_registry=True)
    load.check_cameras(what="the registry is killed")


@pytest.mark.slow
def test_a_registry_that_was_frozen_takes_nobody_for_dead(
    deployed: Deployed, load: Load, truth: dict[str, Any]
) -> None:
    before, pids = load.places(), deployed.pids("Registry")
    longer_s = deployed.sections["reader"]["heartbeat_timeout_s"] + 2
    (pid,) = pids.values()
    os.kill(pid, signal.SIGSTOP)
    try:
        deployed.wait_counted("cam0", longer_s)
    finally:
        os.kill(pid, signal.SIGCONT)
    wait_all_heard(load)
    load.wait_progress()
    load.check_topics(truth)
    load.check_stayed(before)
    assert deployed.pids("Registry") == pids
    load.check_cameras(what="the registry freezes, and wakes up")


@pytest.mark.slow
def test_a_new_registry_takes_over_and_readers_go_on(deployed: Deployed, load: Load, truth: dict[str, Any]) -> None:
    before, readers, old = load.places(), deployed.pids("StreamReader"), deployed.pids("Registry")
    deployed.replace("Registry")
    deployed.wait_replicas("Registry", lambda pids: len(pids) == 1 and pids != old, "another registry")
    wait_all_heard(load)
    load.wait_progress()
    load.check_topics(truth)
    load.check_stayed(before, another_registry=True)
    assert deployed.pids("StreamReader") == readers
    load.check_cameras(what="the registry is exchanged")


def wait_all_heard(load: Load) -> None:
    """Until the registry has heard of every stream that it runs."""

    def heard() -> bool:
        try:
            return all(view["state"] == "running" for view in load.views().values())
        except (ApiProblem, Unreachable):
            return False

    wait_until(heard, 60, "all streams to be heard of")
