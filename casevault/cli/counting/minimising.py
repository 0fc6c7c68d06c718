"""``casevault report minimisation``: what is kept for no purpose, as a table or a page to print.

Put together of what each look gives: without keys for the DPO and supervisors, with the keys of
whoever signs in for the words of their cases and for fields that nobody fills.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from html import escape
from pathlib import Path

import typer

from casevault.cli.casework.dictionary import unused_fields
from casevault.cli.output import ConfigOption, JsonOption, emit, say, table
from casevault.cli.personal import LoginOption, PassphraseFdOption, Person, signed_in
from casevault.domain.pages import rendering
from casevault.domain.retention.minimising import NEXT, Finding
from casevault.domain.staff.access import Role
from casevault.errors import Invalid
from casevault.services.rights.minimising import WordsOf

_PARTIAL = 3
_TITLE, _LANGUAGE = "Minimisation report", "en"
Row = tuple[str, ...]


@dataclass
class Part:
    """One part of the report: what it is about, its rows, and what to do about them."""

    title: str
    columns: Row
    rows: list[Row]
    step: str


@dataclass
class Found:
    """The whole report."""

    parts: list[Part] = field(default_factory=list)
    unreadable: int = 0


def minimisation(
    html: Path | None = typer.Option(None, "--html", help="Write a page to print there."),  # noqa: B008
    config: Path | None = ConfigOption,
    login: str | None = LoginOption,
    passphrase_fd: int | None = PassphraseFdOption,
    as_json: bool = JsonOption,
) -> None:
    """Example: casevault report minimisation --login made.up --html report.html

    What is kept, or can be opened, for no purpose: keys nobody uses and files of cases closed long
    ago (DPO: all teams, supervisors: theirs); notes that are long or name somebody, and fields
    nobody fills, in the cases that you can open. Numbers and references, nothing of content; each
    with the next step. Exit code 3: some cases did not open. (personal)
    """
    with signed_in(config, login, passphrase_fd) as person:
        found = _found(person)
    if html is not None:
        _write(html, found)
    if as_json:
        emit([asdict(part) for part in found.parts])
    elif html is None:
        for part in found.parts:
            say(f"{part.title}: {part.step if part.rows else 'nothing to do.'}")
            if part.rows:
                table(part.title, part.columns, part.rows)
    if found.unreadable:
        say("Some cases did not open; they are not counted, and each has raised an alarm.")
        raise typer.Exit(_PARTIAL)


def _found(person: Person) -> Found:
    found, roles = Found(), person.caller.actor.roles
    if roles & {Role.DPO, Role.SUPERVISOR}:
        found.parts += _overview(person)
    if roles & {Role.CASEWORKER, Role.SUPERVISOR}:
        words, found.unreadable = _words(person)
        found.parts += [words, _fields(person)]
    if not found.parts:
        raise Invalid("Your roles open nothing of this report.", code="report.roles")
    return found


def _overview(person: Person) -> list[Part]:
    seen = person.vault.minimising.overview(person.caller)
    grants: list[Row] = [
        (seen.names[one.staff], str(one.held), str(one.unused), " ".join(one.references))
        for one in seen.grants
    ]
    files: list[Row] = [
        (str(one.team), str(one.cases), str(one.files), " ".join(one.references))
        for one in seen.files
    ]
    return [
        Part(
            f"Keys that nobody used since {seen.since}",
            ("who", "cases", "unused", "references"),
            grants,
            NEXT[_LANGUAGE][Finding.GRANTS],
        ),
        Part(
            "Files of cases closed long ago",
            ("team", "cases", "files", "references"),
            files,
            NEXT[_LANGUAGE][Finding.FILES],
        ),
    ]


def _words(person: Person) -> tuple[Part, int]:
    items: list[WordsOf] = []
    page = person.vault.minimising.words(person.caller)
    unreadable = page.unreadable
    items += page.items
    while page.after is not None:
        page = person.vault.minimising.words(person.caller, page.after)
        items += page.items
        unreadable += page.unreadable
    rows: list[Row] = [
        (one.reference, *map(str, (one.records, one.long, one.own, one.others, one.not_checked)))
        for one in items
    ]
    columns = ("case", "records", "long", "name the person", "name others", "not checked")
    step = f"{NEXT[_LANGUAGE][Finding.LONG]} {NEXT[_LANGUAGE][Finding.NAMING]}"
    return Part("Notes that say too much", columns, rows, step), unreadable


def _fields(person: Person) -> Part:
    rows: list[Row] = [(name,) for name in unused_fields(person)]
    return Part("Fields that nobody fills", ("field",), rows, NEXT[_LANGUAGE][Finding.FIELDS])


def _write(path: Path, found: Found) -> None:
    body = "".join(_section(part) for part in found.parts)
    try:
        path.write_text(rendering.page(_TITLE, body, _LANGUAGE), "utf-8")
    except OSError:
        raise Invalid(
            "The page cannot be written there. Name a file in a folder that exists.",
            code="report.file",
        ) from None
    say(f"Written: {path}")


def _section(part: Part) -> str:
    def row(cells: Row, tag: str) -> str:
        return "<tr>" + "".join(f"<{tag}>{escape(cell)}</{tag}>" for cell in cells) + "</tr>\n"

    rows = "".join(row(one, "td") for one in part.rows)
    head = f"<h2>{escape(part.title)}</h2>\n"
    if not part.rows:
        return f"{head}<p>Nothing to do.</p>\n"
    body = f"<table>\n{row(part.columns, 'th')}{rows}</table>\n"
    return f"{head}{body}<p>{escape(part.step)}</p>\n"
