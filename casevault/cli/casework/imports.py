"""``casevault import``: cases of another system, as the person who signs in; and refused lines.

Prints numbers of lines, places and codes. Must never print what stood in a cell.
"""

from __future__ import annotations

import json
import os
import sys
import tomllib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Any, BinaryIO, TextIO
from uuid import UUID

import typer
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from casevault.cli.casework.import_run import Reader, Run, Tally
from casevault.cli.output import ConfigOption, JsonOption, emit, messages, say, table
from casevault.cli.personal import LoginOption, PassphraseFdOption, Person, signed_in
from casevault.domain.importing.htcds import default_mapping
from casevault.domain.importing.mapping import ColumnMapping, Columns, parse_mapping
from casevault.domain.importing.records import CsvRecords, JsonRecords
from casevault.domain.texts import strict_json
from casevault.errors import CaseVaultError, FieldError, Invalid
from casevault.services.casework.importing import RejectFile, Source

EXIT_PARTIAL = 3
_PAGE = 10
_JSON_LINES = {".jsonl", ".ndjson", ".json"}
app = typer.Typer(
    help="Example: casevault import htcds people.csv --source 'Old register' --id-column CaseNumber"
    " --dry-run",
    no_args_is_help=True,
)


class Format(StrEnum):
    """How a file of records is written."""

    CSV = "csv"
    JSONL = "jsonl"


@app.command()
def htcds(
    file: Path = typer.Argument(  # noqa: B008 - typer's way
        ..., exists=True, dir_okay=False, readable=True, help="The table."
    ),
    source: str = typer.Option(..., "--source", help="Name of the system the table comes from."),
    id_column: str = typer.Option(..., "--id-column", help="The column with the number there."),
    mapping: Path | None = typer.Option(  # noqa: B008
        None,
        "--mapping",
        exists=True,
        dir_okay=False,
        readable=True,
        help="TOML or JSON: column = field (default: names of HTCDS).",
    ),
    team: UUID | None = typer.Option(  # noqa: B008
        None, "--team", help="Id of the team, if you are in several."
    ),
    retention_class: str = typer.Option("standard", "--class", help="Retention class."),
    form: Format | None = typer.Option(  # noqa: B008
        None, "--format", help="csv or jsonl (default: by the file's name)."
    ),
    delimiter: str | None = typer.Option(None, "--delimiter", help="Of the columns (CSV)."),
    dry_run: bool = typer.Option(False, "--dry-run", help="Say what would happen; store nothing."),
    as_json: bool = JsonOption,
    config: Path | None = ConfigOption,
    login: str | None = LoginOption,
    passphrase_fd: int | None = PassphraseFdOption,
) -> None:
    """Example: casevault import htcds people.csv --source "Old register" --id-column No --dry-run

    Take cases over from a table, line by line. What was taken is not taken twice: a run that was
    stopped is simply repeated. Exit code 3 if lines were refused. docs/import.md. (personal)
    """
    with file.open("rb") as stream:
        reader = _reader(stream, _format(file, form), delimiter, mapping, id_column)
        with signed_in(config, login, passphrase_fd) as person:
            begun = person.vault.importing.begin(
                person.caller, Source(source, team, retention_class)
            )
            run = Run(person, begun, reader, dry_run=dry_run)
            stopped = _watched(run, stream, file.stat().st_size)
    if as_json:
        emit(_as_data(begun, reader.columns(), run.tally, dry_run=dry_run))
    else:
        _show(reader.columns(), run.tally, dry_run=dry_run)
    if stopped is not None:
        say("Stopped. Nothing is half taken: run the same command again, and it goes on.")
        raise stopped
    if run.tally.refused:
        if not dry_run:
            say("Refused lines are sealed to you: casevault import rejects --out FILE")
        raise typer.Exit(EXIT_PARTIAL)


@app.command()
def rejects(
    out: Path | None = typer.Option(  # noqa: B008 - typer's way
        None, "--out", help="Write them to this new file (0600) instead of the terminal."
    ),
    remove: bool = typer.Option(False, "--remove", help="Erase them once they are written."),
    config: Path | None = ConfigOption,
    login: str | None = LoginOption,
    passphrase_fd: int | None = PassphraseFdOption,
) -> None:
    """Example: casevault import rejects --out rejects.jsonl

    Open the lines that your imports refused, as JSON lines with place and code. Only you can; they
    are erased after 30 days. This shows what stood in the lines. (personal)
    """
    unreadable = count = 0
    with signed_in(config, login, passphrase_fd) as person, _writing(out) as file:
        for kept in _packets(person):
            unreadable += not kept.readable
            count += len(kept.rejects)
            for line in _lines_of(kept):
                file.write(json.dumps(line, ensure_ascii=False) + "\n")
            file.flush()
            if remove and kept.readable:
                person.vault.importing.forget_rejects(person.caller, kept.id)
    say(f"{count} refused lines." + ("" if out is None else " Delete the file when you are done."))
    if unreadable:
        say(f"{unreadable} packets of refused lines do not open. The alarm is on the access log.")
        raise typer.Exit(EXIT_PARTIAL)


def _format(file: Path, form: Format | None) -> Format:
    if form is not None:
        return form
    return Format.JSONL if file.suffix.lower() in _JSON_LINES else Format.CSV


