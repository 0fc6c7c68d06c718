"""What is loaded when: no worker loads what it does not need, and no command but its own noun."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
import typer

from casevault.cli import app as command_line

HEAVY = ("alembic", "mako", "numpy", "scipy", "pypdf", "PIL", "fhir", "typer")


def loaded_by(module: str) -> set[str]:
    """Return which of the heavy ones a fresh process has after loading a module."""
    program = f"import json, sys, {module}; print(json.dumps(list(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, check=True, timeout=300
    )
    return {name.partition(".")[0] for name in json.loads(done.stdout)} & set(HEAVY)


def test_a_worker_loads_nothing_heavy():
    """Each megabyte is there once for every worker, and each second before the first answer."""
    assert loaded_by("casevault.api.app") == set()


def test_what_is_heavy_would_be_seen():
    """The check can fail: what migrates loads Alembic."""
    assert loaded_by("casevault.store.engine.migrate") == {"alembic", "mako"}


# Three passphrases, worked on in 19 MiB each; prints how many MiB the process keeps of that.
_KEPT = """
import mmap
from argon2.low_level import Type, hash_secret_raw
from casevault import host

def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * mmap.PAGESIZE / 2**20

{before}
since = resident()
for _ in range(3):
    hash_secret_raw(b"made up words", b"a made up salt", 1, 19 * 1024, 1, 32, Type.ID)
print(resident() - since)
"""


@pytest.mark.parametrize(("before", "kept"), [("host.settle_memory()", False), ("", True)])
def test_a_worker_gives_back_what_it_checked_a_passphrase_in(before, kept):
    """It would stay in every worker that anybody ever signed in at; without settling, it does."""
    done = subprocess.run(
        [sys.executable, "-c", _KEPT.format(before=before)],
        capture_output=True,
        check=True,
        timeout=300,
    )
    assert (float(done.stdout) > 10) == kept


def names(made: typer.Typer) -> dict[str, list[str]]:
    """Return every command with the options of its callback."""
    command = typer.main.get_command(made)
    found: dict[str, list[str]] = {}
    for name, one in command.commands.items():
        found[name] = sorted(getattr(one, "commands", {}))
    return found


@pytest.fixture(scope="module")
def whole() -> dict[str, list[str]]:
    """Give the names of all commands."""
    return names(command_line.build())


@pytest.mark.parametrize("noun", [*command_line._COMMANDS, *command_line._NOUNS])
def test_a_noun_alone_has_the_commands_that_it_has_among_all(noun, whole):
    """Asked for alone it is the same, however often it was asked for before."""
    assert names(command_line.build(noun)) == {noun: whole[noun]}
    assert names(command_line.build(noun)) == {noun: whole[noun]}


def test_what_is_no_noun_gets_the_whole_list(whole):
    """A misspelt noun is refused by a command line that knows all others."""
    assert names(command_line.build("ledgre")) == whole == names(command_line.app)
    assert set(whole) == {*command_line._COMMANDS, *command_line._NOUNS}
    with pytest.raises(AttributeError):
        _ = command_line.other
