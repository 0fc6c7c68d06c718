"""Made-up people for demos, tests and measurements, the same for the same seed.

Nobody here exists: family names mean "example" or "sample" in their language, and phones come
from ranges that the United States, the United Kingdom and France keep free for fiction. Names are
written in five scripts, and some are awkward on purpose.
"""

from __future__ import annotations

import csv
import io
import json
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

from casevault.domain import vocabulary

UNTIL = date(2026, 10, 31)
COLUMNS = (
    "CaseNumber",
    "IncomingReferralDate",
    "Status",
    "FirstName",
    "MiddleName",
    "SecondName",
    "Birthdate",
    "Age",
    "Gender",
    "Citizenship",
    "PrimaryLanguage",
    "SecondaryLanguage",
    "Phone",
    "TraffickingStatus",
    "RelationshipToTrafficker",
    "MethodOfRecruitment",
    "MethodsOfControl",
    "TypeOfExploitation",
    "TypeOfSexExploitation",
    "ForcedLabourIndustry",
    "CountryOfExploitation",
)


@dataclass(frozen=True, slots=True)
class _Script:
    """Names of one script, and where people who bear them may come from."""

    given: tuple[str, ...]
    middle: tuple[str, ...]
    family: tuple[str, ...]
    countries: tuple[str, ...]
    languages: tuple[str, ...]


_LATIN = _Script(
    ("Ana", "Blessing", "José", "Grace", "Nguyệt", "Łucja", "Šárka", "Zoë", "Ömer", "Iñaki"),
    ("Marie", "Thị", "de los Ángeles", "Ye", "bint Musa"),
    (
        "Example",
        "van der Example",
        "O'Sample",
        "d'Exemple",
        "de la Muestra",
        "Muster-Beispiel",
        "Ejemplo y Modelo",
        "Przykład",
        "Örnek",
        "Mẫu",
    ),
    ("RO", "NG", "PH", "VN", "CO", "TR"),
    ("eng", "fra", "spa", "ron", "vie"),
)
_CYRILLIC = _Script(
    ("Олена", "Мария", "Иван", "Ђорђе", "Айгуль", "Їванна", "Яна"),
    ("Примеровна", "Зразківна"),
    ("Примерова", "Примеров", "Приклад", "Образцова", "Зразок-Приклад", "Үлгі"),
    ("MD", "UA", "BG", "KG", "RS"),
    ("ukr", "rus", "bul", "kir"),
)
_ARABIC = _Script(
    ("أمينة", "يوسف", "فاطمة الزهراء", "نور", "عبد الله", "مریم", "زینب"),
    ("بنت", "بن"),
    ("مثال", "المثال", "نموذج", "آل نموذج", "نمونه\u200cای"),
    ("SY", "SD", "IQ", "MA", "AF"),
    ("ara", "fas"),
)
_ETHIOPIC = _Script(
    ("ሰላም", "አበበ", "ትርሃስ", "ኃይለ ማርያም", "ሐና"),
    ("ወልደ",),
    ("ምሳሌ", "ናሙና"),
    ("ET", "ER"),
    ("amh", "tir"),
)
_DEVANAGARI = _Script(
    ("सीता", "राम", "ज्योति", "अनीता", "प्रज्ञा", "क्षितिज"),
    ("कुमारी", "बहादुर"),
    ("उदाहरण", "नमूना", "नमूना\u200dवाला"),
    ("NP", "IN"),
    ("nep", "hin"),
)
SCRIPTS: Mapping[str, _Script] = {
    "latin": _LATIN,
    "cyrillic": _CYRILLIC,
    "arabic": _ARABIC,
    "ethiopic": _ETHIOPIC,
    "devanagari": _DEVANAGARI,
}
_WHERE = ("AE", "DE", "ES", "GB", "IT", "LB", "LY", "SA", "TH", "US")
_NAMES = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class Person:
    """A made-up person: as a row of HTCDS columns, and as the documents that follow from it."""

    row: Mapping[str, str] = field(repr=False)
    identity: Mapping[str, Any] = field(repr=False)
    profile: Mapping[str, Any] = field(repr=False)
    opened: date
    status: str


def people(count: int, seed: int, until: date = UNTIL) -> Iterator[Person]:
    """Yield this many people; their cases were opened in the three years before `until`."""
    chance = random.Random(seed)  # noqa: S311 - people for demos, no secret
    scripts = list(SCRIPTS.values())
    for number in range(count):
        yield _person(chance, number, scripts[number % len(scripts)], until)


def as_csv(found: Iterator[Person]) -> Iterator[str]:
    """Yield the lines of a table with a header."""
    yield _csv_line(COLUMNS)
    for person in found:
        yield _csv_line([person.row[name] for name in COLUMNS])


def as_json_lines(found: Iterator[Person]) -> Iterator[str]:
    """Yield one JSON object a line; what is empty is left out."""
    for person in found:
        filled = {name: value for name, value in person.row.items() if value}
        yield json.dumps(filled, ensure_ascii=False) + "\n"


def _person(chance: random.Random, number: int, script: _Script, until: date) -> Person:
    opened = until - timedelta(days=chance.randrange(1, 3 * 365))
    names = _names(chance, number, script)
    identity = _identity(chance, names, script, opened)
    profile = _profile(chance)
    status = _one(chance, ("Active", "Active", "FollowUp", "Closed"))
    case = {
        "CaseNumber": f"EX-{opened.year}/{number:05d}",
        "IncomingReferralDate": opened.isoformat(),
        "Status": status,
    }
    born = identity.get("birth_year")
    birthdate = "" if born is None else f"{born}-{1 + number % 12:02d}-{1 + number % 28:02d}"
    row = case | _identity_row(identity, names, birthdate) | _profile_row(profile)
    return Person(row, identity, profile, opened, status)


