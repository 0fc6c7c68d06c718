"""The table of acts that need a second person."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from casevault.domain.staff import approvals
from casevault.domain.staff.approvals import POLICIES, ApprovedAct
from casevault.domain.staff.vouching import Scope
from casevault.ids import TeamId, new_id

TEAM = TeamId(new_id())
ASKER, OTHER = new_id(), new_id()


def a_wish(act=ApprovedAct.CASE_CLOSE, team=TEAM, **parameters):
    """Return a wish of the asker's at the moment 100,000."""
    return approvals.wish(new_id(), act, new_id(), ASKER, 100_000, team=team, parameters=parameters)


def staff(role, team=None):
    """Return what somebody is vouched for."""
    return Scope("staff", (role,), team)


@pytest.mark.parametrize(
    ("scope", "why"),
    [
        (staff("supervisor", TEAM), None),
        (staff("supervisor", TeamId(new_id())), "role"),
        (staff("supervisor"), "role"),
        (staff("caseworker", TEAM), "role"),
        (staff("dpo"), "role"),
        (Scope("service", ("supervisor",), TEAM), "role"),
    ],
)
def test_a_closing_is_approved_by_a_supervisor_of_the_team(scope, why):
    """Of that team, and vouched as a person."""
    assert approvals.fault(a_wish(), OTHER, [scope], 100_001) == why


@pytest.mark.parametrize(
    ("scope", "roles"),
    [
        ("case", {"dpo", "supervisor", "auditor"}),
        ("team", {"dpo"}),
        ("auditors", {"dpo", "supervisor"}),
        ("dpo", {"supervisor", "auditor"}),
        ("everything", set()),
    ],
)
def test_who_approves_a_recovery(scope, roles):
    """The table of keys.md: never the role itself that is lost, never an administrator."""
    wish = a_wish(ApprovedAct.KEYS_RECOVER, scope=scope)
    every = ("dpo", "supervisor", "auditor", "administrator", "caseworker", "reporter")
    found = {r for r in every if approvals.fault(wish, OTHER, [staff(r)], 100_001) is None}
    assert found == roles


def test_own_acts_and_late_ones():
    """The asker never; before the end, after it, and an hour before it began."""
    wish, scopes = a_wish(), [staff("supervisor", TEAM)]
    assert approvals.fault(wish, ASKER, scopes, 100_001) == "self"
    assert approvals.fault(wish, OTHER, scopes, wish.expires_at - 1) is None
    assert approvals.fault(wish, OTHER, scopes, wish.expires_at) == "expired"
    assert approvals.fault(wish, OTHER, scopes, 100_000 - 3600) is None
    assert approvals.fault(wish, OTHER, scopes, 100_000 - 3601) == "expired"


def test_nobody_asks_for_longer_than_the_policy():
    """A signed wish that lives longer than its act allows counts for nothing."""
    made = a_wish()
    longer = approvals.Wish(
        made.id, made.act, made.object_id, made.team, (), (), ASKER, 100_000, made.expires_at + 1
    )
    assert approvals.fault(longer, OTHER, [staff("supervisor", TEAM)], 100_001) == "expired"


def test_the_same_person_counts_once():
    """So many different people."""
    assert approvals.enough(a_wish(), [OTHER, OTHER])
    assert not approvals.enough(a_wish(), [])


def test_every_act_has_a_policy():
    """A new act says who approves it."""
    assert set(POLICIES) == set(ApprovedAct)
    assert all(policy.count >= 1 for policy in POLICIES.values())


def test_the_page_of_formats_has_every_act_and_how_long_it_lives():
    """Held to the code's list, so that a new act is written down."""
    words = {3600: "an hour", 7: "a week", 14: "two weeks", 30: "30 days", 365: "a year"}
    page = (Path(__file__).parents[3] / "docs" / "formats" / "approval.md").read_text()
    rows = re.findall(r"^\| `([^`]+)` \|.*\| ([^|]+) \|$", page, re.MULTILINE)
    lives = {
        act.value: words[policy.seconds if policy.seconds == 3600 else policy.seconds // 86400]
        for act, policy in POLICIES.items()
    }
    assert sorted(rows) == sorted(lives.items())
