"""A restored data store next to the newest keyring: what comes back, and what must not."""

from __future__ import annotations

from uuid import UUID

import pytest
from sqlalchemy import func, select, update

from casevault.crypto.sealing import Key, Place, seal
from casevault.domain.pages.drafts import DraftForm
from casevault.domain.recovery.settling import Fault
from casevault.domain.staff.access import Role
from casevault.errors import Misconfigured, NotFound, Refused, Tampered
from casevault.services.casework.assignments import Assignments
from casevault.services.casework.drafts import Drafts
from casevault.store.audit.inspection import Inspection
from casevault.store.context.caller import Gate
from casevault.store.engine import milestones, tables
from casevault.store.engine.database import Database
from casevault.store.recovery import anchoring, dumps, quarantine
from casevault.store.retention import erasing
from casevault.store.search import cards
from tests.builders import ADMINISTRATOR, AUDITOR, DPO, SUPERVISOR, a_vault
from tests.integration.restoring import Copies, drop_keys


@pytest.fixture
def both(vault, tmp_path, pg_programs):
    """Give a vault in which two people work, on both databases."""
    yield from worked_in(vault, tmp_path, pg_programs)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)])
def copies(request, tmp_path, pg_programs):
    """Give the same; on PostgreSQL only `make test-all` runs it."""
    name = "sqlite_databases" if request.param == "sqlite" else "pg_databases"
    vault = a_vault(request.getfixturevalue(name), tmp_path)
    yield from worked_in(vault, tmp_path, pg_programs)
    vault.close()


def worked_in(vault, tmp_path, pg_programs):
    for login in ("amal", "boris"):
        vault.enrolled(login, {"caseworker"}, vault.team)
        vault.admit(login)
    folder = tmp_path / "copies"
    folder.mkdir()
    yield Copies(vault, folder, pg_programs)


def rows_of(copies, case):
    """Return which tables hold anything of a case."""
    with copies.vault.stores.data.reading() as connection:
        found = {
            table.name
            for table in erasing.tables_of_cases()
            if connection.execute(
                select(func.count()).select_from(table).where(table.c.case_id == case)
            ).scalar()
        }
        case_file = tables.case_file
        query = select(case_file.c.id).where(case_file.c.id == case)
        return found | ({"case_file"} if connection.execute(query).first() else set())


def has_card(copies, case):
    stores = copies.vault.stores
    with stores.data.reading() as connection:
        return cards.has_card(connection, stores.roots, copies.vault.team, case)


def codes(copies):
    return [entry.body.code for entry in copies.vault.entries()]


def test_what_was_written_before_the_backup_is_read_after_it(copies):
    """By the same people, and a restored store is settled by two of them."""
    case = copies.open("amal", "Azure Obvious-Madeup")
    copies.put_back(copies.take())
    found = copies.settle()
    assert (found.cases, found.restored, found.needs_two_people) == (1, True, True)
    assert (found.lost, found.quarantined, found.erased, found.compared) == ((), (), (), ())
    assert not found.is_partial
    assert not copies.sign(SUPERVISOR, Role.SUPERVISOR, found)
    assert copies.sign(DPO, Role.DPO, found)
    assert copies.name("amal", case) == "Azure Obvious-Madeup"
    assert copies.name("boris", case) is None
    again = copies.settle()
    assert not again.restored
    assert not again.needs_two_people


def test_a_case_opened_after_the_backup_is_reported_as_lost(both):
    """Its keys stay: a later backup still opens. Nothing else is harmed."""
    case = both.open("amal", "Azure Obvious-Madeup")
    early = both.take()
    missing = both.open("amal", "Birch Obvious-Madeup")
    later = both.take()
    both.put_back(early)
    found = both.settle_with_two()
    assert found.lost == (missing,)
    assert not found.is_partial
    assert both.name("amal", case) == "Azure Obvious-Madeup"
    assert both.name("amal", missing) is None
    both.put_back(later)
    assert both.settle_with_two().lost == ()
    assert both.name("amal", missing) == "Birch Obvious-Madeup"


