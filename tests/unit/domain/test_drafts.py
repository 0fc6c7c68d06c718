"""What a draft may hold: known fields with any value, and nothing else."""

from __future__ import annotations

from datetime import date

import pytest

from casevault.domain.case.casefile import DocumentKind
from casevault.domain.case.dictionary import MAX_ITEMS, MAX_TEXT, Dictionary
from casevault.domain.pages.drafts import DraftForm, check, kept_until
from casevault.errors import Invalid

PLAIN = Dictionary()


def faults(form, content):
    """Return pointers and codes of what is refused."""
    with pytest.raises(Invalid) as caught:
        check(PLAIN, form, content)
    return [(error.pointer, error.code) for error in caught.value.errors]


@pytest.mark.parametrize(
    ("form", "content"),
    [
        (DraftForm.NOTE, {}),
        (DraftForm.NOTE, {"date": "the day bef", "type": "vis"}),
        (DraftForm.SERVICE, {"outcome": None}),
        (DraftForm.INTAKE, {"identity": {"age": "about 30", "phones": ["+39"]}, "profile": {}}),
        (DraftForm.INTAKE, {"profile": {"history": [{"country": "?"}, {}], "plan": None}}),
        (DraftForm.IDENTITY, {"names": [{"given": "Ond"}], "safe_contact": {"who": ""}}),
    ],
)
def test_half_filled_forms_are_taken(form, content):
    """Nothing is lost because it is not finished."""
    check(PLAIN, form, content)


@pytest.mark.parametrize(
    ("form", "content", "expected"),
    [
        (DraftForm.NOTE, {"txt": "x"}, ("/*", "field.unknown")),
        (DraftForm.NOTE, {"identity": {}}, ("/*", "field.unknown")),
        (DraftForm.INTAKE, {"name_to_use": "x"}, ("/*", "field.unknown")),
        (DraftForm.INTAKE, {"identity": {"nam": "x"}}, ("/identity/*", "field.unknown")),
        (DraftForm.IDENTITY, {"names": [{"x": 1}]}, ("/names/0/*", "field.unknown")),
        (DraftForm.FACTS, {"pid": "0" * 32}, ("/*", "field.unknown")),
        (DraftForm.NOTE, {"text": {"x": 1}}, ("/text", "field.group")),
        (DraftForm.NOTE, {"text": ["x"]}, ("/text", "field.list")),
        (DraftForm.IDENTITY, {"names": [["x"]]}, ("/names/0", "field.list")),
        (DraftForm.IDENTITY, {"aliases": ["x"] * (MAX_ITEMS + 1)}, ("/aliases", "field.list")),
        (DraftForm.NOTE, {"text": "x" * (MAX_TEXT + 1)}, ("/text", "field.too-long")),
    ],
)
def test_what_no_field_could_hold_is_refused(form, content, expected):
    """Unknown names, at any depth, and shapes or sizes of no field; names are not repeated."""
    assert faults(form, content) == [expected]


def test_what_the_programme_does_not_ask_for_is_no_field_of_a_draft():
    """A purpose that is off is off while somebody types, too."""
    content = {"profile": {"disability": {"seeing": "some"}}}
    assert faults(DraftForm.INTAKE, content) == [("/profile/*", "field.unknown")]
    check(Dictionary.of({"disability"}), DraftForm.INTAKE, content)


def test_every_document_has_a_form():
    """What can be written can be drafted; a file is not written here."""
    kinds = {kind.value for kind in DocumentKind} - {"file"}
    assert kinds | {"intake"} == {form.value for form in DraftForm}


def test_a_draft_is_kept_for_a_week():
    """Its last day is the seventh after the save."""
    assert kept_until(date(2026, 11, 28)) == date(2026, 12, 5)
