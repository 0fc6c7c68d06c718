"""The signer: it signs what extends its last note, and remembers that outside the database."""

from __future__ import annotations

import stat

import pytest
from sqlalchemy import delete, select, update

from casevault.crypto.principals import PrincipalSecret, is_raw_signature
from casevault.errors import Tampered
from casevault.ledger.note import open_note, sign_note
from casevault.ledger.tree import Frontier
from casevault.ledger.verify import verify_export
from casevault.store.engine import tables
from casevault.store.log import exporting
from casevault.store.log.checkpoints import STATE_FILE, is_cut
from tests.builders import ORIGIN, an_act
from tests.unit.ledger.reference import some_hashes


def grow(vault, count=5):
    for _ in range(count):
        vault.stores.ledger.record(an_act())
    vault.integrate()


def opened(vault, note):
    key = vault.checkpoints().verifier_key
    return open_note(note, key.name, key.public, is_raw_signature)


def head(vault):
    with vault.stores.data.reading() as connection:
        return dict(connection.execute(select(tables.ledger_head)).mappings().one())


def put_back(vault, row):
    """Put the ledger back to an older head, as a restored backup does."""
    with vault.stores.data.writing() as connection:
        connection.execute(
            delete(tables.ledger_leaf).where(tables.ledger_leaf.c.position >= row["size"])
        )
        connection.execute(update(tables.ledger_head).values(**row))


def refused(vault, code=None):
    state = vault.keys_dir / STATE_FILE
    before = state.read_bytes() if state.exists() else None
    with pytest.raises(Tampered) as caught:
        vault.checkpoints().sign()
    assert code is None or caught.value.code == code
    # A refusal changes nothing: the memory is what it was.
    assert (state.read_bytes() if state.exists() else None) == before


def test_heads_are_signed_as_the_tree_grows(vault):
    """Each note is over the head; an unchanged head gives the note that is there."""
    notes = []
    for size in (0, 5, 10):
        if size:
            grow(vault)
        note = vault.checkpoints().sign()
        checkpoint = opened(vault, note)
        row = head(vault)
        assert checkpoint.size == row["size"] == size
        assert checkpoint.root == Frontier.decode(bytes(row["frontier"])).root()
        assert vault.checkpoints().sign() == note
        notes.append(note)
    with vault.stores.data.reading() as connection:
        kept = connection.execute(
            select(tables.ledger_checkpoint.c.note).order_by(tables.ledger_checkpoint.c.size)
        ).scalars()
        assert [bytes(note) for note in kept] == notes


def test_the_memory_is_private_and_durable(vault):
    """A file beside the keys, 0600, written before the note is released."""
    grow(vault)
    note = vault.checkpoints().sign()
    state = vault.keys_dir / STATE_FILE
    assert state.read_bytes() == note
    assert stat.S_IMODE(state.stat().st_mode) == 0o600


def test_a_rollback_is_refused(vault):
    """A restored older database."""
    grow(vault)
    row = head(vault)
    grow(vault)
    vault.checkpoints().sign()
    put_back(vault, row)
    refused(vault, "ledger-signer-rollback")


def test_a_fork_of_the_same_size_is_refused(vault):
    """Another history of equal length."""
    grow(vault)
    vault.checkpoints().sign()
    other = Frontier().extend(some_hashes(5))
    with vault.stores.data.writing() as connection:
        connection.execute(update(tables.ledger_head).values(frontier=other.encode()))
    refused(vault, "ledger-signer-fork")


def test_a_longer_fork_is_refused(vault):
    """Put back and then grown past the last note: size alone does not help."""
    grow(vault)
    row = head(vault)
    grow(vault)
    vault.checkpoints().sign()
    put_back(vault, row)
    grow(vault, 8)
    assert head(vault)["size"] == 13
    refused(vault)


def test_a_cut_log_is_seen_without_signing(vault):
    """Shorter than it was signed, and grown again over what is lost; not one that only grew."""

    def cut():
        with vault.stores.data.reading() as connection:
            return is_cut(connection, vault.keys_dir, ORIGIN, vault.stores.roots)

    grow(vault)
    assert not cut()
    vault.checkpoints().sign()
    row = head(vault)
    grow(vault)
    assert not cut()
    vault.checkpoints().sign()
    put_back(vault, row)
    assert cut()
    grow(vault, 8)
    assert cut()


def test_an_edited_leaf_hash_is_refused(vault):
    """Rows under the head that do not fit it give no proof."""
    grow(vault)
    vault.checkpoints().sign()
    grow(vault)
    with vault.stores.data.writing() as connection:
        connection.execute(
            update(tables.ledger_leaf)
            .where(tables.ledger_leaf.c.position == 2)
            .values(hash=bytes(32))
        )
    refused(vault)


def test_a_head_that_contradicts_itself_is_refused(vault):
    """Size and frontier belong together."""
    grow(vault)
    with vault.stores.data.writing() as connection:
        connection.execute(update(tables.ledger_head).values(size=4))
    refused(vault, "ledger.head")


def test_a_lost_memory_is_never_a_first_start(vault):
    """The file is gone although notes were signed."""
    grow(vault)
    vault.checkpoints().sign()
    (vault.keys_dir / STATE_FILE).unlink()
    refused(vault, "ledger-signer-state")


def test_a_forged_memory_is_refused(vault):
    """A note by another key, for another origin, or no note."""
    grow(vault)
    note = vault.checkpoints().sign()
    other = PrincipalSecret.generate()
    text = opened(vault, note).encode()
    forged = sign_note(text, ORIGIN, other.public.sign, other.sign_raw)
    for content in (forged, b"", b"no note", note[:-10], note.replace(b"/test", b"/best")):
        (vault.keys_dir / STATE_FILE).write_bytes(content)
        refused(vault)


def test_two_signers_take_turns(vault):
    """Another process goes on where this one ended."""
    first, second = vault.checkpoints(), vault.checkpoints()
    for signer in (first, second, first):
        grow(vault, 1)
        assert opened(vault, signer.sign()).size == head(vault)["size"]


def test_an_export_verifies_offline(vault, tmp_path):
    """Every file is there, the counters are whole, and an older note is extended."""
    grow(vault)
    older = vault.checkpoints().sign()
    vault.stores.ledger.record(*(an_act() for _ in range(290)))
    vault.integrate()
    exporting.write_folder(
        tmp_path / "export", exporting.pieces(vault.stores.data, vault.checkpoints())
    )
    key = vault.checkpoints().verifier_key
    report = verify_export(
        tmp_path / "export",
        key.name,
        key.public,
        lambda public, signature, message: is_raw_signature(public, signature, message),
        older=older,
    )
    assert report.size == 295
    assert not report.gaps


def test_an_export_of_edited_leaves_is_refused(vault):
    """What is exported must be what was signed."""
    grow(vault)
    entry = tables.ledger_entry
    with vault.stores.data.writing() as connection:
        row = connection.execute(select(entry).limit(1)).mappings().one()
        connection.execute(
            update(entry)
            .where(entry.c.id == row["id"])
            .values(leaf=bytes(row["leaf"]).replace(b'"o":0', b'"o":4'))
        )
    with pytest.raises(Tampered):
        dict(exporting.pieces(vault.stores.data, vault.checkpoints()))
