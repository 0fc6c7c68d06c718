"""SECURITY.md speaks of every table whose plain columns say something about people or cases."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

FILE = Path(__file__).parent / "columns.json"
PAGE = Path(__file__).parents[2] / "SECURITY.md"

# The words by which the page tells what the plain columns of a table show. None: nothing that the
# page does not say of another table already, or digests, which tell only how many there are.
SAID: dict[str, str | None] = {
    "data.audit_record": "alerts, sign-offs, tallies and released lists",
    "data.case_file": "month of opening, next review and due",
    "data.certificate": "certificates of erasure, whole",
    "data.document": "which documents belong to which case",
    "data.idempotency": "`Idempotency-Key`",
    "data.file_piece": "which case has attached files, how many and of which size",
    "data.import_line": "how many lines were imported",
    "data.ledger_body": None,
    "data.ledger_checkpoint": None,
    "data.ledger_entry": "the log's leaves with hour, category and",
    "data.ledger_head": None,
    "data.ledger_incident": "why an origin was closed",
    "data.ledger_leaf": None,
    "data.ledger_pending": None,
    "data.ledger_retention": "which months of the log were retired",
    "data.ledger_subject": "pseudonyms on log entries",
    "data.ledger_tile": None,
    "data.ledger_writer": "writers of the log with host id and process number",
    "data.manifest": None,
    "data.private_object": "drafts, refused imports and feeds there are",
    "data.quarantine": "put aside because their keys are missing",
    "data.register_entry": "the programme register, whole",
    "data.release_payload": "files of releases",
    "data.search_card": "many search cards each team has",
    "data.store_identity": "ids of organisation and keyring",
    "keyring.access_grant": "who holds a grant on which",
    "keyring.access_grant_key": None,
    "keyring.access_request": "asked for access",
    "keyring.approval": "waiting for a second",
    "keyring.break_glass": "somebody broke",
    "keyring.arrival": "came in from outside",
    "keyring.card_keys": "card keys lie",
    "keyring.case_key": "versions of keys a case has had",
    "keyring.counting_keys": None,
    "keyring.collect_page": "letters behind a link",
    "keyring.deadline": "must be done in time",
    "keyring.device": "known devices",
    "keyring.enrolment": "one-time code",
    "keyring.envelope": None,
    "keyring.failure": "in which minutes sign-ins",
    "keyring.guess": None,
    "keyring.intent": "was begun and is not finished",
    "keyring.keyring_identity": "how often the service was started",
    "keyring.keyring_trust": None,
    "keyring.lockdown": "locked down",
    "keyring.matter": "a legal hold, a restriction, an objection, a request or a complaint",
    "keyring.milestone": None,
    "keyring.month_key": None,
    "keyring.partner": "partners",
    "keyring.principal": "ids of people, groups, teams",
    "keyring.privacy_charge": "privacy was spent",
    "keyring.recovery_envelope": "a recovery code",
    "keyring.release": "releases there are",
    "keyring.retention_schedule": "versions the retention schedule has",
    "keyring.revocation": None,
    "keyring.search_count": "who has searched lately",
    "keyring.second_factor": "kinds of second factors",
    "keyring.session": "sessions",
    "keyring.staff": "names\nand logins included",
    "keyring.team": "ids of people, groups, teams",
    "keyring.tombstone": "which ids were erased",
    "keyring.vouch": "how many vouches",
}


def silent(page: str, said: dict[str, str | None]) -> set[str]:
    """Return the tables of whose words the page has none."""
    flat = _flat(page)
    return {table for table, words in said.items() if words and _flat(words) not in flat}


def _flat(text: str) -> str:
    return " ".join(text.split()).casefold()


def test_every_table_is_spoken_of():
    """A new table needs a decision here: what a dump of it shows, and where the page says so."""
    assert set(SAID) == set(json.loads(FILE.read_text()))
    assert silent(PAGE.read_text(), SAID) == set()


def repeated(page: str) -> set[str]:
    """Return the lines that stand twice, as a merge that kept both sides leaves them."""
    lines = [line for line in page.splitlines() if len(line) > 30]
    return {line for line in lines if lines.count(line) > 1}


def test_nothing_is_said_twice():
    """One list, whoever added to it."""
    assert repeated(PAGE.read_text()) == set()
    assert PAGE.read_text().count("The keyring shows in plain") == 1
    assert repeated("- a line that is long enough to be one of them\n" * 2) != set()


@pytest.mark.parametrize("table", ["data.case_file", "keyring.tombstone"])
def test_a_page_that_keeps_quiet_is_found(table):
    """The check can fail."""
    page = _flat(PAGE.read_text()).replace(_flat(str(SAID[table])), "")
    assert table in silent(page, SAID)
