"""Writing the ledger: durable before it returns, every number accounted for, one tree."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import func, select, text, update

from casevault.crypto import canonical
from casevault.errors import CaseVaultError, Tampered, Unrecorded
from casevault.ids import new_id
from casevault.ledger.entry import parse_leaf
from casevault.ledger.tree import leaf_hash, verify_consistency, verify_inclusion
from casevault.store.engine import database as database_module
from casevault.store.engine import keyring_tables, tables
from casevault.store.log import ledger_reading, tree
from casevault.store.log.ledger import FAILED, Actor, Touched
from casevault.store.log.months import name_of
from casevault.store.log.unit_of_work import unit_of_work
from tests.builders import an_act
from tests.unit.ledger.reference import mth


def count(vault, table):
    with vault.stores.data.reading() as connection:
        return connection.execute(select(func.count()).select_from(table)).scalar_one()


def entry_count(vault):
    return count(vault, tables.ledger_entry)


def rollback_one(vault, acts=1):
    """Record in a unit of work that is not committed."""
    with unit_of_work(vault.stores.data, vault.stores.ledger) as uow:
        uow.record(*(an_act() for _ in range(acts)))


def assert_accounted_for(entries):
    """Assert that every number of each writer is an entry or named as skipped, exactly once."""
    numbers: dict[str, list[int]] = {}
    for entry in entries:
        numbers.setdefault(entry.leaf.w, []).extend([entry.leaf.s, *entry.body.skipped])
    for found in numbers.values():
        assert sorted(found) == list(range(len(found)))


def sql(vault, statement, **parameters):
    with vault.stores.data.writing() as connection:
        connection.execute(text(statement), parameters)


# --- recording -----------------------------------------------------------------------------------


def test_sixteen_threads_lose_nothing(vault):
    """Group commit: each record is durable when `record` returns, and no number is missing."""
    failures, other = [], vault.another_process()

    def work(n):
        try:
            for i in range(12):
                act = an_act(count=n * 100 + i)
                vault.stores.ledger.record(act)
                with other.data.reading() as connection:
                    found = connection.execute(
                        select(tables.ledger_entry.c.id).where(tables.ledger_entry.c.id == act.id)
                    ).scalar_one_or_none()
                assert found == act.id
        except (CaseVaultError, AssertionError) as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    entries = vault.entries()
    assert sorted(e.body.count for e in entries) == sorted(
        n * 100 + i for n in range(16) for i in range(12)
    )
    assert sorted(e.leaf.s for e in entries) == list(range(192))
    assert not any(e.body.skipped for e in entries)
    assert count(vault, tables.ledger_pending) == 0


def test_a_look_is_one_question_to_the_server(vault, tmp_path):
    """PostgreSQL is asked once for all entries of a group and all their rows: no BEGIN, no COMMIT.

    Counted in what the driver's library sends; three more questions cost a third of a look.
    """
    if vault.stores.data.is_sqlite:
        return
    vault.stores.ledger.record(an_act())
    with vault.stores.data.reading() as connection:
        server = connection.connection.dbapi_connection.pgconn
    sent = tmp_path / "sent"
    with sent.open("w") as file:
        server.trace(file.fileno())
        vault.stores.ledger.record(*(an_act(count=n) for n in range(7)))
        server.untrace()
    questions = [line for line in sent.read_text().splitlines() if "\tSync" in line]
    assert len(questions) == 1
    assert not any("\tQuery" in line for line in sent.read_text().splitlines())
    assert entry_count(vault) == 8


def test_two_processes_have_counters_of_their_own(vault):
    """Each writer counts from 0; together they fill one tree."""
    other = vault.another_process()
    for _ in range(3):
        vault.stores.ledger.record(an_act())
        other.ledger.record(an_act(), an_act())
    entries = vault.entries()
    assert [e.position for e in entries] == list(range(9))
    assert_accounted_for(entries)
    assert len({e.leaf.w for e in entries}) == 2


def test_an_entry_tells_what_was_done_in_pseudonyms(vault):
    """Real ids never reach the data store; the month's key finds them again."""
    staff, case, session = new_id(), new_id(), new_id()
    vault.stores.ledger.record(
        an_act(
            "case.read",
            actor=Actor(staff, ("caseworker",), session, "passphrase", "request-1"),
            touched=(Touched("case", case, (("facts", 3),)),),
            fields=("profile.needs",),
        )
    )
    (entry,) = vault.entries()
    month = vault.stores.months.current()
    from casevault.store.log.ledger import pseudonym

    assert entry.body.actor == pseudonym(month, "actor", staff)
    assert entry.body.session == pseudonym(month, "session", session)
    assert entry.body.entities[0].record == pseudonym(month, "subject", case)
    assert entry.body.entities[0].versions == (("facts", 3),)
    assert (entry.leaf.k, entry.leaf.c) == (name_of(vault.clock.now()), "rest")
    with vault.stores.data.reading() as connection:
        for value, found in ((pseudonym(month, "subject", case), 1), ("x" * 22, 0)):
            listed = ledger_reading.entries(
                connection,
                vault.stores.roots,
                vault.stores.organisation,
                month,
                pseudonyms=[value],
                before=1,
            )
            assert len(listed) == found
        for table in (tables.ledger_entry, tables.ledger_body, tables.ledger_subject):
            for row in connection.execute(select(table)).all():
                for needle in (staff, case, session):
                    assert needle.bytes not in b"".join(v for v in row if isinstance(v, bytes))
                    assert needle not in row[1:]


