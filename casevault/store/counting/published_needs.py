"""What is published of needs that could not be met, by service: the newest release's own numbers.

Reads files that everybody here may read, and nothing behind them; what was withheld stays withheld.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from casevault.disclosure.catalogue import NEEDS
from casevault.disclosure.report.published import read_all
from casevault.store.context.stores import Stores
from casevault.store.counting import releases


@dataclass(frozen=True, slots=True)
class Unmet:
    """A published number of people whose need of a service could not be met, with its bounds."""

    value: int
    lower: int
    upper: int
    start: date
    end: date
    release_id: str


def by_service(stores: Stores) -> Mapping[str, Unmet]:
    """Return the numbers of the whole country; a service whose number is withheld is not in it."""
    text = _newest(stores)
    if text is None:
        return {}
    (one,) = read_all(text)
    return {
        row.place["service"]: Unmet(
            row.value, row.lower, row.upper, one.start, one.end, one.release_id
        )
        for row in one.margin("service")
        if row.value is not None and row.lower is not None and row.upper is not None
    }


def _newest(stores: Stores) -> str | None:
    with stores.keyring.reading() as tx:
        found = [one for one in releases.published(tx) if NEEDS in one.design.tables]
    if not found:
        return None
    newest = max(found, key=lambda one: (one.design.period.end, one.made.at))
    with stores.data.reading() as connection:
        files = releases.files(connection, stores.organisation, newest)
    return files[f"{NEEDS}.csv"].decode()
