"""Alembic environment of the data store; `casevault db` brings the connection."""

from alembic import context

from casevault.store.engine.tables import data

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=data,
    # SQLite changes tables by copying them; batch mode keeps one code path for both databases.
    render_as_batch=True,
    compare_type=True,
    version_table="alembic_version_data",
    transactional_ddl=True,
)
context.run_migrations()
