"""The pledge report: words in four languages, a table beside each chart, nothing added or lost."""

from __future__ import annotations

import csv
import io
import json
import re
import unicodedata
from datetime import date
from html.parser import HTMLParser
from importlib import resources
from xml.etree import ElementTree

import pytest

from casevault.disclosure import catalogue
from casevault.disclosure.bits import SeededBits
from casevault.disclosure.classifications import TOTAL, Tier
from casevault.disclosure.rendering import files
from casevault.disclosure.report import charts, page, published, table
from casevault.disclosure.report.assembling import assembled
from casevault.disclosure.report.content import Report, sections
from casevault.disclosure.report.words import Words
from casevault.disclosure.tabulating import Period as Days
from casevault.domain.counting.indicators import Period, of_period
from casevault.domain.counting.programme import Kind
from casevault.domain.pages import paper
from casevault.domain.vocabulary import LANGUAGES
from casevault.errors import Invalid
from tests.unit.disclosure.people import ALL, crowd, release
from tests.unit.domain.test_programme import entry

PERIOD = Period.parse("2025")
TEXTS = json.loads(
    resources.files("casevault.disclosure.report").joinpath("words.json").read_text("utf-8")
)
_HOSTILE = "<b>North</b> & =1+1"


def register():
    """Return what a register of every kind says about the year."""
    kinds = [entry(kind, held_on="2025-05-05") for kind in (Kind.AWARENESS, Kind.COOPERATION)]
    return of_period(
        [
            entry(Kind.TRAINING, region=_HOSTILE, held_on="2025-05-05"),
            entry(Kind.TRAINING, branch="Hill", held_on="2025-05-05", attended_e_module=4),
            entry(Kind.MEASURE, started="2025-02"),
            entry(Kind.MEASURE, started="2025-03", indicator="mainstreaming"),
            entry(Kind.DIALOGUE, held_on="2025-05-05"),
            entry(Kind.ADVOCACY, held_on="2025-05-05"),
            entry(Kind.FOCAL_POINT),
            *kinds,
        ],
        PERIOD,
    )


QUARTER = Days(date(2025, 4, 1), date(2025, 6, 30))


def released(people: int = 900, *tables: str, period: Days | None = None) -> dict[str, str]:
    """Return the files of a release of these tables, or of all of a year, by table."""
    made = release(*tables, period=period)
    noisy = made.measure(crowd(people, seed=6).snapshot(), SeededBits(b"report"))
    found = files([(made, noisy)])
    return {n.removesuffix(".csv"): b.decode() for n, b in found.items() if n.endswith(".csv")}


FILES = released()
REPORT = assembled(register(), FILES.values(), "Made-Up Red Cross")


def test_a_quarter_has_its_services_in_every_language():
    """The table of services by quarter stands in the report of that quarter, and only there."""
    file = released(300, "services-quarter", period=QUARTER)["services-quarter"]
    for language in LANGUAGES:
        quarter = of_period([], Period.parse("2025-Q2"))
        words = Words(language)
        html = page.html(assembled(quarter, [file], "Made-Up Red Cross"), words)
        assert words.universe("services-quarter") in html
    year = assembled(of_period([], PERIOD), [file], "Made-Up Red Cross")
    assert Words("en").universe("services-quarter") not in page.html(year, Words("en"))


