"""Approvals: what a row of the keyring cannot fake, and what a signature does not cover."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from casevault.crypto import approvals as crypto_approvals
from casevault.domain.staff import approvals as rules
from casevault.domain.staff.access import Role
from casevault.domain.staff.approvals import ApprovedAct, Decision
from casevault.errors import Conflict, NotFound, Refused, Tampered
from casevault.ids import new_id
from casevault.store.context import approvals
from casevault.store.keys import principals, teams
from tests.builders import ADMINISTRATOR, AUDITOR, DAY, DPO, SUPERVISOR

APPROVED, DECLINED = Decision.APPROVED, Decision.DECLINED
ROLES = {
    ADMINISTRATOR: Role.ADMINISTRATOR,
    AUDITOR: Role.AUDITOR,
    DPO: Role.DPO,
    SUPERVISOR: Role.SUPERVISOR,
}


def caller(vault, login):
    return vault.caller(login, ROLES[login])


def a_wish(vault, by=ADMINISTRATOR, scope="auditors", involved=(), **changes):
    made = rules.wish(
        new_id(),
        ApprovedAct.KEYS_RECOVER,
        new_id(),
        vault.staff(by),
        vault.now,
        parameters={"scope": scope},
        involved=involved,
    )
    return replace(made, **changes)


def asked(vault, by=ADMINISTRATOR, **changes):
    """Keep a signed wish; return it."""
    wish = a_wish(vault, by, **changes)
    with vault.stores.keyring.writing() as tx:
        signed = approvals.asked(vault.stores.organisation, caller(vault, by), wish)
        approvals.add(tx, signed)
    return wish


def decide(vault, wish, by=DPO, decision=APPROVED):
    with vault.stores.keyring.writing() as tx:
        found = approvals.find(tx, wish.id, lock=True)
        approvals.change(
            tx,
            approvals.decided(
                tx, vault.stores.trust, caller(vault, by), found, decision, vault.now
            ),
        )


def use(vault, wish):
    with vault.stores.keyring.writing() as tx:
        return approvals.use(tx, vault.stores.trust, wish, vault.now)


def planted(vault, change):
    """Change the only row as somebody could who can write the keyring and has its epoch key."""
    with vault.stores.keyring.writing() as tx:
        (found,) = approvals.all_(tx)
        approvals.change(tx, change(found))


def refused(vault, wish, kind, code):
    with pytest.raises(kind) as caught:
        use(vault, wish)
    assert caught.value.code == code


def test_an_approved_act_is_carried_out_once(vault):
    """Approved by another person it holds; used, it is gone."""
    wish = asked(vault)
    refused(vault, wish, Refused, "approval.missing")
    decide(vault, wish)
    assert use(vault, wish) == (vault.staff(DPO),)
    refused(vault, wish, NotFound, "not-found")


@pytest.mark.parametrize(
    ("by", "changes", "code"),
    [
        (DPO, {}, "refused.self"),
        (ADMINISTRATOR, {}, "refused.role"),
        (AUDITOR, {}, "refused.role"),
        (SUPERVISOR, {"scope": "team"}, "refused.role"),
        (SUPERVISOR, {"scope": "unheard-of"}, "refused.role"),
    ],
)
def test_whose_word_does_not_count(vault, by, changes, code):
    """The asker's, and that of roles which the table does not name."""
    wish = asked(vault, by=DPO if code == "refused.self" else SUPERVISOR, **changes)
    if code == "refused.role" and by == SUPERVISOR:
        wish = replace(wish, asker=vault.staff(AUDITOR))
        with vault.stores.keyring.reading() as tx:
            scopes = vault.stores.trust.scopes(tx, vault.staff(by))
        assert rules.fault(wish, vault.staff(by), scopes, vault.now) == "role"
        return
    with pytest.raises(Refused) as caught:
        decide(vault, wish, by)
    assert caught.value.code == code


def test_nobody_approves_what_is_for_them(vault):
    """A recovery for the DPO is not approved by the DPO, whoever asked."""
    wish = asked(vault, involved=(vault.staff(DPO),))
    with pytest.raises(Refused) as caught:
        decide(vault, wish)
    assert caught.value.code == "refused.self"


