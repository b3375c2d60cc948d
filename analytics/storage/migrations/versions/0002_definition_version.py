"""Definitions are versioned, as geometry is, so that two people who edit one do not overwrite each other unseen."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("streams", sa.Column("definition_version", sa.Integer, nullable=False, server_default="1"))


def downgrade() -> None:
    with op.batch_alter_table("streams") as streams:
        streams.drop_column("definition_version")
