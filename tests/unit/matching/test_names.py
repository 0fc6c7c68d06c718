"""Names that are one, names that are two, and input that is no name."""

from __future__ import annotations

import time

import pytest

from casevault.matching import lexicon, names, text
from casevault.matching.people import encode, person
from casevault.matching.scan import Scan
from casevault.matching.score import compare

ONE = """
Mohammed Abdul Rahman | محمد عبد الرحمن
Abd al-Qadir Haddad | Abdelkader Haddad
Nour al-Din Haddad | Nureddine Haddad
Amina bint Yusuf | Amina Yusuf
Fatima Zahra | فاطمة الزهراء
Олександр Шевченко | Aleksandr Shevchenko
Ганна Григоренко | Anna Hryhorenko
Ivan Petrovich Sidorov | Ivan Sidorov
Щербакова Юлия | Julia Schtscherbakowa
Παναγιώτης Ευαγγελόπουλος | Panayiotis Evangelopoulos
שרה כהן | Sarah Cohen
አበበ ተክለ | Abebe Tekle Haile
प्रिया शर्मा | Priya Sharma
মোহাম্মদ রহিম | Mohammad Rahim
สมชาย ใจดี | Somchai Jaidee
王小明 | Wang Xiaoming
Xiaoming Wang | Wang Xiao-ming
김민수 | Kim Min-su
Nguyễn Thị Hồng | Hong Nguyen
María García López | Maria Garcia
García López María | Maria Lopez Garcia
Mary Ann Smith | Maryann Smith
Bill Turner | William Turner
Jürgen Müller | Juergen Mueller
Nataliya O'Brien | Natalia OBrien
Аmіna Yusuf | Amina Yusuf
A\u200bmina\u200f Yusuf | Amina Yusuf
Ｍａｒｉａ Garcia | Maria Garcia
Katherine Brwon | Katherine Brown
"""
TWO = """
Amina Yusuf | Amira Yusuf
Fatima Yusuf | Khadija Yusuf
Hassan Ali | Hussein Ali
Mohamed Salah Ahmed | Mohamed Salah Hussein
Олександр Шевченко | Oleksandra Shevchenko
Nguyen Thi Hong | Nguyen Thi Hoa
Ly Thi Hong | Ly Van Hung
Maria Garcia Lopez | Marta Garcia Lopez
Kim Min-su | Kim Su-jin
Anna Petrova | Anna Sidorova
"""


def _lines(table: str) -> list[tuple[str, str]]:
    rows = (line.partition("|") for line in table.strip().splitlines())
    return [(one.strip(), other.strip()) for one, _, other in rows]


@pytest.mark.parametrize(("one", "other"), _lines(ONE))
def test_one_person(one, other):
    """Spellings by which clerks, scripts and standards write one name are found."""
    assert compare(person([one]), person([other])).is_hit
    assert compare(person([other]), person([one])).is_hit


@pytest.mark.parametrize(("one", "other"), _lines(TWO))
def test_two_people(one, other):
    """Brothers, sisters and namesakes are not one person, even if born in the same year."""
    year = (1994, 1994)
    assert not compare(person([one], year), person([other], year)).is_hit


@pytest.mark.parametrize(
    "name",
    [
        "",
        " ",
        "a",
        "🙂🙂",
        "\u200f\u200e",
        "12345",
        "'''",
        "-",
        "ـــ",
        "\x00",
        "ا",
        "ّّّ",
        "\ud7ff",
        "ﷺ",
        "e\u0301" * 9,
    ],
)
def test_what_is_no_name_is_taken_as_it_is(name):
    """Nothing that somebody types makes matching fail, nor finds everybody."""
    assert not compare(person([name]), person(["Amina Yusuf"])).is_hit


@pytest.mark.parametrize(
    "hostile",
    [
        "a" * 10_000,
        "a " * 10_000,
        "аa" * 5_000,
        "ch" * 5_000,
        "\u0301" * 10_000,
        "ﷺ" * 10_000,
        "kh x j ng " * 999,
    ],
)
def test_hostile_names_cost_no_more_than_long_ones(hostile):
    """Time does not grow with what is typed beyond the longest name there is."""
    started = time.process_time()
    one = person([hostile, hostile + "b"])
    compare(one, person([hostile + "c"]))
    scan = Scan(one, 10)
    scan.feed([(b"1", encode(one, full_phones=False, with_numbers=False))])
    assert time.process_time() - started < 1.0
    assert len(encode(one, full_phones=False, with_numbers=False)) < 8_000


def test_look_alike_letters_are_read_as_what_they_stand_among():
    """A Cyrillic letter inside a Latin word is that Latin letter; a Cyrillic word stays one."""
    assert text.words("Аmіnа") == ["amina"]
    assert text.words("Анна") == ["анна"]


def test_the_table_relates_and_divides():
    """Spellings of one line are related, names of two lines are two; others are not known."""
    assert lexicon.related("bill", "william")
    assert lexicon.related("amina", "amira") is False
    assert lexicon.related("amina", "quill") is None


def test_likeness_is_the_same_from_both_sides():
    """It does not matter who was asked for and who was found."""
    words = [
        part for one, other in _lines(ONE) for name in (one, other) for part in names.parts(name)
    ]
    for one in words[::3]:
        for other in words[::5]:
            assert names.likeness(one, other) == pytest.approx(names.likeness(other, one), abs=0.08)