def test_nobody_decides_twice(vault):
    """The first word stands, yes or no."""
    wish = asked(vault)
    decide(vault, wish)
    for again in (APPROVED, DECLINED):
        with pytest.raises(Conflict) as caught:
            decide(vault, wish, decision=again)
        assert caught.value.code == "approval.twice"


def test_one_no_is_enough(vault):
    """A declined act is not carried out, whoever approved it too."""
    wish = asked(vault)
    decide(vault, wish, SUPERVISOR)
    decide(vault, wish, DPO, DECLINED)
    refused(vault, wish, Refused, "approval.declined")


def test_time_runs_out(vault):
    """Neither decided nor used after its week; a no may still be said."""
    wish, late = asked(vault), asked(vault)
    decide(vault, wish)
    vault.clock.advance(timedelta(days=7))
    refused(vault, wish, Conflict, "approval.expired")
    with pytest.raises(Conflict) as caught:
        decide(vault, late)
    assert caught.value.code == "approval.expired"
    decide(vault, late, decision=DECLINED)
    with vault.stores.keyring.writing() as tx:
        assert approvals.remove_expired(tx, vault.now) == 2
        assert approvals.all_(tx) == []


@pytest.mark.parametrize("shift", [-3650, 3650])
def test_a_clock_that_is_years_wrong_approves_nothing(vault, shift):
    """Ten years back or forth is another time than the one that was signed."""
    wish = asked(vault)
    decide(vault, wish)
    vault.clock.advance(timedelta(days=shift))
    with pytest.raises((Conflict, Refused, Tampered)):
        use(vault, wish)


@pytest.mark.parametrize("minutes", [-59, 59])
def test_a_clock_that_is_an_hour_wrong_does_no_harm(vault, minutes):
    """Two hosts that differ by less than an hour understand each other."""
    vault.clock.advance(timedelta(days=1))
    wish = asked(vault)
    decide(vault, wish)
    vault.clock.advance(timedelta(minutes=minutes))
    assert use(vault, wish)


def test_a_revoked_approver_counts_no_more(vault):
    """The roles are looked up when the act is carried out, not when it was approved."""
    wish = asked(vault)
    decide(vault, wish)
    vault.clock.advance(timedelta(seconds=60))
    with vault.stores.keyring.writing() as tx:
        (vouch,) = principals.vouches_for(tx, vault.staff(DPO))
        principals.add_revocation(tx, vouch.statement.serial, vault.now)
    refused(vault, wish, Refused, "approval.missing")


def test_an_approver_with_new_keys_counts_no_more(vault):
    """A word given with keys that a person no longer has is no word."""
    wish = asked(vault)
    decide(vault, wish)
    secret = type(vault.secret(DPO)).generate()
    with vault.stores.keyring.writing() as tx:
        teams.add_person(tx, vault.staff(DPO), secret)
    refused(vault, wish, Refused, "approval.missing")


def test_an_asker_who_left_stands_by_what_they_asked(vault):
    """Whose vouch ended later was somebody when they asked."""
    wish = asked(vault)
    decide(vault, wish)
    vault.clock.advance(timedelta(seconds=60))
    with vault.stores.keyring.writing() as tx:
        (vouch,) = principals.vouches_for(tx, vault.staff(ADMINISTRATOR))
        principals.add_revocation(tx, vouch.statement.serial, vault.now)
    assert use(vault, wish)


@pytest.mark.parametrize(
    "change",
    [
        {"object_id": new_id()},
        {"parameters": (("scope", "dpo"),)},
        {"team": new_id()},
        {"act": ApprovedAct.CASE_CLOSE},
        {"involved": (new_id(),)},
    ],
)
def test_an_approval_says_nothing_about_another_act(vault, change):
    """Every part of the act is signed: what is carried out differs, or the row does."""
    wish = asked(vault)
    decide(vault, wish)
    other = replace(wish, **change)
    refused(vault, other, Tampered, "approval")
    with vault.stores.keyring.writing() as tx:
        found = approvals.find(tx, wish.id)
        approvals.remove(tx, wish.id)
        approvals.add(tx, replace(found, wish=other))
    refused(vault, other, Tampered, "signature")


