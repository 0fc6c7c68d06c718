"""Forms made from the dictionary: as JSON Schema for screens, as HTML for paper."""

from __future__ import annotations

import json
import unicodedata
from html.parser import HTMLParser
from importlib import resources
from typing import Any

import pytest

from casevault.domain import vocabulary
from casevault.domain.case import dictionary
from casevault.domain.case.dictionary import Dictionary
from casevault.domain.case.fields import Type
from casevault.domain.pages import forms, paper
from casevault.errors import NotFound

OFF, ON = Dictionary(), Dictionary.of(dictionary.known_purposes())
LANGUAGES = vocabulary.LANGUAGES
EACH = [(form, language) for form in forms.FORMS for language in LANGUAGES]
TEXTS: dict[str, dict[str, str]] = json.loads(
    resources.files("casevault.domain.vocabulary").joinpath("form_texts.json").read_text("utf-8")
)
COLLECT = {
    "accepted", "again", "answer", "answered", "ask", "closed", "code", "completed", "declined",
    "left", "limits", "open", "send", "spent", "thanks", "title", "words",
}  # fmt: skip
PAPER = {
    "date", "entered", "filled", "keep", "month", "no", "one", "reference", "required", "several",
    "years", "yes",
}  # fmt: skip


def documents_of(form: str) -> set[str]:
    return {section.document for section in forms.sections(form, ON)}


