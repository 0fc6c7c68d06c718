"""What stands in the report, before it is a page: sections of figures, each a table and its chart.

Decides what is shown beside what. The exact counts of the register and the estimates of people
are never in one figure and never added.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from casevault.disclosure.columns import UNRELIABLE
from casevault.disclosure.report.charts import Chart, Mark
from casevault.disclosure.report.published import Published, Row
from casevault.disclosure.report.words import Words
from casevault.domain.counting.indicators import SMALLEST_BRANCH, Indicators, Trained
from casevault.domain.vocabulary import code_label


@dataclass(frozen=True, slots=True)
class Figure:
    """A table with its head, and the chart of it if there is one. The first column names a row."""

    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...] = ()
    chart: Chart | None = None
    # How many of the first columns are words; the others are numbers.
    words: int = 1


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the report under a heading."""

    name: str
    title: str
    notes: tuple[str, ...]
    figures: tuple[Figure, ...]


@dataclass(frozen=True, slots=True)
class Report:
    """Everything that a report is made from."""

    indicators: Indicators
    people: tuple[Published, ...]
    organisation: str


def sections(report: Report, words: Words) -> list[Section]:
    """Return the parts of the report after its summary."""
    found = report.indicators
    return [
        _trained(found, words),
        _measures(found, words, 2, "mainstreaming"),
        _measures(found, words, 3, "response"),
        _people(report.people, words),
        _cooperation(found, words),
        _beside(found, words),
    ]


def summary(report: Report, words: Words) -> Figure:
    """Return the four indicators in a line each."""
    found = report.indicators
    values = (
        _share(found.national, words),
        words.number(sum(found.measures["mainstreaming"].values())),
        words.number(sum(found.measures["response"].values())),
        words.number(sum(found.cooperation.values())),
    )
    rows = tuple(
        (words.text("indicator", n=n), words.text(f"i{n}"), value)
        for n, value in enumerate(values, start=1)
    )
    head = ("", words.text("summary"), words.text("count"))
    return Figure(words.text("summary"), head, rows, words=2)


# --- from the register ---------------------------------------------------------------------------


def _trained(found: Indicators, words: Words) -> Section:
    places = (found.national, *found.regions, *found.branches)
    head = tuple(words.text(name) for name in ("where", "trained", "staff", "share"))
    rows = tuple(
        (
            one.name or words.text("national"),
            "–" if one.people_trained is None else words.number(one.people_trained),
            words.number(one.staff_total),
            words.percent(one.share) if one.share is not None else "–",
        )
        for one in places
        if one.staff_total
    )
    marks = tuple(
        Mark(
            one.name or words.text("national"),
            words.percent(one.share) if one.share is not None else "–",
            one.share,
        )
        for one in (found.national, *found.regions)
        if one.staff_total
    )
    hidden = any(one.people_trained is None for one in places)
    small = (words.text("small", n=SMALLEST_BRANCH),) if hidden else ()
    title = words.text("i1")
    chart = _chart("trained", title, marks, words, most=100.0)
    figures = [Figure(title, head, rows, small, chart)] if rows else []
    courses = {words.course(name): n for name, n in found.attendances.items() if n}
    if courses:
        notes = (words.text("attendances.how"),)
        figures.append(_counted("attendances", words.text("attendances"), courses, words, notes))
    return _section("i1", 1, (words.text("i1.how"), words.text("exact")), figures, words)


def _measures(found: Indicators, words: Words, number: int, kind: str) -> Section:
    counts = found.measures[kind]

    def label(name: str) -> Callable[[str], str]:
        return lambda code: code_label(name, code, words.language)

    figures = _by_two(
        f"measures-{number}", counts, (label("programme"), label("measure_type")), 1, words
    )
    return _section(f"i{number}", number, (words.text("exact"),), figures, words)


def _cooperation(found: Indicators, words: Words) -> Section:
    def label(name: str) -> Callable[[str], str]:
        return lambda code: code_label(name, code, words.language)

    labels = (label("network"), label("cooperation_type"))
    figures = _by_two("cooperation", found.cooperation, labels, 0, words)
    return _section("i4", 4, (words.text("exact"),), figures, words)


def _by_two(
    name: str,
    counts: Mapping[tuple[str, str], int],
    labels: tuple[Callable[[str], str], Callable[[str], str]],
    charted: int,
    words: Words,
) -> list[Figure]:
    """Return a chart by one of two codes, and the table of both."""
    if not any(counts.values()):
        return []
    sums: Counter[str] = Counter()
    for codes, count in counts.items():
        sums[labels[charted](codes[charted])] += count
    title = words.text(f"by.{name.partition('-')[0]}")
    both = words.text(f"both.{name.partition('-')[0]}")
    rows = tuple(
        (labels[0](first), labels[1](second), words.number(counts[first, second]))
        for first, second in sorted(counts)
        if counts[first, second]
    )
    head = (*both.split(" / "), words.text("count"))
    return [
        _counted(name, title, dict(sums.most_common()), words),
        Figure(both.replace(" / ", " × "), head, rows, words=2),
    ]


