"""Names in running text: those of people who are known, and words that are given names.

Places in the text come out, never words. Where an alphabet has capital letters, a name is written
with one; elsewhere only what the tables know, what somebody is said to be called, and who is known
is taken for a name. Nothing is kept once the text is read. Must never be taken for proof that a
text names nobody.
"""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from importlib import resources

from casevault.matching import lexicon, names, phones, sounds, text
from casevault.matching.names import Part
from casevault.matching.people import Person, number

# How alike a word must be to one of a known name; a word without short vowels says less.
_ALIKE, _ALIKE_BARE = 0.86, 0.92
_SHORTEST, _LONGEST_NAME = 3, 4
# Words of every day that are given names too: names only with a capital inside a sentence.
_EVERYDAY = frozenset(
    "hope grace faith joy rose mark will may june april august dawn summer art bill frank"
    " grant jack pat rich sue victor daisy lily ivy iris ruby pearl amber crystal chance carol"
    " charity mercy patience destiny angel christian victoria florence paris sydney israel"
    " jordan chad lee van son said esperanza luz paz sol mar marina rosa dolores consuelo"
    " socorro lucha jesus pierre marguerite aurore claire blanche france olive prune ange noel"
    " pascal dominique вера надежда любовь слава роман роза мир юрист حسن سعيد كريم جميل نور"
    " صالح امل أمل سلام هدى رحمة فرح نصر عادل طاهر ماهر شريف كامل سالم ناصر جميلة كريمة سعيدة"
    " صالحة شريفة كاملة عمر علي رشيد نجاح وفاء سناء حياة ليلى هناء ايمان إيمان ישראל שלום אור"
    " מלך".split()
)
# After these somebody's name stands.
_CALLED = frozenset(
    "called named alias nicknamed nommé nommée appelé appelée dénommé prénommée llamado"
    " llamada apodado apodada имени зовут имя кличке звать імені звуть اسمه اسمها يدعى تدعى"
    " المدعو المدعوة واسمه واسمها λέγεται λένε ονόματι".split()
)
_KIN = frozenset(
    "brother sister mother father uncle aunt cousin husband wife son daughter friend"
    " boyfriend girlfriend boss broker trafficker landlord neighbour neighbor recruiter madam"
    " frère sœur soeur mère père oncle tante cousine mari femme fils fille ami amie patron"
    " patronne hermano hermana madre padre tío tía primo prima esposo esposa marido mujer hijo"
    " hija amigo amiga jefe jefa брат сестра мать отец дядя тётя тетя муж жена сын дочь друг"
    " подруга сестру брата мужа mr mrs ms miss mme mlle dr sr sra srta herr frau г-н г-жа пан"
    " пані".split()
)
# "And", "to", "by", "from", written onto the word in Arabic, Hebrew and Ethiopic.
_PROCLITICS = frozenset("وفبلك" + "ובלכשמ" + "ከበለየ")
_ENDS = re.compile(r"[.!?…:;\n\r«»\"“”()\[\]{}\u061f\u06d4\u0964\u2022]")
_BETWEEN = re.compile(r"[ \u00a0'’-]{1,2}")
_INSIDE = frozenset("'’ʼ\u200c\u200d")


