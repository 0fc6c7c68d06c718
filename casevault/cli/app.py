"""The command line: nouns and verbs, three kinds of command, honest exit codes.

offline: needs no vault · operator: acts as the service, opens no content · personal: acts as one
person with what that person can open. Exit codes: 0 ok, 1 failure, 2 usage, 3 partial, 4 tamper.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib import import_module
from inspect import getdoc
from types import ModuleType
from typing import Any

import typer

from casevault import __version__
from casevault.cli import workers
from casevault.cli.output import fail, say
from casevault.errors import CaseVaultError, Tampered

EXIT_FAILURE, EXIT_TAMPERED = 1, 4
_HELP = """Case management in which the key is the permission.

Example: casevault init --config /etc/casevault/casevault.toml && casevault serve

Each command says what kind it is: offline (no vault needed), operator (acts as the service, opens
no content) or personal (asks for your passphrase and opens what you can open).
"""

# The module of each noun, loaded when it is asked for: a service that starts need not load the
# mathematics of releases, nor a verifier the database. `ledger` is several: the auditor's
# commands stand beside the operator's.
_COMMANDS = {
    "init": "ceremony.init",
    "serve": "serve",
    "doctor": "recovery.doctor",
    "lockdown": "staff.lockdown",
}
_NOUNS = {
    "demo": ("demo",),
    "config": ("config",),
    "db": ("recovery.db",),
    "import": ("casework.imports",),
    "keys": ("keyring.keys",),
    "dictionary": ("casework.dictionary",),
    "ledger": ("log.ledger", "log.auditing", "log.reviews", "log.looking"),
    "release": ("counting.release",),
    "package": ("sharing.package",),
    "exchange": ("sharing.exchange",),
    "report": ("counting.report",),
    "retention": ("retention.retention", "retention.holds"),
    "certificate": ("retention.certificate",),
    "partners": ("sharing.partners",),
    "register": ("counting.register",),
    "search": ("casework.search",),
    "staff": ("staff.staff",),
}
# What the list of nouns says about each; verbs say their own first sentence.
_ABOUT = {
    "demo": "A made-up vault that tells its story and attacks itself.",
    "config": "Look at the configuration.",
    "db": "Back up, restore, rebuild and upgrade the data store.",
    "import": "Take cases over from a table.",
    "keys": "Roll, rotate, seal, recover and re-issue keys.",
    "dictionary": "Fields, forms and code lists, for forms and papers.",
    "ledger": "The access log: verify, question, review and sign it.",
    "release": "Make, review, publish and verify counts.",
    "package": "Seal files to a partner, and open what was sealed to you.",
    "exchange": "Letters to and from vaults of partners.",
    "report": "The pledge's report, and counts in other formats.",
    "retention": "What ends when, and ending it.",
    "certificate": "Verify that something was erased.",
    "partners": "The directory of partners.",
    "register": "Trainings and measures for the pledge.",
    "search": "Build the search cards anew.",
    "staff": "Covers, transfers, suspensions and departures.",
}


def build(noun: str | None = None) -> typer.Typer:
    """Return the command line, or as much of it as one noun needs."""
    made = typer.Typer(
        help=_HELP,
        no_args_is_help=True,
        add_completion=False,
        # Local variables of a crash are the last thing that belongs on a terminal.
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
    )
    made.callback()(_root)
    known = noun in _COMMANDS or noun in _NOUNS
    for name, module in _COMMANDS.items():
        if not known or noun == name:
            command = getattr(_module(module), name)
            made.command(name=name, short_help=_summary(command))(command)
    for name, modules in _NOUNS.items():
        if not known or noun == name:
            made.add_typer(_described(_group(modules)), name=name, short_help=_ABOUT[name])
    return made


def _group(modules: tuple[str, ...]) -> typer.Typer:
    group, *others = (_module(name).app for name in modules)
    made: typer.Typer = group
    for other in others:
        if all(one.typer_instance is not other for one in made.registered_groups):
            made.add_typer(other)
    return made


def _described(group: typer.Typer) -> typer.Typer:
    """Let a list of verbs say what each does: its first paragraph is an example."""
    for command in group.registered_commands:
        command.short_help = _summary(command.callback)
    for inner in group.registered_groups:
        if inner.typer_instance is not None:
            _described(inner.typer_instance)
    return group


def _summary(command: Callable[..., Any] | None) -> str:
    _example, _, text = (getdoc(command) or "").partition("\n\n")
    return " ".join(text.split()).partition(". ")[0].partition(" (")[0].rstrip(".") + "."


def _module(name: str) -> ModuleType:
    return import_module("casevault.cli." + name)


def __getattr__(name: str) -> typer.Typer:
    """Give the whole command line as `app`, to whom wants all of it."""
    if name == "app":
        return build()
    raise AttributeError(name)


def _show_version(value: bool) -> None:
    if value:
        print(__version__)
        raise typer.Exit


def _root(
    version: bool = typer.Option(
        False, "--version", callback=_show_version, is_eager=True, help="Print the version."
    ),
) -> None:
    """Take the options that stand before the noun."""


def main() -> None:
    """Run the command line; an error becomes one sentence and an exit code."""
    # Of options, only some stand before the noun; none of them takes a value.
    noun = next((word for word in sys.argv[1:] if not word.startswith("-")), None)
    try:
        if noun == "serve" and "--help" not in sys.argv:
            workers.prepare()
        build(noun)()
    except CaseVaultError as error:
        fail(error)
        sys.exit(EXIT_TAMPERED if isinstance(error, Tampered) else EXIT_FAILURE)
    except OSError as error:
        where = f": {error.filename}" if error.filename else ""
        say(f"A file or folder cannot be used ({error.strerror or 'unknown'}){where}")
        sys.exit(EXIT_FAILURE)
