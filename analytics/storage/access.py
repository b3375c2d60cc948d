"""Who may ask the service, and who changed what: tokens and the audit log, in the database of the streams."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from analytics.errors import TokenConflict
from analytics.storage import tables
from analytics.storage.database import DatabaseStore

MAX_TOKENS = 100
"""Every one of them is compared with what a caller offers."""
MAX_AUDITED = 100_000
"""Entries that are kept; the oldest go first."""


@dataclass(frozen=True, slots=True)
class TokenRecord:
    """A token as it is stored: not the token itself.

    Attributes:
        name: unique, chosen by whoever made it.
        scope: what it allows, in the words of the service.
        digest: SHA-256 of the token, in hexadecimal digits.
        created_s: seconds since the epoch.
        expires_s: likewise; None: never.
    """

    name: str
    scope: str
    digest: str
    created_s: float
    expires_s: float | None = None


@dataclass(frozen=True, slots=True)
class AuditRecord:
    """A change that somebody made, or was refused.

    Attributes:
        time_s: when it was answered, seconds since the epoch.
        caller: name of the token.
        action: what was called, such as ``put_stream``.
        method: of HTTP.
        path: without the query.
        status: of the answer.
        subject: id of the stream or name of the token; None where there is none.
        number: one more with every entry, never used again; 0 before it is stored.
    """

    time_s: float
    caller: str
    action: str
    method: str
    path: str
    status: int
    subject: str | None = None
    number: int = 0


class AccessStore(Protocol):
    """Tokens and the audit log. Thread-safe; every call is one transaction.

    Every method raises `StoreUnavailable` when the database is away, locked for too long, or full.
    """

    def tokens(self) -> list[TokenRecord]:
        """All of them, by name; also those that have expired."""
        ...

    def add_token(self, token: TokenRecord) -> None:
        """Raises TokenConflict if there is one of this name, or there are `MAX_TOKENS` already."""
        ...

    def revoke_token(self, name: str) -> bool:
        """Forget it; False if there was none."""
        ...

    def append_audit(self, entry: AuditRecord) -> None:
        """Add an entry, and forget those that are more than `MAX_AUDITED` entries old."""
        ...

    def audit(self, limit: int, before: int | None = None) -> list[AuditRecord]:
        """Entries, newest first.

        Args:
            limit: how many at most.
            before: only those whose number is smaller.
        """
        ...


class DatabaseAccessStore:
    """See `AccessStore`.

    Args:
        database: whose connections are used; it stays the caller's to close.
        max_audited: for tests.
    """

    def __init__(self, database: DatabaseStore, *, max_audited: int = MAX_AUDITED) -> None:
        self._database = database
        self._max_audited = max_audited

    def tokens(self) -> list[TokenRecord]:
        with self._database._transaction(reading=True) as connection:
            found = connection.execute(sa.select(tables.tokens).order_by(tables.tokens.c.name)).mappings().all()
        return [TokenRecord(**row) for row in found]

    def add_token(self, token: TokenRecord) -> None:
        values = {column.name: getattr(token, column.name) for column in tables.tokens.columns}
        with self._database._transaction() as connection:
            if (connection.execute(sa.select(sa.func.count()).select_from(tables.tokens)).scalar() or 0) >= MAX_TOKENS:
                raise TokenConflict(f"there are {MAX_TOKENS} tokens already: revoke one")
            insert = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
            statement = insert(tables.tokens).values(values).on_conflict_do_nothing(index_elements=["name"])
            if connection.execute(statement.returning(tables.tokens.c.name)).first() is None:
                raise TokenConflict(f"there is a token {token.name!r} already")

    def revoke_token(self, name: str) -> bool:
        with self._database._transaction() as connection:
            return bool(connection.execute(sa.delete(tables.tokens).where(tables.tokens.c.name == name)).rowcount)

    def append_audit(self, entry: AuditRecord) -> None:
        table = tables.audit
        values = {column.name: getattr(entry, column.name) for column in table.columns if column.name != "number"}
        with self._database._transaction() as connection:
            number = connection.execute(sa.insert(table).values(values).returning(table.c.number)).scalar_one()
            connection.execute(sa.delete(table).where(table.c.number <= number - self._max_audited))

    def audit(self, limit: int, before: int | None = None) -> list[AuditRecord]:
        table = tables.audit
        query = sa.select(table).order_by(table.c.number.desc()).limit(limit)
        if before is not None:
            query = query.where(table.c.number < before)
        with self._database._transaction(reading=True) as connection:
            return [AuditRecord(**row) for row in connection.execute(query).mappings()]