def test_rolled_back_numbers_are_named_by_the_next_entry(vault):
    """A number that was taken for nothing is a gap that is explained."""
    vault.stores.ledger.record(an_act())
    rollback_one(vault, acts=3)
    assert entry_count(vault) == 1
    vault.stores.ledger.record(an_act())
    vault.stores.ledger.record(an_act())
    # The clock stands still, so PostgreSQL may order them in any way: sort by number.
    entries = sorted(vault.entries(), key=lambda e: e.leaf.s)
    assert [(e.leaf.s, e.body.skipped) for e in entries] == [(0, ()), (4, (1, 2, 3)), (5, ())]


def test_numbers_named_by_a_rolled_back_entry_are_named_again(vault):
    """Two units of work in a row that are not committed."""
    rollback_one(vault)
    rollback_one(vault)
    vault.stores.ledger.record(an_act())
    assert_accounted_for(vault.entries())


def test_many_rolled_back_numbers_do_not_stop_the_ledger(vault):
    """After a long fault the ledger goes on."""
    vault.stores.ledger.record(an_act())
    vault.stores.ledger.rolled_back(range(10_000, 12_001))
    vault.stores.ledger.record(an_act())


def test_one_bad_act_does_not_fail_its_neighbours(vault):
    """Whoever waits in the same group is recorded."""
    ledger, answers = vault.stores.ledger, {}
    ledger.record(an_act())

    def work(name, act):
        try:
            ledger.record(act)
            answers[name] = "recorded"
        except Unrecorded:
            answers[name] = "unrecorded"

    ledger._commit_lock.acquire()
    threads = [
        threading.Thread(target=work, args=("bad", an_act(rule="NOT A RULE"))),
        threading.Thread(target=work, args=("good", an_act())),
    ]
    for thread in threads:
        thread.start()
    while len(ledger._queue) < 2:
        time.sleep(0.001)
    ledger._commit_lock.release()
    for thread in threads:
        thread.join()
    assert answers == {"bad": "unrecorded", "good": "recorded"}


def test_an_act_outside_the_vocabulary_is_unrecorded(vault):
    """Free text never enters; the number it took is named by the next entry."""
    vault.stores.ledger.record(an_act())
    for bad in (an_act("case.nonsense"), an_act(fields=("Amal Haddad",)), an_act(outcome=3)):
        with pytest.raises((Unrecorded, KeyError)) as caught:
            vault.stores.ledger.record(bad)
        assert "Amal" not in str(caught.value)
    vault.stores.ledger.record(an_act())
    assert entry_count(vault) == 2
    assert_accounted_for(vault.entries())


