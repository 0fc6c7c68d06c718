"""The organisation's signature on a release, in a form that anybody can check offline.

The signed text is JSON as it stands, byte for byte; beside it the organisation's key, the root's
vouch for that key and the root's key, whose fingerprint the reader knows from elsewhere. Must never
call a release good whose chain does not end at the fingerprint that was given.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from casevault.crypto import canonical, macs, vouches
from casevault.crypto.principals import PrincipalSecret, PublicKeys, verify
from casevault.crypto.vouches import Vouch
from casevault.errors import Tampered

CONTEXT = "casevault/1/release"
KIND = "organisation"


@dataclass(frozen=True, slots=True)
class Signed:
    """A statement with everything that it takes to check it."""

    organisation: UUID
    text: str = field(repr=False)
    signature: bytes = field(repr=False)
    vouch: Vouch = field(repr=False)
    root: PublicKeys = field(repr=False)

    def as_data(self) -> dict[str, Any]:
        """Return it as JSON takes it."""
        return {
            "organisation": str(self.organisation),
            "statement": self.text,
            "signature": macs.b64(self.signature),
            "vouch": macs.b64(self.vouch.encode()),
            "root": [macs.b64(part) for part in self.root.parts],
        }

    @classmethod
    def from_data(cls, data: Any) -> Signed:  # noqa: ANN401 - whatever stands in the file
        """Read what `as_data` wrote, else `Tampered`."""
        try:
            kem, sign = (_bytes(part) for part in data["root"])
            organisation = UUID(data["organisation"])
            if str(organisation) != data["organisation"]:
                raise ValueError
            return cls(
                organisation,
                str(data["statement"]),
                _bytes(data["signature"]),
                Vouch.decode(_bytes(data["vouch"])),
                PublicKeys(kem, sign),
            )
        except (KeyError, TypeError, ValueError):
            raise Tampered(code="release.file") from None


def sign(
    organisation: UUID, text: str, secret: PrincipalSecret, vouch: Vouch, root: PublicKeys
) -> Signed:
    """Sign a statement in the organisation's name."""
    signature = secret.sign(CONTEXT, _message(organisation, text))
    return Signed(organisation, text, signature, vouch, root)


def check(signed: Signed, pin: str) -> dict[str, Any]:
    """Return the statement if the organisation under this root signed it, else `Tampered`."""
    if signed.root.pin != pin:
        raise Tampered("This was signed under another root key.", code="release.root")
    vouches.check_signature(signed.vouch, signed.root)
    statement = signed.vouch.statement
    if statement.kind != KIND:
        raise Tampered(code="release.vouch")
    message = _message(signed.organisation, signed.text)
    verify(signed.vouch.subject_keys, CONTEXT, message, signed.signature)
    try:
        found = json.loads(signed.text)
        in_force = statement.valid_from <= found["published_at"] <= statement.valid_until
    except (KeyError, TypeError, ValueError):
        raise Tampered(code="release.file") from None
    if not in_force:
        raise Tampered(code="release.vouch")
    return dict(found)


def _message(organisation: UUID, text: str) -> bytes:
    return canonical.encode(CONTEXT, organisation, text)


def _bytes(text: str) -> bytes:
    found = macs.unb64(text)
    if found is None:
        raise ValueError("no base64")
    return found
