"""Grants: any 32-byte keys of one object, given to any principal by a signed statement.

A grant is one HPKE-wrapped *link key*; each key it carries is sealed under the link key in a row
of its own, so that one row can be deleted alone. `info` names everything: what, by whom, to whom,
until when. The signature covers info, ciphertext and the digest of every row. Whether the granter
*may* grant is decided by `store.keys.trust` from vouches; this module only proves who said what.
The format is written down in docs/formats/grant.md.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from uuid import UUID

from casevault.crypto import canonical
from casevault.crypto.canonical import Reader
from casevault.crypto.principals import PrincipalSecret, PublicKeys, verify, wrap
from casevault.crypto.sealing import KEY_BYTES, Key, Place, seal, unseal
from casevault.errors import Tampered

_CONTEXT = "casevault/1/grant"


@dataclass(frozen=True, slots=True)
class Carried:
    """One key that a grant carries, by name."""

    compartment: str
    key_id: bytes
    version: int


@dataclass(frozen=True, slots=True)
class GrantTerms:
    """Everything a grant says. Times are Unix seconds; `team` is None outside teams."""

    id: UUID
    purpose: str
    organisation: UUID
    team: UUID | None
    object_kind: str
    object_id: UUID
    carried: tuple[Carried, ...]
    grantee: UUID
    grantee_key_id: bytes
    granter: UUID
    granter_key_id: bytes
    issued_at: int
    expires_at: int | None = None
    # The bytes that `decode` read or `encode` wrote; the same terms have no others.
    _read: bytes | None = field(init=False, default=None, repr=False, compare=False)

    def encode(self) -> bytes:
        """Return the canonical bytes: the HPKE `info` and the start of what is signed."""
        if self._read is None:
            object.__setattr__(self, "_read", self._encoded())
        return self._read  # type: ignore[return-value]

    def _encoded(self) -> bytes:
        return canonical.encode(
            _CONTEXT,
            self.id,
            self.purpose,
            self.organisation,
            self.team,
            self.object_kind,
            self.object_id,
            tuple((c.compartment, c.key_id, c.version) for c in self.carried),
            self.grantee,
            self.grantee_key_id,
            self.granter,
            self.granter_key_id,
            self.issued_at,
            self.expires_at,
        )

    @classmethod
    def decode(cls, data: bytes) -> GrantTerms:
        """Read what `encode` wrote, else `Tampered`."""
        reader = Reader.of(data)
        if reader.text() != _CONTEXT:
            raise Tampered(code="grant")
        terms = cls(
            id=reader.uuid(),
            purpose=reader.text(),
            organisation=reader.uuid(),
            team=reader.optional_uuid(),
            object_kind=reader.text(),
            object_id=reader.uuid(),
            carried=tuple(_carried(part) for part in reader.list_()),
            grantee=reader.uuid(),
            grantee_key_id=reader.bytes_(),
            granter=reader.uuid(),
            granter_key_id=reader.bytes_(),
            issued_at=reader.number(),
            expires_at=reader.optional_number(),
        )
        reader.end()
        object.__setattr__(terms, "_read", data)
        return terms

    def names(self, compartment: str) -> Carried | None:
        """Return what the grant says about one compartment's key."""
        return next((c for c in self.carried if c.compartment == compartment), None)


@dataclass(frozen=True, slots=True)
class Grant:
    """A signed grant without its key rows."""

    terms: GrantTerms
    ciphertext: bytes = field(repr=False)
    digests: tuple[bytes, ...] = field(repr=False)
    signature: bytes = field(repr=False)
    # As in the terms.
    _read: bytes | None = field(init=False, default=None, repr=False, compare=False)

    def encode(self) -> bytes:
        """Return the bytes that the keyring keeps."""
        return self._read or canonical.encode(
            self.terms.encode(), self.ciphertext, self.digests, self.signature
        )

    @classmethod
    def decode(cls, data: bytes) -> Grant:
        """Read what `encode` wrote, else `Tampered`."""
        reader = Reader.of(data)
        terms = GrantTerms.decode(reader.bytes_())
        ciphertext = reader.bytes_()
        digests = tuple(Reader((part,)).bytes_() for part in reader.list_())
        signature = reader.bytes_()
        reader.end()
        if len(digests) != len(terms.carried):
            raise Tampered(code="grant")
        grant = cls(terms, ciphertext, digests, signature)
        object.__setattr__(grant, "_read", data)
        return grant

    @property
    def digest(self) -> bytes:
        """SHA-256 of the whole grant, under which a passed check may be remembered."""
        return hashlib.sha256(self.encode()).digest()


