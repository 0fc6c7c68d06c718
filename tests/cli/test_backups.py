"""Backups of the data store, and the days on which they are needed."""

from __future__ import annotations

import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import text, update
from sqlalchemy.exc import DatabaseError
from typer.testing import CliRunner

from casevault.cli.app import app
from casevault.crypto.recovery import new_seed, split
from casevault.errors import Misconfigured, Tampered
from casevault.store.engine import keyring_tables, tables
from casevault.store.log import signing
from casevault.store.recovery import dumps, identity, media, restoring
from tests.api.copies import a_world
from tests.api.world import an_identity, build, unknown_id
from tests.cli.machines import a_machine

NAME = "Ondine Obvious-Madeup"


@pytest.fixture
def machine(make_databases, tmp_path, pg_programs):
    """Give a vault on SQLite that is served."""
    yield from running(make_databases, "sqlite", tmp_path, pg_programs)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)])
def machine_of_each_kind(request, make_databases, tmp_path, pg_programs):
    """Give one on SQLite; on PostgreSQL only `make test-all` does."""
    yield from running(make_databases, request.param, tmp_path, pg_programs)


@pytest.fixture(params=["sqlite", "postgresql"])
def each(request, make_databases, tmp_path, pg_programs):
    """Give one on each database."""
    yield from running(make_databases, request.param, tmp_path, pg_programs)


def running(make_databases, kind, folder, programs, made_by=a_world):
    made = a_machine(make_databases, kind, folder, programs, made_by)
    yield made
    made.stop()
    shutil.rmtree(made.world.settings.runtime_dir, ignore_errors=True)


def code_of(result):
    return getattr(result.exception, "code", None)


def name_of(machine, case, by="cara"):
    answer = machine.world.get(f"/v1/cases/{case}/identity", by)
    return answer.json()["name_to_use"] if answer.status_code == 200 else answer.status_code


def test_the_machine_is_gone(each):
    """From medium, one data backup and the shares: everybody signs in and reads what they held."""
    machine, world = each, each.world
    case = world.open("cara", an_identity(NAME))
    backup = machine.backup()
    late = world.open("cara", an_identity("Late Obvious-Madeup"))
    machine.prepare("sue", "dora", "cara", "colin")
    world.vault.caretaker.integrate()
    signed = world.vault.checkpoints.sign()
    machine.copy_keyring()
    machine.stop()
    machine.lose_everything()

    done = machine.run("db", "rebuild", "--medium", machine.medium, backup, typed=machine.shares)
    assert done.exit_code == 0, done.output
    assert "1 cases" in done.stdout
    assert code_of(machine.run("keys", "status")) == "identity.unsettled"
    first = machine.run("db", "settle", "--json")
    assert first.exit_code == 3
    assert json.loads(first.stdout)["lost"] == [late]
    last = machine.settle_with("sue", "dora")
    assert last.exit_code == 0, last.output
    # The signer remembers what died with the machine: it signs no shorter log.
    assert (world.settings.keys_dir / signing.STATE_FILE).read_bytes() == signed
    assert isinstance(machine.run("ledger", "print").exception, Tampered)

    machine.start()
    assert name_of(machine, case) == NAME
    assert name_of(machine, late) == 404
    assert name_of(machine, case, "colin") == 404
    again = world.open("cara", an_identity("Again Obvious-Madeup"))
    assert name_of(machine, again) == "Again Obvious-Madeup"
    codes = [one["code"] for one in world.entries()]
    assert "system.restore" in codes


@pytest.mark.slow
def test_roles_of_postgresql_come_back_with_the_data(make_databases, tmp_path, pg_programs):
    """The migrator restores and owns the tables; the service's role may read and write again."""
    for machine in running(make_databases, "postgresql", tmp_path, pg_programs):
        world = machine.world
        case = world.open("cara", an_identity(NAME))
        machine.prepare("sue", "dora")
        machine.stop()
        machine.part_roles()
        machine.start()
        assert name_of(machine, case) == NAME
        backup = machine.backup()
        machine.copy_keyring()
        machine.stop()
        machine.lose_everything()
        done = machine.run(
            "db", "rebuild", "--medium", machine.medium, backup, typed=machine.shares
        )
        assert done.exit_code == 0, done.output
        assert machine.settle_with("sue", "dora").exit_code == 0
        machine.start()
        assert name_of(machine, case) == NAME
        again = world.open("cara", an_identity("Again Obvious-Madeup"))
        assert name_of(machine, again) == "Again Obvious-Madeup"
        with machine.world.vault.stores.data.writing() as connection:
            with pytest.raises(DatabaseError):
                connection.execute(text("DELETE FROM ledger_entry"))
            connection.rollback()


