"""What is known of what a camera shows when all is well: large, and written seldom, so apart from checkpoints."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import sqlalchemy as sa

from analytics.storage import tables
from analytics.storage.database import DatabaseStore


@dataclass(frozen=True, slots=True)
class StoredReference:
    """A reference as it is kept.

    Attributes:
        version: that it is of; the stream may want another one by now.
        stored_s: when it was written, seconds since the epoch.
        state: JSON types.
    """

    version: int
    stored_s: float
    state: Mapping[str, Any]


class ReferenceStore(Protocol):
    """Of each stream the newest reference. Thread-safe; every method raises `StoreUnavailable`."""

    def find(self, stream: str) -> StoredReference | None:
        """What is known of a stream; None if nothing is."""
        ...

    def keep(self, stream: str, epoch: int, version: int, state: Mapping[str, Any]) -> None:
        """Write what an epoch knows, over what was there; of an older version it changes nothing.

        Raises:
            StaleEpoch: the stream is in a newer epoch, or gone.
        """
        ...


class DatabaseReferences:
    """See `ReferenceStore`.

    Args:
        database: whose connections are used; it stays the caller's to close.
        wall_clock: seconds since the epoch.
    """

    def __init__(self, database: DatabaseStore, *, wall_clock: Callable[[], float] = time.time) -> None:
        self._database = database
        self._wall_clock = wall_clock

    def find(self, stream: str) -> StoredReference | None:
        table = tables.camera_references
        query = sa.select(table.c.version, table.c.stored_s, table.c.state).where(table.c.stream == stream)
        with self._database._transaction(reading=True) as connection:
            row = connection.execute(query).first()
        return None if row is None else StoredReference(row.version, row.stored_s, json.loads(row.state))

    def keep(self, stream: str, epoch: int, version: int, state: Mapping[str, Any]) -> None:
        table = tables.camera_references
        text = json.dumps(state)  # as it is: what is large in it is packed already
        values = {"version": version, "epoch": epoch, "stored_s": self._wall_clock(), "state": text}
        statement = self._database._insert(table).values(stream=stream, **values)
        statement = statement.on_conflict_do_update(
            index_elements=["stream"], set_=values, where=table.c.version <= version
        )
        with self._database._transaction() as connection:
            self._database._hold(connection, stream, epoch)
            connection.execute(statement)