def issue(
    terms: GrantTerms,
    keys: Mapping[str, Key],
    granter: PrincipalSecret,
    grantee: PublicKeys,
) -> tuple[Grant, dict[str, bytes]]:
    """Return the grant and, by compartment, the sealed key rows.

    `keys` holds exactly the keys that `terms.carried` names.
    """
    if {c.compartment: (c.key_id, c.version) for c in terms.carried} != {
        name: (key.id, key.version) for name, key in keys.items()
    }:
        raise ValueError("terms and keys name different things")
    if (terms.grantee_key_id, terms.granter_key_id) != (grantee.key_id, granter.public.key_id):
        raise ValueError("terms name other principals")
    link = Key.random()
    rows = {
        c.compartment: seal(link, _row_place(terms, c.compartment), keys[c.compartment].material)
        for c in terms.carried
    }
    encoded = terms.encode()
    ciphertext = wrap(grantee, link.material, encoded)
    digests = tuple(hashlib.sha256(rows[c.compartment]).digest() for c in terms.carried)
    signature = granter.sign(_CONTEXT, canonical.encode(encoded, ciphertext, digests))
    return Grant(terms, ciphertext, digests, signature), rows


def check_signature(grant: Grant, granter: PublicKeys) -> None:
    """Return if `granter` signed this grant, else `Tampered`."""
    if granter.key_id != grant.terms.granter_key_id:
        raise Tampered(code="grant")
    verify(
        granter, _CONTEXT, _signed(grant.terms, grant.ciphertext, grant.digests), grant.signature
    )


def open_link(grant: Grant, grantee: PrincipalSecret) -> Key:
    """Unwrap the link key. Call only after signature, chain and expiry have been checked."""
    if grantee.public.key_id != grant.terms.grantee_key_id:
        raise Tampered(code="grant")
    material = grantee.unwrap(grant.ciphertext, grant.terms.encode())
    if len(material) != KEY_BYTES:
        raise Tampered(code="grant")
    return Key(material)


def open_row(grant: Grant, link: Key, compartment: str, row: bytes) -> Key:
    """Return one carried key; its id must be the one that the terms name."""
    place = next((n for n, c in enumerate(grant.terms.carried) if c.compartment == compartment), -1)
    if place < 0 or not hmac.compare_digest(hashlib.sha256(row).digest(), grant.digests[place]):
        raise Tampered(code="grant")
    carried = grant.terms.carried[place]
    material = unseal(link, _row_place(grant.terms, compartment), row).content
    if len(material) != KEY_BYTES:
        raise Tampered(code="grant")
    key = Key(material, carried.version)
    if not hmac.compare_digest(key.id, carried.key_id):
        raise Tampered(code="grant")
    return key


def _signed(terms: GrantTerms, ciphertext: bytes, digests: tuple[bytes, ...]) -> bytes:
    return canonical.encode(terms.encode(), ciphertext, digests)


def _row_place(terms: GrantTerms, compartment: str) -> Place:
    return Place(
        organisation=terms.organisation,
        kind="grant-key",
        row=terms.id,
        case=terms.object_id,
        compartment=compartment,
    )


def _carried(part: canonical.Part) -> Carried:
    if not isinstance(part, tuple):
        raise Tampered(code="grant")
    reader = Reader(part)
    carried = Carried(reader.text(), reader.bytes_(), reader.number())
    reader.end()
    return carried
