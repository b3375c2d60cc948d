"""The service on a Ray cluster of three nodes, real ones, on this machine."""

from __future__ import annotations

from collections.abc import Iterator
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


@pytest.fixture(scope="package")
def workers(head: RayHead, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Node]]:
    """Two nodes beside the head."""
    with ExitStack() as ends:
        yield [ends.enter_context(head.joined(tmp_path_factory.mktemp("node"), cpus=2)) for _ in range(2)]


@pytest.fixture(scope="package")
def spare(head: RayHead, workers: list[Node], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    """One more, from when it is asked for."""
    with head.joined(tmp_path_factory.mktemp("spare"), cpus=2) as node:
        yield node


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
