"""Private objects open for their author and nobody else, and go when their date is past."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from sqlalchemy import delete, select, update

from casevault.crypto.sealing import Key
from casevault.domain.staff.access import Actor, Role
from casevault.domain.staff.granting import ObjectKind
from casevault.errors import NotFound, Stale, Tampered, Unrecorded
from casevault.ids import StaffId, TeamId, new_id
from casevault.store.casework import private
from casevault.store.context.caller import Caller
from casevault.store.engine import tables
from casevault.store.keys import grants
from casevault.store.keys.grants import Grantee, Object
from casevault.store.log.ledger import Ledger
from tests.builders import DAY, DPO, SUPERVISOR

KIND, CODE = private.DRAFT, "draft.save"
WORDS = {"text": "obviously made-up canary in a cellar"}
TODAY = date(2026, 11, 15)
DUE = TODAY + timedelta(days=7)
ROW = tables.private_object


def caller_of(vault, login=SUPERVISOR):
    """Return a person as a caller."""
    actor = Actor(
        StaffId(vault.staff(login)),
        frozenset({Role.SUPERVISOR}),
        frozenset({TeamId(vault.team)}),
        "passphrase",
    )
    return Caller(actor, vault.holder(login), new_id())


@pytest.fixture
def me(vault):
    """Give the supervisor as a caller."""
    return caller_of(vault)


def kept(vault, me, content=WORDS, kind=KIND):
    return private.keep(vault.stores, me, kind, content, DUE, code=CODE)


def opened(vault, caller, one, kind=KIND):
    return private.open_(vault.stores, caller, kind, one, code="draft.read")


def listed(vault, caller, kind=KIND, **page):
    return private.mine(vault.stores, caller, kind, code="draft.list", **page)


def changed(vault, me, one, content, version, due=DUE):
    return private.change(vault.stores, me, KIND, one, content, version, due, code=CODE)


def by_sql(vault, statement):
    with vault.stores.data.writing() as connection:
        connection.execute(statement)


def rows(vault):
    """Return what the data store holds and of what the keyring has grants."""
    with vault.stores.data.reading() as connection:
        there = set(connection.execute(select(ROW.c.id)).scalars())
    with vault.stores.keyring.reading() as tx:
        return there, grants.all_of_kind(tx, ObjectKind.PRIVATE)


def codes(vault):
    """Return code and outcome of every entry, as this process wrote them one after the other."""
    mine = [entry for entry in vault.entries() if entry.leaf.w == vault.stores.ledger.writer]
    mine.sort(key=lambda entry: entry.leaf.s)
    return [(entry.body.code, entry.body.outcome) for entry in mine]


def test_it_is_kept_opened_changed_and_removed(vault, me):
    """A whole life, each step on the ledger."""
    one = kept(vault, me)
    found = opened(vault, me, one)
    assert (found.content, found.version, found.erase_after) == (WORDS, 1, DUE)
    assert changed(vault, me, one, {"text": "other"}, 1, DUE + timedelta(days=1)) == 2
    found = opened(vault, me, one)
    assert (found.content, found.version) == ({"text": "other"}, 2)
    assert found.erase_after == DUE + timedelta(days=1)
    private.remove(vault.stores, me, KIND, one, code="draft.delete")
    assert rows(vault) == (set(), set())
    with pytest.raises(NotFound):
        opened(vault, me, one)
    names = [code for code, _ in codes(vault) if code.startswith("draft")]
    assert names == ["draft.save", "draft.read", "draft.save", "draft.read", "draft.delete"]


def test_another_version_is_stale(vault, me):
    """The second of two writers learns it, and what the first wrote stays."""
    one = kept(vault, me)
    changed(vault, me, one, {"text": "first"}, 1)
    with pytest.raises(Stale):
        changed(vault, me, one, {"text": "second"}, 1)
    assert opened(vault, me, one).content == {"text": "first"}


def test_nobody_else_finds_it(vault, me):
    """Not a colleague, not another kind, not a made-up id; and it is on nobody else's list."""
    one, other = kept(vault, me), caller_of(vault, DPO)
    for caller, kind, which in (
        (other, KIND, one),
        (me, private.FEED, one),
        (me, KIND, new_id()),
    ):
        with pytest.raises(NotFound):
            opened(vault, caller, which, kind)
        with pytest.raises(NotFound):
            private.remove(vault.stores, caller, kind, which, code="draft.delete")
    with pytest.raises(NotFound):
        changed(vault, other, one, {}, 1)
    assert listed(vault, other) == []
    assert listed(vault, me, private.FEED) == []
    assert [found.id for found in listed(vault, me)] == [one]


def test_a_list_is_paged_by_random_id(vault, me):
    """Each once, in the order of ids."""
    ids = sorted(kept(vault, me, {"n": n}) for n in range(5))
    first = listed(vault, me, limit=3)
    rest = listed(vault, me, after=first[-1].id)
    assert [one.id for one in first + rest] == ids


def test_a_grant_by_somebody_else_does_not_count(vault, me):
    """A colleague cannot slip in a key: only the author grants, and only to themselves."""
    one, key = kept(vault, me), Key.random()
    target = Object(ObjectKind.PRIVATE, one)
    grantee = Grantee(me.staff, vault.secret(SUPERVISOR).public)
    with vault.stores.keyring.writing() as tx:
        grants.take(tx, target, me.staff)
        grants.give(
            tx,
            target,
            {private.COMPARTMENT: key},
            vault.granter(DPO),
            [(grantee, frozenset({private.COMPARTMENT}))],
            purpose="private",
            issued_at=vault.now,
        )
    with pytest.raises(Tampered) as caught:
        opened(vault, me, one)
    assert caught.value.code == "grant.scope"
    assert codes(vault)[-1] == ("draft.read", 8)


