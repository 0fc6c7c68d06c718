"""The gate and the offline check: do the numbers of a release add up, and are they what was drawn.

Looks at estimates and published cells only. Nobody here knows how far they are from the truth.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping

from casevault.disclosure.classifications import TOTAL
from casevault.disclosure.estimating import estimate
from casevault.disclosure.measuring import Noisy
from casevault.disclosure.releasing import Release
from casevault.errors import Tampered

Place = tuple[str, ...]


def check_sums(release: Release, noisy: Noisy) -> None:
    """Refuse estimates that are negative or do not add up: a fault of ours, shown to nobody."""
    found = estimate(release.measurements, noisy)
    for one in release.measurements:
        values = found[one.name].values
        whole = found[one.universe].values
        if (values < 0).any() or values.sum() != whole:
            raise Tampered(code="release.sums")
        for place, axis in enumerate(one.axes):
            away = tuple(n for n in range(len(one.axes)) if n != place)
            margin = found[f"{one.universe}/{axis}"].values
            if (values.sum(axis=away) != margin).any():
                raise Tampered(code="release.sums")


def misfits(cells: Mapping[Place, int | None]) -> list[Place]:
    """Return the places whose shown parts do not fit the shown whole; None is withheld.

    Where every part is shown they add up to the whole; where some are withheld they do not exceed
    it.
    """
    return [place for place in cells if not _fits(place, cells)]


def _fits(place: Place, cells: Mapping[Place, int | None]) -> bool:
    whole = cells[place]
    if whole is None:
        return True
    for axis, category in enumerate(place):
        parts = list(_parts(place, axis, cells)) if category == TOTAL else []
        if not parts:
            continue
        shown = sum(part for part in parts if part is not None)
        if shown > whole or (None not in parts and shown != whole):
            return False
    return True


def _parts(place: Place, axis: int, cells: Mapping[Place, int | None]) -> Iterable[int | None]:
    rest = place[:axis], place[axis + 1 :]
    for other, value in cells.items():
        if other[axis] != TOTAL and (other[:axis], other[axis + 1 :]) == rest:
            yield value


def misfits_of(text: str) -> list[Place]:
    """Return the misfits of a published table, as its CSV stands."""
    rows = list(csv.DictReader(io.StringIO(text)))
    names = list(rows[0]) if rows else []
    axes = names[names.index("geo") : names.index("value")] if rows else []
    return misfits(
        {tuple(row[a] for a in axes): int(row["value"]) if row["value"] else None for row in rows}
    )
