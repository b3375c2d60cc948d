"""Connections to SQLite and PostgreSQL, with the time-outs and the manners of each."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import URL, make_url

from analytics.errors import StoreError, StoreUnavailable
from analytics.storage.patience import PatientConnection

BEGIN = "footfall_begin"
"""Name of the execution option that says how a transaction of SQLite begins."""
_MAGIC = b"SQLite format 3\0"


def open_engine(url: URL, lock_wait_s: float, answer_s: float, connections: int | None) -> sa.Engine:
    """Connections to what ``url`` names; none is made before it is needed.

    Args:
        url: from `driver_url`.
        lock_wait_s: how long to wait for somebody else's transaction, or for a connection.
        answer_s: how long to wait for an answer of a server.
        connections: to a server, at most; None: as many as are asked for at once, within reason.
    """
    if url.get_backend_name() == "sqlite":
        return _sqlite_engine(url, lock_wait_s)
    return _postgres_engine(url, lock_wait_s, answer_s, connections)


@contextmanager
def taking_its_time(connection: sa.Connection) -> Iterator[None]:
    """Wait for ever for the answers of a server until the end of the block, which is a part of one transaction."""
    driver = connection.connection.driver_connection
    if not isinstance(driver, PatientConnection):
        yield
        return
    usual_s, driver.answer_s = driver.answer_s, None
    connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
    try:
        yield
    finally:
        driver.answer_s = usual_s


def driver_url(url: str) -> URL:
    """A database's URL, with the driver that we use.

    Raises:
        StoreError: it cannot be read, or is of another kind of database.
    """
    try:
        parsed = make_url(url)
        backend = parsed.get_backend_name()
    except (sa.exc.ArgumentError, ValueError) as error:
        raise StoreError(
            "the database URL cannot be read; use sqlite:///PATH or postgresql://USER@HOST/NAME"
        ) from error
    if backend == "postgresql":
        return parsed.set(drivername="postgresql+psycopg")
    if backend == "sqlite":
        return parsed.set(drivername="sqlite+pysqlite")
    raise StoreError(f"databases of kind {backend!r} are not supported; use sqlite or postgresql")


def _postgres_engine(url: URL, lock_wait_s: float, answer_s: float, connections: int | None) -> sa.Engine:
    """Of PostgreSQL. A server that is gone or frozen without a word is noticed; a lock is not waited for for ever."""
    limits = {
        "connect_timeout": 5,
        "tcp_user_timeout": 10_000,
        "keepalives_idle": 10,
        "keepalives_interval": 5,
        "keepalives_count": 3,
        # What nobody waits for any more is not to go on: a server that is alive ends it before it is given up.
        "options": f"{url.query.get('options', '')} -c lock_timeout={round(lock_wait_s * 1000)}"
        f" -c statement_timeout={round(0.9 * answer_s * 1000)}",
    }
    room = (
        {"pool_size": 5, "max_overflow": 10} if connections is None else {"pool_size": connections, "max_overflow": 0}
    )
    engine = sa.create_engine(url, pool_pre_ping=True, pool_timeout=lock_wait_s, connect_args=limits, **room)

    @sa.event.listens_for(engine, "do_connect")
    def connect(_dialect: Any, _record: Any, arguments: Any, options: Any) -> PatientConnection:
        made = PatientConnection.connect(*arguments, **options)
        made.answer_s = answer_s
        return made

    return engine


def _sqlite_engine(url: URL, lock_wait_s: float) -> sa.Engine:
    engine = sa.create_engine(url, connect_args={"timeout": lock_wait_s, "check_same_thread": False})

    @sa.event.listens_for(engine, "connect")
    def configure(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # transactions are begun below, not by the driver's guess
        _write_ahead(connection, lock_wait_s)
        connection.execute("PRAGMA synchronous=NORMAL")
        connection.execute("PRAGMA foreign_keys=ON")

    @sa.event.listens_for(engine, "begin")
    def begin(connection: sa.Connection) -> None:
        # A transaction that turns from reading to writing can be refused; one that begins as a writer only waits.
        connection.exec_driver_sql(f"BEGIN {connection.get_execution_options().get(BEGIN, 'IMMEDIATE')}")

    return engine


def _write_ahead(connection: sqlite3.Connection, wait_s: float) -> None:
    """Switch a new file to a write-ahead log; it stays so for good.

    The switch needs the file for itself, and SQLite refuses it at once, whatever its time-out, while another process is
    at the same.
    """
    deadline = time.monotonic() + wait_s
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)


def reason_of(error: sa.exc.DBAPIError | sa.exc.SQLAlchemyError) -> str:
    """What the driver said, in one line and without the statement."""
    origin = getattr(error, "orig", None) or error
    return str(origin).strip().splitlines()[0] if str(origin).strip() else type(origin).__name__


def keep_to_ourselves(file: Path) -> None:
    """Make the file, or one of an earlier version, readable for its owner alone: cameras' passwords are in it.

    What SQLite puts beside it (its log, its index) gets the same permissions. A file that is something else is left
    alone: whoever is root and names /etc/passwd by mistake must not lock everybody out.
    """
    try:
        with os.fdopen(os.open(file, os.O_CREAT | os.O_RDWR, 0o600), "rb") as opened:
            if opened.read(len(_MAGIC)) not in (b"", _MAGIC):
                raise StoreUnavailable(f"the database file {file} is damaged, or something else")
        for name in (file.name, f"{file.name}-wal", f"{file.name}-shm"):
            with suppress(FileNotFoundError, PermissionError):  # not there, or somebody else's, who knows why
                file.with_name(name).chmod(0o600)
    except OSError as error:
        raise StoreUnavailable(f"the database {file} cannot be opened: {error.strerror}") from error
