"""Trust: chains of vouches down to the pinned root, and nothing that does not come from there."""

from __future__ import annotations

import dataclasses
import threading
from datetime import timedelta

import pytest
from sqlalchemy import update

from casevault.crypto import grants as crypto_grants
from casevault.crypto import vouches
from casevault.crypto.grants import Carried, GrantTerms
from casevault.crypto.principals import PrincipalSecret
from casevault.crypto.sealing import Key
from casevault.domain.staff.granting import ObjectKind, PrincipalKind
from casevault.errors import Busy, Misconfigured, Refused, Tampered
from casevault.ids import new_id
from casevault.store.engine import keyring_tables as tables
from casevault.store.keys import principals, teams
from casevault.store.keys.grants import Granter
from casevault.store.keys.principals import Principal
from casevault.store.keys.trust import REMEMBERED_SECONDS, Trust
from tests.builders import ADMINISTRATOR, AUDITOR, DAY, DPO, SUPERVISOR, YEAR, an_act


def scopes(vault, subject, trust=None):
    with vault.stores.keyring.reading() as tx:
        found = (trust or vault.stores.trust).scopes(tx, subject)
    return {(scope.kind, scope.roles, scope.team) for scope in found}


def not_believed(vault, subject):
    assert scopes(vault, subject) == set()
    with vault.stores.keyring.reading() as tx, pytest.raises(Refused) as caught:
        vault.stores.trust.public_keys(tx, subject)
    assert caught.value.code == "vouch.missing"


def appeared(vault, login="amal"):
    with vault.stores.keyring.writing() as tx:
        return vault.appear(tx, login)


def vouched(vault, issuer, subject, roles=("caseworker",), team=None, **times):
    with vault.stores.keyring.writing() as tx:
        return vault.vouched(tx, issuer, subject, roles, team or vault.team, **times)


def pass_seconds(vault, seconds):
    vault.clock.advance(timedelta(seconds=seconds))


# --- chains --------------------------------------------------------------------------------------


def test_the_people_of_the_ceremony_are_believed(vault):
    """Supervisor, DPO and auditor by the root, the administrator by the DPO, groups by theirs."""
    expected = {
        SUPERVISOR: ("supervisor", vault.team),
        DPO: ("dpo", None),
        AUDITOR: ("auditor", None),
        ADMINISTRATOR: ("administrator", None),
    }
    for login, (role, team) in expected.items():
        assert scopes(vault, vault.staff(login)) == {("staff", (role,), team)}
        with vault.stores.keyring.reading() as tx:
            public = vault.stores.trust.public_keys(tx, vault.staff(login))
        assert public == vault.secret(login).public
    for kind in (PrincipalKind.OVERSIGHT, PrincipalKind.DIRECTORY, PrincipalKind.INTAKE):
        group = vault.group(kind, vault.team)
        assert scopes(vault, group.id) == {(kind.value, (), vault.team)}
    for kind in (PrincipalKind.RECOVERY, PrincipalKind.COUNTING, PrincipalKind.SERVICE):
        assert scopes(vault, vault.group(kind).id) == {(kind.value, (), None)}
    assert scopes(vault, new_id()) == set()


def test_a_chain_has_at_most_three_vouches(vault):
    """Root, supervisor, supervisor, caseworker; a fourth is not believed."""
    one = vault.granter(SUPERVISOR)
    two, three, four = (appeared(vault, name) for name in ("two", "three", "four"))
    vouched(vault, one, two, ("supervisor",))
    vouched(vault, two, three, ("supervisor",))
    vouched(vault, three, four)
    assert scopes(vault, two.id)
    assert scopes(vault, three.id)
    not_believed(vault, four.id)


def test_a_foreign_root_is_refused(vault):
    """Another pin: the start is refused, and nobody is believed."""
    other = Trust(PrincipalSecret.generate().public.pin, vault.clock)
    with vault.stores.keyring.reading() as tx:
        vault.stores.trust.check_root(tx)
        with pytest.raises(Misconfigured) as caught:
            other.check_root(tx)
    assert caught.value.code == "root.fingerprint"
    for login in (SUPERVISOR, DPO):
        assert scopes(vault, vault.staff(login), other) == set()


def test_an_own_root_in_the_keyring_helps_nobody(vault):
    """Whoever writes a root row of their own still does not have the pinned key."""
    mine, person = PrincipalSecret.generate(), appeared(vault)
    root = Granter(new_id(), mine)
    with vault.stores.keyring.writing() as tx:
        principals.add_principal(tx, Principal(root.id, PrincipalKind.ROOT, None, mine.public))
    vouched(vault, root, person, ("supervisor",))
    not_believed(vault, person.id)
    with vault.stores.keyring.reading() as tx, pytest.raises(Misconfigured):
        vault.stores.trust.check_root(tx)


