"""Grants as rows of the keyring: giving, finding, taking away.

Giving replaces what the same person had on the same object, so that one row answers "who can
open this, and since when".
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from casevault.crypto import grants as crypto_grants
from casevault.crypto.grants import Carried, Grant, GrantTerms
from casevault.crypto.principals import PrincipalSecret, PublicKeys
from casevault.crypto.sealing import Key
from casevault.domain.staff.granting import ObjectKind
from casevault.errors import Tampered
from casevault.ids import new_id
from casevault.store.engine import keyring_tables as tables
from casevault.store.engine.keyring import Between, KeyringTransaction, Lookup, Row

# How many rows one statement names.
_AT_ONCE = 500
_LOWEST = UUID(int=0)
# How much of a grant's id it has from its object; 74 bits are left to chance.
_SHARED_BYTES = 6
# The purpose of a grant that opens a case for three hours; whatever it opens is marked.
BREAK_GLASS = "break-glass"


@dataclass(frozen=True, slots=True)
class Object:
    """What keys are granted of: its kind, id and team."""

    kind: ObjectKind
    id: UUID
    team: UUID | None = None


@dataclass(frozen=True, slots=True)
class Granter:
    """Who signs a grant."""

    id: UUID
    secret: PrincipalSecret = field(repr=False)


@dataclass(frozen=True, slots=True)
class Grantee:
    """Who receives a grant; the public keys are vouched ones."""

    id: UUID
    public: PublicKeys = field(repr=False)


@dataclass(frozen=True, slots=True)
class Issued:
    """Signed grants and their key rows: they count for nothing until they are kept."""

    grants: tuple[tuple[Lookup, bytes], ...] = field(repr=False)
    rows: tuple[tuple[Lookup, bytes], ...] = field(repr=False)


def give(
    tx: KeyringTransaction,
    target: Object,
    keys: Mapping[str, Key],
    granter: Granter,
    grantees: Iterable[tuple[Grantee, frozenset[str]]],
    *,
    purpose: str,
    issued_at: int,
    expires_at: int | None = None,
) -> None:
    """Grant to each grantee those of `keys` that are named beside it."""
    issued = issue(
        tx.organisation,
        target,
        keys,
        granter,
        grantees,
        purpose=purpose,
        issued_at=issued_at,
        expires_at=expires_at,
    )
    keep(tx, [issued])


def issue(
    organisation: UUID,
    target: Object,
    keys: Mapping[str, Key],
    granter: Granter,
    grantees: Iterable[tuple[Grantee, frozenset[str]]],
    *,
    purpose: str,
    issued_at: int,
    expires_at: int | None = None,
) -> Issued:
    """Return what `give` gives, for whoever takes the write lock only when all is signed."""
    grants: list[tuple[Lookup, bytes]] = []
    rows: list[tuple[Lookup, bytes]] = []
    for grantee, names in grantees:
        chosen = {name: keys[name] for name in sorted(names)}
        terms = GrantTerms(
            id=_id_beside(target.id),
            purpose=purpose,
            organisation=organisation,
            team=target.team,
            object_kind=target.kind.value,
            object_id=target.id,
            carried=tuple(Carried(name, key.id, key.version) for name, key in chosen.items()),
            grantee=grantee.id,
            grantee_key_id=grantee.public.key_id,
            granter=granter.id,
            granter_key_id=granter.secret.public.key_id,
            issued_at=issued_at,
            expires_at=expires_at,
        )
        grant, sealed = crypto_grants.issue(terms, chosen, granter.secret, grantee.public)
        grants.append((_lookup(terms), grant.encode()))
        rows += [({"grant_id": terms.id, "compartment": name}, row) for name, row in sealed.items()]
    return Issued(tuple(grants), tuple(rows))


def keep(tx: KeyringTransaction, issued: Sequence[Issued]) -> None:
    """Write grants that were issued."""
    tx.add_many(tables.grant, [row for one in issued for row in one.grants])
    tx.add_many(tables.grant_key, [row for one in issued for row in one.rows])


def take(tx: KeyringTransaction, target: Object, grantee: UUID) -> int:
    """Delete every grant of an object to a principal; return how many there were."""
    return _remove(tx, tx.lookups(tables.grant, object_id=target.id, grantee_id=grantee))


def take_these(tx: KeyringTransaction, ids: Iterable[UUID]) -> int:
    """Delete grants by their own ids; return how many there were."""
    wanted = sorted(ids)
    return _remove(tx, tx.lookups(tables.grant, id=wanted)) if wanted else 0


def take_object(
    tx: KeyringTransaction,
    kind: ObjectKind,
    ids: Sequence[UUID],
    *,
    before: int | None = None,
    keep: Collection[UUID] = (),
) -> int:
    """Delete every grant of these objects (issued before then), but those to `keep`; count them.

    Needs no key of theirs.
    """
    if before is None:
        rows = tx.lookups(tables.grant, object_id=list(ids), object_kind=kind.value)
        return _remove(tx, [row for row in rows if row["grantee_id"] not in keep])
    found = tx.find(tables.grant, object_id=list(ids), object_kind=kind.value)
    return _remove(tx, [row.lookup for row in found if _grant(row).terms.issued_at < before])


def take_kinds(tx: KeyringTransaction, kinds: Iterable[ObjectKind], grantee: UUID) -> int:
    """Delete every grant of objects of these kinds to a principal; return how many there were."""
    names = [kind.value for kind in kinds]
    return _remove(tx, tx.lookups(tables.grant, grantee_id=grantee, object_kind=names))


def all_of_kind(tx: KeyringTransaction, kind: ObjectKind) -> set[UUID]:
    """Return the ids of all objects of one kind of which anything is granted."""
    return {row["object_id"] for row in tx.lookups(tables.grant, object_kind=kind.value)}


def expired(tx: KeyringTransaction, now: int) -> dict[Object, int]:
    """Return the objects of which grants have expired at `now` (Unix seconds), and how many."""
    found: Counter[Object] = Counter()
    for row in tx.lookups(tables.grant, expires_at=Between(0, now)):
        found[Object(ObjectKind(row["object_kind"]), row["object_id"])] += 1
    return dict(found)


def take_expired(tx: KeyringTransaction, object_id: UUID, now: int) -> int:
    """Delete an object's expired grants without opening anything; return how many."""
    where = {"object_id": object_id, "expires_at": Between(0, now)}
    return _remove(tx, tx.lookups(tables.grant, **where))