def test_an_erased_case_is_removed_again(both):
    """By its tombstone, from every table, and the log says so; its neighbours stay."""
    kept, gone = (both.open("amal", f"{one} Obvious-Madeup") for one in ("Azure", "Birch"))
    copy = both.take()
    both.bury(gone)
    both.put_back(copy)
    assert {"case_file", "document", "manifest"} <= rows_of(both, gone)
    assert has_card(both, gone)
    found = both.settle_with_two()
    assert found.erased == (gone,)
    assert rows_of(both, gone) == set()
    assert not has_card(both, gone)
    assert has_card(both, kept)
    assert both.name("amal", kept) == "Azure Obvious-Madeup"
    assert codes(both).count("case.erase_again") == 1
    assert both.settle().erased == ()


def test_an_erased_compartment_is_removed_again(copies):
    """By the same tombstone, and only that compartment's rows."""
    case = copies.open("amal", "Azure Obvious-Madeup")
    copy = copies.take()
    copies.bury(case, frozenset({"narrative"}))
    copies.put_back(copy)
    document, manifest = tables.document, tables.manifest

    def compartments():
        with copies.vault.stores.data.reading() as connection:
            return {
                name
                for table in (document, manifest)
                for name in connection.execute(select(table.c.compartment)).scalars()
            }

    assert "narrative" in compartments()
    assert copies.settle().erased == (case,)
    assert compartments() == {"identity", "facts"}
    assert copies.settle().erased == ()
    assert codes(copies).count("case.erase_again") == 1


def test_nothing_is_removed_because_a_key_is_missing(copies):
    """It is put aside and said with exit code 3, however often; it returns with its keys."""
    case = copies.open("amal", "Azure Obvious-Madeup")
    before = rows_of(copies, case)
    with copies.keyring() as tx:
        kept = {
            table: [(dict(row.lookup), row.content) for row in tx.find(table)]
            for table in key_tables()
        }
        drop_keys(tx, case)
    for _ in range(2):
        found = copies.settle()
        assert found.quarantined == (case,)
        assert found.is_partial
        assert rows_of(copies, case) == before | {"quarantine"}
    with copies.keyring() as tx:
        for table in reversed(key_tables()):
            present = {tuple(row.lookup.values()) for row in tx.find(table)}
            for lookup, content in kept[table]:
                if tuple(lookup.values()) not in present:
                    tx.add(table, content, **lookup)
    found = copies.settle()
    assert (found.released, found.quarantined, found.is_partial) == ((case,), (), False)
    assert rows_of(copies, case) == before
    assert copies.name("amal", case) == "Azure Obvious-Madeup"


def key_tables():
    from casevault.store.engine import keyring_tables

    return [keyring_tables.grant_key, keyring_tables.grant, keyring_tables.case_key]


def test_what_is_older_than_the_keyring_remembers_needs_two_people(copies):
    """It does not open before they have signed, and does afterwards; later writes hold."""
    case = copies.open("amal", "Azure Obvious-Madeup")
    copy = copies.take()
    copies.rename("amal", case, "Birch Obvious-Madeup")
    # Assigning raises the keyring's anchor to the state of now.
    stores = copies.vault.stores
    Assignments(stores, Gate(stores, "passphrase")).assign(
        copies.caller(SUPERVISOR, Role.SUPERVISOR),
        case,
        copies.vault.staff("boris"),
        frozenset({"identity"}),
    )
    copies.put_back(copy)
    with pytest.raises(Tampered):
        copies.name("amal", case)
    found = copies.settle()
    assert [(c.case, c.compartment, c.fault) for c in found.curable] == [
        (case, "identity", Fault.BEHIND)
    ]
    assert not copies.sign(AUDITOR, Role.AUDITOR, found)
    with pytest.raises(Tampered):
        copies.name("amal", case)
    assert copies.sign(SUPERVISOR, Role.SUPERVISOR, found)
    for login in ("amal", "boris"):
        assert copies.name(login, case) == "Azure Obvious-Madeup"
    copies.rename("amal", case, "Cedar Obvious-Madeup")
    assert copies.settle().compared == ()
    assert copies.name("boris", case) == "Cedar Obvious-Madeup"


