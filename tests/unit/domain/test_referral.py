"""Referrals: which states follow which; nothing leaves that consent, need or tick left out."""

from __future__ import annotations

import itertools
import json
from datetime import date
from html import escape
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from casevault.domain import vocabulary
from casevault.domain.case import dictionary
from casevault.domain.case.records import Record
from casevault.domain.pages import rendering
from casevault.domain.sharing import referral
from casevault.domain.sharing.consent import CONSENT, Ground, Purpose
from casevault.domain.sharing.referral import (
    FILES,
    MAX_FILE_BYTES,
    MAX_FILES,
    NEEDS,
    OPEN,
    SOURCES,
    Enclosed,
    ReferralState,
    Told,
    Way,
    manifest,
    moved,
)
from casevault.domain.sharing.referral_page import referral_html
from casevault.errors import Conflict, Invalid, Tampered

TODAY = date(2026, 11, 26)
SHELTER = "Made-Up House of Calm"
CATEGORIES = vocabulary.code_list("data_category")
SERVICES = vocabulary.code_list("service_type")
IDENTITY = {
    "name_to_use": "Ondine <Obvious> Madeup",
    "age": 30,
    "languages": ["fr"],
    "safe_contact": {"who": "Aunt & Co", "how": "call"},
    "phones": ["+390000000001"],
    "papers": [{"kind": "passport", "number": "X1"}],
}
PROFILE = {
    "presenting_situation": "Made up:\nfirst line",
    "risk_level": "high",
    "history": [{"type": "Transit", "country": "IT"}],
    "plan": [{"goal": "to weld", "state": "open"}],
    "unlisted": True,
}
DOCUMENTS = {"identity": IDENTITY, "profile": PROFILE}


ATTACHED = tuple(
    Enclosed(UUID(int=number), name, "image/png", 7_000 * number, "ab" * 32)
    for number, name in enumerate(("permit <made up>.png", "رسالة.png", "b.png"), start=10)
)


def a_consent(categories, recipient=SHELTER, purpose=Purpose.REFERRAL):
    """Return a consent of this week."""
    return Ground(
        UUID(int=1),
        CONSENT,
        purpose,
        frozenset(categories),
        frozenset({recipient.casefold()}),
        date(2026, 11, 20),
        date(2026, 12, 20),
    )


def test_every_field_has_a_category_or_never_leaves():
    """What marks a case inside the organisation is nobody else's business."""
    without = {
        f"{document}.{one.name}"
        for document in SOURCES
        for one in dictionary.fields_of(document)
        if one.category not in CATEGORIES
    }
    assert without == {"profile.unlisted", "profile.imported"}


def test_every_service_says_what_it_needs():
    """In categories that there are; nobody needs everything."""
    assert set(NEEDS) == set(SERVICES)
    for needed in NEEDS.values():
        assert needed < set(CATEGORIES)


@given(
    st.sampled_from(SERVICES),
    st.frozensets(st.sampled_from(CATEGORIES)),
    st.lists(
        st.builds(
            a_consent,
            st.frozensets(st.sampled_from(CATEGORIES)),
            st.sampled_from((SHELTER, "Another made-up house")),
            st.sampled_from(Purpose),
        ),
        max_size=4,
    ),
    st.booleans(),
    st.frozensets(st.sampled_from(ATTACHED)),
)
def test_nothing_outside_the_intersection_leaves(service, ticked, grounds, abroad, files):
    """Consent, need and tick, all three, for every field and file of the bytes that leave."""
    found = manifest(
        service, ticked, SHELTER, DOCUMENTS, grounds, TODAY, abroad=abroad, files=files
    )
    # Files are ticked one by one: to tick their kind asks for none.
    ticked = ticked - {FILES} | ({FILES} if files else frozenset())
    packed = referral.referral_json(found, {"safe_contact": {"who": "x"}}, "Us", "r-1")
    content = json.loads(packed)
    given_by = {
        purpose: {
            category
            for ground in grounds
            if ground.purpose is purpose and SHELTER.casefold() in ground.recipients
            for category in ground.categories
        }
        for purpose in (Purpose.REFERRAL, Purpose.CROSS_BORDER)
    }
    may = ticked & NEEDS[service] & given_by[Purpose.REFERRAL]
    may &= given_by[Purpose.CROSS_BORDER] if abroad else may
    category_of = {
        (document, one.name): one.category
        for document in SOURCES
        for one in dictionary.fields_of(document)
    }
    left = {
        category_of[document, name] for document in SOURCES for name in content.get(document, {})
    }
    assert left <= may
    assert ("safe_contact" in content) <= ("contact" in may)
    # And nothing is held back that all three allow.
    for document in SOURCES:
        for name in DOCUMENTS[document]:
            # The letter's own safe contact stands instead of the usual one.
            allowed = category_of[document, name] in may and name != "safe_contact"
            assert (name in content.get(document, {})) == allowed
    left_files = {one["name"] for one in content.get(FILES, [])}
    assert left_files == ({one.name for one in files} if FILES in may else set())
    assert ("file.name" in found.names) == bool(left_files)
    assert set(content) <= {
        "format", "reference", "from", "service", "safe_contact", FILES, *SOURCES,
    }  # fmt: skip
    assert found.answer.allowed | found.answer.refused.keys() == ticked