def again(terms: GrantTerms, purpose: str) -> str:
    """Return the purpose of a grant that replaces another: broken glass stays broken."""
    return terms.purpose if terms.purpose == BREAK_GLASS else purpose


def is_over(grant: Grant, now: int) -> bool:
    """Say whether a grant has expired at `now` (Unix seconds)."""
    return grant.terms.expires_at is not None and grant.terms.expires_at <= now


def of_object(
    tx: KeyringTransaction, target: Object, grantees: Iterable[UUID] | None = None
) -> list[Grant]:
    """Return the grants of an object, to these principals or to all. Not yet checked."""
    where: Lookup = {"object_id": target.id, "object_kind": target.kind.value}
    if grantees is not None:
        where["grantee_id"] = list(grantees)
    return [_grant(row) for row in tx.find(tables.grant, **where)]


def prefetch(
    tx: KeyringTransaction, kind: ObjectKind, ids: list[UUID], grantees: list[UUID]
) -> None:
    """Read the grants of these objects to these principals, and their key rows, at once."""
    found = tx.prefetch(tables.grant, object_id=ids, object_kind=[kind.value], grantee_id=grantees)
    tx.prefetch(tables.grant_key, grant_id=[row["id"] for row in found])


def of_grantee(tx: KeyringTransaction, kind: ObjectKind, grantee: UUID) -> list[Grant]:
    """Return the grants of one kind of object to a principal. Not yet checked."""
    return [
        _grant(row) for row in tx.find(tables.grant, grantee_id=grantee, object_kind=kind.value)
    ]


