"""Private objects: what only its author may open. Drafts, refused lines of an import, a feed.

Each has a random key of its own, which the author grants to themselves and to nobody else, and a
date after which it is erased without any key. The data store does not know whose it is. Must never
be granted to a group, not even to recovery; somebody else's object looks like one that is not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import Connection
from sqlalchemy.engine import RowMapping

from casevault.crypto.canonical import Part
from casevault.crypto.sealing import Key, header
from casevault.domain.staff.granting import ObjectKind
from casevault.errors import NotFound, Stale, Tampered
from casevault.ids import new_id
from casevault.store.case import private_rows
from casevault.store.case.private_rows import PrivateObject, Shelf
from casevault.store.context import intents
from casevault.store.context.caller import Caller
from casevault.store.context.stores import Stores
from casevault.store.engine import idempotency
from casevault.store.engine.idempotency import Repeat
from casevault.store.engine.keyring import KeyringTransaction
from casevault.store.keys import grants
from casevault.store.keys.grants import Grantee, Object
from casevault.store.log.ledger import FAILED, SERVICE, Act, Touched
from casevault.store.log.unit_of_work import unit_of_work

COMPARTMENT = "private"
# Kinds: half-filled forms, lines that an import refused, the rendering of a calendar feed.
DRAFT, REJECTS, FEED = "draft", "rejects", "feed"
_ERASE_AT_ONCE = 100
_ORPHAN_SECONDS = 24 * 3600


def keep(
    stores: Stores,
    caller: Caller,
    kind: str,
    content: Mapping[str, Any],
    due: date,
    *,
    code: str,
    repeat: Repeat | None = None,
) -> UUID:
    """Keep something for its author until the end of `due`; `code` is its entry on the ledger.

    Keys come first: until the row is committed, they open nothing. A repeated request that came
    second is a `Conflict`.
    """
    made, own, shelf = new_id(), Key.random(), _shelf(stores, kind)
    me = Grantee(caller.staff, caller.keys.secret.public)
    with stores.keyring.writing() as tx:
        grants.give(
            tx,
            _target(made),
            {COMPARTMENT: own},
            caller.keys.granter,
            [(me, frozenset({COMPARTMENT}))],
            purpose="private",
            issued_at=stores.now(),
        )
    with unit_of_work(stores.data, stores.ledger) as uow:
        shelf.add(uow.connection, made, shelf.key(own), content, due)
        idempotency.keep(uow.connection, stores.roots, repeat, made, stores.now())
        uow.record(_act(caller, code, kind, made))
        uow.commit()
    return made


def open_(
    stores: Stores, caller: Caller, kind: str, object_id: UUID, *, code: str
) -> PrivateObject:
    """Return an object of the caller's; the entry is durable before this returns.

    :raises NotFound: there is none of this kind, or it is not theirs, or its date is past.
    """
    shelf = _shelf(stores, kind)
    with (
        _recording_failure(stores, caller, kind, object_id, code),
        stores.keyring.reading() as tx,
        stores.data.reading() as connection,
    ):
        row = shelf.find(connection, [object_id]).get(object_id)
        opened = shelf.open(row, _key(shelf, tx, caller, object_id))
    stores.ledger.record(_act(caller, code, kind, object_id))
    return opened


def change(
    stores: Stores,
    caller: Caller,
    kind: str,
    object_id: UUID,
    content: Mapping[str, Any],
    version: int,
    due: date,
    *,
    code: str,
) -> int:
    """Replace the content if the version still holds, else `Stale`; return the new version."""

    def replaced(present: PrivateObject) -> Mapping[str, Any]:
        if present.version != version:
            raise Stale()
        return content

    act = _act(caller, code, kind, object_id)
    return rework(stores, caller, kind, object_id, replaced, due, [act])


def rework(
    stores: Stores,
    caller: Caller,
    kind: str,
    object_id: UUID,
    work: Callable[[PrivateObject], Mapping[str, Any]],
    due: date,
    acts: Sequence[Act],
) -> int:
    """Replace the content by what `work` makes of it, whatever its version; return the new one."""
    shelf = _shelf(stores, kind)
    with _recording_failure(stores, caller, kind, object_id, acts[0].code):
        with stores.keyring.reading() as tx:
            key = _key(shelf, tx, caller, object_id)
        if key is None:
            raise NotFound()
        with unit_of_work(stores.data, stores.ledger) as uow:
            row = shelf.find(uow.connection, [object_id], lock=True).get(object_id)
            # The old bytes must still open, or a swap would be written over and lost.
            present = shelf.open(row, key)
            version = shelf.replace(uow.connection, present, key, work(present), due)
            uow.record(*acts)
            uow.commit()
    return version


def ids_of(stores: Stores, staff: UUID, kind: str) -> list[UUID]:
    """Return the ids of somebody's objects of a kind, without any key."""
    with stores.keyring.reading() as tx:
        ids = grants.objects_of(tx, ObjectKind.PRIVATE, [staff])
    if not ids:
        return []
    with stores.data.reading() as connection:
        return sorted(_shelf(stores, kind).find(connection, ids))


def mine(
    stores: Stores,
    caller: Caller,
    kind: str,
    *,
    code: str,
    after: UUID | None = None,
    limit: int | None = None,
) -> list[PrivateObject]:
    """Return the caller's objects of a kind in the order of their (random) ids.

    One that does not open is named as such; it does not cost the others.
    """
    shelf = _shelf(stores, kind)
    with stores.keyring.reading() as tx, stores.data.reading() as connection:
        ids = grants.objects_of(tx, ObjectKind.PRIVATE, [caller.staff])
        rows = shelf.find(connection, [one for one in ids if after is None or one > after])
        found = [_listed(shelf, tx, caller, rows[one]) for one in sorted(rows)[:limit]]
    touched = tuple(Touched(kind, one.id) for one in found)
    alarms = [_act(caller, code, kind, one.id, failed=True) for one in found if not one.readable]
    listed = Act(code, caller.on_ledger, rule="permit:own", touched=touched, count=len(found))
    stores.ledger.record(listed, *alarms)
    return found


