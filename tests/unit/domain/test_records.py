"""Records: versions, corrections, redactions, and what of them becomes a coded fact."""

from __future__ import annotations

from uuid import UUID

import pytest

from casevault.domain.case.records import MAX_VERSIONS, REDACTED, Record, coded_services
from casevault.errors import Invalid, Tampered

ANN, BEN, OTHER = UUID(int=1), UUID(int=2), UUID(int=3)
# 20 November 2026.
WRITTEN = 1_795_168_800
TEXTS = frozenset({"text"})


def a_note(text="Mira spoke of the red house"):
    return Record.new({"type": "visit", "text": text}, ANN, 100)


def test_a_correction_keeps_what_was_written_before():
    """The newest version holds; the first keeps its author and moment."""
    note = a_note().corrected({"type": "visit", "text": "the blue house"}, BEN, 200, "wrong colour")
    assert note.current.content["text"] == "the blue house"
    assert (note.first.by, note.first.at) == (ANN, 100)
    assert (note.current.by, note.current.reason) == (BEN, "wrong colour")


def test_a_redaction_goes_through_every_version_and_leaves_a_trace():
    """Also through the reasons of corrections; who did it and when stays."""
    note = a_note().corrected({"type": "visit", "text": "the red house"}, BEN, 200, "red house?")
    gone = note.redacted("red house", TEXTS, BEN, 300, "names the place")
    assert "red house" not in str(gone.encode())
    assert gone.first.content["text"] == f"Mira spoke of the {REDACTED}"
    assert [(r.by, r.at, r.reason) for r in gone.redactions] == [(BEN, 300, "names the place")]


def test_only_free_text_is_redacted():
    """A code that happens to be the passage stays a code."""
    assert a_note("visit").redacted("visit", TEXTS, ANN, 1, "r").current.content["type"] == "visit"


def test_a_passage_that_is_not_there_is_refused_without_being_repeated():
    """The refusal says what to do and quotes nothing."""
    with pytest.raises(Invalid) as caught:
        a_note().redacted("green door", TEXTS, ANN, 1, "r")
    assert caught.value.code == "redaction.absent"
    assert "green" not in str(caught.value) + caught.value.hint


def test_a_record_survives_its_encoding():
    """Everything that was written is read again."""
    note = Record.new({"type": "family"}, ANN, 5, OTHER).corrected({"type": "family"}, BEN, 6, "x")
    note = note.corrected({"type": "family", "text": "secret"}, BEN, 7, "y")
    note = note.redacted("secret", TEXTS, BEN, 8, "z")
    assert Record.decode(note.encode()) == note


@pytest.mark.parametrize(
    "raw",
    [
        {},
        {"about": None, "versions": [], "redactions": [], "marks": {}},
        {"about": "x", "versions": [], "redactions": [], "marks": {}},
        {"about": None, "versions": [{"by": "0"}], "redactions": [], "marks": {}},
    ],
)
def test_anything_else_is_tampered(raw):
    """A record is read as a whole or not at all."""
    with pytest.raises(Tampered):
        Record.decode(raw)


def test_a_record_does_not_grow_without_end():
    """The limit is an error that says what to do."""
    note = a_note()
    for number in range(MAX_VERSIONS - 1):
        note = note.corrected({"text": str(number)}, ANN, number, "r")
    with pytest.raises(Invalid):
        note.corrected({"text": "one more"}, ANN, 1, "r")


def test_coded_services_carry_no_text_and_no_order_of_writing():
    """Type, outcome and date, sorted; what is written down too late counts in a later period."""

    def service(kind, day):
        content = {"type": kind, "outcome": "provided", "date": day, "text": "private"}
        return Record.new(content, ANN, WRITTEN)

    late, early = service("food", "2026-11-20"), service("safehouse", "2026-10-02")
    assert coded_services([late, early]) == coded_services([early, late])
    assert coded_services([late, early]) == [
        {"type": "safehouse", "outcome": "provided", "date": "2026-10-02"},
        {"type": "food", "outcome": "provided", "date": "2026-11-20"},
    ]
    (forgotten,) = coded_services([service("food", "2026-08-20")])
    assert (forgotten["date"], forgotten["counted_on"]) == ("2026-08-20", "2026-11-20")
