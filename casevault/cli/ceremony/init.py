"""``casevault init``: the key ceremony, at a prompt or from a file of answers."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import typer

from casevault import founding
from casevault.cli.ceremony import plan as plans
from casevault.cli.ceremony import sheets
from casevault.cli.ceremony.explaining import explain_limits, explain_profile
from casevault.cli.ceremony.resuming import EXISTS, alone, finish, page_of, resumed, undone
from casevault.cli.ceremony.sealing import Under, asked_for
from casevault.cli.output import say
from casevault.config import DEFAULT_FILE, load_settings
from casevault.crypto.macs import words
from casevault.crypto.roots import Seal, plainly, write_private
from casevault.domain import vocabulary
from casevault.domain.staff.organisation import Profile
from casevault.errors import Invalid, Misconfigured
from casevault.services.recovery.ceremony import Outcome, Plan, check_plan

GENERATED_WORDS = 6
_NO_SHARES = "The file for the shares is there already, or cannot be made. Name a new one."


def init(
    config: Path = typer.Option(  # noqa: B008 - typer's way
        Path(DEFAULT_FILE), "--config", "-c", help="The configuration file to write."
    ),
    plan: Path | None = typer.Option(  # noqa: B008
        None, "--plan", "--answers", help="TOML as in docs/organisation.toml; else prompts."
    ),
    profile: Profile | None = typer.Option(  # noqa: B008
        None, "--profile", help="What to ask for: five people, or every role twice."
    ),
    explain: bool = typer.Option(
        False, "--explain", help="Say what the profile or the plan means; write nothing."
    ),
    passphrases_fd: int | None = typer.Option(
        None, "--passphrases-fd", help="File descriptor with a JSON object: login → passphrase."
    ),
    shares_file: Path | None = typer.Option(  # noqa: B008
        None, "--shares-file", help="Write the recovery shares here (0600) instead of printing."
    ),
    threshold: int | None = typer.Option(None, min=2, max=16, help="Shares that recover."),
    shares: int | None = typer.Option(None, min=2, max=16, help="Shares that are made."),
    seal: Under | None = typer.Option(  # noqa: B008
        None, help="Seal the root material from its first moment: under a passphrase or a token."
    ),
    seal_fd: int | None = typer.Option(
        None, "--seal-fd", help="File descriptor with that passphrase or PIN; else a prompt."
    ),
    rehearsal: bool = typer.Option(
        False, "--rehearsal", help="Made-up people only: ask for no words of the sheets."
    ),
) -> None:
    """Example: casevault init --config /etc/casevault/casevault.toml

    Hold the key ceremony: root, recovery shares, first people. Needs them in the room, and paper.
    Run it again if it was interrupted: it says what is there and goes on.
    (operator)
    """
    if explain and plan is None:
        explain_profile(profile or Profile.STANDARD)
        return
    with alone(config):
        if not explain and config.exists() and resumed(config, rehearsal=rehearsal):
            return
        wanted = _Wanted(config, plan, profile, explain, threshold, shares)
        _begin(wanted, _Given(passphrases_fd, seal, seal_fd), shares_file)
        if not explain:
            finish(config, rehearsal=rehearsal)


@dataclass(frozen=True, slots=True)
class _Wanted:
    config: Path
    plan: Path | None
    profile: Profile | None
    explain: bool
    threshold: int | None
    shares: int | None


@dataclass(frozen=True, slots=True)
class _Given:
    """Where secrets come from."""

    passphrases_fd: int | None
    seal: Under | None
    seal_fd: int | None

    def sealed(self, profile: str) -> Seal:
        """Return the vessel that was asked for."""
        return plainly if self.seal is None else asked_for(self.seal, profile, self.seal_fd)


def _begin(wanted: _Wanted, secret: _Given, shares_file: Path | None) -> None:
    config, plan, profile, explain = wanted.config, wanted.plan, wanted.profile, wanted.explain
    raw = plans.read(plan) if plan is not None else plans.prompted(profile or Profile.STANDARD)
    found = plans.check(raw, config, profile, wanted.threshold, wanted.shares)
    explain_limits(found.seats, found.threshold, found.shares)
    if explain:
        return
    given = _passphrases(secret.passphrases_fd)
    people = tuple(
        member.first(given.get(member.login) or _ask(member.name))
        for member in found.members
        if member.present
    )
    ceremony = Plan(people, found.threshold, found.shares)
    check_plan(ceremony)
    seal = secret.sealed(str(found.values.get("kdf_profile", "standard")))
    organisation = uuid4()
    with ExitStack() as begun:
        # Before the ceremony: what it gives out only once must have a place to go.
        if shares_file is not None:
            begun.enter_context(_begun(shares_file, _NO_SHARES))
        _write_config(config, found.values, organisation)
        begun.enter_context(undone(config))
        settings = load_settings(config)
        page = page_of(settings)

        def hand_out(outcome: Outcome) -> None:
            text = sheets.page(settings.organisation_name, outcome.shares, outcome.threshold)
            write_private(page, text.encode())
            _pin(config, outcome)

        outcome = founding.hold_ceremony(settings, organisation, ceremony, say, hand_out, seal=seal)
    _report(outcome, shares_file, found.members)


@contextmanager
def _begun(path: Path, refusal: str) -> Iterator[None]:
    """Make a private file that must not be there yet; remove it if what follows fails."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # An empty one is what a killed ceremony leaves.
        fresh = not path.exists() or path.stat().st_size > 0
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL * fresh, 0o600))
    except OSError:
        raise Misconfigured(refusal, code="init.exists") from None
    try:
        yield
    except BaseException:
        path.unlink(missing_ok=True)
        raise