def test_there_is_one_safe_contact():
    """The one for this service stands instead of the usual one; without it the usual one goes."""
    found = manifest("food", {"contact"}, SHELTER, DOCUMENTS, [a_consent({"contact"})], TODAY)
    own = json.loads(referral.referral_json(found, {"safe_contact": {"who": "x"}}, "Us", "r-1"))
    assert own["safe_contact"] == {"who": "x"}
    assert own["identity"] == {"phones": IDENTITY["phones"]}
    usual = json.loads(referral.referral_json(found, {}, "Us", "r-1"))
    assert usual["identity"]["safe_contact"] == IDENTITY["safe_contact"]
    assert "safe_contact" not in usual


def a_record(stage, **marks):
    """Return the record of a referral that is this far."""
    marks = {referral.STAGE: stage, referral.OUTCOME_ON: "2026-12-02", **marks}
    return Record.new({"service": "food"}, UUID(int=2), 0, None, **marks)


def test_facts_count_outcomes_only():
    """By the day they were written down; what was given up before it left counts for nobody."""
    left = {"sent_on": "2026-11-30"}
    records = [
        a_record("accepted", **left),
        a_record("recalled", **left),
        a_record("recalled"),
        a_record("recalled", by_survivor="yes"),
        a_record("sent", **left),
        a_record("draft"),
    ]
    assert [(row["date"], row["outcome"]) for row in referral.coded_referrals(records)] == [
        ("2026-12-02", "accepted"),
        ("2026-12-02", "declined_by_survivor"),
        ("2026-12-02", "recalled"),
    ]


@pytest.mark.parametrize("marks", [{}, {"stage": "nowhere"}])
def test_a_record_of_no_stage_is_tampered(marks):
    """Whatever a record says, it is one of ours."""
    with pytest.raises(Tampered):
        referral.stage_of(Record.new({}, UUID(int=2), 0, None, **marks))


def test_what_is_not_needed_says_so():
    """The caseworker sees why a ticked category stays."""
    found = manifest("food", {"name", "history"}, SHELTER, DOCUMENTS, [], TODAY)
    assert found.answer.refused == {"name": "consent.none", "history": "referral.not-needed"}
    assert found.names == ()


def test_the_ledger_gets_names():
    """Of fields, by document."""
    found = manifest("food", {"name"}, SHELTER, DOCUMENTS, [a_consent({"name"})], TODAY)
    assert found.names == ("identity.name_to_use",)


def test_what_was_said_was_said_after_it_was_sent():
    """And not on a day to come; on any of the days between, that of both ends too."""
    record = Record.new({}, UUID(int=2), 0, None, **{referral.SENT_ON: "2026-11-20"})
    today = date(2026, 11, 26)
    for day in (20, 23, 26):
        Told(Way.PHONE, date(2026, 11, day)).check(record, today)
    for day in (19, 27):
        with pytest.raises(Invalid) as refused:
            Told(Way.LETTER, date(2026, 11, day), "made up").check(record, today)
        assert refused.value.code == "referral.told-on"
    assert "made up" not in repr(Told(Way.PHONE, today, "made up"))


def test_what_may_follow_is_what_the_table_says():
    """Asked without moving."""
    assert referral.may_move(ReferralState.SENT, ReferralState.ACCEPTED)
    assert not referral.may_move(ReferralState.ACCEPTED, ReferralState.RECEIVED)
    assert referral.OUT < OPEN


def test_every_transition_is_in_the_table():
    """Others are refused; what has ended stays so."""
    allowed = set()
    for state, target in itertools.product(ReferralState, repeat=2):
        try:
            assert moved(state, target) is target
        except Conflict:
            continue
        allowed.add((state.value, target.value))
    assert ("draft", "sent") not in allowed
    assert ("consented", "sent") in allowed
    assert ("sent", "recalled") in allowed
    ended = {"declined", "completed", "expired", "recalled"}
    assert {state for state, _ in allowed} == {s.value for s in ReferralState} - ended
    assert {state.value for state in OPEN} == {s.value for s in ReferralState} - ended


