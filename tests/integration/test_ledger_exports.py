"""Entries of a log that was closed leave with proofs of their own, beside those of the next one."""

from __future__ import annotations

import io
import json
from dataclasses import replace

import pytest

from casevault.crypto.principals import is_raw_signature
from casevault.domain.staff.access import Role
from casevault.ledger import evidence
from casevault.ledger.evidence import LOG_SPAN
from casevault.services.audit.ledger_exports import Format, LedgerExports
from casevault.services.audit.oversight import Oversight
from casevault.store.audit.ledger_query import Query
from casevault.store.context.caller import Gate
from casevault.store.log import incidents, tree
from casevault.store.log.checkpoints import Checkpoints
from tests.builders import AUDITOR, ORIGIN, a_vault, an_act

NEXT = "example.org/casevault/next"


@pytest.fixture
def vault(reserved, tmp_path):
    """Give a vault whose log was closed and followed by another."""
    made = a_vault(reserved, tmp_path)
    made.stores.ledger.record(*(an_act("key.roll", count=n) for n in range(5)))
    made.integrate()
    made.checkpoints().sign()
    # What a restore brings and nobody signed any more: no checkpoint of this log covers it.
    made.stores.ledger.record(an_act("key.drill"))
    made.integrate()
    with made.stores.data.writing() as connection:
        grown = tree.begin_next(connection)
        # What two people sign in earnest (`services.reopening`); here only its name counts.
        incidents.put(connection, grown.log, json.dumps({"opened": NEXT}).encode())
    made.stores.ledger.record(*(an_act("key.roll", count=n) for n in range(5, 9)))
    made.integrate()
    yield made
    made.close()


def auditor(vault):
    """Return the auditor, who gave the passphrase just now."""
    caller = vault.caller(AUDITOR, Role.AUDITOR)
    return replace(caller, actor=replace(caller.actor, fresh=True))


def exports_of(vault, folder):
    """Return the exports of the log that is open now."""
    folder.mkdir()
    signer = Checkpoints(vault.stores.data, vault.stores.roots, NEXT, folder)
    return LedgerExports(vault.stores, Gate(vault.stores, "passphrase"), signer.sign, NEXT)


def test_what_no_checkpoint_covers_is_left_out_and_counted(vault, tmp_path):
    """The rest of the month leaves all the same, and the end says how many are missing."""
    pieces = exports_of(vault, tmp_path / "next").export(auditor(vault), Query(), Format.JSONL)
    found, done = [], None
    while done is None:
        try:
            found += next(pieces).splitlines()
        except StopIteration as end:
            done = end.value
    codes = [json.loads(json.loads(line)["body"])["code"] for line in found]
    assert (done, codes.count("key.drill"), codes.count("key.roll")) == (1, 0, 9)
    asked = Oversight(vault.stores, Gate(vault.stores, "passphrase"))
    ends = asked.query(auditor(vault), Query(code="audit.export_end")).items
    assert "unproven:1" in ends[0].entry.body.filters


def test_each_entry_is_proven_in_its_own_log(vault, tmp_path):
    """By the note of the closed log and by the newest one; positions say which."""
    exports = exports_of(vault, tmp_path / "next")
    pieces = exports.export(auditor(vault), Query(code="key.roll"), Format.JSONL)
    lines = b"".join(pieces).splitlines(keepends=True)
    assert len(lines) == 9
    places = [json.loads(line)["position"] for line in lines]
    assert [place // LOG_SPAN for place in places] == [1] * 4 + [0] * 5
    public = vault.stores.roots.principal("ledger").public.sign
    for line, place in zip(lines, places, strict=True):
        origin = NEXT if place >= LOG_SPAN else ORIGIN
        assert evidence.check_lines(io.BytesIO(line), origin, public, is_raw_signature)[0] == 1


def test_questions_go_through_both_logs(vault):
    """Newest first, by time too: one log follows the other."""
    asked = Oversight(vault.stores, Gate(vault.stores, "passphrase"))
    now = vault.clock.now()
    query = Query(code="key.roll", since=now.replace(hour=0), until=now.replace(hour=23))
    found = asked.query(auditor(vault), query).items
    assert sorted(one.entry.body.count for one in found) == list(range(9))
    assert {one.entry.position // LOG_SPAN for one in found} == {0, 1}