def test_a_grant_to_somebody_else_does_not_count(vault, me):
    """The author cannot give it away either."""
    one, other = kept(vault, me), caller_of(vault, DPO)
    grantee = Grantee(other.staff, vault.secret(DPO).public)
    with vault.stores.keyring.writing() as tx:
        key = me.keys.open(tx, Object(ObjectKind.PRIVATE, one))[private.COMPARTMENT].key
        grants.give(
            tx,
            Object(ObjectKind.PRIVATE, one),
            {private.COMPARTMENT: key},
            me.keys.granter,
            [(grantee, frozenset({private.COMPARTMENT}))],
            purpose="private",
            issued_at=vault.now,
        )
    with pytest.raises(Tampered):
        opened(vault, other, one)


def test_what_was_moved_does_not_open(vault, me):
    """Another row's bytes, an older version, another number, another kind: an alarm each."""
    for how in ("swapped", "old", "renumbered", "kind"):
        one, two = kept(vault, me), kept(vault, me, {"text": "other"})
        with vault.stores.data.reading() as connection:
            sealed = {row.id: row.sealed for row in connection.execute(select(ROW))}
        changed(vault, me, one, {"text": "new"}, 1)
        values = {
            "swapped": {"sealed": sealed[two]},
            "old": {"sealed": sealed[one]},
            "renumbered": {"version": 7},
            "kind": {"kind": private.FEED},
        }[how]
        by_sql(vault, update(ROW).where(ROW.c.id == one).values(**values))
        kind = values.get("kind", KIND)
        with pytest.raises(Tampered):
            opened(vault, me, one, kind)
        assert codes(vault)[-1] == ("draft.read", 8)
        if how != "kind":
            with pytest.raises(Tampered):
                changed(vault, me, one, {}, 2)
        # One that does not open costs the list nothing, and can be erased.
        found = {item.id: item.readable for item in listed(vault, me, kind)}
        assert found[one] is False
        assert how == "kind" or found[two] is True
        private.remove(vault.stores, me, kind, one, code="draft.delete")
        assert one not in rows(vault)[0]


def test_what_is_due_opens_no_more_and_is_erased_without_a_key(vault, me):
    """On its last day it opens; a day later it does not, and the caretaker removes it."""
    one, other = kept(vault, me), kept(vault, me)
    changed(vault, me, other, WORDS, 1, DUE + timedelta(days=5))
    vault.clock.advance(timedelta(days=7))
    assert opened(vault, me, one).content == WORDS
    assert private.erase_due(vault.stores, vault.clock.now().date()) == 0
    vault.clock.advance(timedelta(days=1))
    with pytest.raises(NotFound):
        opened(vault, me, one)
    with pytest.raises(NotFound):
        changed(vault, me, one, {}, 1)
    assert private.erase_due(vault.stores, vault.clock.now().date()) == 1
    assert rows(vault) == ({other}, {other})
    assert codes(vault)[-1] == ("private.erase", 0)
    assert private.erase_due(vault.stores, vault.clock.now().date()) == 0


def test_keys_without_a_row_go_after_a_day(vault, me, monkeypatch):
    """Keys come first when it is made; if the rest never came, they open nothing and go."""

    def broken(*_args):
        raise Unrecorded

    with monkeypatch.context() as patched:
        patched.setattr(Ledger, "append", broken)
        with pytest.raises(Unrecorded):
            kept(vault, me)
    assert [len(found) for found in rows(vault)] == [0, 1]
    private.erase_due(vault.stores, TODAY)
    assert len(rows(vault)[1]) == 1, "it may be on its way"
    vault.clock.advance(timedelta(seconds=DAY + 1))
    private.erase_due(vault.stores, TODAY)
    assert rows(vault) == (set(), set())


def test_an_interrupted_removal_leaves_nothing_that_opens(vault, me, monkeypatch):
    """The key goes first: the row that stays is dead, and goes with its date."""
    one = kept(vault, me)

    def broken(*_args):
        raise Unrecorded

    with monkeypatch.context() as patched:
        patched.setattr(Ledger, "append", broken)
        with pytest.raises(Unrecorded):
            private.remove(vault.stores, me, KIND, one, code="draft.delete")
    assert rows(vault) == ({one}, set())
    with pytest.raises(NotFound):
        opened(vault, me, one)
    assert listed(vault, me) == []
    vault.clock.advance(timedelta(days=8))
    assert private.erase_due(vault.stores, vault.clock.now().date()) == 1
    assert rows(vault) == (set(), set())


def test_the_data_store_does_not_know_whose_it_is(vault, me):
    """The row holds no id of a person, and its size says only a power of two."""
    one, two = kept(vault, me, {"text": "x"}), kept(vault, me, {"text": "x" * 90})
    with vault.stores.data.reading() as connection:
        found = {row["id"]: dict(row) for row in connection.execute(select(ROW)).mappings()}
    assert len(found[one]["sealed"]) == len(found[two]["sealed"]) == 356
    for row in found.values():
        assert me.staff.hex not in str(row).replace("-", "")
        assert me.staff.bytes not in bytes(row["sealed"])
        assert set(row) == {"id", "kind", "erase_after", "version", "sealed"}


def test_a_row_restored_from_a_backup_stays_closed(vault, me):
    """Its key is gone from the keyring for good."""
    one = kept(vault, me)
    with vault.stores.data.reading() as connection:
        copy = dict(connection.execute(select(ROW).where(ROW.c.id == one)).mappings().one())
    private.remove(vault.stores, me, KIND, one, code="draft.delete")
    by_sql(vault, ROW.insert().values(**copy))
    with pytest.raises(NotFound):
        opened(vault, me, one)
    by_sql(vault, delete(ROW))
