"""Records of the audit: alerts with their reviews, sign-offs, tallies, extracts for others.

Each has a random key of its own, granted to those who may read it: the auditors, the service
itself for its tallies, or whom an auditor lets know. Decides how such a row is sealed, found,
changed and erased. Must never hold content of a case: ids, names of fields and numbers only, and
what auditors wrote.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, delete, insert, select, update
from sqlalchemy.engine import RowMapping

from casevault.crypto import macs
from casevault.crypto.roots import RootProvider
from casevault.crypto.sealing import Key, Place, seal, unseal
from casevault.domain.staff.granting import ObjectKind, PrincipalKind
from casevault.errors import KeyUnavailable, NotFound, Stale, Tampered
from casevault.ids import EntryId, new_id
from casevault.store.context.stores import Stores
from casevault.store.engine import tables
from casevault.store.engine.keyring import KeyringTransaction
from casevault.store.keys import grants, principals
from casevault.store.keys.grants import Grantee, Granter, Object
from casevault.store.keys.keyholder import KeyHolder
from casevault.store.log.ledger import SERVICE, Act
from casevault.store.log.unit_of_work import unit_of_work

COMPARTMENT = "audit"
ALERT, SIGN_OFF, TALLY, LOOKS, LEAVER = "alert", "sign-off", "tally", "looks", "leaver"
_SCHEMA = 1
_ERASE_AT_ONCE = 100
_ORPHAN_SECONDS = 24 * 3600
_TABLE = tables.audit_record


@dataclass(frozen=True, slots=True)
class Record:
    """An opened record."""

    id: UUID
    kind: str
    version: int
    erase_after: date
    content: Mapping[str, Any] = field(repr=False)


@dataclass(frozen=True, slots=True)
class New:
    """A record to be kept: for the auditors by default, else an extract for a team's people."""

    id: UUID
    kind: str
    content: Mapping[str, Any] = field(repr=False)
    erase_after: date
    team: UUID | None = None

    @property
    def target(self) -> Object:
        """The record as an object of grants."""
        return target_of(self.kind, self.id, self.team)


def target_of(kind: str, record_id: UUID, team: UUID | None = None) -> Object:
    """Return a record as an object of grants."""
    extract = kind in (LOOKS, LEAVER)
    return Object(ObjectKind.EXTRACT if extract else ObjectKind.AUDIT, record_id, team)


def id_for(stores: Stores, *parts: str) -> UUID:
    """Return the id that something always has: a keyed digest of what it is about.

    So it is kept once, and found again without any column that tells what it is about.
    """
    return id_of(stores.roots, *parts)


def id_of(roots: RootProvider, *parts: str, version: int | None = None) -> UUID:
    """As `id_for`, by the roots alone, under a version of the service key (the newest)."""
    key = roots.service(version)
    return UUID(bytes=macs.mac(key, "audit-record", *parts)[:16], version=4)


def service(tx: KeyringTransaction) -> Granter:
    """Return the service as a signer of grants to auditors and to itself."""
    return Granter(*principals.in_use(tx, PrincipalKind.SERVICE))


def own_holder(stores: Stores, tx: KeyringTransaction) -> KeyHolder:
    """Return the key ring of the service: it opens its tallies, and no alert."""
    granter = service(tx)
    return KeyHolder(granter.id, granter.secret, stores.trust)


def auditors(stores: Stores, tx: KeyringTransaction) -> list[Grantee]:
    """Return whom alerts and reviews are granted to."""
    return stores.trust.groups(tx, PrincipalKind.AUDITORS)


def add(
    stores: Stores,
    new: New,
    granter: Granter,
    readers: Sequence[Grantee],
    acts: Sequence[Act],
    *,
    replace: bool = False,
    expires_at: int | None = None,
) -> bool:
    """Keep a record unless there is one with its id (`replace`: instead of it); say whether.

    Keys come first: until the row is committed, they open nothing. What is replaced goes before
    that, in a transaction of its own: a row never lies under the keys of another one.
    """
    with stores.data.reading() as connection:
        known = exists(connection, new.id)
    if known and not replace:
        return False
    if known:
        _withdraw(stores, new, acts)
    key = Key.random()
    with stores.keyring.writing() as tx:
        grants.take_object(tx, new.target.kind, [new.id])
        grants.give(
            tx,
            new.target,
            {COMPARTMENT: key},
            granter,
            [(reader, frozenset({COMPARTMENT})) for reader in readers],
            purpose="audit",
            issued_at=stores.now(),
            expires_at=expires_at,
        )
    with unit_of_work(stores.data, stores.ledger) as uow:
        row = {
            "id": new.id,
            "kind": new.kind,
            "erase_after": new.erase_after.isoformat(),
            "version": 1,
            "sealed": _sealed(stores, new.kind, new.id, key, new.content, 1),
        }
        uow.connection.execute(insert(_TABLE).values(**row))
        uow.record(*acts)
        uow.commit()
    return True


def _withdraw(stores: Stores, new: New, acts: Sequence[Act]) -> None:
    gone = [
        dataclasses.replace(act, filters=(*act.filters, "withdrawn"), id=EntryId(new_id()))
        for act in acts
    ]
    with unit_of_work(stores.data, stores.ledger) as uow:
        uow.connection.execute(delete(_TABLE).where(_TABLE.c.id == new.id))
        uow.record(*gone)
        uow.commit()


