"""The state machine of `machine.py`, run by hypothesis; and proof that it can fail.

The gate runs a few stories of thirty steps; `make test-all FUZZ=1` runs some hundred longer ones.
"""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import settings

from casevault.domain.case.records import Record, Redaction
from casevault.services.casework import links
from casevault.store.case import documents
from casevault.store.casework import handing, rekeying
from casevault.store.keys.keyholder import KeyHolder
from casevault.store.log.ledger import Ledger
from tests.property.machine import Casefiles
from tests.property.model import ALL, SUPERVISOR

Casefiles.TestCase.settings = settings(max_examples=max(4, settings().max_examples // 25))
TestCasefiles = Casefiles.TestCase


# --- planted violations --------------------------------------------------------------------------


def any_version(amend):
    """Return an amendment that never finds a version stale."""

    def careless(*args):
        *others, manifest, key, row, content, _ = args
        listed = manifest.of_row(row)
        return amend(*others, manifest, key, row, content, listed.version)

    return careless


def nothing_redacted(_redacted):
    """Return a redaction that leaves a trace and takes nothing out."""
    return lambda record, _passage, _texts, by, at, reason: replace(
        record, redactions=(*record.redactions, Redaction(by, at, reason))
    )


def keys_of_another(open_):
    """Return a key ring of which the supervisors' one opens for everybody."""
    known = {}

    def opening(holder, *args):
        found = open_(holder, *args)
        if found:
            known[args[1].id] = found
        return found or known.get(args[1].id, {})

    return opening


def unnoticed(steps):
    """Make steps as hypothesis would, and everything that is checked at the end."""
    machine = Casefiles()
    try:
        machine.open(who="amal", name="Azure", text="Azure Birch")
        steps(machine)
        for case in machine.cases:
            machine.check_reads("amal", case)
            machine.check_reads("boris", case)
    finally:
        machine.vault.close()
        machine._folder.cleanup()


def a_redaction(machine):
    """Add and redact."""
    machine.add(who="amal", place=0, kind="note", text="Cedar Azure")
    machine.redact(who="amal", place=0, passage="Cedar")


def the_same_link_twice(machine):
    """Open another case and link it."""
    machine.open(who="amal", name="Azure", text="Azure")
    for _ in range(2):
        machine.link(who="amal", place=0, step=0, kind="family")


def a_refused_colleague(machine):
    """Refuse and assign."""
    machine.refuse(who="amal", place=0, to="boris")
    machine.assign(who=SUPERVISOR, place=0, to="boris", parts=frozenset(ALL))


def a_revocation(machine):
    """Assign and revoke."""
    machine.assign(who=SUPERVISOR, place=0, to="boris", parts=frozenset(ALL))
    machine.revoke(who=SUPERVISOR, place=0, to="boris")


def an_old_version(machine):
    """Amend what was amended."""
    machine.amend_identity(who="amal", place=0, name="Birch", stale=True)


def nothing_more(_machine):
    """Only read."""


@pytest.mark.parametrize(
    ("steps", "where", "name", "plant"),
    [
        (an_old_version, documents, "amend_document", any_version),
        (a_redaction, Record, "redacted", nothing_redacted),
        (nothing_more, KeyHolder, "open", keys_of_another),
        (nothing_more, Ledger, "record", lambda _: lambda *_: None),
        (the_same_link_twice, links, "_check_new", lambda _: lambda *_: None),
        (a_refused_colleague, handing, "check_not_refused", lambda _: lambda *_: None),
        (a_revocation, rekeying, "renew", lambda _: lambda *_, **__: None),
    ],
)
def test_a_planted_fault_is_found(monkeypatch, steps, where, name, plant):
    """The machine can fail: the same steps pass without the fault."""
    unnoticed(steps)
    monkeypatch.setattr(where, name, plant(getattr(where, name)))
    with pytest.raises(AssertionError):
        unnoticed(steps)
