"""One database: safe on every connection, fair to every writer, and silent about parameters."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import socket
import sqlite3
import stat
import subprocess
import sys
import threading
import time
import traceback
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import Column, Integer, MetaData, String, Table, make_url, text

from casevault.errors import Busy, CaseVaultError, Conflict, Misconfigured
from casevault.store.engine import database as module
from casevault.store.engine.database import Database
from tests.builders import migrated
from tests.conftest import libpq_url

SECRET = "Amal-of-the-harbour-house"

metadata = MetaData()
note = Table(
    "note",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("words", String(200), nullable=False, unique=True),
)


@pytest.fixture
def opened(database):
    """Give a database with one small table."""
    found = Database(database.data_url)
    with found.writing() as connection:
        metadata.create_all(connection)
    yield found
    found.close()


def write(database, number, words=None):
    with database.writing() as connection:
        connection.execute(note.insert().values(id=number, words=words or f"words {number}"))


def numbers(database):
    with database.reading() as connection:
        return set(connection.execute(note.select().with_only_columns(note.c.id)).scalars())


# --- connections ---------------------------------------------------------------------------------


def test_every_pooled_connection_is_hardened(database):
    """Pragmas and timeouts are per connection, so each of the pool is asked."""
    found = Database(database.data_url, connections=4)
    with contextlib.ExitStack() as stack:
        connections = [stack.enter_context(found.reading()) for _ in range(6)]
        for connection in connections:
            if found.is_sqlite:
                expected = {
                    "journal_mode": "wal",
                    "synchronous": 2,
                    "foreign_keys": 1,
                    "secure_delete": 1,
                    "trusted_schema": 0,
                    "temp_store": 2,
                    "cell_size_check": 1,
                    "busy_timeout": 2000,
                }
                asked = "PRAGMA {}"
            else:
                expected = {
                    "statement_timeout": "10s",
                    "lock_timeout": "2s",
                    "idle_in_transaction_session_timeout": "15s",
                    "TimeZone": "UTC",
                    "application_name": "casevault",
                }
                asked = "SHOW {}"
            shown = {
                name: connection.execute(text(asked.format(name))).scalar_one() for name in expected
            }
            assert shown == expected
    found.close()


_TAKE_LOCK = """
import fcntl, os, sys
# SQLite's shared range (os_unix.c): held by every open connection in WAL mode.
descriptor = os.open(sys.argv[1], os.O_RDWR)
try:
    fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB, 510, 0x40000002)
except BlockingIOError:
    print("held")
else:
    print("free")
