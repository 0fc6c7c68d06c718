"""``casevault retention hold``: the DPO keeps a case from erasure, or asks that this ends.

The reason is asked for, never an argument: arguments stand in histories and in lists of processes.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import typer

from casevault.cli.output import ConfigOption, say
from casevault.cli.personal import LoginOption, PassphraseFdOption, Person, signed_in
from casevault.cli.staff.staff import staff_named
from casevault.errors import Invalid, NotFound

app = typer.Typer()


@app.command()
def hold(
    case: str = typer.Argument(..., help="The case's reference or id."),
    owner: str | None = typer.Option(
        None, "--owner", help="Login of who looks after it (default: you)."
    ),
    review: datetime | None = typer.Option(  # noqa: B008
        None, "--review", formats=["%Y-%m-%d"], help="When it is looked at again, in 400 days."
    ),
    end: bool = typer.Option(False, "--end", help="Ask that the hold of this case ends."),
    config: Path | None = ConfigOption,
    login: str | None = LoginOption,
    passphrase_fd: int | None = PassphraseFdOption,
) -> None:
    """Example: casevault retention hold CV-7K3M-9QXP --owner dora --review 2027-05-31

    Keep a case from every erasure, as the DPO; the reason is asked for and sealed. Its end takes a
    second person's approval. (personal)
    """
    if end != (review is None):
        raise typer.BadParameter("--review DAY, or --end", param_hint="--review")
    with signed_in(config, login, passphrase_fd) as person:
        if review is None:
            _end(person, case)
        else:
            _set(person, case, owner, review.replace(tzinfo=UTC))


def _set(person: Person, case: str, owner: str | None, review: datetime) -> None:
    keeper = person.caller.staff if owner is None else staff_named(person, owner)
    reason = typer.prompt("Reason", err=True).strip()
    if not reason:
        raise Invalid("A hold has a reason.", code="hold.reason")
    shown = person.vault.holds.set_(person.caller, _named(case), reason, keeper, review.date())
    say(f"Held until {review:%Y-%m-%d}, when it is looked at again. Nothing of it is erased.")
    print(shown.matter.id)


def _end(person: Person, case: str) -> None:
    holds = person.vault.holds
    wanted = {case.strip().upper(), case.strip().lower()}
    found = [
        one.matter.id
        for one in holds.list_(person.caller)
        if {one.reference, str(one.matter.case)} & wanted
    ]
    if not found:
        raise NotFound("No hold keeps this case.", code="hold.none")
    for one in found:
        wish = holds.ask_release(person.caller, one)
        print(wish.id)
    say("Asked. It ends with the approval of another DPO or a supervisor: GET /v1/approvals.")


def _named(case: str) -> UUID | str:
    try:
        return UUID(case)
    except ValueError:
        return case
