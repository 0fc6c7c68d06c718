"""``casevault init``: the key ceremony, at a prompt or from a file of answers."""

from __future__ import annotations

import json
import os
import secrets
import tomllib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import typer

from casevault import bootstrap
from casevault.cli.output import say
from casevault.config import DEFAULT_FILE, load_settings
from casevault.crypto.macs import words
from casevault.domain import vocabulary
from casevault.domain.access import Role
from casevault.errors import Invalid, Misconfigured
from casevault.services.ceremony import FirstPerson, Outcome, Plan, check_plan

GENERATED_WORDS = 6
_EXISTS = "There is a configuration file already, or it cannot be made. Choose another --config."
_NO_SHARES = "The file for the shares is there already, or cannot be made. Name a new one."
_PROMPTED = (
    (Role.SUPERVISOR, "first supervisor"),
    (Role.DPO, "data protection officer"),
    (Role.AUDITOR, "auditor"),
    (Role.ADMINISTRATOR, "administrator"),
)


def init(
    config: Path = typer.Option(  # noqa: B008 - typer's way
        Path(DEFAULT_FILE), "--config", "-c", help="The configuration file to write."
    ),
    answers: Path | None = typer.Option(  # noqa: B008
        None, "--answers", help="TOML with organisation, origin and [[people]]; else prompts."
    ),
    passphrases_fd: int | None = typer.Option(
        None, "--passphrases-fd", help="File descriptor with a JSON object: login → passphrase."
    ),
    shares_file: Path | None = typer.Option(  # noqa: B008
        None, "--shares-file", help="Write the recovery shares here (0600) instead of printing."
    ),
    threshold: int = typer.Option(3, min=2, max=16, help="Shares that recover."),
    shares: int = typer.Option(5, min=2, max=16, help="Shares that are made."),
) -> None:
    """Example: casevault init --config /etc/casevault/casevault.toml

    Hold the key ceremony: root, recovery shares, first people. Needs them in the room, and paper.
    (operator)
    """
    found = _answers(answers) if answers is not None else _prompted()
    given = _passphrases(passphrases_fd)
    people = tuple(_person(raw, given) for raw in found["people"])
    plan = Plan(people, threshold, shares)
    check_plan(plan)
    organisation = uuid4()
    with ExitStack() as begun:
        # Both before the ceremony: what it gives out only once must have a place to go.
        begun.enter_context(_begun(config, _EXISTS))
        if shares_file is not None:
            begun.enter_context(_begun(shares_file, _NO_SHARES))
        _write_config(config, found, organisation)
        outcome = bootstrap.hold_ceremony(load_settings(config), organisation, plan, say)
    try:
        _pin(config, outcome)
    finally:
        _report(outcome, shares_file)


@contextmanager
def _begun(path: Path, refusal: str) -> Iterator[None]:
    """Make a private file that must not be there yet; remove it if what follows fails."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    except OSError:
        raise Misconfigured(refusal, code="init.exists") from None
    try:
        yield
    except BaseException:
        path.unlink(missing_ok=True)
        raise


def _answers(path: Path) -> dict[str, Any]:
    try:
        found = tomllib.loads(path.read_text())
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError):
        raise Invalid("The answers cannot be read as TOML.", code="init.answers") from None
    if not isinstance(found.get("people"), list):
        raise Invalid("The answers need a [[people]] section each.", code="init.people")
    return found


def _prompted() -> dict[str, Any]:
    say("This is the key ceremony. The people below should be in the room, with pen and paper.")
    found: dict[str, Any] = {
        "organisation": typer.prompt("Organisation"),
        "ledger_origin": typer.prompt("Name of the access log, like example.org/casevault/2026a"),
        "people": [],
    }
    for role, title in _PROMPTED:
        person = {
            "name": typer.prompt(f"Name of the {title}"),
            "login": typer.prompt("  login"),
            "roles": [role.value],
        }
        if role is Role.SUPERVISOR:
            person["team"] = typer.prompt("  team")
            if typer.confirm("  Does this supervisor also work cases?", default=False):
                person["roles"].append(Role.CASEWORKER.value)
        found["people"].append(person)
    return found


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


def _person(raw: dict[str, Any], given: dict[str, str]) -> FirstPerson:
    try:
        login = str(raw["login"])
        roles = frozenset(Role(role) for role in raw["roles"])
        name, team = str(raw["name"]), raw.get("team")
    except (KeyError, ValueError, TypeError):
        raise Invalid("Each person needs name, login and roles.", code="init.person") from None
    return FirstPerson(name, login, roles, team, given.get(login) or _ask(name))


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


def _write_config(path: Path, found: dict[str, Any], organisation: UUID) -> None:
    lines = [
        "# Written by `casevault init`. The first four lines decide who is believed: keep them.",
        f'organisation_id = "{organisation}"',
        f"organisation_name = {_toml(str(found.get('organisation', '')))}",
        f"ledger_origin = {_toml(str(found.get('ledger_origin', 'localhost/casevault/1')))}",
    ]
    for name in ("data_url", "keyring_url", "keys_dir", "runtime_dir", "kdf_profile", "port"):
        if name in found:
            lines.append(f"{name} = {_toml(found[name])}")
    path.write_text("\n".join(lines) + "\n")


def _toml(value: object) -> str:
    # JSON's texts are TOML's, but for DEL and for pairs of surrogates.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _pin(path: Path, outcome: Outcome) -> None:
    lines = path.read_text().splitlines()
    lines.insert(2, f'root_fingerprint = "{outcome.root_pin}"')
    path.write_text("\n".join(lines) + "\n")


def _report(outcome: Outcome, shares_file: Path | None) -> None:
    say(f"Root fingerprint (also in the configuration file): {outcome.root_fingerprint}")
    pages = "\n".join(
        f"Recovery share {number} of {len(outcome.shares)}; any {outcome.threshold} recover."
        f"\n{share}\n"
        for number, share in enumerate(outcome.shares, start=1)
    )
    if shares_file is None or not _written(shares_file, pages):
        print(pages)
    if outcome.held_alone:
        say(
            "One person alone holds: "
            + ", ".join(outcome.held_alone)
            + ". If they are lost, only the recovery shares help."
        )
    say(
        "Next: casevault serve. Each of these people signs in and sets up a second factor"
        " (POST /v1/me/second-factor) before anything opens, and keeps the printed codes on paper."
    )
    say("Then the administrator adds caseworkers with POST /v1/staff.")


def _written(path: Path, pages: str) -> bool:
    try:
        path.write_text(pages)
    except OSError:
        # They exist nowhere else: better on this terminal than lost.
        say("The file for the shares cannot be written. Here they are; copy them by hand.")
        return False
    say("Shares written. Print them, give one to each custodian, then destroy the file.")
    return True
