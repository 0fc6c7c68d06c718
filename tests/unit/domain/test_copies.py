"""The survivor's copy: what is in it, what is kept back, and the page that is made from it."""

from __future__ import annotations

import json

import pytest

from casevault.domain.rights import copies, copy_archive, copy_page
from casevault.domain.rights.copies import Attachment, Edition, KeepBack, Part, Withheld
from casevault.domain.sharing.packing import MAX_BYTES, PackedFile
from casevault.domain.texts import filenames
from casevault.errors import Invalid

NOTE, PROFILE = "0" * 32, "1" * 32
ABOUT = {
    "reference": "CV-7K3M-9QXP",
    "made_on": "2026-11-26",
    "status": "Active",
    "opened": "2026-11",
    "kept_until": {"identity": "2031-11-30", "narrative": "2033-11-30"},
}
LOOKS = {
    "first": "2026-11-01",
    "last": "2026-11-26",
    "looks": [
        {
            "day": "2026-11-25",
            "who": "Cara Made-up",
            "role": "caseworker",
            "did": "saw",
            "part": "note",
            "why": "treatment",
            "times": 2,
        }
    ],
}


def a_note(text="Made-up Sabela came along.", reason="Sabela said so"):
    """Return a note that was corrected once."""
    content = {"type": "visit", "date": "2026-11-20", "text": text}
    first = Edition("2026-11-20", content)
    later = Edition("2026-11-21", {**content, "text": text + " Both talked."}, reason)
    return Part("note", NOTE, (first, later), {}, 1)


def a_profile():
    """Return a profile in which somebody else is described."""
    behind = [{"described_as": "Made-up Person", "present_danger": True, "role": ["Other"]}]
    content = {"presenting_situation": "Made-up", "perpetrators": behind}
    return Part("profile", PROFILE, (Edition("2026-11", content),))


def made(*withheld, parts=None, looks=None):
    """Return a copy."""
    return copies.made(ABOUT, parts or [a_note(), a_profile()], withheld, looks)


def part_of(copy, kind):
    """Return a part of a copy."""
    return next(one for one in copy["parts"] if one["part"] == kind)


def test_a_copy_holds_every_edition_in_its_order():
    """The profile before the notes; what was corrected, with the reason; the same bytes again."""
    copy = made()
    assert [one["part"] for one in copy["parts"]] == ["profile", "note"]
    note = part_of(copy, "note")
    assert note["content"]["text"].endswith("Both talked.")
    assert [one["on"] for one in note["before"]] == ["2026-11-20"]
    assert note["corrections"] == ["Sabela said so"]
    assert note["redacted"] == 1
    assert "kept_back" not in note
    assert json.loads(copies.encoded(copy)) == copy
    assert copies.digest(copy) == copies.digest(made())
    assert copies.digest(copy) != copies.digest(made(looks=LOOKS))


def test_a_passage_goes_from_every_edition_and_reason():
    """And from within groups; the rest stays, and the copy says why something is missing."""
    copy = made(
        Withheld(NOTE, KeepBack.OTHER_PERSON, passage="Sabela"),
        Withheld(PROFILE, KeepBack.SAFETY_OF_OTHERS, name="perpetrators", passage="Person"),
    )
    assert "Sabela" not in json.dumps(copy)
    note, profile = part_of(copy, "note"), part_of(copy, "profile")
    assert note["corrections"] == [f"{copies.KEPT_BACK} said so"]
    assert note["kept_back"] == ["other_person"]
    (behind,) = profile["content"]["perpetrators"]
    assert behind["described_as"] == f"Made-up {copies.KEPT_BACK}"
    assert behind["present_danger"] is True
    assert profile["content"]["presenting_situation"] == "Made-up"


def test_a_field_or_a_part_can_be_kept_back_whole():
    """The part itself stays, so that nobody thinks that there is nothing."""
    copy = made(
        Withheld(NOTE, KeepBack.LEGAL_ADVICE),
        Withheld(PROFILE, KeepBack.OTHER_PERSON, name="perpetrators"),
    )
    assert part_of(copy, "note").keys() == {"part", "id", "from", "kept_back"}
    assert part_of(copy, "profile")["content"] == {"presenting_situation": "Made-up"}


