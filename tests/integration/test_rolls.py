"""Rolling the keyring: every row moved, copies read back, old epochs gone, nobody disturbed."""

from __future__ import annotations

import secrets
import sys
import threading
import time
from pathlib import Path

import pytest
from sqlalchemy import select, text

from casevault.crypto import recovery
from casevault.crypto.roots import RootsPlace, adopt_roots, move_roots, under_token
from casevault.crypto.sealing import Place, seal, unseal
from casevault.errors import Busy, Conflict, KeyUnavailable, MediumFault, Tampered
from casevault.ids import new_id
from casevault.services.recovery import rolls
from casevault.services.recovery.rolls import Rolls
from casevault.store.engine import keyring_tables as tables
from casevault.store.engine import milestones, quick
from casevault.store.engine.database import Database
from casevault.store.engine.keyring import Keyring, sealed_tables
from casevault.store.engine.migrate import upgrade
from casevault.store.keys import people
from casevault.store.recovery import capsules, identity, keyring_backup, media, rolling
from casevault.store.recovery.media import Medium
from casevault.store.recovery.moving import Mover
from tests.builders import a_vault, an_act
from tests.tokens import PIN, a_token

# A grant of a case is a row of some 1,700 bytes and three of 32 or so.
SIZES = (1700, 150, 150, 150)
A_GRANT = {
    "object_kind": "case",
    "object_id": new_id(),
    "grantee_id": new_id(),
    "expires_at": 0,
}


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch):
    """Nobody reads in these tests while an epoch is destroyed, but where a test says so."""
    monkeypatch.setattr(rolls, "READERS_SECONDS", 0)


@pytest.fixture
def one(sqlite_databases, tmp_path):
    """Give a vault on SQLite, for what does not depend on the database."""
    vault = a_vault(sqlite_databases, tmp_path)
    yield vault
    vault.close()


def rolls_of(vault, tmp_path, kept=1):
    """Return what rolls a vault, with a second medium of its own."""
    medium = Medium(tmp_path / "medium", vault.stores.roots.keyring_id)
    medium.take()
    return Rolls(vault.stores, medium, kept)


def everything(keyring):
    """Return the content of every sealed row, but for what rolls themselves note."""
    with keyring.reading() as tx:
        return {
            table.name: sorted((repr(row.lookup), row.content) for row in tx.find(table))
            for table in sealed_tables()
            if table is not tables.milestone
        }


def epochs_in(keyring):
    """Return the epochs that rows name."""
    with keyring.reading() as tx:
        return {epoch for _, epoch in tx.rows_by_epoch()}


def restored(vault, folder: Path, place: Path) -> Keyring:
    """Rebuild the keyring from shares and medium, on SQLite in a new place."""
    secret = recovery.recovery_principal(vault.seed)
    with (folder / media.CAPSULE).open("rb") as file:
        capsule = capsules.open_capsule(file, secret)
    roots = adopt_roots(place / "keys", capsule.roots)
    database = Database(f"sqlite:///{place / 'keyring' / 'keyring.db'}")
    upgrade(database, "keyring")
    with (folder / media.KEYRING).open("rb") as file:
        _, stream = capsules.open_keyring(file, capsule.backup_key.secret(secret))
        keyring_backup.load(database, stream)
    return Keyring(database, roots, vault.stores.organisation)


def test_a_roll_moves_everything_and_keeps_one_older_epoch(vault, tmp_path):
    """Twice: then the first epoch is gone, every row opens as before, and it is on the log."""
    roll, keyring = rolls_of(vault, tmp_path), vault.stores.keyring
    # The first entry of a month makes the month's key.
    vault.stores.ledger.record(an_act())
    before = everything(keyring)
    first = roll.roll()
    assert (first.epoch, first.destroyed, first.kept) == (2, (), (1, 2))
    assert epochs_in(keyring) == {2}
    second = roll.roll()
    assert (second.epoch, second.destroyed, second.kept) == (3, (1,), (2, 3))
    assert epochs_in(keyring) == {3}
    assert second.moved == first.moved + 4
    assert everything(keyring) == before
    other = vault.another_process()
    assert everything(other.keyring) == before
    with pytest.raises(KeyUnavailable):
        other.roots.epoch(1)
    codes = [(e.body.code, e.body.filters, e.body.count) for e in vault.entries()]
    # Entries of one moment have no order of their own on PostgreSQL.
    assert sorted(one for one in codes if one[0] == "key.roll") == [
        ("key.roll", ("ordinary",), first.moved),
        ("key.roll", ("ordinary",), second.moved),
    ]
    copy = restored(vault, tmp_path / "medium", tmp_path / "new")
    assert everything(copy) == before
    assert copy.roots.epochs() == (2, 3)
    copy.database.close()


