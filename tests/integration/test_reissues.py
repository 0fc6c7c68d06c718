"""Re-issuing recovery shares: the new ones open everything, the old ones nothing any more."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from casevault.crypto import recovery
from casevault.crypto.recovery import read_share
from casevault.domain.case.casefile import Compartment
from casevault.domain.staff.granting import ObjectKind, PrincipalKind
from casevault.errors import Conflict, Invalid, Misconfigured, Refused, Tampered
from casevault.services.recovery import rolls
from casevault.services.recovery.reissues import Reissues
from casevault.services.recovery.rolls import Rolls
from casevault.store.keys import grants, people, principals
from casevault.store.keys.grants import Object
from casevault.store.keys.keyholder import KeyHolder
from casevault.store.keys.trust import Trust
from casevault.store.recovery import capsules, media, pairs, recovering
from casevault.store.recovery.media import Medium
from casevault.store.recovery.recovering import recovered
from tests.builders import AUDITOR, DPO, SUPERVISOR
from tests.integration.test_rotations import a_case, name_of, shares_of

ALL = {one.value for one in Compartment}


class Cut(Exception):
    """The process was killed here."""


@pytest.fixture
def reissued(vault):
    """Replace the shares of a vault with two cases; give the cases, old and new shares."""
    cases, old = [a_case(vault) for _ in range(2)], shares_of(vault)
    vault.stores.months.current()
    handed = []
    moved = Reissues(vault.stores).reissue(old, 2, 3, handed.append)
    assert moved >= len(cases) + 1
    return cases, old, new_shares(handed[0])


def new_shares(made):
    """Return as many of the new shares as recover."""
    found = []
    for text in made.shares[: made.threshold]:
        found.append(read_share(text, found))
    return found


def opened_by(vault, holder, case):
    """Return which compartments of a case somebody opens."""
    with vault.stores.keyring.reading() as tx:
        try:
            return set(holder.open(tx, Object(ObjectKind.CASE, case, vault.team)))
        except Refused:
            # A member of nothing any more.
            return set()


def test_the_new_shares_open_everything_and_the_old_ones_nothing(vault, reissued, tmp_path):
    """Cases, groups, months and the backup key; and everybody else goes on as before."""
    cases, old, new = reissued
    stores = vault.stores
    with pytest.raises(Invalid):
        recovered(stores.keyring, stores.trust, old)
    found = recovered(stores.keyring, stores.trust, new)
    seed = recovery.combine([share.text for share in old])
    former = KeyHolder(found.holder.staff, recovery.recovery_principal(seed), stores.trust)
    cases.append(a_case(vault, "After"))
    for case in cases:
        assert opened_by(vault, found.holder, case) == ALL
        assert opened_by(vault, former, case) == set()
        assert name_of(vault, case)
    with stores.keyring.reading() as tx:
        held = {
            grant.terms.grantee_key_id
            for kind in ObjectKind
            for grant in grants.of_grantee(tx, kind, found.holder.staff)
        }
        assert held == {found.holder.secret.public.key_id}
        month = Object(ObjectKind.MONTH, stores.months.current().object_id)
        assert vault.holder(AUDITOR).open(tx, month)
        assert found.holder.open(tx, month)
        for login, kind in ((AUDITOR, PrincipalKind.AUDITORS), (DPO, PrincipalKind.DPO)):
            (group,) = principals.groups(tx, kind)
            assert vault.holder(login).group(tx, group.id)
            assert found.holder.group(tx, group.id)
    medium = Medium(tmp_path / "medium", stores.roots.keyring_id)
    medium.take()
    Rolls(stores, medium, 1).roll(erase_now=True)
    secret = recovery.recovery_principal(recovery.combine([share.text for share in new]))
    with (tmp_path / "medium" / media.CAPSULE).open("rb") as file:
        capsule = capsules.open_capsule(file, secret)
    assert capsule.backup_key.secret(secret).public == vault.group(PrincipalKind.BACKUP).public
    with (tmp_path / "medium" / media.CAPSULE).open("rb") as file, pytest.raises(Tampered):
        capsules.open_capsule(file, former.secret)
    assert "key.reissue" in {e.body.code for e in vault.entries()}


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch):
    """Nobody reads in these tests while an epoch is destroyed."""
    monkeypatch.setattr(rolls, "READERS_SECONDS", 0)


def test_the_old_pin_leads_to_the_new_root_and_a_strange_one_nowhere(vault, reissued):
    """Running services and an old configuration file go on; a root of one's own does not."""
    _, _, new = reissued
    stores, pin = vault.stores, Reissues(vault.stores).root_pin()
    assert pin != vault.outcome.root_pin
    seed = recovery.combine([share.text for share in new])
    assert pin == recovery.root_principal(seed).public.pin
    for good in (vault.outcome.root_pin, pin):
        trust = Trust(good, vault.clock)
        with stores.keyring.reading() as tx:
            trust.check_root(tx)
            assert trust.scopes(tx, vault.staff(SUPERVISOR))
    stranger = recovery.root_principal(recovery.new_seed()).public.pin
    with stores.keyring.reading() as tx, pytest.raises(Misconfigured):
        Trust(stranger, vault.clock).check_root(tx)


