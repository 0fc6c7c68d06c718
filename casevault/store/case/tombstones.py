"""Tombstones: rows of the keyring that say what of a case must never come back.

From then on no backup of the data store opens what was erased, however old; final it is when every
epoch under which the keys lay is destroyed, with the provider and in the capsule. Must never forget
what was said first of something that is gone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from casevault.crypto import canonical
from casevault.crypto.canonical import Part, Reader
from casevault.domain.case.casefile import Compartment
from casevault.errors import Tampered
from casevault.store.engine import keyring_tables as tables
from casevault.store.engine import milestones
from casevault.store.engine.keyring import KeyringTransaction, Row

ALL = frozenset(compartment.value for compartment in Compartment)


@dataclass(frozen=True, slots=True)
class Erasure:
    """What of a case is to be erased, and why: a code of the schedule, never a person's words."""

    case: UUID
    team: UUID
    reason: str
    compartments: frozenset[str] = ALL


@dataclass(frozen=True, slots=True)
class Erased:
    """One compartment that is gone: since when, why, and the last epoch its keys lay under."""

    at: int
    epoch: int
    reason: str


@dataclass(frozen=True, slots=True)
class Tombstone:
    """What must never come back of a case, whatever backup is restored."""

    case: UUID
    erased: Mapping[str, Erased]

    @property
    def is_whole(self) -> bool:
        """Whether nothing of the case is left."""
        return self.erased.keys() >= ALL

    @property
    def epoch(self) -> int:
        """The last epoch under which any of the erased keys lay."""
        return max(one.epoch for one in self.erased.values())

    def encode(self) -> bytes:
        """Return the bytes that the keyring keeps."""
        parts: tuple[Part, ...] = tuple(
            (name, one.at, one.epoch, one.reason) for name, one in sorted(self.erased.items())
        )
        return canonical.encode("case", parts)


def lock(tx: KeyringTransaction, ids: Sequence[UUID]) -> None:
    """Keep others from giving these cases keys, or setting a hold, until this transaction ends.

    Who does one of them holds this row: they finish first, or find nothing to give.
    """
    tx.lock(tables.case_key, case_id=list(ids), compartment=Compartment.FACTS.value, version=1)


def find(tx: KeyringTransaction, ids: Sequence[UUID]) -> dict[UUID, Tombstone]:
    """Return the tombstones of those of these cases of which anything was erased."""
    rows = tx.find(tables.tombstone, object_id=list(ids)) if ids else []
    return {stone.case: stone for stone in map(_tombstone, rows)}


def all_(tx: KeyringTransaction) -> list[Tombstone]:
    """Return every tombstone: what must never come back, whatever backup is restored."""
    return [_tombstone(row) for row in tx.find(tables.tombstone)]


def cases(tx: KeyringTransaction) -> set[UUID]:
    """Return the ids of all cases of which nothing is left."""
    return {stone.case for stone in all_(tx) if stone.is_whole}


def partial(tx: KeyringTransaction) -> dict[UUID, frozenset[str]]:
    """Return the compartments that were erased of cases of which others are left."""
    return {stone.case: frozenset(stone.erased) for stone in all_(tx) if not stone.is_whole}


def is_past(tx: KeyringTransaction, epoch: int) -> bool:
    """Say whether nothing opens any more what was deleted under an epoch.

    Epochs destroyed, capsule replaced by one without them, keyring backup by one without the rows.
    """
    floor = milestones.last(tx, milestones.CAPSULE_FLOOR)
    return floor is not None and min(floor, *tx.roots.epochs()) > epoch


def bury(tx: KeyringTransaction, wanted: Mapping[UUID, Erasure], now: int) -> None:
    """Say of these cases what is gone from now on; the keys go in the same transaction."""
    present, epoch = find(tx, sorted(wanted)), tx.identity().epoch
    rows = []
    for case, erasure in wanted.items():
        before = present[case].erased if case in present else {}
        gone = {name: Erased(now, epoch, erasure.reason) for name in erasure.compartments}
        stone = Tombstone(case, gone | dict(before))
        rows.append(({"object_id": case}, stone.encode()))
    tx.remove(tables.tombstone, object_id=sorted(wanted))
    tx.add_many(tables.tombstone, rows)


def _tombstone(row: Row) -> Tombstone:
    reader = Reader.of(row.content)
    if reader.text() != "case":
        raise Tampered(code="tombstone")
    erased = {}
    for part in reader.list_():
        inner = Reader(part if isinstance(part, tuple) else ())
        name = inner.text()
        erased[name] = Erased(inner.number(), inner.number(), inner.text())
        inner.end()
    reader.end()
    return Tombstone(row.lookup["object_id"], erased)