"""


def test_a_second_opening_keeps_the_locks_of_the_first(sqlite_databases):
    """In one process: closing any descriptor of the file would end all its locks on it."""
    path = make_url(sqlite_databases.data_url).database
    first = Database(sqlite_databases.data_url)
    with first.writing() as connection:
        metadata.create_all(connection)
    second = Database(sqlite_databases.data_url)
    command = [sys.executable, "-c", _TAKE_LOCK, path]
    found = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30)
    assert found.stdout == "held\n"
    first.close()
    second.close()


def test_files_are_private_from_the_first_byte(sqlite_databases):
    """Database, write-ahead log, shared memory and lock: 0600 whatever the umask."""
    before = os.umask(0)
    try:
        found = Database(sqlite_databases.data_url)
        with found.writing() as connection:
            metadata.create_all(connection)
            path = Path(make_url(sqlite_databases.data_url).database)
            modes = {f.name: stat.S_IMODE(f.stat().st_mode) for f in path.parent.iterdir()}
        found.close()
    finally:
        os.umask(before)
    assert set(modes) == {path.name + end for end in ("", "-wal", "-shm", ".lock")}
    assert set(modes.values()) == {0o600}


def test_a_new_folder_is_private(tmp_path):
    """0700, made on the way."""
    found = Database(f"sqlite:///{tmp_path / 'new' / 'vault.db'}")
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o700
    found.close()


def test_deleted_content_is_overwritten(sqlite_databases):
    """`secure_delete` works on our connections: nothing of a deleted row stays in the file."""
    found = Database(sqlite_databases.data_url)
    with found.writing() as connection:
        metadata.create_all(connection)
    write(found, 1, SECRET)
    path = Path(make_url(sqlite_databases.data_url).database)
    with found.reading() as connection:
        connection.rollback()
    with found.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    assert SECRET.encode() in path.read_bytes()
    with found.writing() as connection:
        connection.execute(note.delete())
    found.close()
    with contextlib.closing(sqlite3.connect(path)) as plain:
        plain.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    assert SECRET.encode() not in path.read_bytes()


def test_tables_about_survivors_keep_no_insertion_order(sqlite_databases):
    """WITHOUT ROWID: SQLite has no number by which rows could be put in the order of arrival."""
    data, keyring = migrated(sqlite_databases)
    with data.reading() as connection:
        for table in ("case_file", "document", "manifest", "idempotency"):
            created = connection.execute(
                text("SELECT sql FROM sqlite_master WHERE name = :name"), {"name": table}
            ).scalar_one()
            assert created.rstrip().endswith("WITHOUT ROWID")
    data.close()
    keyring.close()


def test_tables_of_the_keyring_about_survivors_keep_no_insertion_order(sqlite_databases):
    """The same for the rows that name a case beside its keys."""
    data, keyring = migrated(sqlite_databases)
    with keyring.reading() as connection:
        found = {
            table: connection.execute(
                text("SELECT sql FROM sqlite_master WHERE name = :name"), {"name": table}
            ).scalar_one()
            for table in ("case_key", "access_grant", "access_grant_key", "tombstone")
        }
    data.close()
    keyring.close()
    assert all(created.rstrip().endswith("WITHOUT ROWID") for created in found.values())


def test_another_driver_is_refused():
    """Only psycopg 3 is tested, so only it is taken."""
    with pytest.raises(Misconfigured) as caught:
        Database("postgresql+psycopg2://vault@localhost/vault")
    assert caught.value.code == "store.driver"


def test_durability_is_checked(database):
    """What may lose acknowledged commits is refused; the test server runs without fsync."""
    found = Database(database.data_url)
    if found.is_sqlite:
        found.check_durability()
    else:
        with found.reading() as connection:
            safe = connection.execute(text("SHOW fsync")).scalar_one() == "on"
        if safe:  # a server of CASEVAULT_TEST_PG_URL
            found.check_durability()
        else:
            with pytest.raises(Misconfigured) as caught:
                found.check_durability()
            assert caught.value.code == "store.durability"
    found.close()


# --- transactions --------------------------------------------------------------------------------


def test_a_clean_exit_commits_and_an_error_does_not(opened):
    """Whatever the error is, and whoever raised it."""
    write(opened, 1)
    for error in (RuntimeError, KeyboardInterrupt, Busy):
        with pytest.raises(error), opened.writing() as connection:
            connection.execute(note.insert().values(id=2, words="two"))
            raise error
    with opened.opened_for_writing() as connection:
        connection.execute(note.insert().values(id=3, words="three"))
    with opened.reading() as connection:
        connection.execute(note.insert().values(id=4, words="four"))
    assert numbers(opened) == {1}
    with opened.opened_for_writing() as connection:
        connection.execute(note.insert().values(id=5, words="five"))
        connection.commit()
    assert numbers(opened) == {1, 5}


def shown(error):
    """Return everything that a log or a screen could get from an exception."""
    parts = [str(error), repr(error), error.detail, error.hint, error.code, repr(error.args)]
    return " ".join(parts)


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("INSERT INTO note (id, words) VALUES (1, :secret)", Conflict),
        ("INSERT INTO note (id, words) VALUES (7, NULL)", Conflict),
        ("INSERT INTO nowhere (id) VALUES (:secret)", Busy),
        ("SELECT :secret FROM", Busy),
        ("SELECT words / 0 FROM nowhere WHERE words = :secret", Busy),
    ],
)
@pytest.mark.parametrize("way", ["reading", "writing", "opened_for_writing"])
def test_errors_are_ours_and_say_nothing(opened, statement, expected, way):
    """No exception of the libraries below, no statement and no parameter comes out."""
    write(opened, 1)
    with pytest.raises(CaseVaultError) as caught, getattr(opened, way)() as connection:
        # The statement holds a literal too: driver messages quote rows.
        connection.execute(text(statement), {"secret": SECRET} if ":secret" in statement else {})
    assert type(caught.value) is expected
    assert caught.value.__suppress_context__
    # A traceback shows the line of this test and nothing of the libraries below it.
    formatted = "".join(traceback.format_exception(caught.value))
    assert SECRET not in formatted
    assert "sqlalchemy.exc" not in formatted
    for telling in (SECRET, "INSERT", "SELECT", "nowhere", "sqlite3", "psycopg"):
        assert telling not in shown(caught.value)
    # The connection is usable afterwards.
    write(opened, 2)


def test_a_damaged_file_is_busy(tmp_path):
    """Not a database at all: one of our errors, at the first use."""
    (tmp_path / "vault.db").write_bytes(b"this is no database" * 100)
    found = Database(f"sqlite:///{tmp_path / 'vault.db'}")
    with pytest.raises(Busy), found.reading():
        pass
    found.close()


# --- writers -------------------------------------------------------------------------------------


def test_every_writer_gets_its_turn(opened):
    """Eight threads write at once: none starves, none is refused, nothing is lost."""
    waits, failures = [], []

    def writer(number):
        try:
            for n in range(15):
                start = time.monotonic()
                write(opened, number * 100 + n)
                waits.append(time.monotonic() - start)
        except CaseVaultError as error:
            failures.append(error)

    threads = [threading.Thread(target=writer, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert numbers(opened) == {n * 100 + i for n in range(8) for i in range(15)}
    assert max(waits) < 2


def _write_many(url, first):
    found = Database(url, connections=2)
    for n in range(20):
        write(found, first + n)
    found.close()


def test_writers_of_several_processes_queue_up(opened, database):
    """The lock is a file's, so that processes wait for each other too."""
    context = multiprocessing.get_context("spawn")
    started = [
        context.Process(target=_write_many, args=(database.data_url, n * 100)) for n in range(3)
    ]
    for process in started:
        process.start()
    for process in started:
        process.join()
    assert [process.exitcode for process in started] == [0, 0, 0]
    assert len(numbers(opened)) == 60


