"""A copy of the data store in a file, and a data store made from such a file.

Decides how each kind of database is copied while it is in use: one moment of it, without stopping
anybody. What is in the file is what is in the store: sealed documents and plain metadata; whoever
writes it anywhere but beside the store seals it first. Must never write into a store that holds
something.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from enum import StrEnum
from pathlib import Path

from sqlalchemy import inspect, make_url

from casevault.errors import Busy, Misconfigured
from casevault.store.engine import postgres_tools
from casevault.store.engine.database import Database


class Form(StrEnum):
    """What is in the file. The codes never change: they stand in backups."""

    SQLITE = "sqlite"
    POSTGRESQL = "postgresql"


def form_of(url: str) -> Form:
    """Return the form in which a database is copied."""
    return Form(make_url(url).get_backend_name())


def dump(url: str, target: Path, programs: Path | None = None) -> None:
    """Copy the data store to a new file that only this account can read."""
    os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    if form_of(url) is Form.SQLITE:
        _copy_sqlite(_file(url), target)
    else:
        postgres_tools.dump(url, target, programs)


def load(source: Path, form: Form, url: str, programs: Path | None = None) -> None:
    """Make the data store from a copy; it must be empty, and of the same kind.

    :raises Misconfigured: it holds something, or the copy is of the other kind of database.
    """
    if form_of(url) is not form:
        raise Misconfigured(
            f"This backup is of a {form.value} database, and data_url names another kind. Restore"
            " it into the kind it was made of.",
            code="restore.form",
        )
    require_empty(url)
    if form is Form.SQLITE:
        _place_sqlite(source, _file(url))
    else:
        postgres_tools.restore(source, url, programs)


def require_empty(url: str) -> None:
    """Refuse a data store that holds anything: what is in it could be the only copy."""
    if form_of(url) is Form.SQLITE:
        is_empty = not _file(url).exists()
    else:
        database = Database(url, 1)
        try:
            with database.reading() as connection:
                is_empty = not inspect(connection).get_table_names()
        finally:
            database.close()
    if not is_empty:
        raise Misconfigured(
            "The data store is not empty, and what it holds may exist nowhere else. Move the"
            " SQLite file away, or create a new, empty PostgreSQL database and let data_url name"
            " it; keep the old one until `casevault db settle` has ended well.",
            code="restore.not-empty",
        )


def set_aside(url: str, now: int) -> Path | None:
    """Move a SQLite store that is there to another name beside it; return that, if there was one.

    :raises Misconfigured: it is a PostgreSQL database: that is renamed there, by its owner.
    """
    if form_of(url) is not Form.SQLITE:
        raise Misconfigured(
            "A PostgreSQL database is not moved from here. Rename it, create an empty one under its"
            " name, and keep the old one until `casevault db settle` has ended well.",
            code="restore.set-aside",
        )
    store = _file(url)
    if not store.exists():
        return None
    aside = store.with_name(f"{store.name}.replaced-{now}")
    # Its journal belongs to it: without that, the last transactions would be missing.
    for rest in ("-wal", "-shm", ""):
        old = store.with_name(store.name + rest)
        if old.exists():
            old.rename(aside.with_name(aside.name + rest))
    _flush(store.parent)
    return aside


@contextmanager
def scratch(url: str, given: str | None = None) -> Iterator[str]:
    """Give the address of an empty store of the same kind in which a restore can be tried.

    `given` names a PostgreSQL server, by a database there, where one may be created for this.
    """
    if form_of(url) is Form.POSTGRESQL:
        with postgres_tools.scratch(given or url) as found:
            yield found
        return
    # Beside the store: the same disk, the same rights, and no copy where there was none before.
    with tempfile.TemporaryDirectory(prefix=".casevault-check-", dir=_file(url).parent) as folder:
        yield f"sqlite:///{Path(folder) / 'casevault.db'}"


@contextmanager
def working_folder(url: str) -> Iterator[Path]:
    """Give a private folder for copies that are not sealed yet, beside a SQLite store."""
    beside = _file(url).parent if form_of(url) is Form.SQLITE else None
    if beside is not None:
        # A new machine has no such folder yet.
        beside.mkdir(mode=0o700, parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".casevault-backup-", dir=beside) as folder:
        yield Path(folder)


def _copy_sqlite(store: Path, target: Path) -> None:
    if not store.exists():
        raise Misconfigured("There is no data store to back up.", code="identity.empty")
    try:
        # The online backup API: pages of one moment, while others read and write.
        with (
            closing(sqlite3.connect(f"{store.resolve().as_uri()}?mode=rw", uri=True)) as source,
            closing(sqlite3.connect(target)) as copy,
        ):
            source.backup(copy)
    except sqlite3.Error:
        raise Busy("The data store cannot be copied.", code="store.unavailable") from None
    _flush(target)


def _place_sqlite(source: Path, store: Path) -> None:
    store.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # The journal of a store that was there before would be applied to this one.
    for rest in ("-wal", "-shm"):
        if store.with_name(store.name + rest).exists():
            raise Misconfigured(
                "A journal of another data store lies beside the place of this one. Move the old"
                " store's -wal and -shm files away together with it.",
                code="restore.journal",
            )
    coming = store.with_name(f".{store.name}.restoring")
    coming.unlink(missing_ok=True)
    os.close(os.open(coming, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    shutil.copyfile(source, coming)
    _flush(coming)
    coming.rename(store)
    _flush(store.parent)


def _file(url: str) -> Path:
    return Path(str(make_url(url).database))


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