def _beside(found: Indicators, words: Words) -> Section:
    answer = words.text("yes" if found.focal_point else "no")
    figures = [
        _counted(name, words.text(name), counts, words, notes)
        for name, list_name, given, notes in (
            ("awareness", "target_group", found.awareness, (words.text("awareness.how"),)),
            ("dialogue", "stakeholder", found.dialogue, ()),
            ("advocacy", "advocacy_topic", found.advocacy, ()),
        )
        if (counts := _labelled(given, list_name, words))
    ]
    notes = (words.named(words.text("focal_point"), f"{answer}."), words.text("exact"))
    return Section("beside", words.text("beside"), notes, tuple(figures))


def _labelled(counts: Mapping[str, int], list_name: str, words: Words) -> dict[str, int]:
    ordered = sorted(counts, key=lambda code: -counts[code])
    return {code_label(list_name, c, words.language): counts[c] for c in ordered if counts[c]}


def _counted(
    name: str, title: str, counts: Mapping[str, int], words: Words, notes: tuple[str, ...] = ()
) -> Figure:
    rows = tuple((label, words.number(count)) for label, count in counts.items())
    marks = tuple(Mark(label, words.number(count), count) for label, count in counts.items())
    head = ("", words.text("count"))
    return Figure(title, head, rows, notes, _chart(name, title, marks, words))


def _section(
    name: str, number: int, notes: tuple[str, ...], figures: Sequence[Figure], words: Words
) -> Section:
    title = words.named(words.text("indicator", n=number), words.text(f"i{number}"))
    shown = notes if figures else (words.text("nothing"),)
    return Section(name, title, shown, tuple(figures))


def _share(found: Trained, words: Words) -> str:
    if found.share is None or found.people_trained is None:
        return "–"
    of = words.text(
        "of", part=words.number(found.people_trained), whole=words.number(found.staff_total)
    )
    return f"{words.percent(found.share)} ({of})"


# --- people, from published releases -------------------------------------------------------------


def _people(people: Sequence[Published], words: Words) -> Section:
    if not people:
        return Section("people", words.text("people"), (words.text("no_release"),), ())
    notes = [words.text("people.how"), words.text("withheld.how")]
    if any(one.simulation for one in people):
        notes.insert(0, words.text("simulation"))
    return Section(
        "people", words.text("people"), tuple(notes), tuple(_people_figures(people, words))
    )


def _people_figures(people: Sequence[Published], words: Words) -> Iterator[Figure]:
    """Yield each distinct margin once: it is the same number in every table that has it."""
    for universe in dict.fromkeys(one.table.universe for one in people):
        mine = [one for one in people if one.table.universe == universe]
        title = words.named(words.universe(universe), words.text("total").lower())
        yield _estimates(universe, title, words, [(words.text("total"), mine[0].total())])
        seen: set[str] = set()
        for one in mine:
            for axis in one.table.axes:
                if axis not in seen:
                    seen.add(axis)
                    rows = [(words.category(axis, r.place[axis]), r) for r in one.margin(axis)]
                    name = f"{universe}-{axis}".replace("_", "-")
                    yield _estimates(name, words.of_table(universe, axis), words, rows)


def _estimates(name: str, title: str, words: Words, rows: Sequence[tuple[str, Row]]) -> Figure:
    head = ("", words.text("estimate"), words.text("range"))
    shown = tuple((label, *_numbers(row, words)) for label, row in rows)
    # What is withheld stands in the table; a line without a mark would look like zero.
    marks = tuple(_mark(label, row, words) for label, row in rows if row.value is not None)
    off = [row.upper - row.value for _l, row in rows if row.upper is not None and row.value]
    notes = (words.text("accurate", n=max(off)),) if off else ()
    chart = _chart(name, title, marks, words) if len(rows) > 1 and marks else None
    return Figure(title, head, shown, notes, chart)


def _numbers(row: Row, words: Words) -> tuple[str, str]:
    if row.value is None or row.lower is None or row.upper is None:
        return words.text("withheld"), "–"
    wide = f" ({words.text('unreliable')})" if row.status == UNRELIABLE else ""
    return words.number(row.value) + wide, f"{words.number(row.lower)}–{words.number(row.upper)}"


def _mark(label: str, row: Row, words: Words) -> Mark:
    value, lower, upper = row.value or 0, row.lower or 0, row.upper or 0
    ends = (float(lower), float(upper))
    return Mark(label, words.number(value), value, ends, row.status == UNRELIABLE)


def _chart(
    name: str, title: str, marks: tuple[Mark, ...], words: Words, most: float | None = None
) -> Chart:
    return Chart(name, title, words.text("chart"), marks, words.right_to_left, most)
