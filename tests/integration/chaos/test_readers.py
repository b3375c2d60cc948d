"""Readers that die, freeze, and are exchanged."""

from __future__ import annotations

import os
import signal
import sqlite3
import time
from contextlib import suppress
from typing import Any

import pytest

from tests.integration.chaos.deployed import Deployed
from tests.integration.chaos.load import Load
from tests.waiting import wait_until

pytestmark = [pytest.mark.integration, pytest.mark.chaos, pytest.mark.timeout(300)]
FROZEN_S = 2.5
"""A frozen reader is given up after three seconds (`Deployed`); its cameras have missed nearly that."""


def test_the_streams_of_a_killed_reader_go_on_with_the_other_whose_own_never_move(
    deployed: Deployed, load: Load, truth: dict[str, Any]
) -> None:
    before = load.places()
    victim = before["topic0"][0]
    assert victim is not None
    hit = load.owned_by(victim)
    os.kill(deployed.pids("StreamReader")[victim], signal.SIGKILL)
    outage_s = load.wait_moved(hit, victim)
    after = load.places()
    assert {name: after[name] for name in before if name not in hit} == {
        name: before[name] for name in before if name not in hit
    }
    load.check_topics(truth)
    load.check_cameras(outage_s, hit, what="a reader is killed")


def test_a_frozen_reader_loses_its_streams_and_takes_part_again_once_it_wakes_up(
    deployed: Deployed, load: Load, truth: dict[str, Any]
) -> None:
    before = load.places()
    victim = before["topic0"][0]
    assert victim is not None
    hit = load.owned_by(victim)
    pid = deployed.pids("StreamReader")[victim]
    os.kill(pid, signal.SIGSTOP)
    try:
        outage_s = load.wait_moved(hit, victim)
    finally:
        # Where it froze inside of SQLite's one write lock, all others wait for Serve to kill it: it never wakes up, and
        # its successor takes part.
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)
    assert not load.owned_by(victim)

    wait_until(lambda: len({owner for owner, _ in load.places().values()}) == 2, 60, "two readers to have a share")
    load.wait_progress()
    load.check_topics(truth)
    load.check_cameras(outage_s, hit, least_s=FROZEN_S, what="a reader freezes")


@pytest.mark.slow
def test_a_reader_that_froze_inside_of_sqlites_lock_is_killed_and_the_others_go_on(
    deployed: Deployed, load: Load, truth: dict[str, Any]
) -> None:
    """Until then, nobody can be given what it had."""
    victim = load.places()["topic0"][0]
    assert victim is not None
    hit = load.owned_by(victim)
    freeze_inside_of_lock(deployed.pids("StreamReader")[victim], deployed.store_url)
    outage_s = load.wait_moved(hit, victim)
    deployed.wait_ready()
    load.wait_progress()
    load.check_topics(truth)
    load.check_cameras(outage_s, hit, least_s=FROZEN_S, what="a reader freezes inside of SQLite's lock")


def freeze_inside_of_lock(pid: int, url: str) -> None:
    """Freeze a process while it has the one lock of those who write."""
    database = sqlite3.connect(url.removeprefix("sqlite:///"), timeout=0.3, isolation_level=None)
    try:
        for _ in range(2000):
            os.kill(pid, signal.SIGSTOP)
            try:
                database.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError:  # nobody else writes for so long
                return
            database.execute("ROLLBACK")
            os.kill(pid, signal.SIGCONT)
            time.sleep(0.01)  # at another moment of its work, each time
    finally:
        database.close()
    raise AssertionError("it never had the lock")


@pytest.mark.slow
def test_new_readers_take_over_in_at_most_three_moves_a_stream(
    deployed: Deployed, load: Load, truth: dict[str, Any]
) -> None:
    before, old = load.places(), deployed.pids("StreamReader")
    deployed.replace("StreamReader")
    deployed.wait_replicas(
        "StreamReader", lambda pids: len(pids) == 2 and not pids.keys() & old.keys(), "two new readers"
    )
    load.wait_progress()
    load.check_topics(truth)
    after = load.places()
    moves = {name: after[name][1] - before[name][1] for name in before}
    # One reader after the other is exchanged: off the first, off the second, and evened out once both are new.
    assert all(1 <= count <= 3 for count in moves.values()), moves
    load.check_cameras(what="all readers are exchanged")
