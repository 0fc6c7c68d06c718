"""The command line: nouns and verbs, three kinds of command, honest exit codes.

offline: needs no vault · operator: acts as the service, opens no content · personal: acts as one
person with what that person can open. Exit codes: 0 ok, 1 failure, 2 usage, 3 partial, 4 tamper.
"""

from __future__ import annotations

import sys

import typer

from casevault import __version__
from casevault.cli import (
    auditing,
    config,
    db,
    demo,
    dictionary,
    doctor,
    imports,
    init,
    keys,
    ledger,
    lockdown,
    looking,
    package,
    partners,
    register,
    release,
    report,
    reviews,
    search,
    serve,
    staff,
)
from casevault.cli.output import fail, say
from casevault.errors import CaseVaultError, Tampered

EXIT_FAILURE, EXIT_TAMPERED = 1, 4
_HELP = """Case management in which the key is the permission.

Example: casevault init --config /etc/casevault/casevault.toml && casevault serve

Each command says what kind it is: offline (no vault needed), operator (acts as the service, opens
no content) or personal (asks for your passphrase and opens what you can open).
"""

app = typer.Typer(
    help=_HELP,
    no_args_is_help=True,
    add_completion=False,
    # Local variables of a crash are the last thing that belongs on a terminal.
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.command(name="init")(init.init)
app.command(name="serve")(serve.serve)
app.command(name="doctor")(doctor.doctor)
app.command(name="lockdown")(lockdown.lockdown)
app.add_typer(demo.app, name="demo")
app.add_typer(config.app, name="config")
app.add_typer(db.app, name="db")
app.add_typer(imports.app, name="import")
app.add_typer(keys.app, name="keys")
app.add_typer(dictionary.app, name="dictionary")
# Without a name: its commands stand beside the operator's.
ledger.app.add_typer(auditing.app)
ledger.app.add_typer(reviews.app)
ledger.app.add_typer(looking.app)
app.add_typer(ledger.app, name="ledger")
app.add_typer(release.app, name="release")
app.add_typer(package.app, name="package")
app.add_typer(report.app, name="report")
app.add_typer(partners.app, name="partners")
app.add_typer(register.app, name="register")
app.add_typer(search.app, name="search")
app.add_typer(staff.app, name="staff")


def _show_version(value: bool) -> None:
    if value:
        print(__version__)
        raise typer.Exit


@app.callback()
def _root(
    version: bool = typer.Option(
        False, "--version", callback=_show_version, is_eager=True, help="Print the version."
    ),
) -> None:
    """Take the options that stand before the noun."""


def main() -> None:
    """Run the command line; an error becomes one sentence and an exit code."""
    try:
        app()
    except CaseVaultError as error:
        fail(error)
        sys.exit(EXIT_TAMPERED if isinstance(error, Tampered) else EXIT_FAILURE)
    except OSError as error:
        where = f": {error.filename}" if error.filename else ""
        say(f"A file or folder cannot be used ({error.strerror or 'unknown'}){where}")
        sys.exit(EXIT_FAILURE)
