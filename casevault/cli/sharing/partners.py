"""``casevault partners``: the directory of partners as a table, in and out."""

from __future__ import annotations

import sys
from pathlib import Path

import typer

from casevault.cli.output import ConfigOption, say
from casevault.cli.personal import LoginOption, PassphraseFdOption, signed_in
from casevault.domain.sharing import partner_tables
from casevault.errors import Invalid

_PARTIAL = 3
app = typer.Typer(
    help="Example: casevault partners import partners.csv --login made.up", no_args_is_help=True
)


@app.command(name="import")
def import_(
    file: Path = typer.Argument(..., help="A CSV table; `export` shows its columns."),  # noqa: B008
    config: Path | None = ConfigOption,
    login: str | None = LoginOption,
    passphrase_fd: int | None = PassphraseFdOption,
) -> None:
    """Example: casevault partners import partners.csv --login made.up

    Add and change partners from a table. A line with an `id` changes that entry, one without adds
    a partner; a faulty line is named and left out, the others are taken. (personal)
    """
    lines = list(partner_tables.lines(_text(file)))
    with signed_in(config, login, passphrase_fd) as person:
        taken = person.vault.partners.take(person.caller, lines)
    say(f"Added {taken.added}, changed {taken.changed}, refused {len(taken.refused)}.")
    for line in taken.refused:
        faults = ", ".join(f"{one.pointer} {one.code}" for one in line.faults)
        say(f"line {line.number}: {faults}")
    if taken.refused:
        raise typer.Exit(_PARTIAL)


@app.command()
def export(
    config: Path | None = ConfigOption,
    login: str | None = LoginOption,
    passphrase_fd: int | None = PassphraseFdOption,
) -> None:
    """Example: casevault partners export --login made.up > partners.csv

    Print the directory as a CSV table. No survivor is in it. (personal)
    """
    with signed_in(config, login, passphrase_fd) as person:
        found = person.vault.partners.list_(person.caller)
    sys.stdout.write(partner_tables.written(one.partner for one in found))


def _text(file: Path) -> str:
    try:
        return file.read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        raise Invalid(
            "The table cannot be read. Save it as CSV in UTF-8 and name it.", code="partners.file"
        ) from None
