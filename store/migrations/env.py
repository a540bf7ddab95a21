"""Alembic's environment: the caller brings the connection and owns its transaction (see ``store.migrate``)."""

from alembic import context

context.configure(
    connection=context.config.attributes["connection"],
    render_as_batch=True,  # SQLite changes a table by copying it
)
with context.begin_transaction():
    context.run_migrations()
