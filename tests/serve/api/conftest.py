"""The whole API over a real registry and a database in a folder, without Ray: nobody reads, but everything answers."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from analytics.counting.heatmap import HeatCells
from analytics.counting.lines import LineTotals
from analytics.counting.people import PeopleTotals
from analytics.counting.zones import ZoneTotals
from analytics.errors import StoreUnavailable
from analytics.minutes import MinuteRow
from analytics.storage.base import Checkpoint
from analytics.storage.database import DatabaseStore
from analytics.storage.stores import Stores
from serve.api.app import make_api
from serve.control.registry import Registry
from serve.deployments.live import Live
from serve.settings import Settings, load
from serve.streams.live_frame import LiveFrame
from tests.analytics.totals import totals_of
from tests.assigning import assign

NOON = 1_790_510_400  # 2026-09-27 12:00:00 UTC


class LocalRegistry:
    """`serve.api.registry_client.RegistryClient`: a registry in this process, made on the loop that first asks it."""

    def __init__(self, settings: Settings, store: DatabaseStore) -> None:
        self._settings = settings
        self._store = store
        self._made: Registry | None = None

    def __getattr__(self, name: str) -> Any:
        if self._made is None:
            self._made = Registry(self._settings, self._store)
        return getattr(self._made, name)

    async def watch(self, stream: str) -> AsyncIterator[LiveFrame]:
        await self.get_stream(stream)
        live = Live("live", self)
        try:
            async for frame in live.watch(stream):
                yield frame
        finally:
            await live.stop()


class BrokenStore(DatabaseStore):
    """A database that can be pulled away."""

    away = False

    def _transaction(self, **options: Any) -> Any:
        if self.away:
            raise StoreUnavailable("the database is away: connection refused")
        return super()._transaction(**options)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[BrokenStore]:
    made = BrokenStore(f"sqlite:///{tmp_path / 'footfall.db'}")
    made.migrate()
    yield made
    made.close()


@pytest.fixture
def token() -> str | None:
    return None


@pytest.fixture
def api(tmp_path: Path, store: BrokenStore, token: str | None) -> Iterator[TestClient]:
    reach = {"networks": ["127.0.0.0/8", "192.0.2.0/24", ".invalid"], "file_dirs": ["/data", str(tmp_path)]}
    values: dict[str, Any] = {"data_dir": str(tmp_path), "log_format": "text", "sources": reach}
    if token is not None:
        values["api"] = {"token": token}
    settings = load(None, **values)
    app = make_api(LocalRegistry(settings, store), Stores.of(store), settings)
    with TestClient(app, "http://127.0.0.1:8000", client=("127.0.0.1", 40000), raise_server_exceptions=False) as client:
        yield client


@pytest.fixture
def camera(api: TestClient) -> str:
    body = {"name": "Door", "source": {"type": "rtsp", "url": "rtsp://user:s3cret@192.0.2.1/x"}}
    assert api.put("/api/v1/streams/door", json=body).status_code == 201
    return "door"


@pytest.fixture
def counted(camera: str, store: BrokenStore) -> str:
    """The camera with two covered minutes, from noon, with a minute in between of which nothing was seen."""
    rows = []
    for minute, entered, share in ((NOON, 3, 1.0), (NOON + 120, 2, 0.5)):
        totals = totals_of(
            PeopleTotals(60 * share, 360, 90.0, 4),
            {"door": LineTotals(entered, 1)},
            {"till": ZoneTotals(30.0, 2, 2, 1)},
            HeatCells({100: 60.0, 101: 30.0}, {100: 2, 101: 1}),
        )
        rows.append(MinuteRow(camera, minute, 1, totals))
    assert assign(store, camera, "reader") == 1
    store.checkpoint(Checkpoint(camera, 1, rows, {}, None, NOON + 150.0))
    return camera
