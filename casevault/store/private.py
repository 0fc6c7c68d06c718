"""Private objects: what only its author may open. Drafts, refused lines of an import, a feed.

Each has a random key of its own, which the author grants to themselves and to nobody else, and a
date after which it is erased without any key. The data store does not know whose it is. Must never
be granted to a group, not even to recovery; somebody else's object looks like one that is not.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, bindparam, delete, insert, select, update
from sqlalchemy.engine import RowMapping

from casevault.crypto.sealing import Key, Place, seal, unseal
from casevault.domain.granting import ObjectKind
from casevault.errors import NotFound, Stale, Tampered
from casevault.ids import new_id
from casevault.store import grants, idempotency, intents, tables
from casevault.store.caller import Caller
from casevault.store.grants import Grantee, Object
from casevault.store.idempotency import Repeat
from casevault.store.keyring import KeyringTransaction
from casevault.store.ledger import FAILED, SERVICE, Act, Touched
from casevault.store.stores import Stores
from casevault.store.unit_of_work import unit_of_work

COMPARTMENT = "private"
# Kinds: half-filled forms, lines that an import refused, the rendering of a calendar feed.
DRAFT, REJECTS, FEED = "draft", "rejects", "feed"
_SCHEMA = 1
_ERASE_AT_ONCE = 100
_ORPHAN_SECONDS = 24 * 3600
_TABLE = tables.private_object
# Made once: building a statement costs as much as running it.
_ADD = insert(_TABLE)
_FIND = select(_TABLE).where(
    _TABLE.c.id.in_(bindparam("ids", expanding=True)),
    _TABLE.c.kind == bindparam("of_kind"),
    _TABLE.c.erase_after >= bindparam("today"),
)
_LOCK = _FIND.with_for_update()


@dataclass(frozen=True, slots=True)
class PrivateObject:
    """An opened object; when it did not open, `readable` says so and the alarm is recorded."""

    id: UUID
    content: Mapping[str, Any] = field(repr=False)
    version: int
    erase_after: date
    readable: bool = True


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
    made, key = new_id(), Key.random()
    me = Grantee(caller.staff, caller.keys.secret.public)
    with stores.keyring.writing() as tx:
        grants.give(
            tx,
            _target(made),
            {COMPARTMENT: key},
            caller.keys.granter,
            [(me, frozenset({COMPARTMENT}))],
            purpose="private",
            issued_at=stores.now(),
        )
    row = {
        "id": made,
        "kind": kind,
        "erase_after": due.isoformat(),
        "version": 1,
        "sealed": _seal(stores, kind, made, key, content, 1),
    }
    with unit_of_work(stores.data, stores.ledger) as uow:
        uow.connection.execute(_ADD, row)
        if repeat is not None:
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
    with (
        _recording_failure(stores, caller, kind, object_id, code),
        stores.keyring.reading() as tx,
        stores.data.reading() as connection,
    ):
        row = _rows(stores, connection, kind, [object_id]).get(object_id)
        opened = _open(stores, kind, row, _key(tx, caller, object_id))
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
    with _recording_failure(stores, caller, kind, object_id, code):
        with stores.keyring.reading() as tx:
            key = _key(tx, caller, object_id)
        if key is None:
            raise NotFound()
        with unit_of_work(stores.data, stores.ledger) as uow:
            rows = _rows(stores, uow.connection, kind, [object_id], lock=True)
            # The old bytes must still open, or a swap would be written over and lost.
            present = _open(stores, kind, rows.get(object_id), key)
            if present.version != version:
                raise Stale()
            values = {
                "version": version + 1,
                "erase_after": due.isoformat(),
                "sealed": _seal(stores, kind, object_id, key, content, version + 1),
            }
            uow.connection.execute(update(_TABLE).where(_TABLE.c.id == object_id).values(**values))
            uow.record(_act(caller, code, kind, object_id))
            uow.commit()
    return version + 1


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
    with stores.keyring.reading() as tx, stores.data.reading() as connection:
        ids = grants.objects_of(tx, ObjectKind.PRIVATE, [caller.staff])
        wanted = [one for one in ids if after is None or one > after]
        rows = _rows(stores, connection, kind, wanted)
        found = [_listed(stores, tx, caller, rows[one]) for one in sorted(rows)[:limit]]
    touched = tuple(Touched(kind, one.id) for one in found)
    alarms = [_act(caller, code, kind, one.id, failed=True) for one in found if not one.readable]
    listed = Act(code, caller.on_ledger, rule="permit:own", touched=touched, count=len(found))
    stores.ledger.record(listed, *alarms)
    return found


def remove(stores: Stores, caller: Caller, kind: str, object_id: UUID, *, code: str) -> None:
    """Erase an object of the caller's: its key first, then the row together with the entry.

    Content that does not open any more can be erased all the same.
    """
    with stores.keyring.reading() as tx, stores.data.reading() as connection:
        known = object_id in _rows(stores, connection, kind, [object_id])
        held = object_id in grants.objects_of(tx, ObjectKind.PRIVATE, [caller.staff])
    if not (known and held):
        raise NotFound()

    def take_key(tx: KeyringTransaction) -> None:
        grants.take_object(tx, ObjectKind.PRIVATE, [object_id])

    def delete_row(connection: Connection) -> None:
        connection.execute(delete(_TABLE).where(_TABLE.c.id == object_id))

    intents.taking(stores, _act(caller, code, kind, object_id), take_key, delete_row)


def erase_due(stores: Stores, today: date) -> int:
    """Erase what is past its date, keyless and resumable: keys, then rows; return how many.

    Nothing is missed if it stops in between: a row without a key is still past its date. Keys
    whose row was never committed go after a day.
    """
    _drop_orphans(stores)
    query = select(_TABLE.c.id).where(_TABLE.c.erase_after < today.isoformat())
    with stores.data.reading() as connection:
        due = list(connection.execute(query.limit(_ERASE_AT_ONCE)).scalars())
    if not due:
        return 0
    with stores.keyring.writing() as tx:
        grants.take_object(tx, ObjectKind.PRIVATE, due)
    with unit_of_work(stores.data, stores.ledger) as uow:
        gone = uow.connection.execute(
            delete(_TABLE).where(_TABLE.c.id.in_(due), _TABLE.c.erase_after < today.isoformat())
        )
        # Another worker may have been quicker: then there is nothing to say.
        if gone.rowcount:
            uow.record(Act("private.erase", SERVICE, rule="permit:due", count=gone.rowcount))
            uow.commit()
    return gone.rowcount


def _drop_orphans(stores: Stores) -> None:
    with stores.keyring.reading() as tx:
        granted = grants.all_of_kind(tx, ObjectKind.PRIVATE)
    with stores.data.reading() as connection:
        present = set(connection.execute(select(_TABLE.c.id)).scalars())
    if not granted - present:
        return
    with stores.keyring.writing() as tx:
        before = stores.now() - _ORPHAN_SECONDS
        grants.take_object(tx, ObjectKind.PRIVATE, sorted(granted - present), before=before)


def _target(object_id: UUID) -> Object:
    return Object(ObjectKind.PRIVATE, object_id)


def _key(tx: KeyringTransaction, caller: Caller, object_id: UUID) -> Key | None:
    opened = caller.keys.open(tx, _target(object_id), COMPARTMENT).get(COMPARTMENT)
    return None if opened is None else opened.key


def _rows(
    stores: Stores, connection: Connection, kind: str, ids: list[UUID], *, lock: bool = False
) -> dict[UUID, RowMapping]:
    today = stores.clock.now().date().isoformat()
    at = {"ids": ids, "of_kind": kind, "today": today}
    found = connection.execute(_LOCK if lock else _FIND, at).mappings()
    return {row["id"]: row for row in found}


def _listed(
    stores: Stores, tx: KeyringTransaction, caller: Caller, row: RowMapping
) -> PrivateObject:
    try:
        return _open(stores, row["kind"], row, _key(tx, caller, row["id"]))
    except (Tampered, NotFound):
        due = date.fromisoformat(row["erase_after"])
        return PrivateObject(row["id"], {}, row["version"], due, readable=False)


def _open(stores: Stores, kind: str, row: RowMapping | None, key: Key | None) -> PrivateObject:
    if row is None or key is None:
        raise NotFound()
    place = _place(stores, kind, row["id"])
    opened = unseal(_sealing(key, kind), place, bytes(row["sealed"]), row["version"])
    try:
        raw = json.loads(opened.content)
        schema, content = raw["schema"], raw["content"]
    except (ValueError, KeyError, TypeError):
        raise Tampered(code="private") from None
    if schema != _SCHEMA or not isinstance(content, dict):
        raise Tampered(code="private")
    due = date.fromisoformat(row["erase_after"])
    return PrivateObject(row["id"], content, row["version"], due)


def _seal(
    stores: Stores, kind: str, object_id: UUID, key: Key, content: Mapping[str, Any], version: int
) -> bytes:
    text = json.dumps(
        {"schema": _SCHEMA, "content": content}, ensure_ascii=False, separators=(",", ":")
    ).encode()
    return seal(_sealing(key, kind), _place(stores, kind, object_id), text, version)


def _sealing(key: Key, kind: str) -> Key:
    # Never the granted key itself: a feed's token carries this one, and opens nothing else by it.
    return key.derive("private", kind)


def _place(stores: Stores, kind: str, object_id: UUID) -> Place:
    return Place(stores.organisation, "private/" + kind, object_id)


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
