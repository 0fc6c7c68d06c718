"""``casevault staff``: who may be what, and what supervisors do about absent colleagues."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import typer

from casevault.cli.output import ConfigOption, JsonOption, emit, say, table
from casevault.cli.personal import LoginOption, PassphraseFdOption, Person, signed_in
from casevault.clock import unix_seconds
from casevault.domain import organisation
from casevault.errors import NotFound

EXIT_PARTIAL = 3
_DATE = typer.Option(..., "--until", formats=["%Y-%m-%d"], help="The last day (UTC).")
app = typer.Typer(
    help="Example: casevault staff cover cara --by colin --until 2026-12-24", no_args_is_help=True
)


@app.command()
def cover(
    absent: str = typer.Argument(..., help="Login of the colleague who is away."),
    by: str = typer.Option(..., "--by", help="Login of the colleague who covers."),
    until: datetime = _DATE,
    config: Path | None = ConfigOption,
    login: str | None = LoginOption,
    passphrase_fd: int | None = PassphraseFdOption,
) -> None:
    """Example: casevault staff cover cara --by colin --until 2026-12-24

    Give a colleague of your team everything that another one holds, until the end of a day. Run it
    again to give what is still lacking. Cases that were skipped are named. (personal)
    """
    end = unix_seconds(until.replace(tzinfo=UTC) + timedelta(days=1))
    stderr = typer.get_text_stream("stderr")
    with (
        signed_in(config, login, passphrase_fd) as person,
        typer.progressbar(length=1, label="cases", file=stderr) as bar,
    ):

        def progress(done: int, of: int) -> None:
            bar.length = max(1, of)
            bar.update(done)

        who, to = staff_named(person, absent), staff_named(person, by)
        covered = person.vault.covers.give(person.caller, who, to, end, progress)
    say(f"Cases given: {covered.given}. Could be opened as long already: {covered.held_already}.")
    for one in covered.skipped:
        print(f"{one.case}\t{one.why}")
    if covered.skipped:
        say("The cases above were not given.")
        raise typer.Exit(EXIT_PARTIAL)


@app.command()
def roles(
    as_json: bool = JsonOption,
    markdown: bool = typer.Option(False, "--markdown", help="Print the table for a document."),
) -> None:
    """Example: casevault staff roles

    Which two roles one person may hold together. (offline)
    """
    head, *rows = organisation.role_table()
    if as_json:
        emit({row[0]: dict(zip(head[1:], row[1:], strict=True)) for row in rows})
    elif markdown:
        print(organisation.role_page(), end="")
    else:
        table("One person may be both", head, rows)


def staff_named(person: Person, login: str) -> UUID:
    """Return the id of the colleague with a login."""
    wanted = login.strip().casefold()
    for colleague in person.vault.accounts.list(person.caller):
        if colleague.login.strip().casefold() == wanted:
            return colleague.id
    raise NotFound("There is no colleague with this login.", code="staff.login")
