"""A log that lost signed entries in a restore: the origin is closed, the next one begins."""

from __future__ import annotations

import json

import pytest
from sqlalchemy import insert, select, update

from casevault.crypto.principals import is_raw_signature
from casevault.domain.staff.access import Role
from casevault.errors import CaseVaultError, Misconfigured, NotFound, Refused, Tampered
from casevault.ledger.note import Checkpoint, unverified_checkpoint
from casevault.ledger.proof import verify_proof
from casevault.ledger.tree import leaf_hash
from casevault.ledger.verify import verify_export
from casevault.store.audit import reopening
from casevault.store.audit.inspection import Inspection
from casevault.store.engine import milestones, tables
from casevault.store.log import exporting, proofs, tree
from casevault.store.log.tile_rows import start_of
from tests.builders import DPO, ORIGIN, SUPERVISOR, an_act
from tests.integration.restoring import Copies

NEXT = ORIGIN + "b"


@pytest.fixture
def copies(vault, tmp_path, pg_programs):
    """Give a vault with a signed log, that can be put back."""
    folder = tmp_path / "copies"
    folder.mkdir()
    return Copies(vault, folder, pg_programs)


def record(vault, count):
    """Record some acts and bring them into the tree."""
    vault.stores.ledger.record(*(an_act() for _ in range(count)))
    vault.integrate()


def lost(copies, after=30):
    """Sign, copy, go on and sign again, then put the copy back; return the last note."""
    vault = copies.vault
    record(vault, 200)
    vault.older = vault.checkpoints().sign()
    copy = copies.take()
    record(vault, after)
    note = vault.checkpoints().sign()
    copies.put_back(copy)
    return note


def test_the_next_origin_begins_where_two_people_said_so(copies, tmp_path):
    """Entry 0 names the last checkpoint; both logs verify, each under its name."""
    vault = copies.vault
    last = unverified_checkpoint(lost(copies))
    with pytest.raises(CaseVaultError):
        vault.checkpoints().sign()
    found = copies.settle_with_two()
    assert found.log.missing > 0
    for origin in (ORIGIN, NEXT):
        with pytest.raises(Tampered):
            vault.checkpoints(origin).sign()
    with pytest.raises(Misconfigured):
        reopening.reopen(vault.stores, vault.checkpoints())

    note = json.loads(reopening.reopen(vault.stores, vault.checkpoints(NEXT)))
    assert note["closed"]["origin"] == ORIGIN
    assert (note["closed"]["size"], note["opened"]) == (last.size, NEXT)
    assert 200 < note["kept"]["size"] < last.size

    record(vault, 300)
    signing = vault.checkpoints(NEXT)
    first = signing.sign()
    with vault.stores.data.reading() as connection:
        assert tree.current(connection).log == 1
        entry_note = proofs.note_for(connection, start_of(1), first)
        proof = proofs.prove(connection, start_of(1), entry_note)
        old = proofs.prove(connection, 7, proofs.note_for(connection, 7, first))
        with pytest.raises(NotFound):
            proofs.note_for(connection, note["kept"]["size"] - 1, first)
        Inspection(vault.stores, connection).run()
    key = signing.verifier_key
    head = verify_proof(proof, leaf_hash(proof.extra), NEXT, key.public, is_raw_signature)
    assert (proof.index, head.size) == (0, 301)
    verify_proof(old, leaf_hash(old.extra), ORIGIN, key.public, is_raw_signature)

    (entry,) = [one for one in vault.entries() if one.body.code == "ledger.reopen"]
    links = dict(entry.body.links)
    assert (links["closed.size"], links["closed.origin"]) == (str(last.size), ORIGIN)
    month = vault.stores.months.current()
    with vault.stores.data.reading() as connection:
        shown = proofs.shown(connection, vault.stores.organisation, month, entry.id)
    assert (shown.position, shown.salt, shown.body) == (start_of(1), entry.salt, entry.body_bytes)

    folder = tmp_path / "export"
    exporting.write_folder(folder, exporting.pieces(vault.stores.data, signing))
    report = verify_export(folder, NEXT, key.public, is_raw_signature, older=first)
    assert (report.size, report.origin) == (301, NEXT)
    with vault.stores.data.reading() as connection:
        assert Inspection(vault.stores, connection, signing).run().log == 1
    assert_closed_log_is_watched(vault, signing, note["kept"]["size"])


