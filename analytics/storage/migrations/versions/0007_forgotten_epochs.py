"""Epochs that ended long ago are forgotten, so that their rows do not become more for ever."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("assignments", sa.Column("forgotten_epoch", sa.Integer, nullable=False, server_default="0"))


def downgrade() -> None:
    with op.batch_alter_table("assignments") as assignments:
        assignments.drop_column("forgotten_epoch")