def test_the_two_are_different_people_with_the_right_roles(copies):
    """Not one twice, not an administrator's or caseworker's word, not about something else."""
    copies.open("amal", "Azure Obvious-Madeup")
    copies.put_back(copies.take())
    found = copies.settle()
    with pytest.raises(Refused):
        copies.sign("amal", Role.CASEWORKER, found)
    assert not copies.sign(ADMINISTRATOR, Role.ADMINISTRATOR, found)
    assert not copies.sign(ADMINISTRATOR, Role.ADMINISTRATOR, found)
    with pytest.raises(Refused):
        copies.sign("boris", Role.CASEWORKER, found)
    # Somebody has lost another case meanwhile: another state, another signature.
    with copies.keyring() as tx:
        drop_keys(tx, UUID(int=1))
    other = copies.settle()
    assert copies.sign(DPO, Role.DPO, other)


def test_another_state_needs_another_signature(copies):
    """What was asked for is exactly what the findings say."""
    case = copies.open("amal", "Azure Obvious-Madeup")
    copies.put_back(copies.take())
    assert not copies.sign(SUPERVISOR, Role.SUPERVISOR, copies.settle())
    with copies.keyring() as tx:
        drop_keys(tx, case)
    changed = copies.settle()
    assert not copies.sign(DPO, Role.DPO, changed)
    assert copies.sign(AUDITOR, Role.AUDITOR, changed)


def test_somebody_revoked_after_the_backup_opens_nothing(copies):
    """The keyring is the newest: grants do not come back with data."""
    case = copies.open("amal", "Azure Obvious-Madeup")
    stores = copies.vault.stores
    rights = Assignments(stores, Gate(stores, "passphrase"))
    supervisor = copies.caller(SUPERVISOR, Role.SUPERVISOR)
    boris = copies.vault.staff("boris")
    rights.assign(supervisor, case, boris, frozenset({"identity"}))
    copy = copies.take()
    rights.revoke(supervisor, case, boris)
    copies.put_back(copy)
    found = copies.settle_with_two()
    assert found.compared == ()
    assert copies.name("boris", case) is None
    assert copies.name("amal", case) == "Azure Obvious-Madeup"
    copies.rename("amal", case, "Birch Obvious-Madeup")
    assert copies.settle().compared == ()


def test_signed_entries_that_are_gone_are_counted(copies):
    """The signer remembers how long the log was."""
    copies.open("amal", "Azure Obvious-Madeup")
    copy = copies.take()
    copies.open("amal", "Birch Obvious-Madeup")
    copies.vault.integrate()
    copies.vault.checkpoints().sign()
    copies.put_back(copy, marked=False)
    found = copies.settle()
    assert found.log.missing == 1
    assert found.needs_two_people


def test_drafts_ended_since_are_no_anomaly(copies):
    """Their rows come back closed, are counted, and go when their date is past."""
    stores = copies.vault.stores
    drafts = Drafts(stores, Gate(stores, "passphrase"))
    draft = drafts.save(copies.caller("amal"), DraftForm.NOTE, None, {"text": "made up"}).id
    copy = copies.take()
    drafts.delete(copies.caller("amal"), draft)
    copies.put_back(copy)
    found = copies.settle_with_two()
    assert (found.closed, found.is_partial) == (1, False)


