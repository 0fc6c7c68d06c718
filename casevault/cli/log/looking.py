"""``casevault ledger who`` and ``leaver``: lists that an auditor makes and lets others read."""

from __future__ import annotations

from pathlib import Path

import typer

from casevault.cli.output import ConfigOption, JsonOption, emit, say, table
from casevault.cli.personal import LoginOption, PassphraseFdOption, signed_in
from casevault.cli.staff.staff import staff_named
from casevault.domain import vocabulary
from casevault.domain.audit import looks as words
from casevault.domain.pages import paper
from casevault.errors import Invalid
from casevault.services.audit.looks import Looks, Seen

app = typer.Typer()
_NAMES = typer.Option(True, "--names/--no-names", help="People by name, or by role and number.")
_RELEASE = typer.Option(False, "--release", help="Let those read it who may, for thirty days.")


@app.command()
def who(
    case: str = typer.Argument(..., help="The case's id or reference."),
    names: bool = _NAMES,
    release: bool = _RELEASE,
    html: Path | None = typer.Option(None, "--html", help="Write a page to print here."),  # noqa: B008
    language: str = typer.Option("en", "--lang", help="Of the page: en, fr, es or ar."),
    config: Path | None = ConfigOption,
    login: str | None = LoginOption,
    passphrase_fd: int | None = PassphraseFdOption,
    as_json: bool = JsonOption,
) -> None:
    """Example: casevault ledger who CV-7K3M-9QXP --html who.html --lang ar

    Who looked at this file, over all months of the log. With --release, those who hold the case
    can read it too. (personal)
    """
    if language not in vocabulary.LANGUAGES:
        raise typer.BadParameter("en, fr, es or ar", param_hint="--lang")
    if html is not None and html.exists():
        raise Invalid("There is a file in that place already.", code="export.folder")
    with signed_in(config, login, passphrase_fd) as person:
        lists = person.vault.looks
        wanted = lists.case_named(case)
        make = lists.release if release else lists.who
        found = make(person.caller, wanted, names=names)
    if html is not None:
        page = words.page(case, (found.first, found.last), found.items, language, "")
        html.write_text(page.replace("</title>", f"</title><style>{paper.STYLE}</style>", 1))
        html.chmod(0o600)
    _show(found, as_json=as_json)
    if release:
        say("Released: whoever holds the case's narrative reads it for thirty days.")


@app.command()
def leaver(
    colleague: str = typer.Argument(..., help="Login of the colleague."),
    release: bool = _RELEASE,
    config: Path | None = ConfigOption,
    login: str | None = LoginOption,
    passphrase_fd: int | None = PassphraseFdOption,
    as_json: bool = JsonOption,
) -> None:
    """Example: casevault ledger leaver colin --release

    What a colleague saw, case by case. With --release, the supervisors of the team can read the
    numbers, and only these. (personal)
    """
    with signed_in(config, login, passphrase_fd) as person:
        lists, staff = person.vault.looks, staff_named(person, colleague)
        make = lists.release_counts if release else lists.leaver
        found = make(person.caller, staff)
    _show_seen(found, as_json=as_json)


def _show(found: Looks, *, as_json: bool) -> None:
    rows = [(o.day, o.who, o.role, o.did, o.part, o.why, str(o.times)) for o in found.items]
    head = ("day", "who", "role", "did", "part", "why", "times")
    if as_json:
        emit([dict(zip(head, row, strict=True)) for row in rows])
    else:
        table("Who looked", head, rows)


def _show_seen(found: Seen, *, as_json: bool) -> None:
    head = ("case", "looks", "first", "last", "parts")
    rows = [
        (str(o.case or "erased"), str(o.looks), o.first, o.last, " ".join(o.parts))
        for o in found.cases
    ]
    if as_json:
        emit({"counts": found.counts, "cases": [dict(zip(head, r, strict=True)) for r in rows]})
        return
    table("Seen", head, rows)
    say(", ".join(f"{name}: {count}" for name, count in found.counts.items()))