def _names(chance: random.Random, number: int, script: _Script) -> _NAMES:
    given, family = _one(chance, script.given), _one(chance, script.family)
    middle = _one(chance, script.middle) if chance.random() < 0.3 else ""
    awkward: Mapping[int, _NAMES] = {
        # One name only, in either place.
        3: (given, "", ""),
        8: ("", "", family),
        # As long as a name may be.
        13: (" ".join([given] * 40)[:90].strip(), "", "-".join([family] * 40)[:90].strip(" -")),
        # Marks that combine: two on one letter, in an order that is not the normal one.
        16: ("A\u0323\u0302nh", "", "Exemple\u0301"),
        # Both directions in one name, and signs that a table uses itself.
        21: (f"{given} (Sample)", "", f"{family}, Example"),
        23: (f'"{given}"', "", f"{family};Example"),
    }
    return awkward.get(number % 24, (given, middle, family))


def _identity(
    chance: random.Random, names: _NAMES, script: _Script, opened: date
) -> dict[str, Any]:
    keys = ("given", "other", "family")
    found: dict[str, Any] = {
        "name_to_use": " ".join(part for part in names if part),
        "names": [{key: part for key, part in zip(keys, names, strict=True) if part}],
        "gender": _one(chance, vocabulary.code_list("gender")),
        "citizenships": _some(chance, script.countries, 1, 2),
        "languages": _some(chance, script.languages, 1, 2),
    }
    age = chance.randrange(6, 70)
    if chance.random() < 0.5:
        found["age"] = age
    else:
        found["birth_year"] = opened.year - age
    if chance.random() < 0.7:
        found["phones"] = [_phone(chance) for _ in range(chance.randrange(1, 3))]
    return found


def _profile(chance: random.Random) -> dict[str, Any]:
    kinds = _some(chance, vocabulary.code_list("type_of_exploitation"), 1, 2)
    event: dict[str, Any] = {
        "type": "Exploitation",
        "exploitation": kinds,
        "recruited_by": _one(chance, vocabulary.code_list("method_of_recruitment")),
        "controlled_by": _some(chance, vocabulary.code_list("methods_of_control"), 1, 4),
    }
    if "SexualExploitation" in kinds:
        event["sexual"] = _some(chance, vocabulary.code_list("type_of_sex_exploitation"), 1, 2)
    if "ForcedLabour" in kinds:
        event["industry"] = _some(chance, vocabulary.code_list("labour_industry"), 1, 1)
    if chance.random() < 0.8:
        event["country"] = _one(chance, _WHERE)
    found: dict[str, Any] = {
        "trafficking_status": _one(chance, vocabulary.code_list("trafficking_status")),
        "history": [event],
    }
    if chance.random() < 0.4:
        relationship = _one(chance, vocabulary.code_list("relationship_to_trafficker"))
        found["perpetrators"] = [
            {"described_as": "Not described in the source", "relationship": relationship}
        ]
    return found


def _identity_row(identity: Mapping[str, Any], names: _NAMES, birthdate: str) -> dict[str, str]:
    first, *second = identity["languages"]
    return {
        "FirstName": names[0],
        "MiddleName": names[1],
        "SecondName": names[2],
        "Birthdate": birthdate,
        "Age": str(identity.get("age", "")),
        "Gender": identity["gender"],
        "Citizenship": ";".join(identity["citizenships"]),
        "PrimaryLanguage": first,
        "SecondaryLanguage": ";".join(second),
        "Phone": ";".join(identity.get("phones", [])),
    }


def _profile_row(profile: Mapping[str, Any]) -> dict[str, str]:
    event = profile["history"][0]
    perpetrator = profile.get("perpetrators", [{}])[0]
    return {
        "TraffickingStatus": profile["trafficking_status"],
        "RelationshipToTrafficker": perpetrator.get("relationship", ""),
        "MethodOfRecruitment": event["recruited_by"],
        "MethodsOfControl": ";".join(event["controlled_by"]),
        "TypeOfExploitation": ";".join(event["exploitation"]),
        "TypeOfSexExploitation": ";".join(event.get("sexual", [])),
        "ForcedLabourIndustry": ";".join(event.get("industry", [])),
        "CountryOfExploitation": event.get("country", ""),
    }


def _phone(chance: random.Random) -> str:
    return _one(
        chance,
        (
            f"+1{_one(chance, ('202', '213', '312'))}55501{chance.randrange(100):02d}",
            f"+447700900{chance.randrange(1000):03d}",
            f"+3363998{chance.randrange(10_000):04d}",
        ),
    )


def _one(chance: random.Random, choices: Sequence[str]) -> str:
    return choices[chance.randrange(len(choices))]


def _some(chance: random.Random, choices: Sequence[str], low: int, high: int) -> list[str]:
    wanted = min(chance.randrange(low, high + 1), len(choices))
    found: list[str] = []
    while len(found) < wanted:
        one = _one(chance, choices)
        if one not in found:
            found.append(one)
    return found


def _csv_line(cells: Sequence[str]) -> str:
    line = io.StringIO()
    csv.writer(line).writerow(cells)
    return line.getvalue()