@pytest.mark.parametrize(
    "wrong",
    [
        Withheld("2" * 32, KeepBack.OTHER_PERSON),
        Withheld(NOTE, KeepBack.OTHER_PERSON, name="perpetrators"),
        Withheld(NOTE, KeepBack.OTHER_PERSON, passage="nowhere"),
        Withheld(PROFILE, KeepBack.OTHER_PERSON, name="perpetrators", passage="situation"),
    ],
)
def test_what_is_not_there_cannot_be_kept_back(wrong):
    """A passage with a typing error would leave: so it is refused, by its place."""
    with pytest.raises(Invalid) as refused:
        made(Withheld(PROFILE, KeepBack.OTHER_PERSON, name="perpetrators"), wrong)
    assert refused.value.errors[0].pointer == "/withheld/1"


def test_what_may_speak_of_others_is_named():
    """Fields by their nature for certain, all free text perhaps; codes and dates never."""
    found = {(one.kind, one.name): one.certain for one in copies.to_review([a_note(), a_profile()])}
    assert found == {
        ("note", "text"): False,
        ("profile", "presenting_situation"): False,
        ("profile", "perpetrators"): True,
    }
    assert copies.field_names([a_note()]) == ("note.date", "note.text", "note.type")


@pytest.mark.parametrize("language", ["en", "fr", "es", "ar"])
def test_the_page_says_all_of_it(language):
    """In each language, escaped; without the list of looks it says how to get it."""
    state = {"state": "withdrawn"}
    agreed = Part("consent", "3" * 32, (Edition("2026-11-22", {"purpose": "statistics"}),), state)
    sent = Part(
        "referral",
        "4" * 32,
        (Edition("2026-11-23", {"recipient": "Made-up <Shelter>"}),),
        {"stage": "accepted", "answer": "Come & see"},
    )
    quiet = Part("note", "5" * 32, a_note(reason=None).editions)
    parts = [a_note(), a_profile(), agreed, sent, quiet]
    copy = made(Withheld(PROFILE, KeepBack.SAFETY_OF_OTHERS), parts=parts)
    page = copy_page.page(copy, language)
    assert ('dir="rtl"' in page) is (language == "ar")
    assert "Made-up &lt;Shelter&gt;" in page
    assert "Come &amp; see" in page
    assert "<script" not in page
    assert "Cara Made-up" not in page
    assert "Cara Made-up" in copy_page.page({**copy, "looks": LOOKS}, language)
    nobody = copy_page.page({**copy, "looks": {**LOOKS, "looks": []}}, language)
    assert "2026-11-01" in nobody


def a_file(number="2", media_type="application/pdf"):
    """Return an attached file."""
    content = {"name": f"made-up {number}.pdf", "media_type": media_type, "bytes": 4}
    edition = Edition("2026-11-20", content)
    return Part("file", number * 32, (edition,), file=Attachment(media_type, number * 64))


def test_files_are_numbered_in_the_order_of_the_copy():
    """Those that go with it; a passage of a name keeps no file back; unknown kinds open nowhere."""
    parts = [a_note(), a_file("3", "image/jpeg"), a_file(), a_file("4", "x/made-up"), a_file("5")]
    kept_back = (
        Withheld("2" * 32, KeepBack.OTHER_PERSON),
        Withheld("3" * 32, KeepBack.OTHER_PERSON, passage="up 3"),
        Withheld("5" * 32, KeepBack.LEGAL_ADVICE, copies.FILE),
    )
    copy = made(*kept_back, parts=parts)
    assert copies.enclosed(copy) == [
        ("3" * 32, "files/001.jpg", "3" * 64),
        ("4" * 32, "files/002.bin", "4" * 64),
    ]
    assert copies.enclosed(made(parts=parts))[0][1] == "files/001.pdf"
    places = [one for one in copies.to_review(parts) if one.name == copies.FILE]
    assert [one.id[0] for one in places] == ["3", "2", "4", "5"]
    assert filenames.ending_of("image/jpeg") == ".jpg"
    with pytest.raises(Invalid) as caught:
        made(Withheld(NOTE, KeepBack.LEGAL_ADVICE, copies.FILE), parts=[a_note()])
    assert caught.value.code == "copy.absent"


def test_an_archive_has_the_same_bytes_again_and_is_not_too_large():
    """The page leads to the file; nothing says when it was made."""
    copy = made(parts=[a_note(), a_file()])
    files = [PackedFile("files/001.pdf", b"%PDF")]
    archived = copy_archive.archive(copy, "en", files)
    assert archived == copy_archive.archive(copy, "en", files)
    assert b'<a href="files/001.pdf">' in archived
    copy_archive.check_size([MAX_BYTES])
    with pytest.raises(Invalid):
        copy_archive.check_size([MAX_BYTES, 1])
