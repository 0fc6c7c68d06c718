"""`casevault db` and `casevault keys`: migrations at the command line, rows by epoch."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from tests.cli.processes import here
from tests.conftest import Databases


def config_for(databases: Databases, folder: Path) -> Path:
    """Write the configuration of two databases."""
    path = folder / "casevault.toml"
    lines = [f'data_url = "{databases.data_url}"', f'keyring_url = "{databases.keyring_url}"']
    path.write_text("\n".join(lines) + "\n")
    path.chmod(0o600)
    return path


def tables(path: Path) -> set[str]:
    """Return the tables of a SQLite file."""
    connection = sqlite3.connect(path)
    try:
        found = connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'").fetchall()
    finally:
        connection.close()
    return {name for (name,) in found}


def test_upgrade_brings_both_stores_to_the_present(database: Databases, tmp_path, capsys):
    """On empty databases and, doing nothing, on those that are there."""
    config = config_for(database, tmp_path)
    first = here(capsys, "db", "upgrade", "-c", config)
    second = here(capsys, "db", "upgrade", "-c", config)
    assert (first.code, first.out) == (second.code, second.out) == (0, "")
    assert first.err == second.err
    assert "data: at revision" in first.err
    assert "keyring: at revision" in first.err


def test_upgrade_of_an_unreachable_server_fails_with_a_sentence(tmp_path, capsys):
    """Without the address, which may hold a password."""
    nowhere = "postgresql+psycopg://u:zq7secret@127.0.0.1:1/"
    databases = Databases("postgresql", nowhere + "data", nowhere + "keyring")
    done = here(capsys, "db", "upgrade", "-c", config_for(databases, tmp_path))
    assert (done.code, done.out) == (1, "")
    assert "does not answer" in done.err
    assert "zq7secret" not in done.err


def test_check_finds_no_difference(capsys):
    """The tables in the code and the migrations agree; needs no vault and no configuration."""
    done = here(capsys, "db", "check")
    assert (done.code, done.out) == (0, "")
    assert done.err.splitlines() == [
        "data on sqlite: 0 differences",
        "keyring on sqlite: 0 differences",
    ]


def test_check_on_an_empty_server_leaves_it_empty(pg_databases: Databases, capsys):
    """Both branches are tried on the database that was named, twice if need be."""
    for _ in range(2):
        done = here(capsys, "db", "check", "--url", pg_databases.data_url)
        assert done.code == 0, done.err
        assert "keyring on postgresql: 0 differences" in done.err


def test_check_never_empties_a_database_in_use(sqlite_databases: Databases, tmp_path, capsys):
    """Trying the migrations ends with taking all tables away: a store in use is refused."""
    config = config_for(sqlite_databases, tmp_path)
    assert here(capsys, "db", "upgrade", "-c", config).code == 0
    path = Path(sqlite_databases.data_url.removeprefix("sqlite:///"))
    before = tables(path)
    assert "case_file" in before
    done = here(capsys, "db", "check", "--url", sqlite_databases.data_url)
    assert (done.code, done.out) == (1, "")
    assert "not empty" in done.err
    assert tables(path) == before


@pytest.mark.parametrize("url", ["nonsense", "postgresql+psycopg://u:zq7secret@h:port/x"])
def test_check_of_an_address_that_is_none(capsys, url):
    """A sentence, and not the address."""
    done = here(capsys, "db", "check", "--url", url)
    assert (done.code, done.out) == (1, "")
    assert "spelling" in done.err
    assert "zq7secret" not in done.err


@pytest.mark.parametrize(
    "command", [("keys", "status"), ("ledger", "print"), ("ledger", "export", "x"), ("serve",)]
)
def test_without_a_vault_a_command_says_what_to_do(tmp_path, monkeypatch, capsys, command):
    """Exit code 1, and nothing is made."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("casevault.logs.configure", lambda _level: None)
    monkeypatch.setattr("casevault.logs.silence_crashes", lambda: None)
    monkeypatch.setattr("casevault.host.harden_process", lambda: None)
    monkeypatch.setattr("signal.signal", lambda *_: None)
    done = here(capsys, *command)
    assert (done.code, done.out) == (1, "")
    assert "Run `casevault init` first" in done.err
    assert list(tmp_path.iterdir()) == []
