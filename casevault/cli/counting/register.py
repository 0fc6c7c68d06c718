"""``casevault register``: the programme register as tables, in and out."""

from __future__ import annotations

import sys
from pathlib import Path

import typer

from casevault.cli.output import ConfigOption, say
from casevault.cli.personal import LoginOption, PassphraseFdOption, signed_in
from casevault.domain.counting.programme import Kind
from casevault.domain.counting.register_tables import sheet
from casevault.errors import Invalid

_PARTIAL = 3
app = typer.Typer(
    help="Example: casevault register import training.csv --kind training --login made.up",
    no_args_is_help=True,
)
_KIND = typer.Option(..., "--kind", help="Which records.")


@app.command(name="import")
def import_(
    file: Path = typer.Argument(..., help="A CSV table; `export` shows its columns."),  # noqa: B008
    kind: Kind = _KIND,
    config: Path | None = ConfigOption,
    login: str | None = LoginOption,
    passphrase_fd: int | None = PassphraseFdOption,
) -> None:
    """Example: casevault register import training.csv --kind training --login made.up

    Add and change records of one kind from a table. A line with an `id` writes the next version of
    that record; a faulty line is named and left out, the others are taken. (personal)
    """
    lines = list(sheet(kind).lines(_text(file)))
    with signed_in(config, login, passphrase_fd) as person:
        taken = person.vault.register.take(person.caller, kind, lines)
    say(f"Added {taken.added}, changed {taken.changed}, refused {len(taken.refused)}.")
    for line in taken.refused:
        faults = ", ".join(f"{one.pointer} {one.code}" for one in line.faults)
        say(f"line {line.number}: {faults}")
    if taken.refused:
        raise typer.Exit(_PARTIAL)


@app.command()
def export(
    kind: Kind = _KIND,
    config: Path | None = ConfigOption,
    login: str | None = LoginOption,
    passphrase_fd: int | None = PassphraseFdOption,
) -> None:
    """Example: casevault register export --kind training --login made.up > training.csv

    Print the records of one kind as a CSV table. No survivor is in it. (personal)
    """
    with signed_in(config, login, passphrase_fd) as person:
        found = person.vault.register.list_(person.caller, kind)
    sys.stdout.write(sheet(kind).written((one.id, one.content) for one in found))


def _text(file: Path) -> str:
    try:
        return file.read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        raise Invalid(
            "The table cannot be read. Save it as CSV in UTF-8 and name it.", code="register.file"
        ) from None
