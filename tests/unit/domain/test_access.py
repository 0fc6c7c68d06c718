"""Who is meant to do what: the table of roles, and the one decision."""

from __future__ import annotations

from itertools import combinations
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from casevault.domain.staff.access import (
    COMPATIBLE,
    RULES,
    Actor,
    Permission,
    Role,
    Subject,
    check_roles,
    decide,
)
from casevault.errors import Invalid
from casevault.ids import StaffId, TeamId

ME = StaffId(UUID(int=1))
NORTH, SOUTH = TeamId(UUID(int=10)), TeamId(UUID(int=11))
GUARDED = [p for p, rule in RULES.items() if not rule.public and not rule.anyone]
MINE = Subject(kind="case", team=NORTH, holds_grant=True)


def an_actor(
    *roles: Role, team: TeamId = NORTH, assurance: str = "second_factor", fresh: bool = False
) -> Actor:
    return Actor(ME, frozenset(roles), frozenset({team}), assurance, fresh)


def test_every_permission_has_a_rule():
    """No permission exists without a line in the table."""
    assert set(RULES) == set(Permission)


def test_the_public_permissions_are_these():
    """What needs no session is a short, reviewed list."""
    public = {p.value for p, rule in RULES.items() if rule.public}
    public_ones = {"health:read", "docs:read", "session:create", "enrolment:complete"}
    assert public == public_ones | {
        "feed:read",
        "collect:show",
        "collect:open",
        "collect:answer",
        "exchange:receive",
        "vocabulary:read",
        "sign-in:restore",
        "words:propose",
    }


@pytest.mark.parametrize("permission", GUARDED)
def test_a_guarded_permission_names_roles(permission):
    """A permission that is not public and not for anyone is for somebody."""
    assert RULES[permission].roles


def test_nobody_who_guards_or_administers_gets_content():
    """Only caseworkers and supervisors may open, list, read, amend or assign cases."""
    on_cases = [p for p in Permission if p.value.startswith("case:")]
    assert on_cases
    for permission in on_cases:
        assert RULES[permission].roles <= {Role.CASEWORKER, Role.SUPERVISOR}


def test_only_auditors_query_the_ledger():
    """The ledger is the auditors' alone."""
    assert RULES[Permission.LEDGER_QUERY].roles == {Role.AUDITOR}


def test_the_administrator_vouches_for_nobody():
    """Who makes accounts does not say whose keys are whose."""
    assert Role.ADMINISTRATOR not in RULES[Permission.VOUCH_ISSUE].roles


@pytest.mark.parametrize("role", Role)
def test_one_role_alone_is_always_allowed(role):
    """Any single role can be held."""
    check_roles(frozenset({role}))


@pytest.mark.parametrize(
    ("one", "other"), [(a, b) for a, b in combinations(Role, 2) if frozenset({a, b}) in COMPATIBLE]
)
def test_compatible_roles_go_together(one, other):
    """Pairs in the table can be held by one person."""
    check_roles(frozenset({one, other}))


@pytest.mark.parametrize(
    ("one", "other"),
    [(a, b) for a, b in combinations(Role, 2) if frozenset({a, b}) not in COMPATIBLE],
)
def test_other_roles_do_not_go_together(one, other):
    """Every pair that is not in the table is refused, with a stable code."""
    with pytest.raises(Invalid) as caught:
        check_roles(frozenset({one, other}))
    assert caught.value.code == "roles.separation"
    assert [e.pointer for e in caught.value.errors] == ["/roles"]


def test_no_roles_at_all_are_refused():
    """An account without a role is a mistake."""
    with pytest.raises(Invalid):
        check_roles(frozenset())


@pytest.mark.parametrize(
    ("one", "other"),
    [
        *((Role.AUDITOR, role) for role in Role if role is not Role.AUDITOR),
        (Role.ADMINISTRATOR, Role.SUPERVISOR),
        (Role.ADMINISTRATOR, Role.DPO),
        (Role.DPO, Role.SUPERVISOR),
    ],
)
def test_the_separations_of_the_design_are_in_the_table(one, other):
    """The design's separations hold by name, not only by the table's own word."""
    assert frozenset({one, other}) not in COMPATIBLE


