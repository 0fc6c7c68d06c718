"""One database: connections that are safe by construction, reading and writing transactions.

Decides pragmas, timeouts and locks for SQLite and PostgreSQL, and turns every fault of the
database into an error of ours. Must never let an exception of SQLAlchemy out: they carry
statements and parameters, and parameters are what people wrote.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import select
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.exc import (
    ArgumentError,
    DataError,
    DBAPIError,
    IntegrityError,
    InvalidatePoolError,
    SQLAlchemyError,
)
from sqlalchemy.pool import ConnectionPoolEntry

from casevault.errors import Busy, CaseVaultError, Conflict, Misconfigured

_WAIT_SECONDS = 2
_STATEMENT_MS = 10_000
_EXCLUSIVE_TRIES = 20
# Older than this, a connection that nobody used is asked whether its server is there.
_IDLE_SECONDS = 5
_USED = "casevault_used"
_PRAGMAS = (
    "journal_mode=WAL",
    # NORMAL can lose acknowledged commits on power loss.
    "synchronous=FULL",
    "foreign_keys=ON",
    "secure_delete=ON",
    "trusted_schema=OFF",
    "temp_store=MEMORY",
    "cell_size_check=ON",
    f"busy_timeout={_WAIT_SECONDS * 1000}",
)


class Database:
    """An engine with the two kinds of transaction that the product uses."""

    def __init__(self, url: str, connections: int = 16) -> None:
        self._url = _parsed(url)
        self.dialect = self._url.get_backend_name()
        self._lock = _FileLock(Path(str(self._url.database) + ".lock")) if self.is_sqlite else None
        # What is one statement needs no BEGIN. Connections lie ready for that; a transaction says
        # what it wants, which costs no answer of the server.
        self._at_once = _engine(self._url, connections)
        self.engine = self._at_level("READ COMMITTED")
        # A manifest and the documents that it names must be of one moment, or a write between two
        # statements would look like tampering. SQLite's transactions are snapshots anyway.
        self._snapshots = self._at_level("REPEATABLE READ")

    def _at_level(self, level: str) -> Engine:
        plain = self._at_once
        return plain if self.is_sqlite else plain.execution_options(isolation_level=level)

    @property
    def is_sqlite(self) -> bool:
        """Whether this is a file of one host rather than a server."""
        return self.dialect == "sqlite"

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Give a connection that sees one moment of the database; what it did is rolled back."""
        with _translated(), self._snapshots.connect() as connection:
            yield connection

    @contextmanager
    def reading_at_once(self) -> Iterator[Connection]:
        """As `reading`, for one statement: on PostgreSQL each sees a moment of its own.

        There is no BEGIN and no ROLLBACK then, so the server is asked once and not three times.
        """
        with _translated(), self._at_once.connect() as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """Give a connection whose transaction holds the write lock; commit on a clean exit."""
        with self.opened_for_writing() as connection:
            yield connection
            with _translated():
                connection.commit()

    @contextmanager
    def writing_at_once(self) -> Iterator[Connection]:
        """As `writing`, for work that is one statement on PostgreSQL: durable when it returns.

        There is no BEGIN and no COMMIT then, so the server is asked once and not three times.
        """
        if self.is_sqlite:
            with self.writing() as connection:
                yield connection
        else:
            with _translated(), self._at_once.connect() as connection:
                yield connection

    @contextmanager
    def opened_for_writing(self) -> Iterator[Connection]:
        """As `writing`, but the caller commits; what is not committed is rolled back."""
        with _translated(), self._locked(), self.engine.connect() as plain:
            yield plain.execution_options(casevault_write=True)

    @contextmanager
    def exclusive(self, name: str) -> Iterator[None]:
        """Let one process at a time do what bears this name; `Busy` for the others.

        Ends with the process that holds it. Keeps nobody from reading or writing.
        """
        with ExitStack() as stack:
            for _ in range(_EXCLUSIVE_TRIES):
                with ExitStack() as attempt:
                    if self._take_exclusive(name, attempt):
                        stack.push(attempt.pop_all())
                        break
                # A process that was killed may hold it for a moment more.
                time.sleep(_WAIT_SECONDS / _EXCLUSIVE_TRIES)
            else:
                raise Busy("The same work is being done already.", code="store.exclusive")
            yield

    def _take_exclusive(self, name: str, held: ExitStack) -> bool:
        if self.is_sqlite:
            path = f"{self._url.database}.{name}"
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            held.callback(os.close, descriptor)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
            return True
        held.enter_context(_translated())
        # Outside of transactions, which the server ends when they are idle.
        connection = held.enter_context(self._at_once.connect())
        # Not back to the pool, which would keep the lock with the connection.
        held.callback(connection.invalidate)
        key = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big", signed=True)
        if not connection.execute(text("SELECT pg_try_advisory_lock(:key)"), {"key": key}).scalar():
            return False
        held.callback(connection.execute, text("SELECT pg_advisory_unlock(:key)"), {"key": key})
        return True

    def tidy(self) -> None:
        """Move what was committed from SQLite's write-ahead log to its file, in nobody's way.

        Else the next small write of somebody else would do it, and wait for all of it.
        """
        if self.is_sqlite:
            with _translated(), self.engine.connect() as connection:
                plain = connection.execution_options(isolation_level="AUTOCOMMIT")
                plain.exec_driver_sql("PRAGMA wal_checkpoint(PASSIVE)")

    def check_durability(self) -> None:
        """Refuse a database that could lose what it has acknowledged."""
        with self.reading() as connection:
            if self.is_sqlite:
                safe = connection.execute(text("PRAGMA synchronous")).scalar_one() >= 2
            else:
                shown = {
                    name: connection.execute(text(f"SHOW {name}")).scalar_one()
                    for name in ("fsync", "synchronous_commit")
                }
                safe = shown["fsync"] == "on" and shown["synchronous_commit"] != "off"
        if not safe:
            raise Misconfigured(
                "The database may lose acknowledged transactions. Set fsync=on and"
                " synchronous_commit=on (PostgreSQL), synchronous=FULL (SQLite).",
                code="store.durability",
            )

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()

    @contextmanager
    def _locked(self) -> Iterator[None]:
        if self._lock is None:
            yield
            return
        with self._lock.held():
            yield


