"""Alembic's entry point: runs the versions on the connection that the runner opened."""

from alembic import context

from services.orchestrator.migrations.runner import SCHEMA

context.configure(
    connection=context.config.attributes["connection"],
    version_table_schema=SCHEMA,
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
