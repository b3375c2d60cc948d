"""Streams, assignments, checkpoints and minutes."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def minute_key() -> tuple[sa.Column[str], sa.Column[int], sa.Column[int]]:
    return (
        sa.Column("stream", sa.String(64), primary_key=True),
        sa.Column("minute", sa.BigInteger, primary_key=True),
        sa.Column("epoch", sa.Integer, primary_key=True),
    )


def upgrade() -> None:
    op.create_table(
        "streams",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("definition", sa.Text, nullable=False),
        sa.Column("geometry", sa.Text, nullable=False),
        sa.Column("geometry_version", sa.Integer, nullable=False),
        sa.Column("created_s", sa.Double, nullable=False),
        sa.Column("updated_s", sa.Double, nullable=False),
    )
    op.create_table(
        "assignments",
        sa.Column("stream", sa.String(64), primary_key=True),
        sa.Column("epoch", sa.Integer, nullable=False),
        sa.Column("owner", sa.String(200), nullable=True),
        sa.Column("active", sa.Boolean, nullable=False),
    )
    op.create_table(
        "checkpoints",
        sa.Column("stream", sa.String(64), primary_key=True),
        sa.Column("epoch", sa.Integer, nullable=False),
        sa.Column("time_s", sa.Double, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("resume", sa.Text, nullable=True),
    )
    op.create_table(
        "minutes",
        *minute_key(),
        sa.Column("covered_s", sa.Double, nullable=False),
        sa.Column("frames", sa.Integer, nullable=False),
        sa.Column("person_seconds", sa.Double, nullable=False),
        sa.Column("peak", sa.Integer, nullable=False),
    )
    op.create_table(
        "line_minutes",
        *minute_key(),
        sa.Column("line", sa.String(64), primary_key=True),
        sa.Column("entered", sa.Integer, nullable=False),
        sa.Column("left", sa.Integer, nullable=False, quote=True),
    )
    op.create_table(
        "zone_minutes",
        *minute_key(),
        sa.Column("zone", sa.String(64), primary_key=True),
        sa.Column("person_seconds", sa.Double, nullable=False),
        sa.Column("peak", sa.Integer, nullable=False),
        sa.Column("entries", sa.Integer, nullable=False),
        sa.Column("exits", sa.Integer, nullable=False),
        sa.Column("dwells", sa.Text, nullable=False),
    )
    op.create_table(
        "heat_minutes",
        *minute_key(),
        sa.Column("grid_height", sa.Integer, nullable=False),
        sa.Column("grid_width", sa.Integer, nullable=False),
        sa.Column("cells", sa.LargeBinary, nullable=False),
    )


def downgrade() -> None:
    for table in ("heat_minutes", "zone_minutes", "line_minutes", "minutes", "checkpoints", "assignments", "streams"):
        op.drop_table(table)
