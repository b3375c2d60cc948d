"""Runs migrations on the connection that the store hands over."""

from alembic import context

from analytics.storage.tables import metadata

connection = context.config.attributes.get("connection")
if connection is None:
    raise SystemExit("migrations run through DatabaseStore.migrate()")
context.configure(
    connection=connection, target_metadata=metadata, render_as_batch=True, transaction_per_migration=False
)
context.run_migrations()