@pytest.mark.parametrize("where", ["leaf", "body", "tag", "column", "mark", "case", "head"])
def test_a_changed_copy_is_found_and_nothing_is_done(copies, where):
    """Log and plain rows are looked through before anything is removed."""
    gone = copies.open("amal", "Azure Obvious-Madeup")
    copies.vault.integrate()
    copies.bury(gone)
    before = rows_of(copies, gone)
    with copies.vault.stores.data.writing() as connection:
        table, values = {
            "leaf": (tables.ledger_leaf, {"hash": bytes(32)}),
            "body": (tables.ledger_body, {"sealed": _other_body(connection)}),
            "tag": (tables.ledger_entry, {"tag": bytes(36)}),
            "column": (tables.ledger_entry, {"month": "2020-01"}),
            "mark": (tables.ledger_subject, {"pseudonym": "x" * 22}),
            "case": (tables.case_file, {"due_identity": "2099-12-31"}),
            "head": (tables.ledger_head, {"size": 0, "frontier": bytes(8)}),
        }[where]
        connection.execute(update(table).values(**values))
    with pytest.raises(Tampered):
        copies.settle()
    assert rows_of(copies, gone) == before


def test_a_gap_in_a_copy_is_not_its_fault(copies):
    """A number whose entry came after the moment of the copy: settled, and named by `inspect`."""
    ledger = copies.vault.stores.ledger
    ledger._counter += 2  # as if these two were written a moment later
    copies.open("amal", "Azure Obvious-Madeup")
    copies.vault.integrate()
    copies.put_back(copies.take())
    assert not copies.settle().log.missing
    with copies.vault.stores.data.reading() as connection:
        gaps = Inspection(copies.vault.stores, connection).run().gaps
    assert [(gap.writer, gap.last - gap.first + 1) for gap in gaps] == [(ledger.writer, 2)]


def _other_body(connection):
    sealed = connection.execute(select(tables.ledger_body.c.sealed).limit(1)).scalar_one()
    return bytes(sealed)[:-1] + bytes([bytes(sealed)[-1] ^ 1])


def test_missing_and_foreign_data_is_said_and_left(copies):
    """A manifest that is gone, one under another key: exit code 3, nothing cures it by itself."""
    one, two = (copies.open("amal", f"{name} Obvious-Madeup") for name in ("Azure", "Birch"))
    table = tables.manifest
    with copies.vault.stores.data.writing() as connection:
        at = (table.c.case_id == one, table.c.compartment == "identity")
        other = select(table.c.sealed).where(
            table.c.case_id == two, table.c.compartment == "narrative"
        )
        sealed = connection.execute(other).scalar_one()
        connection.execute(update(table).where(*at).values(sealed=sealed))
        connection.execute(
            table.delete().where(table.c.case_id == two, table.c.compartment == "narrative")
        )
    found = copies.settle()
    assert {(c.case, c.compartment, c.fault) for c in found.compared} == {
        (one, "identity", Fault.FOREIGN),
        (two, "narrative", Fault.MISSING),
    }
    assert found.is_partial
    assert not found.needs_two_people


def test_a_copy_is_never_loaded_over_data(copies):
    """The store that is there may be the only one."""
    copy = copies.take()
    with pytest.raises(Misconfigured) as caught:
        dumps.load(copy, dumps.form_of(copies.url), copies.url)
    assert caught.value.code == "restore.not-empty"
    other = next(form for form in dumps.Form if form is not dumps.form_of(copies.url))
    with pytest.raises(Misconfigured) as caught:
        dumps.load(copy, other, copies.url)
    assert caught.value.code == "restore.form"


def test_a_copy_is_of_one_moment(copies):
    """While it is made others write; what it holds is whole."""
    copies.open("amal", "Azure Obvious-Madeup")
    copy = copies.take()
    copies.open("amal", "Birch Obvious-Madeup")
    with dumps.scratch(copies.url) as url:
        dumps.load(copy, dumps.form_of(url), url, copies._programs)
        database = Database(url, 1)
        with database.reading() as connection:
            count = select(func.count()).select_from(tables.case_file)
            assert connection.execute(count).scalar() == 1
        database.close()


