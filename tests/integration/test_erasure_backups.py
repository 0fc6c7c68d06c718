"""An erasure and the backups from before it: every copy, next to the keyring of today.

Whatever was copied before, the erased case opens nowhere and every other does; and where the
erased keys still lie in some file, nothing that is left opens them.
"""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest
from sqlalchemy import func, select

from casevault.crypto import recovery
from casevault.domain.case.casefile import Compartment
from casevault.domain.case.retention import Reason
from casevault.domain.staff.access import Role
from casevault.errors import KeyUnavailable
from casevault.services.casework.assignments import Assignments
from casevault.services.recovery import rolls
from casevault.services.recovery.rolls import Rolls
from casevault.store.case import cases
from casevault.store.context.caller import Gate
from casevault.store.engine import keyring_tables as keys
from casevault.store.engine import tables
from casevault.store.log.ledger import SERVICE
from casevault.store.recovery import capsules
from casevault.store.recovery.dumps import Form, form_of
from casevault.store.recovery.media import CAPSULE, Medium
from casevault.store.retention import erasures
from tests.builders import SUPERVISOR, a_vault
from tests.conftest import libpq_url
from tests.integration.restoring import Copies

NAMES = ("Azure", "Birch", "Cedar")


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch):
    """Nobody reads in these tests while an epoch is destroyed."""
    monkeypatch.setattr(rolls, "READERS_SECONDS", 0)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)])
def copies(request, tmp_path, pg_programs):
    """Give a vault in which two people work; on PostgreSQL only `make test-all` runs it."""
    name = "sqlite_databases" if request.param == "sqlite" else "pg_databases"
    vault = a_vault(request.getfixturevalue(name), tmp_path)
    for login in ("amal", "boris"):
        vault.enrolled(login, {"caseworker"}, vault.team)
        vault.admit(login)
    folder = tmp_path / "copies"
    folder.mkdir()
    yield Copies(vault, folder, pg_programs)
    vault.close()


def medium_of(copies, tmp_path):
    """Return the second medium, taken when first asked for."""
    medium = Medium(tmp_path / "medium", copies.vault.stores.roots.keyring_id)
    if not (tmp_path / "medium").exists():
        medium.take()
    return medium


def wrapped_keys(copies, case):
    """Return every sealed row by which a case could be opened, with the epoch it lies under."""
    with copies.vault.stores.keyring.database.reading() as connection:
        grants = connection.execute(
            select(keys.grant.c.id, keys.grant.c.epoch, keys.grant.c.sealed).where(
                keys.grant.c.object_id == case
            )
        ).all()
        ids = [row.id for row in grants]
        rows = connection.execute(
            select(keys.grant_key.c.epoch, keys.grant_key.c.sealed).where(
                keys.grant_key.c.grant_id.in_(ids)
            )
        ).all()
    found = [(row.epoch, bytes(row.sealed)) for row in [*grants, *rows]]
    assert len(found) >= 3 * len(Compartment)
    return found


def files_of(copies):
    """Return the raw bytes of every file of the databases: tables, write-ahead logs, all of it."""
    url = copies.vault.databases.keyring_url
    if form_of(url) is Form.SQLITE:
        place = Path(url.removeprefix("sqlite:///")).parent
    else:
        with psycopg.connect(libpq_url(url), autocommit=True) as connection:
            connection.execute("CHECKPOINT")
            (place,) = connection.execute("SHOW data_directory").fetchone()
    found = [path for path in Path(place).rglob("*") if path.is_file() and not path.is_symlink()]
    return [path.read_bytes() for path in found if path.stat().st_size < 1 << 28]


def erase(copies, case):
    """Erase a case, keys first, as an approval does."""
    stores = copies.vault.stores
    with stores.data.reading() as connection:
        row = cases.find_case(connection, stores.roots, case)
    planned = erasures.plan(row, Reason.REQUEST, [one.value for one in Compartment])
    with stores.keyring.writing() as tx:
        batch = erasures.begin(tx, [planned], stores.now(), SERVICE, "permit:two-people")
    erasures.finish(stores, batch)


def documents_of(copies, case):
    with copies.vault.stores.data.reading() as connection:
        found = select(func.count()).where(tables.document.c.case_id == case)
        return connection.execute(found).scalar()


def shut_out(copies, case):
    """Give a case new keys: the caseworker who opened it is taken off."""
    desk = Assignments(copies.vault.stores, Gate(copies.vault.stores, "passphrase"))
    who = copies.caller(SUPERVISOR, Role.SUPERVISOR)
    desk.revoke(who, case, copies.vault.staff("amal"))


def opens_all_but(copies, gone, living):
    """Say whether, next to the keyring of today, exactly the living cases open."""
    names = {one: copies.name(SUPERVISOR, one, Role.SUPERVISOR) for one in (gone, *living)}
    return names == {gone: None} | {one: f"{name} Obvious-Madeup" for one, name in living.items()}


def test_no_backup_from_before_opens_what_was_erased(copies, tmp_path):
    """Three backups, a case re-keyed between them; then the raw files are searched for the keys."""
    gone, *living = (copies.open("amal", f"{one} Obvious-Madeup") for one in NAMES)
    others = dict(zip(living, NAMES[1:], strict=True))
    medium = medium_of(copies, tmp_path)
    Rolls(copies.vault.stores, medium, 1).roll()
    recorded = wrapped_keys(copies, gone)
    backups = [copies.take()]
    shut_out(copies, living[0])
    backups.append(copies.take())
    copies.rename(SUPERVISOR, living[1], Role.SUPERVISOR, "Cedar Obvious-Madeup")
    backups.append(copies.take())
    erase(copies, gone)
    # Somebody keeps the files as they are at this moment.
    kept = files_of(copies)
    rolled = Rolls(copies.vault.stores, medium, 1).roll(erase_now=True)
    for backup in backups:
        copies.put_back(backup)
        assert documents_of(copies, gone) >= 3
        assert opens_all_but(copies, gone, others)
        found = copies.settle_with_two()
        assert found.erased == (gone,)
        assert documents_of(copies, gone) == 0
        assert opens_all_but(copies, gone, others)
    shut_out(copies, living[1])
    assert opens_all_but(copies, gone, others)
    left = [epoch for epoch, row in recorded if any(row[-96:] in file for file in kept)]
    assert left, "deleted rows live on in the files: if not, this shows nothing"
    for epoch in left:
        assert epoch < rolled.epoch
        with pytest.raises(KeyUnavailable):
            copies.vault.stores.roots.epoch(epoch)
    with (tmp_path / "medium" / CAPSULE).open("rb") as file:
        secret = recovery.recovery_principal(copies.vault.seed)
        assert capsules.open_capsule(file, secret).header.about == (rolled.epoch,)
