"""Principals and vouches as rows of the keyring.

A group's secret lies sealed under a group key; membership is a grant of that key.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from uuid import UUID

from casevault.crypto import canonical
from casevault.crypto.canonical import Reader
from casevault.crypto.principals import PrincipalSecret, PublicKeys
from casevault.crypto.sealing import Key, Place, seal, unseal
from casevault.crypto.vouches import Revocation, Vouch
from casevault.domain.staff.granting import PrincipalKind
from casevault.errors import KeyUnavailable, Tampered
from casevault.store.engine import keyring_tables as tables
from casevault.store.engine.keyring import KeyringTransaction, Row


@dataclass(frozen=True, slots=True)
class Principal:
    """A principal as the keyring knows it: public keys and, for groups, the sealed secret."""

    id: UUID
    kind: PrincipalKind
    team: UUID | None
    public: PublicKeys = field(repr=False)
    sealed_secret: bytes | None = field(default=None, repr=False)


def add_principal(tx: KeyringTransaction, principal: Principal) -> None:
    """Insert a principal; one with that id already is a `Conflict`."""
    tx.raise_trust_version()
    tx.add(
        tables.principal,
        canonical.encode(*principal.public.parts, principal.sealed_secret),
        id=principal.id,
        kind=principal.kind.value,
        team_id=principal.team,
    )


def put_principal(tx: KeyringTransaction, principal: Principal) -> None:
    """Keep a principal, replacing the one with its id."""
    tx.remove(tables.principal, id=principal.id)
    add_principal(tx, principal)


def add_group(
    tx: KeyringTransaction, group: UUID, kind: PrincipalKind, team: UUID | None
) -> tuple[Principal, Key]:
    """Make a group: a fresh pair, its secret sealed under a fresh group key. Returns both."""
    secret, key = PrincipalSecret.generate(), Key.random()
    sealed = seal(key, _group_place(tx.organisation, group), secret.seed)
    principal = Principal(group, kind, team, secret.public, sealed)
    add_principal(tx, principal)
    return principal, key


def group_secret(organisation: UUID, group: Principal, key: Key) -> PrincipalSecret:
    """Open a group's secret with the group key; it must belong to the group's public keys."""
    if group.sealed_secret is None:
        raise KeyUnavailable()
    place = _group_place(organisation, group.id)
    secret = PrincipalSecret(unseal(key, place, group.sealed_secret).content)
    if secret.public.key_id != group.public.key_id:
        raise Tampered(code="principal")
    return secret


def in_use(tx: KeyringTransaction, kind: PrincipalKind) -> tuple[UUID, PrincipalSecret]:
    """Return a principal of the root provider: its id, and the pair that the keyring names."""
    (row,) = groups(tx, kind)
    for version in tx.roots.versions(kind.value):
        secret = tx.roots.principal(kind.value, version)
        if secret.public.key_id == row.public.key_id:
            return row.id, secret
    raise KeyUnavailable(code="roots.version")


def principal(tx: KeyringTransaction, principal_id: UUID) -> Principal | None:
    """Return a principal, or None."""
    row = tx.one(tables.principal, id=principal_id)
    return None if row is None else _principal(row)


def principals(tx: KeyringTransaction, ids: list[UUID]) -> list[Principal]:
    """Return those of these principals that exist."""
    return [_principal(row) for row in tx.find(tables.principal, id=ids)] if ids else []


def are_people(tx: KeyringTransaction, ids: Iterable[UUID]) -> bool:
    """Say whether any of these principals is a person."""
    found = principals(tx, sorted(ids))
    return any(row.kind is PrincipalKind.STAFF for row in found)


def groups(
    tx: KeyringTransaction, kind: PrincipalKind, team: UUID | None = None
) -> list[Principal]:
    """Return the groups of one kind and team."""
    found = tx.find(tables.principal, kind=kind.value, team_id=team)
    return [_principal(row) for row in found]


def of_kind(tx: KeyringTransaction, kind: PrincipalKind) -> list[Principal]:
    """Return the groups of one kind of every team."""
    return [_principal(row) for row in tx.find(tables.principal, kind=kind.value)]


def add_vouch(tx: KeyringTransaction, vouch: Vouch) -> None:
    """Keep a vouch."""
    tx.raise_trust_version()
    statement = vouch.statement
    tx.add(tables.vouch, vouch.encode(), serial=statement.serial, subject_id=statement.subject)


def vouches_for(tx: KeyringTransaction, subject: UUID) -> list[Vouch]:
    """Return all vouches for a principal, valid or not."""
    found = []
    for row in tx.find(tables.vouch, subject_id=subject):
        vouch = Vouch.decode(row.content)
        if (vouch.statement.serial, vouch.statement.subject) != (row.lookup["serial"], subject):
            raise Tampered(code="vouch")
        found.append(vouch)
    return found


def pairs_of(tx: KeyringTransaction, one: Principal) -> list[bytes]:
    """Return the key ids of every pair that a principal was ever vouched for, the present last.

    Not checked: this is for counting, never for believing.
    """
    found = sorted(vouches_for(tx, one.id), key=lambda vouch: vouch.statement.valid_from)
    former = dict.fromkeys(vouch.subject_keys.key_id for vouch in found)
    former.pop(one.public.key_id, None)
    return [*former, one.public.key_id]


def remove_principal(tx: KeyringTransaction, principal_id: UUID) -> None:
    """Delete a principal; what was vouched for it stays as it was said."""
    tx.raise_trust_version()
    tx.remove(tables.principal, id=principal_id)


def vouches_by(tx: KeyringTransaction, issuer: UUID) -> list[Vouch]:
    """Return all vouches that a principal signed, valid or not."""
    found = [Vouch.decode(row.content) for row in tx.find(tables.vouch)]
    return [vouch for vouch in found if vouch.statement.issuer == issuer]


def add_revocation(tx: KeyringTransaction, serial: UUID, revoked_at: int) -> None:
    """Revoke a vouch from `revoked_at` (Unix seconds) on, without saying who does."""
    tx.raise_trust_version()
    tx.add(tables.revocation, canonical.encode(revoked_at), serial=serial)


def revoke(tx: KeyringTransaction, revocation: Revocation) -> None:
    """Keep a signed revocation."""
    tx.raise_trust_version()
    content = canonical.encode(
        revocation.revoked_at,
        revocation.subject,
        revocation.revoker,
        revocation.key_id,
        revocation.signature,
    )
    tx.add(tables.revocation, content, serial=revocation.serial)


def signed_revocations(tx: KeyringTransaction, serials: list[UUID]) -> list[Revocation]:
    """Return those revocations of these vouches that say who revoked."""
    found = []
    for row in tx.find(tables.revocation, serial=serials) if serials else []:
        parts = canonical.decode(row.content)
        if len(parts) > 1:
            reader = Reader(parts)
            revoked_at, subject, revoker = reader.number(), reader.uuid(), reader.uuid()
            key_id, signature = reader.bytes_(), reader.bytes_()
            serial = row.lookup["serial"]
            found.append(Revocation(serial, subject, revoked_at, revoker, key_id, signature))
    return found


def revocations(tx: KeyringTransaction, serials: list[UUID]) -> dict[UUID, int]:
    """Return from when on each of these vouches is revoked, where it is."""
    rows = tx.find(tables.revocation, serial=serials) if serials else []
    return {row.lookup["serial"]: Reader.of(row.content).number() for row in rows}


def _principal(row: Row) -> Principal:
    reader = Reader.of(row.content)
    public = PublicKeys(reader.bytes_(), reader.bytes_())
    sealed = reader.optional_bytes()
    reader.end()
    kind = PrincipalKind(row.lookup["kind"])
    return Principal(row.lookup["id"], kind, row.lookup["team_id"], public, sealed)


def _group_place(organisation: UUID, group: UUID) -> Place:
    return Place(organisation, "group-secret", group)