def test_every_table_of_the_data_store_has_its_place_in_an_erasure():
    """What belongs to a case has a `case_id`, or is named here with the reason."""
    without = {
        "case_file": "the case itself, removed last",
        "private_object": "never of a case; erased by its own date and its author",
        "search_card": "by HMAC of the case: `cards.remove`",
        "import_line": "by HMAC of the case: `import_lines.forget`",
        "store_identity": "the store itself",
        "audit_record": "an auditor's; of which case stands inside, erased by its own date",
        "certificate": "that something was erased: written to be shown, of no case",
        "release_payload": "of a release: counts, never of a case",
        "register_entry": "of the programme, never of a case",
    }
    log = {t.name for t in tables.data.sorted_tables if t.name.startswith("ledger_")}
    covered = {table.name for table in erasing.tables_of_cases()}
    assert covered | set(without) | log == {t.name for t in tables.data.sorted_tables}
    assert not covered & (set(without) | log)


def test_quarantine_and_milestones_are_left_as_they_should(copies):
    """A settled store has no mark, and remembers when it was settled."""
    copies.open("amal", "Azure Obvious-Madeup")
    copies.put_back(copies.take())
    copies.settle_with_two()
    with copies.keyring() as tx:
        assert milestones.last(tx, milestones.UNSETTLED) is None
        assert milestones.last(tx, milestones.SETTLED) == copies.vault.now
    with copies.vault.stores.data.reading() as connection:
        assert quarantine.all_(connection) == set()


def test_whoever_comes_second_to_one_decision_is_told(copies):
    """A wish is used once."""
    copies.open("amal", "Azure Obvious-Madeup")
    copies.put_back(copies.take())
    found = copies.settle()
    assert not copies.sign(SUPERVISOR, Role.SUPERVISOR, found)
    settling = copies.settling()
    waiting = settling._waiting(found)
    assert copies.sign(DPO, Role.DPO, found)
    with pytest.raises(NotFound):
        settling._believe(copies.caller(AUDITOR, Role.AUDITOR), waiting.wish, found)


def test_every_case_that_lacks_something_is_named(copies):
    """The night remembers how far each has come; a restore of the night before tells which lack."""
    changed, same = (copies.open("amal", f"{one} Obvious-Madeup") for one in ("Azure", "Birch"))
    stores = copies.vault.stores
    assert anchoring.raise_all(stores) == 6
    copy = copies.take()
    copies.rename("amal", changed, "Cedar Obvious-Madeup")
    assert anchoring.raise_all(stores) == 1
    assert anchoring.raise_all(stores) == 0
    copies.put_back(copy)
    with pytest.raises(Tampered):
        copies.name("amal", changed)
    found = copies.settle_with_two()
    assert [(c.case, c.compartment, c.fault) for c in found.compared] == [
        (changed, "identity", Fault.BEHIND)
    ]
    assert copies.name("amal", changed) == "Azure Obvious-Madeup"
    assert copies.name("amal", same) == "Birch Obvious-Madeup"


def test_a_foreign_or_older_state_is_not_remembered(copies):
    """What lies under another key, and what is behind: the keyring keeps what it knows."""
    case = copies.open("amal", "Azure Obvious-Madeup")
    stores, table = copies.vault.stores, tables.manifest
    at = (table.c.case_id == case, table.c.compartment == "identity")
    with stores.data.reading() as connection:
        old = connection.execute(select(table.c.sealed).where(*at)).scalar_one()
    copies.rename("amal", case, "Birch Obvious-Madeup")
    assert anchoring.raise_all(stores) == 3
    other = Key.random()
    foreign = seal(other, Place(stores.organisation, "manifest", case, case, "identity"), b"", 99)
    for sealed in (bytes(old), foreign):
        with stores.data.writing() as connection:
            connection.execute(update(table).where(*at).values(sealed=sealed))
        assert anchoring.raise_all(stores) == 0
    assert [c.remembered for c in copies.settle().compared] == [2]
