"""The store in SQLite or PostgreSQL, through SQLAlchemy Core."""

from __future__ import annotations

import json
import logging
import os
import sqlite3
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import alembic.command
import alembic.config
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import URL, make_url

from analytics.counting.base import Analytic
from analytics.counting.catalogue import ANALYTICS
from analytics.counting.people import PEOPLE
from analytics.errors import StaleEpoch, StoreError, StoreUnavailable, UnknownStream
from analytics.minutes import MINUTE_S, MinuteRow
from analytics.storage import rows as row_format
from analytics.storage import tables
from analytics.storage.base import Checkpoint, StreamRecord

logger = logging.getLogger(__name__)
MIGRATIONS = Path(__file__).parent / "migrations"
LOCK_WAIT_S = 10.0
BEGIN = "footfall_begin"
"""Name of the execution option that says how a transaction of SQLite begins."""


class DatabaseStore:
    """See `analytics.storage.base.Store`.

    Args:
        url: ``sqlite:///PATH`` or ``postgresql://user:password@host/name``.
        lock_wait_s: how long to wait for somebody else's transaction.
        wall_clock: for tests.
    """

    def __init__(
        self, url: str, *, lock_wait_s: float = LOCK_WAIT_S, wall_clock: Callable[[], float] = time.time
    ) -> None:
        self._url = _driver_url(url)
        self._wall_clock = wall_clock
        self._sqlite = self._url.get_backend_name() == "sqlite"
        self._engine = _sqlite_engine(self._url, lock_wait_s) if self._sqlite else _engine(self._url, lock_wait_s)
        self._insert = sqlite.insert if self._sqlite else postgresql.insert
        # Readers see one moment, although they ask several times; in SQLite they hold up no writer.
        self._reading = {BEGIN: "DEFERRED"} if self._sqlite else {"isolation_level": "REPEATABLE READ"}

    def migrate(self) -> None:
        """Bring the database to this version's tables; safe to call from several processes at once.

        Raises:
            StoreUnavailable: it cannot be reached or written.
            StoreError: it was written by a newer version.
        """
        config = alembic.config.Config()
        config.set_main_option("script_location", str(MIGRATIONS))
        if self._sqlite and self._url.database:
            try:
                Path(self._url.database).parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            except OSError as error:
                raise StoreUnavailable(f"no database can be made at {self._url.database}: {error.strerror}") from error
            _keep_to_ourselves(Path(self._url.database))
        with self._transaction() as connection:
            if not self._sqlite:
                connection.execute(sa.text("SELECT pg_advisory_xact_lock(728641)"))
            config.attributes["connection"] = connection
            try:
                alembic.command.upgrade(config, "head")
            except alembic.util.CommandError as error:
                raise StoreError("the database was written by a newer version of Footfall") from error

    @contextmanager
    def _transaction(self, *, reading: bool = False) -> Iterator[sa.Connection]:
        try:
            with self._engine.connect() as connection:
                if reading:
                    connection.execution_options(**self._reading)
                with connection.begin():
                    yield connection
        except sa.exc.OperationalError as error:
            raise StoreUnavailable(f"the database does not work: {_reason(error)}") from error
        except (sa.exc.InterfaceError, sa.exc.InternalError, sa.exc.TimeoutError) as error:
            raise StoreUnavailable(f"the database is away: {_reason(error)}") from error
        except sa.exc.DatabaseError as error:
            if "not a database" in str(error) or "malformed" in str(error):
                raise StoreUnavailable(f"the database file is damaged: {_reason(error)}") from error
            raise StoreError(f"the database refuses: {_reason(error)}") from error

    # -- streams

    def put_stream(self, record: StreamRecord) -> bool:
        now = self._wall_clock()
        values = {
            "id": record.id,
            "definition": json.dumps(record.definition),
            "geometry": json.dumps(record.geometry),
            "geometry_version": record.geometry_version,
            "definition_version": record.definition_version,
            "created_s": now,
            "updated_s": now,
        }
        with self._transaction() as connection:
            known = connection.execute(sa.select(tables.streams.c.id).where(tables.streams.c.id == record.id)).first()
            self._upsert(connection, tables.streams, [values], keep=("created_s",))
            first = {"stream": record.id, "epoch": 0, "owner": None, "active": True}
            statement = self._insert(tables.assignments).values(first)
            connection.execute(statement.on_conflict_do_update(index_elements=["stream"], set_={"active": True}))
        return known is None

    def get_stream(self, stream: str) -> StreamRecord | None:
        with self._transaction(reading=True) as connection:
            row = connection.execute(_streams().where(tables.streams.c.id == stream)).mappings().first()
        return _record(row) if row else None

    def list_streams(self) -> list[StreamRecord]:
        with self._transaction(reading=True) as connection:
            found = connection.execute(_streams().order_by(tables.streams.c.id)).mappings().all()
        return [_record(row) for row in found]

    def delete_stream(self, stream: str, *, purge: bool = False) -> bool:
        with self._transaction() as connection:
            removed = connection.execute(sa.delete(tables.streams).where(tables.streams.c.id == stream)).rowcount
            connection.execute(sa.delete(tables.checkpoints).where(tables.checkpoints.c.stream == stream))
            connection.execute(
                sa.update(tables.assignments)
                .where(tables.assignments.c.stream == stream)
                .values(owner=None, active=False, epoch=tables.assignments.c.epoch + 1)
            )
            if purge:
                for table in tables.MINUTE_TABLES.values():
                    connection.execute(sa.delete(table).where(table.c.stream == stream))
        return bool(removed)

    def assign(self, stream: str, owner: str | None) -> int:
        table = tables.assignments
        with self._transaction() as connection:
            statement = sa.update(table).where(table.c.stream == stream, table.c.active)
            if owner is None:
                statement = statement.values(owner=None)
            else:
                statement = statement.values(owner=owner, epoch=table.c.epoch + 1)
            epoch = connection.execute(statement.returning(table.c.epoch)).scalar()
        if epoch is None:
            raise UnknownStream(f"there is no stream {stream!r}")
        return int(epoch)

    # -- minutes and checkpoints

    def checkpoint(self, checkpoint: Checkpoint, *, writer_epoch: int | None = None) -> None:
        table = tables.assignments
        epoch = checkpoint.epoch if writer_epoch is None else max(writer_epoch, checkpoint.epoch)
        with self._transaction() as connection:
            # Locks the row, so that no newer epoch can begin between the question and the answer.
            held = connection.execute(
                sa.update(table)
                .where(table.c.stream == checkpoint.stream, table.c.active, table.c.epoch == epoch)
                .values(active=True)
            ).rowcount
            written = connection.execute(
                sa.select(tables.checkpoints.c.epoch).where(tables.checkpoints.c.stream == checkpoint.stream)
            ).scalar()
            if not held or (written is not None and written > checkpoint.epoch):
                raise StaleEpoch(f"epoch {checkpoint.epoch} of stream {checkpoint.stream!r} is over")
            for row in checkpoint.rows:
                for analytic, values in row_format.table_rows(row):
                    self._upsert(connection, tables.MINUTE_TABLES[analytic], values)
            state = {
                "stream": checkpoint.stream,
                "epoch": checkpoint.epoch,
                "time_s": checkpoint.time_s,
                "state": json.dumps(checkpoint.state),
                "resume": None if checkpoint.resume is None else json.dumps(checkpoint.resume),
            }
            self._upsert(connection, tables.checkpoints, [state])

    def load_checkpoint(self, stream: str) -> Checkpoint | None:
        table = tables.checkpoints
        with self._transaction(reading=True) as connection:
            row = connection.execute(sa.select(table).where(table.c.stream == stream)).mappings().first()
        if row is None:
            return None
        resume = None if row["resume"] is None else json.loads(row["resume"])
        return Checkpoint(stream, row["epoch"], (), json.loads(row["state"]), resume, row["time_s"])

    def minutes(
        self, stream: str, start: int, end: int, analytics: Collection[Analytic[Any]] = ANALYTICS
    ) -> list[MinuteRow]:
        found: dict[Analytic[Any], list[Mapping[str, Any]]] = {}
        with self._transaction(reading=True) as connection:
            for analytic in analytics:
                table = tables.MINUTE_TABLES[analytic]
                query = sa.select(table).where(table.c.stream == stream, table.c.minute >= start, table.c.minute < end)
                found[analytic] = [dict(row) for row in connection.execute(query).mappings()]
        return row_format.minute_rows(found)

    def extent(self, stream: str) -> tuple[int, int]:
        table = tables.MINUTE_TABLES[PEOPLE]  # every minute that was seen is there
        query = sa.select(sa.func.min(table.c.minute), sa.func.max(table.c.minute)).where(table.c.stream == stream)
        with self._transaction(reading=True) as connection:
            first, last = connection.execute(query).one()
        return (0, 0) if first is None else (int(first), int(last) + MINUTE_S)

    def _upsert(
        self, connection: sa.Connection, table: sa.Table, values: list[dict[str, Any]], keep: tuple[str, ...] = ()
    ) -> None:
        """Insert, or replace what has the same key; columns in ``keep`` are left as they were."""
        if not values:
            return
        statement = self._insert(table).values(values)
        keys = [column.name for column in table.primary_key]
        names = [column.name for column in table.columns]
        changes = {name: statement.excluded[name] for name in names if name not in keys and name not in keep}
        connection.execute(statement.on_conflict_do_update(index_elements=keys, set_=changes))

    def check(self) -> None:
        with self._transaction(reading=True) as connection:
            connection.execute(sa.select(1))

    def close(self) -> None:
        self._engine.dispose()


