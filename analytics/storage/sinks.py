"""Where events go, and how far they are there: one deliverer at a time for each sink."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from analytics.errors import LeaseLost
from analytics.events import Event
from analytics.storage import tables
from analytics.storage.database import DatabaseStore
from analytics.storage.outbox import NumberedEvent

MAX_DEAD = 10_000
"""Dead letters that are kept of a sink; the oldest go first."""


@dataclass(frozen=True, slots=True)
class SinkRecord:
    """A sink as it is stored.

    Attributes:
        id: chosen by whoever made it.
        definition: as JSON types, its secrets sealed.
        version: 1 for the first, one more with every change.
        created_s: seconds since the epoch.
        updated_s: likewise.
    """

    id: str
    definition: Mapping[str, Any]
    version: int = 1
    created_s: float = 0.0
    updated_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Standing:
    """How far events are at a sink, and who brings them.

    Attributes:
        sink: id.
        position: number of the last event that is there, or is not to go there.
        owner: who delivers; None if nobody does.
        term: one more with every owner.
        renewals: grows for as long as the owner is heard of; no clock is asked.
        delivered: events, since the sink was made.
        delivered_s: when the last one was, seconds since the epoch; None if none was.
        error: what went wrong last, in plain words; None once all is well.
        error_s: when.
        missed: events that were not kept any more when their turn came, wanted or not, since the sink was made or went
            back.
        dead: letters that nobody wanted, and that are kept.
    """

    sink: str
    position: int
    owner: str | None = None
    term: int = 0
    renewals: int = 0
    delivered: int = 0
    delivered_s: float | None = None
    error: str | None = None
    error_s: float | None = None
    missed: int = 0
    dead: int = 0


@dataclass(frozen=True, slots=True)
class Lease:
    """That somebody delivers to a sink, for as long as nobody else does.

    Attributes:
        owner: unique for ever.
        term: one more with every owner of the sink.
    """

    owner: str
    term: int


@dataclass(frozen=True, slots=True)
class Progress:
    """What a deliverer has come to since it said so last.

    Attributes:
        position: see `Standing`.
        delivered: events since then.
        error: see `Standing`.
        dead: events that were refused for good, each with the reason.
        missed: events since then; see `Standing`.
        stored: positions of which one must be stored so far; where none is, the database was set back. Empty: any may.
    """

    position: int
    delivered: int = 0
    error: str | None = None
    dead: Sequence[tuple[NumberedEvent, str]] = ()
    missed: int = 0
    stored: Collection[int] = ()


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """An event that a sink refused for good."""

    number: int
    sink: str
    event_number: int
    event: Event
    error: str
    died_s: float


class SinkStore(Protocol):
    """Sinks, deliveries and dead letters. Thread-safe; every call is one transaction.

    Every method raises `StoreUnavailable` when the database is away, locked for too long, or full.
    """

    def add_sink(self, sink: str, definition: Mapping[str, Any], position: int) -> bool:
        """Make a sink that begins behind a number; False if there is one of that name."""
        ...

    def change_sink(self, sink: str, definition: Mapping[str, Any], version: int) -> bool:
        """Change it and leave it where it is; False if it is gone, or its version is another by now."""
        ...

    def sinks(self) -> list[SinkRecord]:
        """All of them, by id."""
        ...

    def delete_sink(self, sink: str) -> bool:
        """Forget it, with its dead letters; False if there was none."""
        ...

    def standings(self, *, with_dead: bool = False) -> dict[str, Standing]:
        """How all sinks are, by id.

        Args:
            with_dead: whether to count dead letters; else there seem to be none.
        """
        ...

    def rewind(self, sink: str, position: int) -> bool:
        """Go on behind another number, whoever delivers just now; False if there is no such sink."""
        ...

    def take(self, sink: str, owner: str, seen: Standing) -> Lease | None:
        """Deliver from now on, from the position as it was seen; None if somebody was faster.

        Args:
            sink: id.
            owner: unique for ever.
            seen: nobody has been heard of since.
        """
        ...

    def proceed(self, sink: str, lease: Lease, progress: Progress) -> None:
        """Say how far it is, and that one is still there; what died is kept.

        Raises:
            LeaseLost: somebody else delivers, the sink is gone, or the database was set back.
        """
        ...

    def let_go(self, sink: str, lease: Lease) -> None:
        """Deliver no more; nothing happens if somebody else does."""
        ...

    def dead_letters(self, sink: str, limit: int, after: int = 0) -> list[DeadLetter]:
        """Of a sink, oldest first, with larger numbers."""
        ...

    def forget_dead(self, sink: str, number: int) -> bool:
        """Remove one; False if there was none."""
        ...


class DatabaseSinkStore:
    """See `SinkStore`.

    Args:
        database: whose connections are used; it stays the caller's to close.
        wall_clock: seconds since the epoch.
        max_dead: for tests.
    """

    def __init__(
        self, database: DatabaseStore, *, wall_clock: Callable[[], float] = time.time, max_dead: int = MAX_DEAD
    ) -> None:
        self._database = database
        self._wall_clock = wall_clock
        self._max_dead = max_dead

    def add_sink(self, sink: str, definition: Mapping[str, Any], position: int) -> bool:
        now_s = self._wall_clock()
        values = {
            "id": sink,
            "definition": json.dumps(definition),
            "version": 1,
            "created_s": now_s,
            "updated_s": now_s,
        }
        with self._database._transaction() as connection:
            insert = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
            made = insert(tables.sinks).values(values).on_conflict_do_nothing().returning(tables.sinks.c.id)
            if connection.execute(made).first() is None:
                return False
            connection.execute(sa.insert(tables.deliveries).values(sink=sink, position=position))
        return True

    def change_sink(self, sink: str, definition: Mapping[str, Any], version: int) -> bool:
        table = tables.sinks
        changed = {"definition": json.dumps(definition), "version": version + 1, "updated_s": self._wall_clock()}
        same = table.c.id == sink, table.c.version == version
        with self._database._transaction() as connection:
            return bool(connection.execute(sa.update(table).where(*same).values(changed)).rowcount)

    def sinks(self) -> list[SinkRecord]:
        with self._database._transaction(reading=True) as connection:
            found = connection.execute(sa.select(tables.sinks).order_by(tables.sinks.c.id)).mappings()
            return [SinkRecord(**{**row, "definition": json.loads(row["definition"])}) for row in found]

    def delete_sink(self, sink: str) -> bool:
        with self._database._transaction() as connection:
            for table in (tables.deliveries, tables.dead_letters):
                connection.execute(sa.delete(table).where(table.c.sink == sink))
            return bool(connection.execute(sa.delete(tables.sinks).where(tables.sinks.c.id == sink)).rowcount)

    def standings(self, *, with_dead: bool = False) -> dict[str, Standing]:
        dead = tables.dead_letters
        count = sa.select(dead.c.sink, sa.func.count()).group_by(dead.c.sink)
        with self._database._transaction(reading=True) as connection:
            died: dict[str, int] = {}
            if with_dead:
                died = {sink: number for sink, number in connection.execute(count)}  # noqa: C416
            found = connection.execute(sa.select(tables.deliveries)).mappings()
            return {row["sink"]: Standing(**row, dead=died.get(row["sink"], 0)) for row in found}

    def rewind(self, sink: str, position: int) -> bool:
        table = tables.deliveries
        values = {"position": position, "owner": None, "term": table.c.term + 1, "renewals": table.c.renewals + 1}
        with self._database._transaction() as connection:
            moved = (
                sa.update(table)
                .where(table.c.sink == sink)
                .values({**values, "error": None, "error_s": None, "missed": 0})
            )
            return bool(connection.execute(moved).rowcount)

    def take(self, sink: str, owner: str, seen: Standing) -> Lease | None:
        table = tables.deliveries
        same = table.c.sink == sink, table.c.term == seen.term, table.c.renewals == seen.renewals
        mine = {"owner": owner, "term": seen.term + 1, "renewals": seen.renewals + 1, "position": seen.position}
        taken = sa.update(table).where(*same).values(mine)
        with self._database._transaction() as connection:
            return Lease(owner, seen.term + 1) if connection.execute(taken).rowcount else None

    def proceed(self, sink: str, lease: Lease, progress: Progress) -> None:
        table, now_s = tables.deliveries, self._wall_clock()
        values: dict[str, Any] = {"position": progress.position, "renewals": table.c.renewals + 1}
        values |= {"error": progress.error, "error_s": None if progress.error is None else now_s}
        if progress.missed:
            values |= {"missed": table.c.missed + progress.missed}
        if progress.delivered:
            values |= {"delivered": table.c.delivered + progress.delivered, "delivered_s": now_s}
        # Nobody is further than there are events, or has come from where nobody was: who says so has delivered from
        # before the database was set back.
        there = [sa.select(tables.numbering.c.last).scalar_subquery() >= progress.position]
        if progress.stored:
            there.append(table.c.position.in_(sorted(progress.stored)))
        with self._database._transaction() as connection:
            mine = sa.update(table).where(table.c.sink == sink, *_held(lease), *there)
            if not connection.execute(mine.values(values)).rowcount:
                raise LeaseLost("somebody else delivers by now, or the database was set back")
            if progress.dead:
                self._bury(connection, sink, progress.dead, now_s)

    def _bury(
        self, connection: sa.Connection, sink: str, dead: Sequence[tuple[NumberedEvent, str]], now_s: float
    ) -> None:
        table = tables.dead_letters
        letters = [
            {
                "sink": sink,
                "event_number": one.number,
                "stream": one.event.context.stream,
                "event": json.dumps(one.event.to_json()),
                "error": error,
                "died_s": now_s,
            }
            for one, error in dead
        ]
        connection.execute(sa.insert(table), letters)
        oldest = sa.select(table.c.number).where(table.c.sink == sink).order_by(table.c.number.desc())
        last = connection.execute(oldest.offset(self._max_dead).limit(1)).scalar()
        if last is not None:
            connection.execute(sa.delete(table).where(table.c.sink == sink, table.c.number <= last))

    def let_go(self, sink: str, lease: Lease) -> None:
        table = tables.deliveries
        with self._database._transaction() as connection:
            connection.execute(
                sa.update(table)
                .where(table.c.sink == sink, *_held(lease))
                .values(owner=None, renewals=table.c.renewals + 1)
            )

    def dead_letters(self, sink: str, limit: int, after: int = 0) -> list[DeadLetter]:
        table = tables.dead_letters
        shown = (table.c.number, table.c.sink, table.c.event_number, table.c.event, table.c.error, table.c.died_s)
        query = sa.select(*shown).where(table.c.sink == sink, table.c.number > after).order_by(table.c.number)
        with self._database._transaction(reading=True) as connection:
            return [
                DeadLetter(**{**row, "event": Event.from_json(json.loads(row["event"]))})
                for row in connection.execute(query.limit(limit)).mappings()
            ]

    def forget_dead(self, sink: str, number: int) -> bool:
        table = tables.dead_letters
        with self._database._transaction() as connection:
            gone = sa.delete(table).where(table.c.sink == sink, table.c.number == number)
            return bool(connection.execute(gone).rowcount)


def _held(lease: Lease) -> tuple[sa.ColumnElement[bool], ...]:
    """A sink that was made anew begins with the same terms, but not with the same owner."""
    table = tables.deliveries
    return table.c.term == lease.term, table.c.owner == lease.owner
