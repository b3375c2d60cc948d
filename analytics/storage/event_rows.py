"""Events as rows of their table, and back."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from analytics.events import Event, EventContext
from analytics.storage import tables

MODEL_LENGTH = 500
"""Of a name; a path may be longer, and is no reason not to store what was counted."""


def write(connection: sa.Connection, events: Iterable[Event], stored_s: float) -> None:
    """Write events within a transaction; those that are there already are left as they are."""
    values = [_row(event, stored_s) for event in events]
    if values:
        insert = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
        connection.execute(insert(tables.events).on_conflict_do_nothing(index_elements=["id"]), values)


def event_of(row: sa.RowMapping) -> Event:
    """The reverse of what `write` does."""
    context = EventContext(row["stream"], row["site"], row["epoch"], row["model"])
    return Event(row["id"], row["type"], context, row["subject"], row["time_s"], json.loads(row["data"]))


def _row(event: Event, stored_s: float) -> dict[str, Any]:
    context = event.context
    return {
        "id": event.id,
        "type": event.type,
        "stream": context.stream,
        "site": context.site,
        "subject": event.subject,
        "epoch": context.epoch,
        "model": context.model[:MODEL_LENGTH],
        "time_s": event.time_s,
        "stored_s": stored_s,
        "data": json.dumps(event.data),
    }
