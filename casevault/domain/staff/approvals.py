"""Acts that need a second person: which, whose word counts, how many, until when.

Pure. One table for all of them. Nobody approves what they asked for or what is for them, nobody
counts twice, and a word given for one act says nothing about another: `crypto.approvals` signs the
whole act, and `store.context.approvals` asks here again at the moment the act is carried out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from uuid import UUID

from casevault.domain.staff.access import Role
from casevault.domain.staff.vouching import Scope

_HOUR = 3600
_DAY = 24 * _HOUR


class ApprovedAct(StrEnum):
    """What somebody asks for and somebody else approves. The codes never change."""

    CASE_CLOSE = "case.close"
    CASE_DISCLOSE = "case.disclose"
    CASE_REFER = "case.refer"
    KEYS_RECOVER = "keys.recover"
    BREAK_GLASS = "break_glass"
    DATA_SETTLE = "data.settle"
    LEDGER_VIOLATION = "ledger.violation"
    LOCKDOWN_END = "lockdown.end"
    RELEASE_PUBLISH = "release.publish"
    HOLD_RELEASE = "case.hold_release"
    CASE_ERASE = "case.erase"
    SCHEDULE = "retention.schedule"
    COUNT_IMPORT = "release.count_import"


class Decision(StrEnum):
    """What a signed statement says about an act."""

    ASKED = "asked"
    APPROVED = "approved"
    DECLINED = "declined"


@dataclass(frozen=True, slots=True)
class Policy:
    """Whose approval an act needs: roles, how many people, seconds until the request is void."""

    approvers: frozenset[Role]
    seconds: int
    count: int = 1
    # The approver must be vouched into the team of the act.
    own_team: bool = False
    # Who gives the first approval, who the next: as many as there are, each by another person.
    seats: tuple[frozenset[Role], ...] = ()

    @property
    def needed(self) -> int:
        """How many people have to approve."""
        return len(self.seats) or self.count


class RecoveryScope(StrEnum):
    """What the recovery shares may open again, one named thing at a time."""

    CASE = "case"
    TEAM = "team"
    AUDITORS = "auditors"
    DPO = "dpo"


# The parameter in which a recovery names its scope.
SCOPE = "scope"
# Supervisors come back by the DPO's word; the DPO by anybody's who is not one.
_RECOVERY: Mapping[str, frozenset[Role]] = MappingProxyType(
    {
        RecoveryScope.CASE: frozenset({Role.DPO, Role.SUPERVISOR, Role.AUDITOR}),
        RecoveryScope.TEAM: frozenset({Role.DPO}),
        RecoveryScope.AUDITORS: frozenset({Role.DPO, Role.SUPERVISOR}),
        RecoveryScope.DPO: frozenset({Role.SUPERVISOR, Role.AUDITOR}),
    }
)

POLICIES: Mapping[ApprovedAct, Policy] = MappingProxyType(
    {
        # A year: a closing waits in the case for as long as the case itself is looked after.
        ApprovedAct.CASE_CLOSE: Policy(frozenset({Role.SUPERVISOR}), 365 * _DAY, own_team=True),
        # Disclosing on another basis than consent: decided while somebody still knows why.
        ApprovedAct.CASE_DISCLOSE: Policy(frozenset({Role.SUPERVISOR}), 14 * _DAY, own_team=True),
        # What leaves was shown to the approver byte by byte; a fortnight later it may be another.
        ApprovedAct.CASE_REFER: Policy(frozenset({Role.SUPERVISOR}), 14 * _DAY, own_team=True),
        # Custodians have to come together; a week, because a month-old yes is nobody's any more.
        ApprovedAct.KEYS_RECOVER: Policy(
            frozenset({Role.DPO, Role.SUPERVISOR, Role.AUDITOR}), 7 * _DAY
        ),
        # That what a backup did not hold is lost is said by two who would miss different things.
        ApprovedAct.DATA_SETTLE: Policy(
            frozenset({Role.DPO, Role.SUPERVISOR, Role.AUDITOR}), 7 * _DAY
        ),
        # Both stand at the server.
        ApprovedAct.LOCKDOWN_END: Policy(
            frozenset({Role.SUPERVISOR, Role.DPO, Role.ADMINISTRATOR}), _HOUR
        ),
        ApprovedAct.HOLD_RELEASE: Policy(frozenset({Role.DPO, Role.SUPERVISOR}), 14 * _DAY),
        # Asked for by a supervisor who knows the case, decided by the DPO who knows the law.
        ApprovedAct.CASE_ERASE: Policy(frozenset({Role.DPO}), 14 * _DAY),
        ApprovedAct.SCHEDULE: Policy(frozenset({Role.SUPERVISOR, Role.AUDITOR}), 30 * _DAY),
        # Whom a count may be about is data protection; asked for by who makes the counts.
        ApprovedAct.COUNT_IMPORT: Policy(frozenset({Role.DPO}), 14 * _DAY),
        # An emergency that can wait for longer is not one.
        ApprovedAct.BREAK_GLASS: Policy(frozenset({Role.SUPERVISOR}), _HOUR, own_team=True),
        # First who knows the programme, then who answers for the people in it.
        ApprovedAct.RELEASE_PUBLISH: Policy(
            frozenset({Role.SUPERVISOR, Role.REPORTER, Role.DPO}),
            365 * _DAY,
            seats=(frozenset({Role.SUPERVISOR, Role.REPORTER}), frozenset({Role.DPO})),
        ),
        # Where there is one auditor only, the DPO is the second person.
        ApprovedAct.LEDGER_VIOLATION: Policy(frozenset({Role.AUDITOR, Role.DPO}), 14 * _DAY),
    }
)


@dataclass(frozen=True, slots=True)
class Wish:
    """An act that somebody asks for: everything that is signed about it.

    `parameters` are sorted pairs of name and value; `involved` are people, beside the asker, whom
    the act is for. Times are Unix seconds.
    """

    id: UUID
    act: ApprovedAct
    object_id: UUID
    team: UUID | None
    parameters: tuple[tuple[str, str], ...]
    involved: tuple[UUID, ...]
    asker: UUID
    asked_at: int
    expires_at: int


def wish(
    request_id: UUID,
    act: ApprovedAct,
    object_id: UUID,
    asker: UUID,
    now: int,
    *,
    team: UUID | None = None,
    parameters: Mapping[str, str] = MappingProxyType({}),
    involved: Iterable[UUID] = (),
) -> Wish:
    """Return a wish that expires when its policy says."""
    return Wish(
        request_id,
        act,
        object_id,
        team,
        tuple(sorted(parameters.items())),
        tuple(sorted(involved)),
        asker,
        now,
        now + POLICIES[act].seconds,
    )


def is_over(found: Wish, now: int) -> bool:
    """Say whether it is too late; a clock behind the asker's by more than an hour is no time."""
    return not found.asked_at - _HOUR <= now < found.expires_at