def _streams() -> sa.Select[Any]:
    return sa.select(tables.streams, tables.assignments.c.epoch, tables.assignments.c.owner).join(
        tables.assignments, tables.assignments.c.stream == tables.streams.c.id
    )


def _record(row: sa.RowMapping) -> StreamRecord:
    values = dict(row)
    values["definition"] = json.loads(values["definition"])
    values["geometry"] = json.loads(values["geometry"])
    return StreamRecord(**values)


def _driver_url(url: str) -> URL:
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


def _engine(url: URL, lock_wait_s: float) -> sa.Engine:
    """Of PostgreSQL. A server that is gone without a word is noticed; a lock is not waited for for ever."""
    limits = {
        "connect_timeout": 5,
        "tcp_user_timeout": 10_000,
        "keepalives_idle": 10,
        "keepalives_interval": 5,
        "keepalives_count": 3,
        "options": f"{url.query.get('options', '')} -c lock_timeout={round(lock_wait_s * 1000)}",
    }
    return sa.create_engine(url, pool_pre_ping=True, pool_size=5, pool_timeout=lock_wait_s, connect_args=limits)


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


def _keep_to_ourselves(file: Path) -> None:
    """Make the file, or one of an earlier version, readable for its owner alone: cameras' passwords are in it.

    What SQLite puts beside it (its log, its index) gets the same permissions.
    """
    try:
        os.close(os.open(file, os.O_CREAT | os.O_RDWR, 0o600))
        for name in (file.name, f"{file.name}-wal", f"{file.name}-shm"):
            with suppress(FileNotFoundError, PermissionError):  # not there, or somebody else's, who knows why
                file.with_name(name).chmod(0o600)
    except OSError as error:
        raise StoreUnavailable(f"the database {file} cannot be opened: {error.strerror}") from error


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


def _reason(error: sa.exc.DBAPIError | sa.exc.SQLAlchemyError) -> str:
    origin = getattr(error, "orig", None) or error
    return str(origin).strip().splitlines()[0] if str(origin).strip() else type(origin).__name__