def test_readers_do_not_wait_for_writers(opened):
    """While somebody writes, the state before is read."""
    write(opened, 1)
    with opened.writing() as connection:
        connection.execute(note.insert().values(id=2, words="two"))
        assert numbers(opened) == {1}
    assert numbers(opened) == {1, 2}


def test_a_second_writer_of_one_thread_is_refused_in_time(sqlite_databases, monkeypatch):
    """A nested write on SQLite cannot succeed: it is `Busy`, not a deadlock."""
    monkeypatch.setattr(module, "_WAIT_SECONDS", 0.05)
    found = Database(sqlite_databases.data_url)
    with found.writing(), pytest.raises(Busy) as caught, found.writing():
        pass
    assert caught.value.code == "store.busy"
    with found.writing():
        pass
    found.close()


def test_a_writer_of_another_process_is_not_waited_for_without_end(sqlite_databases, monkeypatch):
    """After the limit the answer is `Busy` here too."""
    monkeypatch.setattr(module, "_WAIT_SECONDS", 0.05)
    first, second = (Database(sqlite_databases.data_url) for _ in range(2))
    answers = []

    def attempt():
        try:
            with second.writing():
                answers.append("written")
        except Busy:
            answers.append("busy")

    with first.writing():
        thread = threading.Thread(target=attempt)
        thread.start()
        thread.join(timeout=1.5)
        answered = list(answers)
    thread.join()
    first.close()
    second.close()
    assert answered == ["busy"]


def test_a_lock_held_by_another_program_is_busy(sqlite_databases):
    """Somebody's shell holds the file: two seconds, then `Busy`; then all is well again."""
    found = Database(sqlite_databases.data_url)
    with found.writing() as connection:
        metadata.create_all(connection)
    path = make_url(sqlite_databases.data_url).database
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        start = time.monotonic()
        with pytest.raises(Busy):
            write(found, 1)
        assert 1 < time.monotonic() - start < 4
        other.execute("ROLLBACK")
    write(found, 1)
    found.close()


def test_an_exhausted_pool_is_busy(database):
    """When all connections are taken the answer comes after two seconds."""
    found = Database(database.data_url, connections=1)
    with contextlib.ExitStack() as stack:
        for _ in range(3):
            stack.enter_context(found.reading())
        start = time.monotonic()
        with pytest.raises(Busy), found.reading():
            pass
        assert time.monotonic() - start < 4
    with found.reading():
        pass
    found.close()


def test_a_locked_row_is_busy(pg_databases):
    """PostgreSQL: two seconds for a row that somebody else changes."""
    found = Database(pg_databases.data_url)
    with found.writing() as connection:
        metadata.create_all(connection)
    write(found, 1)
    with found.writing() as connection:
        connection.execute(note.update().values(words="mine"))
        start = time.monotonic()
        with pytest.raises(Busy), found.writing() as other:
            other.execute(note.update().values(words="theirs"))
        assert time.monotonic() - start < 4
    found.close()


# --- a server that goes away ---------------------------------------------------------------------


