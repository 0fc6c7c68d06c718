"""What opens the root material, and the stores that it opens.

A plain folder asks for nothing. A passphrase or PIN comes from a file descriptor, from systemd's
credential, from `unlock_file`, or from a prompt, in this order: never from an argument and never
from the environment. Must never print, log or keep what was typed.
"""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

import typer

from casevault import bootstrap
from casevault.bootstrap import Vault
from casevault.config import Settings
from casevault.crypto.roots import NO_KEY, RootsKey, asked_by, roots_key
from casevault.errors import Invalid, Locked, Misconfigured
from casevault.store.context.stores import Stores

# The name that `LoadCredential=` gives it; systemd names the folder in the environment.
CREDENTIAL = "casevault-unlock"
_CREDENTIALS_FOLDER = "CREDENTIALS_DIRECTORY"
_MOST_BYTES = 4096
_NAMES = {"passphrase": "Passphrase of the root material", "pin": "PIN of the hardware token"}

UnlockFdOption = typer.Option(
    None,
    "--unlock-fd",
    help="File descriptor with the passphrase or PIN of the root material; instead of a prompt.",
)


def key_of(settings: Settings, descriptor: int | None = None) -> RootsKey:
    """Return what opens the root material; asks for nothing where nothing is needed."""
    place = bootstrap.roots_place(settings)
    asks = asked_by(place)
    return NO_KEY if asks is None else roots_key(place, given(settings, asks, descriptor))


def given(settings: Settings, asks: str, descriptor: int | None) -> str:
    """Return a passphrase or PIN from wherever this process was told to take it."""
    if descriptor is not None:
        return from_descriptor(descriptor)
    folder = os.environ.get(_CREDENTIALS_FOLDER)
    if folder and (Path(folder) / CREDENTIAL).exists():
        return _from_file(Path(folder) / CREDENTIAL)
    if settings.unlock_file is not None:
        return _from_file(settings.unlock_file)
    if not sys.stdin.isatty():
        raise Locked(
            "The root material is sealed, and there is nobody to ask.",
            code="roots.unattended",
            hint="Give --unlock-fd, a systemd credential or unlock_file; see 'Unlock at start' in"
            " docs/runbook.md.",
        )
    typed: str = typer.prompt(_NAMES[asks], hide_input=True, err=True)
    return typed


def from_descriptor(descriptor: int) -> str:
    """Return the first line that a file descriptor gives."""
    try:
        with os.fdopen(descriptor, "rb") as file:
            return _line(file.read(_MOST_BYTES))
    except OSError:
        raise Invalid("That file descriptor cannot be read.", code="roots.fd") from None


def open_stores(
    settings: Settings, descriptor: int | None = None, *, unsettled: bool = False
) -> Stores:
    """Open the stores, asking for what the root material needs. The caller closes them."""
    key = key_of(settings, descriptor)
    return bootstrap.open_stores(settings, key=key, unsettled=unsettled)


def open_vault(
    settings: Settings, boot_secret: bytes, *, unsettled: bool = False, shut_too: bool = False
) -> Vault:
    """Open a vault, asking for what the root material needs. The caller closes it."""
    key = key_of(settings)
    return bootstrap.open_vault(
        settings, boot_secret, key=key, unsettled=unsettled, shut_too=shut_too
    )


def _from_file(path: Path) -> str:
    try:
        if stat.S_IMODE(path.stat().st_mode) & (stat.S_IRWXO | stat.S_IWGRP):
            raise Misconfigured(
                "Other accounts can read the file that opens the root material. Run: chmod 600 on"
                " it.",
                code="roots.unlock-mode",
            )
        with path.open("rb") as file:
            return _line(file.read(_MOST_BYTES))
    except OSError:
        raise Locked(
            "The file that opens the root material cannot be read: unlock_file, or systemd's"
            " credential.",
            code="roots.unlock-file",
        ) from None


def _line(data: bytes) -> str:
    try:
        line = data.decode().partition("\n")[0].rstrip("\r")
    except UnicodeDecodeError:
        line = ""
    if not line:
        raise Invalid(
            "What should open the root material is empty or not text.", code="roots.secret"
        )
    return line