def test_a_broken_ledger_is_unrecorded_and_mends(vault):
    """A fault of the database: nothing is written; afterwards all numbers are accounted for."""
    vault.stores.ledger.record(an_act())
    sql(vault, "ALTER TABLE ledger_body RENAME TO hidden")
    with pytest.raises(Unrecorded):
        vault.stores.ledger.record(an_act())
    assert entry_count(vault) == 1
    sql(vault, "ALTER TABLE hidden RENAME TO ledger_body")
    vault.stores.ledger.record(an_act())
    entries = vault.entries()
    assert len(entries) == 2
    assert_accounted_for(entries)


def test_without_a_month_key_nothing_is_recorded(vault):
    """The keyring is part of the ledger: when it is gone, the answer is `Unrecorded`."""
    with vault.stores.keyring.database.writing() as connection:
        connection.execute(text("ALTER TABLE month_key RENAME TO hidden"))
    with pytest.raises(Unrecorded) as caught:
        vault.stores.ledger.record(an_act())
    assert caught.value.code == "unrecorded.month"
    with pytest.raises(Unrecorded), unit_of_work(vault.stores.data, vault.stores.ledger):
        pytest.fail("the unit of work must not begin")
    assert entry_count(vault) == 0


def test_an_act_without_effect_is_followed_by_its_failure(vault):
    """What gives power is recorded first; if it then fails, a second entry says so."""
    act = an_act("staff.add")
    with vault.stores.ledger.giving(act):
        assert entry_count(vault) == 1
    with pytest.raises(KeyboardInterrupt), vault.stores.ledger.giving(an_act("staff.add")):
        raise KeyboardInterrupt
    entries = sorted(vault.entries(), key=lambda e: e.leaf.s)
    codes = [(e.body.code, e.body.outcome) for e in entries]
    assert codes == [("staff.add", 0), ("staff.add", 0), ("staff.add_failed", FAILED)]


# --- units of work -------------------------------------------------------------------------------


def test_a_change_without_an_entry_is_refused(vault):
    """`commit` refuses, and the change is gone."""
    with (
        pytest.raises(Unrecorded) as caught,
        unit_of_work(vault.stores.data, vault.stores.ledger) as uow,
    ):
        uow.connection.execute(tables.ledger_checkpoint.insert().values(size=7, note=b"x"))
        uow.commit()
    assert caught.value.code == "unrecorded.none"
    assert count(vault, tables.ledger_checkpoint) == 0


def test_change_and_entry_are_durable_together(vault):
    """Committed both, or neither."""
    for commits in (False, True):
        with unit_of_work(vault.stores.data, vault.stores.ledger) as uow:
            uow.connection.execute(tables.ledger_checkpoint.insert().values(size=7, note=b"x"))
            uow.record(an_act())
            if commits:
                uow.commit()
        assert count(vault, tables.ledger_checkpoint) == entry_count(vault) == int(commits)
    with pytest.raises(RuntimeError), unit_of_work(vault.stores.data, vault.stores.ledger) as uow:
        uow.record(an_act())
        raise RuntimeError
    vault.stores.ledger.record(an_act())
    assert_accounted_for(vault.entries())


def test_an_entry_that_cannot_be_written_undoes_the_change(vault):
    """The ledger is unavailable: `Unrecorded`, and nothing was changed."""
    vault.stores.ledger.record(an_act())
    sql(vault, "ALTER TABLE ledger_subject RENAME TO hidden")
    with pytest.raises(Unrecorded), unit_of_work(vault.stores.data, vault.stores.ledger) as uow:
        uow.connection.execute(tables.ledger_checkpoint.insert().values(size=7, note=b"x"))
        uow.record(an_act(touched=(Touched("case", new_id()),)))
        uow.commit()
    assert count(vault, tables.ledger_checkpoint) == 0
    sql(vault, "ALTER TABLE hidden RENAME TO ledger_subject")
    vault.stores.ledger.record(an_act())
    assert_accounted_for(vault.entries())


