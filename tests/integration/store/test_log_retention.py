"""The log gets old: bodies go, then leaves; each time the tree verifies and nobody can guess."""

from __future__ import annotations

import base64
from datetime import datetime

import pytest
from sqlalchemy import delete, select, update

from casevault.clock import FixedClock
from casevault.crypto.principals import is_raw_signature
from casevault.domain.staff.granting import ObjectKind
from casevault.errors import NotFound, Tampered
from casevault.ledger.entry import Body, commitment, encode_body, parse_leaf
from casevault.ledger.verify import verify_export
from casevault.store.audit.inspection import Inspection
from casevault.store.audit.log_retention import LogRetention
from casevault.store.engine import keyring_tables, tables
from casevault.store.keys import grants
from casevault.store.log import exporting, ledger_reading, proofs, retention_marks
from casevault.store.log.months import month_before, object_ids
from tests.builders import an_act


def record(vault, count):
    """Record ordinary acts in groups, and bring them into the tree."""
    for start in range(0, count, 200):
        vault.stores.ledger.record(*(an_act() for _ in range(min(200, count - start))))
    vault.integrate()


def at(vault, text):
    """Set the vault's clock."""
    clock: FixedClock = vault.clock
    clock.advance(datetime.fromisoformat(text + "T12:00:00+00:00") - clock.now())


def retention(vault):
    """Return the retention of a vault: bodies a month, leaves two.

    Years would outlast what the people of the ceremony are vouched for.
    """
    work = LogRetention(vault.stores, vault.stores.data, 1, 2)
    assert (work._audit, work._leaf) == (12, 24)
    work._audit, work._leaf = 1, 2
    return work


def verified(vault, folder, older=None, **options):
    """Export the log and verify it offline; return the report."""
    vault.integrate()
    signing = vault.checkpoints()
    exporting.write_folder(folder, exporting.pieces(vault.stores.data, signing))
    key = signing.verifier_key
    return verify_export(folder, key.name, key.public, is_raw_signature, older=older, **options)


def inspected(vault):
    """Look through the database."""
    vault.integrate()
    with vault.stores.data.reading() as connection:
        return Inspection(vault.stores, connection, vault.checkpoints()).run()


def test_months_before():
    """Over the end of a year, and many years."""
    assert month_before("2026-03") == "2026-02"
    assert month_before("2026-01") == "2025-12"
    assert month_before("2026-11", 72) == "2020-11"


def test_the_stages(vault, tmp_path):
    """Nothing, then the bodies of the first month, then its whole bundles: the tree stays."""
    record(vault, 300)
    at(vault, "2026-12-20")
    record(vault, 300)
    older = vault.checkpoints().sign()
    work = retention(vault)
    assert (work.due().months, work.due().leaves) == ((), 0)
    with vault.stores.data.reading() as connection:
        (first, *_) = connection.execute(
            select(tables.ledger_entry).where(tables.ledger_entry.c.month == "2026-11").limit(1)
        ).all()
    month = vault.stores.months.kept()[-1]
    assert month.month == "2026-11"

    at(vault, "2027-01-20")
    done = work.run()
    assert (done.months, done.leaves) == (("2026-11",), 0)
    assert (work.run().months, work.run().leaves) == ((), 0)
    report = verified(vault, tmp_path / "bodies", older)
    assert (report.size, report.retired, report.older) == (601, 0, 600)
    found = inspected(vault)
    assert (found.gaps, found.retired) == ((), 0)
    with vault.stores.data.reading() as connection:
        left = connection.execute(
            select(tables.ledger_body.c.entry_id).where(tables.ledger_body.c.entry_id == first.id)
        ).all()
        assert left == []
        # With the month's key in an attacker's hand there is nothing left to open.
        opened = ledger_reading.entries(
            connection, vault.stores.roots, vault.stores.organisation, month, limit=1000
        )
        assert opened == []
    with vault.stores.keyring.reading() as tx:
        assert "2026-11" not in object_ids(tx)
        kept = {row.lookup["object_id"] for row in tx.find(keyring_tables.grant)}
        assert month.object_id not in kept
        assert grants.all_of_kind(tx, ObjectKind.MONTH)

    at(vault, "2027-02-20")
    done = work.run()
    assert done.months == ("2026-12",)
    assert done.leaves == 256
    report = verified(vault, tmp_path / "leaves", older, retired=256)
    assert (report.size, report.retired, report.older) == (603, 256, 600)
    with pytest.raises(Tampered):
        verified(vault, tmp_path / "unexpected", older, retired=0)
    found = inspected(vault)
    assert (found.gaps, found.retired) == ((), 256)
    with vault.stores.data.reading() as connection, pytest.raises(NotFound):
        proofs.prove(connection, 0, vault.checkpoints().sign())
    with vault.stores.data.reading() as connection:
        proofs.prove(connection, 256, vault.checkpoints().sign())
    codes = [entry.body.code for entry in vault.entries()]
    assert sorted(codes) == ["ledger.expire", "ledger.retire"]


def test_an_erased_body_cannot_be_confirmed(vault):
    """Even by who knows every word of it: without the salt the commitment fits nothing."""
    act = an_act("case.list", count=7)
    vault.stores.ledger.record(act)
    vault.integrate()
    (entry,) = vault.entries()
    guess: Body = entry.body
    leaf = parse_leaf(entry.leaf_bytes)
    wanted = base64.urlsafe_b64decode(leaf.b + "=")
    assert commitment(entry.salt, encode_body(guess)) == wanted, "with the salt it would"
    at(vault, "2027-01-20")
    retention(vault).run()
    remains = []
    with vault.stores.data.reading() as connection:
        for table in tables.data.sorted_tables:
            for row in connection.execute(select(table)):
                remains += [bytes(v) for v in row if isinstance(v, bytes)]
    with vault.stores.keyring.reading() as tx:
        remains += [row.content for row in tx.find(keyring_tables.month_key)]
    body = encode_body(guess)
    assert not any(entry.salt in one for one in remains)
    for one in remains:
        for start in range(0, max(len(one) - 31, 0)):
            assert commitment(one[start : start + 32], body) != wanted


def test_what_others_removed_is_no_retention(vault):
    """A deleted body or bundle without the service's mark, and a mark of somebody else's."""
    record(vault, 300)
    subject, body = tables.ledger_subject, tables.ledger_body
    with vault.stores.data.opened_for_writing() as connection:
        connection.execute(delete(subject))
        connection.execute(delete(body))
        with pytest.raises(Tampered):
            Inspection(vault.stores, connection, vault.checkpoints()).run()
        retention_marks.mark_month(connection, vault.stores.roots, "2026-11")
        assert Inspection(vault.stores, connection, vault.checkpoints()).run().gaps == ()
        connection.execute(update(tables.ledger_retention).values(value="2026-12"))
        with pytest.raises(Tampered):
            Inspection(vault.stores, connection, vault.checkpoints()).run()
        connection.rollback()


def test_bodies_hold_no_address():
    """So that there is nothing of that kind to remove after ninety days."""
    names = set(Body.__dataclass_fields__)
    assert not names & {"address", "network", "ip", "host", "agent", "device"}
