"""Ending a ceremony: the shares are on paper and nowhere else, or the vault stays unfinished.

Decides what an interrupted ceremony left and whether it can go on. Nothing that could tell a
share word is ever stored: words are compared with the page in memory, whole shares with the root.
"""

from __future__ import annotations

import fcntl
import os
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import typer

from casevault import founding, host
from casevault.cli import unlocking
from casevault.cli.ceremony import sheets
from casevault.cli.output import EXIT_PARTIAL, say
from casevault.config import Settings, load_settings
from casevault.crypto import recovery
from casevault.crypto.roots import write_private
from casevault.errors import Invalid, Misconfigured

EXISTS = "There is a configuration file already, or it cannot be made. Choose another --config."
_PAGE = "shares.html"
_WORDS_ASKED = 2
_MARK = "unfinished = "


@contextmanager
def alone(config: Path) -> Iterator[None]:
    """Let one ceremony at a time work on a configuration file."""
    folder = next(place for place in config.absolute().parents if place.is_dir())
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Misconfigured(
                "Another ceremony runs here. Wait for it.", code="init.busy"
            ) from None
        yield
    finally:
        os.close(descriptor)


def page_of(settings: Settings) -> Path:
    """Return where the page with the shares lies: in memory, for this account only."""
    return host.open_runtime_folder(settings) / _PAGE


@contextmanager
def undone(config: Path) -> Iterator[None]:
    """Remove everything again if what follows fails before there is a vault."""
    try:
        yield
    except BaseException:
        _remove(config)
        raise


def resumed(config: Path, *, rehearsal: bool) -> bool:
    """Go on with an interrupted ceremony; False if it left nothing and can begin anew."""
    settings = load_settings(config)
    if settings.unfinished is None:
        raise Misconfigured(EXISTS, code="init.exists")
    if not founding.resume_ceremony(settings, lambda: unlocking.key_of(settings)):
        say("An interrupted ceremony left nothing durable. It is cleared away; we begin anew.")
        say("Sheets that were printed from it are void: destroy them.")
        _remove(config)
        return False
    say("The vault is there: root, recovery key, teams and first people; passphrases are set.")
    say("What is missing: the word of the people in the room that the shares are on paper.")
    finish(config, rehearsal=rehearsal)
    return True


def finish(config: Path, *, rehearsal: bool) -> None:
    """Have the shares confirmed and the page deleted, then take the mark away."""
    settings = load_settings(config)
    page = page_of(settings)
    try:
        if rehearsal:
            page.unlink(missing_ok=True)
        elif page.exists():
            confirm_on_paper(page)
        else:
            _combine(settings)
    except typer.Abort:
        say("The vault is unfinished and cannot be served. Run the same command again to go on.")
        raise typer.Exit(EXIT_PARTIAL) from None
    lines = config.read_text().splitlines()
    kept = [line for line in lines if not line.startswith(_MARK)]
    write_private(config, ("\n".join(kept) + "\n").encode())
    say(
        "The set-up is finished. If shares stand on this terminal, close it. Next: casevault config"
        " check, then casevault serve. Each of these people signs in and sets up a second factor"
        " before anything opens; then the administrator adds the others (docs/organisation.md)."
    )


def confirm_on_paper(page: Path) -> None:
    """Have words of every sheet of a page typed from paper, then the page deleted."""
    _confirm(page)
    _see_deleted(page)


def _remove(config: Path) -> None:
    settings = load_settings(config)
    if _is_vault(settings):
        return
    founding.abandon_ceremony(settings)
    page = settings.runtime_dir / str(settings.organisation_id) / _PAGE
    page.unlink(missing_ok=True)
    config.unlink()


def _is_vault(settings: Settings) -> bool:
    return founding.committed_keyring(settings) == settings.unfinished


def _confirm(page: Path) -> None:
    say(f"The sheets: {page}")
    say("Print them (a printer without memory), or copy them by hand. One for each custodian.")
    for number, words in enumerate(sheets.shares_on(page.read_text()), start=1):
        for place in sorted(secrets.SystemRandom().sample(range(len(words)), _WORDS_ASKED)):
            _ask_word(number, place, words)


def _ask_word(number: int, place: int, words: Sequence[str]) -> None:
    while True:
        typed = _hidden(f"Sheet {number}: word {place + 1}")
        if secrets.compare_digest(typed.strip().lower().encode(), words[place].encode()):
            return
        say("  That is not the word on this sheet. Look again.")


def _see_deleted(page: Path) -> None:
    while page.exists():
        typer.prompt(
            "Print, then delete. Enter when the file is deleted",
            default="",
            show_default=False,
            err=True,
        )
        if page.exists() and typer.confirm("It is still there. Delete it now?", err=True):
            page.unlink(missing_ok=True)


def _combine(settings: Settings) -> None:
    say("The page with the sheets is gone, so single words cannot be compared any more.")
    say("Type as many whole sheets as recover. If you cannot: nothing can be recovered from this")
    say("vault. Remove its configuration, stores and keys folder, and begin anew.")
    while True:
        count = typer.prompt("How many sheets recover", type=int, err=True)
        typed = [_hidden(f"Sheet {n + 1} of {count}, all words") for n in range(min(count, 16))]
        try:
            pin = recovery.root_principal(recovery.combine(typed)).public.pin
        except Invalid as fault:
            say(f"  {fault.detail}")
            continue
        if pin == settings.root_fingerprint:
            return
        say("  These sheets belong to another vault.")


def _hidden(text: str) -> str:
    typed: str = typer.prompt(text, hide_input=True, err=True)
    return typed
