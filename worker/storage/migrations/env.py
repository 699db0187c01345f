"""Alembic's entrance; the connection, and the transaction around everything, are the caller's."""

from alembic import context

from worker.storage.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    transactional_ddl=True,  # SQLite's too, as the transaction is begun by hand
)
context.run_migrations()
