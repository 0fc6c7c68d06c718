"""Vouches: signed statements that these public keys belong to this person, in this role and team.

Roles and teams that matter for keys are read from here, never from a staff row. Who may vouch for
whom is decided in `domain.staff.vouching`; chains are followed in `store.keys.trust`. The format is
written down in docs/formats/vouch.md.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from uuid import UUID

from casevault.crypto import canonical
from casevault.crypto.canonical import Reader
from casevault.crypto.principals import PrincipalSecret, PublicKeys, verify
from casevault.domain.staff.vouching import VouchStatement
from casevault.errors import Tampered
from casevault.ids import PrincipalId, TeamId

_CONTEXT = "casevault/1/vouch"
_REVOCATION = "casevault/1/revocation"


@dataclass(frozen=True, slots=True)
class Vouch:
    """A statement and the issuer's 64-byte signature."""

    statement: VouchStatement
    signature: bytes = field(repr=False)

    @property
    def subject_keys(self) -> PublicKeys:
        """The public keys vouched for."""
        return PublicKeys(self.statement.kem_public, self.statement.sign_public)

    @property
    def digest(self) -> bytes:
        """SHA-256 of the whole vouch, under which a passed check may be remembered."""
        return hashlib.sha256(self.encode()).digest()

    def encode(self) -> bytes:
        """Return the bytes that the keyring keeps."""
        return canonical.encode(encode_statement(self.statement), self.signature)

    @classmethod
    def decode(cls, data: bytes) -> Vouch:
        """Read what `encode` wrote, else `Tampered`."""
        reader = Reader.of(data)
        vouch = cls(_decode_statement(reader.bytes_()), reader.bytes_())
        reader.end()
        return vouch


@dataclass(frozen=True, slots=True)
class Revocation:
    """Somebody's signed word that a vouch counts no more from a moment on (Unix seconds)."""

    serial: UUID
    subject: UUID
    revoked_at: int
    revoker: UUID
    key_id: bytes = field(repr=False)
    signature: bytes = field(repr=False)


def revoke(vouch: Vouch, revoked_at: int, revoker: UUID, secret: PrincipalSecret) -> Revocation:
    """Sign that a vouch counts no more."""
    statement, key_id = vouch.statement, secret.public.key_id
    message = _revoked(statement.serial, statement.subject, revoked_at, revoker, key_id)
    signature = secret.sign(_REVOCATION, message)
    return Revocation(statement.serial, statement.subject, revoked_at, revoker, key_id, signature)


def check_revocation(revocation: Revocation, public: PublicKeys) -> None:
    """Return if these keys signed this revocation, else `Tampered`."""
    found = revocation
    message = _revoked(found.serial, found.subject, found.revoked_at, found.revoker, found.key_id)
    verify(public, _REVOCATION, message, found.signature)


def _revoked(serial: UUID, subject: UUID, revoked_at: int, revoker: UUID, key_id: bytes) -> bytes:
    return canonical.encode(_REVOCATION, serial, subject, revoked_at, revoker, key_id)


def issue(statement: VouchStatement, issuer: PrincipalSecret) -> Vouch:
    """Sign a statement."""
    return Vouch(statement, issuer.sign(_CONTEXT, encode_statement(statement)))


def check_signature(vouch: Vouch, issuer: PublicKeys) -> None:
    """Return if `issuer` signed this vouch, else `Tampered`."""
    verify(issuer, _CONTEXT, encode_statement(vouch.statement), vouch.signature)


def encode_statement(statement: VouchStatement) -> bytes:
    """Return the canonical bytes that are signed."""
    return canonical.encode(
        _CONTEXT,
        statement.subject,
        statement.kind,
        tuple(statement.roles),
        statement.team,
        statement.kem_public,
        statement.sign_public,
        statement.issuer,
        statement.valid_from,
        statement.valid_until,
        statement.serial,
    )


def _decode_statement(data: bytes) -> VouchStatement:
    reader = Reader.of(data)
    if reader.text() != _CONTEXT:
        raise Tampered(code="vouch")
    subject, kind = PrincipalId(reader.uuid()), reader.text()
    roles = tuple(Reader((role,)).text() for role in reader.list_())
    team = reader.optional_uuid()
    statement = VouchStatement(
        subject=subject,
        kind=kind,
        roles=roles,
        team=None if team is None else TeamId(team),
        kem_public=reader.bytes_(),
        sign_public=reader.bytes_(),
        issuer=PrincipalId(reader.uuid()),
        valid_from=reader.number(),
        valid_until=reader.number(),
        serial=reader.uuid(),
    )
    reader.end()
    return statement
