"""Imports that two people let count: which day's, as accepted when; signed, and decided once.

They lie among the matters of the keyring, without a text and without a key: restoring an old backup
of the data store does not make an import uncounted again. One is believed only with the statements
that were signed about exactly it.
"""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from casevault.crypto.approvals import Approval
from casevault.domain.importing.counted import Counted
from casevault.domain.staff.approvals import ApprovedAct
from casevault.errors import Conflict, Tampered
from casevault.store.casework import matters
from casevault.store.casework.matter_kinds import Kind
from casevault.store.casework.matters import Matter
from casevault.store.engine.keyring import KeyringTransaction

_NOBODY = UUID(int=0)


@dataclass(frozen=True, slots=True)
class Decided:
    """What was decided, by whom (asker first), and when (Unix seconds)."""

    counted: Counted
    people: tuple[UUID, ...]
    at: int


def check_new(tx: KeyringTransaction, wanted: Counted) -> None:
    """Refuse a second decision about one day: the first may have been counted."""
    if matters.of_case(tx, Kind.COUNTED, wanted.object_id):
        raise Conflict("It was decided how this import counts.", code="release.historic-decided")


def add(tx: KeyringTransaction, approval: Approval) -> None:
    """Keep a decision; `approval` was checked in this transaction."""
    wish, counted = approval.wish, Counted.of(dict(approval.wish.parameters))
    one = Matter(
        wish.id,
        Kind.COUNTED,
        counted.object_id,
        _NOBODY,
        wish.asker,
        approval.statements[-1].person,
        approval.statements[-1].at,
        counted.accepted_on.isoformat(),
        counted.taken_on.isoformat(),
        statement=approval.encode(),
    )
    matters.add(tx, one)


def all_(tx: KeyringTransaction) -> list[Decided]:
    """Return all decisions, by the day as which an import counts."""
    return [_decided(one) for one in matters.all_(tx, Kind.COUNTED)]


def _decided(one: Matter) -> Decided:
    approval = Approval.decode(one.statement)
    wish = approval.wish
    counted = Counted.of(dict(wish.parameters))
    if (wish.act, wish.id, counted.object_id) != (ApprovedAct.COUNT_IMPORT, one.id, one.case):
        raise Tampered(code="matter")
    return Decided(counted, (wish.asker, *(s.person for s in approval.statements)), one.at)
