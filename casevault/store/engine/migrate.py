"""Migrations of both stores, run from the wheel or from the repository.

Decides who may do what on PostgreSQL after a migration. Migrations have no keys. Where a store
stands is `store.engine.schema`'s to say, which loads nothing of what stands here.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import Connection, MetaData, inspect, make_url, text
from sqlalchemy.exc import ProgrammingError

from casevault.errors import Misconfigured
from casevault.store.engine import schema
from casevault.store.engine.database import Database
from casevault.store.engine.keyring_tables import keyring
from casevault.store.engine.tables import data

_NOT_ALLOWED = "42501"
_METADATA: dict[str, MetaData] = {"data": data, "keyring": keyring}

# The ledger's entries and tree are written once: the application role cannot change them.
_APPEND_ONLY = ("ledger_entry", "ledger_leaf", "ledger_tile")


def upgrade(database: Database, branch: str, application_url: str | None = None) -> None:
    """Bring a store to this version; on PostgreSQL give the application role what it needs."""
    with database.writing() as connection:
        with _told_who_may():
            command.upgrade(_config(branch, connection), "head")
        if not database.is_sqlite and application_url:
            _grant_application_role(connection, branch, application_url)


@contextmanager
def _told_who_may() -> Iterator[None]:
    """Say whose right is missing; to try again in a moment would not help."""
    try:
        yield
    except ProgrammingError as error:
        if getattr(error.orig, "sqlstate", None) != _NOT_ALLOWED:
            raise
        raise Misconfigured(
            "The role in the address of this database may not make tables. Give the addresses of"
            " the role that owns the databases as data_migrator_url and keyring_migrator_url.",
            code="store.migrator",
            hint="deploy/postgres/README.md, 'Set up'. An init that was refused here: remove the"
            " configuration file that it wrote, then run it again.",
        ) from None


def downgrade(database: Database, branch: str, revision: str) -> None:
    """Take a store back to `revision` (development and migration tests)."""
    with database.writing() as connection:
        command.downgrade(_config(branch, connection), revision)


def require_empty(database: Database) -> None:
    """Refuse a database that holds a table of anybody's."""
    with database.reading() as connection:
        found = inspect(connection).get_table_names()
    if any(not name.startswith(schema.VERSIONS) for name in found):
        raise Misconfigured(
            "This database is not empty, and trying the migrations would empty it. Name another.",
            code="store.not-empty",
        )


def differences(database: Database, branch: str) -> int:
    """Return how many differences lie between the migrated store and the tables in code."""
    with database.reading() as connection:
        return len(compare_metadata(_context(connection, branch), _METADATA[branch]))


def _context(connection: Connection, branch: str) -> MigrationContext:
    return MigrationContext.configure(
        connection,
        opts={
            "version_table": f"{schema.VERSIONS}{branch}",
            "compare_type": True,
            # Two branches in one database leave their versions beside each other.
            "include_name": lambda name, kind, _: (
                kind != "table" or not name.startswith(schema.VERSIONS)
            ),
        },
    )


def _config(branch: str, connection: Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(schema.scripts(branch)).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config


def _grant_application_role(connection: Connection, branch: str, application_url: str) -> None:
    role = make_url(application_url).username
    if not role or role == connection.engine.url.username:
        return
    quoted = connection.dialect.identifier_preparer.quote(role)
    connection.execute(text(f"GRANT USAGE ON SCHEMA public TO {quoted}"))
    for table in _METADATA[branch].sorted_tables:
        rights = (
            "SELECT, INSERT" if table.name in _APPEND_ONLY else "SELECT, INSERT, UPDATE, DELETE"
        )
        connection.execute(text(f"GRANT {rights} ON {table.name} TO {quoted}"))
    connection.execute(text(f"GRANT SELECT ON alembic_version_{branch} TO {quoted}"))
