"""What was told last outlives its event; numbers of dead letters are never given again; sites have long names."""

import json

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

LASTING = {"footfall.stream-state.v1": "stream", "footfall.site-occupancy.v1": "subject"}


def upgrade() -> None:
    told = op.create_table(
        "told",
        sa.Column("type", sa.String(64), primary_key=True),
        sa.Column("about", sa.String(200), primary_key=True),
        sa.Column("event", sa.Text, nullable=False),
        sa.Column("stored_s", sa.Double, nullable=False),
    )
    rows = [row for kind, about in LASTING.items() for row in _told_so_far(kind, about)]
    if rows:
        op.bulk_insert(told, rows)
    if op.get_bind().dialect.name == "sqlite":  # which minds no lengths, but gives numbers anew
        with op.batch_alter_table(
            "dead_letters", recreate="always", table_kwargs={"sqlite_autoincrement": True}
        ) as letters:
            letters.alter_column("number", existing_type=sa.Integer, autoincrement=True)
    else:
        op.alter_column("events", "subject", type_=sa.String(200), existing_type=sa.String(64), existing_nullable=False)


def _told_so_far(kind: str, about: str) -> list[dict[str, object]]:
    names = ("seq", "id", "type", "stream", "site", "subject", "epoch", "model", "time_s", "stored_s", "data")
    events = sa.table("events", *(sa.column(name) for name in names))
    newest = sa.select(sa.func.max(events.c.seq)).where(events.c.type == kind).group_by(events.c[about])
    found = op.get_bind().execute(sa.select(events).where(events.c.seq.in_(newest))).mappings()
    return [
        {"type": kind, "about": row[about], "event": json.dumps(_event_of(row)), "stored_s": row["stored_s"]}
        for row in found
    ]


def _event_of(row: sa.RowMapping) -> dict[str, object]:
    context = {name: row[name] for name in ("stream", "site", "epoch", "model")}
    kept = {name: row[name] for name in ("id", "type", "subject", "time_s")}
    return {**kept, "context": context, "data": json.loads(row["data"])}


def downgrade() -> None:
    op.drop_table("told")
    if op.get_bind().dialect.name == "sqlite":
        with op.batch_alter_table("dead_letters", recreate="always") as letters:
            letters.alter_column("number", existing_type=sa.Integer)
