"""What streams weigh, as last measured."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("assignments", sa.Column("weight", sa.Double, nullable=True))
    op.add_column("assignments", sa.Column("least_weight", sa.Double, nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("assignments") as assignments:
        assignments.drop_column("least_weight")
        assignments.drop_column("weight")
