"""Messages between vaults as packages: sealed to the other organisation, signed by ours.

The service opens and makes them, with the organisation's pair; what is inside of a letter is sealed
once more, to a team, and stays closed to it. Every message that does not hold is a bad input from
outside, never a stored row that was changed.
"""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass, field
from uuid import UUID

from casevault.crypto import packages
from casevault.crypto.packages import Statement
from casevault.crypto.principals import PrincipalSecret, PublicKeys
from casevault.domain.sharing import exchanging
from casevault.domain.sharing.exchanging import CLOCKS_SECONDS, LETTER_DAYS, MAX_BYTES, Message
from casevault.domain.sharing.packing import PackageKind, PackedFile
from casevault.domain.sharing.partners import Partner
from casevault.domain.staff.granting import PrincipalKind
from casevault.errors import Invalid, Refused, Tampered
from casevault.store.engine.keyring import KeyringTransaction
from casevault.store.keys import partners, principals

_DAY = 86_400


@dataclass(frozen=True, slots=True)
class Opened:
    """A message that holds: who signed it, under which id, and the digest of its sealed bytes."""

    id: UUID
    signer: PublicKeys = field(repr=False)
    message: Message
    digest: bytes
    expires_at: int


def organisation(tx: KeyringTransaction) -> PrincipalSecret:
    """Return the pair of the organisation, which the root provider holds."""
    return principals.in_use(tx, PrincipalKind.ORGANISATION)[1]


def seal(
    own: PrincipalSecret, to: PublicKeys, message: Message, made: tuple[UUID, int, int]
) -> bytes:
    """Return a message as it travels; `made`: its id, when it was made, until when it counts."""
    files = (PackedFile(exchanging.FILE, message.encode()),)
    statement = Statement(
        id=made[0],
        kind=PackageKind.EXCHANGE,
        # Whose keys these are is in the directory; what somebody calls themselves is not asked.
        sender="",
        made_at=made[1],
        expires_at=made[2],
        recipient=to.key_id,
        signer=own.public,
        files=tuple(one.listed for one in files),
    )
    return b"".join(packages.seal_package(statement, own, to, files))


def opened(own: PrincipalSecret, sealed: bytes, now: int, kept: int = LETTER_DAYS * _DAY) -> Opened:
    """Return what a message says if it is whole, signed, for us and not older than `kept`.

    :raises Invalid: it is not. :raises Refused: it is sealed to another key than our present one.
    """
    if len(sealed) > MAX_BYTES:
        raise Invalid("This message is too large. Send files by hand.", code="exchange.too-large")
    try:
        found = packages.open_package(io.BytesIO(sealed), own)
    except Refused:
        raise Refused(
            "This is sealed to a key that this vault does not use (any more).",
            code="exchange.our-key",
            hint="Ask for its card again, and compare the fingerprint.",
        ) from None
    except Tampered:
        raise Invalid("This message was cut off or changed.", code="exchange.damaged") from None
    signer, held = found.statement.signer, {one.name: one.content for one in found.files}
    if signer is None or found.statement.kind is not PackageKind.EXCHANGE:
        raise exchanging.no_message()
    if held.keys() != {exchanging.FILE}:
        raise exchanging.no_message()
    until = _require_in_time(found.statement, now, kept)
    digest = hashlib.sha256(sealed).digest()
    message = Message.decode(held[exchanging.FILE])
    return Opened(found.statement.id, signer, message, digest, until)


def known(tx: KeyringTransaction, signer: PublicKeys) -> Partner:
    """Return the partner whose vault this key speaks for, else `Refused`."""
    found = partners.whose(tx, signer)
    if found is None or found.pinned is None:
        raise Refused("Nobody here has agreed to talk to this vault.", code="exchange.unknown")
    return found


def _require_in_time(statement: Statement, now: int, kept: int) -> int:
    until = statement.expires_at
    if until is None or until <= now or not now - kept < statement.made_at <= now + CLOCKS_SECONDS:
        raise Invalid(
            "This message is too old, or a clock is wrong.",
            code="exchange.expired",
        )
    return until
