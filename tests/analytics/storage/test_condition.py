from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa

from analytics.errors import StoreError, StoreUnavailable
from analytics.storage.condition import database_condition
from analytics.storage.database import DatabaseStore
from analytics.storage.engine import driver_url
from tests.analytics.storage.conftest import Postgres


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.integration)])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'footfall.db'}"
    postgres: Postgres = request.getfixturevalue("postgres")
    return postgres.fresh_database()


def migrated(url: str) -> None:
    store = DatabaseStore(url)
    store.migrate()
    store.close()


def execute(url: str, statement: str) -> None:
    engine = sa.create_engine(driver_url(url))
    with engine.begin() as connection:
        connection.execute(sa.text(statement))
    engine.dispose()


def test_a_database_of_this_version_is_known_and_newest(url: str) -> None:
    migrated(url)
    found = database_condition(url)
    assert found.exists
    assert found.known
    assert found.revision == found.newest
    assert found.size_bytes > 10_000
    assert found.kind.startswith(("SQLite 3", "PostgreSQL 1"))


def test_a_database_of_a_newer_version_is_not_known(url: str) -> None:
    migrated(url)
    execute(url, "UPDATE alembic_version SET version_num = '9999'")
    found = database_condition(url)
    assert not found.known
    assert found.revision == "9999"


def test_a_database_of_an_older_version_is_known(url: str) -> None:
    migrated(url)
    execute(url, "UPDATE alembic_version SET version_num = '0001'")
    found = database_condition(url)
    assert found.known
    assert found.revision == "0001" != found.newest


def test_an_empty_database_has_no_revision(url: str) -> None:
    execute(url, "CREATE TABLE other (id INTEGER)")
    found = database_condition(url)
    assert found.exists
    assert found.revision is None
    assert found.known


def test_a_file_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    found = database_condition(f"sqlite:///{tmp_path / 'none' / 'footfall.db'}")
    assert not found.exists
    assert list(tmp_path.iterdir()) == []


def test_looking_changes_nothing(tmp_path: Path) -> None:
    file = tmp_path / "other.db"
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("CREATE TABLE other (id INTEGER)")
    before = file.read_bytes()
    database_condition(f"sqlite:///{file}")
    assert file.read_bytes() == before
    assert [one.name for one in tmp_path.iterdir()] == ["other.db"]


def test_a_damaged_file_is_found(tmp_path: Path) -> None:
    (tmp_path / "footfall.db").write_bytes(b"SQLite format 3\0" + b"x" * 5000)
    with pytest.raises(StoreUnavailable):
        database_condition(f"sqlite:///{tmp_path / 'footfall.db'}")


def test_a_server_that_is_not_there_is_away() -> None:
    with pytest.raises(StoreUnavailable, match="away"):
        database_condition("postgresql://nobody:s3cret@127.0.0.1:9/none")


def test_another_kind_of_database_is_refused() -> None:
    with pytest.raises(StoreError):
        database_condition("mysql://somebody@localhost/x")
