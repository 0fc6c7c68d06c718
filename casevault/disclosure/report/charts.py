"""Charts as SVG: bars for exact counts, a dot and its 95 % range for estimates. No script.

Every chart stands beside a table of the same numbers; it says so, and its title, to who cannot see
it. Colours differ in lightness, and nothing is said by colour alone. In languages that run from
right to left the whole chart does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

_WIDTH, _ROW, _TOP, _BOTTOM = 640, 28, 8, 26
_LABEL, _PLOT = 250, 290
_FIRM, _FAINT, _GRID, _INK = "#14557b", "#6b6b6b", "#c9c9c9", "#111111"
_LINE_LENGTH, _MOST_LINES = 36, 2
_FONT = 'font-family="system-ui, sans-serif" font-size="13"'


@dataclass(frozen=True, slots=True)
class Mark:
    """One line of a chart. `value` is None where nothing is shown; `ends` is a range, if any."""

    label: str
    shown: str
    value: float | None
    ends: tuple[float, float] | None = None
    faint: bool = False


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart: its name (an id within the page), what it is about, its lines from top to bottom."""

    name: str
    title: str
    note: str
    marks: tuple[Mark, ...]
    right_to_left: bool
    # The end of the scale where it is known, as for shares.
    most: float | None = None


def svg(chart: Chart) -> str:
    """Return a chart as one SVG element that stands alone or in a page."""
    height = _TOP + _ROW * len(chart.marks) + _BOTTOM
    scale = _Scale(chart)
    lines = "".join(_line(chart, scale, i, one) for i, one in enumerate(chart.marks))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" role="img"'
        f' aria-labelledby="{chart.name}-title {chart.name}-note" direction="ltr" {_FONT}'
        f' fill="{_INK}">\n<title id="{chart.name}-title">{escape(chart.title)}</title>'
        f'<desc id="{chart.name}-note">{escape(chart.note)}</desc>\n'
        f"{scale.grid(height)}{lines}</svg>\n"
    )


class _Scale:
    """Where a value stands: from zero to a round number, mirrored where the language is."""

    def __init__(self, chart: Chart) -> None:
        ends = [m.ends[1] if m.ends else m.value or 0 for m in chart.marks]
        self._step = _round_step((chart.most or max(ends, default=0)) or 1)
        top = chart.most or max([*ends, 1])
        self._ticks = int(-(-top // self._step))
        self._mirror = chart.right_to_left

    def at(self, value: float) -> float:
        """Return the place of a value on the way across."""
        return self.turned(_LABEL + _PLOT * value / (self._ticks * self._step))

    def turned(self, x: float) -> float:
        """Return a place, mirrored where the language runs from right to left."""
        return round(_WIDTH - x if self._mirror else x, 1)

    def grid(self, height: int) -> str:
        """Return thin lines at round numbers, and the numbers."""
        parts = []
        for tick in range(self._ticks + 1):
            value = tick * self._step
            x, foot = self.at(value), height - _BOTTOM
            parts.append(
                f'<line x1="{x}" y1="{_TOP}" x2="{x}" y2="{foot}" stroke="{_GRID}"/>'
                f'<text x="{x}" y="{foot + 17}" text-anchor="middle" font-size="12">{round(value)}'
                "</text>\n"
            )
        return "".join(parts)


def _round_step(most: float) -> float:
    """Return a step of 1, 2 or 5 times a power of ten, of which at most five are needed."""
    step = 1.0
    for factor in (2, 2.5, 2) * 12:
        if step * 5 >= most:
            break
        step *= factor
    return step


def _line(chart: Chart, scale: _Scale, place: int, mark: Mark) -> str:
    middle = _TOP + _ROW * place + _ROW / 2
    colour = _FAINT if mark.faint else _FIRM
    drawn = ""
    if mark.value is not None and mark.ends is not None:
        low, high = (scale.at(end) for end in mark.ends)
        drawn = (
            f'<line x1="{low}" y1="{middle}" x2="{high}" y2="{middle}" stroke="{colour}"'
            ' stroke-width="4" stroke-linecap="round" stroke-opacity="0.55"/>'
            f'<circle cx="{scale.at(mark.value)}" cy="{middle}" r="5.5" fill="{colour}"/>'
        )
    elif mark.value is not None:
        ends = sorted((scale.at(0), scale.at(mark.value)))
        drawn = (
            f'<rect x="{ends[0]}" y="{middle - 8}" width="{round(ends[1] - ends[0], 1)}"'
            f' height="16" fill="{colour}"/>'
        )
    return f"{_label(chart, scale, middle, mark)}{drawn}{_number(chart, scale, middle, mark)}\n"


def _label(chart: Chart, scale: _Scale, middle: float, mark: Mark) -> str:
    way = "rtl" if chart.right_to_left else "ltr"
    lines = _wrapped(mark.label)
    first = middle + 4.5 - 7 * (len(lines) - 1)
    x = scale.turned(_LABEL - 10)
    return "".join(
        f'<text x="{x}" y="{first + 14 * n}" direction="{way}" text-anchor="end">{escape(line)}'
        "</text>"
        for n, line in enumerate(lines)
    )


def _number(chart: Chart, scale: _Scale, middle: float, mark: Mark) -> str:
    """Return the number in words; it keeps its own direction, on the far side of the plot."""
    x = scale.turned(_LABEL + _PLOT + 10)
    anchor = "end" if chart.right_to_left else "start"
    return (
        f'<text x="{x}" y="{middle + 4.5}" text-anchor="{anchor}" font-size="12">'
        f"{escape(mark.shown)}</text>"
    )


def _wrapped(text: str) -> Sequence[str]:
    """Return a label in at most two lines; what does not fit is cut with a sign that it was."""
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if len(longer) <= _LINE_LENGTH or not lines[-1]:
            lines[-1] = longer
        else:
            lines.append(word)
    if len(lines) <= _MOST_LINES:
        return lines
    return [*lines[: _MOST_LINES - 1], lines[_MOST_LINES - 1] + " …"]