def test_erase_now_leaves_no_older_epoch_anywhere(one, tmp_path):
    """Not with the provider and not in the capsule: what was deleted before it opens nowhere."""
    roll, keyring, team = rolls_of(one, tmp_path), one.stores.keyring, new_id()
    with keyring.writing() as tx:
        people.add_team(tx, team, "Erased Testteam")
    with keyring.database.reading() as connection:
        query = select(tables.team).where(tables.team.c.id == team)
        kept = dict(connection.execute(query).mappings().one())
    with keyring.writing() as tx:
        tx.remove(tables.team, id=team)
    done = roll.roll(erase_now=True)
    assert (done.epoch, done.destroyed, done.kept) == (2, (1,), (2,))
    copy = restored(one, tmp_path / "medium", tmp_path / "new")
    assert copy.roots.epochs() == (2,)
    for place in (keyring, copy):
        with place.database.writing() as connection:
            connection.execute(tables.team.insert().values(**kept))
        with place.reading() as tx, pytest.raises(KeyUnavailable):
            tx.one(tables.team, id=team)
    copy.database.close()


@pytest.mark.parametrize("fault", ["unset", "missing", "foreign", "write", "read-back"])
def test_without_its_copies_no_epoch_is_destroyed(one, tmp_path, monkeypatch, fault):
    """Each fault of the medium ends the roll; it is on the log, and the next one goes on."""
    good = rolls_of(one, tmp_path, kept=0)
    keyring_id = one.stores.roots.keyring_id
    broken = {
        "unset": Medium(None, keyring_id),
        "missing": Medium(tmp_path / "unmounted", keyring_id),
        "foreign": Medium(tmp_path / "medium", new_id()),
    }.get(fault, good._medium)
    if fault == "read-back":

        def changed(*_):
            raise Tampered(code="file")

        monkeypatch.setattr(media.sealed_files, "check", changed)
    elif fault == "write":

        def full(*_):
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(media, "_written", full)
    with pytest.raises(MediumFault) as caught:
        Rolls(one.stores, broken, 0).roll(erase_now=True)
    assert caught.value.code == "medium." + fault
    assert caught.value.detail
    assert 1 in one.stores.roots.epochs()
    monkeypatch.undo()
    monkeypatch.setattr(rolls, "READERS_SECONDS", 0)
    assert good.roll().destroyed == (1,)
    rules = [e.body.rule for e in one.entries() if e.body.code == "key.roll"]
    assert rules == ["failed:medium." + fault, "permit:service"]


def test_an_epoch_that_a_row_names_is_not_destroyed(one):
    """The count is made under the lock that writers share."""
    keyring = one.stores.keyring
    epoch = rolling.switch(keyring)
    with pytest.raises(Conflict):
        rolling.destroy(keyring, epoch)
    rolling.move(keyring, epoch)
    with pytest.raises(Conflict):
        rolling.destroy(keyring, epoch + 1)
    assert rolling.destroy(keyring, epoch) == (1,)


def test_a_spoilt_row_is_an_alarm_and_keeps_its_epoch(one, tmp_path):
    """The others move; nothing is destroyed while a row could still be one that is needed."""
    roll, keyring, spoilt = rolls_of(one, tmp_path, kept=0), one.stores.keyring, new_id()
    with keyring.writing() as tx:
        people.add_team(tx, spoilt, "Spoilt")
    with keyring.database.writing() as connection:
        (other,) = connection.execute(
            select(tables.team.c.sealed).where(tables.team.c.id == one.team)
        ).one()
        here = tables.team.c.id == spoilt
        connection.execute(tables.team.update().where(here).values(sealed=other))
    with pytest.raises(Tampered):
        roll.roll()
    with keyring.reading() as tx:
        old = [at for at in tx.rows_by_epoch().items() if at[0][1] == 1]
    assert old == [(("team", 1), 1)]
    assert one.stores.roots.epochs() == (1, 2)
    with keyring.writing() as tx:
        tx.remove(tables.team, id=spoilt)
    assert roll.roll().destroyed == (1,)


def test_one_roll_at_a_time(vault, tmp_path, monkeypatch):
    """A second one is told so; writers are not."""
    monkeypatch.setattr("casevault.store.engine.database._WAIT_SECONDS", 0.1)
    other, keyring = vault.another_process(), vault.stores.keyring
    with rolling.alone(keyring):
        with pytest.raises(Busy), rolling.alone(other.keyring):
            pass
        with other.keyring.writing() as tx:
            people.add_team(tx, new_id(), "Meanwhile")
    with rolling.alone(other.keyring):
        pass