def change(
    stores: Stores,
    keys: KeyHolder,
    record: Record,
    content: Mapping[str, Any],
    acts: Sequence[Act],
) -> Record:
    """Replace the content of a record that was read; `Stale` if somebody was quicker."""
    with stores.keyring.reading() as tx:
        key = _key(tx, keys, target_of(record.kind, record.id))
    version = record.version + 1
    sealed = _sealed(stores, record.kind, record.id, key, content, version)
    with unit_of_work(stores.data, stores.ledger) as uow:
        done = uow.connection.execute(
            update(_TABLE)
            .where(_TABLE.c.id == record.id, _TABLE.c.version == record.version)
            .values(version=version, sealed=sealed)
        )
        if done.rowcount != 1:
            raise Stale()
        uow.record(*acts)
        uow.commit()
    return Record(record.id, record.kind, version, record.erase_after, content)


def read(
    stores: Stores, keys: KeyHolder, kind: str, record_id: UUID, team: UUID | None = None
) -> Record:
    """Return a record that these keys open. Not recorded: the caller does that.

    :raises NotFound: there is none, or no grant to them.
    """
    with stores.keyring.reading() as tx, stores.data.reading() as connection:
        row = _rows(connection, kind, [record_id], limit=1)
        if not row:
            raise NotFound()
        return _opened(stores, tx, keys, row[0], team)


def read_many(
    stores: Stores,
    keys: KeyHolder,
    kind: str,
    *,
    ids: Iterable[UUID] | None = None,
    after: tuple[str, UUID] | None = None,
    limit: int = 1_000,
) -> list[Record]:
    """Return records of a kind, youngest first; those that these keys do not open are left out."""
    with stores.keyring.reading() as tx, stores.data.reading() as connection:
        rows = _rows(connection, kind, None if ids is None else list(ids), after, limit)
        keys.prefetch(tx, target_of(kind, UUID(int=0)).kind, [row["id"] for row in rows])
        found = []
        for row in rows:
            try:
                found.append(_opened(stores, tx, keys, row, None))
            except NotFound:
                continue
    return found


def exists(connection: Connection, record_id: UUID) -> bool:
    """Say whether there is a row with this id."""
    return (
        connection.execute(select(_TABLE.c.id).where(_TABLE.c.id == record_id)).first() is not None
    )


def erase_due(stores: Stores, today: date) -> int:
    """Erase what is past its date, keyless and resumable: keys, then rows; return how many."""
    kinds = (ObjectKind.AUDIT, ObjectKind.EXTRACT)
    with stores.data.reading() as connection:
        late = _TABLE.c.erase_after < today.isoformat()
        due = list(
            connection.execute(select(_TABLE.c.id).where(late).limit(_ERASE_AT_ONCE)).scalars()
        )
    with stores.keyring.reading() as tx, stores.data.reading() as connection:
        granted = {kind: grants.all_of_kind(tx, kind) for kind in kinds}
        here = set(connection.execute(select(_TABLE.c.id)).scalars())
    orphans = {kind: sorted(ids - here) for kind, ids in granted.items()}
    if not due and not any(orphans.values()):
        return 0
    before = stores.now() - _ORPHAN_SECONDS
    with stores.keyring.writing() as tx:
        for kind in kinds:
            if due:
                grants.take_object(tx, kind, due)
            if orphans[kind]:
                grants.take_object(tx, kind, orphans[kind], before=before)
    if not due:
        return 0
    with unit_of_work(stores.data, stores.ledger) as uow:
        gone = uow.connection.execute(delete(_TABLE).where(_TABLE.c.id.in_(due), late)).rowcount
        if gone:
            uow.record(Act("audit.erase", SERVICE, rule="permit:due", count=gone))
            uow.commit()
    return gone


def _rows(
    connection: Connection,
    kind: str,
    ids: Sequence[UUID] | None,
    after: tuple[str, UUID] | None = None,
    limit: int = 1_000,
) -> Sequence[RowMapping]:
    query = select(_TABLE).where(_TABLE.c.kind == kind)
    if ids is not None:
        query = query.where(_TABLE.c.id.in_(list(ids)))
    if after is not None:
        due, last = after
        younger = (_TABLE.c.erase_after == due) & (_TABLE.c.id > last)
        query = query.where((_TABLE.c.erase_after < due) | younger)
    ordered = query.order_by(_TABLE.c.erase_after.desc(), _TABLE.c.id).limit(limit)
    return connection.execute(ordered).mappings().all()


def _opened(
    stores: Stores, tx: KeyringTransaction, keys: KeyHolder, row: RowMapping, team: UUID | None
) -> Record:
    try:
        key = _key(tx, keys, target_of(row["kind"], row["id"], team))
    except KeyUnavailable:
        raise NotFound() from None
    place = _place(stores, row["kind"], row["id"])
    opened = unseal(key, place, bytes(row["sealed"]), row["version"])
    try:
        raw = json.loads(opened.content)
        schema, content = raw["schema"], raw["content"]
    except (ValueError, KeyError, TypeError):
        raise Tampered(code="audit-record") from None
    if schema != _SCHEMA or not isinstance(content, dict):
        raise Tampered(code="audit-record")
    due = date.fromisoformat(row["erase_after"])
    return Record(row["id"], row["kind"], row["version"], due, content)


def _key(tx: KeyringTransaction, keys: KeyHolder, target: Object) -> Key:
    opened = keys.open(tx, target, COMPARTMENT).get(COMPARTMENT)
    if opened is None:
        raise KeyUnavailable()
    return opened.key


def _sealed(
    stores: Stores, kind: str, record: UUID, key: Key, content: Mapping[str, Any], version: int
) -> bytes:
    text = json.dumps(
        {"schema": _SCHEMA, "content": content}, ensure_ascii=False, separators=(",", ":")
    )
    return seal(key, _place(stores, kind, record), text.encode(), version)


def _place(stores: Stores, kind: str, record: UUID) -> Place:
    return Place(stores.organisation, "audit/" + kind, record)
