"""What is asked of the tables in more than one place, and what becomes of the answers."""

from __future__ import annotations

import json
import logging
from typing import Any

import sqlalchemy as sa

from analytics.counting.base import Column
from analytics.storage import tables
from analytics.storage.base import Checkpoint, StreamRecord
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
