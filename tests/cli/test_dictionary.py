"""`casevault dictionary`: blank forms, the page of all fields, and which fields are used."""

from __future__ import annotations

from pathlib import Path

import pytest

from casevault.cli.app import app
from casevault.domain import vocabulary
from casevault.domain.case import dictionary
from casevault.domain.case.dictionary import Dictionary
from casevault.domain.pages import dictionary_page, paper
from casevault.domain.retention import dpia
from casevault.errors import Invalid, Misconfigured

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "data-dictionary.md"


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


def test_the_committed_assessment_is_what_the_code_says(runner, tmp_path):
    """After a change of dictionary or schedule: `casevault dictionary dpia`, and review it."""
    assert (ROOT / "docs" / "dpia.md").read_text("utf-8") == dpia.page()
    target = tmp_path / "dpia.md"
    command = ["dictionary", "dpia", str(target), "--purpose", "disability"]
    assert runner.invoke(app, command).exit_code == 0
    assert target.read_text("utf-8") == dpia.page(["disability"]) != dpia.page()
    assert runner.invoke(app, ["dictionary", "dpia", "x", "--purpose", "none"]).exit_code == 2
    lost = runner.invoke(app, ["dictionary", "dpia", str(tmp_path / "no" / "page.md")])
    assert isinstance(lost.exception, Invalid)


def test_what_the_assessment_claims_is_shown_by_a_test():
    """Every measure names tests that are there."""
    assert len(dpia.MEASURES) > 10
    for what, how, shown in dpia.MEASURES:
        assert what
        assert how
        for test in shown.split(", "):
            assert (ROOT / test).is_file(), test


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