def test_a_new_pin_never_leads_back_to_an_older_root(one):
    """Each re-issue pins its root, as the command does; old shares make no root of theirs again."""
    stores = one.stores
    pins, shares = [one.outcome.root_pin], shares_of(one)
    anchors = []
    for _ in range(4):
        with stores.keyring.reading() as tx:
            anchors += principals.groups(tx, PrincipalKind.ROOT)
        handed = []
        Reissues(replace(stores, trust=Trust(pins[-1], one.clock))).reissue(
            shares, 2, 3, handed.append
        )
        pins, shares = [*pins, handed[0].root_pin], new_shares(handed[0])
        one.clock.advance(timedelta(days=1))
    for number, pin in enumerate(pins):
        with stores.keyring.reading() as tx:
            assert Trust(pin, one.clock).present_root(tx) == pins[-1], number
    for number, former in enumerate(anchors):
        with stores.keyring.writing() as tx:
            principals.put_principal(tx, former)
        for later in pins[number + 1 :]:
            with stores.keyring.reading() as tx, pytest.raises(Misconfigured):
                Trust(later, one.clock).check_root(tx)


def test_a_chain_of_two_re_issues_still_begins_at_the_first_pin(one):
    """From hand to hand; and what the second root did not sign leads nowhere."""
    stores, reissues = one.stores, Reissues(one.stores)
    handed = []
    reissues.reissue(shares_of(one), 2, 3, handed.append)
    one.clock.advance(timedelta(days=1))
    reissues.reissue(new_shares(handed[0]), 2, 3, handed.append)
    first = Trust(one.outcome.root_pin, one.clock)
    with stores.keyring.reading() as tx:
        assert first.present_root(tx) == handed[1].root_pin
    with stores.keyring.writing() as tx:
        (root,) = principals.groups(tx, PrincipalKind.ROOT)
        forged = recovery.root_principal(recovery.new_seed()).public
        principals.put_principal(tx, principals.Principal(root.id, root.kind, None, forged))
    with stores.keyring.reading() as tx, pytest.raises(Misconfigured):
        Trust(one.outcome.root_pin, one.clock).check_root(tx)


def test_nothing_changes_before_the_sheets_are_on_paper(one):
    """Cut off while they are handed out, or given wrong numbers or shares: the old ones hold."""
    stores, reissues = one.stores, Reissues(one.stores)

    def cut(_):
        raise Cut

    with pytest.raises(Cut):
        reissues.reissue(shares_of(one), 2, 3, cut)
    for numbers in ((1, 3), (4, 3), (2, 17)):
        with pytest.raises(Invalid):
            reissues.reissue(shares_of(one), *numbers, cut)
    strangers = recovery.split(recovery.new_seed(), 2, 3)
    with pytest.raises(Invalid):
        reissues.reissue(shares_of(one, strangers), 2, 3, cut)
    assert recovered(stores.keyring, stores.trust, shares_of(one))
    assert not reissues.is_underway()


def test_a_re_issue_that_was_cut_off_is_gone_on_with(one, monkeypatch):
    """In the middle of moving: every case opens by one set or the other, then all by the new."""
    cases, old, handed = [a_case(one) for _ in range(3)], shares_of(one), []
    stores, reissues = one.stores, Reissues(one.stores)
    moves, move_one = [], pairs._move_one

    def cut(*args):
        moves.append(args)
        if len(moves) > 4:
            raise Cut
        move_one(*args)

    monkeypatch.setattr(pairs, "_AT_ONCE", 1)
    monkeypatch.setattr(pairs, "_move_one", cut)
    with pytest.raises(Cut):
        reissues.reissue(old, 2, 3, handed.append)
    monkeypatch.undo()
    new = new_shares(handed[0])
    assert reissues.is_underway()
    with pytest.raises(Conflict):
        reissues.reissue(old, 2, 3, handed.append)
    with pytest.raises(Invalid):
        reissues.resume(new, old)
    assert reissues.resume(old, new) >= 1
    assert not reissues.is_underway()
    found = recovered(stores.keyring, stores.trust, new)
    for case in cases:
        assert opened_by(one, found.holder, case) == ALL
        assert name_of(one, case)
    with stores.keyring.reading() as tx:
        assert people.all_staff(tx)
        assert recovering.groups_of_team(tx, ("supervisor",), one.team)


@pytest.fixture
def one(sqlite_databases, tmp_path):
    """Give a vault on SQLite, for what does not depend on the database."""
    from tests.builders import a_vault

    vault = a_vault(sqlite_databases, tmp_path)
    yield vault
    vault.close()
