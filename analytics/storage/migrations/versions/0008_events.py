"""Events, written with the rows that they belong to, and numbered for whoever reads them in order."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "events",
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
        sa.Column("number", sa.BigInteger, nullable=True),
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("type", sa.String(64), nullable=False),
        sa.Column("stream", sa.String(64), nullable=False),
        sa.Column("site", sa.String(200), nullable=False),
        sa.Column("subject", sa.String(64), nullable=False),
        sa.Column("epoch", sa.Integer, nullable=False),
        sa.Column("model", sa.String(500), nullable=False),
        sa.Column("time_s", sa.Double, nullable=False),
        sa.Column("stored_s", sa.Double, nullable=False),
        sa.Column("data", sa.Text, nullable=False),
    )
    op.create_index("events_id", "events", ["id"], unique=True)
    op.create_index("events_number", "events", ["number"], unique=True)
    op.create_index("events_time", "events", ["time_s"])
    op.create_index("events_stored", "events", ["stored_s"])
    op.create_index("events_stream", "events", ["stream", "number"])
    without = sa.text("number IS NULL")
    op.create_index("events_unnumbered", "events", ["seq"], sqlite_where=without, postgresql_where=without)
    op.create_table(
        "numbering",
        sa.Column("name", sa.String(64), primary_key=True),
        sa.Column("last", sa.BigInteger, nullable=False),
    )
    op.execute("INSERT INTO numbering (name, last) VALUES ('events', 0)")


def downgrade() -> None:
    op.drop_table("numbering")
    op.drop_table("events")
