"""A disk that is full: nothing is lost as long as those live who hold it in memory, and topics wait."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.analytics.storage.conftest import Postgres, postgres
from tests.integration.chaos.deployed import Deployed
from tests.integration.chaos.load import Load
from tests.integration.chaos.small_disk import SmallDisk
from tests.waiting import wait_until

pytestmark = [pytest.mark.integration, pytest.mark.chaos, pytest.mark.slow, pytest.mark.timeout(300)]
__all__ = ["postgres"]
FULL_S = 15.0
SETTLED_S = 2.0
"""What was under way when topics began to wait is analysed by then, and told."""


@pytest.fixture(scope="module")
def disk(deployed: Deployed, truth: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmallDisk]:
    """All that the service writes to a disk is on this one, until the end of the module."""
    usual = deployed.folder
    with SmallDisk.mounted(tmp_path_factory.mktemp("small") / "disk", megabytes=32) as made:
        redeploy(deployed, made.path)
        yield made
        made.free()
        redeploy(deployed, usual)


def redeploy(deployed: Deployed, folder: Path, database_url: str | None = None) -> None:
    """Exchange everything for what has its data elsewhere."""
    old = deployed.pids("StreamReader") | deployed.pids("Registry")
    deployed.folder, deployed.database_url = folder, database_url
    deployed.deploy()
    for name in ("Registry", "StreamReader"):
        deployed.wait_replicas(name, lambda pids: not pids.keys() & old.keys(), f"another {name}")
    deployed.wait_ready()


def fill(disk: SmallDisk, load: Load) -> None:
    """Until rows of all streams wait in memory."""

    def told() -> bool:
        disk.fill()  # again and again: a file that was being replaced has left its room
        return all("in memory" in (view["error"] or "") for view in load.views().values())

    wait_until(told, 30, "all streams to say that nobody takes their rows", every_s=0.3)


def check_topics_wait(load: Load) -> None:
    """While cameras are analysed on."""
    load.wait_away_s(SETTLED_S)
    before = {name: load.views()[name]["analysed"] for name in load.topics}
    load.wait_away_s(FULL_S)
    assert {name: load.views()[name]["analysed"] for name in load.topics} == before


def test_a_full_disk_under_a_database_file_loses_nothing(
    deployed: Deployed, disk: SmallDisk, load: Load, truth: dict[str, Any]
) -> None:
    before = load.places()
    try:
        fill(disk, load)
        check_topics_wait(load)
    finally:
        disk.free()
    load.check_topics(truth)
    load.check_stayed(before)
    load.check_cameras(what=f"the disk under SQLite is full for {FULL_S:.0f} s")


@pytest.fixture
def away(deployed: Deployed, disk: SmallDisk, postgres: Postgres) -> Iterator[Postgres]:
    """A database elsewhere, which can be taken away."""
    redeploy(deployed, disk.path, postgres.fresh_database())
    yield postgres
    postgres.start()


def test_a_disk_that_fills_while_the_database_is_away_loses_nothing(
    deployed: Deployed, disk: SmallDisk, away: Postgres, load: Load, truth: dict[str, Any]
) -> None:
    before = load.places()
    away.stop()
    try:
        wait_until(lambda: all(view["spooled"] for view in load.views().values()), 30, "rows to wait on disk")
        fill(disk, load)
        check_topics_wait(load)
    finally:
        away.start()
        disk.free()
    load.check_topics(truth)
    load.check_stayed(before)
    load.check_cameras(what=f"the database is away, and the spool's disk is full for {FULL_S:.0f} s")
