"""What alerts are on, and those that were."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "alert_book",
        sa.Column("name", sa.String(64), primary_key=True),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("stored_s", sa.Double, nullable=False),
    )
    op.create_table(
        "alerts",
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
    )
    op.create_index("alerts_since", "alerts", ["since_s", "id"])
    op.create_index("alerts_subject", "alerts", ["subject", "since_s"])


def downgrade() -> None:
    op.drop_table("alerts")
    op.drop_table("alert_book")
