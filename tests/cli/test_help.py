"""What every command says about itself, and the exit codes of the command line."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator

import click
import pytest
import typer
from typer.testing import CliRunner

from casevault import __version__
from casevault.cli import app as command_line
from casevault.cli.app import app
from casevault.errors import Busy, CaseVaultError, Misconfigured, Refused, Tampered
from tests.cli.processes import here

KIND = re.compile(r"\((offline|operator|personal)\)")
SECRET = re.compile(r"passphrase|password|secret|token|code|share(?!s)", re.IGNORECASE)


def commands(group: click.Command, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Yield the words of every command that does something."""
    if not isinstance(group, click.Group) and not hasattr(group, "commands"):
        yield path
        return
    if getattr(group, "invoke_without_command", False) and path:
        yield path
    for name, inner in group.commands.items():
        yield from commands(inner, (*path, name))


TREE = typer.main.get_command(app)
ALL = sorted(commands(TREE))
GROUPS = sorted({path[:length] for path in ALL for length in range(len(path))})


def found(path: tuple[str, ...]) -> click.Command:
    """Return the command that these words name."""
    command = TREE
    for word in path:
        command = command.commands[word]
    return command


@functools.cache
def help_of(path: tuple[str, ...]) -> str:
    """Return the help of a command without its usage line, in single spaces."""
    done = CliRunner().invoke(app, [*path, "--help"])
    assert done.exit_code == 0
    _usage, _, text = done.stdout.strip().partition("\n")
    return " ".join(text.split())


def test_the_commands_are_found():
    """The tests below are about something."""
    known = {("init",), ("serve",), ("demo",), ("config", "check"), ("db", "check")}
    assert known | {("db", "upgrade"), ("ledger", "verify"), ("ledger", "export")} <= set(ALL)


@pytest.mark.parametrize("path", ALL, ids=" ".join)
def test_help_begins_with_an_example(path: tuple[str, ...]):
    """One that names this very command."""
    assert help_of(path).startswith("Example: casevault " + " ".join(path))


@pytest.mark.parametrize("path", ALL, ids=" ".join)
def test_help_says_which_kind_of_command_it_is(path: tuple[str, ...]):
    """Offline, operator or personal: exactly one."""
    assert len(KIND.findall(help_of(path))) == 1


@pytest.mark.parametrize("path", GROUPS, ids=lambda path: " ".join(path) or "casevault")
def test_help_of_a_noun_has_an_example(path: tuple[str, ...]):
    """Of one of its verbs."""
    assert "Example: casevault " + " ".join(path) in help_of(path)


@pytest.mark.parametrize("path", ALL, ids=" ".join)
def test_no_secret_is_an_argument(path: tuple[str, ...]):
    """Other accounts of the host see arguments: secrets come by prompt, file or descriptor."""
    for parameter in found(path).params:
        if SECRET.search(str(parameter.name)):
            assert parameter.name.endswith(("_fd", "_file", "_prompt")), parameter.name
        assert not parameter.envvar, parameter.name


def test_the_search_for_secrets_finds_some():
    """The test above can fail, and has something to look at."""
    names = {str(p.name) for path in ALL for p in found(path).params}
    assert "passphrases_fd" in {name for name in names if SECRET.search(name)}
    assert SECRET.search("passphrase")


@pytest.mark.parametrize("path", GROUPS, ids=lambda path: " ".join(path) or "casevault")
def test_the_list_of_commands_says_what_each_does(path: tuple[str, ...]):
    """In a sentence; the example is for the command's own page."""
    _before, _, listed = help_of(path).partition("Commands: ")
    assert "Example:" not in listed
    assert listed.count(".") >= len(found(path).commands)


@pytest.mark.parametrize("path", GROUPS, ids=lambda path: " ".join(path) or "casevault")
def test_a_word_that_is_no_command_is_a_usage_error(path: tuple[str, ...]):
    """Exit code 2, also for an unknown option."""
    for word in ("no-such-thing", "--no-such-option"):
        done = CliRunner().invoke(app, [*path, word])
        assert done.exit_code == 2
        assert done.stdout == ""


@pytest.mark.parametrize("path", ALL, ids=" ".join)
def test_an_unknown_option_is_a_usage_error(path: tuple[str, ...]):
    """For every command."""
    assert CliRunner().invoke(app, [*path, "--no-such-option"]).exit_code == 2


def test_the_version_goes_to_stdout(capsys):
    """And nothing else does."""
    done = here(capsys, "--version")
    assert (done.code, done.out, done.err) == (0, __version__ + "\n", "")


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (Misconfigured("Do this.", hint="Or that."), 1),
        (Refused("No."), 1),
        (Busy(), 1),
        (Tampered("Somebody changed it."), 4),
        (FileNotFoundError(2, "No such file or directory", "x.toml"), 1),
        (PermissionError(13, "Permission denied"), 1),
    ],
    ids=lambda value: type(value).__name__,
)
def test_an_error_is_a_sentence_and_a_code(monkeypatch, capsys, error: Exception, code: int):
    """On stderr, without a traceback."""

    def fail() -> None:
        raise error

    monkeypatch.setattr(command_line, "build", lambda _noun: fail)
    with pytest.raises(SystemExit) as caught:
        command_line.main()
    assert caught.value.code == code
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "Traceback" not in printed.err
    if isinstance(error, CaseVaultError):
        assert error.title in printed.err
        assert error.detail in printed.err
        assert error.hint in printed.err
    else:
        assert str(error.strerror) in printed.err
