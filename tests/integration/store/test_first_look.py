"""An audited look asks each store once; what it read at two moments must never pass for one."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy import select, update

from casevault.domain.case.casefile import DocumentKind
from casevault.errors import Tampered
from casevault.services.casework.casework import Casework
from casevault.store.case import documents, first_look
from casevault.store.context.caller import Gate
from casevault.store.engine import tables
from tests.integration.store.test_caseload import opened, statements, supervisor

__all__ = ["supervisor"]
IDENTITY = DocumentKind.IDENTITY


@pytest.fixture
def casework(vault):
    """Give the use cases of one case."""
    return Casework(vault.stores, Gate(vault.stores, "passphrase"))


@pytest.fixture
def case(vault, supervisor):
    """Give a case."""
    return opened(vault, supervisor, 1)[0]


@pytest.fixture
def large(monkeypatch):
    """Let every compartment be one whose documents do not fit into the first look."""
    at = first_look.at

    def without(*where):
        return replace(at(*where), documents={})

    monkeypatch.setattr(first_look, "at", without)


def entry_of(vault):
    """Return how many statements an entry is; on SQLite it takes its place in the tree at once."""
    return 6 if vault.stores.data.is_sqlite else 1


def test_a_look_asks_each_store_once(vault, supervisor, casework, case):
    """The case with its document, the keys, the entry: three statements on PostgreSQL."""
    casework.read_document(supervisor, case, IDENTITY)
    found, asked = statements(vault, lambda: casework.read_document(supervisor, case, IDENTITY))
    assert found.content == {"name_to_use": "Testperson 0"}
    assert asked == 2 + entry_of(vault)


@pytest.mark.usefixtures("large")
def test_documents_that_did_not_fit_are_asked_for(vault, supervisor, casework, case):
    """By what the manifest names, in one statement more."""
    casework.read_document(supervisor, case, IDENTITY)
    found, asked = statements(vault, lambda: casework.read_document(supervisor, case, IDENTITY))
    assert found.content == {"name_to_use": "Testperson 0"}
    assert asked == 3 + entry_of(vault)


@pytest.mark.usefixtures("large")
def test_a_write_between_two_statements_is_no_tampering(
    vault, supervisor, casework, case, monkeypatch
):
    """Who reads while somebody writes gets what was there before or after it, and no alarm."""
    read, written = documents.sealed_documents, []

    def overtaken(*where):
        if not written:
            written.append({"name_to_use": "Testperson Again"})
            casework.amend_document(supervisor, case, IDENTITY, written[0], 1)
        return read(*where)

    monkeypatch.setattr(documents, "sealed_documents", overtaken)
    found = casework.read_document(supervisor, case, IDENTITY)
    assert written
    # SQLite's two statements are of one moment.
    expected = {"name_to_use": "Testperson 0"} if vault.stores.data.is_sqlite else written[0]
    assert found.content == expected


def test_what_was_changed_by_hand_alarms_once(vault, supervisor, casework, case, monkeypatch):
    """A document that does not open is looked at twice, and recorded once."""
    row, recorded = tables.document, []
    here = (row.c.case_id == case, row.c.compartment == "identity")
    with vault.stores.data.writing() as connection:
        sealed = bytes(connection.execute(select(row.c.sealed).where(*here)).scalar_one())
        changed = sealed[:-1] + bytes([sealed[-1] ^ 1])
        connection.execute(update(row).where(*here).values(sealed=changed))
    monkeypatch.setattr(vault.stores.ledger, "record", lambda *acts: recorded.extend(acts))
    with pytest.raises(Tampered):
        casework.read_document(supervisor, case, IDENTITY)
    assert [(act.code, act.outcome) for act in recorded] == [("case.read", 8)]
