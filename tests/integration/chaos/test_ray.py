"""Parts of Ray that die under the service: nothing that is counted depends on them."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from typing import Any

import pytest

from footfall import ApiProblem, Unreachable
from tests.integration.chaos.deployed import Deployed
from tests.integration.chaos.load import Load
from tests.waiting import wait_until

pytestmark = [pytest.mark.integration, pytest.mark.chaos, pytest.mark.slow, pytest.mark.timeout(300)]
FROZEN_S = 15.0


def check_nothing_happened(
    load: Load, truth: dict[str, Any], before: dict[str, tuple[str | None, int]], what: str
) -> None:
    """All is counted, and no stream has moved."""
    load.wait_progress()
    load.check_topics(truth)
    load.check_stayed(before)
    load.check_cameras(what=what)


@pytest.mark.parametrize(
    ("kind", "what"), [("ServeController", "Serve's controller is killed"), ("ProxyActor", "Serve's proxy is killed")]
)
def test_a_killed_part_of_serve_comes_back_and_no_stream_moves(
    deployed: Deployed, load: Load, truth: dict[str, Any], kind: str, what: str
) -> None:
    before, killed = load.places(), deployed.pids_of(kind)[0]
    os.kill(killed, signal.SIGKILL)

    def replaced() -> bool:
        return deployed.pids_of(kind) not in ([], [killed])

    wait_until(replaced, 60, f"another {kind}", every_s=0.3)

    def answers() -> bool:
        try:
            with deployed.client() as api:
                return api.readiness()["status"] == "ready"
        except (ApiProblem, Unreachable):
            return False

    wait_until(answers, 60, "the API")
    check_nothing_happened(load, truth, before, what)


@pytest.mark.parametrize(
    ("kind", "what"), [("ServeController", "Serve's controller freezes"), ("ProxyActor", "Serve's proxy freezes")]
)
def test_while_a_part_of_serve_is_frozen_no_stream_moves(
    deployed: Deployed, load: Load, truth: dict[str, Any], kind: str, what: str
) -> None:
    """Serve may exchange it; if not, it wakes up and goes on."""
    before, frozen = load.places(), deployed.pids_of(kind)[0]
    os.kill(frozen, signal.SIGSTOP)
    try:
        deployed.wait_counted("cam0", FROZEN_S)
    finally:
        with suppress(ProcessLookupError):
            os.kill(frozen, signal.SIGCONT)
    deployed.wait_ready()
    check_nothing_happened(load, truth, before, what)


@pytest.mark.parametrize("deployment", ["Api", "Live", "Deliverer"])
def test_who_answers_may_die_and_no_stream_moves(
    deployed: Deployed, load: Load, truth: dict[str, Any], deployment: str
) -> None:
    before, killed = load.places(), deployed.pids(deployment)
    os.kill(*killed.values(), signal.SIGKILL)
    deployed.wait_replicas(deployment, lambda pids: len(pids) == 1 and pids != killed, f"another {deployment}")
    deployed.wait_ready()
    check_nothing_happened(load, truth, before, f"{deployment} is killed")
