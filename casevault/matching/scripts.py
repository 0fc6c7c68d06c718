"""From other alphabets to Latin, by rules where a general table falls short.

Each rule gives the letters by which clerks and standards write that sound, not one standard:
`sounds` then reads all of them alike. What has no rule here goes through `anyascii`.
A word whose script writes no short vowels comes out marked as such.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass, replace

from anyascii import anyascii

from casevault.matching import text
from casevault.matching.indic import from_indic, is_indic
from casevault.matching.thai import from_thai


@dataclass(frozen=True, slots=True)
class Latin:
    """A word in Latin letters a-z; `bare` if its script leaves short vowels out."""

    letters: str
    bare: bool = False
    # It begins with the Arabic article.
    article: bool = False


_ARABIC = {
    **dict(
        zip(
            "بتجحدذرزسصضطظغفقكلمنه",
            "b t j h d z r z s s d t z g f q k l m n h".split(),
            strict=True,
        )
    ),
    **dict(zip("پچژگکیٹڈڑںہھےۀۂ", "p ch zh g k y t d r n h h y a a".split(), strict=True)),
    **{"ث": "th", "خ": "kh", "ش": "sh", "ذ": "dh", "ظ": "z", "غ": "gh", "و": "w", "ي": "y"},
    **{"ا": "a", "أ": "a", "إ": "i", "آ": "a", "ٱ": "a", "ى": "a", "ة": "a", "ؤ": "w", "ئ": "y"},
    **{"ع": "", "ء": "", "ۃ": "a", "ې": "e", "ۍ": "y", "ټ": "t", "ډ": "d", "ړ": "r", "ږ": "g"},
    **{"ښ": "sh", "څ": "ts", "ځ": "dz", "ڼ": "n", "ێ": "e", "ۆ": "o", "ڵ": "l", "ڤ": "v", "ە": "e"},
    **{"\u064e": "a", "\u064f": "u", "\u0650": "i", "\u064b": "", "\u064c": "", "\u064d": ""},
}
_HEBREW = {
    **dict(
        zip(
            "אבגדהוזחטיכךלמםנןסעפףצץקרשת",
            "a v g d h w z kh t y k k l m m n n s a p f ts ts k r sh t".split(),
            strict=True,
        )
    ),
}
_CYRILLIC = {
    **dict(
        zip(
            "абвгґдеёєжзиіїйклмнопрстуфхцчшщъыьэюя",
            (
                "a b v g g d e yo ye zh z i i yi y k l m n o p r s t u f kh ts ch sh shch - y - e"
                " yu ya"
            ).split(),
            strict=True,
        )
    ),
    **dict(
        zip(
            "ђјљњћџѓќѕўғқңөұүһәҳҷӣӯ",
            "dj y l n c dj g k dz u g k n o u u h a h j i u".split(),
            strict=True,
        )
    ),
}
_GREEK_PAIRS = (
    ("ου", "u"), ("ευ", "ev"), ("αυ", "av"), ("ει", "i"), ("οι", "i"), ("αι", "e"), ("υι", "i"),
    ("γγ", "ng"), ("γκ", "g"), ("γχ", "nh"), ("μπ", "b"), ("ντ", "d"), ("τζ", "dz"), ("τσ", "ts"),
)  # fmt: skip
_GREEK = dict(
    zip("αβγδεζηθικλμνξοπρσςτυφχψω",
        "a v g d e z i th i k l m n x o p r s s t i f h ps o".split(), strict=True)
)  # fmt: skip
# Letters of Latin alphabets whose mark changes the sound; all others lose their marks.
_MARKED = {
    **{"š": "sh", "ś": "sh", "ş": "sh", "ș": "sh", "ŝ": "shch", "ṣ": "s", "č": "ch", "ć": "ch"},
    **{"ç": "ch", "ž": "zh", "ź": "zh", "ż": "zh", "đ": "d", "ð": "d", "þ": "th", "ł": "l"},
    **{"ø": "o", "œ": "oe", "æ": "ae", "ß": "ss", "ı": "i", "ñ": "n", "ħ": "h", "ŋ": "n"},
    **{"ḫ": "kh", "ẖ": "kh", "ḥ": "h", "ġ": "gh", "ğ": "gh", "ǧ": "j", "ḏ": "dh", "ṯ": "th"},
    **{"ə": "a", "ư": "u", "ơ": "o", "ö": "oe", "ü": "ue", "ä": "ae", "å": "a", "ǥ": "g"},
}
# What Vietnamese does with the same letters is no change of sound.
_UMLAUTS = {"oe": "o", "ue": "u", "ae": "a"}
# The Slavic alphabets tell in which language the same letter stands for another sound.
_UKRAINIAN = frozenset("іїєґ")


def latin(word: str) -> list[Latin]:
    """Return a folded word in Latin letters; a word of Han or Hangul may be several."""
    found = text.scripts(word)
    if "arabic" in found:
        spelled = _one(_mapped(_unpointed(word), _ARABIC), bare=True)
        return [replace(one, article=word.startswith("ال")) for one in spelled]
    if "hebrew" in found:
        return _one(_mapped(text.unmarked(word), _HEBREW), bare=True)
    if "cyrillic" in found:
        return _one(_cyrillic(word))
    if "greek" in found:
        return _one(_greek(word))
    if "thai" in found:
        return _one(from_thai(word), bare=True)
    if found & {"cjk", "hangul"}:
        return _syllables(word)
    if is_indic(word):
        return _one(from_indic(word))
    return _one(_latin(word))


def _one(letters: str, *, bare: bool = False) -> list[Latin]:
    clean = "".join(one for one in letters.lower() if "a" <= one <= "z")
    return [Latin(clean, bare)] if clean else []


def _mapped(word: str, table: dict[str, str]) -> str:
    return "".join(table[one] if one in table else anyascii(one) for one in word)


def _unpointed(word: str) -> str:
    # A doubled consonant is one letter; what is written as vowel signs is kept.
    plain = unicodedata.normalize("NFC", word).replace("\u0640", "").replace("\u0651", "")
    # What the letter ayn begins with is a vowel; elsewhere it is hardly ever written in Latin.
    return "ا" + plain[1:] if plain[:1] == "ع" else plain


def _cyrillic(word: str) -> str:
    table = dict(_CYRILLIC)
    if _UKRAINIAN & set(word):
        table |= {"г": "h", "и": "y"}
    # The signs divide nothing, and йо, ьо are one sound.
    return _mapped(unicodedata.normalize("NFC", word), table).replace("-", "")


def _greek(word: str) -> str:
    plain = text.unmarked(word.replace("ϊ", "ι"))
    for pair, sound in _GREEK_PAIRS:
        plain = plain.replace(pair, sound)
    return "".join(_GREEK[one] if one in _GREEK else anyascii(one) for one in plain)


def _latin(word: str) -> str:
    if word.isascii():
        return word
    composed = unicodedata.normalize("NFC", word)
    return "".join(_MARKED[one] if one in _MARKED else anyascii(one) for one in composed)


def _syllables(word: str) -> list[Latin]:
    """Han and Hangul are written without spaces: the family name comes first.

    The parts of the given name are one word, as most passports write it.
    """
    parts = [anyascii(one).lower() for one in word if one.isalpha()]
    parts = ["".join(letter for letter in one if "a" <= letter <= "z") for one in parts]
    parts = [one for one in parts if one]
    if "hangul" in text.scripts(word):
        # At the end of a syllable they are not voiced.
        parts = [
            one if one.endswith("ng") else one[:-1] + one[-1].translate(_UNVOICED) for one in parts
        ]
    family = 2 if len(parts) >= 3 and "".join(parts[:2]) in _TWO_SYLLABLES else 1
    first = "".join(parts[:family])
    if "hangul" in text.scripts(word):
        first = _KOREAN_FAMILIES.get(first, first)
    split = (first, "".join(parts[family:]))
    return [Latin(one) for one in split if one]


_UNVOICED = str.maketrans("gdb", "ktp")
_TWO_SYLLABLES = frozenset(
    "ouyang sima shangguan zhuge situ dongfang huangfu murong namgung seonu jegal hwangbo dokgo"
    " sagong".split()
)
# As nearly everybody with the name writes it in a passport, against the rule.
_KOREAN_FAMILIES = {
    **{"gim": "kim", "i": "lee", "bak": "park", "choe": "choi", "jeong": "jung", "gang": "kang"},
    **{"jo": "cho", "yun": "yoon", "im": "lim", "o": "oh", "u": "woo", "no": "roh", "gwon": "kwon"},
    **{"sin": "shin", "gu": "koo", "mun": "moon", "ryu": "yoo", "yu": "yoo", "an": "ahn"},
}