def test_the_data_store_is_gone(machine_of_each_kind):
    """The keyring and the keys are there: a backup and the shares bring the data back."""
    machine = machine_of_each_kind
    world = machine.world
    case = world.open("cara", an_identity(NAME))
    backup = machine.backup()
    assert machine.run("db", "inspect", backup).exit_code == 2
    machine.prepare("sue", "dora")
    machine.stop()
    full = machine.run("db", "restore", backup, typed=machine.shares)
    assert code_of(full) == "restore.not-empty"
    machine.lose_data()
    assert machine.run("db", "restore", backup, typed=machine.shares).exit_code == 0
    assert machine.settle_with("sue", "dora").exit_code == 0
    machine.start()
    assert name_of(machine, case) == NAME


def test_a_backup_says_what_it_is_and_shows_nothing(machine):
    """Plain numbers at its head; no word of a case in it, and nothing left beside the store."""
    world = machine.world
    world.open("cara", an_identity(NAME))
    backup = machine.backup()
    shown = CliRunner().invoke(app, ["db", "inspect", str(backup), "--json"])
    assert shown.exit_code == 0
    data = json.loads(shown.stdout)
    assert data["rows"]["case_file"] == 1
    assert data["organisation"] == str(world.settings.organisation_id)
    raw = backup.read_bytes()
    assert b"SQLite format" not in raw
    assert b"Obvious" not in raw
    assert backup.stat().st_mode & 0o077 == 0
    assert {path.name for path in backup.parent.iterdir()} == {backup.name, media.BACKUP_KEY}
    store = Path(world.settings.data_url.removeprefix("sqlite:///"))
    assert not [one for one in store.parent.iterdir() if one.name.startswith(".")]
    other = CliRunner().invoke(app, ["db", "inspect", str(backup.with_name(media.BACKUP_KEY))])
    assert code_of(other) == "backup.kind"


@pytest.mark.slow
def test_backups_are_kept_in_any_number(machine):
    """Each opens by itself, the older one too; what is there is put aside, never written over."""
    world = machine.world
    world.open("cara", an_identity(NAME))
    one = machine.backup()
    world.open("cara", an_identity("Other Obvious-Madeup"))
    two = machine.backup()
    assert one != two
    machine.stop()
    machine.lose_data()
    for backup, cases in ((one, 1), (two, 2)):
        done = machine.run("db", "restore", backup, "--set-aside", typed=machine.shares)
        assert done.exit_code == 0, done.output
        settled = machine.run("db", "settle", "--json")
        assert json.loads(settled.stdout)["cases"] == cases
    store = Path(world.settings.data_url.removeprefix("sqlite:///"))
    (aside,) = store.parent.glob("*.replaced-*[0-9]")
    with closing(sqlite3.connect(aside)) as connection:
        assert connection.execute("SELECT count(*) FROM case_file").fetchone() == (1,)


def test_a_changed_backup_is_refused_and_nothing_is_done(machine):
    """At its head, in the wrapped key, in the content, at its end, and cut off."""
    machine.world.open("cara", an_identity(NAME))
    backup = machine.backup()
    whole = backup.read_bytes()
    machine.stop()
    machine.lose_data()
    store = Path(machine.world.settings.data_url.removeprefix("sqlite:///"))
    changed = [
        whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :]
        for at in (0, 9, 40, 200, 1500, 5000, len(whole) - 1)
    ]
    for raw in (*changed, whole[:-9], whole[:30], whole + b"\0", b""):
        backup.write_bytes(raw)
        done = machine.run("db", "restore", backup, typed=machine.shares)
        assert isinstance(done.exception, (Tampered, Misconfigured)), done.exception
        assert not store.exists()
    backup.write_bytes(whole)
    assert machine.run("db", "restore", backup, typed=machine.shares).exit_code == 0


