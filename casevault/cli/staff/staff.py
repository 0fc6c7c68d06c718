"""``casevault staff``: who may be what; what is done about colleagues who are away or leave."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import typer

from casevault.cli.output import ConfigOption, JsonOption, emit, say, table
from casevault.cli.personal import LoginOption, PassphraseFdOption, Person, signed_in
from casevault.clock import unix_seconds
from casevault.domain.staff import organisation
from casevault.errors import Invalid, NotFound
from casevault.services.staff.departures import Departure
from casevault.store.casework.transferring import Returned
from casevault.store.staff.departing import Plan

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
def transfer(
    case: str = typer.Argument(..., help="Reference or id of the case."),
    to: str = typer.Option(..., "--to", help="Name of the other team."),
    config: Path | None = ConfigOption,
    login: str | None = LoginOption,
    passphrase_fd: int | None = PassphraseFdOption,
) -> None:
    """Example: casevault staff transfer CV-7K3M-9QXP --to "South team"

    Give a case to another team, if the survivor agreed to that: nobody of your team opens it any
    more. A supervisor of the other team takes it: casevault staff receive. (personal)
    """
    with signed_in(config, login, passphrase_fd) as person:
        transfers = person.vault.transfers
        given = transfers.give(person.caller, transfers.case_named(case), transfers.team_named(to))
    say("Given. Nobody of your team opens it any more. The other team's supervisor takes it with:")
    say(f"casevault staff receive {given}")
    print(given)


@app.command()
def receive(
    transfer_id: UUID = typer.Argument(  # noqa: B008
        ..., help="Id of the transfer, as on your worklist."
    ),
    config: Path | None = ConfigOption,
    login: str | None = LoginOption,
    passphrase_fd: int | None = PassphraseFdOption,
) -> None:
    """Example: casevault staff receive 0f8f6e1c-…

    Take a case that another team gave to yours. Run it again if it was cut off. (personal)
    """
    with signed_in(config, login, passphrase_fd) as person:
        case = person.vault.transfers.take(person.caller, transfer_id)
    say("The case is your team's. Next: assign it to a caseworker.")
    print(case)


@app.command()
def decline(
    transfer_id: UUID = typer.Argument(  # noqa: B008
        ..., help="Id of the transfer, as on your worklist."
    ),
    reason: Returned = typer.Option(..., "--reason", help="Why your team does not take it."),  # noqa: B008
    config: Path | None = ConfigOption,
    login: str | None = LoginOption,
    passphrase_fd: int | None = PassphraseFdOption,
) -> None:
    """Example: casevault staff decline 0f8f6e1c-… --reason no_capacity

    Give a case back that another team gave to yours. Run it again if it was cut off. (personal)
    """
    with signed_in(config, login, passphrase_fd) as person:
        back = person.vault.transfers.decline(person.caller, transfer_id, reason)
    say("Given back, with new keys. A supervisor of the other team takes it with:")
    say(f"casevault staff receive {back}")
    print(back)


@app.command()
def suspend(
    who: str = typer.Argument(..., help="Login of the colleague."),
    end: bool = typer.Option(False, "--end", help="Let the colleague sign in again."),
    config: Path | None = ConfigOption,
    login: str | None = LoginOption,
    passphrase_fd: int | None = PassphraseFdOption,
) -> None:
    """Example: casevault staff suspend colin

    Shut a colleague out at once, for now: sessions and calendar addresses end, nobody signs in
    under that login, and every case that they could open gets new keys. One administrator does it,
    and ends it with --end. (personal)
    """
    with signed_in(config, login, passphrase_fd) as person:
        staff = staff_named(person, who)
        if end:
            person.vault.suspensions.resume(person.caller, staff)
        else:
            due = person.vault.suspensions.suspend(person.caller, staff)
    if end:
        say("They can sign in again.")
        return
    say(f"Shut out. Cases that get new keys at their next write: {due}.")
    say("Back again: casevault staff suspend LOGIN --end. Gone for good: casevault staff leave.")


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


@app.command()
def leave(
    leaver: str = typer.Argument(..., help="Login of the colleague who leaves."),
    successor: str | None = typer.Option(None, "--to", help="Login of who takes the cases over."),
    yes: bool = typer.Option(False, "--yes", help="Do not ask for the login once more."),
    config: Path | None = ConfigOption,
    login: str | None = LoginOption,
    passphrase_fd: int | None = PassphraseFdOption,
) -> None:
    """Example: casevault staff leave colin --to cara

    Let a colleague leave: all sessions end at once, the cases pass to the successor (to nobody but
    the supervisors without --to) and get new keys. Run it again if it was cut off. For now only:
    casevault staff suspend. (personal)
    """
    _confirm_leaving(leaver, yes=yes)
    stderr = typer.get_text_stream("stderr")
    with (
        signed_in(config, login, passphrase_fd) as person,
        typer.progressbar(length=1, label="cases", file=stderr) as bar,
    ):

        def progress(done: int, left: int) -> None:
            bar.length = max(1, bar.pos + left)
            bar.update(done)

        who = staff_named(person, leaver)
        plan = None if successor is None else Plan(staff_named(person, successor))
        parts: list[Departure] = []
        while not parts or parts[-1].cases_left:
            # The plan is kept: the next call needs no other.
            part = person.vault.departures.depart(
                person.caller, who, None if parts else plan, progress=progress
            )
            parts.append(part)
    _show_departure(parts)


def _confirm_leaving(leaver: str, *, yes: bool) -> None:
    """Ask for the login once more: nobody comes back from this."""
    typed = leaver if yes else typer.prompt(f"For good. Type {leaver} once more", err=True)
    if typed.strip().casefold() != leaver.strip().casefold():
        raise Invalid("Not confirmed; nobody was shut out.", code="departure.unconfirmed")


def _show_departure(parts: list[Departure]) -> None:
    done, given = (sum(getattr(p, n) for p in parts) for n in ("cases_done", "handed_over"))
    alone = [case for part in parts for case in part.oversight_only]
    say(f"Shut out. Cases with new keys: {done}, of which handed over: {given}.")
    say(f"Cases that only the supervisors hold now: {len(alone)}.")
    for case in alone:
        print(f"{case}\toversight-only")
    for part in parts:
        for skipped in part.skipped:
            print(f"{skipped.case}\t{skipped.why}")
        for task in part.tasks:
            print(f"{task.case}\ttask {task.record} due {task.due}")
    waiting = parts[-1].waiting_for
    if waiting:
        say(f"Not finished: somebody of these groups runs this command too: {', '.join(waiting)}.")
    if waiting or any(part.skipped for part in parts):
        raise typer.Exit(EXIT_PARTIAL)
