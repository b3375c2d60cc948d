"""A registry that dies, freezes, and is exchanged: no stream moves."""

from __future__ import annotations

import os
import signal
import time
from typing import Any

import pytest

from analytics.counting.people import PEOPLE
from analytics.storage.database import DatabaseStore
from footfall import ApiProblem, Unreachable
from tests.integration.chaos.conftest import Load, TwoReaders
from tests.waiting import wait_until

pytestmark = [pytest.mark.integration, pytest.mark.chaos, pytest.mark.timeout(300)]


def test_a_killed_registry_moves_no_stream(two_readers: TwoReaders, load: Load, truth: dict[str, Any]) -> None:
    before, killed = load.places(), two_readers.pids("Registry")
    os.kill(*killed.values(), signal.SIGKILL)
    two_readers.wait_replicas("Registry", lambda pids: len(pids) == 1 and pids != killed, "a new registry")
    wait_all_heard(load)
    load.wait_progress()
    load.check_topics(truth)
    assert load.places() == before
    load.check_cameras()


@pytest.mark.slow
def test_a_registry_that_was_frozen_takes_nobody_for_dead(
    two_readers: TwoReaders, load: Load, truth: dict[str, Any]
) -> None:
    before, pids = load.places(), two_readers.pids("Registry")
    longer_s = two_readers.sections["reader"]["heartbeat_timeout_s"] + 2
    store = DatabaseStore(two_readers.store_url)

    def covered_s() -> float:
        now_s = time.time()
        rows = store.minutes("cam0", int(now_s) - 3600, int(now_s) + 120, (PEOPLE,))
        return float(sum(row.totals[PEOPLE].covered_s for row in rows))

    (pid,) = pids.values()
    os.kill(pid, signal.SIGSTOP)
    try:
        begun_s = covered_s()
        wait_until(lambda: covered_s() > begun_s + longer_s, 60, "cameras to be counted without a registry")
    finally:
        os.kill(pid, signal.SIGCONT)
        store.close()
    wait_all_heard(load)
    load.wait_progress()
    load.check_topics(truth)
    assert load.places() == before
    assert two_readers.pids("Registry") == pids
    load.check_cameras()


@pytest.mark.slow
def test_a_new_registry_takes_over_and_readers_go_on(
    two_readers: TwoReaders, load: Load, truth: dict[str, Any]
) -> None:
    before, readers, old = load.places(), two_readers.pids("StreamReader"), two_readers.pids("Registry")
    two_readers.replace("Registry")
    two_readers.wait_replicas("Registry", lambda pids: len(pids) == 1 and pids != old, "another registry")
    wait_all_heard(load)
    load.wait_progress()
    load.check_topics(truth)
    assert load.places() == before
    assert two_readers.pids("StreamReader") == readers
    load.check_cameras()


def wait_all_heard(load: Load) -> None:
    """Until the registry has heard of every stream that it runs."""

    def heard() -> bool:
        try:
            return all(view["state"] == "running" for view in load.views().values())
        except (ApiProblem, Unreachable):
            return False

    wait_until(heard, 60, "all streams to be heard of")
