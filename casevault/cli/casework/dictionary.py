"""``casevault dictionary``: the list of fields as forms, as a page, and as it is used."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

import typer

from casevault.cli.output import ConfigOption, JsonOption, emit, say, settings_from, table
from casevault.cli.personal import LoginOption, PassphraseFdOption, Person, signed_in
from casevault.domain.case import dictionary
from casevault.domain.case.casefile import DocumentKind
from casevault.domain.case.dictionary import Dictionary
from casevault.domain.pages import dictionary_page, paper
from casevault.domain.retention import dpia as dpia_page
from casevault.errors import Invalid

# Below this a count could point at somebody.
_FEW = 5
_PARTIAL = 3
app = typer.Typer(
    help="Example: casevault dictionary form intake --lang ar > form.html", no_args_is_help=True
)


class Form(StrEnum):
    """A form that can be printed."""

    INTAKE = "intake"
    CONSENT = "consent"
    REFERRAL = "referral"


class Language(StrEnum):
    """A language in which forms are printed."""

    ENGLISH = "en"
    FRENCH = "fr"
    SPANISH = "es"
    ARABIC = "ar"


@app.command()
def form(
    name: Form,
    lang: Language = typer.Option(Language.ENGLISH, "--lang", help="Language of the form."),  # noqa: B008 - typer's way
    config: Path | None = ConfigOption,
) -> None:
    """Example: casevault dictionary form intake --lang ar > form.html

    Print a blank form as one HTML file for A4 paper, for work without network. It asks what the
    programme's purposes switch on; without a configuration file, what is asked everywhere.
    (offline)
    """
    words = Dictionary.of(settings_from(config).purposes)
    print(paper.page(name.value, lang.value, words), end="")


@app.command()
def docs(
    file: Path = typer.Argument(Path("docs/data-dictionary.md"), help="Where to write it."),  # noqa: B008
) -> None:
    """Example: casevault dictionary docs docs/data-dictionary.md

    Write the page that names every field, why it may be asked, and every code. (offline)
    """
    try:
        file.write_text(dictionary_page.page(), "utf-8")
    except OSError:
        raise Invalid(
            "The page cannot be written there. Name a file in a folder that exists.",
            code="dictionary.file",
        ) from None
    say(f"Written: {file}")


@app.command()
def dpia(
    file: Path = typer.Argument(Path("docs/dpia.md"), help="Where to write it."),  # noqa: B008
    purpose: list[str] = typer.Option([], "--purpose", help="A purpose that is on."),  # noqa: B008
) -> None:
    """Example: casevault dictionary dpia docs/dpia.md

    Write the data protection impact assessment of this programme. (offline)
    """
    if unknown := set(purpose) - dictionary.known_purposes():
        raise typer.BadParameter(f"unknown: {', '.join(sorted(unknown))}", param_hint="--purpose")
    try:
        file.write_text(dpia_page.page(purpose), "utf-8")
    except OSError:
        raise Invalid(
            "The page cannot be written there. Name a file in a folder that exists.",
            code="dictionary.file",
        ) from None
    say(f"Written: {file}")


@app.command()
def unused(
    config: Path | None = ConfigOption,
    login: str | None = LoginOption,
    passphrase_fd: int | None = PassphraseFdOption,
    as_json: bool = JsonOption,
) -> None:
    """Example: casevault dictionary unused --login made.up

    Count in how many of the cases that you can open each field is filled; name those that nobody
    fills. Numbers of cases only, never what is written; each look is on the access log. Counts
    under 5 are shown as "<5". (personal)
    """
    with signed_in(config, login, passphrase_fd) as person:
        use = _counted(person)
        rows = list(_rows(use, person.vault.stores.dictionary))
    if as_json:
        emit([dict(zip(("field", "filled", "of", "off"), row, strict=True)) for row in rows])
    else:
        table("Fields and in how many cases they are filled", ("field", "filled", "of", ""), rows)
    say(f"Fields that nobody fills: {', '.join(_empty(rows)) or 'none'}.")
    if use.unreadable:
        say("Some cases did not open; they are not counted, and each has raised an alarm.")
        raise typer.Exit(_PARTIAL)


def unused_fields(person: Person) -> list[str]:
    """Return the fields that nobody fills in the cases that somebody can open."""
    return _empty(list(_rows(_counted(person), person.vault.stores.dictionary)))


def _empty(rows: list[tuple[str, str, str, str]]) -> list[str]:
    empty = {name for name, filled, of, off in rows if filled == "0" and of != "0" and not off}
    # Of a group that nobody fills, its name is enough.
    return [name for name, *_ in rows if name in empty and name.rpartition(".")[0] not in empty]


@dataclass
class _Use:
    """What was counted over all pages."""

    seen: Counter[str] = field(default_factory=Counter)
    filled: Counter[str] = field(default_factory=Counter)
    unreadable: int = 0


def _counted(person: Person) -> _Use:
    use = _Use()
    page = person.vault.field_use.count(person.caller)
    with typer.progressbar(
        length=page.total, label="cases", file=typer.get_text_stream("stderr")
    ) as bar:
        while True:
            use.seen.update(page.seen)
            use.filled.update(page.filled)
            use.unreadable += page.unreadable
            bar.update(page.cases)
            if page.after is None:
                return use
            # Asked for anew, so that a long count does not outlive the person's powers.
            page = person.vault.field_use.count(person.caller, page.after)


def _rows(use: _Use, words: Dictionary) -> Iterator[tuple[str, str, str, str]]:
    for kind in DocumentKind:
        tops = {one.name: one for one in dictionary.fields_of(kind)}
        for name, _ in dictionary.walk(kind):
            top = tops[name.split(".")[0]]
            if not top.system:
                shown = f"{kind.value}.{name}"
                off = "" if words.asks(top) else "off"
                yield shown, _few(use.filled[shown]), _few(use.seen[kind.value]), off


def _few(count: int) -> str:
    return f"<{_FEW}" if 0 < count < _FEW else str(count)
