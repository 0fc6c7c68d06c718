"""Many made-up cases, imported by the command itself and found complete after reading each back.

10,000 on SQLite and 2,000 on PostgreSQL, in `make test-all`; ``-s`` shows how long it took.
"""

from __future__ import annotations

import os
import time
import unicodedata
from datetime import UTC, datetime

import pytest

from casevault.cli.app import app
from casevault.cli.demo.people import as_csv, people
from casevault.domain.case import facts
from casevault.domain.case.casefile import Compartment, DocumentKind

TODAY = datetime.now(UTC).date()
SOURCE = "Register of made-up people"
KINDS = (DocumentKind.IDENTITY, DocumentKind.PROFILE, DocumentKind.FACTS)


def normal(value):
    """Return a value as it is stored: texts in normal form."""
    if isinstance(value, dict):
        return {name: normal(each) for name, each in value.items()}
    if isinstance(value, list):
        return [normal(each) for each in value]
    return unicodedata.normalize("NFC", value) if isinstance(value, str) else value


def expected(person):
    """Return what must be read back of a person."""
    profile = normal(person.profile)
    mark = {
        "source": SOURCE,
        "source_id": person.row["CaseNumber"],
        "taken_on": TODAY.isoformat(),
        "opened_on": person.opened.isoformat(),
    }
    coded = facts.first_facts(person.identity, person.profile, person.opened)
    # The vault's own, for its counts: not shown to anybody.
    del coded["accepted_on"]
    return {
        DocumentKind.IDENTITY: normal(person.identity),
        DocumentKind.PROFILE: {**profile, "imported": mark},
        DocumentKind.FACTS: coded,
    }


def run_import(world, config, runner, login, file):
    """Import a file as a person; return the report and the seconds it took."""
    reading, writing = os.pipe()
    os.write(writing, world.typed(login).encode())
    os.close(writing)
    arguments = ["htcds", str(file), "--source", SOURCE, "--id-column", "CaseNumber"]
    common = ["--config", str(config), "--login", login, "--passphrase-fd", str(reading)]
    begun = time.monotonic()
    result = runner.invoke(app, ["import", *arguments, *common])
    assert result.exit_code == 0, result.output
    report = {row.split("\t")[0]: row.split("\t")[-1] for row in result.stdout.splitlines()}
    return report, time.monotonic() - begun


def read_all(world, login):
    """Yield every case of a person's caseload with all three documents, page by page."""
    casework, cursor = world.vault.casework, None
    while True:
        caller = world.vault.sessions.authenticate(world.token(login))
        page = casework.list_cases(caller, cursor)
        for view in page.items:
            assert set(view.open_compartments) == {part.value for part in Compartment}
            yield (
                view.case,
                {k: casework.read_document(caller, view.case.id, k).content for k in KINDS},
            )
        cursor = page.cursor
        if cursor is None:
            return


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "count"), [("sqlite", 10_000), ("postgresql", 2_000)])
def test_every_imported_case_is_found_complete(worlds, config_of, runner, tmp_path, kind, count):
    """Every case once, every field of every document as it was made; a rerun changes nothing."""
    world = worlds(kind)
    login, config, file = world.person(), config_of(world), tmp_path / "people.csv"
    file.write_text("".join(as_csv(people(count, 1, TODAY))), encoding="utf-8", newline="")
    report, importing = run_import(world, config, runner, login, file)
    assert (report["taken"], report["already there"], report["refused"]) == (str(count), "0", "0")
    wanted = {person.row["CaseNumber"]: person for person in people(count, 1, TODAY)}
    assert len(wanted) == count
    begun = time.monotonic()
    for case, documents in read_all(world, login):
        # Each person is found once: what was found is not looked for again.
        person = wanted.pop(documents[DocumentKind.PROFILE]["imported"]["source_id"])
        assert documents == expected(person)
        assert (case.opened_month, case.status) == (f"{person.opened:%Y-%m}", person.status)
    reading = time.monotonic() - begun
    assert wanted == {}
    report, again = run_import(world, config, runner, login, file)
    assert (report["taken"], report["already there"]) == ("0", str(count))
    print(  # noqa: T201 - the figure that this test is about
        f"\n{kind}: {count} cases imported in {importing:.0f} s ({count / importing:.0f}/s), all"
        f" found complete in {reading:.0f} s, a second run took none in {again:.0f} s"
    )
