"""Cases on their way to another team: who sent which where, until the other team has taken it.

One row of the keyring's intents per case; one that comes back says why. From the moment it is
there nobody of the old team holds the case, and the supervisors of the new one do; taking it makes
it their team's. Must never say more than a case, two teams and a code.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from casevault.crypto import canonical
from casevault.crypto.canonical import Reader
from casevault.domain.staff.granting import ObjectKind
from casevault.errors import Conflict
from casevault.ids import new_id
from casevault.store.engine import keyring_tables as tables
from casevault.store.engine.keyring import KeyringTransaction, Row
from casevault.store.keys import grants
from casevault.store.keys.grants import Object

INTENT = "transfer"
# By whom a case is on its way that a restore put back where it was.
_NOBODY = UUID(int=0)


class Returned(StrEnum):
    """Why a team does not take a case; what else there is to say is said by telephone."""

    NO_CAPACITY = "no_capacity"
    WRONG_TEAM = "wrong_team"
    NOT_SAFE_HERE = "not_safe_here"
    CONFLICT_OF_INTEREST = "conflict_of_interest"
    SURVIVOR_DECLINED = "survivor_declined"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Transfer:
    """A case that one team gave and the other has not taken yet; `at` in Unix seconds.

    With `returned`, it comes back from a team that did not take it.
    """

    id: UUID
    case: UUID
    source: UUID
    target: UUID
    by: UUID
    at: int
    returned: Returned | None = None


def begin(tx: KeyringTransaction, transfer: Transfer) -> None:
    """Note that a case is on its way; it may be on one way only."""
    if tx.lookups(tables.intent, kind=INTENT, object_id=transfer.case):
        raise Conflict("This case is on its way to another team already.", code="transfer.again")
    content = canonical.encode(
        transfer.source, transfer.target, transfer.by, transfer.at, transfer.returned or ""
    )
    tx.add(tables.intent, content, id=transfer.id, kind=INTENT, object_id=transfer.case)


def strayed(tx: KeyringTransaction, case: UUID, team: UUID, now: int) -> Transfer | None:
    """Return the transfer by which the team that holds a case may take it, if it lies in another.

    So it is after a restore: the data is from before the case was taken, its grants are of today.
    """
    found = {one.terms.team for one in grants.of_object(tx, Object(ObjectKind.CASE, case))}
    is_moving = tx.lookups(tables.intent, kind=INTENT, object_id=case)
    if team in found or len(found) != 1 or is_moving:
        return None
    (target,) = found
    return None if target is None else Transfer(new_id(), case, team, target, _NOBODY, now)


def find(tx: KeyringTransaction, transfer_id: UUID) -> Transfer | None:
    """Return a transfer that is on its way, or None."""
    rows = tx.find(tables.intent, kind=INTENT, id=transfer_id)
    return _transfer(rows[0]) if rows else None


def between(tx: KeyringTransaction, teams: Collection[UUID]) -> list[Transfer]:
    """Return what is on its way from or to any of these teams, oldest first."""
    found = map(_transfer, tx.find(tables.intent, kind=INTENT))
    mine = [one for one in found if one.source in teams or one.target in teams]
    return sorted(mine, key=lambda one: (one.at, one.id))


def end(tx: KeyringTransaction, transfer_id: UUID) -> bool:
    """Forget a transfer: the case has arrived. Say whether it was still on its way."""
    return tx.remove(tables.intent, kind=INTENT, id=transfer_id) > 0


def take_grants(
    tx: KeyringTransaction, case: UUID, team: UUID, grantees: Iterable[UUID] | None = None
) -> int:
    """Delete the grants of a case that were given as a case of this team; return how many.

    All of them, or those to these principals.
    """
    found = grants.of_object(tx, Object(ObjectKind.CASE, case), grantees)
    return grants.take_these(tx, [one.terms.id for one in found if one.terms.team == team])


def _transfer(row: Row) -> Transfer:
    reader = Reader.of(row.content)
    source, target, by, at = reader.uuid(), reader.uuid(), reader.uuid(), reader.number()
    why = reader.text()
    reader.end()
    returned = Returned(why) if why else None
    return Transfer(row.lookup["id"], row.lookup["object_id"], source, target, by, at, returned)
