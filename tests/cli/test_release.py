"""`casevault release simulate`: records in, files out, marked; bad input is told by its place."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from casevault.cli.app import app
from casevault.disclosure import catalogue, parameters, planning
from casevault.errors import Conflict, Invalid, Refused

HEADER = (
    "case_row,pid,accepted,region,branch,statistics_consent,"
    "gender,age_band,citizenships,exploitation,controlled_by,context"
)
SERVICES = "case_row,service,date,outcome"
TABLE = "people-exploitation-age-gender"
_WORD = "made-up-word"
_SIDECAR = ".csv-metadata.json"


def _facts(people: int = 120, line: str = "") -> str:
    kinds = ("ForcedLabour", "SexualExploitation", "ForcedLabour;SexualExploitation", "")
    rows = [
        f"{n},p{n},2025-0{1 + n % 9}-15,{'North' if n % 3 else 'South'},b,1,"
        f"{'Feminine' if n % 2 else 'Masculine'},18_to_24,NG,{kinds[n % 4]},DebtBondage,conflict"
        for n in range(people)
    ]
    return "\n".join([HEADER, *rows, *([line] if line else [])]) + "\n"


class _Run:
    """Runs the command in a folder; answers its files."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(self, facts: str | bytes, *arguments: str, services: str | None = None):
        path = self.folder / "facts.csv"
        path.write_bytes(facts if isinstance(facts, bytes) else facts.encode())
        more = []
        if services is not None:
            (self.folder / "services.csv").write_text(services)
            more = ["--services", str(self.folder / "services.csv")]
        out = self.folder / "out"
        command = ["release", "simulate", str(path), "--out", str(out), *more, *arguments]
        return CliRunner().invoke(app, command)

    def files(self) -> dict[str, bytes]:
        return {p.name: p.read_bytes() for p in sorted((self.folder / "out").iterdir())}

    def rows(self, table: str) -> list[dict[str, str]]:
        text = (self.folder / "out" / f"{table}.csv").read_bytes().decode()
        return list(csv.DictReader(io.StringIO(text, newline="")))


@pytest.fixture
def run(tmp_path: Path) -> _Run:
    """Give a runner in a folder of its own."""
    return _Run(tmp_path)


def test_files_have_the_columns_of_the_format(run):
    """Exactly these names, in this order, with `_T` where a dimension is summed over."""
    assert run(_facts(), "--tables", TABLE, "--seed", "1").exit_code == 0
    head = run.files()[f"{TABLE}.csv"].decode().splitlines()[0]
    assert head == (
        "indicator,period_start,period_end,geo,exploitation,age_band,gender,"
        "value,lower95,upper95,status,method,release_id"
    )
    first = run.rows(TABLE)[0]
    assert (first["geo"], first["exploitation"], first["gender"]) == ("_T", "_T", "_T")
    assert (first["period_start"], first["period_end"]) == ("2025-01-01", "2025-12-31")
    assert abs(int(first["value"]) - 120) < 60


def test_every_row_says_that_it_is_a_simulation_and_how_it_was_made(run):
    """A row that is pasted elsewhere keeps its caveat."""
    run(_facts(), "--seed", "1")
    for name in ("people-total", TABLE, "people-region"):
        for row in run.rows(name):
            assert "SIMULATION" in row["method"]
            assert "epsilon=2.03" in row["method"]
            assert row["release_id"].startswith("SIMULATION-2025-")
            assert (row["value"] == "") == (row["status"] == "W")


def test_the_same_seed_gives_the_same_files_and_another_does_not(run):
    """Also when the folder is there already."""
    run(_facts(), "--seed", "1")
    first = run.files()
    run(_facts(), "--seed", "1")
    assert run.files() == first
    run(_facts(), "--seed", "2")
    assert run.files() != first
    run(_facts())
    fresh = run.files()
    run(_facts())
    assert run.files() != fresh


def test_one_person_more_has_noise_of_their_own(run):
    """Under one seed too: subtracting two simulations does not show the newcomer."""
    away = set()
    for seed in range(6):
        totals = []
        for people in (120, 121):
            run(_facts(people), "--seed", str(seed), "--tables", "people-total")
            totals.append(int(run.rows("people-total")[0]["value"]))
        away.add(totals[1] - totals[0])
    assert len(away) > 2


