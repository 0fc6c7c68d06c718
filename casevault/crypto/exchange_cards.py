"""The card of a vault: where it answers, under which keys, and the keys of one of its teams.

Signed by the organisation whose card it is. Public, and worth nothing by itself: whoever takes it
in has compared the organisation's fingerprint by voice. Must never be believed for a key that it
brings itself. The format is written down in docs/formats/exchange.md.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass, field
from typing import Self

from casevault.crypto import canonical
from casevault.crypto.canonical import Part, Reader
from casevault.crypto.principals import PrincipalSecret, PublicKeys, verify
from casevault.errors import Tampered

CONTEXT = "casevault/1/exchange-card"
MAX_TEXT = 8192


@dataclass(frozen=True, slots=True)
class Card:
    """What a card says. `made_at` is in Unix seconds; `address` as people write it."""

    organisation: str
    address: str
    team: str
    keys: PublicKeys = field(repr=False)
    team_keys: PublicKeys = field(repr=False)
    made_at: int

    def sign(self, secret: PrincipalSecret) -> str:
        """Return it as a line of text, signed.

        :raises ValueError: this is not the secret of its keys.
        """
        if secret.public != self.keys:
            raise ValueError("a card is signed by whose it is")
        said = canonical.encode(*self._parts)
        return base64.b64encode(canonical.encode(said, secret.sign(CONTEXT, said))).decode()

    @classmethod
    def read(cls, text: str) -> Self:
        """Read a card whose signature is that of the keys in it, else `Tampered`."""
        if len(text) > MAX_TEXT:
            raise Tampered(code="exchange.card")
        try:
            reader = Reader.of(base64.b64decode("".join(text.split()), validate=True))
        except (binascii.Error, ValueError):
            raise Tampered(code="exchange.card") from None
        said, signature = reader.bytes_(), reader.bytes_()
        reader.end()
        found = cls._of(Reader.of(said))
        verify(found.keys, CONTEXT, said, signature)
        return found

    @property
    def _parts(self) -> tuple[Part, ...]:
        return (
            CONTEXT,
            self.organisation,
            self.address,
            self.team,
            self.keys.parts,
            self.team_keys.parts,
            self.made_at,
        )

    @classmethod
    def _of(cls, reader: Reader) -> Self:
        if reader.text() != CONTEXT:
            raise Tampered(code="exchange.card")
        found = cls(
            organisation=reader.text(),
            address=reader.text(),
            team=reader.text(),
            keys=public_of(reader.list_()),
            team_keys=public_of(reader.list_()),
            made_at=reader.number(),
        )
        reader.end()
        return found


def public_of(parts: tuple[Part, ...]) -> PublicKeys:
    """Return the public keys that such parts name, else `Tampered`."""
    reader = Reader(parts)
    found = PublicKeys(reader.bytes_(), reader.bytes_())
    reader.end()
    return found
