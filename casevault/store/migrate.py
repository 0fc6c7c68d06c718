"""Migrations of both stores, run from the wheel or from the repository.

Decides where the scripts are, who may do what on PostgreSQL after a migration, and whether a
database stands where this version of the program expects it. Migrations have no keys.
"""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, MetaData, inspect, make_url, text

from casevault.errors import Misconfigured
from casevault.store.database import Database
from casevault.store.keyring_tables import keyring
from casevault.store.tables import data

_VERSIONS = "alembic_version_"
_METADATA: dict[str, MetaData] = {"data": data, "keyring": keyring}

# The ledger's entries and tree are written once: the application role cannot change them.
_APPEND_ONLY = ("ledger_entry", "ledger_leaf", "ledger_tile")


def upgrade(database: Database, branch: str, application_url: str | None = None) -> None:
    """Bring a store to this version; on PostgreSQL give the application role what it needs."""
    with database.writing() as connection:
        command.upgrade(_config(branch, connection), "head")
        if not database.is_sqlite and application_url:
            _grant_application_role(connection, branch, application_url)


def downgrade(database: Database, branch: str, revision: str) -> None:
    """Take a store back to `revision` (development and migration tests)."""
    with database.writing() as connection:
        command.downgrade(_config(branch, connection), revision)


def current(database: Database, branch: str) -> str | None:
    """Return the revision at which a store stands; None when it is empty."""
    with database.reading() as connection:
        return _context(connection, branch).get_current_revision()


def head(branch: str) -> str | None:
    """Return the revision that this version of the program expects."""
    return ScriptDirectory.from_config(_config(branch)).get_current_head()


def is_known(branch: str, revision: str) -> bool:
    """Say whether this version of the program can bring a store on from a revision."""
    scripts = ScriptDirectory.from_config(_config(branch))
    return revision in {script.revision for script in scripts.walk_revisions()}


def at_head(database: Database, branch: str) -> bool:
    """Say whether a store stands where this version expects it."""
    return current(database, branch) == head(branch)


def require_head(database: Database, branch: str) -> None:
    """Refuse a store that stands elsewhere."""
    if not at_head(database, branch):
        raise Misconfigured(
            f"The {branch} store is not at this version's schema. Run `casevault db upgrade`.",
            code="store.schema",
        )


def require_empty(database: Database) -> None:
    """Refuse a database that holds a table of anybody's."""
    with database.reading() as connection:
        found = inspect(connection).get_table_names()
    if any(not name.startswith(_VERSIONS) for name in found):
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
            "version_table": f"{_VERSIONS}{branch}",
            "compare_type": True,
            # Two branches in one database leave their versions beside each other.
            "include_name": lambda name, kind, _: kind != "table" or not name.startswith(_VERSIONS),
        },
    )


def _config(branch: str, connection: Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(_scripts(branch)).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config


def _scripts(branch: str) -> Path:
    package = Path(__file__).resolve().parent.parent
    for folder in (package / "_migrations", package.parent / "alembic"):
        if (folder / branch / "env.py").is_file():
            return folder / branch
    raise Misconfigured("The migrations are not part of this installation.", code="store.scripts")


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
