"""PostgreSQL's own client programs: a logical dump, its restore, and a database to try it in.

Decides which installed version is used and how it is told where the server is: by a service file
that only this account can read, since arguments and the environment are seen by others. Must never
show what such a program printed, which could be a row.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import URL, create_engine, make_url, text
from sqlalchemy.exc import SQLAlchemyError

from casevault.errors import Busy, Misconfigured

_NEEDED = ("pg_dump", "pg_restore")
_DEBIAN = Path("/usr/lib/postgresql")
_VERSION = re.compile(r"\(PostgreSQL\) (\d+)")
_SERVICE = "casevault"
# Kept in SQLAlchemy's part of an address, unknown to libpq.
_OURS = frozenset({"application_name"})


def dump(url: str, target: Path, programs: Path | None = None) -> None:
    """Write a logical dump of the database (custom format, one snapshot, not compressed)."""
    # Sealed bytes do not get smaller, and nothing of ours is compressed before it is sealed.
    options = ["--format=custom", "--compress=0", "--no-owner", "--no-privileges"]
    _run(url, programs, "pg_dump", *options, f"--file={target}", "--dbname={service}")


def restore(source: Path, url: str, programs: Path | None = None) -> None:
    """Bring a dump into an empty database, all of it or nothing."""
    options = ["--no-owner", "--no-privileges", "--single-transaction", "--exit-on-error"]
    _run(url, programs, "pg_restore", *options, "--dbname={service}", str(source))


@contextmanager
def scratch(url: str) -> Iterator[str]:
    """Give the address of a new, empty database beside `url`'s, which is dropped at the end.

    :raises Misconfigured: the role may not create databases.
    """
    name = f"casevault_check_{secrets.token_hex(8)}"
    try:
        _statement(url, f"CREATE DATABASE {name} TEMPLATE template0")
    except SQLAlchemyError:
        raise Misconfigured(
            "To try the restore, a database is created and dropped, and this role may not do that."
            " Give the migrator role CREATEDB, or name another server as scratch_url.",
            code="backup.scratch",
        ) from None
    try:
        made = make_url(url).set(database=name)
        yield made.render_as_string(hide_password=False)
    finally:
        _statement(url, f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


def server_version(url: str) -> int:
    """Return the server's major version."""
    engine = create_engine(url)
    try:
        with engine.connect() as connection:
            return int(connection.execute(text("SHOW server_version_num")).scalar_one()) // 10_000
    except SQLAlchemyError:
        raise Busy("The database does not answer.", code="store.unavailable") from None
    finally:
        engine.dispose()


def programs_for(server: int, configured: Path | None = None) -> Path:
    """Return a folder with the newest client programs that can talk to this server.

    :raises Misconfigured: none is installed; the sentence names what is missing.
    """
    for version, folder in sorted(_installed(configured), reverse=True):
        if version >= server:
            return folder
    raise Misconfigured(
        f"This needs PostgreSQL's client programs pg_dump and pg_restore in version {server} or"
        f" later. Install them (Debian: postgresql-client-{server}), or set postgres_programs to"
        " the folder where they are.",
        code="backup.programs",
    )


def _installed(configured: Path | None) -> Iterator[tuple[int, Path]]:
    for folder in [configured] if configured else _usual_folders():
        if all(os.access(folder / name, os.X_OK) for name in _NEEDED):
            version = _version(folder / "pg_dump")
            if version is not None:
                yield version, folder


def _usual_folders() -> list[Path]:
    on_path = shutil.which("pg_dump")
    beside = [] if on_path is None else [Path(on_path).parent]
    return beside + sorted(_DEBIAN.glob("*/bin"))


def _version(program: Path) -> int | None:
    try:
        said = subprocess.run(  # noqa: S603 - a program of the installation
            [program, "--version"], capture_output=True, text=True, timeout=10, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = _VERSION.search(said.stdout)
    return None if found is None else int(found.group(1))


def _run(url: str, configured: Path | None, program: str, *arguments: str) -> None:
    folder = programs_for(server_version(url), configured)
    with tempfile.TemporaryDirectory(prefix="casevault-pg-") as private:
        service = Path(private) / "service.conf"
        descriptor = os.open(service, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(_service_file(make_url(url)))
        command = [
            str(folder / program),
            "--no-password",
            *(one.replace("{service}", f"service={_SERVICE}") for one in arguments),
        ]
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("PG", "CASEVAULT_"))}
        done = subprocess.run(  # noqa: S603 - a program of the installation, arguments of ours
            command,
            env=kept | {"PGSERVICEFILE": str(service)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=False,
        )
    if done.returncode:
        # What it printed may hold a row or an address: the server's own log has it.
        raise Busy(
            f"{program} failed (exit code {done.returncode}). The log of the PostgreSQL server says"
            " why.",
            code="backup.program",
        )


def _service_file(url: URL) -> str:
    values = {
        "host": url.host,
        "port": url.port,
        "user": url.username,
        "password": url.password,
        "dbname": url.database,
    } | {name: value for name, value in url.query.items() if name not in _OURS}
    lines = [f"{name}={_one_line(value)}" for name, value in values.items() if value is not None]
    return "\n".join([f"[{_SERVICE}]", *lines, ""])


def _one_line(value: object) -> str:
    text = str(value)
    if not text.isprintable():
        raise Misconfigured(
            "The address of the database holds a character that cannot be used here.",
            code="store.address",
        )
    return text


def _statement(url: str, statement: str) -> None:
    engine = create_engine(url, isolation_level="AUTOCOMMIT", hide_parameters=True)
    try:
        with engine.connect() as connection:
            connection.execute(text(statement))
    finally:
        engine.dispose()
