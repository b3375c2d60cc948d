"""Events on their way out: written in the transaction of the rows that they belong to, read in the order of numbers.

Transactions do not become visible in the order in which they began, so a number that is given within one can be
passed by a reader before it is there to be seen. Here a number is given afterwards, to what is there already, by
whoever reads, one at a time: so nothing ever appears behind one that was read, and the events of a stream, whose
transactions come one after the other, keep their order.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Protocol

import sqlalchemy as sa

from analytics.events import STREAM_STATE, Event
from analytics.storage import event_rows, tables
from analytics.storage.database import DatabaseStore

MOST_COUNTED, MOST_LOOKED_AT = 10_000, 100_000
MOST_PASSED = 300_000
"""Numbers among which the first event that somebody waits for is looked for."""
AT_ONCE = 10_000
"""Events that are numbered, or forgotten, in one transaction."""


@dataclass(frozen=True, slots=True)
class NumberedEvent:
    """An event in its place.

    Attributes:
        number: one more with every event, never used again; those of purged streams are missing.
        event: itself.
        stored_s: when it got its number, seconds since the epoch: a second or so after it was written, by a clock of
            few, while those who write are many.
    """

    number: int
    event: Event
    stored_s: float


@dataclass(frozen=True, slots=True)
class EventFilter:
    """Which events somebody wants; an empty part means all.

    Attributes:
        types: with their versions.
        streams: ids.
        sites: names.
        since_s: only what was captured then or later; None: whenever.
    """

    types: frozenset[str] = frozenset()
    streams: frozenset[str] = frozenset()
    sites: frozenset[str] = frozenset()
    since_s: float | None = None

    def fits(self, event: Event) -> bool:
        """Whether an event is one of these."""
        context = event.context
        parts = (event.type, self.types), (context.stream, self.streams), (context.site, self.sites)
        recent = self.since_s is None or event.time_s >= self.since_s
        return recent and all(value in among for value, among in parts if among)


@dataclass(frozen=True, slots=True)
class Waiting:
    """What somebody has not read so far.

    Attributes:
        events: how many; of more than `MOST_COUNTED` it is not known how many more.
        since_s: when the first of them got its number, seconds since the epoch; None if there is none.
    """

    events: int
    since_s: float | None


EVERYTHING = EventFilter()


class Outbox(Protocol):
    """Events that happened, until they are too old. Thread-safe; every call is one transaction.

    Every method raises `StoreUnavailable` when the database is away, locked for too long, or full.
    """

    def append(self, events: Collection[Event]) -> None:
        """Write events that belong to no rows; those that are there already are left as they are.

        Raises:
            LeaseLost: of a store that leads: another has taken over, and tells by itself.
        """
        ...

    def number(self) -> int:
        """Give numbers to what has none yet; returns the newest number, 0 if there never was an event."""
        ...

    def after(self, number: int, limit: int, wanted: EventFilter = EVERYTHING) -> list[NumberedEvent]:
        """Events with larger numbers, in their order.

        Args:
            number: the last one that was read.
            limit: how many at most.
            wanted: which.
        """
        ...

    def waiting(self, number: int, wanted: EventFilter = EVERYTHING) -> Waiting:
        """Events with larger numbers, counted from the first one that is wanted, as far as does not take long.

        None seem to wait where more than `MOST_PASSED` others are before the first of them.
        """
        ...

    def before(self, time_s: float) -> int:
        """The number after which to read, to see all that was captured at ``time_s`` or later."""
        ...

    def told_last(self, kind: str) -> dict[str, Event]:
        """The newest event of a lasting type, by what it is about, also where it is forgotten, or has no number yet.

        Lasting are states of streams, and that a site's limit is reached: they hold until something else is told.
        """
        ...

    def oldest(self) -> int:
        """The smallest number that is kept; one more than the newest if none is."""
        ...

    def forget(self, stored_before_s: float, keep: int) -> int:
        """Remove what was numbered before a time, and the oldest of more than ``keep``; returns how many.

        Of dead letters those that are so old go, too, and are not counted.

        Never what has no number yet; at most `AT_ONCE` in one call.
        """
        ...


class DatabaseOutbox:
    """See `Outbox`.

    Args:
        database: whose connections are used; it stays the caller's to close.
        wall_clock: seconds since the epoch.
    """

    def __init__(self, database: DatabaseStore, *, wall_clock: Callable[[], float] = time.time) -> None:
        self._database = database
        self._wall_clock = wall_clock

    def append(self, events: Collection[Event]) -> None:
        with self._database._transaction() as connection:
            self._database._fence(connection)
            event_rows.write(connection, events, self._wall_clock())

    def number(self) -> int:
        events, numbering = tables.events, tables.numbering
        mine = numbering.c.name == "events"
        with self._database._transaction(reading=True) as connection:
            last = int(connection.execute(sa.select(numbering.c.last).where(mine)).scalar_one())
            if connection.execute(sa.select(events.c.seq).where(events.c.number.is_(None)).limit(1)).first() is None:
                return last
        fresh = (
            sa.select(events.c.seq, sa.func.row_number().over(order_by=events.c.seq).label("place"))
            .where(events.c.number.is_(None))
            .order_by(events.c.seq)
            .limit(AT_ONCE)
            .subquery("fresh")
        )
        with self._database._transaction() as connection:
            # Locks the row first: whoever numbers next waits, and then sees what was numbered here.
            locked = sa.update(numbering).where(mine).values(last=numbering.c.last).returning(numbering.c.last)
            last = int(connection.execute(locked).scalar_one())
            values = {"number": last + fresh.c.place, "stored_s": self._wall_clock()}
            given = sa.update(events).where(events.c.seq == fresh.c.seq).values(values).returning(events.c.number)
            # Not their count: what is purged at this very moment is seen, and then passed over.
            last = max((int(number) for (number,) in connection.execute(given)), default=last)
            connection.execute(sa.update(numbering).where(mine).values(last=last))
        return last

    def after(self, number: int, limit: int, wanted: EventFilter = EVERYTHING) -> list[NumberedEvent]:
        table = tables.events
        query = sa.select(table).where(table.c.number > number, *_conditions(wanted)).order_by(table.c.number)
        with self._database._transaction(reading=True) as connection:
            return [_numbered(row) for row in connection.execute(query.limit(limit)).mappings()]

    def waiting(self, number: int, wanted: EventFilter = EVERYTHING) -> Waiting:
        table = tables.events
        with self._database._transaction(reading=True) as connection:
            last = int(connection.execute(sa.select(tables.numbering.c.last)).scalar_one())
            oldest = connection.execute(sa.select(sa.func.min(table.c.number))).scalar()
            number = max(number, last if oldest is None else oldest - 1)
            until = min(last, number + MOST_PASSED)
            while True:
                near = table.c.number > number, table.c.number <= number + MOST_LOOKED_AT
                ahead = sa.select(table.c.stored_s).where(*near, *_conditions(wanted))
                some = ahead.order_by(table.c.number).limit(MOST_COUNTED).subquery()
                count, first_s = connection.execute(sa.select(sa.func.count(), sa.func.min(some.c.stored_s))).one()
                number += MOST_LOOKED_AT
                if count or number >= until:
                    return Waiting(count, first_s)

    def before(self, time_s: float) -> int:
        table = tables.events
        first = sa.select(sa.func.min(table.c.number)).where(table.c.time_s >= time_s)
        with self._database._transaction(reading=True) as connection:
            found = connection.execute(first).scalar()
            return int(
                connection.execute(sa.select(tables.numbering.c.last)).scalar_one() if found is None else found - 1
            )

    def told_last(self, kind: str) -> dict[str, Event]:
        table = tables.told
        query = sa.select(table.c.about, table.c.event).where(table.c.type == kind)
        with self._database._transaction(reading=True) as connection:
            return {about: Event.from_json(json.loads(text)) for about, text in connection.execute(query)}

    def oldest(self) -> int:
        with self._database._transaction(reading=True) as connection:
            found = connection.execute(sa.select(sa.func.min(tables.events.c.number))).scalar()
            last = connection.execute(sa.select(tables.numbering.c.last)).scalar_one()
        return int(last + 1 if found is None else found)

    def forget(self, stored_before_s: float, keep: int) -> int:
        table, numbering = tables.events, tables.numbering
        with self._database._transaction() as connection:
            last = int(connection.execute(sa.select(numbering.c.last)).scalar_one())
            dead = tables.dead_letters
            connection.execute(sa.delete(dead).where(dead.c.died_s < stored_before_s))
            gone = tables.told.c.about.not_in(sa.select(tables.streams.c.id))
            of_nobody = tables.told.c.type == STREAM_STATE, tables.told.c.stored_s < stored_before_s, gone
            connection.execute(sa.delete(tables.told).where(*of_nobody))
            over = sa.or_(table.c.stored_s < stored_before_s, table.c.number <= last - keep)
            first = sa.select(table.c.number).where(table.c.number.is_not(None), over).order_by(table.c.number)
            return connection.execute(sa.delete(table).where(table.c.number.in_(first.limit(AT_ONCE)))).rowcount


def _conditions(wanted: EventFilter) -> list[sa.ColumnElement[bool]]:
    table = tables.events
    parts = (table.c.type, wanted.types), (table.c.stream, wanted.streams), (table.c.site, wanted.sites)
    found: list[sa.ColumnElement[bool]] = [column.in_(sorted(values)) for column, values in parts if values]
    if wanted.since_s is not None:
        found.append(table.c.time_s >= wanted.since_s)
    return found


def _numbered(row: sa.RowMapping) -> NumberedEvent:
    return NumberedEvent(row["number"], event_rows.event_of(row), row["stored_s"])
