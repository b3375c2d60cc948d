"""The tables. Migrations make them; what is said here must match, and a test compares the two."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from analytics.counting.base import Analytic
from analytics.counting.catalogue import ANALYTICS

metadata = sa.MetaData()

# JSON is kept as text, so that SQLite and PostgreSQL give back the very same numbers.

streams = sa.Table(
    "streams",
    metadata,
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("definition", sa.Text, nullable=False),
    sa.Column("geometry", sa.Text, nullable=False),
    sa.Column("geometry_version", sa.Integer, nullable=False),
    sa.Column("definition_version", sa.Integer, nullable=False, server_default="1"),
    sa.Column("reference_version", sa.Integer, nullable=False, server_default="1"),
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
    sa.Column("purged_epoch", sa.Integer, nullable=False, server_default="0"),
    sa.Column("purging", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("weight", sa.Double, nullable=True),
    sa.Column("least_weight", sa.Double, nullable=True),
    sa.Column("forgotten_epoch", sa.Integer, nullable=False, server_default="0"),
)

epochs = sa.Table(
    "epochs",
    metadata,
    sa.Column("stream", sa.String(64), primary_key=True),
    sa.Column("epoch", sa.Integer, primary_key=True),
    sa.Column("begun_s", sa.Double, nullable=False),
    sa.Column("cut", sa.BigInteger, nullable=False, server_default="0"),
)

leases = sa.Table(
    "leases",
    metadata,
    sa.Column("name", sa.String(64), primary_key=True),
    sa.Column("term", sa.Integer, nullable=False),
    sa.Column("renewals", sa.BigInteger, nullable=False),
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

camera_references = sa.Table(
    "camera_references",
    metadata,
    sa.Column("stream", sa.String(64), primary_key=True),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("epoch", sa.Integer, nullable=False),
    sa.Column("stored_s", sa.Double, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
)

view_pictures = sa.Table(
    "view_pictures",
    metadata,
    sa.Column("stream", sa.String(64), primary_key=True),
    sa.Column("kind", sa.String(16), primary_key=True),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("captured_s", sa.Double, nullable=False),
    sa.Column("blurred", sa.Boolean, nullable=False),
    sa.Column("jpeg", sa.LargeBinary, nullable=False),
)

_KINDS: Mapping[str, type[sa.types.TypeEngine[Any]] | sa.types.TypeEngine[Any]] = {
    "integer": sa.Integer,
    "real": sa.Double,
    "text": sa.Text,
    "name": sa.String(64),
    "bytes": sa.LargeBinary,
}


def _minute_table(analytic: Analytic[Any]) -> sa.Table:
    """Stream, minute and epoch, and what the analytic says of them."""
    return sa.Table(
        analytic.table,
        metadata,
        sa.Column("stream", sa.String(64), primary_key=True),
        sa.Column("minute", sa.BigInteger, primary_key=True),
        sa.Column("epoch", sa.Integer, primary_key=True),
        *(
            # Quoted: "left" is an analytic's word, and SQL's too.
            sa.Column(column.name, _KINDS[column.kind], primary_key=column.key, nullable=False, quote=True)
            for column in analytic.columns
        ),
    )


MINUTE_TABLES: Mapping[Analytic[Any], sa.Table] = {analytic: _minute_table(analytic) for analytic in ANALYTICS}

events = sa.Table(
    "events",
    metadata,
    sa.Column("seq", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
    sa.Column("number", sa.BigInteger, nullable=True),
    sa.Column("id", sa.String(32), nullable=False),
    sa.Column("type", sa.String(64), nullable=False),
    sa.Column("stream", sa.String(64), nullable=False),
    sa.Column("site", sa.String(200), nullable=False),
    # SQLite minds no lengths.
    sa.Column("subject", sa.String(200).with_variant(sa.String(64), "sqlite"), nullable=False),
    sa.Column("epoch", sa.Integer, nullable=False),
    sa.Column("model", sa.String(500), nullable=False),
    sa.Column("time_s", sa.Double, nullable=False),
    sa.Column("stored_s", sa.Double, nullable=False),
    sa.Column("data", sa.Text, nullable=False),
)
_UNNUMBERED = sa.text("number IS NULL")
sa.Index("events_id", events.c.id, unique=True)
sa.Index("events_number", events.c.number, unique=True)
sa.Index("events_time", events.c.time_s)
sa.Index("events_stored", events.c.stored_s)
sa.Index("events_stream", events.c.stream, events.c.number)
sa.Index("events_unnumbered", events.c.seq, sqlite_where=_UNNUMBERED, postgresql_where=_UNNUMBERED)

alert_book = sa.Table(
    "alert_book",
    metadata,
    sa.Column("name", sa.String(64), primary_key=True),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("stored_s", sa.Double, nullable=False),
)

alerts = sa.Table(
    "alerts",
    metadata,
    sa.Column("id", sa.String(32), primary_key=True),
    sa.Column("rule", sa.String(64), nullable=False),
    sa.Column("subject", sa.String(64), nullable=False),
    sa.Column("severity", sa.String(16), nullable=False),
    sa.Column("summary", sa.Text, nullable=False),
    sa.Column("detail", sa.Text, nullable=False),
    sa.Column("since_s", sa.Double, nullable=False),
    sa.Column("raised_s", sa.Double, nullable=False),
    sa.Column("cleared_s", sa.Double, nullable=True),
    sa.Column("acknowledged_by", sa.String(64), nullable=True),
    sa.Column("acknowledged_s", sa.Double, nullable=True),
    sa.Column("told", sa.Boolean, nullable=False, server_default=sa.false()),
)
sa.Index("alerts_since", alerts.c.since_s, alerts.c.id)
sa.Index("alerts_subject", alerts.c.subject, alerts.c.since_s)

told = sa.Table(
    "told",
    metadata,
    sa.Column("type", sa.String(64), primary_key=True),
    sa.Column("about", sa.String(200), primary_key=True),
    sa.Column("event", sa.Text, nullable=False),
    sa.Column("stored_s", sa.Double, nullable=False),
)

numbering = sa.Table(
    "numbering",
    metadata,
    sa.Column("name", sa.String(64), primary_key=True),
    sa.Column("last", sa.BigInteger, nullable=False),
)

sinks = sa.Table(
    "sinks",
    metadata,
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("definition", sa.Text, nullable=False),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("created_s", sa.Double, nullable=False),
    sa.Column("updated_s", sa.Double, nullable=False),
)

deliveries = sa.Table(
    "deliveries",
    metadata,
    sa.Column("sink", sa.String(64), primary_key=True),
    sa.Column("position", sa.BigInteger, nullable=False),
    sa.Column("owner", sa.String(200), nullable=True),
    sa.Column("term", sa.Integer, nullable=False, server_default="0"),
    sa.Column("renewals", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("delivered", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("delivered_s", sa.Double, nullable=True),
    sa.Column("error", sa.Text, nullable=True),
    sa.Column("error_s", sa.Double, nullable=True),
    sa.Column("missed", sa.BigInteger, nullable=False, server_default="0"),
)

dead_letters = sa.Table(
    "dead_letters",
    metadata,
    sa.Column("number", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
    sa.Column("sink", sa.String(64), nullable=False),
    sa.Column("event_number", sa.BigInteger, nullable=False),
    sa.Column("stream", sa.String(64), nullable=False),
    sa.Column("event", sa.Text, nullable=False),
    sa.Column("error", sa.Text, nullable=False),
    sa.Column("died_s", sa.Double, nullable=False),
    sqlite_autoincrement=True,  # whoever has seen a number means that letter and no other
)
sa.Index("dead_letters_sink", dead_letters.c.sink, dead_letters.c.number)
sa.Index("dead_letters_stream", dead_letters.c.stream)
sa.Index("dead_letters_died", dead_letters.c.died_s)

tokens = sa.Table(
    "tokens",
    metadata,
    sa.Column("name", sa.String(64), primary_key=True),
    sa.Column("scope", sa.String(20), nullable=False),
    sa.Column("digest", sa.String(64), nullable=False),
    sa.Column("created_s", sa.Double, nullable=False),
    sa.Column("expires_s", sa.Double, nullable=True),
)

audit = sa.Table(
    "audit",
    metadata,
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("time_s", sa.Double, nullable=False),
    sa.Column("caller", sa.String(64), nullable=False),
    sa.Column("action", sa.String(64), nullable=False),
    sa.Column("method", sa.String(16), nullable=False),
    sa.Column("path", sa.String(200), nullable=False),
    sa.Column("status", sa.Integer, nullable=False),
    sa.Column("subject", sa.String(64), nullable=True),
)