def remove(stores: Stores, caller: Caller, kind: str, object_id: UUID, *, code: str) -> None:
    """Erase an object of the caller's: its key first, then the row together with the entry.

    Content that does not open any more can be erased all the same.
    """
    if object_id not in ids_of(stores, caller.staff, kind):
        raise NotFound()

    def take_key(tx: KeyringTransaction) -> None:
        grants.take_object(tx, ObjectKind.PRIVATE, [object_id])

    def delete_row(connection: Connection) -> None:
        private_rows.remove(connection, object_id)

    intents.taking(stores, _act(caller, code, kind, object_id), take_key, delete_row)


def erase_due(stores: Stores, today: date) -> int:
    """Erase what is past its date, keyless and resumable: keys, then rows; return how many.

    Nothing is missed if it stops in between: a row without a key is still past its date. Keys
    whose row was never committed go after a day.
    """
    _drop_orphans(stores)
    with stores.data.reading() as connection:
        due = private_rows.due(connection, today, _ERASE_AT_ONCE)
    if not due:
        return 0
    with stores.keyring.writing() as tx:
        grants.take_object(tx, ObjectKind.PRIVATE, due)
    with unit_of_work(stores.data, stores.ledger) as uow:
        gone = private_rows.remove_due(uow.connection, due, today)
        # Another worker may have been quicker: then there is nothing to say.
        if gone:
            uow.record(Act("private.erase", SERVICE, rule="permit:due", count=gone))
            uow.commit()
    return gone


def derived_key(
    stores: Stores, caller: Caller, kind: str, object_id: UUID, *label: Part, code: str
) -> Key:
    """Return a key derived from the one of an object of the caller's, for another purpose."""
    with (
        _recording_failure(stores, caller, kind, object_id, code),
        stores.keyring.reading() as tx,
    ):
        own = _own_key(tx, caller, object_id)
    if own is None:
        raise NotFound()
    return own.derive(*label)


def token_key(stores: Stores, caller: Caller, kind: str, object_id: UUID, *, code: str) -> Key:
    """Return the key by which `open_with` opens this one object without a session."""
    label = _shelf(stores, kind).label
    return derived_key(stores, caller, kind, object_id, *label, code=code)


def open_with(stores: Stores, kind: str, object_id: UUID, key: Key) -> tuple[PrivateObject, UUID]:
    """Return an object and whose it is to somebody without a session who has its sealing key.

    A row that came back from a backup stays closed: its grant is gone from the keyring.
    """
    shelf = _shelf(stores, kind)
    with stores.keyring.reading() as tx, stores.data.reading() as connection:
        owners = grants.holders_of(tx, object_id)
        row = shelf.find(connection, [object_id]).get(object_id)
    # Only a key that the row names can find it changed; another key is merely a wrong one.
    if len(owners) != 1 or row is None or header(bytes(row["sealed"])).key_id != key.id:
        raise NotFound()
    return shelf.open(row, key), owners.pop()


def _drop_orphans(stores: Stores) -> None:
    with stores.keyring.reading() as tx:
        granted = grants.all_of_kind(tx, ObjectKind.PRIVATE)
    with stores.data.reading() as connection:
        orphans = sorted(granted - private_rows.all_ids(connection))
    if orphans:
        before = stores.now() - _ORPHAN_SECONDS
        with stores.keyring.writing() as tx:
            grants.take_object(tx, ObjectKind.PRIVATE, orphans, before=before)


def _shelf(stores: Stores, kind: str) -> Shelf:
    return Shelf(stores.organisation, kind, stores.clock.now().date())


def _target(object_id: UUID) -> Object:
    return Object(ObjectKind.PRIVATE, object_id)


def _own_key(tx: KeyringTransaction, caller: Caller, object_id: UUID) -> Key | None:
    opened = caller.keys.open(tx, _target(object_id), COMPARTMENT).get(COMPARTMENT)
    return None if opened is None else opened.key


def _key(shelf: Shelf, tx: KeyringTransaction, caller: Caller, object_id: UUID) -> Key | None:
    own = _own_key(tx, caller, object_id)
    return None if own is None else shelf.key(own)


def _listed(shelf: Shelf, tx: KeyringTransaction, caller: Caller, row: RowMapping) -> PrivateObject:
    try:
        return shelf.open(row, _key(shelf, tx, caller, row["id"]))
    except (Tampered, NotFound):
        due = date.fromisoformat(row["erase_after"])
        return PrivateObject(row["id"], {}, row["version"], due, readable=False)


def _act(caller: Caller, code: str, kind: str, object_id: UUID, *, failed: bool = False) -> Act:
    return Act(
        code,
        caller.on_ledger,
        rule="failed:tampered" if failed else "permit:own",
        outcome=FAILED if failed else 0,
        purpose="treatment",
        touched=(Touched(kind, object_id),),
    )


@contextmanager
def _recording_failure(
    stores: Stores, caller: Caller, kind: str, object_id: UUID, code: str
) -> Iterator[None]:
    """Record that something stored did not open; outside of any unit of work."""
    try:
        yield
    except Tampered:
        stores.ledger.record(_act(caller, code, kind, object_id, failed=True))
        raise
