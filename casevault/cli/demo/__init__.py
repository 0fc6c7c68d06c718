"""``casevault demo``: one story through the real HTTP API, then attacks on itself."""

from __future__ import annotations

import sys
import tempfile
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path

import typer

from casevault.cli.demo import (
    attacks,
    counts,
    day,
    forgetting,
    looks,
    night,
    picture,
    shelter,
    story,
)
from casevault.cli.demo import people as made_up
from casevault.cli.demo.narrator import Narrator
from casevault.cli.demo.world import World

STEPS = (
    "ceremony",
    "staff",
    "case",
    "stranger",
    "search",
    "assign",
    "day",
    "night",
    "audit",
    "attack",
    "counts",
    "forget",
    "answer",
)

# Enough to follow the guide and to try the client; `story` uses some.
_CODES_SHOWN = 3

app = typer.Typer(invoke_without_command=True)


class Format(StrEnum):
    """How tables of people are written."""

    CSV = "csv"
    JSONL = "jsonl"


@app.callback()
def demo(
    context: typer.Context,
    step: str | None = typer.Option(None, "--step", help=f"Show the detail of: {', '.join(STEPS)}"),
    serve: bool = typer.Option(
        False, "--serve", help="Leave the server up and print made-up logins."
    ),
) -> None:
    """Example: casevault demo --step attack

    Make a vault in a temporary folder, tell one case's story over HTTP, then attack it. All people
    are made up. (offline)
    """
    if context.invoked_subcommand is not None:
        return
    if step is not None and step not in STEPS:
        raise typer.BadParameter(f"choose one of {', '.join(STEPS)}", param_hint="--step")
    narrator = Narrator(step)
    with tempfile.TemporaryDirectory(prefix="casevault-demo-") as folder:
        with World(Path(folder)) as world:
            told = story.tell(world, narrator)
            day.tell(world, narrator, told)
            picture.tell(world, narrator, told)
            shelter.tell(world, narrator, told)
            night.tell(world, narrator, told)
            story.audit(world, narrator, told)
            looks.tell(world, narrator, told)
            failed = attacks.run(world, told, narrator)
            counts.tell(world, narrator, told)
            forgetting.tell(world, narrator, told)
            story.answer(world, told, narrator)
            if serve:
                _leave_open(world, narrator)
        if failed:
            raise typer.Exit(1)


@app.command()
def people(
    count: int = typer.Option(300, min=1, help="How many."),
    seed: int = typer.Option(1, help="The same seed makes the same people."),
    form: Format = typer.Option(  # noqa: B008 - typer's way
        Format.CSV, "--format", help="csv or jsonl."
    ),
    until: datetime | None = typer.Option(  # noqa: B008
        None, formats=["%Y-%m-%d"], help=f"No case is younger than this (default: {made_up.UNTIL})."
    ),
) -> None:
    """Example: casevault demo people --count 300 --seed 1 --format csv > people.csv

    Write made-up people as a table of HTCDS columns, to try an import with. (offline)
    """
    day = made_up.UNTIL if until is None else until.replace(tzinfo=UTC).date()
    found = made_up.people(count, seed, day)
    lines = made_up.as_csv(found) if form is Format.CSV else made_up.as_json_lines(found)
    # Rows end as the CSV standard says, whatever the system does.
    sys.stdout.reconfigure(encoding="utf-8", newline="")  # type: ignore[union-attr]
    for line in lines:
        sys.stdout.write(line)


def _leave_open(world: World, narrator: Narrator) -> None:
    narrator.line(f"The server stays up: {world.url}/docs (Ctrl-C ends it and removes everything)")
    narrator.line("Login, passphrase, and printed codes that work once each:")
    for login, passphrase in world.passphrases.items():
        codes = [world.code(login) for _ in range(min(_CODES_SHOWN, len(world.printed[login])))]
        narrator.line(f"  {login:<8} {passphrase:<54} {' '.join(codes)}")
    narrator.line("For the blocks of docs/api-guide.md, in another terminal:")
    narrator.line(
        f"  export URL={world.url} LOGIN=cara PASSPHRASE='{world.passphrases['cara']}' CODE=…"
    )
    world.wait()
