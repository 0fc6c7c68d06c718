"""``casevault keys seal`` and ``unseal``: what the powered-off machine shows of its root material.

Both move the material of a vault that is not being served, and change nothing else. Must never
print or keep a passphrase or PIN; a generated passphrase is shown once, on the terminal.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import typer

from casevault import bootstrap, host, logs
from casevault.cli import unlocking
from casevault.cli.output import ConfigOption, say, settings_from
from casevault.cli.unlocking import UnlockFdOption
from casevault.config import Settings
from casevault.crypto.credentials import PROFILES
from casevault.crypto.macs import words
from casevault.crypto.roots import (
    RootProvider,
    RootsPlace,
    Seal,
    move_roots,
    open_roots,
    plainly,
    under_passphrase,
    under_token,
)
from casevault.domain import vocabulary
from casevault.errors import Invalid

_WORDS = 6


class Under(StrEnum):
    """What root material can be sealed under."""

    PASSPHRASE = "passphrase"  # noqa: S105
    TOKEN = "token"  # noqa: S105 - a kind of seal


SAID = {
    Under.PASSPHRASE: "Sealed. The passphrase is nowhere on this machine: keep it on paper, off the"
    " premises, as well as with whoever starts the service.",
    Under.TOKEN: "Sealed under the hardware token. While it is there, its PIN opens the vault.",
}


@dataclass(frozen=True, slots=True)
class _Opened:
    settings: Settings
    place: RootsPlace
    roots: RootProvider


def seal(
    under: Under = typer.Option(Under.PASSPHRASE, help="What opens it from now on."),  # noqa: B008
    new_fd: int | None = typer.Option(
        None, "--new-fd", help="File descriptor with the new passphrase or PIN; else a prompt."
    ),
    config: Path | None = ConfigOption,
    unlock_fd: int | None = UnlockFdOption,
) -> None:
    """Example: casevault keys seal

    Put the root material under a passphrase, or under a hardware token. (operator)

    Stop the service first. From then on `casevault serve` asks for the passphrase or PIN, or takes
    it from a systemd credential. Sealed already: this changes the passphrase.
    """
    with _opened(config, unlock_fd) as at:
        move_roots(at.roots, at.place, asked_for(under, at.settings.kdf_profile, new_fd))
    say(SAID[under])
    say("Roll the epochs twice (casevault keys roll), so that no key of the readable file is left")
    say("in use. That writes the capsule anew too: the way back if passphrase or token is lost.")


def unseal(config: Path | None = ConfigOption, unlock_fd: int | None = UnlockFdOption) -> None:
    """Example: casevault keys unseal

    Put the root material back into a plain file, which whoever has the disk can read. (operator)

    Stop the service first. Under a hardware token the keys on it are destroyed.
    """
    with _opened(config, unlock_fd) as at:
        move_roots(at.roots, at.place, plainly)
    say("The root material is plain again: coded facts and two months of the log's bodies can be")
    say("read by whoever takes the machine. Seal it with `casevault keys seal`.")


@contextmanager
def _opened(config: Path | None, unlock_fd: int | None) -> Iterator[_Opened]:
    settings = settings_from(config)
    logs.configure(settings.log_level)
    host.harden_process()
    with host.sole_service(settings):
        place = bootstrap.roots_place(settings)
        roots = open_roots(place, unlocking.key_of(settings, unlock_fd))
        yield _Opened(settings, place, roots)


def asked_for(under: Under, profile: str, descriptor: int | None) -> Seal:
    """Return the seal that somebody wants; its secret comes from a descriptor or a prompt."""
    if descriptor is not None:
        given = unlocking.from_descriptor(descriptor)
    else:
        given = (
            chosen_passphrase()
            if under is Under.PASSPHRASE
            else _hidden("PIN of the hardware token")
        )
    return (
        under_token(given) if under is Under.TOKEN else under_passphrase(given, PROFILES[profile])
    )


def chosen_passphrase() -> str:
    """Return a new passphrase: typed twice, or six words that are shown once."""
    typed = _hidden("New passphrase (empty: make six words)")
    if not typed:
        typed = words(vocabulary.passphrase_words(), _WORDS)
        say(f"  {typed}")
        say("  It is shown once. Write it down.")
    again = _hidden("  once more")
    if not secrets.compare_digest(typed.encode(), again.encode()):
        raise Invalid("The two are not the same; nothing was changed.", code="roots.again")
    return typed


def _hidden(text: str) -> str:
    typed: str = typer.prompt(text, hide_input=True, default="", show_default=False, err=True)
    return typed
