"""``casevault db``: migrations of both stores, backups of the data store."""

from __future__ import annotations

import tempfile
from pathlib import Path

import typer

from casevault import bootstrap
from casevault.cli.output import ConfigOption, say, settings_from
from casevault.cli.recovery import backups, settling
from casevault.store.engine import migrate, schema
from casevault.store.engine.database import Database

app = typer.Typer(help="Example: casevault db upgrade", no_args_is_help=True)
for command in (
    backups.backup,
    backups.inspect,
    backups.restore,
    settling.settle,
    backups.rebuild,
    backups.drill,
):
    app.command()(command)
BRANCHES = ("data", "keyring")


@app.command()
def upgrade(config: Path | None = ConfigOption) -> None:
    """Example: casevault db upgrade

    Bring both stores to this version, as the migrator role. (operator)
    """
    settings = settings_from(config)
    urls = (settings.data_url, settings.keyring_url)
    for branch, database, url in zip(
        BRANCHES, bootstrap.databases(settings, migrator=True), urls, strict=True
    ):
        migrate.upgrade(database, branch, url)
        say(f"{branch}: at revision {schema.current(database, branch)}")
        database.close()


@app.command()
def check(
    url: list[str] = typer.Option(  # noqa: B008 - typer's way
        [], "--url", help="An empty database to try the migrations on (default: a new SQLite file)."
    ),
) -> None:
    """Example: casevault db check

    Migrate empty databases, compare them with the tables in the code, and leave them empty again.
    A database that holds anything is refused. (offline)
    """
    with tempfile.TemporaryDirectory(prefix="casevault-check-") as folder:
        different = 0
        for branch in BRANCHES:
            for target in url or [f"sqlite:///{folder}/{branch}.db"]:
                database = Database(target)
                migrate.require_empty(database)
                migrate.upgrade(database, branch)
                found = migrate.differences(database, branch)
                different += found
                say(f"{branch} on {database.dialect}: {found} differences")
                migrate.downgrade(database, branch, "base")
                database.close()
    if different:
        raise typer.Exit(1)
