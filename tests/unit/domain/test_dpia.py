"""The impact assessment: each document, each class, each measure, and a test that there is."""

from __future__ import annotations

from pathlib import Path

from casevault.domain import dictionary, dpia
from casevault.domain.retention import SHIPPED

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
