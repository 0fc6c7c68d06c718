"""Who may vouch for whom, and for how long."""

from __future__ import annotations

from itertools import product
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from casevault.domain.staff.vouching import (
    MAX_CHAIN,
    MAX_VALIDITY_DAYS,
    Scope,
    VouchStatement,
    check_validity,
    may_vouch,
)
from casevault.errors import Invalid
from casevault.ids import PrincipalId, TeamId

NORTH, SOUTH = TeamId(UUID(int=10)), TeamId(UUID(int=11))
DAY = 86_400
ROOT = Scope("root", (), None)
DPO = Scope("staff", ("dpo",), None)
SUPERVISOR = Scope("staff", ("supervisor",), NORTH)
BY_ROLE = {"root": ROOT, "dpo": DPO, "supervisor": SUPERVISOR}
GROUPS = ("auditors", "dpo", "counting", "recovery", "service", "organisation", "ledger")
TEAM_GROUPS = ("oversight", "duty", "directory", "intake")


def staff(*roles: str, team: TeamId | None = None) -> Scope:
    return Scope("staff", roles, team)


@pytest.mark.parametrize(
    ("issuer", "subject"),
    [
        *((ROOT, Scope(kind, (), None)) for kind in GROUPS),
        (ROOT, staff("dpo")),
        (ROOT, staff("auditor")),
        (ROOT, staff("supervisor", "caseworker", team=NORTH)),
        *((SUPERVISOR, Scope(kind, (), NORTH)) for kind in TEAM_GROUPS),
        (SUPERVISOR, staff("caseworker", team=NORTH)),
        (SUPERVISOR, staff("supervisor", "caseworker", team=NORTH)),
        (DPO, staff("auditor")),
        (DPO, staff("reporter", "administrator")),
        (DPO, staff("referrer")),
        # The group that takes the place of the one they are in.
        (DPO, Scope("dpo", (), None)),
        (staff("auditor"), Scope("auditors", (), None)),
    ],
)
def test_vouches_of_the_table_are_allowed(issuer, subject):
    """Each line of the design's table that one signature settles."""
    assert may_vouch(issuer, subject)


@pytest.mark.parametrize(
    ("issuer", "subject"),
    [
        (ROOT, staff("administrator")),
        (ROOT, staff()),
        (ROOT, Scope("oversight", (), NORTH)),
        (Scope("service", (), None), staff("caseworker", team=NORTH)),
        (Scope("oversight", ("supervisor",), NORTH), staff("caseworker", team=NORTH)),
        (SUPERVISOR, staff("caseworker", team=SOUTH)),
        (SUPERVISOR, Scope("oversight", (), SOUTH)),
        (SUPERVISOR, staff("caseworker")),
        (SUPERVISOR, staff("auditor", team=NORTH)),
        (SUPERVISOR, staff("dpo")),
        (staff("supervisor"), staff("caseworker")),
        (staff("caseworker", team=NORTH), staff("caseworker", team=NORTH)),
        (staff("administrator"), staff("reporter")),
        (staff("auditor"), staff("auditor")),
        (DPO, staff("dpo")),
        (DPO, staff("supervisor", team=NORTH)),
        (DPO, staff("auditor", team=NORTH)),
        (DPO, Scope("auditors", (), None)),
        (staff("auditor"), Scope("dpo", (), None)),
        (staff("administrator"), Scope("auditors", (), None)),
        (DPO, Scope("recovery", (), None)),
    ],
)
def test_other_vouches_are_refused(issuer, subject):
    """Other teams, other roles, groups as issuers, and the administrator vouch for nobody."""
    assert not may_vouch(issuer, subject)


@pytest.mark.parametrize("days", [1, 365, MAX_VALIDITY_DAYS])
def test_a_vouch_lasts_up_to_400_days(days):
    """400 days are allowed."""
    check_validity(1_000, 1_000 + days * DAY)


@pytest.mark.parametrize("seconds", [0, -1, MAX_VALIDITY_DAYS * DAY + 1])
def test_a_vouch_is_not_empty_and_not_longer(seconds):
    """One second more than 400 days is refused, and so is an end before the beginning."""
    with pytest.raises(Invalid) as caught:
        check_validity(1_000, 1_000 + seconds)
    assert caught.value.code == "vouch.validity"


def test_a_chain_is_at_most_three():
    """The number that the design fixes."""
    assert MAX_CHAIN == 3


def test_a_statement_does_not_show_its_keys():
    """Public keys stay out of tracebacks: they are long and name a person."""
    one = PrincipalId(UUID(int=1))
    made = VouchStatement(
        subject=one,
        kind="staff",
        roles=("caseworker",),
        team=NORTH,
        kem_public=b"K" * 8,
        sign_public=b"S" * 8,
        issuer=one,
        valid_from=0,
        valid_until=DAY,
        serial=UUID(int=2),
    )
    assert "KKKK" not in repr(made)
    assert "SSSS" not in repr(made)


@given(kinds=st.tuples(st.sampled_from(TEAM_GROUPS + GROUPS), st.sampled_from(TEAM_GROUPS)))
def test_groups_and_the_service_vouch_for_nobody(kinds):
    """Only the root and people issue vouches."""
    issuer = Scope(kinds[0], ("supervisor", "dpo"), NORTH)
    for kind, team in product((kinds[1], "staff"), (NORTH, None)):
        assert not may_vouch(issuer, Scope(kind, ("caseworker",), team))