class _Page(HTMLParser):
    """Counts what is in a page and keeps the texts of cells."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, dict[str, str | None]]] = []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes.append((tag, dict(attrs)))


def test_every_word_is_there_in_four_languages():
    """None is missing or left over, Arabic is Arabic, and places in sentences are the same."""
    shipped = catalogue.shipped()
    axes = {axis for one in shipped.tables.values() for axis in one.axes}
    assert set(TEXTS["axes"]) == axes
    assert set(TEXTS["universes"]) == {one.universe for one in shipped.tables.values()}
    used: set[str] = set()
    for axis in axes:
        for tier in Tier:
            for code in shipped.dimension(axis, tier, ("Made-Up North",)).categories:
                for language in LANGUAGES:
                    assert Words(language).category(axis, code)
                used.add(code)
    assert set(TEXTS["categories"]) <= used | {TOTAL}
    for group in TEXTS.values():
        for text in group.values():
            assert set(text) == set(LANGUAGES)
            assert all(w == unicodedata.normalize("NFC", w) != "" for w in text.values())
            places = {tuple(sorted(re.findall(r"\{\w+\}", w))) for w in text.values()}
            assert len(places) == 1
    arabic = [t["ar"] for group in TEXTS.values() for t in group.values()]
    assert all(re.search(r"[\u0600-\u06ff]|^\{", text) for text in arabic)


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_page_can_be_read_without_seeing_it(language):
    """Language and direction, one h1, a table in every figure, charts with a name; no script."""
    found = _Page(page.html(REPORT, Words(language), "/style.css"))
    root = dict(found.attributes)["html"]
    assert root == {"lang": language, "dir": "rtl" if language == "ar" else "ltr"}
    assert found.tags.count("h1") == 1
    assert found.tags.count("figure") == found.tags.count("svg") > 10
    assert not {"script", "img", "iframe", "style", "object"} & set(found.tags)
    assert not any(
        name.startswith("on") or name == "style" for _t, a in found.attributes for name in a
    )
    assert all("scope" in a for tag, a in found.attributes if tag == "th")
    html = page.html(REPORT, Words(language))
    for figure in re.findall(r"<figure.*?</figure>", html, re.DOTALL):
        assert figure.count("<svg") == figure.count("<table") == figure.count("<figcaption") == 1
    names = re.findall(r' id="([^"]+)"', html)
    assert len(names) == len(set(names))
    for svg in re.findall(r"<svg.*?</svg>", html, re.DOTALL):
        assert set(re.search(r'aria-labelledby="([^"]+)"', svg).group(1).split()) <= set(names)


def test_what_somebody_typed_is_text_only():
    """A region with signs of HTML in its name is that name; a spreadsheet runs nothing."""
    html = page.html(REPORT, Words("en"))
    assert "<b>North" not in html
    assert "&lt;b&gt;North" in html
    for drawn in page.charts(REPORT, Words("ar")).values():
        ElementTree.fromstring(drawn)  # noqa: S314 - ours
    assert not re.search(r"(^|,)\"?[=+@-]", table.csv_text(REPORT), re.MULTILINE)


def test_people_are_never_added_to_measures():
    """Indicators 2 and 3 are the same with and without a release."""
    without = Report(REPORT.indicators, (), "")
    for words in map(Words, LANGUAGES):
        both = [
            {s.name: s for s in sections(one, words) if s.name != "people"}
            for one in (REPORT, without)
        ]
        assert both[0] == both[1]
    assert "No counts of people" in page.html(without, Words("en"))


def test_all_numbers_of_the_register_and_of_a_release_are_in_the_csv():
    """The same rows as in the files of the release, and every table of the register."""
    rows = list(csv.DictReader(io.StringIO(table.csv_text(REPORT), newline="")))
    assert tuple(rows[0]) == table.HEAD
    assert {row["indicator"] for row in rows} == {
        *catalogue.shipped().register,
        *ALL,
    }
    for name, text in FILES.items():
        given = list(csv.DictReader(io.StringIO(text, newline="")))
        kept = [row for row in rows if row["indicator"] == name]
        columns = ("geo", "value", "lower95", "upper95", "status", "method", "release_id")
        assert [[r[c] for c in columns] for r in kept] == [[r[c] for c in columns] for r in given]
    exact = [row for row in rows if row["method"] == table.EXACT]
    assert all(row["value"] == row["lower95"] == row["upper95"] for row in exact)
    share = [r for r in exact if r["categories"] == "count=percent" and r["geo"] == TOTAL]
    assert [r["value"] for r in share] == ["25.0"]


def test_a_withheld_number_is_no_zero():
    """Its line in the table says so, and the chart has no mark for it."""
    made = assembled(register(), [FILES["people-citizenship-exploitation"]], "")
    (one,) = made.people
    hidden = [row for row in one.margin("citizenship_region") if row.value is None]
    assert hidden
    people = next(s for s in sections(made, Words("en")) if s.name == "people")
    figure = next(f for f in people.figures if "citizenship" in f.title)
    assert sum("withheld" in row for row in figure.rows) == len(hidden)
    assert len(figure.chart.marks) == len(figure.rows) - len(hidden)


def test_only_files_of_releases_are_taken():
    """Another period is left out; what is no table, twice one, or bent is refused."""
    text = FILES["people-total"]
    other = text.splitlines()[1].replace("SIMULATION-test", "other")
    assert assembled(register(), [text.replace("2025-", "2024-")], "").people == ()
    for bad, code in (
        ([text, text], "report.twice"),
        (["indicator\r\nx\r\n"], "report.release"),
        ([""], "report.release"),
        ([text.replace(",P,", ",X,")], "report.release"),
        ([text.replace("people-total", "people-by-name")], "report.release"),
        ([re.sub(r"_T,\d+,", "_T,many,", text)], "report.release"),
        ([re.sub(r"_T,\d+,", "_T,,", text)], "report.release"),
        ([text.replace("lower95", "lowest")], "report.release"),
        ([text + other + "\r\n"], "report.release"),
    ):
        with pytest.raises(Invalid) as caught:
            assembled(register(), bad, "")
        assert caught.value.code == code
    with pytest.raises(Invalid):
        assembled(register(), [FILES["people-means"].replace("meansThreats", "meansMagic")], "")
    found = published.read("\ufeff" + text, PERIOD)
    assert found.simulation
    assert found.epsilon == "2.02"


def test_an_empty_period_is_a_report_too():
    """Nothing is recorded: every section says so and no chart is drawn."""
    empty = Report(of_period([], PERIOD), (), "")
    for language in LANGUAGES:
        html = page.html(empty, Words(language))
        assert html.count(Words(language).text("nothing")) == 4
        assert "<svg" not in html


def test_a_chart_keeps_its_marks_inside_and_mirrors_them():
    """From zero to a round number; right to left is the same picture, mirrored."""
    marks = tuple(charts.Mark("x" * 50 + " " + str(n), str(n), n, (n - 1, n + 1)) for n in (3, 97))
    places = []
    for mirrored in (False, True):
        drawn = charts.svg(charts.Chart("c", "t", "n", marks, mirrored))
        places.append([float(x) for x in re.findall(r'cx="([\d.]+)"', drawn)])
    assert all(0 < x < 640 for xs in places for x in xs)
    assert [round(640 - x, 1) for x in places[0]] == places[1]


def _luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_colours_stand_out_from_paper():
    """WCAG 2.2: 4.5 to 1 for text, 3 to 1 for marks; grids say nothing and may be faint."""
    html = page.html(REPORT, Words("en"))
    for name in ("fill", "stroke"):
        for colour in set(re.findall(rf'{name}="(#[0-9a-f]{{6}})"', html)) - {"#c9c9c9"}:
            assert 1.05 / (_luminance(colour) + 0.05) >= 4.5
    for colour in re.findall(r"color: (#[0-9a-f]{3});?", paper.STYLE):
        assert 1.05 / (_luminance("#" + "".join(c * 2 for c in colour[1:])) + 0.05) >= 4.5
