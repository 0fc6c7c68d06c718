"""Made-up people: the same for a seed, recognisably made up, in five scripts, some awkward."""

from __future__ import annotations

import io
import json
import re
import unicodedata
from itertools import islice

import pytest

from casevault.cli.app import app
from casevault.cli.demo.people import SCRIPTS, UNTIL, as_csv, as_json_lines, people
from casevault.domain.case.casefile import DocumentKind
from casevault.domain.case.dictionary import Dictionary
from casevault.domain.importing.htcds import default_mapping
from casevault.domain.importing.records import CsvRecords, JsonRecords

FICTION = re.compile(r"\+1(202|213|312)55501\d\d|\+447700900\d{3}|\+3363998\d{4}")
LETTERS = ("LATIN", "CYRILLIC", "ARABIC", "ETHIOPIC", "DEVANAGARI")


def test_a_seed_makes_the_same_people():
    """Equal for equal seeds, whatever the number asked for; another seed makes others."""
    assert list(people(40, 1)) == list(islice(people(300, 1), 40))
    assert list(people(40, 1)) != list(people(40, 2))


def test_people_are_recognisably_made_up():
    """Family names are among the words for example; phones are reserved for fiction."""
    words = {word for script in SCRIPTS.values() for word in script.family}
    for person in people(300, 3):
        family = person.row["SecondName"]
        assert not family or any(word in family for word in words) or "Exemple" in family
        assert all(FICTION.fullmatch(phone) for phone in person.identity.get("phones", []))
        assert 0 < (UNTIL - person.opened).days < 3 * 366


def test_names_are_in_five_scripts():
    """Each script writes a fifth of the people, and each kind of awkward name occurs."""
    names = [person.identity["name_to_use"] for person in people(300, 1)]
    for script in LETTERS:
        found = [n for n in names if any(script in unicodedata.name(c, "") for c in n)]
        assert len(found) >= 40, script
    assert any(len(name) > 150 for name in names)
    assert any(name != unicodedata.normalize("NFC", name) for name in names)
    assert {sign for name in names for sign in "'\",;-\u200c\u200d" if sign in name} == set(
        "'\",;-\u200c\u200d"
    )
    assert any(set(p.identity["names"][0]) == {"family"} for p in people(300, 1))


@pytest.mark.parametrize(
    ("write", "read"), [(as_csv, CsvRecords), (as_json_lines, JsonRecords)], ids=["csv", "jsonl"]
)
def test_what_is_written_is_read_as_it_was(write, read):
    """Row, mapping and dictionary give back exactly the person's documents."""
    found = list(people(2_000, 5))
    records = read(io.BytesIO("".join(write(iter(found))).encode()))
    mapping = default_mapping(records.columns)
    assert mapping.look_at(records.columns, "CaseNumber").unmapped == ()
    for record, person in zip(records, found, strict=True):
        candidate = mapping.read(record.line, record.cells, "CaseNumber")
        assert candidate.identity == person.identity
        assert candidate.profile == person.profile
        assert candidate.case == {"opened": person.opened.isoformat(), "status": person.status}
        # The dictionary takes it all, and changes nothing but the normal form of letters.
        for kind, content in (
            (DocumentKind.IDENTITY, candidate.identity),
            (DocumentKind.PROFILE, candidate.profile),
        ):
            assert Dictionary().validate(kind, content) == json.loads(
                unicodedata.normalize("NFC", json.dumps(content, ensure_ascii=False))
            )


def test_the_command_writes_a_table(runner):
    """`casevault demo people` gives the table to stdout, in the format that was asked for."""
    done = runner.invoke(app, ["demo", "people", "--count", "3", "--seed", "9"])
    assert done.exit_code == 0, done.output
    assert done.stdout_bytes.decode() == "".join(as_csv(people(3, 9)))
    arguments = ["--count", "2", "--format", "jsonl", "--until", "2030-01-31"]
    done = runner.invoke(app, ["demo", "people", *arguments])
    assert len(done.stdout.splitlines()) == 2
    assert '"IncomingReferralDate": "202' in done.stdout
