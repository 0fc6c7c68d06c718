"""The impact assessment: each document, each class, each measure, and a test that there is."""

from __future__ import annotations

import json
import re
from pathlib import Path

from casevault.domain.case import dictionary
from casevault.domain.case.retention import SHIPPED
from casevault.domain.retention import dpia

ROOT = Path(__file__).parents[3]


def test_the_page_has_every_document_class_and_measure():
    """Made from dictionary and schedule; with a purpose switched on it is another page."""
    page = dpia.page()
    for name in SHIPPED.classes:
        assert name in page
    for what, how, shown in dpia.MEASURES:
        assert what in page
        assert how in page
        assert shown in page
    assert "To be decided here" in page
    assert dpia.page(dictionary.known_purposes()) != page


def test_what_shows_a_measure_is_in_this_repository():
    """A page never claims what no file shows."""
    for _, _, shown in dpia.MEASURES:
        for path in shown.replace("`", "").replace(" and ", ", ").split(", "):
            assert (ROOT / path).exists(), path


def test_a_route_that_a_measure_names_is_there():
    """The articles about people's rights name where each is asked for."""
    paths = set(json.loads((ROOT / "openapi.json").read_text())["paths"])
    named = {what: re.findall(r"`(/v1/[^`]+)`", how) for what, how, _ in dpia.MEASURES}
    assert {path for found in named.values() for path in found} <= paths
    articles = " ".join(what for what, found in named.items() if found)
    assert all(str(article) in articles for article in (15, 16, 17, 18, 19, 20, 21))
