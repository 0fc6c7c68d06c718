"""``casevault report``: what the register and published releases say, as files to send."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path

import typer

from casevault.cli.counting.minimising import minimisation
from casevault.cli.output import ConfigOption, JsonOption, emit, say, table
from casevault.cli.personal import LoginOption, PassphraseFdOption, signed_in
from casevault.disclosure.formats import dhis2
from casevault.disclosure.formats.ctdc import ctdc_csv
from casevault.disclosure.formats.hxl import tagged
from casevault.disclosure.formats.sdmx import sdmx_csv
from casevault.disclosure.report import page
from casevault.disclosure.report.assembling import assembled
from casevault.disclosure.report.content import Report
from casevault.disclosure.report.published import Published, read_all
from casevault.disclosure.report.table import csv_text
from casevault.disclosure.report.words import Words
from casevault.domain.counting.indicators import Period
from casevault.domain.vocabulary import LANGUAGES
from casevault.errors import Invalid

_MARK = "casevault-report"
app = typer.Typer(
    help="Example: casevault report pledge --period 2026 --out report/ --login made.up",
    no_args_is_help=True,
)


app.command()(minimisation)


@app.callback()
def _noun() -> None:
    """Example: casevault report pledge --period 2026 --out report/ --login made.up"""


@app.command()
def pledge(
    period: str = typer.Option(..., "--period", help="2026, 2026-H1 or 2026-Q3."),
    out: Path = typer.Option(  # noqa: B008 - typer's way
        ..., "--out", file_okay=False, help="Folder of the files."
    ),
    languages: list[str] | None = typer.Option(  # noqa: B008
        None, "--lang", help="en, fr, es or ar; may be repeated (default: all)."
    ),
    releases: list[Path] | None = typer.Option(  # noqa: B008
        None, "--release", exists=True, dir_okay=False, help="A released table from elsewhere."
    ),
    as_json: bool = JsonOption,
    config: Path | None = ConfigOption,
    login: str | None = LoginOption,
    passphrase_fd: int | None = PassphraseFdOption,
) -> None:
    """Example: casevault report pledge --period 2026 --out report/ --login made.up

    Write the pledge report of a period: a page in each language, its charts, and one CSV of all
    numbers. Measures and staff come from the register; people only from published releases.
    (personal)
    """
    wanted = tuple(languages or LANGUAGES)
    if not set(wanted) <= set(LANGUAGES):
        raise typer.BadParameter(f"choose among {', '.join(LANGUAGES)}", param_hint="--lang")
    given = Period.parse(period)
    files = [_text(path) for path in releases or ()]
    with signed_in(config, login, passphrase_fd) as person:
        found, published = person.vault.register.report(person.caller, given)
        report = assembled(found, [*published, *files], person.vault.register.organisation_name)
    written = _write(out, _files(report, wanted))
    if as_json:
        emit({"out": str(out), "files": written})
    else:
        table("Files", ("file",), [(str(out / name),) for name in written])
    if not report.people:
        say("No counts of people were published for this period: the report says so.")


class Form(StrEnum):
    """Forms that other programs read."""

    SDMX = "sdmx"
    DHIS2 = "dhis2"
    CTDC = "ctdc"
    HXL = "hxl"


@app.command()
def convert(
    file: Path = typer.Argument(  # noqa: B008
        ..., exists=True, dir_okay=False, help="A released table."
    ),
    form: Form = typer.Option(..., "--to", help="Which form."),  # noqa: B008
    mapping: Path | None = typer.Option(  # noqa: B008
        None, "--mapping", exists=True, dir_okay=False, help="Ids of DHIS2, as JSON."
    ),
) -> None:
    """Example: casevault report convert people-total.csv --to sdmx > people-total.sdmx.csv

    Print a released table as SDMX-CSV, as DHIS2's data values, under CTDC's variables, or with a
    row of HXL tags. What is withheld stays so. docs/formats/release.md. (offline)
    """
    text = _text(file)
    tables = read_all(text)
    if form is Form.DHIS2:
        sys.stdout.write(_dhis2(tables, mapping))
    else:
        forms = {Form.SDMX: sdmx_csv, Form.CTDC: ctdc_csv}
        sys.stdout.write(tagged(text) if form is Form.HXL else forms[form](tables))


def _dhis2(tables: tuple[Published, ...], mapping: Path | None) -> str:
    if mapping is None:
        raise typer.BadParameter("DHIS2 needs the ids of your instance.", param_hint="--mapping")
    found = dhis2.converted(tables, dhis2.mapping(mapping.read_bytes()))
    say(f"Left out: {found.withheld} withheld, {found.unmapped} without an id in the mapping.")
    return found.text


def _files(report: Report, languages: tuple[str, ...]) -> dict[str, str]:
    name = f"{_MARK}-{report.indicators.period.name}"
    files = {f"{name}.csv": csv_text(report)}
    for language in languages:
        words = Words(language)
        files[f"{name}.{language}.html"] = page.html(report, words)
        for chart, drawn in page.charts(report, words).items():
            files[f"charts/{chart}.{language}.svg"] = drawn
    return files


def _text(path: Path) -> str:
    try:
        return path.read_bytes().decode()
    except (OSError, UnicodeDecodeError):
        raise Invalid("A file of a release cannot be read.", code="report.release") from None


def _write(out: Path, files: dict[str, str]) -> list[str]:
    (out / "charts").mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        fresh = out / f"{name}.part"
        fresh.write_bytes(content.encode())
        fresh.replace(out / name)
    return list(files)
