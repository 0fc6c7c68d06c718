"""Letting the keyring remember how far every case has come: nightly, without any key.

A case put back to an older state is found by what the keyring remembers of it, and after a restore
that is what tells which cases lack something. Reads plain headers only, and remembers nothing that
lies under another key than the newest; never goes back.
"""

from __future__ import annotations

from collections.abc import Iterator
from uuid import UUID

from casevault.crypto.sealing import Header
from casevault.store.case import case_keys
from casevault.store.case.case_keys import CaseKeyRow
from casevault.store.case.manifests import Anchor
from casevault.store.context.stores import Stores
from casevault.store.recovery import comparing

_AT_ONCE = 200


def raise_all(stores: Stores) -> int:
    """Remember the present state of every compartment that has grown; return how many had."""
    with stores.data.reading() as connection:
        cases = sorted(comparing.stored_cases(connection))
    return sum(_raise(stores, cases[at : at + _AT_ONCE]) for at in range(0, len(cases), _AT_ONCE))


def _raise(stores: Stores, cases: list[UUID]) -> int:
    # Data first: the keys that are read afterwards are never older than it.
    with stores.data.reading() as connection:
        found = comparing.headers(connection, cases)
    with stores.keyring.reading() as tx:
        grown = list(_grown(case_keys.of_cases(tx, cases), found))
    if grown:
        with stores.keyring.writing() as tx:
            for row, anchor in grown:
                case_keys.raise_to(tx, row, anchor)
    return len(grown)


def _grown(
    remembered: dict[UUID, dict[str, case_keys.Versions]],
    found: dict[UUID, dict[str, Header]],
) -> Iterator[tuple[CaseKeyRow, Anchor]]:
    for case, names in remembered.items():
        for name, versions in names.items():
            head, row = found.get(case, {}).get(name), versions.newest
            if head is None or (head.key_id, head.version) != (row.key_id, row.version):
                continue
            if head.revision > row.anchor.revision:
                yield row, Anchor(head.revision, head.commitment)
