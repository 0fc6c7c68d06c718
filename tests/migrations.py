"""The tables in the code and the migrations agree, on SQLite and on PostgreSQL.

    python -m tests.migrations

runs `casevault db check` on empty databases of both kinds; the exit code is its own.
"""

from __future__ import annotations

import secrets
import subprocess
import sys

import psycopg
from psycopg import sql

from tests.postgres import for_database, libpq_url, server


def main() -> int:
    """Check both kinds; return the exit code of the first that fails."""
    return _checked() or _on_postgresql()


def _on_postgresql() -> int:
    name = f"cv_check_{secrets.token_hex(8)}"
    with server() as url, psycopg.connect(libpq_url(url), autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        try:
            return _checked("--url", for_database(url, name))
        finally:
            drop = sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name))
            connection.execute(drop)


def _checked(*options: str) -> int:
    command = [sys.executable, "-m", "casevault", "db", "check", *options]
    return subprocess.run(command, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
