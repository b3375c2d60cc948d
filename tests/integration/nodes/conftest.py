"""The service on a Ray cluster of three nodes, real ones, on this machine."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.analytics.storage.conftest import Postgres, postgres
from tests.integration.chaos.conftest import Deployed, load, own_cameras, scene, truth
from tests.integration.ray_head import Node, RayHead

__all__ = ["load", "own_cameras", "postgres", "scene", "truth"]


@pytest.fixture(scope="package")
def head(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RayHead]:
    with RayHead.started(tmp_path_factory.mktemp("ray"), cpus=2) as made:
        yield made


@pytest.fixture(scope="package")
def workers(head: RayHead, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Node]]:
    """Two nodes beside the head."""
    with ExitStack() as ends:
        yield [ends.enter_context(head.joined(tmp_path_factory.mktemp("node"), cpus=2)) for _ in range(2)]


@pytest.fixture(scope="package")
def deployed(
    head: RayHead,
    workers: list[Node],
    postgres: Postgres,
    tmp_path_factory: pytest.TempPathFactory,
    model_path: Path,
) -> Deployed:
    """With a reader on each node."""
    service = Deployed(head, tmp_path_factory.mktemp("nodes"), model_path, postgres.fresh_database())
    service.deploy(reader={"replicas": 3, "cpus": 1, "capacity": 1})
    service.wait_ready()
    return service
