"""When epochs began, what was purged, and which registry leads: what was left behind is judged by it."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "epochs",
        sa.Column("stream", sa.String(64), primary_key=True),
        sa.Column("epoch", sa.Integer, primary_key=True),
        sa.Column("begun_s", sa.Double, nullable=False),
    )
    # Nobody knows when these began; nothing that is older than what they wrote may come after it.
    op.execute("INSERT INTO epochs (stream, epoch, begun_s) SELECT stream, epoch, 0 FROM checkpoints")
    op.create_table(
        "leases",
        sa.Column("name", sa.String(64), primary_key=True),
        sa.Column("term", sa.Integer, nullable=False),
        sa.Column("renewals", sa.BigInteger, nullable=False),
    )
    op.add_column("assignments", sa.Column("purged_epoch", sa.Integer, nullable=False, server_default="0"))
    op.add_column("assignments", sa.Column("purging", sa.Boolean, nullable=False, server_default=sa.false()))


def downgrade() -> None:
    with op.batch_alter_table("assignments") as assignments:
        assignments.drop_column("purging")
        assignments.drop_column("purged_epoch")
    op.drop_table("leases")
    op.drop_table("epochs")