def test_an_expired_vouch_starts_nothing_new(vault):
    """Valid from the first second, until the last excluded."""
    person = appeared(vault)
    vouched(vault, vault.granter(SUPERVISOR), person, start=vault.now + 100, seconds=1000)
    not_believed(vault, person.id)
    pass_seconds(vault, 100)
    assert scopes(vault, person.id)
    pass_seconds(vault, 999)
    assert scopes(vault, person.id)
    pass_seconds(vault, 1)
    not_believed(vault, person.id)
    with vault.stores.keyring.reading() as tx:
        assert vault.stores.trust.scopes(tx, person.id, vault.now - 1)


def test_an_issuer_vouches_only_while_vouched_for(vault):
    """The moment of issue must lie in the issuer's own time."""
    amal, basil = appeared(vault), appeared(vault, "basil")
    vouched(vault, vault.granter(SUPERVISOR), amal, ("supervisor",), seconds=DAY)
    vouched(vault, amal, basil, start=vault.now + DAY)
    pass_seconds(vault, DAY + 1)
    not_believed(vault, basil.id)


@pytest.mark.parametrize("seconds", [0, -5, 401 * DAY])
def test_a_vouch_of_impossible_length_is_not_believed(vault, seconds):
    """At most 400 days, whoever signed it."""
    person = appeared(vault)
    vouched(vault, vault.granter(SUPERVISOR), person, start=vault.now - 1, seconds=seconds)
    not_believed(vault, person.id)


def test_a_revoked_vouch_ends_at_its_moment(vault):
    """Here and in another process at once; reading what was granted stays."""
    person = appeared(vault)
    other = vault.another_process()
    serial = vouched(vault, vault.granter(SUPERVISOR), person)
    assert scopes(vault, person.id)
    assert scopes(vault, person.id, other.trust)
    pass_seconds(vault, 1)
    with vault.stores.keyring.writing() as tx:
        principals.add_revocation(tx, serial, vault.now)
    pass_seconds(vault, REMEMBERED_SECONDS + 1)
    not_believed(vault, person.id)
    assert scopes(vault, person.id, other.trust) == set()
    with vault.stores.keyring.reading() as tx:
        assert vault.stores.trust.scopes(tx, person.id, vault.now - REMEMBERED_SECONDS - 2)


@pytest.mark.parametrize("signer", [SUPERVISOR, DPO, "forged"])
def test_a_signed_revocation_says_who_revoked(vault, signer):
    """It takes effect at once; one that its signer did not sign is an alarm."""
    person = appeared(vault)
    vouched(vault, vault.granter(SUPERVISOR), person)
    pass_seconds(vault, 1)
    named = SUPERVISOR if signer == "forged" else signer
    with vault.stores.keyring.writing() as tx:
        (vouch,) = principals.vouches_for(tx, person.id)
        revocation = vouches.revoke(vouch, vault.now, vault.staff(named), vault.secret(named))
        if signer == "forged":
            revocation = dataclasses.replace(revocation, signature=bytes(64))
        principals.revoke(tx, revocation)
    if signer != "forged":
        not_believed(vault, person.id)
        return
    with vault.stores.keyring.reading() as tx, pytest.raises(Tampered):
        vault.stores.trust.scopes(tx, person.id)


def test_a_vouch_revoked_from_the_beginning_never_held(vault):
    """Revoked at 0: as if it had never been."""
    person = appeared(vault)
    serial = vouched(vault, vault.granter(SUPERVISOR), person)
    with vault.stores.keyring.writing() as tx:
        principals.add_revocation(tx, serial, 0)
    not_believed(vault, person.id)


@pytest.mark.parametrize("issuer", [ADMINISTRATOR, AUDITOR, DPO, "colleague", "stranger"])
def test_who_may_not_vouch_is_not_believed(vault, issuer):
    """Administrator, auditor, DPO (for a team), caseworker, and somebody unknown."""
    vault.enrolled("colleague", {"caseworker"}, vault.team)
    appeared(vault, "stranger")
    person = appeared(vault)
    vouched(vault, vault.granter(issuer), person)
    not_believed(vault, person.id)


def test_a_forged_issuer_is_not_believed(vault):
    """The statement names the supervisor, the signature is somebody else's."""
    person, forger = appeared(vault), PrincipalSecret.generate()
    vouched(vault, Granter(vault.staff(SUPERVISOR), forger), person)
    vouched(vault, Granter(new_id(), forger), person)
    not_believed(vault, person.id)


