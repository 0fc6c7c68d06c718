"""A ceremony is held once per process and kind of database; every other vault is a copy of it.

The copy is exact: both databases as they lay when all connections were closed (a template on
PostgreSQL, the files on SQLite) and the key files. Copies are of one organisation and have the
same keyring: a test that needs two vaults which are strangers holds a ceremony of its own.
"""

from __future__ import annotations

import atexit
import secrets
import shutil
import tempfile
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import psycopg
from sqlalchemy import make_url

from casevault.services.recovery.ceremony import Outcome
from tests import postgres
from tests.conftest import Databases


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Where the copies come from: two templates or two files, a folder, and what was said."""

    stores: tuple[str, str]
    keys_dir: Path
    outcome: Outcome

    def copied_to(self, databases: Databases, keys_dir: Path) -> Outcome:
        """Make `databases` (two empty ones) and a new folder a copy; return its own outcome."""
        put(self.stores, databases)
        shutil.copytree(self.keys_dir, keys_dir)
        return _copied(self.outcome)


def taken(databases: Databases, keys_dir: Path, outcome: Outcome) -> Snapshot:
    """Keep a vault to which nobody is connected."""
    folder = _folder() / secrets.token_hex(8)
    folder.mkdir()
    shutil.copytree(keys_dir, folder / "keys")
    # Whoever held the ceremony goes on to add people to theirs.
    return Snapshot(kept(databases), folder / "keys", _copied(outcome))


def kept(databases: Databases) -> tuple[str, str]:
    """Keep both stores, to which nobody is connected; return where."""
    mark = secrets.token_hex(8)
    sources = []
    for name, url in zip(("data", "keyring"), _urls(databases), strict=True):
        if databases.kind == "sqlite":
            sources.append(str(_folder() / f"{name}-{mark}"))
            _copy_file(_name(url), sources[-1])
        else:
            sources.append(f"cv_template_{name}_{mark}")
            postgres.create(_server(url), sources[-1], _name(url))
    return sources[0], sources[1]


def put(stores: tuple[str, str], databases: Databases) -> None:
    """Make `databases`, which are empty or only reserved, a copy of what was kept."""
    for source, url in zip(stores, _urls(databases), strict=True):
        if databases.kind == "sqlite":
            _copy_file(source, _name(url))
        else:
            server = _server(url)
            postgres.drop(server, _name(url))
            postgres.create(server, _name(url), source)


def _copied(outcome: Outcome) -> Outcome:
    return replace(outcome, staff=dict(outcome.staff), teams=dict(outcome.teams))


def created(databases: Databases) -> None:
    """Make sure that databases which were only reserved are there, empty."""
    if databases.kind == "sqlite":
        return
    for url in _urls(databases):
        postgres.drop(_server(url), _name(url))
        postgres.create(_server(url), _name(url))


def _copy_file(source: str, target: str) -> None:
    assert not Path(source + "-wal").exists(), "somebody is connected"
    Path(target).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    shutil.copyfile(source, target)
    Path(target).chmod(0o600)


def _server(url: str) -> psycopg.Connection[object]:
    return postgres.administrator(postgres.for_database(url, "postgres"))


def _urls(databases: Databases) -> tuple[str, str]:
    return databases.data_url, databases.keyring_url


def _name(url: str) -> str:
    return str(make_url(url).database)


@cache
def _folder() -> Path:
    made = Path(tempfile.mkdtemp(prefix="casevault-snapshots-"))
    atexit.register(shutil.rmtree, made, ignore_errors=True)
    return made
