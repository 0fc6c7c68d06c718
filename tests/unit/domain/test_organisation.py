"""What few people can do together, asked of the tables that decide at run time."""

from __future__ import annotations

import pytest

from casevault.domain.staff import organisation
from casevault.domain.staff.access import Role
from casevault.domain.staff.organisation import OUTLINES, Profile, Seat

TEAM = "North (made up)"


def seats_of(profile):
    """Return the people of an outline, those who need one in a team."""
    outline = OUTLINES[profile]
    in_team = {Role.SUPERVISOR, Role.CASEWORKER}
    return [
        Seat(roles, TEAM if roles & in_team else None) for roles in (*outline.seats, *outline.spare)
    ]


def test_the_full_ceremony_leaves_nothing_undone():
    """Every role twice: all but vouching for a DPO, which is the root's, and nothing held alone."""
    seats = seats_of(Profile.STANDARD)
    (left,) = organisation.undoable(seats)
    assert (left.act, left.people, left.everybody) == ("vouch:issue", ("dpo",), False)
    assert organisation.held_alone(seats) == ()


def test_the_smallest_organisation_is_told_what_it_cannot_do():
    """Five people: roles are held alone, and an act that one of them asks for has no second."""
    seats = seats_of(Profile.SMALL)
    assert Role.DPO in organisation.held_alone(seats)
    assert Role.CASEWORKER not in organisation.held_alone(seats)
    found = organisation.undoable(seats)
    assert found
    assert all(one.people for one in found)


def test_one_person_alone_can_have_nothing_approved():
    """Whatever needs two is impossible for everybody who could ask."""
    found = organisation.undoable([Seat(frozenset({Role.SUPERVISOR}), TEAM)])
    assert found
    assert all(one.everybody for one in found)
    assert {one.people for one in found} == {("supervisor",)}


def test_no_outline_gives_one_person_roles_that_exclude_each_other():
    """What the ceremony would refuse is not recommended."""
    for outline in OUTLINES.values():
        for roles in (*outline.seats, *outline.spare):
            assert all(organisation.compatible(one, other) for one in roles for other in roles)
        assert 1 < outline.threshold <= outline.shares


def test_the_table_of_roles_is_symmetric_and_on_the_page():
    """A role and itself, a pair that may be held together, one that may not."""
    head, *rows = organisation.role_table()
    cells = {(row[0], name): cell for row in rows for name, cell in zip(head, row, strict=True)}
    for one in Role:
        assert cells[one.value, one.value] == "="
        for other in Role:
            assert cells[one.value, other.value] == cells[other.value, one.value]
    assert cells["auditor", "administrator"] == "no"
    assert cells["supervisor", "caseworker"] == "yes"
    page = organisation.role_page()
    assert len(page.splitlines()) == len(Role) + 2
    assert all(role.value in page for role in Role)


@pytest.mark.parametrize(
    ("roles", "said"),
    [({Role.SUPERVISOR, Role.CASEWORKER}, " and "), ({Role.AUDITOR}, "auditor")],
)
def test_a_seat_is_said_in_words(roles, said):
    """The roles, never a name."""
    assert said in str(Seat(frozenset(roles), None))
