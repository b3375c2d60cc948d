"""The service on a Ray cluster of three nodes, real ones, on this machine."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.analytics.storage.conftest import Postgres, postgres
from tests.integration.chaos.conftest import load, own_cameras, scene, truth
from tests.integration.chaos.deployed import Deployed
from tests.integration.ray_head import Node, RayHead

__all__ = ["load", "own_cameras", "postgres", "scene", "truth"]


@pytest.fixture(scope="package")
def head(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RayHead]:
    """What it knows of the cluster is on its disk, as in deploy/kubernetes."""
    storage = {"RAY_gcs_storage": "rocksdb", "RAY_gcs_storage_path": str(tmp_path_factory.mktemp("gcs"))}
    with RayHead.started(tmp_path_factory.mktemp("ray"), cpus=2, alone=False, **storage) as made:
        yield made


DRAINED_WITHIN_S = "90"
"""As deploy/Dockerfile has it: Ray's own 30 s are less than a reader may take to hand over."""


@pytest.fixture(scope="package")
def join(head: RayHead, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[], Node]]:
    """Has another node join the head, with each call."""
    variables = {"RAY_GRACEFUL_SHUTDOWN_DRAIN_TIMEOUT_S": DRAINED_WITHIN_S}
    with ExitStack() as ends:
        yield lambda: ends.enter_context(head.joined(tmp_path_factory.mktemp("node"), cpus=2, **variables))


@pytest.fixture(scope="package")
def workers(join: Callable[[], Node]) -> list[Node]:
    """Two nodes beside the head, and those that join or go with a test."""
    return [join(), join()]


@pytest.fixture
def another_node(workers: list[Node], join: Callable[[], Node]) -> None:
    """Joins before anything is measured: it comes to the same few cores, which it would not elsewhere."""
    workers.append(join())


@pytest.fixture(scope="package")
def on_three_nodes(
    head: RayHead, workers: list[Node], tmp_path_factory: pytest.TempPathFactory, model_path: Path
) -> Deployed:
    """With a reader for each node, and a file for a database; not deployed yet."""
    service = Deployed(head, tmp_path_factory.mktemp("nodes"), model_path)
    service.sections["reader"] |= {"replicas": 3, "cpus": 1, "capacity": 1}
    return service


@pytest.fixture(scope="package")
def deployed(on_three_nodes: Deployed, postgres: Postgres) -> Deployed:
    """With a database that all nodes reach."""
    on_three_nodes.database_url = postgres.fresh_database()
    on_three_nodes.deploy()
    on_three_nodes.wait_ready()
    return on_three_nodes