def _reader(
    stream: BinaryIO, form: Format, delimiter: str | None, mapping: Path | None, id_column: str
) -> Reader:
    is_json = form is Format.JSONL
    records = JsonRecords(stream) if is_json else CsvRecords(stream, _sign(delimiter))
    chosen = default_mapping(records.columns) if mapping is None else _mapping(mapping)
    columns = chosen.look_at(records.columns, id_column)
    # What these lines say comes before a passphrase is asked for. A header is not repeated: in a
    # table without one it would be a person.
    if not is_json and id_column not in records.columns:
        raise Invalid(
            "The table has no column of the name that --id-column gives.",
            code="import.id-column",
            hint="The first line must name the columns, each once.",
        )
    if records.columns and not columns.mapped:
        raise Invalid(
            "No column of the table is in the mapping.",
            code="import.mapping",
            hint="Without --mapping the columns must have names of HTCDS, such as FirstName. For"
            " others write a mapping: docs/import.md, step 3.",
        )
    return Reader(records, chosen, id_column)


def _sign(delimiter: str | None) -> str | None:
    found = {"tab": "\t", "\\t": "\t"}.get(delimiter or "", delimiter)
    if found is not None and (len(found) != 1 or found in '"\r\n'):
        raise typer.BadParameter("one sign, or the word tab", param_hint="--delimiter")
    return found


def _mapping(path: Path) -> ColumnMapping:
    data = path.read_bytes()
    if path.suffix.lower() == ".json":
        return parse_mapping(strict_json.parse(data))
    try:
        return parse_mapping(tomllib.loads(data.decode()))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError):
        raise Invalid(
            "The mapping cannot be read as TOML.", code="mapping.syntax", hint="See docs/import.md."
        ) from None


def _watched(run: Run, stream: BinaryIO, size: int) -> BaseException | None:
    """Do the run, with a bar on a terminal; return what stopped it."""
    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    with Progress(*columns, console=messages, disable=not messages.is_terminal) as bar:
        task = bar.add_task("reading", total=size)
        try:
            for tally in run.batches():
                done = f"{tally.lines} lines, {tally.refused} refused"
                bar.update(task, completed=stream.tell(), description=done)
        except (KeyboardInterrupt, CaseVaultError) as error:
            return error
    return None


def _show(columns: Columns, tally: Tally, *, dry_run: bool) -> None:
    table(
        "Columns",
        ("column", "goes to"),
        [
            *((_plain(name), ", ".join(paths)) for name, paths in columns.mapped),
            *((_plain(name), "(left out on purpose)") for name in columns.ignored),
            *((_plain(name), "(NOT MAPPED, not taken)") for name in columns.unmapped),
        ],
    )
    if tally.first:
        table(
            "Refused lines" if tally.refused <= len(tally.first) else "The first refused lines",
            ("line", "where", "why"),
            [
                (str(line), fault.pointer or "(the line)", fault.code)
                for line, faults in tally.first
                for fault in faults
            ],
        )
    would = "would be " if dry_run else ""
    table(
        "Lines",
        ("what", "lines"),
        [
            (f"{would}taken", str(tally.taken)),
            ("already there", str(tally.present)),
            (f"{would}refused", str(tally.refused)),
            *(
                (f"  {pointer or '(the line)'} {code}", str(count))
                for (pointer, code), count in tally.reasons.most_common()
            ),
        ],
    )


def _as_data(source: Source, columns: Columns, tally: Tally, *, dry_run: bool) -> dict[str, Any]:
    return {
        "source": source.name,
        "dry_run": dry_run,
        "whole": tally.whole,
        "lines": tally.lines,
        "taken": tally.taken,
        "present": tally.present,
        "refused": tally.refused,
        "reasons": [
            {"pointer": pointer, "code": code, "lines": count}
            for (pointer, code), count in tally.reasons.most_common()
        ],
        "first_refusals": [
            {"line": line, "errors": _errors(faults)} for line, faults in tally.first
        ],
        "columns": {
            "mapped": [{"column": name, "to": list(paths)} for name, paths in columns.mapped],
            "ignored": list(columns.ignored),
            "unmapped": list(columns.unmapped),
            "missing": list(columns.missing),
        },
    }


def _errors(faults: Sequence[FieldError]) -> list[dict[str, str]]:
    return [{"pointer": fault.pointer, "code": fault.code} for fault in faults]


def _packets(person: Person) -> Iterator[RejectFile]:
    after: UUID | None = None
    while page := person.vault.importing.rejects(person.caller, after, _PAGE):
        yield from page
        after = page[-1].id


def _lines_of(kept: RejectFile) -> Iterator[dict[str, Any]]:
    for reject in sorted(kept.rejects, key=lambda one: one.line):
        yield {
            "source": kept.source,
            "line": reject.line,
            "errors": _errors(reject.faults),
            "record": dict(reject.record),
        }


@contextmanager
def _writing(out: Path | None) -> Iterator[TextIO]:
    if out is None:
        yield sys.stdout
        return
    try:
        descriptor = os.open(out, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise Invalid("There is such a file already. Name a new one.", code="rejects.out") from None
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        yield file


def _plain(text: str) -> str:
    """Return a name from a file without signs that a terminal would obey."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)
