"""The keyring half of an erasure, and keys that no case ever had."""

from __future__ import annotations

from datetime import timedelta

import pytest

from casevault.domain.staff.access import Role
from casevault.domain.staff.granting import ObjectKind, PrincipalKind
from casevault.errors import CaseVaultError
from casevault.ids import new_id
from casevault.services.casework.casework import Casework
from casevault.services.recovery import rolls
from casevault.services.recovery.rolls import Rolls
from casevault.store.case import case_keys, tombstones
from casevault.store.case.tombstones import Erasure
from casevault.store.casework import births
from casevault.store.context.caller import Gate
from casevault.store.engine import keyring_tables as tables
from casevault.store.engine import milestones
from casevault.store.keys import grants
from casevault.store.keys.grants import Object
from casevault.store.recovery import orphans
from casevault.store.recovery.media import Medium
from casevault.store.retention import erasing_keys
from casevault.store.search import cards
from tests.builders import SUPERVISOR


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch):
    """Nobody reads in these tests while an epoch is destroyed."""
    monkeypatch.setattr(rolls, "READERS_SECONDS", 0)


def a_case(vault, name="Testperson"):
    """Open a case of the supervisor's; return its id."""
    casework = Casework(vault.stores, Gate(vault.stores, "passphrase"))
    caller = vault.caller(SUPERVISOR, Role.SUPERVISOR)
    return casework.open_case(caller, {"name_to_use": name}, {}, "standard").case.id


def erased(vault, *erasures):
    """Erase in the keyring."""
    with vault.stores.keyring.writing() as tx:
        erasing_keys.erase(tx, erasures, vault.now)


def left(vault, case):
    """Return what the keyring has of a case: key rows, grants, their rows, and what opens."""
    target = Object(ObjectKind.CASE, case, vault.team)
    with vault.stores.keyring.reading() as tx:
        given = tx.lookups(tables.grant, object_id=case)
        rows = [r for g in given for r in tx.lookups(tables.grant_key, grant_id=g["id"])]
        keys = {row["compartment"] for row in tx.lookups(tables.case_key, case_id=case)}
        opened = set(vault.holder(SUPERVISOR).open(tx, target))
    return keys, len(given), {row["compartment"] for row in rows}, opened


def test_an_erased_case_leaves_a_tombstone_and_no_key(vault):
    """All at once, without a key; the other case stays, and nobody erases twice."""
    gone, other = a_case(vault), a_case(vault)
    erased(vault, Erasure(gone, vault.team, "schedule"))
    assert left(vault, gone) == (set(), 0, set(), set())
    keys, count, rows, opened = left(vault, other)
    assert keys == rows == opened == tombstones.ALL
    assert count >= 3
    with vault.stores.keyring.writing() as tx:
        erasing_keys.erase(tx, [Erasure(gone, vault.team, "request")], vault.now + 5)
    with vault.stores.keyring.reading() as tx:
        (stone,) = tombstones.find(tx, [gone, other]).values()
        assert {one.reason for one in stone.erased.values()} == {"schedule"}
        assert (stone.case, stone.epoch, stone.is_whole) == (gone, 1, True)
        assert tombstones.cases(tx) == {gone}
        assert tombstones.partial(tx) == {}
    with vault.stores.keyring.writing() as tx:
        assert cards.forget(tx, vault.team, [gone]) == 0
        assert cards.forget(tx, vault.team, [other]) == 1


def test_a_compartment_goes_alone_and_the_last_takes_the_rest(vault):
    """Who held the case goes on opening what is left; with the last one the grants go too."""
    case = a_case(vault)
    erased(vault, Erasure(case, vault.team, "schedule", frozenset({"identity"})))
    keys, count, rows, opened = left(vault, case)
    assert keys == rows == opened == {"narrative", "facts"}
    assert count
    with vault.stores.keyring.reading() as tx:
        assert tombstones.partial(tx) == {case: frozenset({"identity"})}
        assert tombstones.cases(tx) == set()
    erased(vault, Erasure(case, vault.team, "request", frozenset({"narrative", "facts"})))
    assert left(vault, case) == (set(), 0, set(), set())
    with vault.stores.keyring.reading() as tx:
        (stone,) = tombstones.all_(tx)
    assert {name: one.reason for name, one in stone.erased.items()} == {
        "identity": "schedule",
        "narrative": "request",
        "facts": "request",
    }


