"""Code lists and the words in which people read them."""

from __future__ import annotations

import json
import re
import unicodedata
from importlib import resources
from typing import Any

import pytest

from casevault.domain import vocabulary
from casevault.domain.case import dictionary
from casevault.domain.counting import programme
from casevault.domain.sharing import partners

LANGUAGES = {"en", "fr", "es", "ar"}


def packaged(name: str) -> dict[str, Any]:
    text = resources.files("casevault.domain.vocabulary").joinpath(name).read_text("utf-8")
    found: dict[str, Any] = json.loads(text)
    return found


LABELS = packaged("labels.json")
FIELD_LABELS = packaged("field_labels.json")
# What a form can ask: documents of a case, and entries about organisations.
FIELDS = {
    **dictionary.DOCUMENTS,
    partners.DOCUMENT: partners.FIELDS,
    **{f"register.{kind}": fields for kind, fields in programme.FIELDS.items()},
}
KINDS = list(FIELDS)


def texts() -> list[dict[str, str]]:
    codes = [text for codes in LABELS.values() for text in codes.values()]
    fields = [
        t for names in FIELD_LABELS.values() for field in names.values() for t in field.values()
    ]
    return codes + fields


@pytest.mark.parametrize("name", vocabulary.list_names())
def test_every_list_has_distinct_codes(name):
    """A list is not empty and names nothing twice."""
    codes = vocabulary.code_list(name)
    assert codes
    assert len(set(codes)) == len(codes)


def test_added_codes_follow_those_of_the_standard():
    """What practice adds comes after what HTCDS names, in the same list."""
    assert vocabulary.code_list("type_of_exploitation")[-1] == "ForcedCriminality"
    assert vocabulary.code_list("methods_of_control")[-1] == "RestrictsMovement"


def test_codes_are_literal():
    """A known misspelling of the standard stays as it is, or exchange would break."""
    assert "Unaquainted" in vocabulary.code_list("relationship_to_trafficker")


def test_an_unknown_list_is_an_error():
    """A wrong name is a defect of the program, not an empty list."""
    with pytest.raises(KeyError):
        vocabulary.code_list("no-such-list")


def test_the_passphrase_list_has_6_to_the_5_words():
    """7,776 distinct words: what the entropy of a generated passphrase counts on."""
    words = vocabulary.passphrase_words()
    assert len(set(words)) == len(words) == 6**5


def test_every_list_of_a_field_exists():
    """Each coded field names a list that there is."""
    named = {f.codes for k in KINDS for _, f in dictionary.walk_fields(FIELDS[k]) if f.codes}
    assert named
    assert named <= set(vocabulary.list_names())


@pytest.mark.parametrize("name", vocabulary.list_names())
def test_every_code_has_labels(name):
    """Exactly the codes of the list are labelled: none is missing, none is left over."""
    assert set(LABELS[name]) == set(vocabulary.code_list(name))


def test_no_list_is_labelled_that_does_not_exist():
    """A renamed list takes its labels along."""
    assert set(LABELS) == set(vocabulary.list_names())


@pytest.mark.parametrize("kind", KINDS)
def test_every_field_has_a_label(kind):
    """Exactly the fields of the dictionary are labelled, by dotted name."""
    assert set(FIELD_LABELS[kind]) == {name for name, _ in dictionary.walk_fields(FIELDS[kind])}
    assert all({"label"} <= set(text) <= {"label", "help"} for text in FIELD_LABELS[kind].values())


def test_no_document_is_labelled_that_does_not_exist():
    """A document that goes takes its labels along."""
    assert set(FIELD_LABELS) == set(KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_no_two_fields_side_by_side_read_alike(kind):
    """Within a group, labels differ in every language: nobody writes into the wrong line."""
    groups: dict[str, list[str]] = {}
    for name in FIELD_LABELS[kind]:
        groups.setdefault(name.rpartition(".")[0], []).append(name)
    for names in groups.values():
        for language in LANGUAGES:
            shown = [FIELD_LABELS[kind][name]["label"][language] for name in names]
            assert len(set(shown)) == len(shown)


def test_help_is_short():
    """What does not fit on a line or two is not read during a talk."""
    helps = [f["help"] for names in FIELD_LABELS.values() for f in names.values() if "help" in f]
    assert helps
    assert max(len(words) for text in helps for words in text.values()) <= 120


def test_words_respect_the_person():
    """No label or help calls the person a victim."""
    spoken = {"en": "victim", "fr": "victime", "es": "víctima", "ar": "ضحية"}
    for text in texts():
        for language, word in spoken.items():
            assert word not in text[language].lower()


def test_every_text_is_there_in_four_languages():
    """No language is missing, and no text is empty or not in normal form."""
    for text in texts():
        assert set(text) == LANGUAGES
        for words in text.values():
            assert words == words.strip() == unicodedata.normalize("NFC", words) != ""


def test_arabic_is_arabic():
    """No Arabic label was forgotten in Latin letters."""
    for text in texts():
        assert any("\u0600" <= letter <= "\u06ff" for letter in text["ar"])


@pytest.mark.parametrize("name", vocabulary.list_names())
def test_no_two_codes_of_a_list_read_alike(name):
    """A form can be filled in: within a list, labels differ in every language."""
    for language in LANGUAGES:
        shown = [text[language] for text in LABELS[name].values()]
        assert len(set(shown)) == len(shown)


def test_languages_are_called_as_their_speakers_call_them():
    """On leaflets and letters; a code that we have no name for is better than nothing."""
    assert vocabulary.language_name("ar") == "العربية"
    assert vocabulary.language_name("xyz") == "xyz"
    named = packaged("language_names.json")
    assert set(vocabulary.LANGUAGES) <= named.keys()
    assert all(re.fullmatch("[a-z]{2,3}", code) and name.strip() for code, name in named.items())
    assert len(set(named.values())) == len(named)
