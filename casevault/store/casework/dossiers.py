"""Dossiers of broken glass: who opened which case in an emergency, and whether that was reviewed.

A dossier is one row of the keyring. Its reason and the DPO's note are sealed under keys of their
own, which are granted to those who may read them and not to the asker; the rest is for the service,
which reminds people without any key. Must never give power by itself: that is a grant.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from uuid import UUID

from casevault.crypto import canonical
from casevault.crypto.canonical import Reader
from casevault.crypto.sealing import Key, Place, seal, unseal
from casevault.domain.staff.approvals import POLICIES, ApprovedAct
from casevault.domain.staff.granting import ObjectKind
from casevault.errors import NotFound, Tampered
from casevault.store.context import approvals
from casevault.store.context.caller import Caller
from casevault.store.context.stores import Stores
from casevault.store.engine import keyring_tables as tables
from casevault.store.engine.keyring import KeyringTransaction, Row
from casevault.store.keys import grants
from casevault.store.keys.grants import Grantee, Object
from casevault.store.log.ledger import SERVICE, Act, Touched

OPEN_SECONDS = 3 * 3600
REVIEW_SECONDS = 72 * 3600
_KEEP_SECONDS = 365 * 86_400
_ASKED_SECONDS = POLICIES[ApprovedAct.BREAK_GLASS].seconds
_TABLE = tables.break_glass
REASON, NOTE = "reason", "note"


class State(StrEnum):
    """How far a dossier is."""

    ASKED = "asked"
    OPEN = "open"
    REVIEW = "review"
    REVIEWED = "reviewed"
    VOID = "void"


class Notice(StrEnum):
    """What people are called for, in the order in which it happens. No more than this is told."""

    ASKED = "break-glass-asked"
    OPENED = "break-glass-opened"
    OVERDUE = "break-glass-overdue"


@dataclass(frozen=True, slots=True)
class Dossier:
    """One emergency. Times are Unix seconds; `notices` counts those that people were called for."""

    id: UUID
    case: UUID
    team: UUID
    asker: UUID
    compartments: tuple[str, ...]
    asked_at: int
    reason: bytes = field(repr=False)
    opened_by: UUID | None = None
    opened_at: int | None = None
    reviewer: UUID | None = None
    reviewed_at: int | None = None
    note: bytes | None = field(default=None, repr=False)
    alarmed_at: int | None = None
    notices: int = 0

    @property
    def target(self) -> Object:
        """The dossier as an object of grants."""
        return Object(ObjectKind.BREAK_GLASS, self.id, self.team)

    @property
    def ends_at(self) -> int:
        """When the request, or once it was opened the box, ends."""
        if self.opened_at is None:
            return self.asked_at + _ASKED_SECONDS
        return self.opened_at + OPEN_SECONDS

    def state(self, now: int) -> State:
        """Return how far it is."""
        if self.opened_at is None:
            return State.ASKED if now < self.ends_at else State.VOID
        if self.reviewed_at is not None:
            return State.REVIEWED
        return State.OPEN if now < self.ends_at else State.REVIEW

    def is_overdue(self, now: int) -> bool:
        """Say whether the DPO should have looked at it by now."""
        opened = self.opened_at
        return opened is not None and self.reviewed_at is None and opened + REVIEW_SECONDS <= now


def write(
    tx: KeyringTransaction,
    caller: Caller,
    dossier: Dossier,
    part: str,
    text: str,
    readers: Iterable[Grantee],
    now: int,
) -> bytes:
    """Return a text sealed under a key of its own, which is granted to its readers only."""
    key = Key.random()
    grants.give(
        tx,
        dossier.target,
        {part: key},
        caller.keys.granter,
        [(reader, frozenset({part})) for reader in readers],
        purpose=part,
        issued_at=now,
    )
    return seal(key, _place(tx.organisation, dossier.id, part), text.encode())


def read_reason(tx: KeyringTransaction, caller: Caller, dossier: Dossier) -> str | None:
    """Return the reason to somebody whose group holds its key, else None."""
    opened = caller.keys.open(tx, dossier.target, REASON).get(REASON)
    if opened is None:
        return None
    place = _place(tx.organisation, dossier.id, REASON)
    try:
        return unseal(opened.key, place, dossier.reason).content.decode()
    except UnicodeDecodeError:
        raise Tampered(code="break-glass") from None


def add(tx: KeyringTransaction, dossier: Dossier) -> None:
    """Keep a new dossier."""
    tx.add(_TABLE, _content(dossier), id=dossier.id, object_id=dossier.case)


def change(tx: KeyringTransaction, dossier: Dossier) -> None:
    """Keep a dossier as it is now."""
    tx.replace(_TABLE, _content(dossier), id=dossier.id, object_id=dossier.case)


def find(tx: KeyringTransaction, dossier_id: UUID, *, lock: bool = False) -> Dossier:
    """Return one dossier (`lock`: nobody else changes it meanwhile), else `NotFound`."""
    row = tx.one(_TABLE, lock=lock, id=dossier_id)
    if row is None:
        raise NotFound()
    return _dossier(row)


def all_(tx: KeyringTransaction) -> list[Dossier]:
    """Return all dossiers, oldest first."""
    found = [_dossier(row) for row in tx.find(_TABLE)]
    return sorted(found, key=lambda one: (one.asked_at, one.id))


def waiting(tx: KeyringTransaction, now: int) -> list[Dossier]:
    """Return those that were asked for, are open or wait for the DPO."""
    over = (State.REVIEWED, State.VOID)
    return [one for one in all_(tx) if one.state(now) not in over]


def drop(tx: KeyringTransaction, dossier: Dossier) -> None:
    """Delete a dossier with the keys of its texts, and the request that may still wait."""
    grants.take_object(tx, ObjectKind.BREAK_GLASS, [dossier.id])
    tx.remove(_TABLE, id=dossier.id)
    tx.remove(tables.approval, id=dossier.id)


def forget(tx: KeyringTransaction, cases: Sequence[UUID]) -> None:
    """Delete the dossiers of cases that are erased, with the keys of their texts."""
    ids = [row["id"] for row in tx.lookups(_TABLE, object_id=list(cases))]
    if ids:
        grants.take_object(tx, ObjectKind.BREAK_GLASS, ids)
        tx.remove(_TABLE, id=ids)
        tx.remove(tables.approval, id=ids)


def sweep(stores: Stores) -> int:
    """Delete requests that nobody approved in time and reviews of a year ago; count them."""
    now = stores.now()
    with stores.keyring.writing() as tx:
        approvals.remove_expired(tx, now)
        over = [one for one in all_(tx) if _is_over(one, now)]
        for dossier in over:
            drop(tx, dossier)
    return len(over)


def alarm(stores: Stores) -> int:
    """Record each review that is overdue, once; return how many.

    The entry comes first: if this is cut off in between, the next run records it again.
    """
    now = stores.now()
    with stores.keyring.reading() as tx:
        late = [one for one in all_(tx) if one.is_overdue(now) and one.alarmed_at is None]
    for dossier in late:
        touched = (Touched("break-glass", dossier.id), Touched("case", dossier.case))
        stores.ledger.record(
            Act("breakglass.overdue", SERVICE, rule="failed:review", outcome=4, touched=touched)
        )
        with stores.keyring.writing() as tx:
            present = find(tx, dossier.id, lock=True)
            change(tx, replace(present, alarmed_at=now))
    return len(late)


def notices(stores: Stores, tell: Callable[[Notice, int], None]) -> None:
    """Tell how many dossiers of each kind people were not yet called for.

    Noted before it is told, so that of two workers only one calls.
    """
    with stores.keyring.reading() as tx:
        if not _untold(tx, stores.now()):
            return
    found: dict[Notice, int] = {}
    with stores.keyring.writing() as tx:
        for dossier, notice, reached in _untold(tx, stores.now()):
            change(tx, replace(find(tx, dossier.id, lock=True), notices=reached))
            found[notice] = found.get(notice, 0) + 1
    for notice, count in sorted(found.items()):
        tell(notice, count)


def _untold(tx: KeyringTransaction, now: int) -> list[tuple[Dossier, Notice, int]]:
    found = []
    for dossier in waiting(tx, now):
        reached = 1 if dossier.opened_at is None else 3 if dossier.is_overdue(now) else 2
        if dossier.notices < reached:
            found.append((dossier, tuple(Notice)[reached - 1], reached))
    return found


def _is_over(dossier: Dossier, now: int) -> bool:
    reviewed = dossier.reviewed_at
    if reviewed is not None:
        return reviewed + _KEEP_SECONDS <= now
    return dossier.state(now) is State.VOID


def _place(organisation: UUID, dossier: UUID, part: str) -> Place:
    return Place(organisation, "break-glass/" + part, dossier)


def _content(one: Dossier) -> bytes:
    return canonical.encode(
        one.team,
        one.asker,
        one.compartments,
        one.asked_at,
        one.reason,
        one.opened_by,
        one.opened_at,
        one.reviewer,
        one.reviewed_at,
        one.note,
        one.alarmed_at,
        one.notices,
    )


def _dossier(row: Row) -> Dossier:
    reader = Reader.of(row.content)
    found = Dossier(
        id=row.lookup["id"],
        case=row.lookup["object_id"],
        team=reader.uuid(),
        asker=reader.uuid(),
        compartments=tuple(str(name) for name in reader.list_()),
        asked_at=reader.number(),
        reason=reader.bytes_(),
        opened_by=reader.optional_uuid(),
        opened_at=reader.optional_number(),
        reviewer=reader.optional_uuid(),
        reviewed_at=reader.optional_number(),
        note=reader.optional_bytes(),
        alarmed_at=reader.optional_number(),
        notices=reader.number(),
    )
    reader.end()
    return found