def test_a_commit_that_fails_is_unrecorded(pg_databases, tmp_path):
    """PostgreSQL: the server goes away between the entry and the commit."""
    from tests.builders import a_vault
    from tests.integration.store.test_database import terminate

    vault = a_vault(pg_databases, tmp_path)
    vault.stores.ledger.record(an_act())
    with pytest.raises(Unrecorded), unit_of_work(vault.stores.data, vault.stores.ledger) as uow:
        uow.record(an_act())
        terminate(pg_databases.data_url)
        uow.commit()
    vault.stores.ledger.record(an_act())
    # The clock stands still, so PostgreSQL may order them in any way: sort by number.
    entries = sorted(vault.entries(), key=lambda e: e.leaf.s)
    assert [(e.leaf.s, e.body.skipped) for e in entries] == [(0, ()), (2, (1,))]
    vault.close()


def test_a_record_inside_a_unit_of_work_does_not_hang(vault, monkeypatch):
    """On SQLite a record of its own cannot be made while this thread writes: it says so in time."""
    monkeypatch.setattr(database_module, "_WAIT_SECONDS", 0.05)
    vault.stores.ledger.record(an_act())
    with unit_of_work(vault.stores.data, vault.stores.ledger) as uow:
        if vault.stores.data.is_sqlite:
            with pytest.raises(Unrecorded):
                vault.stores.ledger.record(an_act())
        else:
            vault.stores.ledger.record(an_act())
        uow.record(an_act())
        uow.commit()
    assert_accounted_for(vault.entries())


# --- the tree ------------------------------------------------------------------------------------


def test_the_tree_is_that_of_rfc_6962(vault):
    """After more than two full tiles: head, tiles and proofs equal a naive computation."""
    for n in range(13):
        vault.stores.ledger.record(*(an_act(count=n * 50 + i) for i in range(50)))
        vault.integrate()
    with vault.stores.data.reading() as connection:
        entry, leaf = tables.ledger_entry, tables.ledger_leaf
        query = select(entry.c.leaf).join(leaf).order_by(leaf.c.position)
        leaves = [bytes(found) for found in connection.execute(query).scalars()]
        hashes = [leaf_hash(leaf) for leaf in leaves]
        frontier = tree.head(connection)
        tiles = {
            (row.level, row.number): bytes(row.hashes)
            for row in connection.execute(select(tables.ledger_tile)).all()
        }
        proofs = {
            old: tree.consistency(connection, old, 650) for old in (1, 255, 256, 257, 512, 649)
        }
        paths = {at: tree.inclusion(connection, at, 650) for at in (0, 255, 256, 511, 512, 649)}
        older = tree.inclusion(connection, 300, 400)
    assert len(leaves) == frontier.size == 650
    assert frontier.root() == mth(hashes)
    assert tiles == {(0, n): b"".join(hashes[n * 256 : n * 256 + 256]) for n in range(2)}
    for old, proof in proofs.items():
        verify_consistency(old, 650, mth(hashes[:old]), mth(hashes), proof)
    for at, path in paths.items():
        verify_inclusion(hashes[at], at, 650, path, mth(hashes))
    verify_inclusion(hashes[300], 300, 400, older, mth(hashes[:400]))
    assert sorted(parse_leaf(leaf).s for leaf in leaves) == list(range(650))


def test_a_tile_of_tiles_is_written(empty):
    """256 full tiles make one a level up: hashes only, since 65,536 entries would take minutes."""
    data, _ = empty
    rows = [leaf_hash(str(n).encode()) for n in range(65_536 + 3)]
    frontier = tree.Frontier().extend(rows)
    with data.writing() as connection:
        tree.begin(connection)
        connection.execute(
            tables.ledger_tile.insert(),
            [
                {"level": 0, "number": n, "hashes": b"".join(part), "root": mth(part)}
                for n in range(255)
                for part in [rows[n * 256 : n * 256 + 256]]
            ],
        )
        tree._write_tile(connection, 0, 255, rows[255 * 256 : 256 * 256])
        stored = connection.execute(
            select(tables.ledger_tile.c.hashes).where(tables.ledger_tile.c.level == 1)
        ).scalar_one()
        proof = tree.consistency(connection, 256, 65_536)
    assert bytes(stored) == b"".join(mth(rows[n * 256 : n * 256 + 256]) for n in range(256))
    verify_consistency(256, 65_536, mth(rows[:256]), mth(rows[:65_536]), proof)
    assert frontier.root() == mth(rows)


