"""Whose signature makes a grant count."""

from __future__ import annotations

from uuid import UUID

import pytest

from casevault.domain.staff.granting import GROUP_MEMBERS, ObjectKind, PrincipalKind, may_grant
from casevault.domain.staff.vouching import Scope
from casevault.ids import TeamId

NORTH, SOUTH = TeamId(UUID(int=10)), TeamId(UUID(int=11))
CASE, GROUP, MONTH = ObjectKind.CASE, ObjectKind.GROUP, ObjectKind.MONTH
PRIVATE = ObjectKind.PRIVATE
DUTY, GLASS = ObjectKind.DUTY, ObjectKind.BREAK_GLASS
ASKED = ObjectKind.ACCESS_REQUEST
AUDIT, EXTRACT = ObjectKind.AUDIT, ObjectKind.EXTRACT
ROOT = Scope("root", (), None)
SERVICE = Scope("service", (), None)


def staff(role: str, team: TeamId | None = None) -> Scope:
    return Scope("staff", (role,), team)


@pytest.mark.parametrize(
    ("scope", "kind", "team", "group", "allowed"),
    [
        (ROOT, GROUP, None, PrincipalKind.DPO, True),
        (ROOT, CASE, NORTH, None, False),
        (ROOT, MONTH, None, None, False),
        (SERVICE, MONTH, None, None, True),
        (SERVICE, CASE, NORTH, None, False),
        (SERVICE, GROUP, NORTH, PrincipalKind.OVERSIGHT, False),
        (staff("auditor"), MONTH, None, None, True),
        (staff("supervisor", NORTH), MONTH, None, None, False),
        (staff("caseworker", NORTH), CASE, NORTH, None, True),
        (staff("supervisor", NORTH), CASE, NORTH, None, True),
        (staff("caseworker", SOUTH), CASE, NORTH, None, False),
        (staff("dpo"), CASE, NORTH, None, False),
        (staff("administrator"), CASE, None, None, False),
        (staff("auditor"), GROUP, None, PrincipalKind.AUDITORS, True),
        (staff("dpo"), GROUP, None, PrincipalKind.DPO, True),
        (staff("dpo"), GROUP, None, PrincipalKind.AUDITORS, False),
        (staff("supervisor", NORTH), GROUP, NORTH, PrincipalKind.OVERSIGHT, True),
        (staff("supervisor", SOUTH), GROUP, NORTH, PrincipalKind.OVERSIGHT, False),
        (staff("caseworker", NORTH), GROUP, NORTH, PrincipalKind.DIRECTORY, False),
        (staff("supervisor"), GROUP, None, PrincipalKind.OVERSIGHT, False),
        (staff("caseworker", NORTH), PRIVATE, None, None, True),
        (staff("administrator"), PRIVATE, None, None, True),
        (staff("caseworker", NORTH), PRIVATE, NORTH, None, False),
        (ROOT, PRIVATE, None, None, False),
        (SERVICE, PRIVATE, None, None, False),
        (staff("supervisor", NORTH), DUTY, NORTH, PrincipalKind.DUTY, True),
        (staff("supervisor", SOUTH), DUTY, NORTH, PrincipalKind.DUTY, False),
        (staff("caseworker", NORTH), DUTY, NORTH, PrincipalKind.DUTY, False),
        # A grant of one kind never counts as one of the other.
        (staff("supervisor", NORTH), DUTY, NORTH, PrincipalKind.OVERSIGHT, False),
        (staff("supervisor", NORTH), GROUP, NORTH, PrincipalKind.DUTY, False),
        (SERVICE, ObjectKind.ARRIVAL, NORTH, None, True),
        (staff("supervisor", NORTH), ObjectKind.ARRIVAL, NORTH, None, True),
        (staff("supervisor", SOUTH), ObjectKind.ARRIVAL, NORTH, None, False),
        (staff("caseworker", NORTH), ObjectKind.ARRIVAL, NORTH, None, False),
        (staff("caseworker", NORTH), ASKED, NORTH, None, True),
        (staff("supervisor", NORTH), ASKED, NORTH, None, True),
        (staff("caseworker", SOUTH), ASKED, NORTH, None, False),
        (staff("dpo"), ASKED, NORTH, None, False),
        (staff("caseworker", NORTH), GLASS, NORTH, None, True),
        (staff("caseworker", SOUTH), GLASS, NORTH, None, False),
        (staff("dpo"), GLASS, NORTH, None, True),
        (staff("auditor"), GLASS, NORTH, None, False),
        (SERVICE, AUDIT, None, None, True),
        (staff("auditor"), AUDIT, None, None, True),
        (staff("dpo"), AUDIT, None, None, False),
        (ROOT, AUDIT, None, None, False),
        (staff("auditor"), EXTRACT, NORTH, None, True),
        (staff("supervisor", NORTH), EXTRACT, NORTH, None, True),
        (staff("supervisor", SOUTH), EXTRACT, NORTH, None, False),
        (staff("caseworker", NORTH), EXTRACT, NORTH, None, False),
        (SERVICE, EXTRACT, NORTH, None, False),
    ],
)
def test_grants_of_the_table(scope, kind, team, group, allowed):
    """Who may grant what, line by line."""
    assert may_grant([scope], kind, team, group) is allowed


def test_one_scope_of_several_is_enough_and_none_is_not():
    """Scopes add up; a person without vouches grants nothing."""
    assert may_grant([staff("dpo"), staff("caseworker", NORTH)], CASE, NORTH)
    assert not may_grant([], CASE, NORTH)


def test_no_role_is_in_both_the_auditors_and_a_team():
    """Whoever reads the ledger is in no group that opens content."""
    auditors = GROUP_MEMBERS[PrincipalKind.AUDITORS]
    for group, roles in GROUP_MEMBERS.items():
        assert group is PrincipalKind.AUDITORS or not roles & auditors


def test_recovery_grants_what_it_holds_and_nothing_else():
    """What the shares open, they may give: else new shares could not open it. Nothing private."""
    recovery = [Scope("recovery", (), None)]
    given = {kind for kind in ObjectKind if may_grant(recovery, kind, None)}
    assert given == {
        ObjectKind.CASE,
        ObjectKind.GROUP,
        ObjectKind.MONTH,
        ObjectKind.DUTY,
        ObjectKind.BREAK_GLASS,
        ObjectKind.MATTER,
    }
