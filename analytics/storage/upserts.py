"""Statements that insert rows or replace those with the same key, made once: to make one costs more than to run it."""

from __future__ import annotations

from functools import cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite


@cache
def upsert(dialect: str, table: sa.Table, keep: tuple[str, ...] = ()) -> Any:
    """For rows with all of the table's columns; those in ``keep`` are left as they were."""
    insert = postgresql.insert if dialect == "postgresql" else sqlite.insert
    statement = insert(table).values({column.name: sa.bindparam(column.name) for column in table.columns})
    keys = [column.name for column in table.primary_key]
    changes = {c.name: statement.excluded[c.name] for c in table.columns if c.name not in (*keys, *keep)}
    return statement.on_conflict_do_update(index_elements=keys, set_=changes)
