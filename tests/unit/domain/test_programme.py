"""The programme register: closed kinds and fields, and no note that looks like a person."""

from __future__ import annotations

import pytest

from casevault.domain.counting import programme, register_tables
from casevault.domain.counting.indicators import Period, of_period
from casevault.domain.counting.programme import FIELDS, Entry, Kind
from casevault.errors import Invalid
from casevault.ids import new_id

TRAINING = {
    "region": "North",
    "branch": "Harbour",
    "held_on": "2026-03-01",
    "staff_total": 40,
    "people_trained": 10,
}
MEASURE = {
    "indicator": "response",
    "type": "legal_aid",
    "programme": "migration",
    "started": "2026-02",
    "status": "running",
}
OF_KIND = {
    Kind.TRAINING: TRAINING,
    Kind.MEASURE: MEASURE,
    Kind.AWARENESS: {
        "target_group": "youth",
        "channel": "school",
        "held_on": "2026-05-05",
        "people_reached": 120,
    },
    Kind.DIALOGUE: {"stakeholder": "civil_society", "held_on": "2026-04-01"},
    Kind.ADVOCACY: {
        "topic": "help_without_fear",
        "stakeholder": "parliament_or_government",
        "held_on": "2026-04-02",
    },
    Kind.COOPERATION: {"network": "bilateral", "type": "training", "held_on": "2026-06-01"},
    Kind.FOCAL_POINT: {"in_office_since": "2025-09"},
}


def entry(kind: Kind, **changes) -> Entry:
    """Return a record of a kind."""
    return Entry(new_id(), kind, {**OF_KIND[kind], **changes})


@pytest.mark.parametrize("kind", list(Kind))
def test_each_kind_takes_its_fields_and_no_other(kind):
    """What is required must be there; a field of another kind is refused."""
    assert programme.checked(kind, OF_KIND[kind]) == OF_KIND[kind]
    with pytest.raises(Invalid) as caught:
        programme.checked(kind, {**OF_KIND[kind], "survivor": "x"})
    assert caught.value.errors[0].code == "field.unknown"
    with pytest.raises(Invalid):
        programme.checked(kind, {})


@pytest.mark.parametrize(
    "note",
    [
        "write to made.up@example.org",
        "call +39 02 1234 5678",
        "see CV-7K3M-9QXP",
        "Mrs Made-Up came",
        "a 17-year-old girl",
        "une fille de 16 ans",
        "aged 15",
        "born in 2009",
        "اتصلت السيدة فلانة",
        "فتاة عمرها ١٦",
        "من مواليد ٢٠٠٩",
        "+٩٦٢ ٧ ٩٠٠٠ ٠٠٠٠",
    ],
)
def test_a_note_that_looks_personal_is_refused(note):
    """An address, a number, a case, a title with a name, an age, a birth: the place is named."""
    with pytest.raises(Invalid) as caught:
        programme.checked(Kind.TRAINING, {**TRAINING, "note": note})
    assert [(e.pointer, e.code) for e in caught.value.errors] == [("/note", "register.personal")]
    with pytest.raises(Invalid):
        programme.checked(Kind.TRAINING, {**TRAINING, "branch": note})


@pytest.mark.parametrize(
    "note",
    [
        "Two trainers, 24 seats, again in 2027.",
        "Follow-up in 3 months",
        "دورتان في عام ٢٠٢٦ لأربعة وعشرين متطوعًا",
        "Dr. House",
    ],
)
def test_an_ordinary_note_is_taken(note):
    """Numbers of seats and years are no persons; a title with a name is."""
    content = {**TRAINING, "note": note}
    if note.startswith("Dr"):
        with pytest.raises(Invalid):
            programme.checked(Kind.TRAINING, content)
    else:
        assert programme.checked(Kind.TRAINING, content)["note"] == note


def test_nobody_trains_more_people_than_there_are():
    """One volunteer with two courses is two attendances and one person."""
    with pytest.raises(Invalid) as caught:
        programme.checked(Kind.TRAINING, {**TRAINING, "people_trained": 44})
    assert caught.value.errors[0].code == "register.more-than-all"
    more = {**TRAINING, "attended_e_module": 38, "attended_toolkit": 30}
    assert programme.checked(Kind.TRAINING, more) == more


def test_a_focal_point_does_not_leave_before_coming():
    """The month of the end is not before that of the beginning."""
    with pytest.raises(Invalid):
        programme.checked(Kind.FOCAL_POINT, {"in_office_since": "2025-09", "until": "2025-08"})


@pytest.mark.parametrize("kind", list(Kind))
def test_tables_go_out_and_in_again(kind):
    """Whatever a record holds comes back the same."""
    one = entry(kind)
    text = register_tables.sheet(kind).written([(one.id, one.content)])
    (line,) = register_tables.sheet(kind).lines(text)
    assert (line.id, dict(line.content), line.faults) == (one.id, dict(one.content), ())


def test_a_faulty_line_names_its_faults():
    """A number that is none, a cell too many, a head of another table."""
    sheet = register_tables.sheet(Kind.TRAINING)
    head = "region,branch,held_on,staff_total,people_trained\n"
    lines = list(sheet.lines(head + "N,H,2026-01-01,many,3\nN,H,2026-01-01,9,3,7\n"))
    assert [f.code for line in lines for f in line.faults] == ["field.integer", "register.cells"]
    with pytest.raises(Invalid):
        list(sheet.lines("topic\nx\n"))