def _passphrases(descriptor: int | None) -> dict[str, str]:
    if descriptor is None:
        return {}
    try:
        with os.fdopen(descriptor, "rb") as file:
            found = json.loads(file.read())
    except (OSError, ValueError):
        found = None
    if not isinstance(found, dict) or not all(isinstance(v, str) for v in found.values()):
        raise Invalid("Passphrases come as a JSON object: login → passphrase.", code="init.fd")
    return found


def _ask(name: str) -> str:
    while typed := _hidden(f"{name}, your passphrase (empty: make six words)"):
        if secrets.compare_digest(typed.encode(), _hidden("  again").encode()):
            return typed
        say("  The two are not the same. Type it anew.")
    generated = words(vocabulary.passphrase_words(), GENERATED_WORDS)
    say(f"  {generated}")
    say(f"  Only {name} should see this. Learn it or write it down; it is shown once.")
    typer.prompt("  Enter when noted", default="", show_default=False, err=True)
    return generated


def _hidden(text: str) -> str:
    typed: str = typer.prompt(text, hide_input=True, default="", show_default=False, err=True)
    return typed


def _write_config(path: Path, values: dict[str, Any], organisation: UUID) -> None:
    lines = [
        "# Written by `casevault init`. The first four lines decide who is believed: keep them.",
        f'organisation_id = "{organisation}"',
        f'unfinished = "{uuid4()}"',
        *(f"{name} = {_toml(value)}" for name, value in values.items()),
    ]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_private(path, ("\n".join(lines) + "\n").encode())
    except OSError:
        raise Misconfigured(EXISTS, code="init.exists") from None


def _toml(value: object) -> str:
    # JSON's texts are TOML's, but for DEL and for pairs of surrogates.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _pin(path: Path, outcome: Outcome) -> None:
    lines = path.read_text().splitlines()
    lines.insert(2, f'root_fingerprint = "{outcome.root_pin}"')
    write_private(path, ("\n".join(lines) + "\n").encode())


def _report(outcome: Outcome, shares_file: Path | None, members: tuple[plans.Member, ...]) -> None:
    for member in members:
        if not member.present:
            say(f"To be added by the administrator afterwards: {member.name}, {member.seat}")
    say("Root fingerprint, for the minutes: all 64 digits, as the configuration file pins them.")
    say(f"  {outcome.root_pin}")
    pages = sheets.text(outcome.shares, outcome.threshold)
    if shares_file is None or not _written(shares_file, pages):
        print(pages)


def _written(path: Path, pages: str) -> bool:
    try:
        path.write_text(pages)
    except OSError:
        # They exist nowhere else: better on this terminal than lost.
        say("The file for the shares cannot be written. Here they are; copy them by hand.")
        return False
    say("Shares written. Print them, give one to each custodian, then destroy the file.")
    return True
