"""``casevault ledger``: the watch, alerts and their reviews, the weekly sample, sign-offs."""

from __future__ import annotations

from datetime import datetime
from itertools import chain, islice
from pathlib import Path
from uuid import UUID

import typer

from casevault import bootstrap
from casevault.cli import unlocking
from casevault.cli.log.ledger import verifier_key
from casevault.cli.output import ConfigOption, JsonOption, emit, say, settings_from, table
from casevault.cli.personal import LoginOption, PassphraseFdOption, signed_in
from casevault.crypto.principals import is_raw_signature
from casevault.domain.audit.reviewing import State
from casevault.ledger import sample as drawing
from casevault.ledger.entry import Leaf, parse_leaf
from casevault.ledger.export import Retired
from casevault.ledger.note import open_note, verify_note
from casevault.ledger.sample import Week
from casevault.ledger.sources import from_folder
from casevault.ledger.verify import verify_export
from casevault.store.audit.alerts import Alert

app = typer.Typer()


@app.command()
def watch(config: Path | None = ConfigOption) -> None:
    """Example: casevault ledger watch

    Run the alert rules now, over what the service can still read; print rule and count of what is
    new. The service does the same every few minutes. (operator)
    """
    settings = settings_from(config)
    stores = unlocking.open_stores(settings)
    try:
        bootstrap.settle(stores)
        found = bootstrap.watch(settings, stores).run()
    finally:
        stores.close()
    rules = sorted({one.rule for one in found})
    table(
        "New alerts", ("rule", "count"), [(r, str(sum(f.rule == r for f in found))) for r in rules]
    )
    say(f"New alerts: {len(found)}. An auditor reads them: casevault ledger alerts")


@app.command()
def alerts(
    state: State | None = typer.Option(None, "--state", help="Only those in this state."),  # noqa: B008
    rule: str | None = typer.Option(None, "--rule", help="Only those of this rule."),
    config: Path | None = ConfigOption,
    login: str | None = LoginOption,
    passphrase_fd: int | None = PassphraseFdOption,
    as_json: bool = JsonOption,
) -> None:
    """Example: casevault ledger alerts --state open

    What the rules found, youngest first. (personal)
    """
    found: list[Alert] = []
    with signed_in(config, login, passphrase_fd) as person:
        cursor: str | None = None
        while True:
            page = person.vault.reviewing.list_(person.caller, state, rule, cursor)
            found += page.items
            cursor = page.cursor
            if cursor is None:
                break
    _show(found, as_json=as_json)


@app.command()
def review(
    alert: UUID = typer.Argument(..., help="The alert's id."),  # noqa: B008 - typer's way
    to: State = typer.Option(..., "--to", help="The next state."),  # noqa: B008
    note: str = typer.Option("", "--note", help="Why; sealed to the auditors. Name nobody."),
    config: Path | None = ConfigOption,
    login: str | None = LoginOption,
    passphrase_fd: int | None = PassphraseFdOption,
) -> None:
    """Example: casevault ledger review 0f8f… --to justified --note 'covered for a colleague'

    Move a review on. A violation first waits for a second person; run it again after their yes.
    (personal)
    """
    with signed_in(config, login, passphrase_fd) as person:
        known = person.vault.reviewing.read(person.caller, alert)
        version = known.record.version
        found, wish = person.vault.reviewing.step(person.caller, alert, to, note, version)
    if wish is None:
        say(f"The review is now: {found.state.value}.")
    else:
        say(f"Another auditor or the DPO has to approve {wish.id}; then run this again.")


@app.command()
def draw(
    week: str | None = typer.Option(None, "--week", help="Such as 2026-W47 (default: the last)."),
    config: Path | None = ConfigOption,
    login: str | None = LoginOption,
    passphrase_fd: int | None = PassphraseFdOption,
    as_json: bool = JsonOption,
) -> None:
    """Example: casevault ledger draw --week 2026-W47

    Draw the weekly sample and begin its review; asking again gives the same. (personal)
    """
    chosen = None if week is None else Week.parse(week)
    with signed_in(config, login, passphrase_fd) as person:
        found = person.vault.reviewing.sample(person.caller, chosen)
    _show(found, as_json=as_json)


