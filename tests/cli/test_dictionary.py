"""`casevault dictionary`: blank forms, the page of all fields, and which fields are used."""

from __future__ import annotations

from pathlib import Path

import pytest

from casevault.cli.app import app
from casevault.domain import dictionary, dictionary_page, paper, vocabulary
from casevault.domain.dictionary import Dictionary
from casevault.errors import Invalid, Misconfigured

PAGE = Path(__file__).parents[2] / "docs" / "data-dictionary.md"


def test_the_committed_page_is_what_the_dictionary_says():
    """After a change of the dictionary: `casevault dictionary docs`, and review the difference."""
    assert PAGE.read_text("utf-8") == dictionary_page.page()


@pytest.mark.parametrize("document", list(dictionary.DOCUMENTS))
def test_the_page_names_every_field_and_code(document):
    """With its purpose; what is off by default says so."""
    shown = dictionary_page.page()
    for name, field in dictionary.walk(document):
        (line,) = {
            line
            for line in shown.split(f"## {document.replace('_', ' ').capitalize()}\n")[1]
            .split("\n## ")[0]
            .splitlines()
            if line.startswith(f"| `{name}` |")
        }
        assert field.purpose in line
        assert (f"unless `{field.switch}`" in line) == bool(field.switch)
        assert field.htcds in line
        assert all(f"`{code}`" in shown for code in _codes(field))


def _codes(field):
    return vocabulary.code_list(field.codes) if field.codes else ()


def test_docs_writes_the_page(runner, tmp_path):
    """To the file that is named."""
    target = tmp_path / "page.md"
    result = runner.invoke(app, ["dictionary", "docs", str(target)])
    assert result.exit_code == 0, result.output
    assert target.read_text("utf-8") == dictionary_page.page()
    missing = runner.invoke(app, ["dictionary", "docs", str(tmp_path / "no" / "page.md")])
    assert isinstance(missing.exception, Invalid)


def test_form_prints_a_blank_form_without_a_vault(runner, tmp_path, monkeypatch):
    """One file with its style inside; no configuration is needed."""
    monkeypatch.chdir(tmp_path)
    result = runner.invoke(app, ["dictionary", "form", "consent", "--lang", "ar"])
    assert result.exit_code == 0, result.output
    assert result.stdout == paper.page("consent", "ar", Dictionary())
    assert 'dir="rtl"' in result.stdout


def test_form_asks_what_the_programme_has_switched_on(runner, tmp_path):
    """The purposes of the configuration file hold for paper, too."""
    config = tmp_path / "casevault.toml"
    config.write_text('purposes = ["disability"]')
    config.chmod(0o600)
    result = runner.invoke(app, ["dictionary", "form", "intake", "--config", str(config)])
    assert result.exit_code == 0, result.output
    assert vocabulary.field_label("profile", "disability", "en") in result.stdout
    config.write_text('purposes = ["no-such-purpose"]')
    refused = runner.invoke(app, ["dictionary", "form", "intake", "--config", str(config)])
    assert isinstance(refused.exception, Misconfigured)


@pytest.mark.parametrize("given", [["diary"], ["intake", "--lang", "de"]])
def test_form_knows_its_forms_and_languages(runner, given):
    """Anything else is a usage error."""
    assert runner.invoke(app, ["dictionary", "form", *given]).exit_code == 2
