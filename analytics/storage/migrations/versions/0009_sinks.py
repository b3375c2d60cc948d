"""Where events go, how far they are there, and those that nobody wanted."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "sinks",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("definition", sa.Text, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("created_s", sa.Double, nullable=False),
        sa.Column("updated_s", sa.Double, nullable=False),
    )
    op.create_table(
        "deliveries",
        sa.Column("sink", sa.String(64), primary_key=True),
        sa.Column("position", sa.BigInteger, nullable=False),
        sa.Column("owner", sa.String(200), nullable=True),
        sa.Column("term", sa.Integer, nullable=False, server_default="0"),
        sa.Column("renewals", sa.BigInteger, nullable=False, server_default="0"),
        sa.Column("delivered", sa.BigInteger, nullable=False, server_default="0"),
        sa.Column("delivered_s", sa.Double, nullable=True),
        sa.Column("error", sa.Text, nullable=True),
        sa.Column("error_s", sa.Double, nullable=True),
    )
    op.create_table(
        "dead_letters",
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
        sa.Column("sink", sa.String(64), nullable=False),
        sa.Column("event_number", sa.BigInteger, nullable=False),
        sa.Column("stream", sa.String(64), nullable=False),
        sa.Column("event", sa.Text, nullable=False),
        sa.Column("error", sa.Text, nullable=False),
        sa.Column("died_s", sa.Double, nullable=False),
    )
    op.create_index("dead_letters_sink", "dead_letters", ["sink", "number"])
    op.create_index("dead_letters_stream", "dead_letters", ["stream"])
    op.create_index("dead_letters_died", "dead_letters", ["died_s"])


def downgrade() -> None:
    op.drop_table("dead_letters")
    op.drop_table("deliveries")
    op.drop_table("sinks")
