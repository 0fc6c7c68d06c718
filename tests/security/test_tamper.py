"""Whatever is changed by SQL gives an error, never text; and equal contents look different."""

from __future__ import annotations

import itertools
from uuid import UUID

import pytest
from sqlalchemy import LargeBinary, select, update

from casevault.errors import Conflict
from casevault.store.engine import keyring_tables, tables
from tests.api.world import an_identity

WORD = "Tabitha Tamperproof-Madeup"
# Below this the database itself refuses: header, salt, commitment, the smallest bucket, tag.
SHORTEST = 356


def stores(world):
    """Return both databases with their tables."""
    found = world.vault.stores
    return ((found.data, tables.data), (found.keyring.database, keyring_tables.keyring))


def database_of(world, table):
    """Return the database in which a table lies."""
    return next(db for db, metadata in stores(world) if table.metadata is metadata)


class Changed:
    """Changes rows for a while and puts them back."""

    def __init__(self, world, table, where, values):
        self.database = database_of(world, table)
        self.table, self.where, self.values = table, where, values

    def __enter__(self):
        with self.database.writing() as connection:
            query = select(self.table).where(self.where)
            self.before = [dict(row) for row in connection.execute(query).mappings()]
            assert self.before, "nothing to change"
            for row in self.before:
                new = {name: change(row[name]) for name, change in self.values.items()}
                connection.execute(update(self.table).where(self.key(row)).values(**new))
        return self

    def __exit__(self, *_):
        with self.database.writing() as connection:
            for row in self.before:
                old = {name: row[name] for name in self.values}
                connection.execute(update(self.table).where(self.key(row)).values(**old))

    def key(self, row):
        """Return what names a row."""
        first, *rest = [c == row[c.name] for c in self.table.primary_key.columns]
        for condition in rest:
            first &= condition
        return first


def flipped(place):
    """Return a change of one bit at a place of the bytes."""

    def change(value):
        raw = bytearray(value)
        raw[place % len(raw)] ^= 1
        return bytes(raw)

    return change


@pytest.fixture
def case(world):
    """Open a case."""
    return world.open("cara", an_identity(WORD), {"presenting_situation": WORD})


def is_refused(world, case, login="cara"):
    """Say whether reading fails with a problem document and without a word of the case."""
    answer = world.get(f"/v1/cases/{case}/identity", login)
    kind = answer.headers["content-type"]
    return answer.status_code >= 400 and "problem" in kind and WORD not in answer.text


def reads(world, case):
    """Say whether the case can be read."""
    return world.get(f"/v1/cases/{case}/identity", "cara").status_code == 200


@pytest.mark.parametrize("place", [0, 4, 20, 27, 30, 60, 90, -1])
@pytest.mark.parametrize("name", ["document", "manifest"])
def test_a_changed_byte_of_a_document_is_found(world, case, name, place):
    """Header, salt, commitment, content, tag."""
    table = tables.data.tables[name]
    where = (table.c.case_id == UUID(case)) & (table.c.compartment == "identity")
    if place == 0:
        with pytest.raises(Conflict), Changed(world, table, where, {"sealed": flipped(place)}):
            pytest.fail("the database took another magic")
        assert reads(world, case)
        return
    with Changed(world, table, where, {"sealed": flipped(place)}):
        assert is_refused(world, case)
    assert reads(world, case)


@pytest.mark.parametrize("kept", [slice(-1), slice(-16), slice(200), None])
@pytest.mark.parametrize(
    "name", ["document", "manifest", "access_grant", "access_grant_key", "case_key"]
)
def test_what_was_cut_off_or_lengthened_is_found(world, case, name, kept):
    """A byte less, a tag less, the beginning alone, a byte more: never a part of the text."""
    tables_of = tables.data if name in ("document", "manifest") else keyring_tables.keyring
    table, grant = tables_of.tables[name], keyring_tables.grant
    ours = select(grant.c.id).where(grant.c.object_id == UUID(case))
    column = {"access_grant": "object_id", "access_grant_key": "grant_id"}.get(name, "case_id")
    where = table.c[column].in_(ours) if column == "grant_id" else table.c[column] == UUID(case)

    def cut(value):
        return value[kept] if kept else value + bytes(1)

    database = database_of(world, table)
    with database.reading() as connection:
        stored = connection.execute(select(table.c.sealed).where(where)).scalars().all()
    if any(len(cut(value)) < SHORTEST for value in stored):
        with pytest.raises(Conflict), Changed(world, table, where, {"sealed": cut}):
            pytest.fail("the database took what is too short to be sealed")
    elif any(cut(value) != value for value in stored):
        with Changed(world, table, where, {"sealed": cut}):
            assert is_refused(world, case)
    else:
        pytest.fail("nothing was cut")
    assert reads(world, case)


@pytest.mark.parametrize(
    ("column", "change"),
    [
        ("team_id", lambda _: UUID(int=7)),
        ("status", lambda _: "Closed"),
        ("retention_class", lambda _: "short"),
        ("due_identity", lambda _: "2099-12-31"),
        ("hold", lambda value: not value),
        ("restriction", lambda value: not value),
        ("key_version", lambda value: value + 1),
        ("version", lambda value: value + 1),
        ("reference", lambda _: "CV-0000-0000"),
        ("mac", flipped(9)),
    ],
)
def test_a_changed_control_field_is_found(world, case, column, change):
    """Plain columns carry a stamp."""
    table = tables.case_file
    with Changed(world, table, table.c.id == UUID(case), {column: change}):
        assert is_refused(world, case)
    assert reads(world, case)


