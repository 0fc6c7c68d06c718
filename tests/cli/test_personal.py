"""Personal commands: signed in by prompt or descriptor, signed out at the end, always."""

from __future__ import annotations

import os
from pathlib import Path
from uuid import UUID

import pytest
import typer
from sqlalchemy import func, select

from casevault.cli import personal
from casevault.cli.personal import LoginOption, PassphraseFdOption
from casevault.errors import Conflict, Invalid, Unauthenticated
from casevault.store.context.caller import Caller
from casevault.store.engine import keyring_tables as tables

COMMAND = typer.Typer()


@COMMAND.command()
def who(
    config: Path,
    login: str | None = LoginOption,
    passphrase_fd: int | None = PassphraseFdOption,
    fail: bool = False,
) -> None:
    """Print who is signed in."""
    with personal.signed_in(config, login, passphrase_fd) as person:
        if fail:
            raise Conflict(code="planted")
        first: Caller = person.caller
        typer.echo(f"{first.staff} {first.session == person.caller.session}")


def sessions_of(world, login):
    """Count the sessions that a person has."""
    table = tables.session
    counted = select(func.count()).where(table.c.staff_id == UUID(world.staff[login]))
    with world.vault.stores.keyring.database.reading() as connection:
        return connection.execute(counted).scalar_one()


def a_person(world):
    """Add a person; return the login and how many sessions they have."""
    login = world.person()
    return login, sessions_of(world, login)


def test_a_person_signs_in_by_prompt_and_is_signed_out(world, config_of, runner):
    """Login and passphrase are asked for; the session is on the ledger and gone afterwards."""
    login, before = a_person(world)
    typed = f"{login}\n{world.typed(login)}"
    result = runner.invoke(COMMAND, [str(config_of(world))], input=typed)
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines()[-1] == f"{world.staff[login]} True"
    assert world.passphrases[login] not in result.output
    codes = [entry["code"] for entry in world.entries(actor=world.staff[login])]
    assert codes[:2] == ["auth.logout", "auth.login"]
    assert sessions_of(world, login) == before


def test_the_passphrase_may_come_from_a_descriptor(world, config_of, runner):
    """Two lines of a pipe; nothing is asked."""
    login = world.person()
    reading, writing = os.pipe()
    os.write(writing, world.typed(login).encode() + b"more\n")
    os.close(writing)
    given = [str(config_of(world)), "--login", login, "--passphrase-fd", str(reading)]
    result = runner.invoke(COMMAND, given)
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith(world.staff[login])


def test_a_descriptor_that_is_none_is_refused(sqlite_world, config_of, runner):
    """A wrong number says what is wrong, before anything is opened."""
    given = [str(config_of(sqlite_world)), "--login", "cara", "--passphrase-fd", "987"]
    result = runner.invoke(COMMAND, given)
    assert isinstance(result.exception, Invalid)
    assert result.exception.code == "personal.fd"


def test_a_wrong_passphrase_opens_nothing(world, config_of, runner):
    """The same refusal as on the interface, and no session stays."""
    login, before = a_person(world)
    result = runner.invoke(COMMAND, [str(config_of(world)), "--login", login], input="wrong\n\n")
    assert isinstance(result.exception, Unauthenticated)
    assert world.staff[login] not in result.stdout
    assert sessions_of(world, login) == before


def test_a_command_that_fails_signs_out_too(world, config_of, runner):
    """The error is the command's own, and the session is over."""
    login, before = a_person(world)
    given = [str(config_of(world)), "--login", login, "--fail"]
    result = runner.invoke(COMMAND, given, input=world.typed(login))
    assert isinstance(result.exception, Conflict)
    assert sessions_of(world, login) == before


def test_a_session_ended_from_elsewhere_stops_the_command(sqlite_world, config_of):
    """Asking for the caller again finds it out; leaving is not an error."""
    world = sqlite_world
    login, before = a_person(world)
    reading, writing = os.pipe()
    os.write(writing, world.typed(login).encode())
    os.close(writing)
    with personal.signed_in(config_of(world), login, reading) as person:
        person.vault.sessions.sign_out(person.caller, person.token)
        with pytest.raises(Unauthenticated):
            _ = person.caller
    assert sessions_of(world, login) == before


def test_a_person_is_silent_when_printed(sqlite_world):
    """The token of the session does not come out of a repr."""
    person = personal.Person(sqlite_world.vault, "canary-token")
    assert "canary" not in repr(person)
