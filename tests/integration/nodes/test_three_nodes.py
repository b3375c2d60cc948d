"""Readers on three nodes, one of which dies."""

from __future__ import annotations

import signal
from typing import Any

import pytest

from tests.analytics.storage.conftest import Postgres
from tests.integration.chaos.deployed import Deployed
from tests.integration.chaos.load import Load
from tests.integration.ray_head import Node, RayHead
from tests.waiting import wait_until

pytestmark = [pytest.mark.integration, pytest.mark.slow, pytest.mark.timeout(300)]


def test_several_nodes_with_a_file_for_a_database_are_refused(on_three_nodes: Deployed) -> None:
    on_three_nodes.deploy()
    wait_until(lambda: on_three_nodes.application()["status"] == "DEPLOY_FAILED", 60, "the refusal", every_s=0.5)
    message = on_three_nodes.application()["message"]
    assert "the cluster has 3 nodes, and the database is a file on one of them" in message
    assert "PostgreSQL" in message


@pytest.mark.chaos
def test_a_database_that_is_away_loses_nothing(
    deployed: Deployed, load: Load, truth: dict[str, Any], postgres: Postgres
) -> None:
    before = load.places()
    postgres.stop()
    try:
        load.wait_away_s(60.0)
    finally:
        postgres.start()
    load.check_topics(truth)
    assert load.places() == before
    load.check_cameras(what="the database is away for a minute")


@pytest.mark.chaos
def test_the_streams_of_a_node_that_dies_go_on_with_the_others(
    deployed: Deployed, workers: list[Node], head: RayHead, load: Load, truth: dict[str, Any]
) -> None:
    readers = {reader["name"]: reader for reader in load.api.readers()}
    assert {reader["node"] for reader in readers.values()} == set(head.nodes())
    victim = next(name for name, pid in deployed.pids("StreamReader").items() if pid in workers[0].pids)
    hit = load.owned_by(victim)
    workers[0].signal(signal.SIGKILL)
    outage_s = load.wait_moved(hit, victim)  # the others' may be evened out: two readers are left
    wait_until(lambda: len(head.nodes()) == 2, 60, "Ray to see that the node is gone")
    assert {reader["node"] for reader in load.api.readers()} <= set(head.nodes())
    load.check_topics(truth)
    load.check_cameras(outage_s, hit, what="a node is killed")