def terminate(url):
    """End every other session of the database, as a restarting server does."""
    with psycopg.connect(libpq_url(url), autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


def test_a_server_that_goes_away_is_busy_and_comes_back(pg_databases):
    """In the middle of a transaction: `Busy` at once, nothing half written, no restart needed."""
    found = Database(pg_databases.data_url)
    with found.writing() as connection:
        metadata.create_all(connection)
    for way in ("reading", "writing"):
        start = time.monotonic()
        with pytest.raises(Busy) as caught, getattr(found, way)() as connection:
            connection.execute(note.insert().values(id=1, words=SECRET))
            terminate(pg_databases.data_url)
            connection.execute(note.insert().values(id=2, words="two"))
        assert time.monotonic() - start < 3
        assert SECRET not in "".join(traceback.format_exception(caught.value))
    # Whatever is in the pool died as well; nobody notices.
    with found.reading():
        terminate(pg_databases.data_url)
    assert numbers(found) == set()
    write(found, 1)
    found.close()


def test_a_connection_is_asked_only_when_it_lay_idle_or_has_news(pg_databases, monkeypatch):
    """What was used a moment ago costs no question; what lay idle and what died is never used."""
    found = Database(pg_databases.data_url)
    with found.writing() as connection:
        metadata.create_all(connection)
    with found.reading() as connection:
        before = connection.connection.dbapi_connection
    asked = []
    execute = psycopg.Connection.execute
    monkeypatch.setattr(
        psycopg.Connection, "execute", lambda *said: asked.append(said[1]) or execute(*said)
    )
    assert numbers(found) == set()
    assert not asked
    monkeypatch.setattr(module, "_IDLE_SECONDS", 0)
    assert numbers(found) == set()
    assert asked == [""]
    with found.reading() as connection:
        assert connection.connection.dbapi_connection is before
    # A network that forgot the connection without a word: the question finds it out.
    before.pgconn.finish()
    monkeypatch.setattr(module, "_IDLE_SECONDS", 60)
    with found.reading() as connection:
        assert connection.connection.dbapi_connection is not before
    found.close()


def test_what_is_written_at_once_is_there_without_a_commit(opened):
    """One statement on PostgreSQL, a transaction on SQLite: durable or, if it fails, not there."""
    with opened.writing_at_once() as connection:
        connection.execute(note.insert().values(id=1, words="one"))
    assert numbers(opened) == {1}
    with pytest.raises(Conflict), opened.writing_at_once() as connection:
        rows = [{"id": 2, "words": "two"}, {"id": 1, "words": "again"}]
        connection.execute(note.insert().values(rows))
    assert numbers(opened) == {1}
    # The same connection has transactions again afterwards.
    with opened.opened_for_writing() as connection:
        connection.execute(note.insert().values(id=3, words="three"))
    assert numbers(opened) == {1}


def test_a_commit_that_the_server_does_not_answer_is_busy(pg_databases):
    """The connection dies between the last statement and the commit."""
    found = Database(pg_databases.data_url)
    with found.writing() as connection:
        metadata.create_all(connection)
    with pytest.raises(Busy), found.writing() as connection:
        connection.execute(note.insert().values(id=1, words="one"))
        terminate(pg_databases.data_url)
    assert numbers(found) == set()
    found.close()


def test_a_server_that_refuses_is_busy_until_it_does_not(pg_databases, pg_url):
    """No connections are accepted for a while: two seconds at most, then everything works."""
    found = Database(pg_databases.data_url)
    with found.writing() as connection:
        metadata.create_all(connection)
    name = sql.Identifier(make_url(pg_databases.data_url).database)
    with psycopg.connect(libpq_url(pg_url), autocommit=True) as server:
        server.execute(sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS false").format(name))
        try:
            server.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s",
                (make_url(pg_databases.data_url).database,),
            )
            for _ in range(2):
                start = time.monotonic()
                with pytest.raises(Busy):
                    write(found, 1)
                assert time.monotonic() - start < 3
        finally:
            server.execute(sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS true").format(name))
    write(found, 1)
    assert numbers(found) == {1}
    found.close()


def test_a_server_that_never_answers_is_busy_within_two_seconds():
    """Something listens and says nothing."""
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        found = Database(f"postgresql+psycopg://vault@127.0.0.1:{silent.getsockname()[1]}/vault")
        start = time.monotonic()
        with pytest.raises(Busy), found.reading():
            pass
        assert time.monotonic() - start < 4
        found.close()
