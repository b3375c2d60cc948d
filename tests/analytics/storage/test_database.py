"""What only a real database can do, and do wrong."""

from __future__ import annotations

import dataclasses
import multiprocessing
import resource
import sqlite3
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import alembic.command
import alembic.config
import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from analytics.counting.zones import ZONES
from analytics.errors import StoreError, StoreUnavailable
from analytics.events import SITE_OCCUPANCY, STREAM_STATE
from analytics.storage.base import StreamRecord
from analytics.storage.database import MIGRATIONS, DatabaseStore
from analytics.storage.engine import taking_its_time
from analytics.storage.outbox import DatabaseOutbox
from analytics.storage.tables import metadata
from tests.analytics.storage.conftest import Postgres
from tests.analytics.storage.minutes import NOON, checkpoint, row, write_many
from tests.analytics.storage.test_outbox import full, state
from tests.assigning import assign

SPAWN = multiprocessing.get_context("spawn")


def engine_of(url: str) -> sa.Engine:
    return sa.create_engine(url.replace("postgresql://", "postgresql+psycopg://"), poolclass=sa.NullPool)


def hold(store: DatabaseStore) -> int:
    """Register a stream and take it."""
    store.put_stream(StreamRecord("cam", {}))
    return assign(store, "cam", "reader")


# -- migrations


def run_alembic(url: str, command: str, target: str) -> None:
    config = alembic.config.Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with engine_of(url).begin() as connection:
        config.attributes["connection"] = connection
        getattr(alembic.command, command)(config, target)


def test_migrated_tables_are_those_of_the_code(url: str) -> None:
    with engine_of(url).connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []


def test_every_migration_can_be_taken_back_and_made_again(url: str) -> None:
    run_alembic(url, "downgrade", "base")
    assert sa.inspect(engine_of(url)).get_table_names() == ["alembic_version"]
    run_alembic(url, "upgrade", "head")
    store = DatabaseStore(url)
    assert hold(store) == 1
    store.close()


def test_what_was_told_last_is_known_to_who_comes_from_a_version_that_kept_it_as_events_alone(url: str) -> None:
    store = DatabaseStore(url)
    outbox = DatabaseOutbox(store)
    outbox.append([state(1.0, "cam", "failed"), state(2.0, "cam"), full(3.0, "berlin")])
    told = outbox.told_last(STREAM_STATE), outbox.told_last(SITE_OCCUPANCY)
    store.close()
    run_alembic(url, "downgrade", "0010")
    run_alembic(url, "upgrade", "head")
    store = DatabaseStore(url)
    outbox = DatabaseOutbox(store)
    assert (outbox.told_last(STREAM_STATE), outbox.told_last(SITE_OCCUPANCY)) == told
    assert told[0]["cam"].time_s == 2.0
    store.close()


def test_migrating_again_changes_nothing(database: DatabaseStore) -> None:
    epoch = hold(database)
    database.checkpoint(checkpoint(epoch, row(epoch=epoch)))
    database.migrate()
    assert len(database.minutes("cam", 0, 2**40)) == 1


def test_several_may_migrate_at_once(empty_url: str) -> None:
    stores = [DatabaseStore(empty_url) for _ in range(4)]
    failures: list[BaseException] = []

    def migrate(store: DatabaseStore) -> None:
        try:
            store.migrate()
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=migrate, args=(store,)) for store in stores]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert failures == []
    assert stores[0].list_streams() == []
    for store in stores:
        store.close()


def test_a_database_of_a_newer_version_is_left_alone(database: DatabaseStore, url: str) -> None:
    with engine_of(url).begin() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(StoreError, match="newer version"):
        database.migrate()


# -- several at once


def test_two_processes_write_at_the_same_time(url: str) -> None:
    processes = [SPAWN.Process(target=write_many, args=(url, f"cam{n}", 15)) for n in range(2)]
    for process in processes:
        process.start()
    store = DatabaseStore(url)
    while any(process.is_alive() for process in processes):
        for process in processes:
            process.join(0.05)
        for record in store.list_streams():
            store.minutes(record.id, 0, 2**40)
    assert [process.exitcode for process in processes] == [0, 0]
    for n in range(2):
        assert len(store.minutes(f"cam{n}", 0, 2**40)) == 15
    store.close()


def test_a_row_that_the_database_refuses_leaves_nothing_behind(database: DatabaseStore) -> None:
    epoch = hold(database)
    good = row(minute=NOON + 60, epoch=epoch)
    bad = row(epoch=epoch)
    bad.totals[ZONES]["till"].peak = None  # type: ignore[assignment]
    with pytest.raises(StoreError, match="refuses") as caught:
        database.checkpoint(checkpoint(epoch, good, bad))
    assert not caught.value.retryable
    assert database.minutes("cam", 0, 2**40) == []
    assert database.load_checkpoint("cam") is None