def assert_closed_log_is_watched(vault, signing, size):
    """Assert that a change below or past the head that was left is found, by both looks."""
    entry, leaf, incident = tables.ledger_entry, tables.ledger_leaf, tables.ledger_incident
    some = select(leaf.c.entry_id).where(leaf.c.position == size // 2).scalar_subquery()
    first = select(leaf.c.entry_id).where(leaf.c.position == start_of(1)).scalar_subquery()
    attacks = [
        update(entry).where(entry.c.id == some).values(tag=bytes(36)),
        update(leaf).where(leaf.c.position == size - 1).values(position=size),
        update(leaf).where(leaf.c.position == size - 1).values(hash=bytes(32)),
        update(leaf).where(leaf.c.entry_id == first).values(position=size),
        insert(tables.ledger_tile).values(level=0, number=7, hashes=bytes(8192), root=bytes(32)),
        update(incident).where(incident.c.log == 1).values(note=b'{"v":1,"opened":"x"}'),
    ]
    for attack in attacks:
        with vault.stores.data.opened_for_writing() as connection:
            connection.execute(attack)
            for heads in (signing, None):
                with pytest.raises(Tampered):
                    Inspection(vault.stores, connection, heads).run()
            connection.rollback()


def test_a_log_that_grew_past_what_was_signed_is_closed_too(copies):
    """One entry lost, several written since: the size tells nothing, the two people's word does."""
    vault = copies.vault
    lost(copies, after=1)
    record(vault, 20)
    assert copies.settle_with_two().log.missing == 0
    with pytest.raises(CaseVaultError):
        vault.checkpoints().sign()
    reopening.reopen(vault.stores, vault.checkpoints(NEXT))
    record(vault, 1)
    assert unverified_checkpoint(vault.checkpoints(NEXT).sign()).size == 2


def test_without_two_people_nothing_is_closed(copies):
    """Neither before anybody signed, nor after one, nor with a forged milestone."""
    vault = copies.vault
    last = unverified_checkpoint(lost(copies))
    found = copies.settle()
    for attempt in range(3):
        if attempt == 1:
            assert not copies.sign(SUPERVISOR, Role.SUPERVISOR, found)
        if attempt == 2:
            with vault.stores.keyring.writing() as tx:
                milestones.note(tx, milestones.LOG_LOST, last.size)
        with pytest.raises(Refused):
            reopening.reopen(vault.stores, vault.checkpoints(NEXT))
    assert copies.sign(DPO, Role.DPO, found)
    with vault.stores.data.writing() as connection:
        table = tables.ledger_incident
        good = connection.execute(table.select()).one().note
        other = json.dumps({"v": 1, "approval": "AAAA"}).encode()
        connection.execute(update(table).values(note=other))
    with pytest.raises(Tampered):
        reopening.reopen(vault.stores, vault.checkpoints(NEXT))
    with vault.stores.data.writing() as connection:
        connection.execute(update(table).values(note=good))
    reopening.reopen(vault.stores, vault.checkpoints(NEXT))


def test_it_can_be_cut_off_and_run_again(copies, monkeypatch):
    """After the log was begun and before the memory was put aside: nothing is written twice."""
    vault = copies.vault
    lost(copies)
    copies.settle_with_two()
    signing = vault.checkpoints(NEXT)
    with monkeypatch.context() as patch:
        patch.setattr(type(signing.signer), "archive", lambda _self: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            reopening.reopen(vault.stores, signing)
    with pytest.raises(Tampered):
        vault.checkpoints(NEXT).sign()
    note = reopening.reopen(vault.stores, vault.checkpoints(NEXT))
    assert json.loads(note)["opened"] == NEXT
    vault.integrate()
    codes = [entry.body.code for entry in vault.entries()]
    assert codes.count("ledger.reopen") == 1


def test_a_closed_origin_is_never_signed_again(copies):
    """Not by its old name, not by a third one, not with the incident taken away."""
    vault = copies.vault
    lost(copies)
    copies.settle_with_two()
    reopening.reopen(vault.stores, vault.checkpoints(NEXT))
    for origin in (ORIGIN, ORIGIN + "c"):
        with pytest.raises(CaseVaultError):
            vault.checkpoints(origin).sign()
    from casevault.ledger.asking import Ask

    old = vault.checkpoints()
    (vault.keys_dir / "ledger-signer.note").rename(vault.keys_dir / "away")
    with pytest.raises(Tampered) as caught:
        old.signer.sign(Ask(0, (), Checkpoint(ORIGIN, 5, bytes(32))))
    assert caught.value.code == "ledger-signer-closed"
    (vault.keys_dir / "away").rename(vault.keys_dir / "ledger-signer.note")
    with vault.stores.data.writing() as connection:
        connection.execute(update(tables.ledger_incident).values(note=b"rubbish"))
    with pytest.raises(Tampered):
        vault.checkpoints(NEXT).sign()