def test_the_release_id_says_nothing_of_the_records(run):
    """Same seed, other people: same id."""
    run(_facts(120), "--seed", "1", "--tables", "people-total")
    first = run.rows("people-total")[0]["release_id"]
    run(_facts(60), "--seed", "1", "--tables", "people-total")
    assert run.rows("people-total")[0]["release_id"] == first


def test_a_sidecar_describes_each_file(run):
    """CSVW: the columns of the file, the categories, the noise of every vector."""
    run(_facts(), "--tables", TABLE, "--seed", "1")
    data = json.loads(run.files()[f"{TABLE}.csv-metadata.json"])
    names = [column["name"] for column in data["tableSchema"]["columns"]]
    assert data["url"] == f"{TABLE}.csv"
    assert names == run.files()[f"{TABLE}.csv"].decode().splitlines()[0].split(",")
    (mechanism,) = data["casevault:releases"]
    assert mechanism["simulation"] is True
    assert {m["vector"] for m in mechanism["measured"]} >= {"people", "people/gender"}
    assert "accurate to about ±" in data["dc:description"]


def test_shown_numbers_add_up_or_are_less(run):
    """Where no cell of a margin is withheld the details sum to it; otherwise they are fewer."""
    run(_facts(900), "--tables", "people-context-exploitation", "--seed", "3")
    rows = run.rows("people-context-exploitation")
    for axis, other in (("context", "exploitation"), ("exploitation", "context")):
        for row in rows:
            if row[other] == "_T" and row[axis] != "_T" and row["value"]:
                parts = [r for r in rows if r[axis] == row[axis] and r[other] != "_T"]
                known = sum(int(r["value"]) for r in parts if r["value"])
                assert known <= int(row["value"])
                if all(r["value"] for r in parts):
                    assert known == int(row["value"])


def test_several_years_are_several_periods(run):
    """Each year of many people is a release of its own; one of one person is not named."""
    facts = _facts(600).replace(",2025-01-", ",2024-01-").replace(",2025-02-", ",2024-02-")
    facts = facts.replace(",2025-03-", ",2024-03-").replace(",2025-04-", ",2024-04-")
    facts += "900,q,2023-05-05,North,b,1,Feminine,,,,,\n"
    run(facts, "--tables", "people-total", "--seed", "1")
    assert [r["period_start"] for r in run.rows("people-total")] == ["2024-01-01", "2025-01-01"]
    run(facts, "--tables", "people-total", "--seed", "1", "--period", "2023")
    (one,) = run.rows("people-total")
    assert (one["period_start"], one["value"], one["status"]) == ("2023-01-01", "", "W")


def test_a_year_that_no_period_has_is_left_out(run):
    """Dates of a former century stop nothing."""
    old = _facts(300).replace(",2025-", ",1998-")
    new = "".join(f"n{n},n{n},2024-05-05,North,b,1,Feminine,,,,,\n" for n in range(300))
    assert run(old + new, "--tables", "people-total", "--seed", "1").exit_code == 0
    assert [row["period_start"] for row in run.rows("people-total")] == ["2024-01-01"]


def test_nobody_and_one_person_give_the_same_files_but_for_numbers(run):
    """A release like any other: no error, the same rows, nothing that says that it is empty."""
    line = "1,p,2025-05-05,Faraway,b,{},Feminine,,,,,\n"
    found = []
    for lines in ("", line.format(0), line.format(1)):
        facts = HEADER + "\n" + lines
        done = run(facts, "--period", "2025", "--seed", "1", services=SERVICES + "\n")
        assert done.exit_code == 0
        described = {name: one for name, one in run.files().items() if name.endswith(".json")}
        rows = [[*row.values()] for name in described for row in run.rows(name[: -len(_SIDECAR)])]
        found.append((described, [(*row[:-6], *row[-2:]) for row in rows]))
    assert len(found[0][0]) == 10
    assert found[0] == found[1] == found[2]


