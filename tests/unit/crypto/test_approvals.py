"""Statements about an act: encoded and read back, and nothing else is taken for one."""

from __future__ import annotations

import pytest

from casevault.crypto import approvals, canonical
from casevault.crypto.approvals import Approval
from casevault.crypto.principals import PrincipalSecret
from casevault.domain.staff.approvals import ApprovedAct, Decision, Wish
from casevault.errors import Tampered
from casevault.ids import new_id


def an_approval():
    """Return a wish with two statements."""
    secret, organisation = PrincipalSecret.generate(), new_id()
    wish = Wish(
        new_id(),
        ApprovedAct.KEYS_RECOVER,
        new_id(),
        None,
        (("a", "b"),),
        (new_id(),),
        new_id(),
        1,
        2,
    )
    first = approvals.state(organisation, wish, Decision.ASKED, wish.asker, secret, 1)
    second = approvals.state(organisation, wish, Decision.APPROVED, new_id(), secret, 2)
    return Approval(wish, first).with_statement(second), organisation, secret


def test_what_is_written_is_read():
    """Both ways, byte for byte."""
    approval, organisation, secret = an_approval()
    assert Approval.decode(approval.encode()) == approval
    assert approval.approved == 1
    approvals.check_signature(organisation, approval.wish, approval.asked, secret.public)


def test_other_keys_did_not_sign():
    """The pair is named in the statement."""
    approval, organisation, _ = an_approval()
    with pytest.raises(Tampered):
        approvals.check_signature(
            organisation, approval.wish, approval.asked, PrincipalSecret.generate().public
        )


def parts():
    """Return the decoded parts of an approval."""
    return list(canonical.decode(an_approval()[0].encode()))


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (1, "no.such.act"),
        (4, ("not a pair",)),
        (4, (("a", "b", "c"),)),
        (9, ()),
        (9, ("no statement",)),
        (9, (("perhaps", new_id(), b"", 1, b""),)),
        (9, (("asked", new_id(), b"", 1, b"", "more"),)),
    ],
)
def test_anything_else_is_tampered(place, value):
    """Unknown acts and decisions, missing or extra parts."""
    found = parts()
    found[place] = value
    with pytest.raises(Tampered):
        Approval.decode(canonical.encode(*found))


def test_extra_parts_are_tampered():
    """Nothing follows the statements."""
    with pytest.raises(Tampered):
        Approval.decode(canonical.encode(*parts(), 1))


def test_a_statement_shows_no_signature():
    """The repr of a statement has neither key id nor signature."""
    approval, _, _ = an_approval()
    assert "signature" not in repr(approval.asked)
