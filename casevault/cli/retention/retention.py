"""``casevault retention``: what is due, and erasing it."""

from __future__ import annotations

from pathlib import Path

import typer

from casevault.cli.operating import operate
from casevault.cli.output import EXIT_PARTIAL, ConfigOption, JsonOption, emit, say, settings_from
from casevault.cli.output import table as print_table
from casevault.cli.retention import retention_verbs as verbs
from casevault.cli.retention.retention_verbs import DayWish
from casevault.host import harden_process

app = typer.Typer(
    help="Example: casevault retention preview --as-of 2027-01-31", no_args_is_help=True
)
AsOfOption = typer.Option("", "--as-of", metavar="DAY", help="The day, as 2026-11-30 (today).")


@app.command()
def preview(
    as_of: str = AsOfOption, config: Path | None = ConfigOption, as_json: bool = JsonOption
) -> None:
    """Example: casevault retention preview --as-of 2027-01-31

    What a run on that day would erase, in counts; it may lie ahead. (operator)
    """
    found = operate(settings_from(config), verbs.PREVIEW, DayWish(as_of))
    if as_json:
        emit(found)
        return
    rows = [(one["class"], one["compartment"], str(one["count"])) for one in found["due"]]
    print_table(f"Due on {found['day']}", ("class", "compartment", "cases"), rows)
    say(f"{found['cases']} cases are due on {found['day']}; {_left(found)}.")


@app.command()
def run(
    as_of: str = AsOfOption,
    dry_run: bool = typer.Option(False, "--dry-run", help="Only say what would go."),
    config: Path | None = ConfigOption,
    as_json: bool = JsonOption,
) -> None:
    """Example: casevault retention run

    Erase what is due, keys first; nightly, before `casevault keys roll`. (operator)

    A run that was cut off is gone on with when you run it again. Nothing goes ahead of its day, and
    nothing that a legal hold keeps. Certificates are issued once an erasure is final: at the second
    roll after it, or with `casevault keys roll --erase-now`. Exit code 3: rows do not hold.
    """
    if dry_run:
        preview(as_of, config, as_json)
        return
    harden_process()
    done = operate(settings_from(config), verbs.RUN, DayWish(as_of))
    if as_json:
        emit(done)
    else:
        print(f"{done['whole']} cases erased, {done['partly']} more in part; {_left(done)}.")
        say(f"{done['certificates']} certificates issued; {done['waiting']} erasures not final.")
        if done["finished"]:
            say(f"{done['finished']} erasures that were cut off are finished.")
    if done["unreadable"]:
        raise typer.Exit(EXIT_PARTIAL)


def _left(found: dict[str, int]) -> str:
    unreadable = found["unreadable"]
    bad = f", {unreadable} rows that do not hold (tell whoever keeps the vault)"
    kept = f"kept: {found['held']} held, {found['restricted']} restricted"
    return kept + (bad if unreadable else "")