def signed_by(tx: KeyringTransaction, kind: ObjectKind, granter: UUID) -> list[Grant]:
    """Return the grants of one kind of object that bear a principal's signature. Not checked."""
    ids = [row["id"] for row in tx.lookups(tables.grant, object_kind=kind.value)]
    found: list[Grant] = []
    for at in range(0, len(ids), _AT_ONCE):
        rows = tx.find(tables.grant, id=ids[at : at + _AT_ONCE])
        found += [one for one in map(_grant, rows) if one.terms.granter == granter]
    return found


def by_ids(tx: KeyringTransaction, ids: Iterable[UUID]) -> list[Grant]:
    """Return those of these grants that exist, locked. Not yet checked."""
    return [_grant(row) for row in tx.find(tables.grant, lock=True, id=sorted(ids))]


def objects_of(tx: KeyringTransaction, kind: ObjectKind, grantees: Iterable[UUID]) -> set[UUID]:
    """Return the ids of the objects of one kind granted to any of these principals."""
    return tx.values(tables.grant, "object_id", grantee_id=list(grantees), object_kind=kind.value)


def first_objects(
    tx: KeyringTransaction,
    kind: ObjectKind,
    grantees: Iterable[UUID],
    after: UUID | None,
    limit: int,
) -> list[UUID]:
    """Return the first ids behind `after` of objects granted to any of these principals."""
    found = set[UUID]()
    for grantee in grantees:
        # One at a time: each is the beginning of a range of the index.
        where = {"grantee_id": grantee, "object_kind": kind.value}
        found |= set(tx.first(tables.grant, "object_id", after or _LOWEST, limit, **where))
    return sorted(found)[:limit]


def carried_rows(tx: KeyringTransaction, grant: Grant) -> set[str]:
    """Return of which compartments a grant's key rows are there, without opening any."""
    return {row["compartment"] for row in tx.lookups(tables.grant_key, grant_id=grant.terms.id)}


def holders_of(tx: KeyringTransaction, object_id: UUID) -> set[UUID]:
    """Return the ids of all to whom any key of an object is granted. Not yet checked."""
    return {row["grantee_id"] for row in tx.lookups(tables.grant, object_id=object_id)}


def key_rows(tx: KeyringTransaction, grant: Grant, compartments: Iterable[str]) -> dict[str, bytes]:
    """Return a grant's sealed key rows of these compartments."""
    found = tx.find(tables.grant_key, grant_id=grant.terms.id, compartment=sorted(compartments))
    return {row.lookup["compartment"]: row.content for row in found}


def _remove(tx: KeyringTransaction, lookups: list[Lookup]) -> int:
    ids = [row["id"] for row in lookups]
    if ids:
        tx.remove(tables.grant_key, grant_id=ids)
        tx.remove(tables.grant, id=ids)
    return len(ids)


def _id_beside(object_id: UUID) -> UUID:
    """Return a new random id that begins as its object's does.

    Rows lie in the order of their ids. So those of one object, which are written, read and taken
    away together, lie on a few pages instead of one each; and the id says no more than the column
    beside it.
    """
    return UUID(bytes=object_id.bytes[:_SHARED_BYTES] + new_id().bytes[_SHARED_BYTES:])


def _lookup(terms: GrantTerms) -> Lookup:
    return {
        "id": terms.id,
        "object_kind": terms.object_kind,
        "object_id": terms.object_id,
        "grantee_id": terms.grantee,
        "expires_at": terms.expires_at or 0,
    }


def _grant(row: Row) -> Grant:
    grant = Grant.decode(row.content)
    # The row may have been sealed by us and still say something else than its columns.
    if _lookup(grant.terms) != row.lookup:
        raise Tampered(code="grant")
    return grant
