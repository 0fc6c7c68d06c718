"""``casevault release``: releases of a vault, step by step, and the check of one by outsiders.

Making, reviewing, publishing and withdrawing are personal: whoever does it signs in, and what they
may do is decided by their role. `verify` needs no vault and no trust in ours.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import typer
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from casevault import host
from casevault.cli.log.ledger import verifier_key
from casevault.cli.output import ConfigOption, JsonOption, emit, messages, say, table
from casevault.cli.personal import LoginOption, PassphraseFdOption, signed_in
from casevault.crypto.principals import is_raw_signature
from casevault.disclosure.choosing import Asked
from casevault.domain.importing.counted import Counted
from casevault.services.counting.releases import Shown
from casevault.services.counting.reporting import Watch
from casevault.store.counting import release_files

app = typer.Typer()
_DAY = "%Y-%m-%d"
_Release = typer.Argument(..., help="The release's id: casevault release list.")


@app.command()
def make(
    period: str = typer.Option(..., "--period", help="A year, half-year or quarter: 2026-Q3."),
    tables: list[str] | None = typer.Option(  # noqa: B008 - typer's way
        None,
        "--tables",
        help="Ids of tables, joined by commas (default: all that there are).",
    ),
    yes: bool = typer.Option(False, "--yes", help="Do not ask: it is paid for good."),
    config: Path | None = ConfigOption,
    login: str | None = LoginOption,
    passphrase_fd: int | None = PassphraseFdOption,
    as_json: bool = JsonOption,
) -> None:
    """Example: casevault release make --period 2026 --tables people-total,people-region

    Count, draw the noise once, seal, and ask for two reviews. The privacy budget is spent from then
    on, whatever becomes of it; cut off, the same command goes on. Reporters. (personal)
    """
    names = tuple(one.strip() for group in tables or () for one in group.split(",") if one.strip())
    if not yes:
        typer.confirm(
            "This spends privacy budget that never comes back. Go on?", abort=True, err=True
        )
    with signed_in(config, login, passphrase_fd) as person, _bar() as watch:
        # A fifth of the time of a count is the collector's, who looks at every module each time.
        host.settle_memory()
        made = person.vault.reporting.make(person.caller, Asked(period, names), watch)
        found = person.vault.releases.read(person.caller, made.id)
    _show([found], as_json=as_json)
    say("Next: casevault release review ID, by a supervisor or another reporter, then by the DPO.")


@app.command(name="list")
def list_(
    config: Path | None = ConfigOption,
    login: str | None = LoginOption,
    passphrase_fd: int | None = PassphraseFdOption,
    as_json: bool = JsonOption,
) -> None:
    """Example: casevault release list

    All releases, oldest first, and how far each is. (personal)
    """
    with signed_in(config, login, passphrase_fd) as person:
        found = person.vault.releases.list_(person.caller)
    _show(found, as_json=as_json)


@app.command()
def show(
    release: UUID = _Release,
    out: Path | None = typer.Option(  # noqa: B008 - typer's way
        None, "--out", file_okay=False, help="Write its files into this new folder."
    ),
    config: Path | None = ConfigOption,
    login: str | None = LoginOption,
    passphrase_fd: int | None = PassphraseFdOption,
    as_json: bool = JsonOption,
) -> None:
    """Example: casevault release show 9f0c… --out release-2026/

    One release; with --out its files too: published ones for everybody who may see releases, others
    for who may review them. (personal)
    """
    with signed_in(config, login, passphrase_fd) as person:
        found = person.vault.releases.read(person.caller, release)
        files = None if out is None else person.vault.releases.files(person.caller, release).files
    if out is not None and files is not None:
        release_files.write(out, files)
        say(f"Written: {len(files)} files in {out}.")
    _show([found], as_json=as_json)


@app.command()
def review(
    release: UUID = _Release,
    decline: bool = typer.Option(False, "--decline", help="Say no; it will not be published."),
    config: Path | None = ConfigOption,
    login: str | None = LoginOption,
    passphrase_fd: int | None = PassphraseFdOption,
    as_json: bool = JsonOption,
) -> None:
    """Example: casevault release review 9f0c…

    Sign that it may be published: a supervisor or another reporter first, then the DPO. Nobody
    reviews what they made. (personal)
    """
    with signed_in(config, login, passphrase_fd) as person:
        found = person.vault.releases.review(person.caller, release, approve=not decline)
    _show([found], as_json=as_json)


@app.command()
def publish(
    release: UUID = _Release,
    config: Path | None = ConfigOption,
    login: str | None = LoginOption,
    passphrase_fd: int | None = PassphraseFdOption,
    as_json: bool = JsonOption,
) -> None:
    """Example: casevault release publish 9f0c…

    Sign what two have reviewed, in the organisation's name. Reporters. (personal)
    """
    with signed_in(config, login, passphrase_fd) as person:
        person.vault.releases.publish(person.caller, release)
        found = person.vault.releases.read(person.caller, release)
    _show([found], as_json=as_json)
    say("Next: casevault release show ID --out FOLDER")


@app.command()
def withdraw(
    release: UUID = _Release,
    reason: str = typer.Option(..., "--reason", help="error, consent, method or other."),
    yes: bool = typer.Option(False, "--yes", help="Do not ask."),
    config: Path | None = ConfigOption,
    login: str | None = LoginOption,
    passphrase_fd: int | None = PassphraseFdOption,
    as_json: bool = JsonOption,
) -> None:
    """Example: casevault release withdraw 9f0c… --reason error

    Take a published release back. What it cost is not given back. The DPO. (personal)
    """
    if not yes:
        typer.confirm("Nobody gets its files here any more. Go on?", abort=True, err=True)
    with signed_in(config, login, passphrase_fd) as person:
        person.vault.releases.withdraw(person.caller, release, reason)
        found = person.vault.releases.read(person.caller, release)
    _show([found], as_json=as_json)


@app.command()
def count_import(
    taken_on: datetime | None = typer.Option(  # noqa: B008 - typer's way
        None, "--taken-on", formats=[_DAY], help="The day of the import."
    ),
    as_accepted: datetime | None = typer.Option(  # noqa: B008 - typer's way
        None, "--as-accepted", formats=[_DAY], help="The day as accepted on which they count."
    ),
    config: Path | None = ConfigOption,
    login: str | None = LoginOption,
    passphrase_fd: int | None = PassphraseFdOption,
    as_json: bool = JsonOption,
) -> None:
    """Example: casevault release count-import --taken-on 2026-03-02 --as-accepted 2026-03-02

    Ask that imported cases count; the DPO approves it (POST /v1/approvals/{id}). Without days:
    which imports count. Nobody is counted who did not agree to statistics. Reporters. (personal)
    """
    if (taken_on is None) != (as_accepted is None):
        raise typer.BadParameter("name both days, or none to see which imports count")
    with signed_in(config, login, passphrase_fd) as person:
        imports = person.vault.counted_imports
        if taken_on is not None and as_accepted is not None:
            wish = imports.ask(person.caller, Counted(taken_on.date(), as_accepted.date()))
            say(f"Next: the DPO approves {wish.id} until {_day(wish.expires_at)}.")
        found = imports.list_(person.caller)
    rows = [
        (str(one.counted.taken_on), str(one.counted.accepted_on), _day(one.at)) for one in found
    ]
    names = ("taken_on", "accepted_on", "decided_on")
    if as_json:
        emit([dict(zip(names, row, strict=True)) for row in rows])
    else:
        table("Imports that count", names, rows)


@app.command()
def verify(
    file: Path = typer.Argument(  # noqa: B008 - typer's way
        ..., exists=True, dir_okay=False, help="release.json; the tables lie beside it."
    ),
    root: str = typer.Option(..., "--root", help="The organisation's root fingerprint, 64 digits."),
    key: str | None = typer.Option(None, "--key", help="The log's key: proves its line too."),
    as_json: bool = JsonOption,
) -> None:
    """Example: casevault release verify release-2026/release.json --root 3b1f…

    Check signature, digest of every file, sums, and with --key the line of the log that says what
    was paid. Exit code 4 if anything is not as it was published. (offline)
    """
    log = None if key is None else verifier_key(key)
    proof = release_files.verify(
        file,
        "".join(root.lower().split()),
        None if log is None else (log.name, log.public),
        is_raw_signature,
    )
    if as_json:
        emit(proof)
        return
    said = proof["statement"]["release"]
    say(
        f"Release {said['release_id']}, {said['period_start']} to {said['period_end']}: signed by"
        f" the organisation, {len(proof['statement']['files'])} files as published, sums hold."
    )
    for line in proof["statement"]["account"]:
        say(
            f"Paid by those accepted in {line['cohort_year']}: rho {line['rho']} ({line['state']})."
        )
    say(
        "The log has its line, with the price."
        if proof["on_log"]
        else "The log's line was not checked: give --key."
    )


@contextmanager
def _bar() -> Iterator[Watch]:
    columns = (TextColumn("counting"), BarColumn(), TimeRemainingColumn())
    with Progress(*columns, console=messages, disable=not messages.is_terminal) as bar:
        task = bar.add_task("counting", total=1.0)
        yield lambda share: bar.update(task, completed=share)


def _day(at: int) -> str:
    return datetime.fromtimestamp(at, UTC).date().isoformat()


def _show(found: list[Shown], *, as_json: bool) -> None:
    if as_json:
        emit([_data(one) for one in found])
        return
    rows = [_data(one) for one in found]
    columns = ("id", "period", "stage", "reviews", "rho", "tables")
    table("Releases", columns, [[str(row[name]) for name in columns] for row in rows])


def _data(one: Shown) -> dict[str, Any]:
    held, design = one.held, one.held.design
    return {
        "id": str(held.id),
        "period": f"{design.period.start} {design.period.end}",
        "stage": held.stage.value,
        "reviews": "declined" if one.declined else f"{one.approved} of 2",
        "rho": f"{float(design.rho):g}",
        "tables": " ".join(design.tables),
        "digest": held.digest,
        "supersedes": None if held.supersedes is None else str(held.supersedes),
        "reason": held.reason,
    }
