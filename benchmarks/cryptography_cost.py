"""What the cryptography alone costs: the primitive operations of an act, without any database."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

from casevault.crypto.principals import PrincipalSecret, wrap
from casevault.crypto.sealing import Key, Place, seal, unseal
from casevault.ids import new_id

# Rows of the keyring that opening a case reads: a grant, its three key rows, three case keys.
_KEYRING_ROWS = 7


class Opening:
    """One case with everything that opening it unseals."""

    def __init__(self, documents: int) -> None:
        self._person, self._link = PrincipalSecret.generate(), Key.random()
        self._place = Place(new_id(), "document", new_id(), new_id(), "identity")
        self._wrapped = wrap(self._person.public, self._link.material, b"info")
        rows = [seal(self._link, self._place, b"k" * 32) for _ in range(3 + _KEYRING_ROWS)]
        # The manifest is one more than the documents.
        self._sealed = rows + [
            seal(self._link, self._place, b"d" * 800) for _ in range(documents + 1)
        ]

    def open(self) -> None:
        """Unwrap the link key once, then unseal every row, the manifest and the documents."""
        key = Key(self._person.unwrap(self._wrapped, b"info"))
        for sealed in self._sealed:
            unseal(key, self._place, sealed)


def opening_ms(documents: int) -> float:
    """Return the milliseconds of opening a case of so many documents."""
    return _median_ms(Opening(documents).open)


def listing_ms(cases: int) -> float:
    """Return the milliseconds of opening the identities of a page of cases."""
    page = [Opening(1) for _ in range(cases)]

    def open_page() -> None:
        for one in page:
            one.open()

    return _median_ms(open_page)


def _median_ms(work: Callable[[], None]) -> float:
    times = []
    for _ in range(60):
        began = time.perf_counter()
        work()
        times.append((time.perf_counter() - began) * 1000)
    return statistics.median(times)
