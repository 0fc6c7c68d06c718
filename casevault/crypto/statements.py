"""What one person signs about a case outside of it: a hold, a request that they took down.

The signature covers every plain part of it and the organisation, so that none can be moved to
another case or day. Whose signature counts is decided by whoever checks.
"""

from __future__ import annotations

from casevault.crypto import canonical
from casevault.crypto.canonical import Part, Reader
from casevault.crypto.principals import PrincipalSecret, PublicKeys, verify
from casevault.errors import Tampered

_CONTEXT = "casevault/1/matter"


def sign(secret: PrincipalSecret, *parts: Part) -> bytes:
    """Return a signed statement over these parts."""
    key_id = secret.public.key_id
    message = canonical.encode(_CONTEXT, key_id, *parts)
    return canonical.encode(key_id, secret.sign(_CONTEXT, message))


def key_id_of(statement: bytes) -> bytes:
    """Return by which keys a statement says it was signed."""
    return _read(statement)[0]


def check(statement: bytes, public: PublicKeys, *parts: Part) -> None:
    """Return if these keys signed exactly these parts, else `Tampered`."""
    key_id, signature = _read(statement)
    if key_id != public.key_id:
        raise Tampered(code="matter")
    verify(public, _CONTEXT, canonical.encode(_CONTEXT, key_id, *parts), signature)


def _read(statement: bytes) -> tuple[bytes, bytes]:
    reader = Reader.of(statement)
    found = reader.bytes_(), reader.bytes_()
    reader.end()
    return found
