"""Who looked at this file, in words: what codes mean, and a page in four languages."""

from __future__ import annotations

import json
import unicodedata
from html.parser import HTMLParser
from importlib import resources

import pytest

from casevault.domain import vocabulary
from casevault.domain.audit import looks
from casevault.domain.audit.looks import DID, PARTS, ROLES, WHYS, Look

TEXTS: dict[str, dict[str, str]] = json.loads(
    resources.files("casevault.domain.vocabulary").joinpath("look_texts.json").read_text("utf-8")
)
COLUMNS = ("day", "who", "did", "part", "why", "times")
ONE = Look("2026-11-20", "Cara <Madeup>", "caseworker", "saw", "identity", "treatment", 3)


class Page(HTMLParser):
    """Collects tags with their attributes, and text."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.words = [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.words.append(data)


def test_every_text_is_there_in_four_languages():
    """None is missing, none is left over, and Arabic is Arabic."""
    expected = {"title", "help", "period", "nobody"}
    expected |= {f"column.{name}" for name in COLUMNS}
    expected |= {f"did.{name}" for name in DID}
    expected |= {f"part.{name}" for name in (*PARTS, "case")}
    expected |= {f"why.{name}" for name in WHYS}
    expected |= {f"role.{name}" for name in ROLES}
    assert set(TEXTS) == expected
    for name, text in TEXTS.items():
        assert set(text) == set(vocabulary.LANGUAGES), name
        assert all(value.strip() for value in text.values())
        assert any("ARABIC" in unicodedata.name(c, "") for c in text["ar"]), name


@pytest.mark.parametrize(
    ("code", "outcome", "rule", "did"),
    [
        ("case.read", 0, "permit:caseload", "saw"),
        ("note.list", 0, "permit:caseload", "saw"),
        ("case.timeline", 0, "permit:caseload", "saw"),
        ("case.read", 0, "permit:break-glass", "emergency"),
        ("breakglass.start", 0, "permit:duty", "emergency"),
        ("authz.deny", 4, "deny:no-grant", "refused"),
        ("case.list", 0, "permit:team", "listed"),
        ("search.run", 0, "permit:team", "listed"),
        ("case.assign", 0, "permit:team", "shared"),
        ("case.export", 0, "permit:own", "copied"),
        ("note.add", 0, "permit:caseload", "changed"),
        ("case.amend", 0, "permit:caseload", "changed"),
        ("key.regrant", 0, "permit:team", "other"),
    ],
)
def test_a_code_says_what_was_done(code, outcome, rule, did):
    """In the words of the person whose file it is."""
    assert looks.did_of(code, outcome, rule) == did


def test_a_part_is_told_by_record_or_fields():
    """Several parts at once are the file as a whole."""
    assert looks.part_of("note.read", ()) == "note"
    assert looks.part_of("case.read", ("identity.phones", "identity.names")) == "identity"
    assert looks.part_of("case.read", ("identity.phones", "profile.needs")) == "case"
    assert looks.part_of("case.list", ()) == "case"


def test_questions_to_the_log_are_no_looks():
    """An auditor cannot read the file."""
    assert not looks.is_look("audit.query")
    assert looks.is_look("case.read")


def test_roles_and_reasons_have_words():
    """Whatever an entry says, the list has a word for it."""
    assert looks.role_of(("supervisor", "caseworker")) == "supervisor"
    assert looks.role_of(("something",)) == looks.role_of(()) == "service"
    assert looks.why_of("treatment") == "treatment"
    assert looks.why_of("") == looks.why_of("strange") == "operations"


def test_same_looks_of_a_day_are_one_row():
    """Counted, youngest day first."""
    first = Look("2026-11-19", "A", "caseworker", "saw", "note", "treatment")
    second = Look("2026-11-20", "B", "caseworker", "saw", "note", "treatment")
    rows = looks.grouped([first, second, first])
    assert [(row.who, row.times) for row in rows] == [("B", 1), ("A", 2)]


@pytest.mark.parametrize("language", vocabulary.LANGUAGES)
def test_the_page_can_be_printed_and_heard(language):
    """Language and direction, headings, a caption, scopes; nothing from elsewhere; escaped."""
    shown = looks.page("CV-0000-0000", ("2026-10-01", "2026-11-20"), [ONE], language, "/style.css")
    page = Page(shown)
    (html,) = [attributes for tag, attributes in page.tags if tag == "html"]
    assert html == {"lang": language, "dir": "rtl" if language == "ar" else "ltr"}
    heads = [attributes for tag, attributes in page.tags if tag == "th"]
    assert [one["scope"] for one in heads] == ["col"] * 6 + ["row"]
    tags = [tag for tag, _ in page.tags]
    assert {"main", "h1", "caption", "thead", "tbody"} <= set(tags)
    assert not {"script", "img", "iframe", "form"} & set(tags)
    assert "Cara <Madeup>" in page.words
    assert TEXTS["did.saw"][language] in page.words
    assert [a["href"] for tag, a in page.tags if tag == "link"] == ["/style.css"]


@pytest.mark.parametrize("language", vocabulary.LANGUAGES)
def test_nobody_looked_is_said(language):
    """An empty table would leave doubts; without an address there is no style sheet."""
    shown = looks.page("CV-0000-0000", ("2026-10-01", "2026-11-20"), [], language, "")
    assert "<table" not in shown
    assert "<link" not in shown
    assert TEXTS["nobody"][language] in Page(shown).words