@pytest.mark.slow
def test_an_older_or_foreign_keyring_is_refused(machine, make_databases, tmp_path, pg_programs):
    """Whoever restores must have the newest keyring of the same vault."""
    world = machine.world
    world.open("cara", an_identity(NAME))
    table = keyring_tables.keyring_identity
    with world.vault.stores.keyring.database.writing() as connection:
        connection.execute(update(table).values(generation=5))
    backup = machine.backup()
    with world.vault.stores.keyring.database.writing() as connection:
        connection.execute(update(table).values(generation=4))
    machine.stop()
    machine.lose_data()
    assert code_of(machine.run("db", "restore", backup, typed=machine.shares)) == "identity.older"
    folder = tmp_path / "other"
    folder.mkdir()
    for other in running(make_databases, "sqlite", folder, pg_programs, build):
        theirs = other.backup()
        done = machine.run("db", "restore", theirs, typed=machine.shares)
        assert code_of(done) == "restore.foreign"


def test_the_drill_proves_and_keeps_nothing(machine):
    """Capsule, keyring and data are opened with the shares; afterwards everything is as before."""
    world = machine.world
    world.open("cara", an_identity(NAME))
    backup = machine.backup()
    machine.copy_keyring()
    before = sorted(path.relative_to(machine.folder) for path in machine.folder.rglob("*"))
    args = ("db", "drill", "--medium", machine.medium, backup)
    done = machine.run(*args, "--json", typed=machine.shares)
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout[done.stdout.index("{") :])
    assert found["data"]["rows"]["case_file"] == 1
    assert found["keyring_rows"] > 20
    after = sorted(path.relative_to(machine.folder) for path in machine.folder.rglob("*"))
    assert before == after
    assert NAME not in done.output
    codes = [one["code"] for one in world.entries()]
    assert "key.drill" in codes
    assert "case.read" not in codes


@pytest.mark.slow
def test_the_drill_finds_copies_that_do_not_belong_together(machine):
    """Another roll's keyring, a damaged capsule, shares of another vault."""
    world = machine.world
    world.open("cara", an_identity(NAME))
    backup = machine.backup()
    machine.copy_keyring()
    stores = world.vault.stores
    old = (machine.medium / media.KEYRING).read_bytes()
    identity.advance(stores.data, stores.keyring.database)
    machine.copy_keyring()
    args = ("db", "drill", "--medium", machine.medium, backup)
    assert machine.run(*args, typed=machine.shares).exit_code == 0
    foreign = "".join(share + "\n" for share in split(new_seed(), 3, 5)[:3])
    assert code_of(machine.run(*args, typed=foreign)) == "rebuild.capsule"
    (machine.medium / media.KEYRING).write_bytes(old)
    assert code_of(machine.run(*args, typed=machine.shares)) == "rebuild.pair"
    capsule = machine.medium / media.CAPSULE
    raw = bytearray(capsule.read_bytes())
    raw[-1] ^= 1
    capsule.write_bytes(bytes(raw))
    assert code_of(machine.run(*args, typed=machine.shares)) == "rebuild.capsule"


def test_copies_from_before_a_roll_are_refused(machine):
    """Data that has seen a later epoch tells that a newer keyring backup was made."""
    world = machine.world
    world.open("cara", an_identity(NAME))
    assert machine.run("keys", "roll", "--new-medium").exit_code == 0
    older = machine.folder / "older"
    shutil.copytree(machine.medium, older)
    assert machine.run("keys", "roll").exit_code == 0
    backup = machine.backup()
    machine.stop()
    machine.lose_everything()
    args = ("db", "rebuild", "--medium", older, backup)
    assert code_of(machine.run(*args, typed=machine.shares)) == "rebuild.older"
    not_said = machine.run(*args, "--older-keyring", typed="yes\n" + machine.shares)
    assert code_of(not_said) == "rebuild.unconfirmed"
    assert not world.settings.keys_dir.exists()
    said = machine.run(*args, "--older-keyring", typed="take the older keyring\n" + machine.shares)
    assert said.exit_code == 0, said.output


