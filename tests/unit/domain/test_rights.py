"""What survivors may ask for: steps and their order, days, the sealed story, the answer's page."""

from __future__ import annotations

import itertools
import json
from datetime import date
from importlib import resources

import pytest

from casevault.domain import vocabulary
from casevault.domain.rights import rights, rights_page
from casevault.domain.rights.rights import Asker, Check, Ground, Right, Stage, Step, Story
from casevault.domain.sharing.consent import Purpose
from casevault.errors import Conflict, Invalid, Tampered

STEP = Step(1_800_000_000, "ab" * 16, "received")


def a_story(**changes):
    """Return the story of a request."""
    made = rights.begun(Asker.SURVIVOR, "Made-up words", STEP, changes.pop("check", None), None)
    return made.with_step(Step(STEP.at + 1, STEP.by, "refused", "<i>Made up</i>"), **changes)


def test_a_story_is_what_was_written():
    """Also with a check of the asker, which is a step of its own."""
    for check in (None, Check.CODE_WORD):
        story = a_story(check=check)
        assert Story.decode(story.encode()) == story
        assert story.received_at == STEP.at
        assert story.check == (None if check is None else "code_word")
        assert not story.is_extended
    assert a_story().with_step(Step(1, "", "extended")).is_extended
    later = a_story(check=Check.CODE_WORD).with_step(STEP, ground="repeated")
    assert (later.check, later.ground) == ("code_word", "repeated")


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"steps": []}', a_story().encode().replace('"v": 1', '"v": 2')]
)
def test_another_text_is_no_story(text):
    """It is an alarm, without what stood in it."""
    with pytest.raises(Tampered):
        Story.decode(text)


def test_only_an_objection_names_a_purpose():
    """And never the help itself."""
    assert rights.check_purpose(Right.OBJECTION, Purpose.STATISTICS) == "statistics"
    assert rights.check_purpose(Right.ACCESS, None) is None
    for right, purpose in (
        (Right.OBJECTION, None),
        (Right.OBJECTION, Purpose.CASE_MANAGEMENT),
        (Right.ACCESS, Purpose.STATISTICS),
    ):
        with pytest.raises(Invalid):
            rights.check_purpose(right, purpose)


def test_a_request_goes_forward_only():
    """Every pair of stages that is not a step is a conflict."""
    steps = {
        ("received", "checked"), ("received", "refused"), ("checked", "granted"),
        ("checked", "refused"), ("granted", "done"), ("refused", "done"),
    }  # fmt: skip
    for present, to in itertools.product(Stage, Stage):
        if (present.value, to.value) in steps:
            assert rights.moved(present.value, to) == to.value
        else:
            with pytest.raises(Conflict) as refused:
                rights.moved(present.value, to)
            unknown = (present, to) == (Stage.RECEIVED, Stage.GRANTED)
            assert refused.value.code == ("right.identity" if unknown else "right.stage")
    assert [one.value for one in Stage if not rights.is_open(one.value)] == ["done"]


def test_the_days_to_answer():
    """Thirty, and sixty more."""
    assert rights.due(date(2026, 11, 26)) == "2026-12-26"
    assert rights.later("2026-12-26") == "2027-02-24"


def test_the_texts_are_complete():
    """Each right and ground is said in every language, Arabic in Arabic letters."""
    text = resources.files("casevault.domain.vocabulary").joinpath("rights_texts.json")
    found = json.loads(text.read_text("utf-8"))
    assert all(tuple(texts) == vocabulary.LANGUAGES for texts in found.values())
    assert all(any("\u0600" <= letter <= "\u06ff" for letter in t["ar"]) for t in found.values())
    assert {f"right.{one}" for one in Right} | {f"ground.{one}" for one in Ground} <= set(found)


def test_the_answer_says_why_and_where_to_complain():
    """A refusal names its ground; a yes has none; what was typed is escaped."""
    refused = rights_page.answer(
        "CV-7K3M-9QXP", "access", "2026-11-26", a_story(ground="repeated"), "en"
    )
    assert "You asked for the same a short time ago" in refused
    assert "&lt;i&gt;Made up&lt;/i&gt;" in refused
    granted = rights.begun(Asker.SURVIVOR, "Made up", STEP, None, None).with_step(
        Step(2, "", "granted")
    )
    page = rights_page.answer("CV-7K3M-9QXP", "access", "2026-11-26", granted, "ar")
    assert 'dir="rtl"' in page
    assert "نعم." in page
