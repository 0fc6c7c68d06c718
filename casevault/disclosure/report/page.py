"""The report as one HTML page in one language: a table beside every chart, no script.

Everything is escaped. Numbers keep their own direction in a page that runs from right to left.
"""

from __future__ import annotations

from html import escape

from casevault.disclosure.report.charts import svg
from casevault.disclosure.report.content import Figure, Report, Section, sections, summary
from casevault.disclosure.report.published import Published
from casevault.disclosure.report.words import Words
from casevault.domain.pages import rendering


def html(report: Report, words: Words, style_href: str | None = None) -> str:
    """Return the page; without an address its style sheet is inside it."""
    period = report.indicators.period
    days = f"{period.start.isoformat()} – {period.end.isoformat()}"
    name = f"<p><bdi>{escape(report.organisation)}</bdi></p>\n" if report.organisation else ""
    head = (
        f'<p class="lead">{_text(words, "subtitle")}</p>\n{name}'
        f"<p>{words.named(_text(words, 'period'), f'<strong>{_number(period.name)}</strong>')}"
        f" ({_number(days)})</p>\n"
    )
    parts = [_section(one) for one in sections(report, words)]
    body = (
        f"{head}<section>\n<h2>{_text(words, 'summary')}</h2>\n"
        f"{_table(summary(report, words), caption=False)}</section>\n"
        f"{''.join(parts)}{_protected(report, words)}"
    )
    title = f"{words.text('title')} {period.name}"
    return rendering.page(title, body, words.language, style_href)


def charts(report: Report, words: Words) -> dict[str, str]:
    """Return every chart of the report as a file of its own, by its name."""
    return {
        figure.chart.name: svg(figure.chart)
        for section in sections(report, words)
        for figure in section.figures
        if figure.chart
    }


def _section(section: Section) -> str:
    notes = "".join(f"<p>{escape(note)}</p>\n" for note in section.notes)
    figures = "".join(_figure(figure) for figure in section.figures)
    return (
        f'<section id="{section.name}">\n<h2>{escape(section.title)}</h2>\n{notes}{figures}'
        "</section>\n"
    )


def _figure(figure: Figure) -> str:
    notes = "".join(f'<p class="help">{escape(note)}</p>\n' for note in figure.notes)
    if figure.chart is None:
        return f'<div class="numbers">\n{_table(figure)}{notes}</div>\n'
    return (
        f'<figure class="numbers">\n<figcaption>{escape(figure.title)}</figcaption>\n'
        f"{svg(figure.chart)}{_table(figure)}{notes}</figure>\n"
    )


def _table(figure: Figure, *, caption: bool = True) -> str:
    head = "".join(
        f'<th scope="col"{"" if n < figure.words else _END}>{escape(name)}</th>'
        if name
        else "<td></td>"
        for n, name in enumerate(figure.head)
    )
    rows = "".join(_row(figure, row) for row in figure.rows)
    title = f"<caption>{escape(figure.title)}</caption>\n" if caption else ""
    return (
        f'<table class="counts">\n{title}<thead><tr>{head}</tr></thead>\n<tbody>\n{rows}</tbody>'
        "</table>\n"
    )


_END = ' class="end"'


def _row(figure: Figure, row: tuple[str, ...]) -> str:
    cells = []
    for n, text in enumerate(row):
        if n == 0:
            cells.append(f'<th scope="row"><bdi>{escape(text)}</bdi></th>')
        elif n < figure.words:
            cells.append(f"<td>{escape(text)}</td>")
        else:
            cells.append(f"<td{_END}><bdi>{escape(text)}</bdi></td>")
    return f"<tr>{''.join(cells)}</tr>\n"


def _protected(report: Report, words: Words) -> str:
    head = tuple(words.text(name) for name in ("table", "protection", "release"))
    rows = [(words.text(f"i{n}"), words.text("exact"), "–") for n in (1, 2, 3, 4)]
    rows += [(one.table.id, _protection(one, words), one.release_id) for one in report.people]
    figure = Figure(words.text("protected"), head, tuple(rows), words=3)
    details = "".join(
        f"<li>{escape(words.text('details', file=f'{one.table.id}.csv'))}</li>\n"
        for one in report.people
        if len(one.table.axes) > 1
    )
    more = f'<ul class="help">\n{details}</ul>\n' if details else ""
    return (
        f'<section id="protected">\n<h2>{_text(words, "protected")}</h2>\n'
        f"{_table(figure, caption=False)}{more}</section>\n"
    )


def _protection(one: Published, words: Words) -> str:
    if not one.epsilon:
        return words.text("rounded")
    said = words.text("privacy", epsilon=one.epsilon)
    return f"{said} – SIMULATION" if one.simulation else said


def _text(words: Words, name: str) -> str:
    return escape(words.text(name))


def _number(text: str) -> str:
    return f'<bdi dir="ltr">{escape(text)}</bdi>'