def test_a_reader_sees_one_moment_even_if_somebody_writes_meanwhile(database: DatabaseStore, url: str) -> None:
    epoch = hold(database)
    database.checkpoint(checkpoint(epoch, row(epoch=epoch)))
    writer = DatabaseStore(url)
    written = threading.Event()

    def write_in_between(connection: Any, cursor: Any, statement: str, *_: Any) -> None:
        if "FROM minutes" in statement and not written.is_set():
            written.set()
            writer.checkpoint(checkpoint(epoch, row(epoch=epoch, frames=6), row(minute=NOON + 60, epoch=epoch)))

    sa.event.listen(database._engine, "after_cursor_execute", write_in_between)
    assert database.minutes("cam", 0, 2**40) == [row(epoch=epoch)]
    assert written.is_set()
    assert len(database.minutes("cam", 0, 2**40)) == 2
    writer.close()


@contextmanager
def locked_by_somebody(url: str) -> Iterator[None]:
    with engine_of(url).connect() as connection:
        if url.startswith("sqlite"):
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        else:
            connection.exec_driver_sql("SELECT * FROM assignments FOR UPDATE")
        yield
        connection.rollback()


def test_a_lock_that_is_held_for_too_long_is_an_unavailable_store(database: DatabaseStore, url: str) -> None:
    epoch = hold(database)
    with locked_by_somebody(url):
        begun = time.monotonic()
        with pytest.raises(StoreUnavailable):
            database.checkpoint(checkpoint(epoch, row(epoch=epoch)))
        assert time.monotonic() - begun < 3
        assert database.minutes("cam", 0, 2**40) == []  # who only reads does not wait
    database.checkpoint(checkpoint(epoch, row(epoch=epoch)))
    assert len(database.minutes("cam", 0, 2**40)) == 1


# -- the database is away


@pytest.mark.integration
def test_a_server_that_is_killed_and_started_again_is_found_again(postgres: Postgres, migrated: str) -> None:
    store = DatabaseStore(postgres.fresh_database(template=migrated))
    epoch = hold(store)
    store.checkpoint(checkpoint(epoch, row(epoch=epoch), n=1))
    postgres.stop()
    try:
        for call in (
            lambda: store.checkpoint(checkpoint(epoch, row(minute=NOON + 60, epoch=epoch))),
            lambda: store.minutes("cam", 0, 2**40),
            store.list_streams,
            store.check,
            store.migrate,
        ):
            with pytest.raises(StoreUnavailable):
                call()
    finally:
        postgres.start()
    store.check()
    store.checkpoint(checkpoint(epoch, row(minute=NOON + 60, epoch=epoch), n=2))
    assert len(store.minutes("cam", 0, 2**40)) == 2
    store.close()


@pytest.mark.integration
def test_a_server_that_freezes_counts_as_away_until_it_wakes_up(postgres: Postgres, migrated: str) -> None:
    """Its kernel still takes what is sent, so it is not a lost connection that is noticed."""
    store = DatabaseStore(postgres.fresh_database(template=migrated), answer_s=0.5)
    epoch = hold(store)
    postgres.freeze()
    try:
        begun_s = time.monotonic()
        with pytest.raises(StoreUnavailable):
            store.checkpoint(checkpoint(epoch, row(NOON)))
        with pytest.raises(StoreUnavailable):
            store.list_streams()
        assert time.monotonic() - begun_s < 20  # not for ever; a new connection is waited for for five seconds
    finally:
        postgres.freeze(False)
    store.checkpoint(checkpoint(epoch, row(NOON)))
    store.close()


@pytest.mark.integration
def test_a_server_that_freezes_in_the_middle_of_a_transaction_is_given_up(postgres: Postgres, migrated: str) -> None:
    store = DatabaseStore(postgres.fresh_database(template=migrated), answer_s=0.5)

    def freeze_between() -> None:
        with store._transaction() as connection:
            connection.execute(sa.text("SELECT 1"))
            postgres.freeze()
            connection.execute(sa.text("SELECT 1"))

    try:
        with pytest.raises(StoreUnavailable, match="has not answered for"):
            freeze_between()
    finally:
        postgres.freeze(False)
    with pytest.raises(StoreUnavailable, match="statement timeout"), store._transaction() as connection:
        connection.execute(sa.text("SELECT pg_sleep(2)"))  # whoever is alive ends it by himself
    with store._transaction() as connection, taking_its_time(connection):
        connection.execute(sa.text("SELECT pg_sleep(1)"))
    store.close()


@pytest.mark.integration
def test_no_more_connections_are_opened_than_were_allowed(postgres: Postgres, migrated: str) -> None:
    url = postgres.fresh_database(template=migrated)
    store = DatabaseStore(url, connections=2)
    name = sa.make_url(url).database
    with ThreadPoolExecutor(12) as at_once:
        list(at_once.map(lambda _: [store.list_streams() for _ in range(10)], range(12)))
        with store._transaction(reading=True) as connection:
            count = sa.text("SELECT count(*) FROM pg_stat_activity WHERE datname = :name")
            assert connection.execute(count, {"name": name}).scalar_one() <= 2
    store.close()


