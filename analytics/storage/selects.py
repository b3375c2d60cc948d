"""What is asked of the tables in more than one place, and what becomes of the answers."""

from __future__ import annotations

import json
import logging
from typing import Any

import sqlalchemy as sa

from analytics.counting.base import Column
from analytics.storage import tables
from analytics.storage.base import Checkpoint, StreamRecord
from analytics.storage.lateness import Standing
from analytics.storage.packing import unpack

logger = logging.getLogger(__name__)


def minutes_of(table: sa.Table, stream: str) -> tuple[sa.ColumnElement[bool], ...]:
    """The stream's minutes, but for those that were purged."""
    assignments = tables.assignments
    purged = sa.select(assignments.c.purged_epoch).where(assignments.c.stream == stream).scalar_subquery()
    return table.c.stream == stream, table.c.epoch > sa.func.coalesce(purged, 0)


def merged(table: sa.Table, column: Column) -> sa.ColumnElement[Any]:
    """A column over many minutes."""
    values = table.c[column.name]
    if column.merge == "sum":
        return sa.func.sum(values).label(column.name)
    if column.merge == "max":
        return sa.func.max(values).label(column.name)
    if column.merge == "join":
        return sa.func.aggregate_strings(values, "\n").label(column.name)
    raise ValueError(f"no database merges {table.name}.{column.name}")


def checkpoint_of(connection: sa.Connection, stream: str) -> Checkpoint | None:
    """The newest state of a stream, without rows."""
    table = tables.checkpoints
    row = connection.execute(sa.select(table).where(table.c.stream == stream)).mappings().first()
    if row is None:
        return None
    resume = None if row["resume"] is None else json.loads(row["resume"])
    return Checkpoint(stream, row["epoch"], (), unpack(row["state"]), resume, row["time_s"])


def cut_of(connection: sa.Connection, stream: str, epoch: int) -> int:
    """Number of the newest checkpoint of an epoch that is written."""
    table = tables.epochs
    mine = sa.select(table.c.cut).where(table.c.stream == stream, table.c.epoch == epoch)
    return int(connection.execute(mine).scalar() or 0)


def standing_of(connection: sa.Connection, late: Checkpoint) -> Standing:
    """How things stand with its stream; they stay so until the end of the transaction."""
    table = tables.assignments
    found = connection.execute(
        sa.update(table)
        .where(table.c.stream == late.stream)
        .values(active=table.c.active)  # changes nothing, but locks the row
        .returning(table.c.epoch, table.c.active, table.c.purged_epoch, table.c.forgotten_epoch)
    ).first()
    if found is None:
        return Standing(0, False, 0, None)
    epochs = tables.epochs
    later = sa.select(epochs.c.begun_s).where(epochs.c.stream == late.stream, epochs.c.epoch > late.epoch)
    begun_s = connection.execute(later.order_by(epochs.c.epoch).limit(1)).scalar()
    return Standing(found.epoch, found.active, max(found.purged_epoch, found.forgotten_epoch), begun_s)


def forget_epochs(connection: sa.Connection, stream: str, newest: int, ended_s: float, most: int) -> None:
    """Remove the epochs of a stream that had ended at a time, seconds since 1970, and all but the newest ones."""
    table, given = tables.epochs, tables.assignments
    begun = sa.select(sa.func.max(table.c.epoch)).where(table.c.stream == stream, table.c.begun_s < ended_s)
    kept = max(connection.execute(begun).scalar() or 0, newest - most + 1)
    if kept > 0 and connection.execute(sa.delete(table).where(table.c.stream == stream, table.c.epoch < kept)).rowcount:
        connection.execute(sa.update(given).where(given.c.stream == stream).values(forgotten_epoch=kept - 1))


def streams() -> sa.Select[Any]:
    """Registered streams with their assignments, as `record_of` takes them."""
    given = tables.assignments
    columns = given.c.epoch, given.c.owner, given.c.weight, given.c.least_weight
    return sa.select(tables.streams, *columns).join(given, given.c.stream == tables.streams.c.id)


def record_of(row: sa.RowMapping) -> StreamRecord:
    """A row of `streams`."""
    values = dict(row)
    try:
        values |= {"definition": json.loads(values["definition"]), "geometry": json.loads(values["geometry"])}
    except ValueError:  # whoever reads it finds nothing that a stream could be made of, and all others are there
        logger.error("its definition in the database is damaged", extra={"stream": values["id"]})
        values |= {"definition": {}, "geometry": {}}
    return StreamRecord(**values)