@pytest.mark.parametrize(
    ("state", "answer_by", "expected"),
    [
        ("sent", "2026-11-25", True),
        ("received", "2026-11-25", True),
        ("sent", "2026-11-26", False),
        ("sent", None, False),
        ("accepted", "2026-11-25", False),
        ("draft", "2026-11-25", False),
    ],
)
def test_what_is_not_answered_in_time_is_overdue(state, answer_by, expected):
    """On the day itself it is not late."""
    assert referral.is_overdue(ReferralState(state), answer_by, TODAY) is expected


@pytest.mark.parametrize("language", vocabulary.LANGUAGES)
def test_the_page_says_what_the_bytes_say(language):
    """In the recipient's language and direction, escaped, with nothing that is not in the bytes."""
    every = frozenset(CATEGORIES)
    found = manifest("legal_assistance", every, SHELTER, DOCUMENTS, [a_consent(every)], TODAY)
    letter = {"urgency": "today", "safe_contact": {"who": "Aunt", "how": "never"}}
    page = referral_html(referral.referral_json(found, letter, "Us <b>", "r-1"), language)
    assert f'dir="{"rtl" if language == "ar" else "ltr"}"' in page
    assert "Ondine &lt;Obvious&gt; Madeup" in page
    assert "Us &lt;b&gt;" in page
    assert '<bdi dir="ltr">+390000000001</bdi>' in page
    assert "Made up:<br>first line" in page
    assert "to weld" not in page
    assert escape(vocabulary.code_label("urgency", "today", language)) in page
    assert "<script" not in page


@pytest.mark.parametrize("language", vocabulary.LANGUAGES)
def test_the_page_names_the_files(language):
    """Name, kind and size of each, escaped; never its id."""
    grounds = [a_consent({FILES})]
    found = manifest("registration", (), SHELTER, {}, grounds, TODAY, files=ATTACHED)
    assert [one.name for one in found.files] == ["b.png", "permit <made up>.png", "رسالة.png"]
    packed = referral.referral_json(found, {}, "Us", "r-1")
    page = referral_html(packed, language)
    assert vocabulary.form_text("referral.files", language) in page
    assert "<bdi>permit &lt;made up&gt;.png</bdi>" in page
    assert "(image/png, 70,000 B)" in page
    assert str(ATTACHED[0].row) not in page + packed.decode()
    assert "made up" not in repr(found)


@pytest.mark.parametrize(
    ("files", "code"),
    [
        ([Enclosed(UUID(int=n), f"{n}.png", "image/png", 1, "") for n in range(MAX_FILES + 1)],
         "referral.files-size"),
        ([Enclosed(UUID(int=1), "a.png", "image/png", MAX_FILE_BYTES + 1, "")],
         "referral.files-size"),
        ([Enclosed(UUID(int=n), "aA"[n] + ".png", "image/png", 1, "") for n in (0, 1)],
         "referral.files-names"),
    ],
)  # fmt: skip
def test_too_many_files_or_two_alike_are_refused(files, code):
    """Said before anybody is asked to agree to it."""
    with pytest.raises(Invalid) as caught:
        manifest("registration", (), SHELTER, {}, [], TODAY, files=files)
    assert caught.value.code == code
    assert caught.value.errors[0].pointer == "/files"


def test_a_page_links_its_style_or_brings_it_along():
    """On a screen it is a file of ours, in a saved page it is inside."""
    assert "<style>" in rendering.page("t", "", "en")
    linked = rendering.page("t", "", "en", "/style.css")
    assert '<link rel="stylesheet" href="/style.css">' in linked
    assert "<style>" not in linked


def test_only_what_is_filled_is_rendered():
    """An empty document is nothing; a plain no is something."""
    assert rendering.document("identity", {"aliases": []}, "en") == ""
    shown = rendering.fields("identity", ["interpreter_needed"], {
        "interpreter_needed": False, "name_to_use": "x",
    }, "en")  # fmt: skip
    assert "<dd>No</dd>" in shown
    assert "Name to use" not in shown


def test_a_page_without_the_profile_has_no_section_of_it():
    """What does not leave has no empty heading either."""
    found = manifest(SERVICES[0], frozenset(), SHELTER, {}, [], TODAY, abroad=False)
    page = referral_html(referral.referral_json(found, {}, "Us", "r-1"), "en")
    for document in SOURCES:
        assert vocabulary.form_text(f"section.{document}", "en") not in page