@dataclass(frozen=True, slots=True)
class Known:
    """People whom a text may name: in Latin, as matching reads them, and as they were written."""

    person: Person = field(default_factory=Person, repr=False)
    written: tuple[str, ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class Place:
    """A name in a text: its characters [start, end), and whether it is of somebody known."""

    start: int
    end: int
    own: bool


@dataclass(frozen=True, slots=True)
class _Word:
    start: int
    end: int
    written: str = field(repr=False)
    first: bool

    @property
    def is_capital(self) -> bool:
        return self.written[0].isupper() or self.written[0].istitle()

    @property
    def has_case(self) -> bool:
        return self.written[0].isupper() or self.written[0].islower()

    @property
    def folded(self) -> str:
        return self.written.casefold()


def names_in(written: str, known: Known, late: Callable[[], None] = lambda: None) -> list[Place]:
    """Return where names stand, in the order of the text; `late` raises when time is up."""
    found = list(_undivided(written, known))
    words = list(_words(written))
    own = _Own(known)
    at = 0
    while at < len(words):
        late()
        length, is_own = _name_at(words, at, written, own)
        if length:
            found.append(Place(words[at].start, words[at + length - 1].end, is_own))
        at += max(length, 1)
    return sorted(found, key=lambda one: (one.start, one.end))


def is_number_of(written: str, known: Known) -> bool:
    """Say whether a number is the phone or the paper of somebody known."""
    person = known.person
    return phones.last_seven(written) in person.last_seven or number(written) in person.numbers


def is_phone(written: str, regions: Sequence[str]) -> bool:
    """Say whether a number may be dialled: it names its country or fits one of these."""
    return phones.in_full(written, regions) is not None


class _Own:
    """Tells the names of people who are known, in one text: most words stand there repeatedly."""

    def __init__(self, known: Known) -> None:
        self._parts = _own_words(known)
        self._told: dict[tuple[str, bool], bool] = {}

    def has(self, word: _Word) -> bool:
        """Say whether a word is one of their names."""
        at = word.written, word.first
        found = self._told.get(at)
        if found is None:
            found = self._told[at] = _is_own(word, self._parts)
        return found


def _name_at(words: Sequence[_Word], at: int, written: str, own: _Own) -> tuple[int, bool]:
    """Return how many words from here on are one name, and whether it is of somebody known."""
    word = words[at]
    if own.has(word):
        return _length(words, at, written), True
    before = words[at - 1] if at else None
    told = before is not None and not word.first and _announces(before, word)
    if told or _is_given_name(word):
        length = _length(words, at, written)
        return length, any(own.has(one) for one in words[at : at + length])
    follows = words[at + 1] if at + 1 < len(words) else None
    if word.is_capital and follows is not None and own.has(follows):
        return (
            (_length(words, at, written), True) if _joined(word, follows, written) else (0, False)
        )
    return 0, False


def _length(words: Sequence[_Word], at: int, written: str) -> int:
    """Return how many words belong to a name that begins here: capitals in a row."""
    length = 1
    if not words[at].has_case:
        return length
    while (
        length < _LONGEST_NAME
        and at + length < len(words)
        and words[at + length].is_capital
        and _joined(words[at + length - 1], words[at + length], written)
    ):
        length += 1
    return length


def _joined(one: _Word, other: _Word, written: str) -> bool:
    return _BETWEEN.fullmatch(written, one.end, other.start) is not None


def _announces(before: _Word, word: _Word) -> bool:
    said = before.folded
    if word.has_case:
        return word.is_capital and (said in _CALLED or said in _KIN)
    return said in _CALLED


def _is_given_name(word: _Word) -> bool:
    if word.has_case:
        everyday = word.folded in _EVERYDAY
        return (
            word.is_capital
            and not (word.first and everyday)
            and len(word.written) >= _SHORTEST
            and _plain(word.folded) in _given_names()
        )
    return any(
        one not in _EVERYDAY and _plain(one) in _given_names() for one in _stems(word.folded)
    )


def _stems(folded: str) -> Iterator[str]:
    """Give a word, and what is left of it without a little word that is written onto it."""
    yield folded
    if folded[0] in _PROCLITICS and len(folded) > _SHORTEST:
        yield folded[1:]


def _is_own(word: _Word, own: frozenset[Part]) -> bool:
    if not own or len(word.written) < 2:
        return False
    return any(_is_one_of(word, stem, own) for stem in _stems(word.folded))


def _is_one_of(word: _Word, stem: str, own: frozenset[Part]) -> bool:
    exact = not word.is_capital and word.has_case
    for part in names.parts(stem):
        if exact:
            same = any(one.letters == part.letters for one in own)
            if same and len(part.letters) > _SHORTEST and stem not in _EVERYDAY:
                return True
            continue
        if word.has_case and word.first and stem in _EVERYDAY:
            continue
        if any(_are_alike(part, one) for one in own):
            return True
    return False


def _are_alike(one: Part, other: Part) -> bool:
    if sounds.is_other(one.letters[:1], other.letters[:1]):
        return False
    return names.likeness(one, other) >= (_ALIKE_BARE if one.bare or other.bare else _ALIKE)


def _own_words(known: Known) -> frozenset[Part]:
    return frozenset(
        part
        for name in known.person.names
        for part in name
        if len(part.letters) >= _SHORTEST or (part.bare and len(part.letters) > 1)
    )


def _undivided(written: str, known: Known) -> Iterator[Place]:
    """Give known names in scripts that put no spaces between words, as they were written."""
    for name in known.written:
        if len(name) > 1 and text.scripts(name) & {"cjk", "hiragana", "katakana", "hangul", "thai"}:
            for one in re.finditer(re.escape(name), written):
                yield Place(one.start(), one.end(), own=True)


def _words(written: str) -> Iterator[_Word]:
    """Give the words of a text: letters with their marks, apostrophes and joiners inside."""
    start, last = None, 0
    for at, letter in enumerate(written + " "):
        inside = unicodedata.category(letter)[0] in "LM"
        if start is None and inside:
            start = at
        elif start is not None and not inside and not _goes_on(written, at):
            yield _Word(start, at, written[start:at], not last or _ends(written, last, start))
            start, last = None, at


def _goes_on(written: str, at: int) -> bool:
    return written[at : at + 1] in _INSIDE and written[at + 1 : at + 2].isalpha()


def _ends(written: str, last: int, start: int) -> bool:
    return _ENDS.search(written, last, start) is not None


def _plain(folded: str) -> str:
    """Return a word without marks, but where these are vowels of the script."""
    return text.unmarked(folded) if text.scripts(folded) <= {"latin", "greek"} else folded


@functools.cache
def _given_names() -> frozenset[str]:
    """Return the given names of the tables in every spelling and script, folded."""
    raw = resources.files("casevault.matching").joinpath("nicknames.txt").read_text("utf-8")
    lines = (line for line in raw.splitlines() if line and not line.startswith("#"))
    found = frozenset(_plain(one.casefold()) for line in lines for one in line.split())
    return frozenset(one for one in found if len(one) >= _SHORTEST and one not in lexicon.PARTICLES)
