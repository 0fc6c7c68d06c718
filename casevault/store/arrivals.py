"""What comes in from outside: sealed on receipt for a team's intake group, under a key of its own.

The server takes it in and cannot open it again; neither can who sent it. A row tells when it came
and what became of it; what it says opens for the group's members, and an answer to the colleague
whose referral it answers. Must never be kept longer than its date, whoever claims it or not.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any
from uuid import UUID

from casevault.crypto import canonical
from casevault.crypto.canonical import Reader
from casevault.crypto.sealing import Key, Place, seal, unseal
from casevault.domain.granting import ObjectKind, PrincipalKind
from casevault.errors import Conflict, NotFound, Tampered
from casevault.store import grants, principals
from casevault.store import keyring_tables as tables
from casevault.store.caller import Caller
from casevault.store.grants import Grantee, Granter, Object
from casevault.store.keyring import KeyringTransaction, Row
from casevault.store.ledger import SERVICE, Act, Touched
from casevault.store.stores import Stores

KEPT_SECONDS = 30 * 86_400
COMPARTMENT = "arrival"
_TABLE = tables.arrival


class ArrivalKind(StrEnum):
    """What came in."""

    # Of whoever was asked for help, about a case of ours.
    ANSWER = "answer"
    # About somebody for whom there is no case yet.
    INTAKE = "intake"
    # A referral from another team of the own organisation.
    REFERRAL = "referral"


class ArrivalState(StrEnum):
    """What became of it."""

    WAITING = "waiting"
    TAKEN = "taken"
    MERGED = "merged"
    DECLINED = "declined"


@dataclass(frozen=True, slots=True)
class Arrival:
    """One arrival; `about` is the case of an answer, else the team. Times are Unix seconds."""

    id: UUID
    kind: ArrivalKind
    about: UUID
    team: UUID
    at: int
    # The referral that is answered or handed on, and who sent this, if it was one of us.
    referral: UUID | None
    sender: UUID | None
    sealed: bytes | None = field(repr=False)
    state: ArrivalState = ArrivalState.WAITING
    # Why it was declined: a code.
    reason: str = ""

    @property
    def target(self) -> Object:
        """The arrival as an object of grants."""
        return Object(ObjectKind.ARRIVAL, self.id, self.team)

    @property
    def ends_at(self) -> int:
        """When it is erased, whatever became of it."""
        return self.at + KEPT_SECONDS

    def is_waiting(self, now: int) -> bool:
        """Say whether it lies in a team's inbox."""
        in_box = self.kind is not ArrivalKind.ANSWER
        return in_box and self.state is ArrivalState.WAITING and not self.is_over(now)

    def is_over(self, now: int) -> bool:
        """Say whether it is kept no longer."""
        return self.ends_at <= now


def receive(
    stores: Stores,
    tx: KeyringTransaction,
    arrival: Arrival,
    content: Mapping[str, Any],
    also: Iterable[Grantee] = (),
) -> None:
    """Seal and keep what came in, for the intake group of its team and for `also`.

    :raises Conflict: the team has no intake group that anybody vouches for.
    """
    readers = [*stores.trust.groups(tx, PrincipalKind.INTAKE, arrival.team), *also]
    if not readers:
        raise Conflict("This team takes nothing in at present.", code="intake.closed")
    key = Key.random()
    grants.give(
        tx,
        arrival.target,
        {COMPARTMENT: key},
        Granter(*principals.in_use(tx, PrincipalKind.SERVICE)),
        [(reader, frozenset({COMPARTMENT})) for reader in readers],
        purpose="arrival",
        issued_at=stores.now(),
    )
    text = json.dumps(content, ensure_ascii=False, sort_keys=True).encode()
    kept = replace(arrival, sealed=seal(key, _place(tx.organisation, arrival.id), text))
    tx.add(_TABLE, _content(kept), **_lookup(kept))


def read(tx: KeyringTransaction, caller: Caller, arrival: Arrival) -> dict[str, Any] | None:
    """Return what an arrival says to somebody who holds its key, else None."""
    opened = caller.keys.open(tx, arrival.target, COMPARTMENT).get(COMPARTMENT)
    if opened is None or arrival.sealed is None:
        return None
    place = _place(tx.organisation, arrival.id)
    try:
        found = json.loads(unseal(opened.key, place, arrival.sealed).content)
    except ValueError:
        raise Tampered(code="arrival") from None
    if not isinstance(found, dict):
        raise Tampered(code="arrival")
    return found


