"""The store in SQLite or PostgreSQL, through SQLAlchemy Core."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from analytics.counting.base import Analytic
from analytics.counting.catalogue import ANALYTICS
from analytics.counting.people import PEOPLE
from analytics.errors import LeaseLost, StaleEpoch, StoreError, StoreUnavailable
from analytics.events import STREAM_STATE
from analytics.minutes import MINUTE_S, MinuteRow, Totals
from analytics.storage import event_rows, lateness, selects, tables, upserts
from analytics.storage import rows as row_format
from analytics.storage.base import Checkpoint, StreamRecord
from analytics.storage.engine import (
    BEGIN,
    driver_url,
    keep_to_ourselves,
    open_engine,
    reason_of,
    taking_its_time,
)
from analytics.storage.lateness import KEPT_S, Verdict, verdict
from analytics.storage.packing import pack

logger = logging.getLogger(__name__)
MIGRATIONS = Path(__file__).parent / "migrations"
LOCK_WAIT_S = 10.0
ANSWER_S = 20.0
"""Longer than to wait for a lock. What takes a server longer, such as a report, is refused."""
SWEEP_S = 6 * 3600
"""Minutes that a transaction removes at once, seconds."""
PURGED_EVENTS = 5_000
"""That are removed at once."""
NAMES_AT_ONCE = 10_000
"""In one question; databases bound the number of its parameters."""
LEASE = "registry"


class DatabaseStore:
    """See `analytics.storage.base.Store`.

    Args:
        url: ``sqlite:///PATH`` or ``postgresql://user:password@host/name``.
        lock_wait_s: how long to wait for somebody else's transaction.
        answer_s: how long to wait for a server that says nothing, before it counts as away.
        connections: to a server, at most; None: as many as are asked for at once, within reason.
        wall_clock: for tests.
    """

    def __init__(
        self,
        url: str,
        *,
        lock_wait_s: float = LOCK_WAIT_S,
        answer_s: float = ANSWER_S,
        connections: int | None = None,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self._url = driver_url(url)
        self._wall_clock = wall_clock
        self._sqlite = self._url.get_backend_name() == "sqlite"
        self._engine = open_engine(self._url, lock_wait_s, answer_s, connections)
        self._term: int | None = None
        self._insert = sqlite.insert if self._sqlite else postgresql.insert
        # Readers see one moment, although they ask several times; in SQLite they hold up no writer.
        self._reading = {BEGIN: "DEFERRED"} if self._sqlite else {"isolation_level": "REPEATABLE READ"}

    def migrate(self) -> None:
        """Bring the database to this version's tables; safe to call from several processes at once.

        Raises:
            StoreUnavailable: it cannot be reached or written.
            StoreError: it was written by a newer version.
        """
        # Known to whoever brings the tables up to date alone: it takes a third of a second of each start.
        import alembic.command
        import alembic.config

        config = alembic.config.Config()
        config.set_main_option("script_location", str(MIGRATIONS))
        if self._sqlite and self._url.database:
            try:
                Path(self._url.database).parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            except OSError as error:
                raise StoreUnavailable(f"no database can be made at {self._url.database}: {error.strerror}") from error
            keep_to_ourselves(Path(self._url.database))
        with self._transaction() as connection:
            config.attributes["connection"] = connection
            with taking_its_time(connection):
                if not self._sqlite:
                    connection.execute(sa.text("SELECT pg_advisory_xact_lock(728641)"))
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
            raise StoreUnavailable(f"the database does not work: {reason_of(error)}") from error
        except (sa.exc.InterfaceError, sa.exc.InternalError, sa.exc.TimeoutError) as error:
            raise StoreUnavailable(f"the database is away: {reason_of(error)}") from error
        except sa.exc.DatabaseError as error:
            if "not a database" in str(error) or "malformed" in str(error):
                raise StoreUnavailable(f"the database file is damaged: {reason_of(error)}") from error
            raise StoreError(f"the database refuses: {reason_of(error)}") from error
        except (OverflowError, sa.exc.StatementError) as error:  # what cannot even be asked
            raise StoreError(f"the database refuses: {error}") from error

    # -- streams

    def put_stream(self, record: StreamRecord) -> bool:
        now = self._wall_clock()
        values = {
            "id": record.id,
            "definition": json.dumps(record.definition),
            "geometry": json.dumps(record.geometry),
            "geometry_version": record.geometry_version,
            "definition_version": record.definition_version,
            "reference_version": record.reference_version,
            "created_s": now,
            "updated_s": now,
        }
        with self._transaction() as connection:
            known = connection.execute(sa.select(tables.streams.c.id).where(tables.streams.c.id == record.id)).first()
            self._fence(connection)
            self._upsert(connection, tables.streams, [values], keep=("created_s",))
            outdated = tables.view_pictures.c.version < record.reference_version
            connection.execute(
                sa.delete(tables.view_pictures).where(tables.view_pictures.c.stream == record.id, outdated)
            )
            first = {"stream": record.id, "epoch": 0, "owner": None, "active": True}
            statement = self._insert(tables.assignments).values(first)
            connection.execute(statement.on_conflict_do_update(index_elements=["stream"], set_={"active": True}))
        return known is None

    def get_stream(self, stream: str) -> StreamRecord | None:
        with self._transaction(reading=True) as connection:
            row = connection.execute(selects.streams().where(tables.streams.c.id == stream)).mappings().first()
        return selects.record_of(row) if row else None

    def list_streams(self) -> list[StreamRecord]:
        with self._transaction(reading=True) as connection:
            found = connection.execute(selects.streams().order_by(tables.streams.c.id)).mappings().all()
        return [selects.record_of(row) for row in found]

    def delete_stream(self, stream: str, *, purge: bool = False) -> bool:
        table = tables.assignments
        while purge and self._purge_events(stream):
            pass
        with self._transaction() as connection:
            self._fence(connection)
            removed = connection.execute(sa.delete(tables.streams).where(tables.streams.c.id == stream)).rowcount
            for table_of_states in (tables.checkpoints, tables.camera_references, tables.view_pictures):
                connection.execute(sa.delete(table_of_states).where(table_of_states.c.stream == stream))
            epoch = table.c.epoch + 1
            ended: dict[str, Any] = {"owner": None, "active": False, "epoch": epoch}
            if purge:
                ended |= {"purged_epoch": epoch, "purging": True}
            statement = sa.update(table).where(table.c.stream == stream).values(ended).returning(table.c.epoch)
            last = connection.execute(statement).scalar()
            if purge:
                # What came since; from here on nobody writes more. At once, for what is registered again and replayed
                # has events with the very same ids.
                for table_of_events in (tables.events, tables.dead_letters):
                    connection.execute(sa.delete(table_of_events).where(table_of_events.c.stream == stream))
                state = tables.told.c.type == STREAM_STATE, tables.told.c.about == stream
                connection.execute(sa.delete(tables.told).where(*state))
            if last is not None:
                # The end is an epoch of its own: what comes later, from before it, is judged like any other.
                self._begin(connection, stream, last)
        return bool(removed)

    def _purge_events(self, stream: str) -> bool:
        """Remove a piece of a stream's events, in a transaction of its own; False if few are left."""
        table = tables.events
        some = sa.select(table.c.seq).where(table.c.stream == stream).limit(PURGED_EVENTS)
        with self._transaction() as connection:
            self._fence(connection)
            return connection.execute(sa.delete(table).where(table.c.seq.in_(some))).rowcount == PURGED_EVENTS

    def sweep(self) -> bool:
        table = tables.assignments
        with self._transaction() as connection:
            found = connection.execute(sa.select(table.c.stream, table.c.purged_epoch).where(table.c.purging)).first()
            if found is None:
                return False
            stream, epoch = found
            swept = [self._sweep(connection, minutes, stream, epoch) for minutes in tables.MINUTE_TABLES.values()]
            if not any(swept):
                connection.execute(sa.update(table).where(table.c.stream == stream).values(purging=False))
        return True

    @staticmethod
    def _sweep(connection: sa.Connection, table: sa.Table, stream: str, epoch: int) -> bool:
        """Remove the oldest purged minutes of one table; False if there are none."""
        purged = (table.c.stream == stream, table.c.epoch <= epoch)
        first = connection.execute(sa.select(sa.func.min(table.c.minute)).where(*purged)).scalar()
        if first is None:
            return False
        connection.execute(sa.delete(table).where(*purged, table.c.minute < first + SWEEP_S))
        return True

    # -- who leads

    def lead(self) -> None:
        table = tables.leases
        first = {"name": LEASE, "term": 1, "renewals": 0}
        statement = self._insert(table).values(first)
        taken = statement.on_conflict_do_update(
            index_elements=["name"], set_={"term": table.c.term + 1, "renewals": table.c.renewals + 1}
        )
        with self._transaction() as connection:
            self._term = int(connection.execute(taken.returning(table.c.term)).scalar_one())

    def renew(self) -> None:
        with self._transaction() as connection:
            self._fence(connection)

    def leader(self) -> tuple[int, int]:
        table = tables.leases
        with self._transaction(reading=True) as connection:
            found = connection.execute(sa.select(table.c.term, table.c.renewals).where(table.c.name == LEASE)).first()
        return (0, 0) if found is None else (int(found[0]), int(found[1]))

    def _fence(self, connection: sa.Connection) -> None:
        """Hold the lease until the end of the transaction, so that nobody else can begin to lead within it."""
        if self._term is None:
            return
        table = tables.leases
        mine = sa.update(table).where(table.c.name == LEASE, table.c.term == self._term)
        if not connection.execute(mine.values(renewals=table.c.renewals + 1)).rowcount:
            raise LeaseLost("another registry has taken over")

    # -- assignments

    def assign(self, owners: Mapping[str, str | None]) -> dict[str, int]:
        table = tables.assignments
        there = sa.update(table).where(table.c.stream == sa.bindparam("of"), table.c.active)
        given = [{"of": stream, "to": owner} for stream, owner in owners.items() if owner is not None]
        freed = [{"of": stream} for stream, owner in owners.items() if owner is None]
        names = list(owners)
        epochs: dict[str, int] = {}
        with self._transaction() as connection:
            self._fence(connection)
            if given:
                connection.execute(there.values(owner=sa.bindparam("to"), epoch=table.c.epoch + 1), given)
            if freed:
                connection.execute(there.values(owner=None), freed)
            for first in range(0, len(names), NAMES_AT_ONCE):
                some = table.c.stream.in_(names[first : first + NAMES_AT_ONCE])
                found = connection.execute(sa.select(table.c.stream, table.c.epoch).where(some, table.c.active))
                epochs.update((stream, epoch) for stream, epoch in found)
        return epochs

    def weigh(self, weights: Mapping[str, tuple[float, float]]) -> None:
        table = tables.assignments
        statement = sa.update(table).where(table.c.stream == sa.bindparam("of"))
        statement = statement.values(weight=sa.bindparam("wanted"), least_weight=sa.bindparam("least"))
        measured = [{"of": stream, "wanted": wanted, "least": least} for stream, (wanted, least) in weights.items()]
        with self._transaction() as connection:
            self._fence(connection)
            if measured:
                connection.execute(statement, measured)

    def reclaim(self, owner: str, streams: Mapping[str, int]) -> set[str]:
        table = tables.assignments
        nobodys = table.c.active, table.c.owner.is_(None)
        mine = sa.update(table).where(table.c.stream == sa.bindparam("of"), *nobodys).values(owner=owner)
        names = list(streams)
        free: set[str] = set()
        with self._transaction() as connection:
            self._fence(connection)  # from here on nobody else changes owners or epochs
            for first in range(0, len(names), NAMES_AT_ONCE):
                some = table.c.stream.in_(names[first : first + NAMES_AT_ONCE])
                found = connection.execute(sa.select(table.c.stream, table.c.epoch).where(some, *nobodys))
                free.update(stream for stream, epoch in found if streams[stream] == epoch)
            if free:
                connection.execute(mine, [{"of": stream} for stream in sorted(free)])
        return free

    # -- minutes and checkpoints

    def begin(self, stream: str, epoch: int) -> Checkpoint | None:
        with self._transaction() as connection:
            self._hold(connection, stream, epoch)
            self._begin(connection, stream, epoch)
            if selects.cut_of(connection, stream, epoch):
                raise StaleEpoch(f"in epoch {epoch} of stream {stream!r} somebody else has counted")
            return selects.checkpoint_of(connection, stream)

    def _begin(self, connection: sa.Connection, stream: str, epoch: int) -> None:
        now_s = self._wall_clock()
        begun = {"stream": stream, "epoch": epoch, "begun_s": now_s}
        connection.execute(self._insert(tables.epochs).values(begun).on_conflict_do_nothing())
        selects.forget_epochs(connection, stream, epoch, now_s - KEPT_S, lateness.KEPT_EPOCHS)

    @staticmethod
    def _hold(connection: sa.Connection, stream: str, epoch: int) -> None:
        """Lock a stream, so that no newer epoch can begin before the end of the transaction.

        Raises:
            StaleEpoch: ``epoch`` is not the newest, or the stream is gone.
        """
        table = tables.assignments
        mine = sa.update(table).where(table.c.stream == stream, table.c.active, table.c.epoch == epoch)
        if not connection.execute(mine.values(active=True)).rowcount:
            raise StaleEpoch(f"epoch {epoch} of stream {stream!r} is over")

    def checkpoint(self, checkpoint: Checkpoint) -> None:
        with self._transaction() as connection:
            self._hold(connection, checkpoint.stream, checkpoint.epoch)
            if 0 < checkpoint.cut <= selects.cut_of(connection, checkpoint.stream, checkpoint.epoch):
                return
            self._write_rows(connection, checkpoint)
            self._write_state(connection, checkpoint)

    def deliver(self, late: Checkpoint) -> None:
        with self._transaction() as connection:
            standing = selects.standing_of(connection, late)
            if 0 < late.cut <= selects.cut_of(connection, late.stream, late.epoch):
                return
            wanted = verdict(late, standing)
            if wanted is Verdict.NOTHING:
                raise StaleEpoch(f"what epoch {late.epoch} of stream {late.stream!r} left behind comes too late")
            self._write_rows(connection, late)
            if wanted is Verdict.WHOLE:
                self._write_state(connection, late)

    def _write_rows(self, connection: sa.Connection, checkpoint: Checkpoint) -> None:
        for row in checkpoint.rows:
            for analytic, values in row_format.table_rows(row):
                self._upsert(connection, tables.MINUTE_TABLES[analytic], values)
        event_rows.write(connection, checkpoint.events, self._wall_clock())
        table = tables.epochs
        mine = table.c.stream == checkpoint.stream, table.c.epoch == checkpoint.epoch
        connection.execute(sa.update(table).where(*mine, table.c.cut < checkpoint.cut).values(cut=checkpoint.cut))

    def _write_state(self, connection: sa.Connection, checkpoint: Checkpoint) -> None:
        state = {
            "stream": checkpoint.stream,
            "epoch": checkpoint.epoch,
            "time_s": checkpoint.time_s,
            "state": pack(checkpoint.state),
            "resume": None if checkpoint.resume is None else json.dumps(checkpoint.resume),
        }
        self._upsert(connection, tables.checkpoints, [state])

    def load_checkpoint(self, stream: str) -> Checkpoint | None:
        with self._transaction(reading=True) as connection:
            return selects.checkpoint_of(connection, stream)

    def minutes(
        self, stream: str, start: int, end: int, analytics: Collection[Analytic[Any]] = ANALYTICS
    ) -> list[MinuteRow]:
        found: dict[Analytic[Any], list[Mapping[str, Any]]] = {}
        with self._transaction(reading=True) as connection:
            for analytic in analytics:
                table = tables.MINUTE_TABLES[analytic]
                query = sa.select(table).where(
                    *selects.minutes_of(table, stream), table.c.minute >= start, table.c.minute < end
                )
                found[analytic] = [dict(row) for row in connection.execute(query).mappings()]
        return row_format.minute_rows(found)

    def sums(
        self, stream: str, start: int, end: int, step_s: int, analytics: Collection[Analytic[Any]]
    ) -> list[tuple[int, Totals]]:
        found: dict[Analytic[Any], list[Mapping[str, Any]]] = {}
        with self._transaction(reading=True) as connection:
            for analytic in analytics:
                table = tables.MINUTE_TABLES[analytic]
                keys: list[sa.ColumnElement[Any]] = [(table.c.minute - table.c.minute % step_s).label("step")]
                keys += [table.c[column.name] for column in analytic.columns if column.key]
                query = (
                    sa.select(*keys, *(selects.merged(table, column) for column in analytic.columns if not column.key))
                    .where(*selects.minutes_of(table, stream), table.c.minute >= start, table.c.minute < end)
                    .group_by(*keys)
                )
                found[analytic] = [dict(row) for row in connection.execute(query).mappings()]
        return row_format.steps(found)

    def extent(self, stream: str) -> tuple[int, int]:
        table = tables.MINUTE_TABLES[PEOPLE]  # every minute that was seen is there
        query = sa.select(sa.func.min(table.c.minute), sa.func.max(table.c.minute)).where(
            *selects.minutes_of(table, stream)
        )
        with self._transaction(reading=True) as connection:
            first, last = connection.execute(query).one()
        return (0, 0) if first is None else (int(first), int(last) + MINUTE_S)

    def _upsert(
        self, connection: sa.Connection, table: sa.Table, values: list[dict[str, Any]], keep: tuple[str, ...] = ()
    ) -> None:
        if values:
            connection.execute(upserts.upsert(self._engine.dialect.name, table, keep), values)

    def check(self) -> None:
        with self._transaction(reading=True) as connection:
            connection.execute(sa.select(1))

    def close(self) -> None:
        self._engine.dispose()
