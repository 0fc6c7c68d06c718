"""What comes in from outside: one intake or one referral, in words that a note can hold."""

from __future__ import annotations

import json

import pytest

from casevault.domain import vocabulary
from casevault.domain.sharing.arriving import Declined, Intake, letter_of, words_of
from casevault.domain.sharing.packing import PackageKind, PackedFile
from casevault.domain.sharing.referral import FORMAT
from casevault.errors import Invalid, Tampered

IDENTITY = {"name_to_use": "Ondine Obvious-Madeup", "phones": ["+390000000001"]}
PROFILE = {"risk_level": "high", "unlisted": True, "plan": [{"goal": "to weld"}]}
INTAKE = {"identity": IDENTITY, "profile": PROFILE, "words": "Made up."}
REFERRAL = {
    "format": FORMAT,
    "from": "Made-Up House",
    "reference": "r-1",
    "service": "safehouse",
    "identity": IDENTITY,
    "safe_contact": {"who": "Aunt Fictitia", "how": "call"},
}


def package(kind, raw, *more):
    """Return what a package says."""
    content = raw if isinstance(raw, bytes) else json.dumps(raw).encode()
    return Intake.of_package(kind, [PackedFile(f"{kind.value}.json", content), *more])


def test_an_intake_is_read_and_written():
    """Its values show in no repr."""
    found = package(PackageKind.INTAKE, INTAKE)
    assert (found.identity, found.profile, found.words) == (IDENTITY, PROFILE, "Made up.")
    assert Intake.decode(found.encode()) == found
    assert "Ondine" not in repr(found)


def test_a_referral_comes_with_its_letter_and_how_to_reach_somebody():
    """Its page for people may lie beside it."""
    beside = PackedFile("referral.html", b"<p>")
    found = package(PackageKind.REFERRAL, REFERRAL, beside)
    assert found.letter == {"from": "Made-Up House", "reference": "r-1", "service": "safehouse"}
    assert found.identity["safe_contact"]["who"] == "Aunt Fictitia"
    assert found.profile == {}
    bare = {name: value for name, value in REFERRAL.items() if name != "safe_contact"}
    assert package(PackageKind.REFERRAL, bare).identity == IDENTITY


@pytest.mark.parametrize(
    ("kind", "raw"),
    [
        (PackageKind.FILES, INTAKE),
        (PackageKind.INTAKE, [1]),
        (PackageKind.INTAKE, b"no JSON"),
        (PackageKind.INTAKE, {**INTAKE, "more": 1}),
        (PackageKind.INTAKE, {**INTAKE, "letter": {"from": "x"}}),
        (PackageKind.INTAKE, {**INTAKE, "identity": 7}),
        (PackageKind.INTAKE, {**INTAKE, "words": 7}),
        (PackageKind.REFERRAL, {**REFERRAL, "format": "another"}),
        (PackageKind.REFERRAL, {**REFERRAL, "identity": 7}),
    ],
)
def test_anything_else_is_refused(kind, raw):
    """Files, other shapes, unknown fields."""
    with pytest.raises(Invalid):
        package(kind, raw)
    with pytest.raises(Invalid):
        Intake.of_package(kind, [PackedFile("other.txt", b"made up")])


@pytest.mark.parametrize("raw", [{}, {"identity": 7}, {**INTAKE, "letter": 7}])
def test_what_is_stored_is_read_whole_or_not_at_all(raw):
    """Parts that are missing or of another shape are `Tampered`."""
    with pytest.raises(Tampered):
        Intake.decode(raw)


@pytest.mark.parametrize("language", ["en", "fr", "es", "ar"])
def test_an_intake_is_said_in_lines_for_a_note(language):
    """Labels and codes in the reader's language; groups, lists, yes and no."""
    lines = words_of(package(PackageKind.INTAKE, INTAKE), language).splitlines()
    assert lines[0] == "Made up."
    text = "\n".join(lines)
    for value in ("Ondine Obvious-Madeup", "+390000000001", "to weld"):
        assert value in text
    assert "True" not in text
    assert words_of(Intake({}, {}), language) == ""
    assert len(Declined) == 5


@pytest.mark.parametrize("language", ["en", "fr", "es", "ar"])
def test_a_letter_keeps_what_no_field_has_room_for(language):
    """Who asked, by which name, for which help; not the fields, which a case has of its own."""
    found = Intake.of_referral(json.dumps(REFERRAL).encode())
    text = letter_of(found, language)
    for value in (
        "Made-Up House",
        "r-1",
        vocabulary.code_label("service_type", "safehouse", language),
    ):
        assert value in text
    assert "Ondine" not in text
    assert words_of(found, language).startswith(text)
    assert letter_of(Intake({}, {}, "Made up."), language) == "Made up."