def test_an_edited_entry_never_enters_the_tree(pg_databases, tmp_path):
    """PostgreSQL: between writing and covering, leaf and body are guarded by their tag."""
    from tests.builders import a_vault

    vault = a_vault(pg_databases, tmp_path)
    acts = [an_act() for _ in range(3)]
    vault.stores.ledger.record(*acts)
    entry = tables.ledger_entry
    with vault.stores.data.reading() as connection:
        before = dict(
            connection.execute(select(entry).where(entry.c.id == acts[1].id)).mappings().one()
        )
    leaf = bytes(before["leaf"])
    for change in (
        {"leaf": leaf.replace(b'"o":0', b'"o":4')},
        {"body_digest": bytes(32)},
        {"tag": before["tag"][:-1] + bytes([before["tag"][-1] ^ 1])},
        {"tag": b"\x00\x00\x00\x09" + before["tag"][4:]},
    ):
        with vault.stores.data.writing() as connection:
            connection.execute(update(entry).where(entry.c.id == acts[1].id).values(**change))
        with pytest.raises(Tampered):
            vault.integrate()
        assert count(vault, tables.ledger_leaf) == 0
        assert count(vault, tables.ledger_pending) == 3
        with vault.stores.data.writing() as connection:
            connection.execute(update(entry).where(entry.c.id == acts[1].id).values(**before))
    assert vault.integrate() == 3
    vault.close()


def test_only_one_worker_integrates(pg_databases, tmp_path):
    """While one holds the head, another has nothing to do and does not wait."""
    from tests.builders import a_vault

    vault = a_vault(pg_databases, tmp_path)
    vault.stores.ledger.record(an_act())
    other = vault.another_process()
    with vault.stores.data.writing() as connection:
        connection.execute(select(tables.ledger_head).with_for_update())
        assert tree.integrate(other.data, other.roots) == 0
    assert tree.integrate(other.data, other.roots) == 1
    assert tree.integrate(other.data, other.roots) == 0
    vault.close()


def test_who_needs_all_entries_waits_for_the_worker_that_is_moving_them(pg_databases, tmp_path):
    """A head that is signed next has them: exports and proofs begin with this."""
    from tests.builders import a_vault

    vault = a_vault(pg_databases, tmp_path)
    vault.stores.ledger.record(an_act())
    other = vault.another_process()
    with ThreadPoolExecutor(1) as pool:
        with vault.stores.data.writing() as connection:
            connection.execute(select(tables.ledger_head).with_for_update())
            moved = pool.submit(tree.integrate_all, other.data, other.roots)
            with pytest.raises(TimeoutError):
                moved.result(timeout=0.3)
        assert moved.result(timeout=5) == 1
    vault.close()


@pytest.mark.parametrize("column", ["leaf", "writer", "counter", "body_digest", "tag"])
def test_an_edited_entry_is_tampered_when_read(vault, column):
    """Columns are checked against the leaf, the leaf against tag and tree, the body too."""
    act = an_act()
    vault.stores.ledger.record(act, an_act())
    vault.integrate()
    month = vault.stores.months.current()
    entry = tables.ledger_entry
    with vault.stores.data.reading() as connection:
        row = connection.execute(select(entry).where(entry.c.id == act.id)).mappings().one()
    new = {
        "leaf": bytes(row["leaf"]).replace(b'"o":0', b'"o":4'),
        "writer": "y" * 22,
        "counter": row["counter"] + 1000,
        "body_digest": bytes(32),
        "tag": bytes(36),
    }[column]
    with vault.stores.data.writing() as connection:
        connection.execute(update(entry).where(entry.c.id == act.id).values({column: new}))
    with vault.stores.data.reading() as connection, pytest.raises(Tampered):
        ledger_reading.entries(connection, vault.stores.roots, vault.stores.organisation, month)


def test_bodies_do_not_change_places(vault):
    """Another entry's body, and another place in the tree, are `Tampered`."""
    vault.stores.ledger.record(an_act(), an_act())
    vault.integrate()
    month = vault.stores.months.current()
    with vault.stores.data.writing() as connection:
        rows = connection.execute(select(tables.ledger_body)).all()
        connection.execute(
            update(tables.ledger_body)
            .where(tables.ledger_body.c.entry_id == rows[0].entry_id)
            .values(sealed=rows[1].sealed)
        )
    with vault.stores.data.reading() as connection, pytest.raises(Tampered):
        ledger_reading.entries(connection, vault.stores.roots, vault.stores.organisation, month)


