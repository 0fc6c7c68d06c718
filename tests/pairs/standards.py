"""How standards and habits write a name in Latin, as tables from the name's own letters.

Each function takes a name as `people` has it and returns one spelling. The rules are public:
ICAO Doc 9303 part 3, ISO 9:1995, BGN/PCGN, the Ukrainian resolution 55 of 2010, ALA-LC, ELOT 743,
Hunterian, RTGS, Hanyu Pinyin, Wade-Giles, Revised Romanisation, and the spellings that French,
German and English clerks are used to.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable

Spell = Callable[[str], str]


def bare(text: str) -> str:
    """Return Latin letters without marks, as a machine-readable passport has them."""
    special = {"ß": "ss", "ø": "oe", "æ": "ae", "ł": "l", "đ": "d", "ı": "i", "ð": "d", "þ": "th"}
    kept = "".join(special.get(one, one) for one in text)
    found = unicodedata.normalize("NFD", kept)
    return "".join(one for one in found if not unicodedata.combining(one) and one not in "ʿʾʹ'’")


def by(table: dict[str, str], *, strip: bool = True) -> Spell:
    """Return a spelling by a table whose longest entries come first."""
    entries = sorted(table, key=len, reverse=True)
    widest = len(entries[0])

    def spell(name: str) -> str:
        done, at, low = "", 0, name.lower()
        while at < len(low):
            for width in range(widest, 0, -1):
                part = low[at : at + width]
                if len(part) == width and part in table:
                    done += table[part]
                    at += width
                    break
            else:
                done += low[at]
                at += 1
        return (bare(done) if strip else done).title()

    return spell


def _zip(letters: str, sounds: str) -> dict[str, str]:
    return {a: b.replace("0", "") for a, b in zip(letters, sounds.split(), strict=True)}


_RU = "абвгдеёжзийклмнопрстуфхцчшщъыьэюя"
RUSSIAN: dict[str, Spell] = {
    "icao": by(
        _zip(_RU, "a b v g d e e zh z i i k l m n o p r s t u f kh ts ch sh shch ie y 0 e iu ia")
    ),
    "iso9": by(
        _zip(_RU, "a b v g d e ë ž z i j k l m n o p r s t u f h c č š ŝ 0 y 0 è û â"), strip=False
    ),
    "iso9 without marks": by(
        _zip(_RU, "a b v g d e e z z i j k l m n o p r s t u f h c c s s 0 y 0 e u a")
    ),
    "bgn": by(
        _zip(_RU, "a b v g d e yo zh z i y k l m n o p r s t u f kh ts ch sh shch 0 y 0 e yu ya")
    ),
    "french": by(
        _zip(_RU, "a b v g d e io j z i i k l m n o p r s t ou f kh ts tch ch chtch 0 y 0 e iou ia")
    ),
    "german": by(
        _zip(
            _RU,
            "a b w g d e jo sch s i i k l m n o p r s t u f ch z tsch sch schtsch 0 y 0 e ju ja",
        )
    ),
}
_UK = "абвгґдеєжзиіїйклмнопрстуфхцчшщьюя"
UKRAINIAN: dict[str, Spell] = {
    "resolution 55": by(
        {
            **_zip(
                _UK, "a b v h g d e ie zh z y i i i k l m n o p r s t u f kh ts ch sh shch 0 iu ia"
            ),
            "зг": "zgh",
        }
    ),
    "bgn": by(
        _zip(_UK, "a b v h g d e ye zh z y i yi y k l m n o p r s t u f kh ts ch sh shch 0 yu ya")
    ),
    "iso9": by(
        _zip(_UK, "a b v g g d e ê ž z i ì ï j k l m n o p r s t u f h c č š ŝ 0 û â"), strip=False
    ),
    "by way of russian": by(
        _zip(_UK, "a b v g g d e e zh z i i i y k l m n o p r s t u f kh ts ch sh shch 0 yu ya")
    ),
}
_ALA = {"ʿ": "", "ʾ": "", "dh": "dh", "th": "th"}
ARABIC: dict[str, Spell] = {
    "ala-lc": lambda name: name.title(),
    "ala-lc without marks": by(_ALA),
    "english": by({**_ALA, "ū": "oo", "ī": "ee", "ā": "a", "iyya": "iya", "q": "q", "dh": "dh"}),
    "french": by(
        {
            **_ALA,
            "sh": "ch",
            "ū": "ou",
            "u": "ou",
            "j": "dj",
            "w": "ou",
            "dh": "dh",
            "ī": "i",
            "al-": "el ",
        }
    ),
    "german": by({**_ALA, "sh": "sch", "j": "dsch", "kh": "ch", "y": "j", "z": "s"}),
    "egyptian": by(
        {**_ALA, "j": "g", "q": "k", "al-": "el-", "dh": "d", "th": "t", "aw": "o", "ay": "e"}
    ),
}
PERSIAN: dict[str, Spell] = {
    "ala-lc": lambda name: name.title(),
    "without marks": by(_ALA),
    "english": by({**_ALA, "ū": "oo", "ī": "ee", "ā": "a", "u": "o", "ay": "ey"}),
    "german": by({**_ALA, "sh": "sch", "zh": "sch", "ch": "tsch", "ū": "u", "ī": "i", "j": "dsch"}),
}
URDU: dict[str, Spell] = {
    "ala-lc": lambda name: name.title(),
    "without marks": by(_ALA),
    "english": by({**_ALA, "ū": "oo", "ī": "ee", "q": "q", "ʿ": ""}),
}
HEBREW: dict[str, Spell] = {
    "academy": by({"ẖ": "h", "ts": "ts", "kh": "kh"}),
    "english": by({"ẖ": "ch", "ts": "tz", "kh": "ch"}),
    "german": by({"ẖ": "ch", "sh": "sch", "y": "j", "v": "w", "ts": "z", "kh": "ch"}),
}
_EL = {
    **_zip("αβγδεζηθικλμνξοπρσςτυφχψω", "a v g d e z i th i k l m n x o p r s s t y f ch ps o"),
    "ου": "ou", "ευ": "ev", "αυ": "av", "γγ": "ng", "γκ": "gk", "μπ": "b",
}  # fmt: skip


def _greek(table: dict[str, str]) -> Spell:
    spell = by(table)

    def plain(name: str) -> str:
        found = unicodedata.normalize("NFD", name.lower())
        return spell("".join(one for one in found if not unicodedata.combining(one)))

    return plain


GREEK: dict[str, Spell] = {
    "elot": _greek(_EL),
    "as spoken": _greek(
        {
            **_EL,
            "υ": "i",
            "χ": "h",
            "ει": "i",
            "οι": "i",
            "αι": "e",
            "ου": "u",
            "γκ": "g",
            "ντ": "d",
        }
    ),
    "letter by letter": _greek(
        {**_EL, "β": "b", "η": "e", "φ": "ph", "χ": "kh", "ευ": "eu", "αυ": "au", "υ": "y"}
    ),
}
_ROWS = {0x1208: "l", 0x1218: "m", 0x1228: "r", 0x1230: "s", 0x1238: "sh", 0x1240: "q", 0x1260: "b",
         0x1270: "t", 0x1278: "ch", 0x1290: "n", 0x1298: "ny", 0x12A0: "", 0x12A8: "k", 0x12C8: "w",
         0x12D0: "", 0x12D8: "z", 0x12E8: "y", 0x12F0: "d", 0x1300: "j", 0x1308: "g", 0x1200: "h",
         0x1210: "h", 0x1220: "s", 0x1280: "h", 0x1320: "t", 0x1328: "ch", 0x1338: "ts", 0x1340: "ts",
         0x1348: "f", 0x1350: "p", 0x1268: "v", 0x12B8: "h"}  # fmt: skip


def _ethiopic(vowels: str, changes: dict[str, str]) -> Spell:
    orders = [one.replace("0", "") for one in vowels.split()]

    def spell(name: str) -> str:
        done = ""
        for at, letter in enumerate(name):
            row = ord(letter) & ~7
            if row in _ROWS:
                order = ord(letter) & 7
                # The first order of the letters of the throat is an `a`; the sixth has no vowel
                # at the end of a word.
                open_ = order == 0 and _ROWS[row] in ("", "h")
                last = order == 5 and at == len(name) - 1
                done += _ROWS[row] + ("a" if open_ else "" if last else orders[order])
            else:
                done += letter
        for old, new in changes.items():
            done = done.replace(old, new)
        return done.title()

    return spell


ETHIOPIC: dict[str, Spell] = {
    "bgn": _ethiopic("e u i a e i o wa", {"ii": "i"}),
    "as passports have it": _ethiopic("e u i a e 0 o ua", {"ts": "ts"}),
    "french": _ethiopic("e ou i a e i o oua", {"sh": "ch", "j": "dj"}),
}
HINDI: dict[str, Spell] = {
    "iso 15919": lambda name: name.title(),
    "hunterian": by({"ś": "sh", "ṣ": "sh", "c": "ch", "ch": "chh", "ṃ": "n", "v": "v", "r̥": "ri"}),
    "english": by(
        {
            "ś": "sh",
            "ṣ": "sh",
            "c": "ch",
            "ī": "ee",
            "ū": "oo",
            "ṃ": "n",
            "v": "v",
            "r̥": "ri",
            "kṣ": "x",
        }
    ),
}
BENGALI: dict[str, Spell] = {
    "iso 15919": lambda name: name.title(),
    "english": by({"ś": "sh", "ṣ": "sh", "c": "ch", "ī": "i", "ū": "u", "ẏ": "y", "ô": "o"}),
    "passport": by({"ś": "sh", "c": "ch", "ī": "ee", "ū": "oo", "ẏ": "y", "ô": "a", "j": "z"}),
}
THAI: dict[str, Spell] = {
    "rtgs": lambda name: name.title(),
    "passport": by({"ph": "p", "ch": "j", "ue": "u", "kh": "k", "ae": "ae"}),
    "english": by({"ae": "a", "o": "o", "u": "oo", "th": "t"}),
}
PINYIN: dict[str, Spell] = {
    "pinyin": lambda name: bare(name).title(),
    "apart": lambda name: name.replace("·", " ").title(),
    "wade-giles": by({"zh": "ch", "x": "hs", "q": "ch", "j": "ch", "b": "p", "d": "t", "g": "k",
                      "z": "ts", "r": "j", "ng": "ng", "si": "ssu", "·": "-", "p": "p", "t": "t", "k": "k", "ian": "ien", "iang": "iang", "ong": "ung"}),
}  # fmt: skip
HANGUL: dict[str, Spell] = {
    "revised": lambda name: name.replace("·", "").title(),
    "hyphen": lambda name: name.replace("·", "-").title(),
    "popular": by({"eo": "u", "eu": "u", "ae": "ae", "·": " ", "ui": "ee", "hui": "hee"}),
    "mccune": by(
        {"eo": "o", "eu": "u", "·": "-", "ng": "ng", "g": "k", "d": "t", "b": "p", "j": "ch"}
    ),
}
MARKED: dict[str, Spell] = {
    "as written": lambda name: name.title(),
    "icao": by({"ä": "ae", "ö": "oe", "ü": "ue", "å": "aa", "ñ": "n", "ø": "oe", "ß": "ss"}),
    "without marks": by({"ø": "o", "ä": "a", "ö": "o", "ü": "u", "å": "a"}),
}