@app.command()
def sample(
    folder: Path = typer.Argument(..., exists=True, file_okay=False),  # noqa: B008 - typer's way
    key: str = typer.Option(..., "--key", help="The log's verifier key (name+hash+key)."),
    week: str = typer.Option(..., "--week", help="Such as 2026-W47."),
    checkpoint: Path = typer.Option(  # noqa: B008 - typer's way
        ..., "--checkpoint", exists=True, dir_okay=False, help="The note that drew the sample."
    ),
    as_json: bool = JsonOption,
) -> None:
    """Example: casevault ledger sample export/ --key '…' --week 2026-W47 --checkpoint note

    Repeat the draw of a week's sample from an export that is verified first: the positions to be
    reviewed, one per line. (offline)
    """
    verifier, note = verifier_key(key), checkpoint.read_bytes()
    whole = verify_export(folder, verifier.name, verifier.public, is_raw_signature, older=note)
    head = open_note(note, verifier.name, verifier.public, is_raw_signature)
    chosen = Week.parse(week)
    among = drawing.population(_leaves(folder, whole.size, head.size), chosen)
    drawn = drawing.draw(head, chosen, among)
    if as_json:
        emit({"week": chosen.name, "size": head.size, "among": len(among), "drawn": list(drawn)})
        return
    for position in drawn:
        print(position)
    say(f"{len(drawn)} of {len(among)} entries of {chosen.name}, by the checkpoint of {head.size}.")


@app.command(name="sign-off")
def sign_off(
    first: datetime = typer.Option(..., "--from", formats=["%Y-%m-%d"], help="The first day."),  # noqa: B008
    last: datetime = typer.Option(..., "--to", formats=["%Y-%m-%d"], help="The last day."),  # noqa: B008
    config: Path | None = ConfigOption,
    login: str | None = LoginOption,
    passphrase_fd: int | None = PassphraseFdOption,
) -> None:
    """Example: casevault ledger sign-off --from 2026-11-01 --to 2026-11-30 > november.note

    Sign what there is to say about a period; the note goes to stdout. (personal)
    """
    with signed_in(config, login, passphrase_fd) as person:
        made = person.vault.sign_offs.sign(person.caller, first.date(), last.date())
    print(made.note, end="")
    say(f"Check it with: casevault ledger note FILE --key '{made.key}'")


@app.command()
def note(
    file: Path = typer.Argument(..., exists=True, dir_okay=False),  # noqa: B008 - typer's way
    key: str = typer.Option(..., "--key", help="The verifier key of who signed."),
) -> None:
    """Example: casevault ledger note november.note --key 'example.org/casevault/1/auditor/…+…+…'

    Check a signed note and print its text; exit code 4 if it is not what was signed. (offline)
    """
    verifier = verifier_key(key)
    found = verify_note(file.read_bytes(), verifier.name, verifier.public, is_raw_signature)
    print(found.decode(), end="")


def _leaves(folder: Path, size: int, most: int) -> list[tuple[int, Leaf]]:
    """Return the first `most` leaves, without those that retention took, of a verified export."""
    stored = chain.from_iterable(from_folder(folder, size))
    return [
        (index, parse_leaf(one))
        for index, one in enumerate(islice(stored, most))
        if not isinstance(one, Retired)
    ]


def _show(found: list[Alert], *, as_json: bool) -> None:
    if as_json:
        emit([_plain(one) for one in found])
        return
    head = ("id", "day", "rule", "state", "count", "people")
    rows = [
        (str(a.id), a.day.isoformat(), a.rule, a.state.value, str(a.count), _people(a))
        for a in found
    ]
    table("Alerts", head, rows)


def _people(alert: Alert) -> str:
    return " ".join(str(one) for one in alert.actors)


def _plain(alert: Alert) -> dict[str, object]:
    return {
        "id": str(alert.id),
        "day": alert.day.isoformat(),
        "rule": alert.rule,
        "state": alert.state.value,
        "count": alert.count,
        "actors": [str(one) for one in alert.actors],
        "cases": [str(one) for one in alert.cases],
        "positions": list(alert.positions),
        "steps": [{"by": str(s.by), "to": s.to.value, "note": s.note} for s in alert.steps],
        "week": alert.week,
        "checkpoint": alert.checkpoint,
    }
