"""`casevault import`: a table becomes cases of the person who signs in, line by line, once."""

from __future__ import annotations

import io
import json
import os
import signal
import stat
import subprocess
import sys
import time
import unicodedata
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import func, select

from casevault.cli.app import app
from casevault.cli.casework import import_run, imports
from casevault.cli.demo.people import as_csv, as_json_lines, people
from casevault.domain.case.casefile import DocumentKind
from casevault.errors import Busy, Invalid, Refused
from casevault.services.casework.importing import BATCH
from casevault.store.engine import tables
from tests.cli.processes import heeds_interrupts
from tests.security.stored import rows as rows_stored

ROOT = Path(__file__).parents[2]
TODAY = datetime.now(UTC).date()
CANARY = "canary-2c77"


def write_people(path, count, seed=1):
    """Write made-up people as their suffix says; return them."""
    found = list(people(count, seed, TODAY))
    write = as_json_lines if path.suffix == ".jsonl" else as_csv
    path.write_text("".join(write(iter(found))), encoding="utf-8", newline="")
    return found


def descriptor(text):
    """Return a file descriptor from which a passphrase can be read."""
    reading, writing = os.pipe()
    os.write(writing, text.encode() + b"\n")
    os.close(writing)
    return reading


@pytest.fixture
def run(world, config_of, runner):
    """Run a command of `casevault import` as a new caseworker, or as somebody given."""
    return runs_in(world, config_of, runner)


@pytest.fixture
def run_sqlite(sqlite_world, config_of, runner):
    """The same, where the database does not matter."""
    return runs_in(sqlite_world, config_of, runner)


def runs_in(world, config_of, runner):
    """Return a function that runs a command in a world."""
    config = config_of(world)
    mine = world.person()

    def call(*arguments, login=None):
        who = login or mine
        common = ["--config", str(config), "--login", who]
        fd = ["--passphrase-fd", str(descriptor(world.typed(who)))]
        # Worlds are shared: what one test took would be there already for the next.
        given = [str(one).replace("SOURCE", f"Old register of {mine}") for one in arguments]
        return runner.invoke(app, ["import", *given, *common, *fd])

    call.login, call.world = mine, world
    return call


def htcds(file, *more, source="SOURCE"):
    """Return the arguments of an import of made-up people."""
    return ["htcds", file, "--source", source, "--id-column", "CaseNumber", *more]


def imported(run):
    """Read back everything that a person imported: number of the source → documents."""
    world = run.world
    caller = world.vault.sessions.authenticate(world.token(run.login))
    casework, found, cursor = world.vault.casework, {}, None
    while True:
        page = casework.list_cases(caller, cursor)
        for view in page.items:
            identity, profile = (
                casework.read_document(caller, view.case.id, kind).content
                for kind in (DocumentKind.IDENTITY, DocumentKind.PROFILE)
            )
            mark = profile.pop("imported")
            found[mark["source_id"]] = (view.case, identity, profile, mark)
        if (cursor := page.cursor) is None:
            return found


def normal(value):
    """Return a value as it is stored: texts in normal form."""
    if isinstance(value, dict):
        return {name: normal(each) for name, each in value.items()}
    if isinstance(value, list):
        return [normal(each) for each in value]
    return unicodedata.normalize("NFC", value) if isinstance(value, str) else value


def rows(result):
    """Return the tab-separated rows of a table on stdout."""
    return [line.split("\t") for line in result.stdout.splitlines()]


@pytest.mark.parametrize("name", ["people.csv", "people.jsonl"])
def test_made_up_people_are_found_complete(run, tmp_path, name):
    """Each line is a case of the importer with every field as it was; a rerun changes nothing."""
    file = tmp_path / name
    made = write_people(file, 2 * BATCH + 3)
    result = run(*htcds(file))
    assert result.exit_code == 0, result.output
    assert ["taken", str(len(made))] in rows(result)
    found = imported(run)
    assert len(found) == len(made)
    for person in made:
        case, identity, profile, mark = found[person.row["CaseNumber"]]
        assert (identity, profile) == (normal(person.identity), normal(person.profile))
        assert case.opened_month == f"{person.opened:%Y-%m}"
        assert case.status == person.status
        assert mark["source"] == f"Old register of {run.login}"
    again = run(*htcds(file))
    assert (again.exit_code, len(imported(run))) == (0, len(made))
    assert ["already there", str(len(made))] in rows(again)
    assert ["taken", "0"] in rows(again)