def test_a_server_that_is_not_there_is_told_without_its_password() -> None:
    store = DatabaseStore("postgresql://footfall:hunter2@127.0.0.1:9/footfall")
    with pytest.raises(StoreUnavailable) as caught:
        store.check()
    assert "hunter2" not in str(caught.value)


@contextmanager
def files_no_larger_than(size: int) -> Iterator[None]:
    """As on a full disk: what would grow a file beyond this fails."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_is_an_unavailable_store_until_there_is_room(tmp_path: Path) -> None:
    store = DatabaseStore(f"sqlite:///{tmp_path / 'footfall.db'}")
    store.migrate()
    epoch = hold(store)

    def fill() -> None:
        for number in range(500):
            store.checkpoint(checkpoint(epoch, row(minute=NOON + 60 * number, epoch=epoch), n=number, pad="x" * 4000))

    with files_no_larger_than(512 * 1024), pytest.raises(StoreUnavailable):
        fill()
    kept = store.minutes("cam", 0, 2**40)
    loaded = store.load_checkpoint("cam")
    assert loaded is not None
    assert loaded.state["n"] == len(kept) - 1  # rows and state are of the same moment
    store.checkpoint(checkpoint(epoch, row(minute=NOON + 60 * 1000, epoch=epoch)))
    assert len(store.minutes("cam", 0, 2**40)) == len(kept) + 1
    store.close()


@pytest.mark.parametrize(
    "content", [b"this is no database, but a text of some length " * 50, b"SQLite format 3\x00" * 99]
)
def test_a_damaged_file_is_an_unavailable_store(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "footfall.db").write_bytes(content)
    store = DatabaseStore(f"sqlite:///{tmp_path / 'footfall.db'}")
    with pytest.raises(StoreUnavailable):
        store.migrate()
    store.close()


def test_a_place_where_no_file_can_be_is_an_unavailable_store(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for path in (tmp_path, tmp_path / "file" / "footfall.db"):
        with pytest.raises(StoreUnavailable):
            DatabaseStore(f"sqlite:///{path}").migrate()


def test_a_missing_folder_is_made(tmp_path: Path) -> None:
    store = DatabaseStore(f"sqlite:///{tmp_path / 'a' / 'b' / 'footfall.db'}")
    store.migrate()
    assert hold(store) == 1
    store.close()


def test_tables_that_are_missing_are_an_unavailable_store(tmp_path: Path) -> None:
    store = DatabaseStore(f"sqlite:///{tmp_path / 'footfall.db'}")
    with pytest.raises(StoreUnavailable, match="no such table"):
        store.list_streams()
    store.close()


@pytest.mark.parametrize("url", ["mysql://host/name", "not a url", "", "oracle://x", "postgresql://host:port/name"])
def test_other_databases_are_refused_in_plain_words(url: str) -> None:
    with pytest.raises(StoreError, match=r"use sqlite"):
        DatabaseStore(url)


def test_sqlite_keeps_its_promises_over_a_crash(tmp_path: Path) -> None:
    path = tmp_path / "footfall.db"
    process = SPAWN.Process(target=write_many, args=(f"sqlite:///{path}", "cam", 5000))
    DatabaseStore(f"sqlite:///{path}").migrate()
    process.start()
    store = DatabaseStore(f"sqlite:///{path}")
    deadline = time.monotonic() + 20
    while len(store.minutes("cam", 0, 2**40)) < 20 and time.monotonic() < deadline:
        process.join(0.02)
    process.kill()
    process.join(5)
    loaded, rows = store.load_checkpoint("cam"), store.minutes("cam", 0, 2**40)
    assert loaded is not None
    assert loaded.state["n"] == len(rows) - 1
    assert rows == [row("cam", NOON + 60 * n, 1) for n in range(len(rows))]
    with sqlite3.connect(path) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    store.close()


def test_records_tell_when_they_were_made_and_changed(url: str) -> None:
    now = [1000.0]
    store = DatabaseStore(url, wall_clock=lambda: now[0])
    store.put_stream(StreamRecord("cam", {}))
    now[0] = 2000.0
    store.put_stream(StreamRecord("cam", {"name": "x"}, created_s=5.0))
    stored = store.get_stream("cam")
    assert stored is not None
    assert (stored.created_s, stored.updated_s) == (1000.0, 2000.0)
    assert dataclasses.asdict(stored)["definition"] == {"name": "x"}
    store.close()


@pytest.mark.parametrize("content", [b"root:x:0:0:root:/root:/bin/bash\n", b"x"])
def test_a_file_that_is_something_else_is_left_as_it_is(tmp_path: Path, content: bytes) -> None:
    """Whoever is root may name /etc/passwd; it must not be taken from everybody else."""
    file = tmp_path / "passwd"
    file.write_bytes(content)
    file.chmod(0o644)
    store = DatabaseStore(f"sqlite:///{file}")
    with pytest.raises(StoreUnavailable, match="something else"):
        store.migrate()
    store.close()
    assert (file.read_bytes(), file.stat().st_mode & 0o777) == (content, 0o644)
    assert [path.name for path in tmp_path.iterdir()] == ["passwd"]