def test_the_smallest_organisation_can_be_staffed():
    """Five people, with the combinations that the small profile needs."""
    check_roles(frozenset({Role.SUPERVISOR, Role.CASEWORKER}))
    check_roles(frozenset({Role.ADMINISTRATOR, Role.REPORTER}))


@pytest.mark.parametrize("permission", [p for p in Permission if p not in GUARDED])
def test_what_is_for_everyone_is_permitted(permission):
    """Public permissions and those of any signed-in person ask for no role."""
    decision = decide(an_actor(), permission, Subject(kind="session"))
    assert decision.allowed
    assert decision.rule == "permit:signed-in"


@pytest.mark.parametrize(
    ("actor", "permission", "subject", "rule"),
    [
        (an_actor(Role.CASEWORKER), Permission.CASE_READ, MINE, "permit:caseload"),
        (an_actor(Role.CASEWORKER), Permission.CASE_AMEND, MINE, "permit:caseload"),
        (
            an_actor(Role.CASEWORKER),
            Permission.CASE_OPEN,
            Subject(kind="case", team=NORTH),
            "permit:team",
        ),
        (
            an_actor(Role.ADMINISTRATOR),
            Permission.STAFF_ADD,
            Subject(kind="staff"),
            "permit:role",
        ),
        (an_actor(Role.AUDITOR), Permission.LEDGER_QUERY, Subject(kind="ledger"), "permit:role"),
        (an_actor(Role.AUDITOR), Permission.CASE_READ, MINE, "deny:role"),
        (an_actor(Role.CASEWORKER), Permission.CASE_ASSIGN, MINE, "deny:role"),
        (an_actor(Role.CASEWORKER, team=SOUTH), Permission.CASE_READ, MINE, "deny:other-team"),
        (
            an_actor(Role.CASEWORKER),
            Permission.CASE_READ,
            Subject(kind="case", team=NORTH),
            "deny:no-grant",
        ),
        (
            an_actor(Role.SUPERVISOR),
            Permission.VOUCH_ISSUE,
            Subject(kind="staff", self_act=True),
            "deny:self",
        ),
    ],
)
def test_decisions_name_their_rule(actor, permission, subject, rule):
    """Each decision carries the rule that made it."""
    decision = decide(actor, permission, subject)
    assert decision.rule == rule
    assert decision.allowed is rule.startswith("permit:")


def test_a_passphrase_is_not_enough_where_a_second_factor_is_asked():
    """The minimum assurance comes before roles."""
    actor = an_actor(Role.CASEWORKER, assurance="passphrase")
    assert decide(actor, Permission.CASE_READ, MINE).allowed
    decision = decide(actor, Permission.CASE_READ, MINE, minimum_assurance="second_factor")
    assert decision.rule == "deny:assurance"


@given(
    roles=st.frozensets(st.sampled_from(list(Role))),
    permission=st.sampled_from(GUARDED),
    team=st.sampled_from([NORTH, SOUTH, None]),
    holds=st.booleans(),
    own=st.booleans(),
    fresh=st.booleans(),
)
def test_what_is_permitted_meets_every_condition(roles, permission, team, holds, own, fresh):
    """Nothing is permitted unless role, grant, team, not-self and step-up hold, in any mix."""
    subject = Subject(kind="any", team=team, holds_grant=holds, self_act=own)
    rule = RULES[permission]
    expected = (
        bool(roles & rule.roles)
        and (holds or not rule.needs_grant)
        and (team == NORTH or not rule.own_team)
        and not (own and rule.not_self)
        and (fresh or not rule.step_up)
    )
    assert decide(an_actor(*roles, fresh=fresh), permission, subject).allowed is expected


@pytest.mark.parametrize("permission", [p for p, rule in RULES.items() if rule.step_up])
def test_a_screen_left_open_is_not_enough(permission):
    """What asks for a fresh passphrase is refused without, and for no other reason before it."""
    role = min(RULES[permission].roles)
    assert decide(an_actor(role, fresh=True), permission, MINE).allowed
    assert decide(an_actor(role), permission, MINE).rule == "deny:step-up"
    assert decide(an_actor(), permission, MINE).rule == "deny:role"
