"""Alerts as they are kept: the book of those that are on, the history of all, and what people changed of rules."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Protocol

import sqlalchemy as sa

from analytics.events import Event
from analytics.storage import event_rows, tables
from analytics.storage.database import DatabaseStore
from analytics.storage.packing import pack, unpack

BOOK, RULES = "alerts", "rules"
FORGOTTEN_AT_ONCE = 1000
ASKED_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class AlertRecord:
    """An alert that was raised, also where nobody was told. Times are seconds since the epoch.

    Attributes:
        id: 32 hexadecimal digits.
        rule: name.
        subject: id of the stream, or ``service``.
        severity: see `analytics.alerts.rules.Severity`.
        summary: what has happened, one sentence.
        detail: of it, with numbers.
        since_s: when it was seen first.
        raised_s: when it became active, for the last time if it came back.
        cleared_s: when it was over; None: it is on.
        acknowledged_by: who knows of it.
        acknowledged_s: since when.
        told: whether people know that it is on, since they were told; not so of what was silenced, or came back before
            its cool-down was over.
    """

    id: str
    rule: str
    subject: str
    severity: str
    summary: str
    detail: str
    since_s: float
    raised_s: float
    cleared_s: float | None = None
    acknowledged_by: str | None = None
    acknowledged_s: float | None = None
    told: bool = False


class AlertStore(Protocol):
    """Book, history and rules. Thread-safe; every method raises `StoreUnavailable`."""

    def load(self) -> dict[str, Any] | None:
        """The book, as whoever led last has left it; None if there never was one."""
        ...

    def save(self, book: Mapping[str, Any], records: Collection[AlertRecord], events: Collection[Event]) -> None:
        """Write what has changed, all or nothing; the same again changes nothing.

        Args:
            book: as JSON types.
            records: those that are new, or not as they were.
            events: what people are told of that.

        Raises:
            LeaseLost: of a store that leads: somebody else does.
        """
        ...

    def history(
        self, limit: int, before: tuple[float, str] | None = None, subject: str | None = None
    ) -> Sequence[AlertRecord]:
        """Alerts, the one that was seen last first.

        Args:
            limit: how many at most.
            before: only those that come after it in this order: when it was seen, and its id.
            subject: only those about it.
        """
        ...

    def open_records(self) -> Sequence[AlertRecord]:
        """Those that are on, as far as is written."""
        ...

    def records(self, ids: Collection[str]) -> Mapping[str, AlertRecord]:
        """Those of these ids that are kept, by id."""
        ...

    def rules(self) -> dict[str, Any]:
        """What people have changed of alert rules, by name of the rule, as JSON types; empty if nothing."""
        ...

    def save_rules(self, rules: Mapping[str, Any]) -> None:
        """Keep that in place of what was changed before.

        Raises:
            LeaseLost: see `save`.
        """
        ...

    def forget(self, before_s: float) -> int:
        """Remove some of those that were over before a time; returns how many."""
        ...


class DatabaseAlertStore:
    """See `AlertStore`.

    Args:
        database: whose connections are used; it stays the caller's to close.
        wall_clock: seconds since the epoch.
    """

    def __init__(self, database: DatabaseStore, *, wall_clock: Callable[[], float] = time.time) -> None:
        self._database = database
        self._wall_clock = wall_clock

    def load(self) -> dict[str, Any] | None:
        return self._page(BOOK)

    def _page(self, name: str) -> dict[str, Any] | None:
        table = tables.alert_book
        with self._database._transaction(reading=True) as connection:
            state = connection.execute(sa.select(table.c.state).where(table.c.name == name)).scalar()
        return None if state is None else unpack(state)

    def _write_page(self, connection: sa.Connection, name: str, state: Mapping[str, Any]) -> None:
        values = {"name": name, "state": pack(state), "stored_s": self._wall_clock()}
        self._database._upsert(connection, tables.alert_book, [values])

    def save(self, book: Mapping[str, Any], records: Collection[AlertRecord], events: Collection[Event]) -> None:
        database = self._database
        with database._transaction() as connection:
            database._fence(connection)
            self._write_page(connection, BOOK, book)
            if records:
                database._upsert(connection, tables.alerts, [asdict(record) for record in records])
            event_rows.write(connection, events, self._wall_clock())

    def history(
        self, limit: int, before: tuple[float, str] | None = None, subject: str | None = None
    ) -> Sequence[AlertRecord]:
        table = tables.alerts
        query = sa.select(table).order_by(table.c.since_s.desc(), table.c.id.desc()).limit(limit)
        if before is not None:
            query = query.where(sa.tuple_(table.c.since_s, table.c.id) < sa.tuple_(*map(sa.literal, before)))
        if subject is not None:
            query = query.where(table.c.subject == subject)
        with self._database._transaction(reading=True) as connection:
            return [AlertRecord(**row) for row in connection.execute(query).mappings()]

    def open_records(self) -> Sequence[AlertRecord]:
        table = tables.alerts
        query = sa.select(table).where(table.c.cleared_s.is_(None))
        with self._database._transaction(reading=True) as connection:
            return [AlertRecord(**row) for row in connection.execute(query).mappings()]

    def records(self, ids: Collection[str]) -> Mapping[str, AlertRecord]:
        table, wanted, found = tables.alerts, list(ids), dict[str, AlertRecord]()
        with self._database._transaction(reading=True) as connection:
            for first in range(0, len(wanted), ASKED_AT_ONCE):
                query = sa.select(table).where(table.c.id.in_(wanted[first : first + ASKED_AT_ONCE]))
                found |= {row["id"]: AlertRecord(**row) for row in connection.execute(query).mappings()}
        return found

    def rules(self) -> dict[str, Any]:
        return self._page(RULES) or {}

    def save_rules(self, rules: Mapping[str, Any]) -> None:
        with self._database._transaction() as connection:
            self._database._fence(connection)
            self._write_page(connection, RULES, rules)

    def forget(self, before_s: float) -> int:
        table = tables.alerts
        some = sa.select(table.c.id).where(table.c.cleared_s < before_s).limit(FORGOTTEN_AT_ONCE)
        with self._database._transaction() as connection:
            self._database._fence(connection)
            return connection.execute(sa.delete(table).where(table.c.id.in_(some))).rowcount