def test_more_regions_than_a_table_holds_are_no_error(run):
    """Whose region is one more than that must not be seen in an exit code."""
    facts = HEADER + "\n"
    facts += "".join(f"{n},p{n},2025-05-05,R{n},b,1,Feminine,,,,,\n" for n in range(501))
    assert run(facts, "--tables", "people-region", "--seed", "1").exit_code == 0
    assert {row["geo"] for row in run.rows("people-region")} == {"_T", "unknown"}


def test_a_year_beside_its_halves_takes_what_they_left(run):
    """One person never pays more than a year allows, in a simulation too."""
    halves = ("--period", "2025-H1", "--period", "2025-H2")
    run(_facts(), "--tables", "people-total", "--period", "2025", *halves)
    paid = [row["method"].split(";")[1] for row in run.rows("people-total")]
    assert sorted(paid) == [" rho=0.005", " rho=0.005", " rho=0.085"]


def test_a_region_of_one_person_is_not_named(run):
    """Nobody declared it, and a row with its name would be about that person."""
    alone = "900,q,2025-05-05,Faraway,b,1,Feminine,,,,,"
    for line in ("", alone):
        run(_facts(600, line), "--tables", "people-region,people-total", "--seed", "1")
        rows = run.rows("people-region")
        assert [row["geo"] for row in rows] == ["_T", "North", "South", "unknown"]
        assert all("labels from the records" in row["method"] for row in rows)
        assert b"Faraway" not in b"".join(run.files().values())


def test_declared_regions_are_all_there_and_no_other(run):
    """A region without anybody appears; one that was not declared is refused."""
    arguments = ("--tables", "people-region", "--seed", "1", "--regions")
    assert run(_facts(), *arguments, "North,South,West").exit_code == 0
    shown = [row["geo"] for row in run.rows("people-region")]
    assert shown == ["_T", "North", "South", "West", "unknown"]
    assert run(_facts(), *arguments, "North").exception.code == "facts.cells"


def test_no_cell_is_a_formula(run):
    """A region that a spreadsheet would run is quoted."""
    facts = _facts(600).replace("North", "=1+1").replace("South", "@SUM(A1)")
    run(facts, "--tables", "people-region", "--seed", "1")
    shown = [row["geo"] for row in run.rows("people-region")]
    assert shown == ["_T", "'=1+1", "'@SUM(A1)", "unknown"]


def test_a_small_organisation_publishes_a_total(run):
    """Below 100 people the tables are refused, the total is not."""
    assert isinstance(run(_facts(), "--declared-size", "80").exception, Refused)
    assert not (run.folder / "out").exists()
    assert run(_facts(), "--declared-size", "80", "--tables", "people-total").exit_code == 0


def test_a_large_one_gets_the_fine_tier(run):
    """By what it declared, with the smaller budget of the annual release."""
    run(_facts(), "--declared-size", "20000", "--tables", TABLE, "--seed", "1")
    rows = run.rows(TABLE)
    assert "rho=0.045" in rows[0]["method"]
    assert {"ChildLabour", "Surrogacy"} <= {row["exploitation"] for row in rows}


def test_services_count_when_they_are_given(run):
    """Tables of services appear by default only with a file of them."""
    lines = [f"{n},food,2025-09-20,provided" for n in range(120)]
    run(_facts(), "--seed", "1")
    assert "services-gender.csv" not in run.files()
    done = run(_facts(), "--seed", "1", services="\n".join([SERVICES, *lines]))
    assert done.exit_code == 0
    assert {"services-gender.csv", "people-first-service.csv"} <= set(run.files())