def test_the_fields_of_all_kinds_have_different_names():
    """Within a kind no name twice: a table could not hold it."""
    for fields in FIELDS.values():
        assert len({one.name for one in fields}) == len(fields)


# --- indicators ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "start", "end"),
    [
        ("2026", "2026-01-01", "2026-12-31"),
        ("2026-H1", "2026-01-01", "2026-06-30"),
        ("2026-H2", "2026-07-01", "2026-12-31"),
        ("2024-Q1", "2024-01-01", "2024-03-31"),
        ("2026-Q4", "2026-10-01", "2026-12-31"),
    ],
)
def test_periods(text, start, end):
    """Years, halves and quarters, both days included."""
    found = Period.parse(text)
    assert (found.start.isoformat(), found.end.isoformat()) == (start, end)


@pytest.mark.parametrize("text", ["", "26", "2026-", "2026-Q5", "2026-H3", "2026-01", "٢٠٢٦"])
def test_what_is_no_period_is_refused(text):
    """Months, other digits, nonsense."""
    with pytest.raises(Invalid):
        Period.parse(text)


def test_the_share_of_people_trained_is_the_last_word_of_each_branch():
    """National is the sum over branches, not over reports; the future does not count."""
    found = of_period(
        [
            entry(Kind.TRAINING, held_on="2026-01-10", people_trained=5),
            entry(Kind.TRAINING, held_on="2026-06-10", people_trained=20),
            entry(Kind.TRAINING, branch="Hill", staff_total=10, people_trained=10),
            entry(Kind.TRAINING, held_on="2027-01-10", people_trained=40),
        ],
        Period.parse("2026"),
    )
    assert (found.national.people_trained, found.national.staff_total) == (30, 50)
    assert found.national.share == 60


def test_a_small_branch_shows_no_share():
    """Of fewer than 20 people the share would say who was not there; the whole is shown."""
    entries = [
        entry(Kind.TRAINING),
        entry(Kind.TRAINING, branch="Hill", staff_total=19, people_trained=19),
    ]
    found = of_period(entries, Period.parse("2026"))
    shown = {one.name: (one.people_trained, one.share) for one in found.branches}
    assert shown == {"North / Harbour": (None, None), "North / Hill": (None, None)}
    assert found.regions[0].people_trained == 29


@pytest.mark.parametrize(
    ("sizes", "hidden"),
    [
        ({"a": 40, "b": 30}, set()),
        ({"a": 40, "b": 19, "c": 60}, {"a", "b"}),
        ({"a": 4, "b": 5, "c": 60, "d": 70}, {"a", "b", "c"}),
        ({"a": 12, "b": 15, "c": 60}, {"a", "b"}),
        ({"a": 8}, {"a"}),
    ],
)
def test_no_small_branch_is_what_is_missing_from_its_region(sizes, hidden):
    """What is hidden together is two branches and 20 people at least, if there are so many."""
    entries = [
        entry(Kind.TRAINING, branch=name, staff_total=size, people_trained=size // 2)
        for name, size in sizes.items()
    ]
    found = of_period(entries, Period.parse("2026"))
    none = {one.name[-1] for one in found.branches if one.people_trained is None}
    assert none == hidden


def test_measures_actions_and_awareness_are_counted():
    """By indicator, programme and type; planned ones and other periods do not count."""
    found = of_period(
        [
            entry(Kind.MEASURE),
            entry(Kind.MEASURE),
            entry(Kind.MEASURE, status="planned"),
            entry(Kind.MEASURE, started="2027-01"),
            entry(Kind.MEASURE, indicator="mainstreaming", programme="health"),
            entry(Kind.COOPERATION),
            entry(Kind.COOPERATION, held_on="2025-06-01"),
            entry(Kind.AWARENESS),
            entry(Kind.AWARENESS, people_reached=30),
            entry(Kind.DIALOGUE),
            entry(Kind.ADVOCACY),
            entry(Kind.FOCAL_POINT),
            Entry(new_id(), Kind.MEASURE, MEASURE, version=2, removed=True),
        ],
        Period.parse("2026"),
    )
    assert found.measures["response"] == {("migration", "legal_aid"): 2}
    assert found.measures["mainstreaming"] == {("health", "legal_aid"): 1}
    assert found.cooperation == {("bilateral", "training"): 1}
    assert found.awareness == {"youth": 150}
    assert (dict(found.dialogue), dict(found.advocacy)) == (
        {"civil_society": 1},
        {"help_without_fear": 1},
    )
    assert found.focal_point


def test_an_empty_register_has_no_share():
    """Nothing known is not zero percent."""
    found = of_period([], Period.parse("2026"))
    assert (found.national.share, found.focal_point) == (None, False)


def test_a_focal_point_who_left_is_none():
    """In office at the end of the period."""
    gone = entry(Kind.FOCAL_POINT, until="2026-05")
    assert not of_period([gone], Period.parse("2026")).focal_point
    assert of_period([gone], Period.parse("2026-Q1")).focal_point
