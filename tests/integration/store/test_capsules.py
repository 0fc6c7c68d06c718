"""The copies on the second medium: whole, readable by recovery alone, restorable on either side."""

from __future__ import annotations

import io
import os
from dataclasses import replace
from pathlib import Path

import pytest

from casevault.crypto import recovery, sealed_files
from casevault.crypto.principals import PrincipalSecret
from casevault.crypto.roots import adopt_roots
from casevault.errors import KeyUnavailable, MediumFault, Misconfigured, Tampered
from casevault.store.engine import keyring_tables, migrate, schema
from casevault.store.engine.database import Database
from casevault.store.engine.keyring import Keyring, sealed_tables
from casevault.store.keys import grants, people, principals
from casevault.store.recovery import capsules, keyring_backup, media
from casevault.store.recovery.media import Medium
from tests.builders import a_vault
from tests.conftest import Databases


@pytest.fixture
def one(sqlite_databases, tmp_path):
    """Give a vault on SQLite: the medium does not depend on the database."""
    vault = a_vault(sqlite_databases, tmp_path)
    yield vault
    vault.close()


def a_medium(vault, tmp_path):
    """Return a fresh second medium of a vault."""
    medium = Medium(tmp_path / "medium", vault.stores.roots.keyring_id)
    medium.take()
    return medium


def to(vault):
    """Return to whom copies are sealed."""
    with vault.stores.keyring.reading() as tx:
        return capsules.recipients(vault.stores, tx)


def everything(keyring):
    """Return the content of every sealed row."""
    with keyring.reading() as tx:
        return {
            table.name: sorted((repr(row.lookup), row.content) for row in tx.find(table))
            for table in sealed_tables()
        }


def rebuilt(databases: Databases, vault, folder: Path, tmp_path: Path) -> Keyring:
    """Do what total loss asks for, as far as the keyring goes: shares, capsule, keyring backup."""
    secret = recovery.recovery_principal(vault.seed)
    with (folder / media.CAPSULE).open("rb") as file:
        capsule = capsules.open_capsule(file, secret)
    roots = adopt_roots(tmp_path / "new-keys", capsule.roots)
    database = Database(databases.keyring_url)
    migrate.upgrade(database, "keyring")
    with (folder / media.KEYRING).open("rb") as file:
        _, stream = capsules.open_keyring(file, capsule.backup_key.secret(secret))
        keyring_backup.load(database, stream)
    return Keyring(database, roots, vault.stores.organisation)


def test_shares_capsule_and_keyring_backup_give_the_keyring_back(vault, sqlite_databases, tmp_path):
    """On SQLite, from either database: every row opens with its content."""
    medium = a_medium(vault, tmp_path)
    before, folder = everything(vault.stores.keyring), tmp_path / "medium"
    capsules.write_capsule(vault.stores, medium, to(vault), 1)
    capsules.write_keyring(vault.stores, medium, to(vault))
    url = f"sqlite:///{tmp_path / 'elsewhere' / 'keyring.db'}"
    keyring = rebuilt(replace(sqlite_databases, keyring_url=url), vault, folder, tmp_path)
    assert everything(keyring) == before
    assert sum(map(len, before.values())) > 20
    with keyring.reading() as tx:
        assert tx.identity().generation == 1
        vault.stores.trust.check_root(tx)
    keyring.database.close()


def test_a_keyring_of_sqlite_is_restored_on_postgresql(sqlite_databases, pg_databases, tmp_path):
    """The copy knows no database."""
    vault = a_vault(sqlite_databases, tmp_path)
    medium = a_medium(vault, tmp_path)
    capsules.write_capsule(vault.stores, medium, to(vault), 1)
    capsules.write_keyring(vault.stores, medium, to(vault))
    keyring = rebuilt(pg_databases, vault, tmp_path / "medium", tmp_path)
    assert everything(keyring) == everything(vault.stores.keyring)
    keyring.database.close()
    vault.close()


def test_the_backup_key_opens_for_recovery_alone(one, tmp_path):
    """Its private half is nowhere online; the copy beside backups gives it too."""
    group = one.group(principals.PrincipalKind.BACKUP)
    with one.stores.keyring.reading() as tx:
        assert grants.holders_of(tx, group.id) == {one.group(principals.PrincipalKind.RECOVERY).id}
    path = tmp_path / "backups" / media.BACKUP_KEY
    path.parent.mkdir()
    capsules.write_backup_key(one.stores, path, to(one))
    secret = recovery.recovery_principal(one.seed)
    with path.open("rb") as file:
        assert capsules.open_backup_key(file, secret).public == group.public
    with path.open("rb") as file, pytest.raises(Tampered):
        capsules.open_backup_key(file, PrincipalSecret.generate())
    with path.open("rb") as file, pytest.raises(Tampered):
        capsules.open_capsule(file, secret)
    with one.stores.keyring.writing() as tx:
        grants.take_object(tx, grants.ObjectKind.GROUP, [group.id])
    # A copy that nobody could open is not made.
    with pytest.raises(KeyUnavailable):
        to(one)


def test_a_capsule_holds_only_the_epochs_it_is_told_to(one, tmp_path):
    """What is about to be destroyed leaves no copy there."""
    medium, secret = a_medium(one, tmp_path), recovery.recovery_principal(one.seed)
    one.stores.roots.new_epoch()
    for lowest, expected in ((1, (1, 2)), (2, (2,))):
        capsules.write_capsule(one.stores, medium, to(one), lowest)
        with (tmp_path / "medium" / media.CAPSULE).open("rb") as file:
            capsule = capsules.open_capsule(file, secret)
        assert capsule.header.about == (lowest,)
        folder = tmp_path / f"keys-{lowest}"
        assert adopt_roots(folder, capsule.roots).epochs() == expected
    with pytest.raises(ValueError, match="opens nothing"):
        capsules.write_capsule(one.stores, medium, to(one), 3)


