"""What the cryptography alone costs: the primitive operations of an act, without any database."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

from casevault.crypto.principals import PrincipalSecret, verify, wrap
from casevault.crypto.sealing import Key, Place, seal, unseal
from casevault.ids import new_id

# Rows of the keyring that opening a case reads: a grant, its three key rows, three case keys.
_KEYRING_ROWS = 7
# A request opens its session and builds the person's keys from the seed, once. A process that
# remembers nothing yet also checks who vouched for the grant's signer, up to the root.
_CHAIN = 3
_SIGNED = b"terms of a grant, ciphertext, digests of its keys" * 30


class Opening:
    """One case with everything that opening it unseals."""

    def __init__(self, documents: int) -> None:
        self._person, self._link = PrincipalSecret.generate(), Key.random()
        self._place = Place(new_id(), "document", new_id(), new_id(), "identity")
        self._wrapped = wrap(self._person.public, self._link.material, b"info")
        self._signature = self._person.sign("bench", _SIGNED)
        rows = [seal(self._link, self._place, b"k" * 32) for _ in range(3 + _KEYRING_ROWS)]
        # The manifest is one more than the documents.
        self._sealed = rows + [
            seal(self._link, self._place, b"d" * 800) for _ in range(documents + 1)
        ]

    def open(self) -> None:
        """Check the grant, unwrap its link key, unseal every row, manifest and document."""
        self.check()
        key = Key(self._person.unwrap(self._wrapped, b"info"))
        for sealed in self._sealed:
            unseal(key, self._place, sealed)

    def check(self) -> None:
        """Check one signature."""
        verify(self._person.public, "bench", _SIGNED, self._signature)

    def begin(self) -> None:
        """Do what a request does once: the person's keys from the seed, the signer's vouches."""
        PrincipalSecret(self._person.seed)
        for _ in range(_CHAIN):
            self.check()


def opening_ms(documents: int) -> float:
    """Return the milliseconds of opening a case of so many documents, nothing remembered."""
    one = Opening(documents)

    def open_case() -> None:
        one.begin()
        one.open()

    return _median_ms(open_case)


def listing_ms(cases: int) -> float:
    """Return the milliseconds of opening the identities of a page of cases."""
    page = [Opening(1) for _ in range(cases)]

    def open_page() -> None:
        page[0].begin()
        for one in page:
            one.open()

    return _median_ms(open_page)


def _median_ms(work: Callable[[], None]) -> float:
    # The processor's time: others on the machine do not make cryptography dearer.
    times = []
    for _ in range(60):
        began = time.process_time()
        work()
        times.append((time.process_time() - began) * 1000)
    return statistics.median(times)
