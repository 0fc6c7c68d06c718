"""`casevault config check`: what is set, or what to change."""

from __future__ import annotations

from pathlib import Path

import pytest

from casevault.config import Settings
from tests.cli.processes import casevault, here

MARKER = "zq7-made-up-secret"


def written(folder: Path, *lines: str, mode: int = 0o600) -> Path:
    """Write a configuration file."""
    path = folder / "casevault.toml"
    path.write_text("\n".join(lines) + "\n")
    path.chmod(mode)
    return path


def test_good_settings_are_shown(tmp_path):
    """Every setting with its value, one to a line, and exit code 0."""
    done = casevault("config", "check", "-c", written(tmp_path, "port = 8123"))
    assert done.code == 0
    rows = dict(line.split("\t") for line in done.out.splitlines())
    assert set(rows) == set(Settings.model_fields)
    assert rows["port"] == "8123"
    assert done.err == ""


def test_a_passphrase_alone_is_warned_of(tmp_path, capsys):
    """It may be set, and every check says what it means; the output stays what programs read."""
    done = here(
        capsys, "config", "check", "-c", written(tmp_path, 'minimum_assurance = "passphrase"')
    )
    assert done.code == 0
    assert "Warning: minimum_assurance" in done.err
    assert "Warning" not in done.out


def test_settings_are_shown_as_json(tmp_path, capsys):
    """The same for programs; a password is left out of both."""
    url = f'data_url = "postgresql+psycopg://u:{MARKER}@db.example.org/data"'
    path = written(tmp_path, url, "port = 8123")
    done = here(capsys, "config", "check", "-c", path, "--json")
    assert done.code == 0
    assert done.data["port"] == "8123"
    assert done.data["data_url"] == "postgresql+psycopg://u:…@db.example.org/data"
    plain = here(capsys, "config", "check", "-c", path)
    assert MARKER not in done.out + done.err + plain.out + plain.err


@pytest.mark.parametrize(
    ("line", "advice"),
    [
        ("idle_minutes = 600", "Choose 1 to 15 minutes"),
        ("host = '192.0.2.1'", "Put a TLS proxy in front"),
        ("trusted_hosts = ['*']", "never every name"),
        ("keyring_url = 'sqlite:///var/casevault.db'", "Use two"),
        ("keys_dir = 'var/keys'", "Use three separate folders"),
        ("kdf_profile = 'none'", "Choose 'standard'"),
        ("idle_minute = 5", "check the spelling"),
        (f"data_url = 'mysql://u:{MARKER}@h/db'", "must begin with"),
        (f"[{MARKER}", "cannot be read as TOML"),
    ],
)
def test_an_unsafe_value_is_refused_with_advice(tmp_path, capsys, line, advice):
    """Exit code 1, one message on stderr, nothing on stdout, no value repeated."""
    done = here(capsys, "config", "check", "-c", written(tmp_path, line))
    assert (done.code, done.out) == (1, "")
    assert advice in done.err
    assert MARKER not in done.err
    assert "Traceback" not in done.err


def test_a_misspelt_variable_is_refused(tmp_path, monkeypatch, capsys):
    """Without a file as well."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CASEVAULT_IDLE_MINUTE", "1")
    done = here(capsys, "config", "check")
    assert (done.code, done.out) == (1, "")
    assert "spelling" in done.err


def test_a_file_that_is_not_there_is_refused(tmp_path, capsys):
    """It was named, so the defaults will not do."""
    done = here(capsys, "config", "check", "-c", tmp_path / "missing.toml")
    assert (done.code, done.out) == (1, "")
    assert "no configuration file" in done.err


def test_a_file_that_others_can_write_is_refused(tmp_path, capsys):
    """With the command that mends it."""
    done = here(capsys, "config", "check", "-c", written(tmp_path, "port = 1", mode=0o666))
    assert done.code == 1
    assert "chmod go-w" in done.err
