"""Whose signature makes a grant count: one table, read from vouches and never from staff rows.

Pure. `store.keys.trust` brings the scopes that a granter's vouches prove at the moment of granting.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from uuid import UUID

from casevault.domain.staff.vouching import Scope


class ObjectKind(StrEnum):
    """What a grant gives the keys of."""

    CASE = "case"
    GROUP = "group"
    MONTH = "month"
    # What only its author may open.
    PRIVATE = "private"
    # Membership of a duty group: opens nothing until somebody breaks the glass.
    DUTY = "duty"
    # Why somebody broke the glass, and what the DPO said about it.
    BREAK_GLASS = "break-glass"
    # Why a case must be kept, what somebody asked for of their rights, a complaint.
    MATTER = "matter"
    # Why somebody asks for a case, and why it was granted or declined.
    ACCESS_REQUEST = "access-request"
    # What the watch found and auditors noted about it: sealed to their group.
    AUDIT = "audit"
    # What an auditor lets somebody else know about looks at a case or of a colleague.
    EXTRACT = "extract"
    # What came in from outside: a partner's answer, an intake of a referrer or another team.
    ARRIVAL = "arrival"


class PrincipalKind(StrEnum):
    """Kinds of principals; all but STAFF are held by groups, by the service or on paper."""

    STAFF = "staff"
    OVERSIGHT = "oversight"
    DIRECTORY = "directory"
    INTAKE = "intake"
    DUTY = "duty"
    AUDITORS = "auditors"
    DPO = "dpo"
    COUNTING = "counting"
    RECOVERY = "recovery"
    ROOT = "root"
    SERVICE = "service"
    ORGANISATION = "organisation"
    LEDGER = "ledger"
    # Backups are sealed to it. Its secret opens for recovery alone.
    BACKUP = "backup"


TEAM_GROUPS = (PrincipalKind.OVERSIGHT, PrincipalKind.DIRECTORY, PrincipalKind.INTAKE)

# Who may let others into a group that belongs to no team.
_WIDE_GROUP_ROLES = {PrincipalKind.AUDITORS: "auditor", PrincipalKind.DPO: "dpo"}

# What is granted to recovery everywhere, and so may be granted by it.
_HELD_BY_RECOVERY = frozenset(
    {
        ObjectKind.CASE,
        ObjectKind.GROUP,
        ObjectKind.MONTH,
        ObjectKind.DUTY,
        ObjectKind.BREAK_GLASS,
        ObjectKind.MATTER,
    }
)

# Which roles a member of a team group must be vouched for.
GROUP_MEMBERS = {
    PrincipalKind.OVERSIGHT: frozenset({"supervisor"}),
    PrincipalKind.DIRECTORY: frozenset({"supervisor", "caseworker"}),
    PrincipalKind.INTAKE: frozenset({"supervisor"}),
    PrincipalKind.AUDITORS: frozenset({"auditor"}),
    PrincipalKind.DPO: frozenset({"dpo"}),
}


def may_grant(
    scopes: Iterable[Scope],
    object_kind: ObjectKind,
    team: UUID | None,
    group: PrincipalKind | None = None,
) -> bool:
    """Say whether a granter with these vouched scopes may grant keys of such an object."""
    return any(_covers(scope, object_kind, team, group) for scope in scopes)


def _covers(
    scope: Scope, object_kind: ObjectKind, team: UUID | None, group: PrincipalKind | None
) -> bool:
    if scope.kind == PrincipalKind.ROOT:
        # The root signs only in the ceremony, where it lets the first people into the groups.
        return object_kind is ObjectKind.GROUP
    if scope.kind == PrincipalKind.RECOVERY:
        # With k shares on paper and a second person's approval: it holds all of these anyway.
        return object_kind in _HELD_BY_RECOVERY
    if object_kind is ObjectKind.MONTH:
        # The service seals each month to the auditors; an auditor lets a colleague in.
        return scope.kind == PrincipalKind.SERVICE or "auditor" in scope.roles
    if object_kind is ObjectKind.AUDIT:
        return scope.kind == PrincipalKind.SERVICE or "auditor" in scope.roles
    if object_kind is ObjectKind.ARRIVAL:
        # Sealed on receipt, by the service, which cannot open it again; a supervisor moves it to
        # the successor of their group.
        leads = scope.team == team and "supervisor" in scope.roles
        is_service = scope.kind == PrincipalKind.SERVICE
        return is_service or (scope.kind == PrincipalKind.STAFF and leads)
    if scope.kind != PrincipalKind.STAFF:
        return False
    if object_kind is ObjectKind.PRIVATE:
        # Whom it is granted to decides: `store.keys.trust` lets nobody grant it but to themselves.
        return team is None
    if object_kind is ObjectKind.CASE:
        return scope.team == team and bool({"caseworker", "supervisor"} & set(scope.roles))
    if object_kind is ObjectKind.EXTRACT:
        # An auditor makes it; a supervisor moves it to their group's successor.
        in_team = scope.team == team and "supervisor" in scope.roles
        return in_team or "auditor" in scope.roles
    if object_kind is ObjectKind.ACCESS_REQUEST:
        # Both texts are a colleague's of the case's team.
        return scope.team == team and bool({"caseworker", "supervisor"} & set(scope.roles))
    if object_kind in (ObjectKind.BREAK_GLASS, ObjectKind.MATTER):
        # A colleague of the team gives a reason or passes on a request, the DPO a note or a hold.
        in_team = scope.team == team and bool({"caseworker", "supervisor"} & set(scope.roles))
        return in_team or "dpo" in scope.roles
    if (object_kind is ObjectKind.DUTY) != (group is PrincipalKind.DUTY):
        return False
    if group in _WIDE_GROUP_ROLES:
        return _WIDE_GROUP_ROLES[group] in scope.roles
    return team is not None and scope.team == team and "supervisor" in scope.roles