def test_a_supervisor_vouches_for_the_own_team_only(vault):
    """Not for another, and not for people outside teams."""
    person = appeared(vault)
    vouched(vault, vault.granter(SUPERVISOR), person, team=new_id())
    with vault.stores.keyring.writing() as tx:
        vault.vouched(tx, vault.granter(SUPERVISOR), person, ("dpo",), None)
    not_believed(vault, person.id)


def test_nobody_vouches_for_themselves(vault):
    """A vouch is somebody else's word."""
    me = vault.granter(SUPERVISOR)
    vouched(vault, me, me, ("supervisor",), start=vault.now + 364 * DAY, seconds=YEAR)
    pass_seconds(vault, 400 * DAY)
    not_believed(vault, me.id)


# --- rows that were changed ----------------------------------------------------------------------


def test_substituted_keys_are_not_believed(vault):
    """Whoever writes own public keys into the principal's row gets no grant: the vouch differs."""
    attacker = PrincipalSecret.generate()
    staff = vault.staff(SUPERVISOR)
    with vault.stores.keyring.writing() as tx:
        principals.put_principal(tx, Principal(staff, PrincipalKind.STAFF, None, attacker.public))
    pass_seconds(vault, REMEMBERED_SECONDS + 1)
    not_believed(vault, staff)


def test_a_substituted_kind_is_not_believed(vault):
    """A vouch for a person does not make a group of them."""
    person = vault.enrolled("amal", {"caseworker"}, vault.team)
    with vault.stores.keyring.writing() as tx:
        principals.put_principal(
            tx, Principal(person.id, PrincipalKind.DPO, None, person.secret.public)
        )
    pass_seconds(vault, REMEMBERED_SECONDS + 1)
    not_believed(vault, person.id)


def test_a_vouch_moved_to_another_person_is_tampered(vault):
    """By SQL the row does not open; re-sealed it says something else than its columns."""
    amal = vault.enrolled("amal", {"caseworker"}, vault.team)
    basil = appeared(vault, "basil")
    with vault.stores.keyring.reading() as tx:
        (vouch,) = principals.vouches_for(tx, amal.id)
    serial = vouch.statement.serial
    with vault.stores.keyring.database.writing() as connection:
        connection.execute(
            update(tables.vouch).where(tables.vouch.c.serial == serial).values(subject_id=basil.id)
        )
    with vault.stores.keyring.reading() as tx, pytest.raises(Tampered):
        vault.stores.trust.scopes(tx, basil.id)
    with vault.stores.keyring.writing() as tx:
        tx.remove(tables.vouch, serial=serial)
        tx.add(tables.vouch, vouch.encode(), serial=serial, subject_id=basil.id)
    with vault.stores.keyring.reading() as tx, pytest.raises(Tampered):
        Trust(vault.outcome.root_pin, vault.clock).scopes(tx, basil.id)


def test_what_was_rolled_back_is_not_believed(vault):
    """A vouch that was never committed leaves nothing behind."""
    person = appeared(vault)
    with pytest.raises(KeyboardInterrupt), vault.stores.keyring.writing() as tx:
        vault.vouched(tx, vault.granter(SUPERVISOR), person, ("caseworker",), vault.team)
        assert vault.stores.trust.scopes(tx, person.id)
        raise KeyboardInterrupt
    appeared(vault, "basil")
    not_believed(vault, person.id)


