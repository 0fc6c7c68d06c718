"""What the people of an organisation can do together, and what one loss would cost them.

Pure. Every answer is computed from the tables that decide when the act is carried out: roles,
approvals, vouching. Nothing here is a list of its own that could fall behind them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from uuid import NAMESPACE_OID, UUID, uuid5

from casevault.domain.staff import approvals
from casevault.domain.staff.access import COMPATIBLE, RULES, Permission, Role
from casevault.domain.staff.approvals import SCOPE, ApprovedAct, RecoveryScope
from casevault.domain.staff.vouching import Scope, may_vouch
from casevault.ids import TeamId

_STAFF = "staff"


@dataclass(frozen=True, slots=True)
class Seat:
    """One person as the tables see them: roles, and the team of supervisors and caseworkers."""

    roles: frozenset[Role]
    team: str | None = None

    def __str__(self) -> str:
        """Return the roles in words."""
        return " and ".join(role.value for role in Role if role in self.roles)


class Profile(StrEnum):
    """How large an organisation begins."""

    SMALL = "small"
    STANDARD = "standard"


@dataclass(frozen=True, slots=True)
class Outline:
    """What a profile asks for. `spare` seats may stay empty for now."""

    seats: tuple[frozenset[Role], ...]
    spare: tuple[frozenset[Role], ...]
    threshold: int
    shares: int
    meaning: str


def _seats(*roles: Role) -> tuple[frozenset[Role], ...]:
    return tuple(frozenset({role}) for role in roles)


OUTLINES: Mapping[Profile, Outline] = MappingProxyType(
    {
        Profile.SMALL: Outline(
            (
                frozenset({Role.SUPERVISOR, Role.CASEWORKER}),
                *_seats(Role.DPO, Role.AUDITOR),
                frozenset({Role.ADMINISTRATOR, Role.REPORTER}),
                *_seats(Role.CASEWORKER),
            ),
            (),
            2,
            3,
            "The smallest organisation: five people, one team. Two of three shares recover, so two"
            " custodians together, or whoever finds two sheets, open everything.",
        ),
        Profile.STANDARD: Outline(
            _seats(Role.SUPERVISOR, Role.DPO, Role.AUDITOR, Role.ADMINISTRATOR),
            _seats(Role.SUPERVISOR, Role.DPO, Role.AUDITOR, Role.ADMINISTRATOR),
            3,
            5,
            "Every role that the ceremony needs, each held twice if you have the people: then no"
            " single loss needs the recovery shares. Three of five shares recover.",
        ),
    }
)


@dataclass(frozen=True, slots=True)
class Undoable:
    """A two-person act that cannot be done when it is asked by, or is for, these people."""

    act: str
    people: tuple[str, ...]
    everybody: bool


# Under which permission an act is asked for. One that is not named here may be asked by anybody.
_ASKED_WITH: Mapping[ApprovedAct, Permission] = MappingProxyType(
    {
        ApprovedAct.CASE_CLOSE: Permission.CASE_TRANSITION,
        ApprovedAct.CASE_DISCLOSE: Permission.CASE_AMEND,
        ApprovedAct.CASE_REFER: Permission.CASE_REFER,
        ApprovedAct.BREAK_GLASS: Permission.BREAK_GLASS_ASK,
        ApprovedAct.KEYS_RECOVER: Permission.KEYS_RECOVER,
        ApprovedAct.DATA_SETTLE: Permission.KEYS_RECOVER,
        ApprovedAct.RELEASE_PUBLISH: Permission.RELEASE_MAKE,
        ApprovedAct.COUNT_IMPORT: Permission.RELEASE_MAKE,
    }
)


def compatible(one: Role, other: Role) -> bool:
    """Say whether one person may hold both roles."""
    return one == other or frozenset({one, other}) in COMPATIBLE


def role_table() -> tuple[tuple[str, ...], ...]:
    """Return the role × role table: the head, then one row for each role."""
    head = ("", *(role.value for role in Role))
    return (head, *((one.value, *(_cell(one, other) for other in Role)) for one in Role))


def role_page() -> str:
    """Return the role × role table as Markdown."""
    head, *rows = role_table()
    lines = [head, ("---",) * len(head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def held_alone(seats: Sequence[Seat]) -> tuple[Role, ...]:
    """Return the roles that one person holds alone."""
    return tuple(role for role in Role if sum(role in seat.roles for seat in seats) == 1)


def undoable(seats: Sequence[Seat]) -> tuple[Undoable, ...]:
    """Return the two-person acts that these people cannot do, and for whom."""
    return (*_unapproved(seats), *_unanswered(seats))


def _unapproved(seats: Sequence[Seat]) -> Iterator[Undoable]:
    for act in ApprovedAct:
        permission = _ASKED_WITH.get(act)
        allowed = frozenset(Role) if permission is None else RULES[permission].roles
        askers = [i for i, seat in enumerate(seats) if seat.roles & allowed]
        for scope in tuple(RecoveryScope) if act is ApprovedAct.KEYS_RECOVER else (None,):
            name = act.value if scope is None else f"{act.value} ({scope.value})"
            stuck = [i for i in askers if not _approved(act, scope, seats, i)]
            if stuck:
                yield _named(name, seats, stuck, everybody=stuck == askers)


def _unanswered(seats: Sequence[Seat]) -> Iterator[Undoable]:
    everyone = range(len(seats))
    resetting = RULES[Permission.STAFF_RESET].roles
    may: Mapping[Permission, list[int]] = {
        Permission.STAFF_RESET: [
            i for i in everyone if not any(seats[o].roles & resetting for o in everyone if o != i)
        ],
        Permission.VOUCH_ISSUE: [
            i
            for i in everyone
            if not any(may_vouch(_scope(seats[o]), _scope(seats[i])) for o in everyone if o != i)
        ],
    }
    for permission, stuck in may.items():
        if stuck:
            whole = len(stuck) == len(seats)
            yield _named(permission.value, seats, stuck, everybody=whole)


def _approved(
    act: ApprovedAct, scope: RecoveryScope | None, seats: Sequence[Seat], asker: int
) -> bool:
    """Ask the table that decides at run time whether enough of the others count."""
    parameters = {} if scope is None else {SCOPE: scope.value}
    team = _team(seats[asker].team)
    found = approvals.wish(_id(0), act, _id(0), _id(asker + 1), 0, team=team, parameters=parameters)
    counted: list[UUID] = []
    for i, seat in sorted(enumerate(seats), key=lambda one: _turn(act, one[1])):
        if approvals.fault(found, _id(i + 1), (_scope(seat),), 0, len(counted)) is None:
            counted.append(_id(i + 1))
    return approvals.enough(found, counted)


def _turn(act: ApprovedAct, seat: Seat) -> int:
    """Return when somebody's turn is where approvals have an order; the last otherwise."""
    turns = approvals.POLICIES[act].seats
    return next((n for n, roles in enumerate(turns) if roles & seat.roles), len(turns))


def _named(act: str, seats: Sequence[Seat], stuck: list[int], *, everybody: bool) -> Undoable:
    return Undoable(act, tuple(dict.fromkeys(str(seats[i]) for i in stuck)), everybody)


def _scope(seat: Seat) -> Scope:
    return Scope(_STAFF, tuple(sorted(role.value for role in seat.roles)), _team(seat.team))


def _team(name: str | None) -> TeamId | None:
    return None if name is None else TeamId(uuid5(NAMESPACE_OID, name))


def _id(number: int) -> UUID:
    return UUID(int=number)


def _cell(one: Role, other: Role) -> str:
    if one == other:
        return "="
    return "yes" if compatible(one, other) else "no"
