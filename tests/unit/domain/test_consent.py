"""Consent decides what may leave: one pure function, and nothing outside a ground ever passes."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from casevault.domain.case.records import DECLINED, DONE, WAITING, WITHDRAWN, Record
from casevault.domain.sharing import cascade, consent
from casevault.domain.sharing.cascade import Consequence, Shared, Withdrawal
from casevault.domain.sharing.consent import Disclosure, Ground, Purpose, State, decide
from casevault.domain.vocabulary import code_list
from casevault.errors import Invalid

TODAY = date(2026, 11, 26)
SHELTER = "made-up house of calm"
POINTS = ("interview", "purpose", "use", "research", "access", "storage", "withdrawal")
CATEGORIES = code_list("data_category")
SOMEBODY = UUID(int=7)


def a_ground(number=1, **changes):
    """Return a consent to refer name and risk to the shelter, this week."""
    given = {
        "id": UUID(int=number),
        "basis": consent.CONSENT,
        "purpose": Purpose.REFERRAL,
        "categories": frozenset({"name", "risk"}),
        "recipients": frozenset({SHELTER}),
        "first": TODAY - timedelta(days=3),
        "last": TODAY + timedelta(days=3),
    }
    return Ground(**{**given, **changes})


def a_wish(*categories, **changes):
    """Return the wish to tell the shelter these categories."""
    given = {"purpose": Purpose.REFERRAL, "recipient": "Made-Up  House of Calm"}
    return Disclosure(categories=frozenset(categories), **{**given, **changes})


def content(**changes):
    """Return a consent as it is recorded."""
    return {
        "purpose": "referral",
        "categories": ["name"],
        "recipients": ["Made-Up House of Calm"],
        "method": "verbal",
        "language": "fr",
        "wording": "2026-1",
        "given_on": "2026-11-26",
        "valid_until": "2027-01-31",
        "explained": dict.fromkeys(POINTS, True),
        **changes,
    }


def test_what_is_covered_may_leave_and_nothing_else():
    """The answer names what may leave, by which ground, and why the rest stays."""
    answer = decide(a_wish("name", "history"), [a_ground()], TODAY)
    assert answer.allowed == {"name"}
    assert answer.grounds == {UUID(int=1)}
    assert answer.refused == {"history": "consent.category"}
    assert answer.rule == "permit:consent"


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"recipients": frozenset({"another made-up house"})}, "consent.recipient"),
        ({"purpose": Purpose.CASE_MANAGEMENT}, "consent.category"),
        ({"last": TODAY - timedelta(days=1)}, "consent.expired"),
        ({"first": TODAY + timedelta(days=1)}, "consent.not-yet"),
        ({"state": State.WITHDRAWN}, "consent.withdrawn"),
        ({"state": State.WAITING}, "consent.waiting"),
        ({"state": State.DECLINED}, "consent.declined"),
    ],
)
def test_what_does_not_cover_says_why(changes, why):
    """Recipient, purpose, day and state each stop it by themselves."""
    answer = decide(a_wish("name"), [a_ground(**changes)], TODAY)
    assert (answer.allowed, answer.refused) == (frozenset(), {"name": why})


def test_without_any_ground_nothing_leaves():
    """Silence is no consent."""
    assert decide(a_wish("name"), [], TODAY).refused == {"name": "consent.none"}


def test_the_most_telling_reason_is_given():
    """A consent that was withdrawn is more than one that names another recipient."""
    other = a_ground(2, recipients=frozenset({"x"}))
    gone = a_ground(3, state=State.WITHDRAWN)
    assert decide(a_wish("name"), [other, gone], TODAY).refused == {"name": "consent.withdrawn"}


def test_a_border_takes_a_consent_of_its_own():
    """Sharing with a service and sharing abroad are two purposes."""
    abroad = a_wish("name", abroad=True)
    here = a_ground()
    assert not decide(abroad, [here], TODAY).allowed
    both = [here, a_ground(2, purpose=Purpose.CROSS_BORDER)]
    answer = decide(abroad, both, TODAY)
    assert answer.allowed == {"name"}
    assert answer.grounds == {UUID(int=1), UUID(int=2)}


def test_another_basis_is_named_on_the_ledger_and_consent_comes_first():
    """Where a consent covers it, no other basis is used."""
    vital = a_ground(1, basis="vital_interests")
    assert decide(a_wish("name"), [vital], TODAY).rule == "permit:vital-interests"
    assert decide(a_wish("name"), [vital, a_ground(2)], TODAY).grounds == {UUID(int=2)}


def test_counting_needs_a_consent_to_counts():
    """The last day of the longest one; none of another purpose, none that is over."""
    long = a_ground(1, purpose=Purpose.STATISTICS, last=date(2027, 5, 1))
    short = a_ground(2, purpose=Purpose.STATISTICS)
    gone = a_ground(3, purpose=Purpose.STATISTICS, state=State.WITHDRAWN, last=date(2029, 1, 1))
    assert consent.counted_until([a_ground(), gone], TODAY) is None
    assert consent.counted_until([short, long, gone], TODAY) == date(2027, 5, 1)


@given(
    st.lists(
        st.builds(
            a_ground,
            st.integers(1, 9),
            purpose=st.sampled_from(Purpose),
            categories=st.frozensets(st.sampled_from(CATEGORIES)),
            recipients=st.frozensets(st.sampled_from((SHELTER, "a", "b"))),
            first=st.dates(date(2026, 11, 1), date(2026, 12, 31)),
            last=st.dates(date(2026, 11, 1), date(2026, 12, 31)),
            state=st.sampled_from(State),
        ),
        max_size=6,
    ),
    st.frozensets(st.sampled_from(CATEGORIES)),
    st.booleans(),
    st.sampled_from(Purpose),
)
def test_nothing_outside_the_grounds_ever_leaves(grounds, categories, abroad, purpose):
    """Whatever is recorded and asked: each category that leaves has a ground that covers it."""
    wish = Disclosure(purpose, categories, SHELTER, abroad)
    answer = decide(wish, grounds, TODAY)
    assert answer.allowed | answer.refused.keys() == categories
    assert not answer.allowed & answer.refused.keys()
    needed = {purpose, Purpose.CROSS_BORDER} if abroad else {purpose}
    outside = {Purpose.REFERRAL, Purpose.CROSS_BORDER}
    for category in answer.allowed:
        for each in needed:
            assert any(
                g.purpose is each
                and category in g.categories
                and g.state is State.HOLDS
                and g.first <= TODAY <= g.last
                and (each not in outside or SHELTER in g.recipients)
                for g in grounds
            )


def test_a_recorded_consent_is_a_ground():
    """Dates, categories and recipients come from what was recorded; it holds until withdrawn."""
    record = Record.new(content(), SOMEBODY, 1000)
    found = consent.ground_of(UUID(int=1), record, 2000)
    assert (found.purpose, found.state, found.last) == (
        Purpose.REFERRAL,
        State.HOLDS,
        date(2027, 1, 31),
    )
    assert found.recipients == {SHELTER}
    gone = consent.ground_of(UUID(int=1), record.marked(state=WITHDRAWN), 2000)
    assert gone.state is State.WITHDRAWN


BASIS = {
    "basis": "legal_obligation",
    "purpose": "referral",
    "categories": ["name"],
    "recipients": ["Made-Up House of Calm"],
    "reason": "made up",
    "from": "2026-11-26",
    "valid_until": "2026-12-26",
}


@pytest.mark.parametrize(
    ("basis", "mark", "seconds", "state"),
    [
        ("legal_obligation", WAITING, 5, State.WAITING),
        ("legal_obligation", DONE, 5, State.HOLDS),
        ("legal_obligation", DECLINED, 5, State.DECLINED),
        ("vital_interests", WAITING, 5, State.HOLDS),
        ("vital_interests", WAITING, consent.CONFIRM_SECONDS, State.WAITING),
        ("vital_interests", WAITING, -5, State.WAITING),
        ("vital_interests", DONE, consent.CONFIRM_SECONDS, State.HOLDS),
        ("vital_interests", DECLINED, 5, State.DECLINED),
    ],
)
def test_another_basis_waits_and_a_rescue_waits_for_a_day(basis, mark, seconds, state):
    """A second person first; to save a life the act goes first, for 24 hours."""
    record = Record.new({**BASIS, "basis": basis}, SOMEBODY, 1000, None, state=mark)
    assert consent.ground_of(UUID(int=1), record, 1000 + seconds).state is state


def faults(check, *arguments, **named):
    """Return pointers and codes of what is refused."""
    with pytest.raises(Invalid) as caught:
        check(*arguments, **named)
    return [(error.pointer, error.code) for error in caught.value.errors]


@pytest.mark.parametrize(
    ("changes", "minor", "expected"),
    [
        ({"given_on": "2026-11-27"}, False, ("/given_on", "consent.future")),
        ({"valid_until": "2026-11-25"}, False, ("/valid_until", "consent.order")),
        (
            {"explained": {**dict.fromkeys(POINTS, True), "use": False}},
            False,
            ("/explained/use", "consent.not-informed"),
        ),
        ({"recipients": [" "]}, False, ("/recipients", "consent.recipients")),
        ({"guardian": {"name": "x", "agrees": True}}, True, ("/assent", "consent.assent")),
        (
            {"assent": True, "guardian": {"name": "x", "agrees": False}},
            True,
            ("/guardian", "consent.guardian"),
        ),
    ],
)
def test_a_consent_that_would_not_count_is_refused(changes, minor, expected):
    """Not informed, not of today, to nobody, or of a child whom nobody asked."""
    assert expected in faults(consent.check_consent, content(**changes), TODAY, minor=minor)


def test_a_consent_that_counts_is_taken():
    """Of an adult, and of a child who assents beside a guardian; counts need no recipient."""
    consent.check_consent(content(), TODAY, minor=False)
    child = content(assent=True, guardian={"name": "x", "relation": "parent", "agrees": True})
    consent.check_consent(child, TODAY, minor=True)
    consent.check_consent(content(purpose="statistics", recipients=[]), TODAY, minor=False)


def test_nobody_is_counted_on_another_basis():
    """Statistics and research take a consent."""
    consent.check_basis(BASIS, TODAY)
    wrong = {**BASIS, "purpose": "statistics"}
    assert faults(consent.check_basis, wrong, TODAY) == [("/purpose", "basis.consent-only")]


def of_counts(number=1, **changes):
    """Return a consent to counts."""
    return a_ground(number, purpose=Purpose.STATISTICS, **changes)


def of_keeping(number=1, **changes):
    """Return a consent to look after the case."""
    return a_ground(number, purpose=Purpose.CASE_MANAGEMENT, **changes)


@pytest.mark.parametrize(
    ("gone", "left", "expected"),
    [
        (a_ground(state=State.WITHDRAWN), (), []),
        (
            of_counts(state=State.WITHDRAWN),
            (),
            [Consequence.LEAVES_COUNTS, Consequence.PUBLISHED_COUNTS_STAY],
        ),
        (of_counts(state=State.WITHDRAWN), (of_counts(2),), [Consequence.PUBLISHED_COUNTS_STAY]),
        (of_keeping(state=State.WITHDRAWN), (of_counts(2),), [Consequence.ERASED_SOON]),
        (of_keeping(state=State.WITHDRAWN), (of_keeping(2),), []),
    ],
)
def test_a_withdrawal_cascades(gone, left, expected):
    """Every way by which data leave says what follows, and what cannot be called back."""
    effects = cascade.effects(Withdrawal(gone, left, TODAY))
    assert [effect.what for effect in effects] == expected
    assert [e.what for e in effects if e.stays] == [
        what for what in expected if what is Consequence.PUBLISHED_COUNTS_STAY
    ]


def a_share(number, *grounds, is_open=True, was_read=False):
    """Return a referral that relies on these grounds."""
    return Shared(UUID(int=number), is_open, was_read, frozenset(grounds))


def test_a_withdrawal_stops_what_leaves_by_it_only():
    """An open referral stops, what was read stays read, what relies on others goes on."""
    gone = a_ground(7, state=State.WITHDRAWN)
    shared = (
        a_share(1, gone.id),
        a_share(2, gone.id, was_read=True),
        a_share(3, gone.id, is_open=False, was_read=True),
        a_share(4, gone.id, is_open=False),
        a_share(5, UUID(int=8), was_read=True),
        a_share(6),
    )
    effects = cascade.effects(Withdrawal(gone, (), TODAY, shared))
    stops, stays = Consequence.REFERRAL_STOPS, Consequence.READ_REFERRAL_STAYS
    assert [(e.what, e.about.int) for e in effects] == [
        (stops, 1),
        (stops, 2),
        (stays, 2),
        (stays, 3),
    ]
    assert {e.what for e in effects if e.stays} == {stays}
    assert cascade.effects(Withdrawal(a_ground(7), (), TODAY, shared)) == ()


def test_who_agreed_to_be_counted_is_counted_until_that_day():
    """Of coded facts: without a day, nobody is."""
    assert not consent.may_be_counted({}, TODAY)
    assert consent.may_be_counted({"statistics_until": TODAY.isoformat()}, TODAY)
    yesterday = (TODAY - timedelta(days=1)).isoformat()
    assert not consent.may_be_counted({"statistics_until": yesterday}, TODAY)


def test_a_case_is_kept_while_anything_holds_for_looking_after_it():
    """A ground for something else, one that is over, and none: not."""
    holds = a_ground(1, purpose=Purpose.CASE_MANAGEMENT)
    over = replace(holds, last=TODAY - timedelta(days=1))
    assert consent.may_be_kept([a_ground(2), holds], TODAY)
    assert not consent.may_be_kept([a_ground(2), over], TODAY)
    assert not consent.may_be_kept([], TODAY)


def test_a_case_goes_when_nothing_lets_it_be_kept_any_more():
    """The last consent to look after it was withdrawn; another one is enough to stay."""
    gone = replace(a_ground(1, purpose=Purpose.CASE_MANAGEMENT), state=State.WITHDRAWN)
    other = a_ground(2, purpose=Purpose.CASE_MANAGEMENT)
    soon = Consequence.ERASED_SOON

    def follows(withdrawal):
        return soon in {effect.what for effect in cascade.keeping(withdrawal)}

    assert follows(Withdrawal(gone, (gone,), TODAY))
    assert not follows(Withdrawal(gone, (gone, other), TODAY))
    assert not follows(Withdrawal(replace(gone, state=State.HOLDS), (), TODAY))
    assert not follows(Withdrawal(a_ground(1), (), TODAY))


def test_an_objection_ends_what_was_recorded_before_it():
    """Of its purpose, as a withdrawal does; what is recorded afterwards is something new."""
    said = {**content(), "given_on": "2026-11-20", "valid_until": "2027-11-20"}
    record = Record.new(said, SOMEBODY, 1_000)
    for stopped, state in (
        ({}, State.HOLDS),
        ({Purpose.REFERRAL: 999}, State.HOLDS),
        ({Purpose.REFERRAL: 1_000}, State.WITHDRAWN),
        ({Purpose.STATISTICS: 2_000}, State.HOLDS),
    ):
        assert consent.ground_of(UUID(int=1), record, 3_000, stopped).state is state
