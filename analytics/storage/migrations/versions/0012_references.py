"""What is known of what each camera shows when all is well, and which version of it is wanted."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("streams", sa.Column("reference_version", sa.Integer, nullable=False, server_default="1"))
    op.create_table(
        "camera_references",
        sa.Column("stream", sa.String(64), primary_key=True),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("epoch", sa.Integer, nullable=False),
        sa.Column("stored_s", sa.Double, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
    )


def downgrade() -> None:
    op.drop_table("camera_references")
    with op.batch_alter_table("streams") as streams:
        streams.drop_column("reference_version")