def fault(
    found: Wish, person: UUID, scopes: Iterable[Scope], now: int, place: int = 0
) -> str | None:
    """Return why this person's word does not count at `now`, or None if it does.

    `place`: how many have approved before them.
    """
    policy = POLICIES[found.act]
    if is_over(found, now):
        return "expired"
    if found.expires_at - found.asked_at > policy.seconds:
        return "expired"
    if person == found.asker or person in found.involved:
        return "self"
    if not any(_counts(policy, found, scope, place) for scope in scopes):
        return "role"
    return None


def enough(found: Wish, approvers: Iterable[UUID]) -> bool:
    """Say whether so many different people suffice."""
    return len(set(approvers)) >= POLICIES[found.act].needed


def approvers_of(found: Wish) -> frozenset[Role]:
    """Return the roles whose word counts for exactly this act."""
    if found.act is ApprovedAct.KEYS_RECOVER:
        return _RECOVERY.get(dict(found.parameters).get(SCOPE, ""), frozenset())
    return POLICIES[found.act].approvers


def _counts(policy: Policy, found: Wish, scope: Scope, place: int) -> bool:
    roles = approvers_of(found)
    if policy.seats:
        roles = policy.seats[place] if place < len(policy.seats) else frozenset()
    if scope.kind != "staff" or not roles & set(scope.roles):
        return False
    return not policy.own_team or (scope.team is not None and scope.team == found.team)
