"""The plan of an organisation: from a file or from prompts, checked as a whole before all else.

Decides who sits at the ceremony and who enrols after it. A plan never holds a passphrase, and no
fault repeats what stands in the file: people are named by their number.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import typer

from casevault.cli.output import say
from casevault.config import check_values
from casevault.domain.staff.access import Role, check_roles
from casevault.domain.staff.organisation import OUTLINES, Outline, Profile, Seat
from casevault.errors import Invalid, Misconfigured
from casevault.services.recovery.ceremony import PRESENT, FirstPerson, Plan, plan_faults

SETTINGS = (
    "data_url",
    "keyring_url",
    "data_migrator_url",
    "keyring_migrator_url",
    "keys_dir",
    "runtime_dir",
    "kdf_profile",
    "port",
    "pkcs11_module",
    "pkcs11_label",
)
_PERSON = frozenset({"name", "login", "roles", "team"})
_KNOWN = frozenset(
    {"organisation", "ledger_origin", "profile", "threshold", "shares", "teams", "people"}
)
_TEAM_ROLES = frozenset({Role.SUPERVISOR, Role.CASEWORKER})
_EXPLAINED = "The parts are explained in docs/organisation.toml."


@dataclass(frozen=True, slots=True)
class Member:
    """Somebody in the plan."""

    name: str = field(repr=False)
    login: str = field(repr=False)
    seat: Seat

    @property
    def present(self) -> bool:
        """Whether the person takes part in the ceremony; the others enrol after it."""
        return bool(self.seat.roles & set(PRESENT))

    def first(self, passphrase: str) -> FirstPerson:
        """Return the person as the ceremony takes them."""
        team = self.seat.team if Role.SUPERVISOR in self.seat.roles else None
        return FirstPerson(self.name, self.login, self.seat.roles, team, passphrase)


@dataclass(frozen=True, slots=True)
class Organisation:
    """A plan that was checked."""

    values: dict[str, Any] = field(repr=False)
    members: tuple[Member, ...]
    threshold: int
    shares: int

    @property
    def seats(self) -> tuple[Seat, ...]:
        """The people as the tables of roles and approvals see them."""
        return tuple(member.seat for member in self.members)


def read(path: Path) -> dict[str, Any]:
    """Return what a plan file says, unchecked."""
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError):
        raise Invalid(
            f"The plan cannot be read as TOML. {_EXPLAINED}", code="init.answers"
        ) from None


def check(
    raw: dict[str, Any],
    config: Path,
    profile: Profile | None,
    threshold: int | None,
    shares: int | None,
) -> Organisation:
    """Return the plan, or refuse it with every fault at once."""
    faults = list(_unknown(raw))
    outline = OUTLINES[profile or _profile(raw, faults)]
    needed = _number(raw, "threshold", threshold, outline.threshold, faults)
    made = _number(raw, "shares", shares, outline.shares, faults)
    members = tuple(_members(raw, faults))
    faults += _together(members, needed, made)
    faults += _teams(raw, members)
    values = _values(raw)
    try:
        check_values(values, config)
    except Misconfigured as error:
        faults.append(error.detail or error.title)
    if faults:
        raise Invalid("\n- ".join(["", *dict.fromkeys(faults)]), code="init.plan")
    return Organisation(values, members, needed, made)


def prompted(profile: Profile) -> dict[str, Any]:
    """Ask for everything that a plan file would say."""
    outline = OUTLINES[profile]
    say("This is the key ceremony. The people below should be in the room, with pen and paper.")
    found: dict[str, Any] = {
        "profile": profile.value,
        "organisation": typer.prompt("Organisation"),
        "ledger_origin": typer.prompt("Name of the access log, like example.org/casevault/2026a"),
        "people": [],
    }
    _ask_seats(outline, found["people"])
    return found


def _ask_seats(outline: Outline, people: list[dict[str, Any]]) -> None:
    team = ""
    for number, roles in enumerate((*outline.seats, *outline.spare)):
        spare = number >= len(outline.seats)
        seat = Seat(roles)
        title = f"second {seat} (empty: nobody yet)" if spare else str(seat)
        name = typer.prompt(
            f"Name of the {title}", default="" if spare else None, show_default=False
        )
        if not name:
            continue
        person = {"name": name, "login": typer.prompt("  login"), "roles": sorted(roles)}
        if roles & _TEAM_ROLES:
            team = team or typer.prompt("  team")
            person["team"] = team
        people.append(person)


def _unknown(raw: dict[str, Any]) -> Iterator[str]:
    if not raw.keys() <= _KNOWN | set(SETTINGS):
        yield f"The plan has a part that means nothing here; check the spelling. {_EXPLAINED}"
    if not isinstance(raw.get("people"), list) or not raw["people"]:
        yield "The plan needs a [[people]] section for each person."


def _profile(raw: dict[str, Any], faults: list[str]) -> Profile:
    try:
        return Profile(raw.get("profile", Profile.STANDARD.value))
    except ValueError:
        faults.append("The profile is 'small' or 'standard'.")
        return Profile.STANDARD


def _number(
    raw: dict[str, Any], name: str, chosen: int | None, usual: int, faults: list[str]
) -> int:
    found = raw.get(name, usual) if chosen is None else chosen
    if isinstance(found, int) and not isinstance(found, bool):
        return found
    faults.append(f"{name} is a whole number.")
    return usual


def _members(raw: dict[str, Any], faults: list[str]) -> Iterator[Member]:
    people = raw.get("people")
    for number, person in enumerate(people if isinstance(people, list) else [], start=1):
        fault = _shape(person)
        if fault is None:
            roles = frozenset(Role(role) for role in person["roles"])
            seat = Seat(roles, person.get("team") or _only_team(people, roles))
            yield Member(person["name"].strip(), person["login"].strip(), seat)
        else:
            faults.append(f"Person {number}: {fault}")


def _shape(person: object) -> str | None:
    if not isinstance(person, dict):
        return "each person is a [[people]] section."
    if any("pass" in name.casefold() for name in person):
        return "a plan never holds a passphrase; people type it, or use --passphrases-fd."
    if not person.keys() <= _PERSON:
        return "there is something beside name, login, roles and team; check the spelling."
    texts = [person.get("name"), person.get("login"), person.get("team", "-")]
    roles = person.get("roles")
    if (
        not all(isinstance(text, str) and text.strip() for text in texts)
        or not isinstance(roles, list)
        or not roles
        or not all(role in list(Role) for role in roles)
    ):
        return f"name, login and roles are needed. Roles: {', '.join(Role)}."
    return None


def _only_team(people: object, roles: frozenset[Role]) -> str | None:
    # A caseworker of an organisation with one team need not say which.
    if roles & _TEAM_ROLES and Role.SUPERVISOR not in roles and isinstance(people, list):
        named = {
            p["team"] for p in people if isinstance(p, dict) and isinstance(p.get("team"), str)
        }
        return named.pop() if len(named) == 1 else None
    return None


def _together(members: tuple[Member, ...], threshold: int, shares: int) -> Iterator[str]:
    present = tuple(member.first("") for member in members if member.present)
    for fault in plan_faults(Plan(present, threshold, shares)):
        yield fault.detail or fault.title
    logins = [member.login.casefold() for member in members]
    if len(set(logins)) != len(logins):
        yield "Two people have the same login."
    for member in members:
        if not member.present:
            try:
                check_roles(member.seat.roles)
            except Invalid as fault:
                yield fault.detail or fault.title


def _teams(raw: dict[str, Any], members: tuple[Member, ...]) -> Iterator[str]:
    led = {m.seat.team for m in members if Role.SUPERVISOR in m.seat.roles}
    for member in members:
        roles, team = member.seat.roles, member.seat.team
        if not roles & _TEAM_ROLES and team is not None:
            yield "Supervisors and caseworkers, and only they, name their team."
        elif Role.CASEWORKER in roles and Role.SUPERVISOR not in roles and team not in led:
            yield "Each caseworker needs a team that has a supervisor in the plan."
    teams = raw.get("teams")
    if teams is not None and (not isinstance(teams, list) or set(map(str, teams)) != led):
        yield "teams lists the teams of the supervisors, no more and no fewer."


def _values(raw: dict[str, Any]) -> dict[str, Any]:
    values = {
        "organisation_name": raw.get("organisation", ""),
        "ledger_origin": raw.get("ledger_origin", "localhost/casevault/1"),
    }
    return values | {name: raw[name] for name in SETTINGS if name in raw}
