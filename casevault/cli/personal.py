"""Personal commands: one person signs in, acts with what they can open, and is signed out.

Login, passphrase and code come by prompt, or the last two from a file descriptor, one line each;
a secret is never an argument and never in the environment. The session is a real one, with its
entries on the ledger, but its boot secret lives in this process only: nobody else can use it, and
it is over when the command is. Must never print, log or keep what was typed.
"""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import typer

from casevault import host, logs
from casevault.bootstrap import Vault
from casevault.cli import unlocking
from casevault.cli.output import say, settings_from
from casevault.errors import Invalid, Unauthenticated
from casevault.store.context.caller import Caller

_BOOT_BYTES = 32
_MOST_BYTES = 4096
_LABEL = "command line"

LoginOption = typer.Option(None, "--login", help="Your login (default: asked for).")
PassphraseFdOption = typer.Option(
    None,
    "--passphrase-fd",
    help="File descriptor with your passphrase and, on a second line, a code; instead of prompts.",
)


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who is signed in for one command."""

    vault: Vault
    token: str = field(repr=False)

    @property
    def caller(self) -> Caller:
        """The person with their keys and powers as they are now.

        Ask for it anew per page or line: that keeps the session alive, and somebody whose powers
        end while a long command runs is stopped.
        """
        return self.vault.sessions.authenticate(self.token)


@contextmanager
def signed_in(
    config: Path | None,
    login: str | None = None,
    passphrase_fd: int | None = None,
    *,
    unsettled: bool = False,
    shut_too: bool = False,
) -> Iterator[Person]:
    """Open the vault and sign a person in; sign out and close it whatever happens inside.

    `unsettled`: also where the data store came from a backup and is to be settled; `shut_too`:
    also while it is locked down.

    :raises Unauthenticated: login and passphrase do not open an envelope, or the code is wrong.
    """
    settings = settings_from(config)
    logs.configure(settings.log_level)
    host.harden_process()
    given = _given(login, passphrase_fd)
    boot_secret = secrets.token_bytes(_BOOT_BYTES)
    vault = unlocking.open_vault(settings, boot_secret, unsettled=unsettled, shut_too=shut_too)
    try:
        with _session(vault, *given) as person:
            yield person
    finally:
        vault.close()


@contextmanager
def also(vault: Vault, login: str | None, passphrase_fd: int | None) -> Iterator[Person]:
    """Sign a second person in, for an act that takes two."""
    say("Now the second person.")
    with _session(vault, *_given(login, passphrase_fd)) as person:
        yield person


def _given(login: str | None, passphrase_fd: int | None) -> tuple[str, str, str | None]:
    name = login if login is not None else typer.prompt("Login", err=True)
    return name, *_secrets(passphrase_fd)


@contextmanager
def _session(vault: Vault, login: str, passphrase: str, code: str | None) -> Iterator[Person]:
    begun = vault.sessions.sign_in(login, passphrase, code, label=_LABEL)
    person = Person(vault, begun.token)
    try:
        yield person
    finally:
        _sign_out(person)


def _secrets(descriptor: int | None) -> tuple[str, str | None]:
    """Return the passphrase, and the code if one was given."""
    if descriptor is None:
        typed: str = typer.prompt("Passphrase", hide_input=True, err=True)
        digits: str = typer.prompt(
            "Code of your second factor", default="", show_default=False, hide_input=True, err=True
        )
        return typed, digits.strip() or None
    try:
        with os.fdopen(descriptor, "rb") as file:
            lines = file.read(_MOST_BYTES).decode().splitlines()
    except (OSError, UnicodeDecodeError):
        raise Invalid(
            "The passphrase cannot be read from that file descriptor.", code="personal.fd"
        ) from None
    passphrase, code = (*lines, "", "")[:2]
    return passphrase, code.strip() or None


def _sign_out(person: Person) -> None:
    # A session that somebody ended meanwhile, or that grew too old, needs no second end.
    with contextlib.suppress(Unauthenticated):
        person.vault.sessions.sign_out(person.caller, person.token)
        say("Signed out.")
