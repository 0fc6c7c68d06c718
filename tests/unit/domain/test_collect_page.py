"""The pages behind a link: in the recipient's language, without a script, and escaped."""

from __future__ import annotations

import json
from html import escape

import pytest

from casevault.domain import vocabulary
from casevault.domain.sharing import collect_page
from casevault.domain.sharing.collecting import ANSWERS

LANGUAGES = ("en", "fr", "es", "ar")
PACKED = json.dumps({"from": "Us <b>", "reference": "r-1", "service": "safehouse"}).encode()
STYLE = "/style.css"


def say(name, language):
    """Return a text of the pages."""
    return escape(vocabulary.form_text(name, language))


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_door_asks_for_a_code_and_says_nothing_else(language):
    """Where somebody typed a wrong one, what is said of it is shown, escaped."""
    page = collect_page.door("/c/1?a=<", language, STYLE)
    assert say("collect.ask", language) in page
    assert "/c/1?a=&lt;" in page
    assert "alert" not in page
    assert "&lt;wrong&gt;" in collect_page.door("/c/1", language, STYLE, "<wrong>")
    assert "<script" not in page


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_letter_has_room_for_an_answer(language):
    """As often as it may be opened it shows what it holds; then the answer alone."""
    page = collect_page.letter(PACKED, "/c/1", "<ticket>", 2, None, language, STYLE)
    assert "Us &lt;b&gt;" in page
    assert "&lt;ticket&gt;" in page
    assert all(f'value="{one.value}"' in page for one in ANSWERS)
    said = say("collect.answered", language)
    assert said not in page
    spent = collect_page.letter(None, "/c/1", "t", 0, "accepted", language, STYLE)
    assert say("collect.spent", language) in spent
    assert said in spent
    assert "Us &lt;b&gt;" not in spent


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_is_closed_says_why_and_where_to_go(language):
    """And an answer is thanked for."""
    page = collect_page.closed("<why>", "hint", language, STYLE)
    assert "&lt;why&gt;" in page
    assert 'href="/back"' not in page
    assert 'href="/back"' in collect_page.closed("w", "h", language, STYLE, "/back")
    assert say("collect.thanks", language) in collect_page.thanks(language, STYLE)
