"""Deadlines that somebody must not miss and that no key of a case is needed to watch.

One row of the keyring says what kind of thing is due, of which case, and until when; the service
reminds people without opening anything. What it is about lies sealed in the case. Whoever has done
it settles the row; one that passes raises the alarm once and waits for the DPO.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from uuid import UUID

from casevault.crypto import canonical
from casevault.crypto.canonical import Reader
from casevault.errors import NotFound, Tampered
from casevault.store.context.stores import Stores
from casevault.store.engine import keyring_tables as tables
from casevault.store.engine.keyring import KeyringTransaction, Row
from casevault.store.log.ledger import SERVICE, Act, Touched

_TABLE = tables.deadline
_KEEP_SECONDS = 365 * 86_400


class DeadlineKind(StrEnum):
    """What is due. The words go to people by `notify_command`, and nothing else does."""

    CONFIRM_VITAL_INTERESTS = "vital-interests-unconfirmed"
    HOLD_REVIEW = "hold-review-due"
    RESTRICTION_REVIEW = "restriction-review-due"
    RIGHT = "rights-request-due"
    COMPLAINT = "complaint-due"


@dataclass(frozen=True, slots=True)
class Deadline:
    """Something due; times are Unix seconds. `person` is whose act it was."""

    id: UUID
    kind: DeadlineKind
    case: UUID
    team: UUID
    person: UUID
    due_at: int
    alarmed_at: int | None = None
    reviewer: UUID | None = None
    reviewed_at: int | None = None

    def is_overdue(self, now: int) -> bool:
        """Say whether it passed and nobody has looked at it since."""
        return self.due_at <= now and self.reviewed_at is None


def add(tx: KeyringTransaction, deadline: Deadline) -> None:
    """Watch a deadline."""
    tx.add(_TABLE, _content(deadline), **_lookup(deadline))


def settle(tx: KeyringTransaction, deadline_id: UUID) -> None:
    """Stop watching what was done in time, or what was never begun."""
    tx.remove(_TABLE, id=deadline_id)


def bring_forward(tx: KeyringTransaction, deadline_id: UUID, now: int) -> None:
    """Let a deadline pass now, unless it was settled already."""
    if tx.find(_TABLE, id=deadline_id):
        change(tx, replace(find(tx, deadline_id, lock=True), due_at=now))


def change(tx: KeyringTransaction, deadline: Deadline) -> None:
    """Keep a deadline as it is now."""
    tx.replace(_TABLE, _content(deadline), **_lookup(deadline))


def find(tx: KeyringTransaction, deadline_id: UUID, *, lock: bool = False) -> Deadline:
    """Return one deadline (`lock`: nobody else changes it meanwhile), else `NotFound`."""
    row = tx.one(_TABLE, lock=lock, id=deadline_id)
    if row is None:
        raise NotFound()
    return _deadline(row)


def overdue(tx: KeyringTransaction, now: int) -> list[Deadline]:
    """Return those that passed and wait for a review, oldest first."""
    found = (_deadline(row) for row in tx.find(_TABLE))
    late = [one for one in found if one.is_overdue(now)]
    return sorted(late, key=lambda one: (one.due_at, one.id))


def alarm(stores: Stores, tell: Callable[[DeadlineKind, int], None]) -> int:
    """Record each deadline that passed, once, and call people; return how many there were.

    The entry comes first: if this is cut off in between, the next run records it again.
    """
    now = stores.now()
    with stores.keyring.reading() as tx:
        late = [one for one in overdue(tx, now) if one.alarmed_at is None]
    for one in late:
        touched = (Touched("deadline", one.id), Touched("case", one.case))
        stores.ledger.record(
            Act("deadline.overdue", SERVICE, rule="failed:overdue", outcome=4, touched=touched)
        )
        with stores.keyring.writing() as tx:
            change(tx, replace(find(tx, one.id, lock=True), alarmed_at=now))
    for kind in sorted({one.kind for one in late}):
        tell(kind, sum(one.kind is kind for one in late))
    return len(late)


def sweep(stores: Stores) -> int:
    """Delete what was reviewed a year ago; return how many."""
    now = stores.now()
    with stores.keyring.writing() as tx:
        old = [
            one.id
            for one in map(_deadline, tx.find(_TABLE))
            if one.reviewed_at is not None and one.reviewed_at + _KEEP_SECONDS <= now
        ]
        return tx.remove(_TABLE, id=old) if old else 0


def _lookup(one: Deadline) -> dict[str, UUID | str]:
    return {"id": one.id, "kind": one.kind.value, "object_id": one.case}


def _content(one: Deadline) -> bytes:
    return canonical.encode(
        one.team, one.person, one.due_at, one.alarmed_at, one.reviewer, one.reviewed_at
    )


def _deadline(row: Row) -> Deadline:
    reader = Reader.of(row.content)
    try:
        kind = DeadlineKind(row.lookup["kind"])
    except ValueError:
        raise Tampered(code="deadline") from None
    found = Deadline(
        id=row.lookup["id"],
        kind=kind,
        case=row.lookup["object_id"],
        team=reader.uuid(),
        person=reader.uuid(),
        due_at=reader.number(),
        alarmed_at=reader.optional_number(),
        reviewer=reader.optional_uuid(),
        reviewed_at=reader.optional_number(),
    )
    reader.end()
    return found
