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
from casevault.domain.sharing.arriving import MOST_WAITING
from casevault.domain.staff.granting import ObjectKind, PrincipalKind
from casevault.errors import Busy, CaseVaultError, Conflict, NotFound, Tampered
from casevault.ids import new_id
from casevault.store.context.caller import Caller
from casevault.store.context.stores import Stores
from casevault.store.engine import keyring_tables as tables
from casevault.store.engine.keyring import KeyringTransaction, Row
from casevault.store.keys import grants, principals
from casevault.store.keys.grants import Grantee, Granter, Object
from casevault.store.log.ledger import SERVICE, Act, Touched

KEPT_SECONDS = 30 * 86_400
# Of a referral that was answered only the answer is left; a completion may be heard of late.
ANSWERED_SECONDS = 366 * 86_400
COMPARTMENT = "arrival"
# Under this name lie the very bytes that were agreed to, of a referral to a team.
PACKED = "packed"
_TABLE = tables.arrival


class ArrivalKind(StrEnum):
    """What came in."""

    # Of whoever was asked for help, about a case of ours.
    ANSWER = "answer"
    # About somebody for whom there is no case yet.
    INTAKE = "intake"
    # A referral from another team of the own organisation, about a case of theirs.
    REFERRAL = "referral"


class ArrivalState(StrEnum):
    """What became of it."""

    WAITING = "waiting"
    # A referral that somebody of the team has read: it cannot be called back unread any more.
    SEEN = "seen"
    TAKEN = "taken"
    MERGED = "merged"
    DECLINED = "declined"
    COMPLETED = "completed"
    RECALLED = "recalled"


_OPEN = frozenset({ArrivalState.WAITING, ArrivalState.SEEN})
ACCEPTED = frozenset({ArrivalState.TAKEN, ArrivalState.MERGED})
# So many parts had a row before letters went to teams, and before they were claimed.
_PARTS_BEFORE, _PARTS_UNCLAIMED = 7, 8
# Whoever places an arrival is left alone with it for so long; writing a case takes less.
_CLAIM_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Arrival:
    """One arrival. Times are Unix seconds.

    `about` is the case of which an answer or a referral speaks, for an intake the team.
    """

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
    # What both sides call a referral's letter: a random name, on the letter itself.
    reference: str = ""
    # Who is just placing it, and since when.
    claimed_by: UUID | None = None
    claimed_at: int = 0

    @property
    def target(self) -> Object:
        """The arrival as an object of grants."""
        return Object(ObjectKind.ARRIVAL, self.id, self.team)

    @property
    def ends_at(self) -> int:
        """When it is erased, whatever became of it."""
        is_answered = self.kind is ArrivalKind.REFERRAL and self.state not in _OPEN
        return self.at + (ANSWERED_SECONDS if is_answered else KEPT_SECONDS)

    @property
    def is_open(self) -> bool:
        """Whether nobody has decided about it yet."""
        return self.state in _OPEN

    def is_waiting(self, now: int) -> bool:
        """Say whether it lies in a team's inbox."""
        return self.kind is not ArrivalKind.ANSWER and self.is_open and not self.is_over(now)

    def is_recalled(self, now: int) -> bool:
        """Say whether it was called back after somebody of the team had read it."""
        return self.state is ArrivalState.RECALLED and not self.is_over(now)

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
        raise closed()
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


def closed() -> Conflict:
    """Return what is said when nobody vouches for the intake group of a team."""
    return Conflict("This team takes nothing in at present.", code="intake.closed")


def require_room(tx: KeyringTransaction, team: UUID, now: int) -> None:
    """Refuse what would bury the rest of an inbox."""
    if sum(one.is_waiting(now) for one in inbox(tx, [team])) >= MOST_WAITING:
        raise Busy("Too much was sent today. Call the team instead.", code="intake.limited")


def keep_words(
    stores: Stores,
    tx: KeyringTransaction,
    case: UUID,
    team: UUID,
    referral: UUID,
    asker: UUID | None,
    words: str,
) -> None:
    """Seal what a recipient wrote for the case's team, and for the colleague who asked."""
    arrival = Arrival(
        id=new_id(),
        kind=ArrivalKind.ANSWER,
        about=case,
        team=team,
        at=stores.now(),
        referral=referral,
        sender=None,
        sealed=None,
    )
    also = [] if asker is None else _vouched(stores, tx, asker)
    receive(stores, tx, arrival, {"words": words}, also)


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


def inbox(tx: KeyringTransaction, teams: Iterable[UUID]) -> list[Arrival]:
    """Return the intakes and referrals that came in for these teams, oldest first."""
    wanted = set(teams)
    if not wanted:
        return []
    handed_on = map(_arrival, tx.find(_TABLE, kind=ArrivalKind.REFERRAL.value))
    found = [one for one in about(tx, wanted) if one.kind is ArrivalKind.INTAKE]
    found += [one for one in handed_on if one.team in wanted]
    return sorted(found, key=lambda one: (one.at, one.id))


