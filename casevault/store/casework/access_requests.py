"""Requests for access as rows of the keyring: who asks for which case, and what came of it.

The reason and the answer are sealed under keys of their own: the reason for those who hold the
case, the answer for who asked. Must never give power by itself: that is a grant.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from uuid import UUID

from casevault.crypto import canonical
from casevault.crypto.canonical import Reader
from casevault.crypto.sealing import Key, Place, seal, unseal
from casevault.domain.staff.granting import ObjectKind
from casevault.errors import NotFound, Tampered
from casevault.store.context.caller import Caller
from casevault.store.context.stores import Stores
from casevault.store.engine import keyring_tables as tables
from casevault.store.engine.keyring import KeyringTransaction, Row
from casevault.store.keys import grants
from casevault.store.keys.grants import Grantee, Object

WAITS_SECONDS = 30 * 86_400
REASON, ANSWER = "reason", "answer"
_TABLE = tables.access_request


class RequestState(StrEnum):
    """How far a request is."""

    WAITING = "waiting"
    GRANTED = "granted"
    DECLINED = "declined"


@dataclass(frozen=True, slots=True)
class AccessRequest:
    """One request. Times are Unix seconds; `until` is when the access is to end."""

    id: UUID
    case: UUID
    team: UUID
    asker: UUID
    compartments: tuple[str, ...]
    until: int
    asked_at: int
    reason: bytes = field(repr=False)
    state: RequestState = RequestState.WAITING
    decider: UUID | None = None
    decided_at: int | None = None
    answer: bytes | None = field(default=None, repr=False)

    @property
    def target(self) -> Object:
        """The request as an object of grants."""
        return Object(ObjectKind.ACCESS_REQUEST, self.id, self.team)

    def is_over(self, now: int) -> bool:
        """Say whether it is kept no longer: nobody answered, or the answer was there to be read."""
        return (self.decided_at or self.asked_at) + WAITS_SECONDS <= now

    def waits(self, now: int) -> bool:
        """Say whether somebody may still decide it."""
        return self.state is RequestState.WAITING and not self.is_over(now)


def write(
    tx: KeyringTransaction,
    caller: Caller,
    request: AccessRequest,
    part: str,
    text: str,
    readers: Iterable[Grantee],
    now: int,
) -> bytes:
    """Return a text sealed under a key of its own, which is granted to its readers only."""
    key = Key.random()
    grants.give(
        tx,
        request.target,
        {part: key},
        caller.keys.granter,
        [(reader, frozenset({part})) for reader in readers],
        purpose=part,
        issued_at=now,
    )
    return seal(key, _place(tx.organisation, request.id, part), text.encode())


def read(tx: KeyringTransaction, caller: Caller, request: AccessRequest, part: str) -> str | None:
    """Return the reason or the answer to somebody to whom its key was granted, else None."""
    sealed = request.reason if part == REASON else request.answer
    opened = caller.keys.open(tx, request.target, part).get(part)
    if opened is None or sealed is None:
        return None
    place = _place(tx.organisation, request.id, part)
    try:
        return unseal(opened.key, place, sealed).content.decode()
    except UnicodeDecodeError:
        raise Tampered(code="access-request") from None


def add(tx: KeyringTransaction, request: AccessRequest) -> None:
    """Keep a new request."""
    tx.add(_TABLE, _content(request), id=request.id, object_id=request.case)


def change(tx: KeyringTransaction, request: AccessRequest) -> None:
    """Keep a request as it is now."""
    tx.replace(_TABLE, _content(request), id=request.id, object_id=request.case)


def find(tx: KeyringTransaction, request_id: UUID, *, lock: bool = False) -> AccessRequest:
    """Return one request (`lock`: nobody else changes it meanwhile), else `NotFound`."""
    row = tx.one(_TABLE, lock=lock, id=request_id)
    if row is None:
        raise NotFound()
    return _request(row)


def all_(tx: KeyringTransaction, now: int) -> list[AccessRequest]:
    """Return all requests that are not over, oldest first."""
    found = [one for one in map(_request, tx.find(_TABLE)) if not one.is_over(now)]
    return sorted(found, key=lambda one: (one.asked_at, one.id))


def forget(tx: KeyringTransaction, cases: Iterable[UUID]) -> int:
    """Delete all requests for these cases, with the keys of their texts, without any key."""
    wanted = sorted(cases)
    ids = [row["id"] for row in tx.lookups(_TABLE, object_id=wanted)] if wanted else []
    return _drop(tx, ids)


def sweep(stores: Stores) -> int:
    """Delete requests that are over; count them."""
    now = stores.now()
    with stores.keyring.reading() as tx:
        if not any(_request(row).is_over(now) for row in tx.find(_TABLE)):
            return 0
    with stores.keyring.writing() as tx:
        found = map(_request, tx.find(_TABLE))
        return _drop(tx, [one.id for one in found if one.is_over(now)])


def _drop(tx: KeyringTransaction, ids: list[UUID]) -> int:
    if ids:
        grants.take_object(tx, ObjectKind.ACCESS_REQUEST, ids)
        tx.remove(_TABLE, id=ids)
    return len(ids)


def _place(organisation: UUID, request: UUID, part: str) -> Place:
    return Place(organisation, "access-request/" + part, request)


def _content(one: AccessRequest) -> bytes:
    return canonical.encode(
        one.team,
        one.asker,
        one.compartments,
        one.until,
        one.asked_at,
        one.reason,
        one.state.value,
        one.decider,
        one.decided_at,
        one.answer,
    )


def _request(row: Row) -> AccessRequest:
    reader = Reader.of(row.content)
    found = AccessRequest(
        id=row.lookup["id"],
        case=row.lookup["object_id"],
        team=reader.uuid(),
        asker=reader.uuid(),
        compartments=tuple(str(name) for name in reader.list_()),
        until=reader.number(),
        asked_at=reader.number(),
        reason=reader.bytes_(),
        state=RequestState(reader.text()),
        decider=reader.optional_uuid(),
        decided_at=reader.optional_number(),
        answer=reader.optional_bytes(),
    )
    reader.end()
    return found
