"""How a database is, without changing anything in it."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import alembic.config
import alembic.script
import sqlalchemy as sa

from analytics.errors import StoreError, StoreUnavailable
from analytics.storage.engine import driver_url, open_engine, reason_of

MIGRATIONS = Path(__file__).parent / "migrations"
WAIT_S = 5.0


@dataclass(frozen=True, slots=True)
class DatabaseCondition:
    """What was found.

    Attributes:
        kind: and version, such as ``PostgreSQL 16.2``.
        exists: whether there is anything; a SQLite file is made when it is first needed.
        size_bytes: of all of it.
        revision: of its tables; None before the first start.
        newest: revision that this version of Footfall makes of it.
        known: whether this version knows that revision: a newer one's it does not.
    """

    kind: str
    exists: bool
    size_bytes: int
    revision: str | None
    newest: str
    known: bool


def database_condition(url: str) -> DatabaseCondition:
    """Look at a database.

    Raises:
        StoreError: the URL cannot be read.
        StoreUnavailable: it cannot be reached, or is damaged.
    """
    parsed = driver_url(url)
    try:
        if parsed.get_backend_name() == "sqlite":
            return _of_file(Path(parsed.database or ""))
        engine = open_engine(parsed, WAIT_S, WAIT_S, 1)
        try:
            with engine.connect() as connection:
                version = connection.execute(sa.text("SHOW server_version")).scalar_one()
                size = connection.execute(sa.text("SELECT pg_database_size(current_database())")).scalar_one()
                revision = None
                if sa.inspect(connection).has_table("alembic_version"):
                    revision = connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar()
                return _condition(f"PostgreSQL {version}", int(size), revision)
        finally:
            engine.dispose()
    except sa.exc.SQLAlchemyError as error:
        raise StoreUnavailable(f"the database is away: {reason_of(error)}") from error


def _of_file(file: Path) -> DatabaseCondition:
    kind = f"SQLite {sqlite3.sqlite_version}"
    if not file.exists():
        return DatabaseCondition(kind, False, 0, None, *_newest(None))
    size = sum(one.stat().st_size for one in (file, file.with_name(f"{file.name}-wal")) if one.exists())
    try:
        # Through the driver itself: our engine would set up what it finds, and make what it does not.
        with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True, timeout=WAIT_S)) as connection:
            tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
            found = "SELECT version_num FROM alembic_version"
            row = connection.execute(found).fetchone() if "alembic_version" in tables else None
    except sqlite3.Error as error:
        raise StoreUnavailable(f"the database file {file} cannot be read: {error}") from error
    return _condition(kind, size, row[0] if row else None)


def _condition(kind: str, size_bytes: int, revision: str | None) -> DatabaseCondition:
    return DatabaseCondition(kind, True, size_bytes, revision, *_newest(revision))


def _newest(revision: str | None) -> tuple[str, bool]:
    """Our newest revision, and whether another one is among ours."""
    config = alembic.config.Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    scripts = alembic.script.ScriptDirectory.from_config(config)
    newest = scripts.get_current_head()
    if newest is None:
        raise StoreError("there are no migrations")
    return newest, revision is None or revision in {script.revision for script in scripts.walk_revisions()}