def test_a_dry_run_says_what_would_happen_and_stores_nothing(run, tmp_path):
    """Columns, what would be taken and what refused; as a table and as JSON."""
    file = tmp_path / "people.csv"
    header, first, second, *_ = "".join(as_csv(people(2, 1, TODAY))).splitlines()
    broken = second.replace("EX-", f"{CANARY},EX-")
    file.write_text(f"{header},Remarks\n{first},x\n{broken},x\n", encoding="utf-8")
    result = run(*htcds(file, "--dry-run"))
    assert result.exit_code == 3
    found = rows(result)
    assert ["FirstName", "identity.names[0].given, identity.name_to_use"] in found
    assert ["Remarks", "(NOT MAPPED, not taken)"] in found
    assert ["would be taken", "1"] in found
    assert ["3", "(the line)", "csv.cells"] in found
    data = json.loads(run(*htcds(file, "--dry-run", "--json")).stdout)
    assert (data["taken"], data["refused"], data["present"]) == (1, 1, 0)
    assert (data["lines"], data["whole"], data["dry_run"]) == (2, True, True)
    assert data["columns"]["unmapped"] == ["Remarks"]
    assert data["columns"]["missing"] == ["HomePhone", "MobilePhone"]
    assert data["first_refusals"] == [{"line": 3, "errors": [{"pointer": "", "code": "csv.cells"}]}]
    assert data["reasons"] == [{"pointer": "", "code": "csv.cells", "lines": 1}]
    assert imported(run) == {}
    assert run("rejects").stdout == ""
    assert CANARY not in result.output


def test_refused_lines_are_said_and_sealed(run, tmp_path):
    """Number, place and code on the terminal, the line itself for its importer alone."""
    file = tmp_path / "people.csv"
    write_people(file, 4)
    text = file.read_text(encoding="utf-8").splitlines()
    gender = people(4, 1, TODAY)
    word = [p.row["Gender"] for p in gender][1]
    text[2] = text[2].replace(word, CANARY, 1)
    data = "\n".join(text).encode()
    data += b"\nEX-9,,,M\xfcller,,Example" + b"," * 15 + b"\n"
    file.write_bytes(data)
    result = run(*htcds(file))
    assert result.exit_code == 3, result.output
    assert ["3", "/identity/gender", "field.code"] in rows(result)
    assert ["6", "/identity/names/0/given", "import.encoding"] in rows(result)
    assert CANARY not in result.output
    assert "casevault import rejects" in result.stderr
    opened = [json.loads(line) for line in run("rejects").stdout.splitlines()]
    assert [one["line"] for one in opened] == [3, 6]
    assert opened[0]["record"]["Gender"] == CANARY
    assert opened[0]["errors"] == [{"pointer": "/identity/gender", "code": "field.code"}]
    assert opened[1]["record"]["FirstName"] == "M\\xfcller"
    assert run("rejects", login="sue").stdout == ""
    assert len(imported(run)) == 3


def test_a_later_run_replaces_what_an_earlier_one_refused(run_sqlite, tmp_path):
    """A mended line is taken, and is not among the refused ones any more."""
    run = run_sqlite
    file = tmp_path / "people.jsonl"
    made = write_people(file, 3)
    good = file.read_text(encoding="utf-8")
    file.write_text(good.replace(made[0].row["Gender"], CANARY), encoding="utf-8")
    assert run(*htcds(file)).exit_code == 3
    assert run(*htcds(file, source="Other")).exit_code == 3
    before = run("rejects").stdout.splitlines()
    file.write_text(good, encoding="utf-8")
    assert run(*htcds(file)).exit_code == 0
    left = [json.loads(line) for line in run("rejects").stdout.splitlines()]
    assert {one["source"] for one in left} == {"Other"}
    assert len(left) < len(before)


def test_refused_lines_are_written_to_a_private_file(run_sqlite, tmp_path):
    """Mode 0600, never over another file; `--remove` erases what was written."""
    run = run_sqlite
    file, out = tmp_path / "people.jsonl", tmp_path / "rejects.jsonl"
    file.write_text('{"CaseNumber": "1", "FirstName": "Mira", "Gender": "x"}\n[1]\n')
    assert run(*htcds(file)).exit_code == 3
    assert run("rejects", "--out", out, "--remove").exit_code == 0
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    assert [json.loads(line)["line"] for line in out.read_text().splitlines()] == [1, 2]
    again = run("rejects", "--out", out)
    assert isinstance(again.exception, Invalid)
    assert again.exception.code == "rejects.out"
    assert run("rejects").stdout == ""


