"""``casevault ledger``, the auditor's part: questions, exports, and the check of what left.

These commands act as the auditor who signs in, with what that person can open.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import BinaryIO
from uuid import UUID

import typer

from casevault.cli.log.ledger import verifier_key
from casevault.cli.output import ConfigOption, JsonOption, emit, say, table
from casevault.cli.personal import LoginOption, PassphraseFdOption, Person, signed_in
from casevault.cli.staff.staff import staff_named
from casevault.crypto.principals import is_raw_signature
from casevault.errors import Invalid
from casevault.ledger import evidence
from casevault.services.audit.ledger_exports import Format, Pieces
from casevault.services.audit.oversight import Found
from casevault.store.audit.ledger_query import Query

app = typer.Typer()
MonthOption = typer.Option(None, "--month", help="A month such as 2026-11 (default: this one).")
CaseOption = typer.Option(None, "--case", help="Id of a case.")
ActorOption = typer.Option(None, "--actor", help="Login of a colleague.")
SessionOption = typer.Option(None, "--session", help="A session as entries show it.")
ActOption = typer.Option(None, "--act", help="What was done, such as case.read.")
OutcomeOption = typer.Option(None, "--outcome", help="0 done, 4 refused, 8 failed, 12 fatal.")
SinceOption = typer.Option(None, "--since", formats=["%Y-%m-%dT%H:%M:%S%z"], help="From (…Z).")
UntilOption = typer.Option(None, "--until", formats=["%Y-%m-%dT%H:%M:%S%z"], help="Before (…Z).")


@app.command()
def query(
    month: str | None = MonthOption,
    case: UUID | None = CaseOption,
    actor: str | None = ActorOption,
    session: str | None = SessionOption,
    act: str | None = ActOption,
    outcome: int | None = OutcomeOption,
    since: datetime | None = SinceOption,
    until: datetime | None = UntilOption,
    limit: int = typer.Option(100, min=1, max=10_000, help="At most so many entries."),
    config: Path | None = ConfigOption,
    login: str | None = LoginOption,
    passphrase_fd: int | None = PassphraseFdOption,
    as_json: bool = JsonOption,
) -> None:
    """Example: casevault ledger query --actor colin --month 2026-11 --since 2026-11-20T00:00:00Z

    Entries that fit, newest first; each page is an entry itself. (personal)
    """
    with signed_in(config, login, passphrase_fd) as person:
        asked = _query(person, month, case, actor, session, act, outcome, since, until)
        found: list[Found] = []
        cursor: str | None = None
        while len(found) < limit:
            results = person.vault.oversight.query(person.caller, asked, cursor)
            found += results.items
            cursor = results.cursor
            if cursor is None:
                break
    if as_json:
        emit([_plain(one) for one in found[:limit]])
        return
    head = ("position", "time", "code", "outcome", "rule", "actor", "fields")
    table("Entries", head, [_row(one) for one in found[:limit]])
    if cursor is not None or len(found) > limit:
        say("There are more: raise --limit, or ask for a shorter time.")


@app.command()
def entries(
    file: Path = typer.Argument(..., help="Where to write; must not exist."),  # noqa: B008
    form: Format = typer.Option(Format.JSONL, "--format", help="jsonl, csv or fhir."),  # noqa: B008
    month: str | None = MonthOption,
    case: UUID | None = CaseOption,
    actor: str | None = ActorOption,
    session: str | None = SessionOption,
    act: str | None = ActOption,
    outcome: int | None = OutcomeOption,
    since: datetime | None = SinceOption,
    until: datetime | None = UntilOption,
    config: Path | None = ConfigOption,
    login: str | None = LoginOption,
    passphrase_fd: int | None = PassphraseFdOption,
) -> None:
    """Example: casevault ledger entries november.jsonl --month 2026-11

    Export a month's entries, each with its proof; the export is on the ledger itself. (personal)
    """
    if file.exists():
        raise Invalid("There is a file in that place already.", code="export.folder")
    with signed_in(config, login, passphrase_fd) as person:
        asked = _query(person, month, case, actor, session, act, outcome, since, until)
        # The whole file or none: half an export looks like all of it.
        unfinished = file.with_name(file.name + ".part")
        try:
            with unfinished.open("xb") as out:
                unproven = _write(
                    person.vault.ledger_exports.export(person.caller, asked, form), out
                )
            unfinished.rename(file)
        finally:
            unfinished.unlink(missing_ok=True)
        key = person.vault.checkpoints.verifier_key.encode()
    if unproven:
        say(
            f"{unproven} entries of a log that was closed are left out: no checkpoint covers them,"
            " so nothing proves them. `casevault ledger query` shows them."
        )
    if form is Format.JSONL:
        say(f"Check it anywhere with: casevault ledger check {file} --key '{key}'")
        say("Entries of a log that was closed: give its key too, with another --key.")


def _write(pieces: Pieces, out: BinaryIO) -> int:
    while True:
        try:
            out.write(next(pieces))
        except StopIteration as end:
            return int(end.value)


@app.command()
def check(
    file: Path = typer.Argument(..., exists=True, dir_okay=False),  # noqa: B008 - typer's way
    key: list[str] = typer.Option(  # noqa: B008 - typer's way
        ..., "--key", help="The log's verifier key (name+hash+key); again for a closed log's."
    ),
    as_json: bool = JsonOption,
) -> None:
    """Example: casevault ledger check november.jsonl --key 'example.org/casevault/2026a+5f…+AX…'

    Check every line of an export: body against leaf, leaf against the signed tree. Exit code 4 if
    anything was changed. (offline)
    """
    verifier, *older = map(verifier_key, key)
    with file.open("rb") as content:
        count, heads = evidence.check_lines(
            content,
            verifier.name,
            verifier.public,
            is_raw_signature,
            [(one.name, one.public) for one in older],
        )
    if as_json:
        emit({"entries": count, "checkpoints": sorted(head.size for head in heads)})
    else:
        say(f"{count} entries, each one recorded exactly so and in its place in the signed log.")


def _query(
    person: Person,
    month: str | None,
    case: UUID | None,
    actor: str | None,
    session: str | None,
    act: str | None,
    outcome: int | None,
    since: datetime | None,
    until: datetime | None,
) -> Query:
    who = None if actor is None else staff_named(person, actor)
    return Query(
        month=month,
        case=case,
        actor=who,
        session=session,
        code=act,
        outcome=outcome,
        since=since,
        until=until,
    )


def _row(found: Found) -> tuple[str, ...]:
    body = found.entry.body
    who = str(found.actor) if found.actor is not None else body.actor or "service"
    return (
        str(found.entry.position),
        body.recorded,
        body.code,
        str(body.outcome),
        body.rule,
        who,
        " ".join(body.fields),
    )


def _plain(found: Found) -> dict[str, object]:
    body = found.entry.body
    return {
        "position": found.entry.position,
        "recorded": body.recorded,
        "code": body.code,
        "outcome": body.outcome,
        "rule": body.rule,
        "purpose": body.purpose,
        "actor": body.actor,
        "actor_id": None if found.actor is None else str(found.actor),
        "roles": list(body.roles),
        "session": body.session,
        "entities": [{"type": e.type, "record": e.record} for e in body.entities],
        "fields": list(body.fields),
        "filters": list(body.filters),
        "count": body.count,
        "request": body.request,
    }