def test_documents_cannot_change_places(world, case):
    """Not between cases, not between compartments of one case."""
    other = world.open("cara", an_identity("Someone Else-Madeup"))
    document = tables.document
    with world.vault.stores.data.reading() as connection:
        rows = connection.execute(
            select(document).where(document.c.case_id.in_([UUID(case), UUID(other)]))
        ).all()
    for left, right in itertools.permutations(rows, 2):
        if left.case_id != UUID(case) or left.compartment != "identity":
            continue
        with Changed(
            world, document, document.c.id == left.id, {"sealed": lambda _, r=right: r.sealed}
        ):
            assert is_refused(world, case)
    assert reads(world, case)


def test_an_older_document_is_not_believed(world, case):
    """A replayed revision is not the one that the manifest names."""
    document = tables.document
    where = (document.c.case_id == UUID(case)) & (document.c.compartment == "identity")
    with world.vault.stores.data.reading() as connection:
        old = connection.execute(select(document.c.sealed).where(where)).scalar_one()
    path = f"/v1/cases/{case}/identity"
    tag = world.get(path, "cara").headers["etag"]
    assert world.put(path, "cara", an_identity("Another Name-Madeup"), tag).status_code == 204
    with Changed(world, document, where, {"sealed": lambda _: old}):
        assert is_refused(world, case)
    assert reads(world, case)


@pytest.mark.parametrize("place", [30, 60, 200, -1])
@pytest.mark.parametrize("name", ["access_grant", "access_grant_key", "case_key"])
def test_changed_keyring_rows_of_a_case_are_found(world, case, name, place):
    """Grants, their keys, and the names of case keys."""
    table = keyring_tables.keyring.tables[name]
    grant = keyring_tables.grant
    if name == "case_key":
        where = table.c.case_id == UUID(case)
    elif name == "access_grant":
        where = table.c.object_id == UUID(case)
    else:
        where = table.c.grant_id.in_(select(grant.c.id).where(grant.c.object_id == UUID(case)))
    with Changed(world, table, where, {"sealed": flipped(place)}):
        assert is_refused(world, case)
    assert reads(world, case)


@pytest.mark.parametrize("login", ["stra", "sofia", "adi"])
def test_a_grant_cannot_be_turned_to_another_person(world, case, login):
    """The columns of a grant are bound to its content."""
    grant = keyring_tables.grant
    change = {"grantee_id": lambda _: UUID(world.staff[login])}
    with Changed(world, grant, grant.c.object_id == UUID(case), change):
        assert is_refused(world, case, login)
    assert reads(world, case)


@pytest.mark.parametrize(
    "name", ["vouch", "principal", "envelope", "session", "staff", "second_factor"]
)
def test_changed_rows_about_people_end_their_powers(world, case, name):
    """A vouch, key pair, envelope, session or account that was changed opens nothing."""
    login = world.person()
    assert world.assign(case, login).status_code == 204
    assert world.get(f"/v1/cases/{case}/identity", login).status_code == 200
    table = keyring_tables.keyring.tables[name]
    column = {"vouch": "subject_id", "principal": "id", "staff": "id"}.get(name, "staff_id")
    where = table.c[column] == UUID(world.staff[login])
    with Changed(world, table, where, {"sealed": flipped(-1)}), world.later(seconds=61):
        if name in ("envelope", "staff"):
            body = {"login": login, "passphrase": world.passphrases[login]}
            assert world.client.post("/v1/auth/sessions", json=body).status_code >= 400
        elif name == "second_factor":
            codes = (world.code(login), world.phones[login].printed.pop())
            for code in codes:
                body = {"login": login, "passphrase": world.passphrases[login], "code": code}
                assert world.client.post("/v1/auth/sessions", json=body).status_code >= 400
        else:
            assert is_refused(world, case, login)


@pytest.mark.parametrize("column", ["leaf", "tag", "body_digest"])
def test_a_changed_log_entry_is_found_by_the_auditor(world, case, column):
    """An edited leaf, tag or digest makes the query fail instead of answering."""
    world.entries(case=case)
    entry, subject = tables.ledger_entry, tables.ledger_subject
    month = world.vault.stores.months.current()
    from casevault.store.log.ledger import pseudonym

    mark = pseudonym(month, "subject", UUID(case))
    where = entry.c.id.in_(select(subject.c.entry_id).where(subject.c.pseudonym == mark))
    with Changed(world, entry, where, {column: flipped(-2)}):
        answer = world.get("/v1/ledger/entries", "ada", params={"case": case})
        assert answer.status_code == 500
        assert answer.json()["type"] == "/problems/tampered"


def test_equal_contents_look_different(world):
    """Two cases with the same words: no sealed value appears twice, in any table."""
    for _ in range(2):
        world.open("cara", an_identity(WORD), {"presenting_situation": WORD})
    for database, metadata in stores(world):
        with database.reading() as connection:
            for table in metadata.sorted_tables:
                if "sealed" not in table.c:
                    continue
                values = [bytes(v) for v in connection.execute(select(table.c.sealed)).scalars()]
                assert len(values) == len(set(values)), table.name
                tails = [value[84:] for value in values]
                assert len(tails) == len(set(tails)), table.name


def test_no_word_is_in_any_row(world, case):
    """Every value of every table of both stores, searched for what was typed in."""
    texts = [WORD, "+390000000001", world.passphrases["cara"], world.token("cara"), "Cara Madeup"]
    needles = [form for text in texts for form in (text.encode(), text.encode().hex().encode())]
    rows = 0
    for database, metadata in stores(world):
        with database.reading() as connection:
            for table in metadata.sorted_tables:
                for row in connection.execute(select(table)):
                    rows += 1
                    for column, value in zip(table.columns, row, strict=True):
                        binary = isinstance(column.type, LargeBinary)
                        raw = bytes(value) if binary else str(value).encode()
                        assert not any(needle in raw for needle in needles), table.name
    assert rows > 50
