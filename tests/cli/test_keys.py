"""`casevault keys roll`, `status`, `rotate` and `retire`: what they print, and how they end."""

from __future__ import annotations

import pytest

from casevault.cli.ceremony import sheets
from tests.cli.processes import here


@pytest.fixture
def vault(vault_with_config):
    """Give a vault with a configuration file."""
    return vault_with_config


@pytest.fixture
def run(vault, tmp_path, capsys, monkeypatch):
    """Run a command of this vault."""
    monkeypatch.setattr("casevault.cli.keyring.keys.harden_process", lambda: None)
    monkeypatch.setattr("casevault.cli.keyring.rotating.harden_process", lambda: None)
    monkeypatch.setattr("casevault.services.recovery.rolls.READERS_SECONDS", 0)
    return lambda *args: here(capsys, *args, "-c", tmp_path / "casevault.toml")


@pytest.fixture
def typed(run, tmp_path, monkeypatch):
    """Run a command whose secrets are typed; the sheets are looked at and deleted."""
    monkeypatch.setattr("casevault.cli.keyring.reissuing.harden_process", lambda: None)
    seen = []

    def confirm(page):
        seen.append(sheets.shares_on(page.read_text()))
        page.unlink()

    monkeypatch.setattr("casevault.cli.keyring.reissuing.confirm_on_paper", confirm)

    def command(*args, shares=()):
        lines = iter(shares)
        monkeypatch.setattr("typer.prompt", lambda *_, **__: next(lines))
        return run(*args)

    return command, seen


def test_shares_are_replaced_and_the_new_root_is_pinned(vault, typed, tmp_path):
    """Not without a medium; then the old set is refused, and nothing shows a word."""
    command, seen = typed
    config, old = tmp_path / "casevault.toml", vault.outcome.shares[:2]
    numbers = ("--threshold", "2", "--shares", "3")
    missing = command("keys", "reissue", *numbers, shares=old)
    assert (missing.code, seen) == (3, [])
    assert vault.outcome.root_pin in config.read_text()
    assert command("keys", "roll", "--new-medium").code == 0
    done = command("keys", "reissue", *numbers, shares=old)
    assert done.code == 0, done.err
    (pages,) = seen
    assert len(pages) == 3
    for words in pages:
        assert " ".join(words[:2]) not in done.out + done.err
    assert vault.outcome.root_pin not in config.read_text()
    assert command("keys", "drill", shares=old).code == 1
    fresh = [" ".join(words) for words in pages[:2]]
    assert command("keys", "drill", shares=fresh).code == 0
    assert command("keys", "rotate", "organisation", shares=fresh).out == (
        "organisation: version 2; 0 moved.\n"
    )


def test_rolls_need_their_medium(vault, run):
    """Exit code 3 and what to do, until a medium is taken; then epochs go one after another."""
    missing = run("keys", "roll")
    assert (missing.code, missing.out) == (3, "")
    assert "--new-medium" in missing.err
    assert "No epoch was destroyed" in missing.err
    assert vault.stores.roots.epochs() == (1,)
    first = run("keys", "roll", "--new-medium")
    assert (first.code, first.out.startswith("Epoch 2: ")) == (0, True)
    assert first.out.endswith("rows moved; epochs destroyed: none.\n")
    assert run("keys", "roll", "--json").data["destroyed"] == [1]
    assert run("keys", "roll", "--erase-now").out.endswith("epochs destroyed: 2, 3.\n")


def test_status_shows_every_version(vault, run):
    """What is held, what lies under it, and how old the copies are; the same as JSON."""
    assert "never made" in run("keys", "status").err
    run("keys", "roll", "--new-medium")
    done = run("keys", "status")
    assert "Copies on the second medium: 20" in done.err
    found = run("keys", "status", "--json").data
    rows = [tuple(line.split("\t")) for line in done.out.splitlines()]
    assert rows == [tuple(map(str, row.values())) for row in found["uses"]]
    assert ("pepper", "1", "passphrases", "4") in rows
    assert ("service-key", "1", "accounts", "4") in rows
    assert found["held"]["epoch"] == [1, 2]
    assert {row["version"] for row in found["uses"] if row["key"] == "epoch"} == {2}


def test_a_pepper_is_rotated_and_not_retired_while_it_is_needed(vault, run):
    """The command says by what; nothing to retire is no fault."""
    nothing = run("keys", "retire", "pepper")
    assert (nothing.code, nothing.out) == (0, "pepper: there is no older version.\n")
    done = run("keys", "rotate", "pepper")
    assert done.out == ("pepper: version 2; 0 moved.\n  version 1 is needed by 4 passphrases.\n")
    refused = run("keys", "retire", "pepper")
    assert (refused.code, refused.out) == (3, "")
    assert "4 passphrases" in refused.err
    moved = run("keys", "rotate", "service-key", "--json").data
    assert moved == {"key": "service-key", "version": 2, "moved": 4, "left": []}
