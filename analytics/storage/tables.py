"""The tables. Migrations make them; what is said here must match, and a test compares the two."""

from __future__ import annotations

import sqlalchemy as sa

metadata = sa.MetaData()

# JSON is kept as text, so that SQLite and PostgreSQL give back the very same numbers.

streams = sa.Table(
    "streams",
    metadata,
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("definition", sa.Text, nullable=False),
    sa.Column("geometry", sa.Text, nullable=False),
    sa.Column("geometry_version", sa.Integer, nullable=False),
    sa.Column("created_s", sa.Double, nullable=False),
    sa.Column("updated_s", sa.Double, nullable=False),
)

# Epochs outlive a stream's registration: a stream that is registered again must not repeat the keys of its old rows.
assignments = sa.Table(
    "assignments",
    metadata,
    sa.Column("stream", sa.String(64), primary_key=True),
    sa.Column("epoch", sa.Integer, nullable=False),
    sa.Column("owner", sa.String(200), nullable=True),
    sa.Column("active", sa.Boolean, nullable=False),
)

checkpoints = sa.Table(
    "checkpoints",
    metadata,
    sa.Column("stream", sa.String(64), primary_key=True),
    sa.Column("epoch", sa.Integer, nullable=False),
    sa.Column("time_s", sa.Double, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("resume", sa.Text, nullable=True),
)


def _minute_key() -> tuple[sa.Column[str], sa.Column[int], sa.Column[int]]:
    return (
        sa.Column("stream", sa.String(64), primary_key=True),
        sa.Column("minute", sa.BigInteger, primary_key=True),
        sa.Column("epoch", sa.Integer, primary_key=True),
    )


minutes = sa.Table(
    "minutes",
    metadata,
    *_minute_key(),
    sa.Column("covered_s", sa.Double, nullable=False),
    sa.Column("frames", sa.Integer, nullable=False),
    sa.Column("person_seconds", sa.Double, nullable=False),
    sa.Column("peak", sa.Integer, nullable=False),
)

line_minutes = sa.Table(
    "line_minutes",
    metadata,
    *_minute_key(),
    sa.Column("line", sa.String(64), primary_key=True),
    sa.Column("entered", sa.Integer, nullable=False),
    sa.Column("left", sa.Integer, nullable=False, quote=True),
)

zone_minutes = sa.Table(
    "zone_minutes",
    metadata,
    *_minute_key(),
    sa.Column("zone", sa.String(64), primary_key=True),
    sa.Column("person_seconds", sa.Double, nullable=False),
    sa.Column("peak", sa.Integer, nullable=False),
    sa.Column("entries", sa.Integer, nullable=False),
    sa.Column("exits", sa.Integer, nullable=False),
    sa.Column("dwells", sa.Text, nullable=False),
)

heat_minutes = sa.Table(
    "heat_minutes",
    metadata,
    *_minute_key(),
    sa.Column("grid_height", sa.Integer, nullable=False),
    sa.Column("grid_width", sa.Integer, nullable=False),
    sa.Column("cells", sa.LargeBinary, nullable=False),
)

MINUTE_TABLES = (minutes, line_minutes, zone_minutes, heat_minutes)