@pytest.mark.slow
def test_a_rebuild_that_was_cut_off_goes_on(machine, monkeypatch):
    """Root material and keyring are there, the data is not: the same command ends it."""
    world = machine.world
    case = world.open("cara", an_identity(NAME))
    backup = machine.backup()
    machine.prepare("sue", "dora")
    machine.copy_keyring()
    machine.stop()
    machine.lose_everything()
    args = ("db", "rebuild", "--medium", machine.medium, backup)
    with monkeypatch.context() as patch:
        patch.setattr(restoring, "place", _cut_off)
        assert isinstance(machine.run(*args, typed=machine.shares).exception, RuntimeError)
    assert machine.run(*args, typed=machine.shares).exit_code == 0
    assert machine.settle_with("sue", "dora").exit_code == 0
    machine.start()
    assert name_of(machine, case) == NAME


def _cut_off(*_):
    raise RuntimeError("cut off")


def test_a_store_that_was_tampered_with_is_not_backed_up(machine):
    """The trial restore looks through it: there is no backup of it, and the log says failed."""
    world = machine.world
    world.open("cara", an_identity(NAME))
    with world.vault.stores.data.writing() as connection:
        connection.execute(update(tables.case_file).values(due_facts="2099-12-31"))
    done = machine.run("db", "backup")
    assert done.exit_code == 1
    assert code_of(done) == "stamp"
    assert not list((machine.folder / "backups").glob("*.cv"))
    codes = [one["code"] for one in world.entries()]
    assert codes.count("data.backup_failed") == 1


def test_an_old_file_put_there_by_hand_is_noticed(machine):
    """The log is shorter than it was signed: nothing is served, and no key goes, unsettled."""
    world = machine.world
    case = world.open("cara", an_identity(NAME))
    store = Path(world.settings.data_url.removeprefix("sqlite:///"))
    machine.run("keys", "roll", "--new-medium")
    machine.prepare("sue", "dora")
    old = machine.folder / "old.db"
    with closing(sqlite3.connect(store)) as source, closing(sqlite3.connect(old)) as copy:
        source.backup(copy)
    late = world.open("cara", an_identity("Late Obvious-Madeup"))
    world.vault.caretaker.integrate()
    world.vault.checkpoints.sign()
    machine.stop()
    aside = machine.folder / "aside"
    aside.mkdir()
    for one in store.parent.glob(store.name + "*"):
        one.rename(aside / one.name)
    shutil.copyfile(old, store)
    for command in (("keys", "status"), ("keys", "roll")):
        assert code_of(machine.run(*command)) == "identity.unsettled"
    found = json.loads(machine.run("db", "settle", "--json").stdout)
    assert found["lost"] == [late]
    assert found["log"]["missing"] > 0
    assert machine.settle_with("sue", "dora").exit_code == 0
    assert machine.run("keys", "roll").exit_code == 0
    assert machine.run("db", "settle").exit_code == 0
    machine.start()
    assert name_of(machine, case) == NAME


@pytest.mark.slow
def test_a_configuration_that_pins_another_root_rebuilds_nothing(machine):
    """The copies prove themselves against the pinned root, or one that it signed for."""
    world = machine.world
    world.open("cara", an_identity(NAME))
    backup = machine.backup()
    machine.copy_keyring()
    machine.stop()
    machine.lose_everything()
    pinned = machine.config.read_text()
    machine.config.write_text(pinned.replace(world.outcome.root_pin, "ab" * 32))
    args = ("db", "rebuild", "--medium", machine.medium, backup)
    refused = machine.run(*args, typed=machine.shares)
    assert code_of(refused) == "root.fingerprint"
    assert world.outcome.root_pin in str(refused.exception)
    assert not world.settings.keys_dir.exists()
    other = pinned.replace(str(world.settings.organisation_id), str(unknown_id()))
    machine.config.write_text(other)
    assert code_of(machine.run(*args, typed=machine.shares)) == "rebuild.foreign"
    machine.config.write_text(pinned)
    assert machine.run(*args, typed=machine.shares).exit_code == 0


def test_a_new_machine_has_no_folder_of_the_store_yet(tmp_path):
    """It is made, for this account only, before a copy is opened in it."""
    store = tmp_path / "var" / "casevault.db"
    with dumps.working_folder(f"sqlite:///{store}") as working:
        assert working.parent == store.parent
        assert store.parent.stat().st_mode & 0o777 == 0o700