def test_many_refused_lines_are_sealed_in_packets(run_sqlite, tmp_path, monkeypatch):
    """Neither their number nor their size is kept in memory until the end."""
    run = run_sqlite
    monkeypatch.setattr(import_run, "_PACKET_LINES", 10)
    file = tmp_path / "people.jsonl"
    file.write_text('{"CaseNumber": "1", "Gender": "x"}\n' * 34 + "x\n" * 30)
    result = run(*htcds(file))
    assert result.exit_code == 3
    assert len([row for row in rows(result) if row[0].isdigit()]) >= import_run.SHOWN
    assert len(run("rejects").stdout.splitlines()) == 64


def test_a_mapping_file_is_used(run_sqlite, tmp_path):
    """TOML and JSON mean the same; a cell of the source becomes a code of ours."""
    run = run_sqlite
    table = tmp_path / "table.csv"
    table.write_text("No;Called;Sex;Since\n7;Mira Example;F;03.04.2026\n")
    toml, raw = tmp_path / "m.toml", tmp_path / "m.json"
    toml.write_text(
        '[columns]\nCalled = "identity.name_to_use"\n'
        'Sex = { to = "identity.gender", codes = { F = "Feminine" } }\n'
        'Since = { to = "case.opened", date = "%d.%m.%Y" }\n'
    )
    raw.write_text('{"columns": {"Called": "identity.name_to_use"}}')
    arguments = ["htcds", table, "--id-column", "No", "--mapping"]
    for mapping, source in ((toml, "T"), (raw, "J")):
        result = run(*arguments, mapping, "--source", f"{source} {run.login}")
        assert result.exit_code == 0, result.output
        (_, identity, _, mark) = imported(run)["7"]
        assert mark["source"] in {f"T {run.login}", f"J {run.login}"}
        assert identity["name_to_use"] == "Mira Example"
    assert ["Sex", "(NOT MAPPED, not taken)"] in rows(result)


@pytest.mark.parametrize(
    ("content", "more", "code"),
    [
        ("Mira Example,17\nMax Example,18\n", [], "import.id-column"),
        ("CaseNumber,Other\n1,2\n", [], "import.mapping"),
        ("CaseNumber,CaseNumber\n", [], "import.header"),
        ("CaseNumber,Gender\n1,Feminine\n", ["--mapping", "broken.toml"], "mapping.syntax"),
        ("CaseNumber,Gender\n1,Feminine\n", ["--mapping", "wrong.json"], "mapping"),
    ],
)
def test_what_cannot_work_is_said_before_a_passphrase_is_asked(
    runner, config_of, sqlite_world, tmp_path, content, more, code
):
    """A table without header, or a mapping that fits nothing; no cell is repeated."""
    (tmp_path / "broken.toml").write_text("= 1")
    (tmp_path / "wrong.json").write_text('{"columns": []}')
    file = tmp_path / "people.csv"
    file.write_text(content)
    given = [str(tmp_path / one) if one.endswith(("toml", "json")) else one for one in more]
    config = ["--config", str(config_of(sqlite_world))]
    result = runner.invoke(app, ["import", *map(str, htcds(file, *given)), *config])
    assert isinstance(result.exception, Invalid)
    assert result.exception.code == code
    assert "Mira" not in f"{result.output} {result.exception} {result.exception.hint}"


def test_wrong_use_is_told_from_failure(run_sqlite, tmp_path):
    """Exit code 2 for a file that is not there or a delimiter that is none."""
    file = tmp_path / "people.csv"
    assert run_sqlite(*htcds(file)).exit_code == 2
    write_people(file, 1)
    assert run_sqlite(*htcds(file, "--delimiter", "::")).exit_code == 2
    assert run_sqlite(*htcds(file, "--format", "xml")).exit_code == 2


@pytest.mark.parametrize(("delimiter", "sign"), [("tab", "\t"), ("|", "|")])
def test_a_delimiter_can_be_named(run_sqlite, tmp_path, delimiter, sign):
    """A sign that nobody would guess, or a tab, which no shell passes on gladly."""
    file = tmp_path / "people.txt"
    file.write_text(sign.join(("CaseNumber", "FirstName")) + "\n" + sign.join(("1", "Mira")) + "\n")
    assert run_sqlite(*htcds(file, "--delimiter", delimiter)).exit_code == 0
    assert imported(run_sqlite)["1"][1]["name_to_use"] == "Mira"


def test_who_may_not_open_cases_imports_nothing(run_sqlite, tmp_path):
    """The command acts as the person; an administrator opens no case by it."""
    file = tmp_path / "people.csv"
    write_people(file, 2)
    result = run_sqlite(*htcds(file), login="adi")
    assert isinstance(result.exception, Refused)
    assert imported(run_sqlite) == {}