class _FileLock:
    """A queue in front of SQLite's write lock, whose own busy handler is unfair."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._threads = threading.Lock()

    @contextmanager
    def held(self) -> Iterator[None]:
        if not self._threads.acquire(timeout=_WAIT_SECONDS * 5):
            raise Busy("The database is busy.", code="store.busy")
        try:
            descriptor = self._open()
            try:
                _flock(descriptor)
                yield
            finally:
                os.close(descriptor)
        finally:
            self._threads.release()

    def _open(self) -> int:
        try:
            return os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError:
            # The folder is gone, read-only or on a full disk: the store is, too.
            raise Busy("The database does not answer.", code="store.unavailable") from None


def _flock(descriptor: int) -> None:
    until = time.monotonic() + _WAIT_SECONDS * 5
    pause = 0.0005
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > until:
                raise Busy("The database is busy.", code="store.busy") from None
            time.sleep(pause)
            # One thread of each process waits here; a commit takes some milliseconds.
            pause = min(pause * 2, 0.002)
        else:
            return


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except CaseVaultError:
        raise
    except IntegrityError:
        raise Conflict("Somebody else wrote this first.", code="store.conflict") from None
    except DataError:
        # This statement's own fault: others may well succeed.
        raise Busy("The database does not answer.", code="store.data") from None
    except SQLAlchemyError:
        raise Busy("The database does not answer.", code="store.unavailable") from None


def _parsed(url: str) -> URL:
    try:
        return make_url(url)
    except (ArgumentError, ValueError):
        # Its text would repeat the address, which may hold a password.
        raise Misconfigured(
            "The address of a database cannot be read. Check its spelling.", code="store.address"
        ) from None


def _engine(url: URL, connections: int) -> Engine:
    common: dict[str, Any] = {
        "hide_parameters": True,
        "pool_size": connections,
        "max_overflow": 2,
        "pool_timeout": _WAIT_SECONDS,
        # The one that was used last still has its pages and statements at hand; others may rest.
        "pool_use_lifo": True,
    }
    if url.get_backend_name() == "sqlite":
        _private_file(Path(str(url.database)))
        engine = create_engine(
            url,
            connect_args={"timeout": _WAIT_SECONDS, "check_same_thread": False},
            **common,
        )
        event.listen(engine, "connect", _harden_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
        return engine
    if url.get_driver_name() != "psycopg":
        raise Misconfigured("Use postgresql+psycopg:// for PostgreSQL.", code="store.driver")
    options = (
        f"-c statement_timeout={_STATEMENT_MS} -c lock_timeout={_WAIT_SECONDS * 1000}"
        " -c idle_in_transaction_session_timeout=15000 -c timezone=UTC"
    )
    engine = create_engine(
        url,
        connect_args={
            "connect_timeout": _WAIT_SECONDS,
            "tcp_user_timeout": _WAIT_SECONDS * 1000,
            "application_name": "casevault",
            "options": options,
        },
        isolation_level="AUTOCOMMIT",
        skip_autocommit_rollback=True,
        **common,
    )
    event.listen(engine, "checkin", _laid_back)
    event.listen(engine, "checkout", _taken_again)
    return engine


def _laid_back(_connection: object, record: ConnectionPoolEntry) -> None:
    record.info[_USED] = time.monotonic()


def _taken_again(connection: Any, record: ConnectionPoolEntry, _proxy: object) -> None:  # noqa: ANN401
    """Leave connections that died with the server, so that no restart is needed after it.

    A server that ends says so on every connection, which is seen without asking. Only what lay
    idle for long is asked whether anybody is there: a network may forget it without a word.
    """
    used = record.info.get(_USED)
    if used is None:
        return
    if not _has_news(connection) and time.monotonic() - used < _IDLE_SECONDS:
        return
    try:
        connection.execute("")
        connection.rollback()
    except Exception:
        raise InvalidatePoolError from None


def _has_news(connection: Any) -> bool:  # noqa: ANN401 - a DBAPI connection
    """Say whether the server sent anything that nobody asked for: mostly that it goes."""
    if connection.closed:
        return True
    look = select.poll()
    look.register(connection.fileno(), select.POLLIN)
    return bool(look.poll(0))


def _private_file(path: Path) -> None:
    """Create the file with mode 0600 before SQLite would with the umask's."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # One that is there is not even opened: closing it would end the locks that this process holds
    # on it (POSIX), and another process could then take the write-ahead log away.
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))


def _harden_sqlite(connection: Any, _record: object) -> None:  # noqa: ANN401 - a DBAPI connection
    # Transactions are begun by `_begin_sqlite`, not by the driver's guess.
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in _PRAGMAS:
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    write = connection.get_execution_options().get("casevault_write", False)
    held: Any = connection.connection.dbapi_connection
    driver = connection.dialect.loaded_dbapi.Error
    try:
        # On the driver's connection, as `store.engine.quick` does it: this is part of every act.
        held.execute("BEGIN IMMEDIATE" if write else "BEGIN")
    except driver as error:
        raise DBAPIError.instance(None, None, error, driver, hide_parameters=True) from None
