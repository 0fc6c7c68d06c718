"""Every column of the data store, changed by SQL: what is read then is refused, never believed.

Walked over the schema, so that a new table or column fails here until somebody says who finds a
change of it, or why nobody needs to. Columns of the keyring are walked the same way in
tests/integration/store/test_keyring.py; the two of its tables that are not sealed, below.
"""

from __future__ import annotations

import itertools
import re
from contextlib import contextmanager
from dataclasses import dataclass, field
from uuid import UUID

import pytest
from sqlalchemy import Boolean, Integer, LargeBinary, Uuid, select, update

from casevault import bootstrap
from casevault.errors import CaseVaultError, Conflict
from casevault.store.audit.inspection import Inspection
from casevault.store.engine import keyring_tables, stamps, tables
from casevault.store.log import retention_marks
from casevault.store.recovery import identity
from tests.api.world import an_identity
from tests.builders import an_act
from tests.security.interface import Ask, Stage, operations, request_for, send
from tests.security.stored import databases

WORD = "Colomba Columned-Madeup"
# Tables of what people read, each with an operation that shows it.
READ = {
    "case_file": "read_identity",
    "document": "read_identity",
    "manifest": "read_identity",
    "file_piece": "read_file",
    "search_card": "search_people",
    "private_object": "read_draft",
    "audit_record": "read_alert",
    "register_entry": "read_register_entry",
    "release_payload": "read_release_file",
    "idempotency": "open_case",
}
# Tables of the log: an inspection finds a change of any of them.
LOG = {
    "ledger_entry",
    "ledger_body",
    "ledger_subject",
    "ledger_leaf",
    "ledger_tile",
    "ledger_head",
    "ledger_checkpoint",
    "ledger_retention",
}
# Tables that say which vault this is: nothing starts on those of another, or on older ones.
VAULT = {"store_identity", "keyring_identity"}
# What may be changed unseen, each with the reason why nothing false is read then.
FREE = {
    "private_object.erase_after": "its author alone opens it; who can write can delete, or copy",
    "audit_record.erase_after": "the auditors alone open it; who can write can delete, or copy",
    "file_piece.number": "the order of pieces, which the stream knows: tests/unit/crypto",
    "file_piece.compartment": "which erasure takes the rows; what they hold ends with its key",
    "import_line.line": "an HMAC: changed, it is nobody's line, as if it had been deleted",
    "import_line.became": "the same: the line outlives its case, and says nothing",
    "idempotency.key": "an HMAC: changed, it is nobody's request, as if it had been deleted",
    "release_payload.id": "files that lack are drawn again from the keyring's numbers",
    "release_payload.cohort_year": "who can write can delete the row; added, a release is refused",
    "quarantine.case_id": "opens nothing: a note that keys are missing, made anew every night",
    "quarantine.since": "a month in a report",
    "certificate.id": "in the signed text once more: `certificate verify`",
    "certificate.body": "signed, and shown to who verifies it: tests/unit/ledger",
    "ledger_incident.log": "its approval names it: tests/integration/test_settling.py",
    "ledger_incident.note": "holds what two people signed: tests/integration/test_settling.py",
    "ledger_pending.entry_id": "what is staged: tests/security/test_ledger_attacks.py",
    "ledger_pending.staged_at": "the order in which entries get their places, which is nobody's",
    "ledger_writer.writer": "whose tail is closed at the next start; counters show what lacks",
    "ledger_writer.host": "the same",
    "ledger_writer.process": "the same",
    "ledger_writer.closed": "the same",
    "store_identity.id": "a row of its own: another number is the same row",
    "store_identity.generation": "lowered, an older keyring passes: its rows open only under"
    " epochs that are still there",
    "keyring_identity.id": "a row of its own: another number is the same row",
    "keyring_identity.generation": "raised, the same",
    "keyring_identity.epoch": "epochs that there are not: no row opens, tests/integration/store",
    "keyring_trust.id": "a row of its own: another number is the same row",
    "keyring_trust.version": "kept, a process believes what it checked a minute ago",
}


