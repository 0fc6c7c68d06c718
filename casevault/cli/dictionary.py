"""``casevault dictionary``: the list of fields as forms, as a page, and as it is used."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path

import typer

from casevault.cli.output import ConfigOption, say, settings_from
from casevault.domain import dictionary_page, paper
from casevault.domain.dictionary import Dictionary
from casevault.errors import Invalid

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