def test_services_of_quarters_are_four_periods(run):
    """A large organisation: the quarterly table of a year, or of one quarter, and its own price."""
    services = (
        SERVICES
        + "\n"
        + "".join(f"{n},food,2025-0{2 + 3 * (n % 2)}-01,provided\n" for n in range(600))
    )
    large = ("--declared-size", "20000", "--seed", "1", "--tables", "services-quarter")
    asked = ("--period", "2025")
    assert run(_facts(600), *large, *asked, services=services).exit_code == 0
    rows = run.rows("services-quarter")
    starts = list(dict.fromkeys(row["period_start"] for row in rows))
    assert starts == ["2025-01-01", "2025-04-01", "2025-07-01", "2025-10-01"]
    food = [row for row in rows if row["service"] == "food"]
    assert all(abs(int(row["value"]) - 300) < 250 for row in food[:2])
    assert all("rho=0.006" in row["method"] for row in rows)
    assert len({row["release_id"] for row in rows}) == 4
    run(_facts(600), *large, "--period", "2025-Q2", services=services)
    assert {row["period_end"] for row in run.rows("services-quarter")} == {"2025-06-30"}


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("--tables", "services-quarter"), "release.size"),
        (("--tables", "people-means", "--period", "2025-Q1"), "release.period-basis"),
        (("--tables", "people-total", "--period", "2025-Q1"), "release.basis"),
        (("--period", "2025-Q5"), "period"),
        (("--period", "twenty"), "period"),
    ],
)
def test_a_period_that_is_none_or_not_for_this_size_is_refused(run, arguments, code):
    """Nothing is written."""
    assert run(_facts(), *arguments).exception.code == code
    assert not (run.folder / "out").exists()


@pytest.mark.parametrize(
    ("line", "place"),
    [
        (f"900,p,2025-01-01,North,b,1,{_WORD},,,,,", "/facts/122/gender code.unknown"),
        ("900,p,2025-01-01,North,b,1,Feminine;Masculine,,,,,", "/facts/122/gender value.one"),
        (f"900,p,{_WORD},North,b,1,,,,,,", "/facts/122/accepted date"),
        ("900,p,2025-13-01,North,b,1,,,,,,", "/facts/122/accepted date"),
        ("900,p,2025-01-01,_T,b,1,,,,,,", "/facts/122/region code.unknown"),
        ("900,p,2025-01-01,North,b,yes,,,,,,", "/facts/122/statistics_consent flag"),
        ("900,,2025-01-01,North,b,1,,,,,,", "/facts/122/pid missing"),
        (",p,2025-01-01,North,b,1,,,,,,", "/facts/122/case_row missing"),
        ("900,p,2025-01-01,North", "/facts/122/ line.columns"),
        ("900,p,2025-01-01,North,b,1,,,ZZ,,,", "/facts/122/citizenships code.unknown"),
    ],
)
def test_a_wrong_cell_is_told_by_its_place(run, line, place):
    """File, line, column and a code; never what stood there, and nothing is written."""
    error = run(_facts(line=line)).exception
    assert isinstance(error, Invalid)
    assert place in error.detail
    assert _WORD not in error.detail
    assert not (run.folder / "out").exists()


@pytest.mark.parametrize(
    ("facts", "code"),
    [
        ("", "facts.empty"),
        ("a,b\n1,2\n", "facts.header"),
        (HEADER + ",gender\n", "facts.header"),
        (_facts(line="5,p,2025-01-01,North,b,1,,,,,,"), "facts.case-row"),
        (b"\xff\xfe" + _facts().encode(), "facts.encoding"),
        (_facts(line='900,"p'), "facts.csv"),
        (_facts(line="\n".join(["x"] * 50)), "facts.cells"),
    ],
)
def test_what_is_no_table_is_refused(run, facts, code):
    """Empty, without columns, a column or row twice, no text, no CSV."""
    error = run(facts).exception
    assert isinstance(error, Invalid)
    assert error.code == code


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("0,shoes,2025-09-20,provided", "facts.cells"),
        ("0,food,2025-09-20,lost", "facts.cells"),
        ("0,food,soon,provided", "facts.cells"),
        ("0,food", "facts.cells"),
        ("77777,food,2025-09-20,provided", "facts.case-row"),
    ],
)
def test_a_wrong_service_is_refused(run, line, code):
    """An unknown code, a date that is none, a case that is not there."""
    error = run(_facts(), services=f"{SERVICES}\n{line}\n").exception
    assert isinstance(error, Invalid)
    assert error.code == code


def test_an_unknown_table_is_refused(run):
    """The catalogue is closed."""
    assert run(_facts(), "--tables", "people-by-name").exception.code == "release.table"


def test_files_that_are_no_simulation_are_kept(run):
    """A folder that holds something else under the same name is left alone."""
    (run.folder / "out").mkdir()
    (run.folder / "out" / "people-total.csv").write_text("mine")
    assert run(_facts(), "--tables", "people-total").exception.code == "release.out"
    assert (run.folder / "out" / "people-total.csv").read_text() == "mine"