def by_document(form: str, shown: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the schemas of the documents that a form is made of."""
    documents = documents_of(form)
    return shown["properties"] if len(documents) > 1 else {documents.pop(): shown}


def walk(schema: dict[str, Any], at: str = ""):
    """Yield every property of a schema with its dotted name."""
    for name, shown in schema["properties"].items():
        yield at + name, shown
        inner = shown.get("items", shown)
        if inner["type"] == "object":
            yield from walk(inner, at + name + ".")


def test_every_text_of_a_form_is_there_in_four_languages():
    """None is missing, none is left over, and Arabic is Arabic."""
    several = [documents_of(form) for form in forms.FORMS]
    sections = set().union(*(documents for documents in several if len(documents) > 1))
    expected = {f"form.{form}{part}" for form in forms.FORMS for part in ("", ".help")}
    expected |= {f"section.{document}" for document in sections}
    expected |= {f"paper.{name}" for name in PAPER}
    expected |= {f"leaflet.{name}" for name in ("title", "help", "nobody")}
    expected |= {f"referral.{name}" for name in ("from", "reference", "keep", "files")}
    expected |= {f"collect.{name}" for name in COLLECT}
    assert set(TEXTS) == expected
    for text in TEXTS.values():
        assert set(text) == set(LANGUAGES)
        assert all(w == w.strip() == unicodedata.normalize("NFC", w) != "" for w in text.values())
        assert any("\u0600" <= letter <= "\u06ff" for letter in text["ar"])


@pytest.mark.parametrize("form", forms.FORMS)
def test_a_form_asks_only_what_the_dictionary_names(form):
    """With all purposes on, each named field is there, and what must be filled is asked."""
    for section in forms.sections(form, ON):
        own = dictionary.fields_of(section.document)
        assert set(section.fields) <= set(own)
        assert {f for f in own if f.required} <= set(section.fields)
    if form != "intake":
        assert forms.sections(form, ON)[0].fields == dictionary.fields_of(form)


def test_the_first_talk_asks_every_field_that_it_names():
    """A field that was renamed in the dictionary does not drop out in silence."""
    asked = {
        section.document: {field.name for field in section.fields}
        for section in forms.sections("intake", ON)
    }
    assert asked == {document: set(names) for document, names in forms._FIRST_TALK.items()}
    assert not {"history", "perpetrators", "papers"} & set().union(*asked.values())


def test_a_form_that_there_is_not():
    """Is answered like any other unknown thing."""
    with pytest.raises(NotFound):
        forms.schema("no-such-form", "en", OFF)


@pytest.mark.parametrize(("form", "language"), EACH)
def test_a_form_speaks_its_language(form, language):
    """Titles, help and codes at every level are those of the language."""
    shown = forms.schema(form, language, ON)
    assert shown["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert shown["title"] == TEXTS[f"form.{form}"][language]
    for document, part in by_document(form, shown).items():
        fields = dict(dictionary.walk(document))
        properties = dict(walk(part))
        assert properties
        for name, one in properties.items():
            field = fields[name]
            assert one["title"] == vocabulary.field_label(document, name, language)
            assert one.get("description", "") == vocabulary.field_help(document, name, language)
            assert one["x-type"] == field.type
            assert one["x-purpose"] == field.purpose
            assert one["x-compartment"] == dictionary.compartment_for(document)
            assert one["x-required-by"] == ["caseworker", "supervisor"]
            assert one.get("x-switch", "") == field.switch
            assert one.get("x-htcds", "") == field.htcds
            assert (one["type"] == "array") == field.many
            if field.type is Type.CODE:
                labelled = one.get("items", one)["oneOf"]
                assert [code["const"] for code in labelled] == list(
                    vocabulary.code_list(field.codes)
                )
                assert all(
                    code["title"] == vocabulary.code_label(field.codes, code["const"], language)
                    for code in labelled
                )


@pytest.mark.parametrize("form", forms.FORMS)
def test_a_form_is_closed_and_says_what_is_needed(form):
    """Every object refuses what it does not name, as the vault does."""

    def objects(schema: dict[str, Any]):
        yield schema
        for one in schema["properties"].values():
            inner = one.get("items", one)
            if inner["type"] == "object":
                yield from objects(inner)

    for one in objects(forms.schema(form, "en", ON)):
        assert one["additionalProperties"] is False
        assert set(one["required"]) <= set(one["properties"])
    intake = forms.schema("intake", "en", OFF)
    assert intake["required"] == ["identity"]
    assert intake["properties"]["identity"]["required"] == ["name_to_use"]


def test_what_is_off_is_not_asked():
    """Neither on a screen nor on paper."""
    label = vocabulary.field_label("profile", "disability", "en")
    for words, asked in ((OFF, False), (ON, True)):
        shown = forms.schema("intake", "en", words)["properties"]["profile"]["properties"]
        assert ("disability" in shown) is asked
        assert (label in paper.page("intake", "en", words)) is asked


def test_what_the_service_writes_is_in_no_form():
    """Nobody is asked for the fields that only the service fills."""
    system = [f for d in dictionary.DOCUMENTS for _, f in dictionary.walk(d) if f.system]
    assert system
    asked = [f for form in forms.FORMS for s in forms.sections(form, ON) for f in s.fields]
    assert not set(system) & set(asked)


def test_code_lists_have_labels_in_the_language():
    """Every list with every code, in its order."""
    shown = forms.code_lists("fr")
    assert set(shown) == set(vocabulary.list_names())
    assert shown["risk_level"][0] == {"code": "high", "label": "Élevé"}


class Page(HTMLParser):
    """Reads a page and notes what a strict policy or a strict reader would object to."""

    VOID = frozenset({"meta", "link"})

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.faults: list[str] = []
        self.attributes: dict[str, dict[str, str | None]] = {}
        self.texts: list[str] = []
        self.boxes = 0
        self.feed(html)
        self.close()
        self.faults += [f"{tag} is not closed" for tag in self.open]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.attributes[tag] = found
        self.boxes += found.get("class") == "box"
        self.faults += [f"{tag} has {name}" for name in found if name.startswith(("on", "style"))]
        if tag in {"script", "img", "iframe", "form", "input", "a"}:
            self.faults.append(tag)
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.faults.append(f"{tag} is closed out of order")

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


@pytest.mark.parametrize(("form", "language"), EACH)
def test_a_printed_form_is_whole_and_harmless(form, language):
    """Well-formed, no script, nothing inline, nothing from elsewhere, in its direction."""
    read = Page(paper.page(form, language, ON, "/v1/forms/style.css"))
    assert read.faults == []
    assert "style" not in read.attributes
    assert read.attributes["link"]["href"] == "/v1/forms/style.css"
    assert read.attributes["html"] == {
        "lang": language,
        "dir": "rtl" if language == "ar" else "ltr",
    }


@pytest.mark.parametrize(("form", "language"), EACH)
def test_a_printed_form_has_room_for_every_field(form, language):
    """Every label is there, and a box for every code; the head says how to keep the sheet."""
    read = Page(paper.page(form, language, ON))
    text = "\n".join(read.texts)
    boxes = 0
    for section in forms.sections(form, ON):
        top = {field.name for field in section.fields}
        for name, field in dictionary.walk(section.document):
            if name.split(".")[0] not in top:
                continue
            assert vocabulary.field_label(section.document, name, language) in text
            copies = 2 if name.startswith("names.") else 1
            boxes += copies * (2 if field.type is Type.YES_NO else 0)
            boxes += copies * (len(vocabulary.code_list(field.codes)) if field.codes else 0)
    assert read.boxes == boxes > 0
    for name in ("keep", "reference", "filled", "entered"):
        assert TEXTS[f"paper.{name}"][language] in text


def test_a_saved_form_carries_its_style():
    """Printed from a disk without network it looks the same."""
    html = paper.page("intake", "en", OFF)
    assert paper.STYLE in html
    assert "<link" not in html
    assert "size: A4" in paper.STYLE
    assert "url(" not in paper.STYLE
