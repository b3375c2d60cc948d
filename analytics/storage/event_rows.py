"""Events as rows of their table, and back."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from analytics.events import SITE_OCCUPANCY, STREAM_STATE, Event, EventContext
from analytics.storage import tables

LASTING = frozenset({SITE_OCCUPANCY, STREAM_STATE})
"""Types of which the newest event is what holds until there is another, however long ago that was."""
MODEL_LENGTH = 500
"""Of a name; a path may be longer, and is no reason not to store what was counted."""


def write(connection: sa.Connection, events: Iterable[Event], stored_s: float) -> None:
    """Write events within a transaction; those that are there already are left as they are."""
    events = list(events)
    if not events:
        return
    insert = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    values = [_row(event, stored_s) for event in events]
    connection.execute(insert(tables.events).on_conflict_do_nothing(index_elements=["id"]), values)
    if lasting := {(event.type, about(event)): event for event in events if event.type in LASTING}:
        newest = [_told(event, stored_s) for event in lasting.values()]
        made = insert(tables.told)
        changed = {"event": made.excluded.event, "stored_s": made.excluded.stored_s}
        connection.execute(made.on_conflict_do_update(index_elements=["type", "about"], set_=changed), newest)


def about(event: Event) -> str:
    """Of what an event of a lasting type is the newest one: its stream, or what it says itself."""
    return event.subject or event.context.stream


def _told(event: Event, stored_s: float) -> dict[str, Any]:
    return {
        "type": event.type,
        "about": about(event),
        "event": json.dumps(event.to_json()),
        "stored_s": stored_s,
    }


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