def find(tx: KeyringTransaction, arrival_id: UUID, *, lock: bool = False) -> Arrival:
    """Return one arrival (`lock`: nobody else changes it meanwhile), else `NotFound`."""
    row = tx.one(_TABLE, lock=lock, id=arrival_id)
    if row is None:
        raise NotFound()
    return _arrival(row)


def about(tx: KeyringTransaction, ids: Iterable[UUID]) -> list[Arrival]:
    """Return what came in about these cases or for these teams, oldest first."""
    wanted = sorted(ids)
    found = map(_arrival, tx.find(_TABLE, object_id=wanted)) if wanted else ()
    return sorted(found, key=lambda one: (one.at, one.id))


def sent_by(tx: KeyringTransaction, sender: UUID, since: int) -> int:
    """Return how many intakes somebody has sent since then, whatever became of them."""
    found = map(_arrival, tx.find(_TABLE, kind=ArrivalKind.INTAKE.value))
    return sum(one.sender == sender and one.at >= since for one in found)


def settle(tx: KeyringTransaction, arrival: Arrival, state: ArrivalState, reason: str = "") -> None:
    """Note what became of an arrival; what it said, and every key of it, is gone."""
    grants.take_object(tx, ObjectKind.ARRIVAL, [arrival.id])
    done = replace(arrival, state=state, reason=reason, sealed=None)
    tx.replace(_TABLE, _content(done), **_lookup(done))


def drop(tx: KeyringTransaction, ids: Iterable[UUID]) -> int:
    """Delete arrivals with their keys."""
    wanted = sorted(ids)
    if not wanted:
        return 0
    grants.take_object(tx, ObjectKind.ARRIVAL, wanted)
    return tx.remove(_TABLE, id=wanted)


def forget(tx: KeyringTransaction, cases: Iterable[UUID]) -> None:
    """Delete what came in about cases that are erased, without any key."""
    wanted = sorted(cases)
    if wanted:
        drop(tx, [row["id"] for row in tx.lookups(_TABLE, object_id=wanted)])


def sweep(stores: Stores) -> int:
    """Erase what nobody claimed for thirty days, and what was settled that long ago."""
    now = stores.now()
    with stores.keyring.reading() as tx:
        over = [one for one in map(_arrival, tx.find(_TABLE)) if one.is_over(now)]
    if not over:
        return 0
    # Oldest first and not too many at a time: the next round takes the rest.
    some = sorted(over, key=lambda one: (one.at, one.id))[:500]
    with stores.keyring.writing() as tx:
        gone = drop(tx, [one.id for one in some])
    lost = [one for one in some if one.state is ArrivalState.WAITING]
    touched = tuple(Touched("arrival", one.id) for one in lost)
    act = Act("intake.erase", SERVICE, rule="permit:expiry", touched=touched, count=gone)
    stores.ledger.record(act)
    return gone


def _place(organisation: UUID, arrival: UUID) -> Place:
    return Place(organisation, "arrival", arrival)


def _lookup(one: Arrival) -> dict[str, UUID | str]:
    return {"id": one.id, "kind": one.kind.value, "object_id": one.about}


def _content(one: Arrival) -> bytes:
    return canonical.encode(
        one.team, one.at, one.referral, one.sender, one.state.value, one.reason, one.sealed
    )


def _arrival(row: Row) -> Arrival:
    reader = Reader.of(row.content)
    try:
        found = Arrival(
            id=row.lookup["id"],
            kind=ArrivalKind(row.lookup["kind"]),
            about=row.lookup["object_id"],
            team=reader.uuid(),
            at=reader.number(),
            referral=reader.optional_uuid(),
            sender=reader.optional_uuid(),
            state=ArrivalState(reader.text()),
            reason=reader.text(),
            sealed=reader.optional_bytes(),
        )
    except ValueError:
        raise Tampered(code="arrival") from None
    reader.end()
    return found