def test_a_failure_in_the_middle_says_how_to_go_on(run_sqlite, tmp_path, monkeypatch):
    """What was taken stays taken, the summary is shown, the same command finishes."""
    run = run_sqlite
    file = tmp_path / "people.csv"
    write_people(file, 2 * BATCH)
    once = iter([None])
    take = run.world.vault.importing.__class__.take

    def fails_the_second_time(self, *arguments):
        if next(once, "over") is not None:
            raise Busy(code="planted")
        return take(self, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr("casevault.services.casework.importing.Importing.take", fails_the_second_time)
        result = run(*htcds(file))
    assert isinstance(result.exception, Busy)
    assert ["taken", str(BATCH)] in rows(result)
    assert "run the same command again" in result.stderr
    result = run(*htcds(file))
    assert ["taken", str(BATCH)] in rows(result)
    assert ["already there", str(BATCH)] in rows(result)


def test_names_of_columns_cannot_command_a_terminal(run_sqlite, tmp_path):
    """Escape sequences in a header are shown as question marks."""
    file = tmp_path / "people.csv"
    file.write_text("CaseNumber,FirstName,\x1b[2Jx\n1,Mira,y\n")
    result = run_sqlite(*htcds(file))
    assert ["?[2Jx", "(NOT MAPPED, not taken)"] in rows(result)
    assert "\x1b" not in result.output


def test_words_of_a_table_are_in_no_store_and_in_no_log(run, tmp_path, caplog):
    """Taken or refused, what stood in a table lies nowhere but sealed."""
    file = tmp_path / "people.csv"
    header = "CaseNumber,FirstName,SecondName,Gender\n"
    taken = f"{CANARY}-1,{CANARY},Example,Feminine\n"
    refused = f"{CANARY}-2,{CANARY},Example,{CANARY}\n"
    file.write_text(header + taken + refused)
    assert run(*htcds(file, source=f"{CANARY} {run.login}")).exit_code == 3
    assert run("rejects", "--remove").stdout.count(CANARY) == 4
    assert len(imported(run)) == 1
    values = [repr(value) for _, row in rows_stored(run.world.vault) for value in row]
    assert len(values) > 100
    assert not any(CANARY in value for value in values)
    assert CANARY not in caplog.text


def test_a_reader_shows_the_first_hundred_names_only():
    """A file whose every line has other names does not fill the memory."""
    lines = "".join(json.dumps({"Id": n, f"c{n}": 1}) + "\n" for n in range(300))
    records = imports.JsonRecords(io.BytesIO(lines.encode()))
    reader = import_run.Reader(records, imports.default_mapping([]), "Id")
    for record in records:
        reader.read(record)
    assert len(reader.columns().unmapped) <= 100


def lines_of(world):
    """Count the lines that are remembered as taken."""
    with world.vault.stores.data.reading() as connection:
        return connection.execute(select(func.count()).select_from(tables.import_line)).scalar_one()


@pytest.mark.faults
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_a_run_that_is_killed_goes_on_where_it_stopped(world, config_of, runner, tmp_path, how):
    """Whenever it dies: each line is there once when the same command has run to its end."""
    run = runs_in(world, config_of, runner)
    file = tmp_path / "people.csv"
    made = write_people(file, 16 * BATCH)
    config = ["--config", str(config_of(world)), "--login", run.login]
    before, fd = lines_of(world), descriptor(world.typed(run.login))
    command = [
        sys.executable,
        "-m",
        "casevault",
        "import",
        *map(str, htcds(file, source=f"Old register of {run.login}")),
        *config,
    ]
    with subprocess.Popen(
        [*command, "--passphrase-fd", str(fd)],
        cwd=ROOT,
        pass_fds=[fd],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        preexec_fn=heeds_interrupts,
    ) as child:
        os.close(fd)
        until = time.monotonic() + 60
        while lines_of(world) - before < 2 * BATCH and time.monotonic() < until:
            time.sleep(0.01)
        child.send_signal(how)
        _, said = child.communicate(timeout=30)
    taken = lines_of(world) - before
    assert 0 < taken < len(made), said.decode()
    assert (b"Signed out." in said) == (how is signal.SIGINT)
    result = run(*htcds(file))
    assert result.exit_code == 0, result.output
    assert ["already there", str(taken)] in rows(result)
    assert ["taken", str(len(made) - taken)] in rows(result)
    assert set(imported(run)) == {person.row["CaseNumber"] for person in made}
