"""Partners as a CSV table, in and out. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from casevault.domain.sharing import partners
from casevault.domain.sharing.partners import FIELDS, Partner
from casevault.domain.texts.sheets import MAX_ROWS, Line, Sheet

__all__ = ["MAX_ROWS", "Line", "lines", "written"]
_SHEET = Sheet("partners", "casevault partners export", FIELDS, partners.checked)


def written(found: Iterable[Partner]) -> str:
    """Return partners as a table with a head."""
    return _SHEET.written((one.id, one.content) for one in found)


def lines(text: str) -> Iterator[Line]:
    """Yield what each line says; a faulty one names its faults and never what stands in it."""
    return _SHEET.lines(text)