@dataclass
class Filled:
    """A world in which each table that people read holds something."""

    world: object
    stage: Stage
    asks: dict[str, Ask] = field(default_factory=dict)

    def __post_init__(self):
        self.by_id = {one.id: one for one in operations(self.world.client)}
        for name in set(READ.values()):
            self.stage.by = self.by_id[name].who
            self.asks[name] = request_for(self.by_id[name], self.stage)
        self.asks["search_people"] = Ask(body={"name": WORD})
        key = {"Idempotency-Key": "made-up-and-used-once"}
        self.asks["open_case"] = Ask(body={"identity": an_identity()}, headers=key)

    def answer(self, name):
        """Send what shows a table."""
        operation = self.by_id[name]
        return send(self.world, operation, self.stage, self.asks[name], operation.who)

    def shows(self, table):
        """Say whether a table's content is given out, or taken for what it says."""
        answer = self.answer(READ[table])
        if READ[table] == "search_people":
            return self.stage.case in answer.text
        # Of a file the length is told before its bytes are opened: none of them must follow.
        return answer.status_code < 400 and answer.content != b""

    def holds(self, table):
        """Say whether all that depends on a table goes on as if nothing had happened."""
        if table in READ:
            return self.shows(table)
        return starts(self.world) if table in VAULT else is_whole(self.world)


def is_whole(world):
    """Say whether the log passes an inspection."""
    stores = world.vault.stores
    signing = bootstrap.checkpoints(world.settings, stores)
    try:
        with stores.data.reading() as connection:
            return not Inspection(stores, connection, signing).run().gaps
    except CaseVaultError:
        return False


def starts(world):
    """Say whether these stores are taken for the vault's own."""
    stores = world.vault.stores
    try:
        identity.check(
            stores.data, stores.keyring.database, stores.roots, world.settings.organisation_id
        )
    except CaseVaultError:
        return False
    return True


def others(column, rows):
    """Yield for each row another value of a column: edited, cut off, or that of another row."""
    values = [row[column.name] for row in rows]
    yield [another(column, value) for value in values]
    if isinstance(column.type, LargeBinary):
        yield [flipped(value, 0) for value in values]
        yield [value[:-1] for value in values]
    if isinstance(column.type, Integer) and not isinstance(column.type, Boolean):
        yield [(value or 3) - 1 for value in values]
    if len({*values}) == len(values) > 1 and not column.primary_key and not column.unique:
        yield [*values[1:], values[0]]


def flipped(value, place):
    """Return bytes with one bit changed."""
    raw = bytearray(value)
    raw[place] ^= 1
    return bytes(raw)


def another(column, value):
    """Return another value that a column takes."""
    if isinstance(column.type, Boolean):
        return not value
    if isinstance(column.type, LargeBinary):
        return flipped(value, -1) if value else b"\0"
    if isinstance(column.type, Uuid):
        return UUID(int=value.int ^ 1)
    if isinstance(column.type, Integer):
        return (value or 0) + 1
    if value is None:
        return "2031-12-31"
    if re.match(r"\d{4}-", value):
        return f"{int(value[:4]) + 1}{value[4:]}"
    return value[:-1] + ("b" if value.endswith("a") else "a")


@contextmanager
def written(database, table, column, rows, values):
    """Change one column of some rows for a while."""
    keys = [key.name for key in table.primary_key.columns]

    def change(found, wanted):
        with database.writing() as connection:
            for row, value in zip(found, wanted, strict=True):
                here = [table.c[name] == row[name] for name in keys]
                connection.execute(update(table).where(*here).values({column.name: value}))

    before = [row[column.name] for row in rows]
    # Numbers that make a key move up from the last one on, and back from the first one on.
    at = sorted(range(len(rows)), key=lambda n: str(before[n]), reverse=True)
    change([rows[n] for n in at], [values[n] for n in at])
    try:
        yield
    finally:
        changed = [{**row, column.name: value} for row, value in zip(rows, values, strict=True)]
        change([changed[n] for n in reversed(at)], [before[n] for n in reversed(at)])


