"""Readers on three nodes, the head and one of which die."""

from __future__ import annotations

import os
import signal
import time
from typing import Any

import pytest

from footfall.types import RtspDefinition
from pipelines.simulator.rtsp.camera_server import CameraServer
from tests.analytics.storage.conftest import Postgres
from tests.integration.chaos.deployed import Deployed
from tests.integration.chaos.load import Load
from tests.integration.conftest import wait_frames
from tests.integration.ray_head import Node, RayHead
from tests.integration.soak.processes import descendants
from tests.waiting import wait_until

pytestmark = [pytest.mark.integration, pytest.mark.slow, pytest.mark.timeout(300)]
FROZEN_S = 15.0


def with_readers(deployed: Deployed, nodes: list[Node]) -> tuple[Node, set[str]]:
    """A node that has readers, wherever Ray has put them, and the readers."""
    pids = deployed.pids("StreamReader")
    found = [(node, {name for name, pid in pids.items() if pid in node.pids}) for node in nodes]
    return next((node, readers) for node, readers in found if readers)


def test_several_nodes_with_a_file_for_a_database_are_refused(on_three_nodes: Deployed) -> None:
    on_three_nodes.deploy()
    wait_until(lambda: on_three_nodes.application()["status"] == "DEPLOY_FAILED", 60, "the refusal", every_s=0.5)
    message = on_three_nodes.application()["message"]
    assert "the cluster has 3 nodes, and the database is a file on one of them" in message
    assert "PostgreSQL" in message


@pytest.mark.chaos
@pytest.mark.parametrize("what", ["is away", "freezes"])
def test_a_database_that_does_not_answer_loses_nothing(
    deployed: Deployed, load: Load, truth: dict[str, Any], postgres: Postgres, what: str
) -> None:
    """Rows wait on disk meanwhile, which those of one that is only frozen do once it has kept us waiting for long."""
    before = load.places()
    if what == "freezes":
        postgres.freeze()
    else:
        postgres.stop()
    try:
        load.wait_away_s(60.0)
        assert all(view["spooled"] for view in load.views().values())
    finally:
        postgres.freeze(False) if what == "freezes" else postgres.start()
    load.check_topics(truth)
    load.check_stayed(before)
    load.check_cameras(what=f"the database {what} for a minute")


@pytest.mark.chaos
def test_while_what_knows_the_cluster_is_frozen_no_stream_moves(
    deployed: Deployed, head: RayHead, load: Load, truth: dict[str, Any]
) -> None:
    before, nodes = load.places(), head.nodes()
    os.kill(head.gcs, signal.SIGSTOP)
    try:
        deployed.wait_counted("cam0", FROZEN_S)
    finally:
        os.kill(head.gcs, signal.SIGCONT)
    deployed.wait_ready()
    load.wait_progress()
    load.check_topics(truth)
    assert head.nodes() == nodes
    load.check_stayed(before)
    load.check_cameras(what="Ray's GCS freezes")


@pytest.mark.chaos
def test_nodes_work_on_without_a_head_and_join_the_next_one(
    deployed: Deployed, head: RayHead, load: Load, truth: dict[str, Any], own_cameras: dict[str, CameraServer]
) -> None:
    on_head = descendants(head.pid)
    victim = next(name for name, pid in deployed.pids("StreamReader").items() if pid in on_head)
    before, hit, nodes, died_s = load.places(), load.owned_by(victim), head.nodes(), time.monotonic()
    head.kill_gcs()
    head.start_again()
    load.wait_moved(hit, victim)
    outage_s = time.monotonic() - died_s
    wait_until(lambda: len(head.nodes()) == 3, 60, "the other nodes to join the new head", every_s=0.3)
    assert len({*head.nodes()} & {*nodes}) == 2
    deployed.wait_ready()
    after = load.places()  # the reader that the new head has is given its share by those that had no reason to move
    assert all(after[name][1] - before[name][1] <= 1 for name in before if name not in hit)
    source: RtspDefinition = {"type": "rtsp", "url": own_cameras["cam0"].url("cam0")}
    load.api.put_stream("later", {"source": source, "analysis_fps": 2}, only_new=True)
    wait_frames(load.api, "later")
    load.api.delete_stream("later", purge=True)
    load.check_topics(truth)
    load.check_cameras(outage_s, hit, what="Ray's GCS is killed, and the head and its reader with it")


@pytest.mark.chaos
@pytest.mark.parametrize("what", ["is drained", "is asked to end (SIGTERM)"])
def test_the_streams_of_a_node_that_is_to_go_are_handed_over(
    deployed: Deployed,
    another_node: None,
    workers: list[Node],
    head: RayHead,
    load: Load,
    truth: dict[str, Any],
    what: str,
) -> None:
    """Ray hears that it will be gone, or is asked to end it, as when a machine is taken back: readers leave in time."""
    going, leaving = with_readers(deployed, workers)
    (node,) = {reader["node"] for reader in load.api.readers() if reader["name"] in leaving}
    if what == "is drained":
        head.drain(node)
    else:
        going.end()
    wait_until(lambda: not leaving & deployed.pids("StreamReader").keys(), 120, "its readers to leave", every_s=0.3)
    load.wait_progress()
    load.check_topics(truth)
    load.check_cameras(what=f"a node {what}")
    if what == "is drained":
        going.stop()
    wait_until(lambda: going.ended, 90, "the node to end")
    wait_until(lambda: node not in head.nodes(), 60, "Ray to see that the node is gone")
    workers.remove(going)


@pytest.mark.chaos
def test_the_streams_of_a_node_that_dies_go_on_with_the_others(
    deployed: Deployed, workers: list[Node], head: RayHead, load: Load, truth: dict[str, Any]
) -> None:
    nodes = head.nodes()
    assert len({reader["node"] for reader in load.api.readers()}) > 1
    dying, victims = with_readers(deployed, workers)
    hit = load.owned_by(*victims)
    dying.signal(signal.SIGKILL)
    outage_s = load.wait_moved(hit, *victims)  # the others' may be evened out: two readers are left
    wait_until(lambda: len(head.nodes()) < len(nodes), 60, "Ray to see that the node is gone")
    assert {reader["node"] for reader in load.api.readers()} <= set(head.nodes())
    load.check_topics(truth)
    load.check_cameras(outage_s, hit, what="a node is killed")