# --- writers and months --------------------------------------------------------------------------


def test_a_writer_that_ended_on_purpose_is_no_crash(vault):
    """A closed writer is not reported; neither is one that still runs."""
    other = vault.another_process()
    other.ledger.record(an_act())
    assert vault.stores.ledger.crashed_writers() == []
    other.ledger.close()
    vault.stores.ledger.record(an_act())
    assert vault.another_process().ledger.crashed_writers() == []


def test_a_crashed_writer_is_found_and_closed(vault):
    """A process of this host that is gone without a word, and where its numbers ended."""
    other = vault.another_process()
    other.ledger.record(an_act(), an_act(), an_act())
    done = subprocess.Popen([sys.executable, "-c", ""])
    done.wait()
    crashed = other.ledger.writer
    writer = tables.ledger_writer
    with vault.stores.data.writing() as connection:
        connection.execute(
            update(writer).where(writer.c.writer == crashed).values(process=done.pid)
        )
        connection.execute(
            writer.insert().values(
                writer="w" * 22, host="another-host", process=done.pid, closed=False
            )
        )
        connection.execute(
            writer.insert().values(writer="v" * 22, host="x", process=done.pid, closed=False)
        )
    assert vault.stores.ledger.crashed_writers() == [crashed]
    with unit_of_work(vault.stores.data, vault.stores.ledger) as uow:
        assert vault.stores.ledger.close_writer(uow.connection, crashed) == 3
        assert vault.stores.ledger.close_writer(uow.connection, "v" * 22) == 0
        uow.record(an_act("system.crash"))
        uow.commit()
    assert vault.stores.ledger.crashed_writers() == []


def test_a_process_of_somebody_else_is_alive(vault, monkeypatch):
    """A process that we may not signal exists."""

    def forbidden(_process, _signal):
        raise PermissionError

    other = vault.another_process()
    other.ledger.record(an_act())
    monkeypatch.setattr(os, "kill", forbidden)
    assert vault.stores.ledger.crashed_writers() == []


def test_a_forked_worker_is_another_writer(vault, tmp_path):
    """A child of a fork does not go on with its parent's numbers."""
    vault.stores.ledger.record(an_act())
    mine, told = vault.stores.ledger.writer, Path(tmp_path / "child")
    child = os.fork()
    if child == 0:
        told.write_text(f"{vault.stores.ledger.writer} {vault.stores.ledger._counter}")
        os._exit(0)
    os.waitpid(child, 0)
    writer, counter = told.read_text().split()
    assert (writer != mine, counter) == (True, "0")


def test_a_month_has_one_key_for_all_processes(vault):
    """Whoever is first makes it; two at once agree."""
    others = [vault.another_process() for _ in range(4)]
    found, start = [], threading.Barrier(4)

    def ask(stores):
        start.wait()
        found.append(stores.months.current())

    threads = [threading.Thread(target=ask, args=(stores,)) for stores in others]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4
    assert len({month.object_id for month in found}) == 1
    assert len({month.body.material for month in found}) == 1
    assert vault.stores.months.current() == found[0]


def test_the_service_keeps_two_months(vault):
    """The third month back is closed for the server, and the entries of both others are open."""
    from datetime import timedelta

    for _ in range(4):
        vault.stores.ledger.record(an_act())
        vault.clock.advance(timedelta(days=31))
    vault.stores.ledger.record(an_act())
    kept = vault.stores.months.kept()
    assert [month.month for month in kept] == ["2027-03", "2027-02"]
    with vault.stores.keyring.reading() as tx:
        rows = {r.lookup["month"]: r.content for r in tx.find(keyring_tables.month_key)}
        assert len(rows) == 5
        for month, content in rows.items():
            assert (canonical.decode(content)[1] is None) == (month < "2027-02")
    vault.clock.advance(timedelta(days=-100))
    with pytest.raises(Unrecorded):
        vault.another_process().ledger.record(an_act())