def test_a_roll_that_was_cut_off_is_gone_on_with(one, tmp_path):
    """After the switch, with rows under both epochs: the next run ends it and makes no new one."""
    roll, keyring = rolls_of(one, tmp_path), one.stores.keyring
    epoch = rolling.switch(keyring)
    with keyring.reading() as tx:
        assert rolling.standing(tx).is_unfinished
    assert roll.roll().epoch == epoch
    # A key that was made and never told to anybody is the next one.
    unused = one.stores.roots.new_epoch()
    assert roll.roll().epoch == unused
    # What was deleted after the switch of an unfinished roll lies under its epoch.
    left = rolling.switch(keyring)
    done = roll.roll(erase_now=True)
    assert (done.epoch, done.kept) == (left + 1, (left + 1,))


def test_a_writer_that_began_before_the_switch_is_waited_for(vault):
    """What it writes lies under the old epoch, and is moved like every other row."""
    keyring, entered, switched = vault.stores.keyring, threading.Event(), []
    other = vault.another_process()

    def switch():
        entered.wait()
        switched.append(rolling.switch(other.keyring))

    thread = threading.Thread(target=switch)
    thread.start()
    with keyring.writing() as tx:
        entered.set()
        time.sleep(0.4)
        assert not switched
        people.add_team(tx, new_id(), "Before")
    thread.join()
    with keyring.writing() as tx:
        people.add_team(tx, new_id(), "After")
    with keyring.reading() as tx:
        counts = tx.rows_by_epoch()
    assert (counts[("team", 1)], counts[("team", 2)]) == (2, 1)
    rolling.move(keyring, 2)
    assert epochs_in(keyring) == {2}


def test_whoever_reads_while_rows_are_moved_reads_on(vault):
    """A transaction that began before the switch still opens what it sees."""
    keyring = vault.stores.keyring
    with keyring.reading() as tx:
        before = len(tx.find(tables.vouch))
        rolling.move(vault.another_process().keyring, rolling.switch(keyring))
        assert len(tx.find(tables.principal)) > 5
        assert len(tx.find(tables.vouch)) == before


def test_rows_that_somebody_holds_are_moved_when_they_are_free(pg_databases, tmp_path):
    """The roll never waits for a row while it holds others: no deadlock, and none is left out."""
    vault = a_vault(pg_databases, tmp_path)
    keyring, held, go = vault.stores.keyring, threading.Event(), threading.Event()

    def hold():
        with vault.another_process().keyring.writing() as tx:
            for row in tx.lookups(tables.vouch):
                tx.one(tables.vouch, lock=True, serial=row["serial"])
            held.set()
            go.wait()

    # A holder writes under the epoch that it read, so it must begin after the switch.
    epoch = rolling.switch(keyring)
    thread = threading.Thread(target=hold)
    thread.start()
    held.wait()
    threading.Timer(0.5, go.set).start()
    begun = time.monotonic()
    rolling.move(keyring, epoch)
    assert time.monotonic() - begun > 0.4
    thread.join()
    assert epochs_in(keyring) == {epoch}
    vault.close()


def test_the_data_store_remembers_a_roll(one, tmp_path):
    """A keyring from before it is refused at start."""
    rolls_of(one, tmp_path).roll()
    stores = one.stores
    with stores.keyring.reading() as tx:
        assert tx.identity().generation == 2
        assert milestones.last(tx, milestones.CAPSULE) == one.now
        assert milestones.last(tx, milestones.CAPSULE_FLOOR) == 1
    with stores.keyring.database.writing() as connection:
        connection.execute(tables.keyring_identity.update().values(generation=1))
    with pytest.raises(Exception, match="older than the data has seen"):
        identity.check(stores.data, stores.keyring.database, stores.roots, stores.organisation)


def test_the_copies_are_made_without_a_roll_too(one, tmp_path):
    """The newest keyring whenever somebody asks, and it opens."""
    roll = rolls_of(one, tmp_path)
    roll.copy()
    copy = restored(one, tmp_path / "medium", tmp_path / "new")
    assert everything(copy) == everything(one.stores.keyring)
    assert one.stores.roots.epochs() == (1,)
    copy.database.close()