def referrals_of(tx: KeyringTransaction, cases: Iterable[UUID]) -> dict[UUID, Arrival]:
    """Return what was referred of these cases to other teams, by the referral."""
    wanted = set(cases)
    rows = tx.lookups(_TABLE, kind=ArrivalKind.REFERRAL.value)
    # There are few of them and many cases: a caseload is not asked for one by one.
    ids = [row["id"] for row in rows if row["object_id"] in wanted]
    found = map(_arrival, tx.find(_TABLE, id=ids)) if ids else ()
    return {one.referral: one for one in found if one.referral is not None}


def see(tx: KeyringTransaction, arrival_id: UUID) -> None:
    """Note that a letter was read, if nobody has noted or decided anything about it yet."""
    present = find(tx, arrival_id, lock=True)
    if present.state is ArrivalState.WAITING:
        _keep(tx, replace(present, state=ArrivalState.SEEN))


def claim(tx: KeyringTransaction, arrival_id: UUID, staff: UUID, now: int) -> None:
    """Note who is just placing an arrival: of two at once one writes, and one is told.

    :raises Conflict: a colleague is, or has done it.
    """
    present = find(tx, arrival_id, lock=True)
    require_free(present, staff, now)
    _keep(tx, replace(present, claimed_by=staff, claimed_at=now))


def require_free(one: Arrival, staff: UUID, now: int) -> None:
    """Refuse a decision about what is decided, or what another colleague is just placing."""
    claimed = one.claimed_by not in (None, staff) and now < one.claimed_at + _CLAIM_SECONDS
    if claimed or not one.is_open:
        raise Conflict("Somebody was quicker.", code="intake.settled")


def sent_by(tx: KeyringTransaction, sender: UUID, since: int) -> int:
    """Return how many intakes somebody has sent since then, whatever became of them."""
    found = map(_arrival, tx.find(_TABLE, kind=ArrivalKind.INTAKE.value))
    return sum(one.sender == sender and one.at >= since for one in found)


def settle(tx: KeyringTransaction, arrival: Arrival, state: ArrivalState, reason: str = "") -> None:
    """Note what became of an arrival; what it said, and every key of it, is gone."""
    grants.take_object(tx, ObjectKind.ARRIVAL, [arrival.id])
    _keep(tx, replace(arrival, state=state, reason=reason, sealed=None))


def recall(tx: KeyringTransaction, arrival_id: UUID) -> Arrival | None:
    """Take a referral out of an inbox; return it as it was, None if it is there no more.

    Nobody need be told of what nobody has read; who has read it finds that it was called back.
    """
    row = tx.one(_TABLE, lock=True, id=arrival_id)
    if row is None:
        return None
    before = _arrival(row)
    if before.state is ArrivalState.WAITING:
        drop(tx, [before.id])
    else:
        settle(tx, before, ArrivalState.RECALLED)
    return before


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
    if not wanted:
        return
    # Whoever is just answering one of them holds it, and adds their answer before we go on.
    while found := [row["id"] for row in tx.lookups(_TABLE, object_id=wanted)]:
        drop(tx, found)


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
    lost = [one for one in some if one.is_open]
    touched = tuple(Touched("arrival", one.id) for one in lost)
    act = Act("intake.erase", SERVICE, rule="permit:expiry", touched=touched, count=gone)
    stores.ledger.record(act)
    return gone


def _vouched(stores: Stores, tx: KeyringTransaction, staff: UUID) -> list[Grantee]:
    """Return a colleague as a reader, if somebody vouches for them still."""
    try:
        return [Grantee(staff, stores.trust.public_keys(tx, staff))]
    except CaseVaultError:
        return []


def _keep(tx: KeyringTransaction, arrival: Arrival) -> None:
    tx.replace(_TABLE, _content(arrival), **_lookup(arrival))


def _place(organisation: UUID, arrival: UUID) -> Place:
    return Place(organisation, "arrival", arrival)


def _lookup(one: Arrival) -> dict[str, UUID | str]:
    return {"id": one.id, "kind": one.kind.value, "object_id": one.about}


def _content(one: Arrival) -> bytes:
    return canonical.encode(
        one.team,
        one.at,
        one.referral,
        one.sender,
        one.state.value,
        one.reason,
        one.sealed,
        one.reference,
        one.claimed_by,
        one.claimed_at,
    )


def _arrival(row: Row) -> Arrival:
    parts = canonical.decode(row.content)
    reader = Reader(parts)
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
            reference=reader.text() if len(parts) > _PARTS_BEFORE else "",
            claimed_by=reader.optional_uuid() if len(parts) > _PARTS_UNCLAIMED else None,
            claimed_at=reader.number() if len(parts) > _PARTS_UNCLAIMED else 0,
        )
    except ValueError:
        raise Tampered(code="arrival") from None
    reader.end()
    return found