def test_names_of_the_standard_are_columns_too(run):
    """HTCDS names are taken; a column that is no coded field is left out, and said."""
    facts = _facts().replace("exploitation", "TypeOfExploitation", 1).replace("context", "shoes", 1)
    done = run(facts, "--tables", TABLE, "--seed", "1")
    assert done.exit_code == 0
    plain = run.files()
    run(_facts().replace("context", "hats", 1), "--tables", TABLE, "--seed", "1")
    assert run.files() == plain


def test_the_list_names_tables_columns_and_codes():
    """As lines for people and as data."""
    shown = CliRunner().invoke(app, ["release", "simulate", "--list"]).stdout
    data = json.loads(CliRunner().invoke(app, ["release", "simulate", "--list", "--json"]).stdout)
    assert [t["id"] for t in data["tables"]] == list(catalogue.shipped().tables)
    for column in data["columns"]:
        assert f"  {column['name']}: " in shown
        assert all(code in shown for code in column["codes"])
    assert {"exploitation", "context"} <= {c["name"] for c in data["columns"]}
    for table in data["tables"]:
        assert f"  {table['id']} (version" in shown
        assert table["periods"]
    assert "every quarter; smallest size class 10000-and-more" in shown


def test_a_file_and_a_folder_are_needed():
    """Usage errors are exit code 2."""
    assert CliRunner().invoke(app, ["release", "simulate"]).exit_code == 2


def test_the_plan_says_what_a_size_allows_and_how_accurate_it_is():
    """80 people: a total, about ±5; 5,000: coarse tables and half-year totals."""

    def planned(size: int) -> list[dict]:
        command = ["release", "plan", "--declared-size", str(size), "--json"]
        return json.loads(CliRunner().invoke(app, command).stdout)

    (only,) = planned(80)
    assert (only["table"], only["basis"]) == ("people-total", "year")
    assert only["total"] < 5
    middle = planned(5000)
    assert {one["basis"] for one in middle} == {"year", "half-year"}
    assert {one["table"] for one in middle} == set(catalogue.shipped().tables) - {
        "services-quarter"
    }
    large = [one for one in planned(20_000) if one["basis"] == "quarter"]
    prices = {one["table"]: one["rho"] for one in large}
    assert prices == {"people-total": 0.02, "people-region": 0.02, "services-quarter": 0.006}
    large = planned(50_000)
    assert {one["basis"] for one in large} == {"year", "quarter"}
    shown = CliRunner().invoke(app, ["release", "plan", "--declared-size", "80"]).stdout
    assert "people-total\tyear\t0.09\t±5" in shown


def test_no_plan_spends_more_than_a_year_allows():
    """A person registers in one half-year or quarter, and may have services in all of them."""
    for size in (50, 500, 5000, 50_000):
        found = planning.planned(size, 5, catalogue.shipped())
        releases = {(one.basis, one.rho, one.table.startswith("services")) for one in found}
        paid = sum(
            rho * (4 if basis == "quarter" and services else 1)
            for basis, rho, services in {r for r in releases if r[0] != "year"}
        )
        paid += next(one.rho for one in found if one.basis == "year")
        assert paid <= parameters.RHO_PER_YEAR


def test_rounded_counts_are_frozen_and_say_that_they_promise_nothing(run):
    """The gate reads what was given before; the same table of the same year is refused."""
    asked = ("--rounded", "--period", "2025", "--tables")
    assert run(_facts(), "--rounded").exception.code == "release.labels"
    assert run(_facts(), *asked, "people-region").exception.code == "release.labels"
    done = run(_facts(), *asked, "people-total,people-means")
    assert done.exit_code == 0, done.output
    assert run.rows("people-total")[0]["value"] == "120"
    assert all("NO FORMAL GUARANTEE" in row["method"] for row in run.rows("people-means"))
    before = run.files()
    file = run.folder / "given.csv"
    file.write_bytes(before["people-means.csv"])
    again = run(_facts(110), *asked, "people-means", "--given", str(file))
    assert again.exit_code == 1
    assert isinstance(again.exception, Conflict)
    assert run.files() == before