def test_an_erasure_is_all_or_nothing(vault):
    """One that is cut off leaves every key and no tombstone; a wrong list is refused."""
    case = a_case(vault)
    before = left(vault, case)
    with pytest.raises(CaseVaultError), vault.stores.keyring.writing() as tx:
        erasing_keys.erase(tx, [Erasure(case, vault.team, "schedule")], vault.now)
        raise CaseVaultError
    assert left(vault, case) == before
    for wrong in (
        [Erasure(case, vault.team, "a")] * 2,
        [Erasure(new_id(), vault.team, "a") for _ in range(501)],
    ):
        with pytest.raises(ValueError, match="each case once"), vault.stores.keyring.writing() as t:
            erasing_keys.erase(t, wrong, vault.now)


def test_an_erasure_is_final_when_no_epoch_before_it_is_left(vault, tmp_path):
    """Ordinary rolls: at the second one. Erase now: at once. Never without the capsule."""
    medium = Medium(tmp_path / "medium", vault.stores.roots.keyring_id)
    medium.take()
    first, second = a_case(vault), a_case(vault)

    def finals():
        with vault.stores.keyring.reading() as tx:
            stones = tombstones.find(tx, [first, second])
            return [
                tombstones.is_past(tx, stones[one].epoch)
                for one in (first, second)
                if one in stones
            ]

    erased(vault, Erasure(first, vault.team, "schedule"))
    assert finals() == [False]
    Rolls(vault.stores, medium, 1).roll()
    assert finals() == [False]
    erased(vault, Erasure(second, vault.team, "schedule"))
    Rolls(vault.stores, medium, 1).roll()
    assert finals() == [True, False]
    Rolls(vault.stores, medium, 1).roll(erase_now=True)
    assert finals() == [True, True]


# --- keys without a case -------------------------------------------------------------------------


def orphaned(vault, monkeypatch):
    """Open a case whose data is never committed; return its id."""

    def cut(*_):
        raise CaseVaultError

    with vault.stores.keyring.reading() as tx:
        before = tx.values(tables.case_key, "case_id")
    with monkeypatch.context() as patch:
        patch.setattr(births, "unit_of_work", cut)
        with pytest.raises(CaseVaultError):
            a_case(vault)
    with vault.stores.keyring.reading() as tx:
        (made,) = tx.values(tables.case_key, "case_id") - before
    return made


def test_keys_of_a_case_that_was_never_born_go_after_a_day(vault, monkeypatch):
    """Not before, not those of a case that is there; it is on the log."""
    born, orphan = a_case(vault), orphaned(vault, monkeypatch)
    vault.clock.advance(timedelta(hours=23))
    assert orphans.sweep(vault.stores) == 0
    vault.clock.advance(timedelta(hours=2))
    assert orphans.sweep(vault.stores) == 1
    assert left(vault, orphan) == (set(), 0, set(), set())
    assert left(vault, born)[0] == tombstones.ALL
    assert orphans.sweep(vault.stores) == 0
    assert [e.body.count for e in vault.entries() if e.body.code == "key.orphan"] == [1]


def test_keys_from_before_a_restored_backup_stay(vault, monkeypatch):
    """Their case may be in a newer backup: nothing is removed because data is missing."""
    orphan = orphaned(vault, monkeypatch)
    monkeypatch.setattr(orphans, "AFTER_SECONDS", -1)
    for kind in (milestones.UNSETTLED, milestones.SETTLED):
        with vault.stores.keyring.writing() as tx:
            milestones.note(tx, kind, vault.now)
        assert orphans.sweep(vault.stores) == 0
    assert left(vault, orphan)[0] == tombstones.ALL
    with vault.stores.keyring.writing() as tx:
        milestones.forget(tx, milestones.UNSETTLED)
        milestones.note(tx, milestones.SETTLED, vault.now - 1)
    assert orphans.sweep(vault.stores) == 1


def test_a_case_that_is_born_while_keys_are_swept_stays(vault, monkeypatch):
    """What had no row when the list was made is looked at again under its lock."""
    case = a_case(vault)
    monkeypatch.setattr(orphans, "AFTER_SECONDS", -1)
    monkeypatch.setattr(orphans, "_born", lambda _: set())
    assert orphans.sweep(vault.stores) == 0
    assert left(vault, case)[0] == tombstones.ALL
    with vault.stores.keyring.reading() as tx:
        assert case_keys.of_case(tx, case)
        assert grants.holders_of(tx, case) >= {vault.group(PrincipalKind.RECOVERY).id}
