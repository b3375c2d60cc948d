"""Whether people were told of an alert that is on."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # The registry that leads sets it right with the next alert book that it writes.
    op.add_column("alerts", sa.Column("told", sa.Boolean, nullable=False, server_default=sa.false()))


def downgrade() -> None:
    with op.batch_alter_table("alerts") as alerts:
        alerts.drop_column("told")
    op.execute(sa.text("DELETE FROM alert_book WHERE name = 'rules'"))
