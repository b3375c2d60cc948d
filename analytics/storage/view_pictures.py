"""How cameras looked when their references were made, and when something was found wrong; only where it is allowed."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Protocol

import sqlalchemy as sa

from analytics.storage import tables
from analytics.storage.database import DatabaseStore


class ViewKind(Enum):
    """When a picture was taken."""

    BEFORE = "before"
    AFTER = "after"


@dataclass(frozen=True, slots=True)
class StoredView:
    """What is known of a picture without looking at it.

    Attributes:
        kind: when it was taken.
        version: of the reference that it belongs to.
        captured_s: seconds since the epoch.
        blurred: whether people that were found in it are pixelated.
    """

    kind: ViewKind
    version: int
    captured_s: float
    blurred: bool


class ViewPictureStore(Protocol):
    """Of each stream at most one picture of a kind. Thread-safe; every method raises `StoreUnavailable`.

    Those that belong to an older version of the reference than the stream wants are there for nobody.
    """

    def find(self, stream: str) -> dict[ViewKind, StoredView]:
        """Which pictures there are of a stream."""
        ...

    def jpeg(self, stream: str, kind: ViewKind) -> tuple[StoredView, bytes] | None:
        """A picture; None if there is none."""
        ...

    def keep(self, stream: str, epoch: int, view: StoredView, jpeg: bytes) -> bool:
        """Keep a picture in place of the one that was there; one of before takes away the one of after.

        Returns:
            False if it belongs to another version of the reference than the stream wants: nothing is changed.

        Raises:
            StaleEpoch: the stream is in a newer epoch, or gone.
        """
        ...

    def forget(self, stream: str | None = None) -> None:
        """Remove those of a stream, or all."""
        ...


class DatabaseViewPictures:
    """See `ViewPictureStore`.

    Args:
        database: whose connections are used; it stays the caller's to close.
    """

    def __init__(self, database: DatabaseStore) -> None:
        self._database = database

    def find(self, stream: str) -> dict[ViewKind, StoredView]:
        with self._database._transaction(reading=True) as connection:
            rows = connection.execute(_wanted(stream)).all()
        return {ViewKind(row.kind): _view(row) for row in rows}

    def jpeg(self, stream: str, kind: ViewKind) -> tuple[StoredView, bytes] | None:
        table = tables.view_pictures
        query = _wanted(stream).add_columns(table.c.jpeg).where(table.c.kind == kind.value)
        with self._database._transaction(reading=True) as connection:
            row = connection.execute(query).first()
        return None if row is None else (_view(row), bytes(row.jpeg))

    def keep(self, stream: str, epoch: int, view: StoredView, jpeg: bytes) -> bool:
        table, streams = tables.view_pictures, tables.streams
        values = {"version": view.version, "captured_s": view.captured_s, "blurred": view.blurred, "jpeg": jpeg}
        statement = self._database._insert(table).values(stream=stream, kind=view.kind.value, **values)
        with self._database._transaction() as connection:
            self._database._hold(connection, stream, epoch)
            wanted = connection.execute(sa.select(streams.c.reference_version).where(streams.c.id == stream)).scalar()
            if wanted != view.version:
                return False
            if view.kind is ViewKind.BEFORE:
                connection.execute(sa.delete(table).where(table.c.stream == stream))
            connection.execute(statement.on_conflict_do_update(index_elements=["stream", "kind"], set_=values))
        return True

    def forget(self, stream: str | None = None) -> None:
        table = tables.view_pictures
        statement = sa.delete(table) if stream is None else sa.delete(table).where(table.c.stream == stream)
        with self._database._transaction() as connection:
            connection.execute(statement)


def _wanted(stream: str) -> sa.Select[tuple[str, int, float, bool]]:
    """All but the picture itself."""
    table, streams = tables.view_pictures, tables.streams
    joined = table.join(
        streams, sa.and_(streams.c.id == table.c.stream, streams.c.reference_version == table.c.version)
    )
    columns = table.c.kind, table.c.version, table.c.captured_s, table.c.blurred
    return sa.select(*columns).select_from(joined).where(table.c.stream == stream)


def _view(row: sa.Row[tuple[str, int, float, bool]]) -> StoredView:
    return StoredView(ViewKind(row.kind), row.version, row.captured_s, row.blurred)