@pytest.mark.parametrize("seconds", [-1, 1, 400 * DAY])
def test_a_changed_time_is_found(vault, seconds):
    """An expired approval cannot be made young again."""
    wish = asked(vault)
    decide(vault, wish)
    later = replace(wish, expires_at=wish.expires_at + seconds)
    planted(vault, lambda found: replace(found, wish=later))
    refused(vault, later, Tampered, "signature")


def test_a_forged_asker_is_found(vault):
    """An approver cannot ask in somebody else's name and then approve."""
    wish = a_wish(vault, by=ADMINISTRATOR)
    statement = crypto_approvals.state(
        vault.stores.organisation,
        wish,
        Decision.ASKED,
        vault.staff(ADMINISTRATOR),
        vault.secret(DPO),
        wish.asked_at,
    )
    with vault.stores.keyring.writing() as tx:
        approvals.add(tx, crypto_approvals.Approval(wish, statement))
    decide(vault, wish, DPO)
    refused(vault, wish, Tampered, "approval")


def test_an_asker_is_who_signed_as_asker(vault):
    """A statement of another kind or person in the asker's place is found."""
    wish = asked(vault)
    decide(vault, wish)
    planted(vault, lambda found: replace(found, asked=found.statements[0]))
    refused(vault, wish, Tampered, "approval")
    planted(vault, lambda found: replace(found, asked=replace(found.asked, decision=APPROVED)))
    refused(vault, wish, Tampered, "approval")


def test_an_inserted_approval_does_not_count(vault):
    """Signed by nobody whom somebody vouches for, or with a signature of something else."""
    wish = asked(vault)
    with vault.stores.keyring.writing() as tx:
        stranger = vault.appear(tx, "stranger")
    args = (vault.stores.organisation, wish, APPROVED)
    strange = crypto_approvals.state(*args, stranger.id, stranger.secret, vault.now)
    planted(vault, lambda found: found.with_statement(strange))
    refused(vault, wish, Refused, "approval.missing")
    posing = crypto_approvals.state(*args, vault.staff(DPO), stranger.secret, vault.now)
    planted(vault, lambda found: replace(found, statements=(posing,)))
    refused(vault, wish, Refused, "approval.missing")
    genuine = vault.secret(DPO).public.key_id
    planted(vault, lambda found: replace(found, statements=(replace(posing, key_id=genuine),)))
    refused(vault, wish, Tampered, "signature")


def test_a_no_is_not_turned_into_a_yes(vault):
    """The decision is part of what is signed."""
    wish = asked(vault)
    decide(vault, wish, decision=DECLINED)
    planted(
        vault,
        lambda found: replace(found, statements=(replace(found.statements[0], decision=APPROVED),)),
    )
    refused(vault, wish, Tampered, "signature")


def test_an_approval_of_another_organisation_is_refused(vault):
    """The organisation is signed as well."""
    wish = asked(vault)
    foreign = crypto_approvals.state(
        new_id(), wish, APPROVED, vault.staff(DPO), vault.secret(DPO), vault.now
    )
    planted(vault, lambda found: found.with_statement(foreign))
    refused(vault, wish, Tampered, "signature")


def test_a_row_under_another_name_is_found(vault):
    """The plain columns say what the sealed content says."""
    wish = asked(vault)
    with vault.stores.keyring.writing() as tx:
        found = approvals.find(tx, wish.id)
        approvals.remove(tx, wish.id)
        table = approvals.tables.approval
        tx.add(table, found.encode(), id=wish.id, kind="case.close", object_id=wish.object_id)
        with pytest.raises(Tampered):
            approvals.find(tx, wish.id)


def test_two_at_once_use_it_once(vault):
    """The second to take it away is refused."""
    wish = asked(vault)
    with vault.stores.keyring.writing() as tx:
        approvals.remove(tx, wish.id)
        with pytest.raises(Conflict) as caught:
            approvals.remove(tx, wish.id)
    assert caught.value.code == "approval.used"
