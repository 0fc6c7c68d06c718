"""The keyring half of an erasure: the tombstone goes in and every key out, in one transaction.

From then on no backup of the data store opens what was erased, however old; final it is when every
epoch under which the keys lay is destroyed, with the provider and in the capsule. Whether something
may be erased (holds, two people, the schedule) is decided by who calls. Must never remove a key
without a tombstone, and never needs a key itself.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from casevault.crypto import canonical
from casevault.crypto.canonical import Part, Reader
from casevault.domain.casefile import Compartment
from casevault.domain.granting import ObjectKind
from casevault.errors import Tampered
from casevault.store import (
    access_requests,
    arrivals,
    cards,
    collect_pages,
    counting_keys,
    dossiers,
    exchanges,
    grants,
    matters,
    milestones,
    rekeying,
    released_looks,
    transferring,
)
from casevault.store import keyring_tables as tables
from casevault.store.keyring import KeyringTransaction, Row

ALL = frozenset(compartment.value for compartment in Compartment)
# What lies in the keyring for a whole case and goes with its last compartment: table, and the
# column with the case. A table of keys that belong to a case is added here.
_OF_CASE = ((tables.case_key, "case_id"), (tables.deadline, "object_id"))
# How many cases one call takes: a statement names each of them.
MOST = 500


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


def erase(tx: KeyringTransaction, erasures: Sequence[Erasure], now: int) -> None:
    """Erase these cases, or some of their compartments; what is gone already stays as it was said.

    Bring at most `MOST`, each case once. The caller deletes the data next, then records.
    """
    wanted = {erasure.case: erasure for erasure in erasures}
    if len(wanted) != len(erasures) or len(erasures) > MOST:
        raise ValueError("each case once, and not too many at a time")
    ids = sorted(wanted)
    lock(tx, ids)
    _bury(tx, wanted, now)
    for compartments, some in _by_compartments(erasures).items():
        if compartments < ALL:
            _take_compartments(tx, some, compartments)
    for team, named in _without_identity(erasures).items():
        cards.forget(tx, team, named)
    without_facts = [e.case for e in erasures if Compartment.FACTS.value in e.compartments]
    counting_keys.forget(tx, without_facts)
    # A letter holds what was taken from any of them, and its answers too; those last, because
    # whoever takes one in at this moment holds its letter.
    collect_pages.forget(tx, ids)
    exchanges.forget(tx, ids)
    arrivals.forget(tx, ids)
    _take_whole(tx, [case for case, stone in find(tx, ids).items() if stone.is_whole])


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


def _bury(tx: KeyringTransaction, wanted: Mapping[UUID, Erasure], now: int) -> None:
    present, epoch = find(tx, sorted(wanted)), tx.identity().epoch
    rows = []
    for case, erasure in wanted.items():
        before = present[case].erased if case in present else {}
        gone = {name: Erased(now, epoch, erasure.reason) for name in erasure.compartments}
        stone = Tombstone(case, gone | dict(before))
        rows.append(({"object_id": case}, stone.encode()))
    tx.remove(tables.tombstone, object_id=sorted(wanted))
    tx.add_many(tables.tombstone, rows)


def _by_compartments(erasures: Sequence[Erasure]) -> dict[frozenset[str], list[UUID]]:
    found: dict[frozenset[str], list[UUID]] = defaultdict(list)
    for erasure in erasures:
        found[erasure.compartments].append(erasure.case)
    return found


def _without_identity(erasures: Sequence[Erasure]) -> dict[UUID, list[UUID]]:
    found: dict[UUID, list[UUID]] = defaultdict(list)
    for erasure in erasures:
        # A search card holds what the identity holds, so it goes with it.
        if Compartment.IDENTITY.value in erasure.compartments:
            found[erasure.team].append(erasure.case)
    return found


def _take_compartments(
    tx: KeyringTransaction, of: list[UUID], compartments: frozenset[str]
) -> None:
    names = sorted(compartments)
    held = tx.lookups(tables.grant, object_id=of, object_kind=ObjectKind.CASE.value)
    ids = [row["id"] for row in held]
    for at in range(0, len(ids), MOST):
        tx.remove(tables.grant_key, grant_id=ids[at : at + MOST], compartment=names)
    tx.remove(tables.case_key, case_id=of, compartment=names)


def _take_whole(tx: KeyringTransaction, ids: list[UUID]) -> None:
    if not ids:
        return
    grants.take_object(tx, ObjectKind.CASE, ids)
    released_looks.forget(tx, ids)
    access_requests.forget(tx, ids)
    dossiers.forget(tx, ids)
    matters.forget(tx, ids)
    for table, column in _OF_CASE:
        tx.remove(table, **{column: ids})
    kinds = [rekeying.INTENT, transferring.INTENT]
    tx.remove(tables.intent, kind=kinds, object_id=ids)


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