def filled(keyring, rows):
    """Put so many rows into a keyring; return them."""
    made = [(dict(id=new_id(), **A_GRANT), secrets.token_bytes(SIZES[n % 4])) for n in range(rows)]
    for at in range(0, rows, 2000):
        with keyring.writing() as tx:
            tx.add_many(tables.grant, made[at : at + 2000])
    return made


def test_a_batch_is_one_statement(vault, monkeypatch):
    """However many rows: a statement for each row is what made a roll slow on PostgreSQL."""
    keyring = vault.stores.keyring
    filled(keyring, 400)
    epoch, carried = rolling.switch(keyring), []

    def counted(connection, text, parameters, **how):
        carried.append(text)
        return quick_carried_out(connection, text, parameters, **how)

    quick_carried_out = quick._carried_out
    monkeypatch.setattr(quick, "_carried_out", counted)
    mover = Mover(keyring, tables.grant, epoch)
    rows = mover.older()
    mover.move(rows)
    assert mover.moved == len(rows) >= 300
    assert len(carried) == 1
    # Who asks for them again finds nothing to do, and touches nothing.
    mover.move(rows)
    assert mover.moved == len(rows)
    assert not mover.older()


def test_the_index_of_epochs_is_no_way_to_a_row(pg_databases, tmp_path):
    """With stale statistics it was taken, and each row cost as much as the table: 90 s, not 4."""
    vault = a_vault(pg_databases, tmp_path)
    keyring = vault.stores.keyring
    mover = Mover(keyring, tables.vouch, rolling.switch(keyring))
    statements, changes = mover._statements, mover._changes(mover.older())
    columns = map(list, zip(*changes, strict=True))
    at = dict(zip(statements.names, columns, strict=True)) | {"epoch": mover._epoch}
    with keyring.database.opened_for_writing() as connection:
        # No other way is left; what could use that index would.
        connection.execute(text("ALTER TABLE vouch DROP CONSTRAINT pk_vouch"))
        for way in ("seqscan", "hashjoin", "mergejoin"):
            connection.execute(text(f"SET LOCAL enable_{way} = off"))
        made = statements.unlocked._for(connection.dialect)
        with connection.connection.cursor() as cursor:
            cursor.execute("EXPLAIN " + made.text, made.parameters(at))
            plan = "\n".join(line for (line,) in cursor.fetchall())
    assert "Seq Scan on vouch held" in plan
    assert "ix_vouch_epoch" not in plan
    vault.close()


@pytest.mark.slow
def test_what_a_whole_roll_under_a_token_costs(one, tmp_path, monkeypatch, capsys):
    """Printed: a whole roll, copies read back and epoch destroyed, by token and by file."""
    keyring, rows = one.stores.keyring, 20_000
    filled(keyring, rows)
    roll = rolls_of(one, tmp_path, kept=0)
    seconds = []
    for seal_by in ("file", "token"):
        if seal_by == "token":
            token = a_token(tmp_path, monkeypatch)
            place = RootsPlace(one.keys_dir, token.module, token.label)
            move_roots(one.stores.roots, place, under_token(PIN))
        begun = time.monotonic()
        done = roll.roll()
        seconds.append((time.monotonic() - begun) / done.moved * 1e5)
        assert done.moved > rows
        assert done.destroyed
    with capsys.disabled():
        sys.stdout.write(
            f"\nwhole roll of 100,000 rows, with its copies: file {seconds[0]:.2f} s,"
            f" SoftHSM token {seconds[1]:.2f} s ({seconds[1] / seconds[0]:.2f} times)\n"
        )


@pytest.mark.slow
def test_what_a_roll_costs(vault, capsys):
    """Printed: seconds for 100,000 rows, and how much more than sealing and opening them alone."""
    keyring, rows = vault.stores.keyring, 20_000
    made = filled(keyring, rows)
    old, place = keyring.roots.epoch(1), Place(keyring.organisation, "keyring/x", new_id())
    begun = time.process_time()
    for _, content in made:
        unseal(old, place, seal(old, place, content))
    alone = time.process_time() - begun
    epoch = rolling.switch(keyring)
    wall, begun = time.monotonic(), time.process_time()
    moved = rolling.move(keyring, epoch)
    took, wall = time.process_time() - begun, time.monotonic() - wall
    assert moved > rows
    with capsys.disabled():
        sys.stdout.write(
            f"\nroll on {vault.databases.kind}: {wall / moved * 1e5:.2f} s for 100,000 rows"
            f" ({took / moved * 1e5:.2f} s of processor time in this process),"
            f" {took / alone:.1f} times what sealing and opening alone costs\n"
        )
    assert took < alone * 5
