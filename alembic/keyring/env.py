"""Alembic environment of the keyring store; `casevault db` brings the connection."""

from alembic import context

from casevault.store.engine.keyring_tables import keyring

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=keyring,
    # SQLite changes tables by copying them; batch mode keeps one code path for both databases.
    render_as_batch=True,
    compare_type=True,
    version_table="alembic_version_keyring",
    transactional_ddl=True,
)
context.run_migrations()
