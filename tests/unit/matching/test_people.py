"""What a card holds, what counts as an attribute, and how years, phones and papers speak."""

from __future__ import annotations

import pytest

from casevault.matching import people, phones
from casevault.matching.people import attributes, decode, encode, person
from casevault.matching.score import Reason, compare, explain_parts

PHONE = "+44 7700 900123"


def test_a_card_holds_no_more_than_what_is_switched_on():
    """Full phones and numbers of papers are on a card only where the programme wants them."""
    one = person(["Amina Yusuf"], (1994, 1994), [PHONE], ["AB 123456"])
    plain = encode(one, full_phones=False, with_numbers=False)
    assert b"447700900123" not in plain
    assert b"ab123456" not in plain
    assert b"0900123" in plain
    _, full = decode(encode(one, full_phones=True, with_numbers=True))
    assert full.phones == {"+447700900123"}
    assert full.numbers == {"ab123456"}


def test_a_card_reads_as_it_was_written():
    """Names in scripts that write no vowels stay marked as such."""
    one = person(["أمينة يوسف", "Amina Yusuf"], (1993, 1995), [PHONE])
    version, found = decode(encode(one, full_phones=False, with_numbers=False))
    assert version == people.VERSION
    assert (found.names, found.years, found.last_seven) == (one.names, one.years, one.last_seven)


@pytest.mark.parametrize(
    ("asked", "count"),
    [
        (person(["Amina"]), 1),
        (person(["Amina Yusuf"]), 2),
        (person(["王小明"]), 2),
        (person(["Amina"], (1994, 1994)), 2),
        (person([], None, ["0900123"]), 2),
        (person([], None, [], ["AB123456"]), 2),
        (person([], (1994, 1994)), 1),
        (person(["a b"]), 0),
        (person(["\u200f\u200b🙂"]), 0),
        (person(), 0),
    ],
)
def test_attributes_are_counted(asked, count):
    """Words, a year, and twice for a phone or a paper; letters alone are no words."""
    assert attributes(asked) == count


@pytest.mark.parametrize(
    "written",
    ["+447700900123", "0044 7700 900123", "٠٧٧٠٠ ٩٠٠١٢٣", "(07700) 900-123", "7700900123"],
)
def test_phones_meet_in_any_form(written):
    """The last seven digits are the same however a number is written, in any digits."""
    assert phones.last_seven(written) == "0900123"


def test_full_phones_need_a_country():
    """A number is known in full by its own prefix or by a region of the programme, else not."""
    assert phones.in_full("0044 7700 900123") == "+447700900123"
    assert phones.in_full("07700 900123", ["GB"]) == "+447700900123"
    assert phones.in_full("07700 900123") is None
    assert phones.in_full("+1") is None
    assert phones.in_full("+99999999999999999") is None
    assert phones.last_seven("12345") is None


def test_the_year_speaks_for_or_against():
    """One year off is near, many years off are somebody else."""
    names = ["Amina Yusuf"]
    base = compare(person(names), person(names)).score
    same = compare(person(names, (1994, 1994)), person(names, (1994, 1994)))
    near = compare(person(names, (1994, 1994)), person(names, (1995, 1995)))
    far = compare(person(names, (1974, 1974)), person(names, (1995, 1995)))
    assert Reason.BIRTH_YEAR_SAME in same.reasons
    assert Reason.BIRTH_YEAR_NEAR in near.reasons
    assert Reason.BIRTH_YEAR_OTHER in far.reasons
    assert not far.is_hit
    assert base >= far.score


def test_one_word_is_not_enough_alone():
    """A single name that is the same is no hit; with the birth year it is worth a look."""
    assert not compare(person(["Amina"]), person(["Amina Yusuf"])).is_hit
    both = compare(person(["Amina"], (1994, 1994)), person(["Amina Yusuf"], (1994, 1994)))
    assert both.is_hit


def test_a_phone_finds_whoever_gave_another_name():
    """A phone is worth a look whatever the name; with a name alike it says so."""
    other = compare(person(["Zo Quill"], None, [PHONE]), person(["Amina Yusuf"], None, [PHONE]))
    assert other.is_hit
    assert Reason.PHONE_SAME in other.reasons
    alike = compare(
        person(["Yusuf"], None, [PHONE]), person(["Amina Yousuf"], None, ["7700900123"])
    )
    assert Reason.PHONE_ENDING_SAME in alike.reasons
    assert alike.score > other.score


def test_a_paper_settles_it():
    """The same number of a paper, however it is written, outweighs everything."""
    one, other = (
        person(["A B C"], None, [], ["ab-123.456"]),
        person(["X Y Z"], None, [], ["AB 123456"]),
    )
    assert compare(one, other).reasons == (Reason.NUMBER_SAME,)


def test_the_parts_that_were_named_are_explained():
    """Whoever asks by family and given name is told which of the two is alike."""
    asked = person(["Fatima Yousuf"], given="Fatima", family="Yousuf")
    found = person(["Khadija Yusuf"])
    assert explain_parts(asked, found) == (Reason.FAMILY_NAME_ALIKE,)