def test_a_dump_that_is_not_whole_is_refused(one, tmp_path):
    """Cut off, lengthened, renamed or of another schema: nothing of it is kept."""
    with one.stores.keyring.database.reading() as connection:
        revision = schema.current(one.stores.keyring.database, "keyring")
        whole = b"".join(keyring_backup.dump(connection, revision))
    found = keyring_backup.examine([whole[:7], whole[7:]])
    assert (found.revision, found.epochs) == (revision, {1})
    assert found.total == found.rows[("keyring_identity", 1)] + sum(
        count for (name, _), count in found.rows.items() if name != "keyring_identity"
    )
    other = Database(f"sqlite:///{tmp_path / 'other' / 'keyring.db'}")
    migrate.upgrade(other, "keyring")
    other_name = whole.replace(b"vouch", b"vouck", 1)
    for bad in (whole[:-1], whole[: len(whole) // 2], whole + b"x", b"", whole[4:], other_name):
        with pytest.raises(Tampered):
            keyring_backup.examine([bad])
        with pytest.raises((Tampered, Misconfigured)):
            keyring_backup.load(other, [bad])
    with one.stores.keyring.database.reading() as connection:
        older = list(keyring_backup.dump(connection, "0001"))
    with pytest.raises(Misconfigured):
        keyring_backup.load(other, older)
    with other.reading() as connection:
        assert not connection.execute(keyring_tables.team.select()).all()
    other.close()
    with pytest.raises(Misconfigured):
        keyring_backup.load(one.stores.keyring.database, [whole])


# --- the medium ----------------------------------------------------------------------------------


def a_copy(medium, content=b"content"):
    """Write something to a medium."""
    secret = PrincipalSecret.generate()
    header = sealed_files.FileHeader(
        "capsule",
        medium._keyring_id,
        medium._keyring_id,
        1,
        1,
        medium._keyring_id,
        secret.public.key_id,
    )
    return medium.replace(
        media.CAPSULE, lambda out: sealed_files.write(out, header, secret.public, [content])
    )


def code_of(act):
    """Return the code of the fault that an act ends with."""
    with pytest.raises(MediumFault) as caught:
        act()
    return caught.value.code


def test_a_medium_that_is_not_there_is_not_taken_for_an_empty_one(one, tmp_path):
    """Not configured, not mounted, another vault's: each is said; only a new one is taken."""
    keyring_id = one.stores.roots.keyring_id
    assert code_of(Medium(None, keyring_id).require) == "medium.unset"
    folder = tmp_path / "mounted"
    folder.mkdir()
    assert code_of(Medium(folder, keyring_id).require) == "medium.missing"
    assert code_of(lambda: a_copy(Medium(folder, keyring_id))) == "medium.missing"
    Medium(folder, keyring_id).take()
    a_copy(Medium(folder, keyring_id))
    foreign = Medium(folder, one.stores.organisation)
    assert code_of(foreign.require) == code_of(foreign.take) == "medium.foreign"
    assert code_of(Medium(tmp_path / "no" / "such", keyring_id).take) == "medium.write"


def test_a_copy_that_comes_back_different_leaves_the_old_one(one, tmp_path, monkeypatch):
    """The fault of a failing disk; the copy before stays, and nothing is left beside it."""
    medium = a_medium(one, tmp_path)
    a_copy(medium, b"old")
    old = (tmp_path / "medium" / media.CAPSULE).read_bytes()
    written = media._written

    def failing(path, write):
        found = written(path, write)
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 1
        path.write_bytes(data)
        return found

    monkeypatch.setattr(media, "_written", failing)
    assert code_of(lambda: a_copy(medium, b"new")) == "medium.read-back"
    monkeypatch.undo()
    monkeypatch.setattr(os, "fsync", lambda _: (_ for _ in ()).throw(OSError(28, "full")))
    assert code_of(lambda: a_copy(medium, b"new")) == "medium.write"
    monkeypatch.undo()
    assert (tmp_path / "medium" / media.CAPSULE).read_bytes() == old
    assert sorted(path.name for path in (tmp_path / "medium").iterdir()) == [
        media.CAPSULE,
        "casevault-medium",
    ]


def test_what_a_killed_process_left_goes_with_the_next_copy(one, tmp_path):
    """A half-written older copy could hold what has been erased since."""
    medium, folder = a_medium(one, tmp_path), tmp_path / "medium"
    (folder / f".{media.CAPSULE}.0123456789ab").write_bytes(b"half")
    a_copy(medium)
    assert not list(folder.glob(".*"))
    assert io.BytesIO((folder / media.CAPSULE).read_bytes()).read(6) == b"CVFILE"


def test_people_are_not_named_on_the_medium(one, tmp_path):
    """Headers are plain: they say which one and when, and nothing about anybody."""
    medium = a_medium(one, tmp_path)
    with one.stores.keyring.reading() as tx:
        names = [member.name.encode() for member in people.all_staff(tx)]
    capsules.write_capsule(one.stores, medium, to(one), 1)
    capsules.write_keyring(one.stores, medium, to(one))
    data = b"".join(path.read_bytes() for path in (tmp_path / "medium").iterdir())
    assert names
    assert not [name for name in names if name in data]