def unseen(filled, database, table, column, most=None):
    """Return how a column can be changed so that nobody notices; of `most` ways, if given."""
    with database.reading() as connection:
        rows = [dict(row) for row in connection.execute(select(table)).mappings()]
    assert rows, f"{table.name} is empty: let `Filled` put something there"
    found = []
    for number, values in enumerate(itertools.islice(others(column, rows), most)):
        try:
            with written(database, table, column, rows, values):
                if filled.holds(table.name):
                    found.append(f"{table.name}.{column.name}, change {number}")
        except Conflict:
            # The database itself takes no such value.
            continue
    return found


def columns(vault):
    """Yield every column of the data store, and of the keyring's tables that are not sealed."""
    for database, metadata in databases(vault):
        for table in metadata.sorted_tables:
            if metadata is keyring_tables.keyring and "sealed" in table.c:
                continue
            for column in table.columns:
                yield database, table, column


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)])
def world(request, worlds):
    """Give a world of this module; the gate walks the schema on one database."""
    return worlds(request.param)


@pytest.fixture
def filled(world):
    """Fill the tables, and a log that is long enough for a tile; once in a world."""
    if hasattr(world, "_filled"):
        return world._filled
    case = world.open("cara", an_identity(WORD), {"presenting_situation": WORD})
    made = Filled(world, Stage(world, "cara", case))
    assert made.answer("open_case").status_code == 201
    stores = world.vault.stores
    stores.ledger.record(*(an_act() for _ in range(256)))
    with stores.data.writing() as connection:
        retention_marks.mark_month(connection, stores.roots, "2020-01")
    world.vault.caretaker.integrate()
    bootstrap.checkpoints(world.settings, stores).sign()
    for table in READ:
        assert made.holds(table), made.answer(READ[table]).text
    world.vault.caretaker.integrate()
    world._filled = made
    return made


def test_every_column_is_bound_or_free(filled):
    """Edited, cut off or swapped: refused by who reads it, or it stands in the list above."""
    wrong, seen = [], set()
    for database, table, column in columns(filled.world.vault):
        name = f"{table.name}.{column.name}"
        seen.add(name)
        if name in FREE:
            continue
        assert table.name in {*READ, *LOG, *VAULT}, f"who finds a change of {name}?"
        # An inspection walks the whole log: once a column in the gate.
        few = table.name in LOG and filled.world.kind == "sqlite"
        wrong += unseen(filled, database, table, column, 1 if few else None)
        assert filled.holds(table.name), f"{name} was not put back"
    assert not wrong, "\n".join(wrong)
    assert FREE.keys() <= seen, "these columns are gone"


def test_a_column_that_nobody_checks_is_found(filled, monkeypatch):
    """With the stamp of the case file believed unread, its columns can be changed unseen."""
    monkeypatch.setattr(stamps, "check", lambda *_: None)
    database, table = filled.world.vault.stores.data, tables.case_file
    assert unseen(filled, database, table, table.c.next_review)


def test_a_repeat_is_not_sent_to_another_record(filled):
    """What a repeated request made is bound to the request: an edited row answers 409."""
    made = filled.answer("open_case")
    table, database = tables.idempotency, filled.world.vault.stores.data
    with database.reading() as connection:
        rows = [dict(row) for row in connection.execute(select(table)).mappings()]
    other = [UUID(filled.stage.case)] * len(rows)
    with written(database, table, table.c.case_id, rows, other):
        assert filled.answer("open_case").status_code == 409
    assert filled.answer("open_case").headers["location"] == made.headers["location"]