def test_two_vouches_at_once_are_both_kept(vault, request):
    """Two supervisors enrol people in the same moment: neither is told to try again."""
    people = [appeared(vault, f"person-{n}") for n in range(2)]
    issuer, other, start, busy = vault.granter(SUPERVISOR), vault.another_process(), [], []
    barrier = threading.Barrier(2)

    def work(stores, person):
        try:
            with stores.keyring.writing() as tx:
                if not stores.data.is_sqlite:
                    barrier.wait(timeout=5)
                vault.vouched(tx, issuer, person, ("caseworker",), vault.team)
            start.append(person)
        except Busy:
            busy.append(person)

    threads = [
        threading.Thread(target=work, args=(stores, person))
        for stores, person in zip((vault.stores, other), people, strict=True)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not busy


# --- grants --------------------------------------------------------------------------------------


def a_grant(vault, granter, **changes):
    key = Key.random()
    grantee = vault.secret(SUPERVISOR)
    values = {
        "id": new_id(),
        "purpose": "assignment",
        "organisation": vault.stores.organisation,
        "team": vault.team,
        "object_kind": "case",
        "object_id": new_id(),
        "carried": (Carried("facts", key.id, key.version),),
        "grantee": vault.staff(SUPERVISOR),
        "grantee_key_id": grantee.public.key_id,
        "granter": granter.id,
        "granter_key_id": granter.secret.public.key_id,
        "issued_at": vault.now,
        "expires_at": None,
    }
    terms = GrantTerms(**values | changes)
    return crypto_grants.issue(terms, {"facts": key}, granter.secret, grantee.public)[0]


def check(vault, grant):
    with vault.stores.keyring.reading() as tx:
        vault.stores.trust.check_grant(tx, grant)


def test_a_grant_by_the_right_person_counts(vault):
    """Now, again from memory, and after the granter's vouch has ended: reading never stops."""
    grant = a_grant(vault, vault.granter(SUPERVISOR))
    check(vault, grant)
    check(vault, grant)
    pass_seconds(vault, 2 * YEAR)
    check(vault, grant)
    with pytest.raises(Tampered):
        check(vault, a_grant(vault, vault.granter(SUPERVISOR)))


@pytest.mark.parametrize(
    ("login", "changes"),
    [
        (ADMINISTRATOR, {}),
        (DPO, {}),
        (AUDITOR, {}),
        (SUPERVISOR, {"team": new_id()}),
        (SUPERVISOR, {"team": None}),
        (SUPERVISOR, {"organisation": new_id()}),
        (SUPERVISOR, {"object_kind": "month"}),
        (SUPERVISOR, {"object_kind": "group"}),
        (SUPERVISOR, {"issued_at": 1}),
    ],
)
def test_a_grant_outside_the_granters_vouch_does_not_count(vault, login, changes):
    """Role, team, organisation, kind and moment are read from vouches."""
    with pytest.raises(Tampered):
        check(vault, a_grant(vault, vault.granter(login), **changes))


def test_a_grant_of_a_group_counts_for_the_groups_own_team(vault):
    """The terms must name the team of the group's row."""
    group = vault.group(PrincipalKind.OVERSIGHT, vault.team)
    changes = {"object_kind": "group", "object_id": group.id}
    check(vault, a_grant(vault, vault.granter(SUPERVISOR), **changes))
    with pytest.raises(Tampered):
        check(vault, a_grant(vault, vault.granter(SUPERVISOR), **changes, team=None))
    worker = vault.enrolled("amal", {"caseworker"}, vault.team)
    with pytest.raises(Tampered):
        check(vault, a_grant(vault, worker, **changes))


def test_a_grant_ends_at_its_moment(vault):
    """Also when the check before is still remembered."""
    grant = a_grant(vault, vault.granter(SUPERVISOR), expires_at=vault.now + 10)
    check(vault, grant)
    pass_seconds(vault, 10)
    with pytest.raises(Refused) as caught:
        check(vault, grant)
    assert caught.value.code == "grant.expired"


def test_a_changed_grant_does_not_count(vault):
    """A bent signature is found, whatever is remembered of the true grant."""
    grant = a_grant(vault, vault.granter(SUPERVISOR))
    check(vault, grant)
    bent = grant.signature[:-1] + bytes([grant.signature[-1] ^ 1])
    with pytest.raises(Tampered):
        check(vault, dataclasses.replace(grant, signature=bent))
    terms = dataclasses.replace(grant.terms, grantee=new_id())
    with pytest.raises(Tampered):
        check(vault, dataclasses.replace(grant, terms=terms))


def test_a_grant_of_an_unknown_kind_is_tampered(vault):
    """Everything forged is one error."""
    with pytest.raises(Tampered):
        check(vault, a_grant(vault, vault.granter(SUPERVISOR), object_kind="other"))


def test_what_is_remembered_stays_bounded(vault, monkeypatch):
    """A flood of principals and grants does not fill the memory."""
    from casevault.store.keys import trust

    monkeypatch.setattr(trust, "_MAX_REMEMBERED", 3)
    for _ in range(12):
        check(vault, a_grant(vault, vault.granter(SUPERVISOR)))
        scopes(vault, new_id())
    assert len(vault.stores.trust._memory) <= 4


def test_auditors_read_the_months_of_the_ledger(vault):
    """The service's grant of a month counts, and opens for the auditor alone."""
    from casevault.store.keys.grants import Object
    from casevault.store.log import months

    vault.stores.ledger.record(an_act())
    with vault.stores.keyring.reading() as tx:
        (object_id,) = months.object_ids(tx).values()
        target = Object(ObjectKind.MONTH, object_id)
        key = vault.holder(AUDITOR).open(tx, target)[months.COMPARTMENT].key
        month = months.of("2026-11", object_id, key)
        assert month.body == vault.stores.months.current().body
        for login in (SUPERVISOR, DPO, ADMINISTRATOR):
            assert vault.holder(login).open(tx, target) == {}
    assert teams.GROUP_COMPARTMENT == "secret"
