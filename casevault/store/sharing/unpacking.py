"""Packages that come in: opened with the key of a team's intake group, in a member's session.

What is in one comes from outside: whatever does not hold is a bad input, never a stored row that
was changed. Must never believe what a sender calls themselves: only a key that was compared says
who it was.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from casevault.crypto import packages
from casevault.crypto.packages import Package, Statement
from casevault.crypto.principals import PublicKeys
from casevault.domain.staff.granting import PrincipalKind
from casevault.errors import Conflict, Invalid, NotFound, Refused, Tampered
from casevault.store.context.caller import Caller
from casevault.store.engine.keyring import KeyringTransaction
from casevault.store.keys import partners, principals
from casevault.store.sharing import arrivals

_HOUR = 3600
# The name under which an inbox keeps a letter that only its group opens.
PACKAGE = "package"


def opened(tx: KeyringTransaction, caller: Caller, sealed: bytes) -> tuple[UUID, Package]:
    """Return the team that a package is for, one of the caller's, and what it holds.

    :raises Invalid: it is sealed to nobody of ours, or damaged.
    """
    try:
        _, recipient = packages.read_outside(io.BytesIO(sealed))
        for team in sorted(caller.actor.teams):
            for group in principals.groups(tx, PrincipalKind.INTAKE, team):
                if group.public.key_id == recipient:
                    _, secret = caller.keys.group(tx, group.id)
                    return team, packages.open_package(io.BytesIO(sealed), secret)
    except Tampered:
        raise Invalid(
            "This package was cut off, damaged or changed on its way. Ask for it again.",
            code="package.damaged",
        ) from None
    raise Refused("This package is sealed to another key.", code="package.recipient")


def kept_closed(sealed: bytes, name: str, signer: PublicKeys) -> dict[str, str]:
    """Return what an inbox keeps of a letter that another vault brought: closed, as it came."""
    package = base64.b64encode(sealed).decode()
    return {PACKAGE: package, "from": name, "signer": signer.key_id.hex()}


def of_vault(tx: KeyringTransaction, caller: Caller, content: Mapping[str, Any]) -> Package:
    """Return the letter that an inbox keeps closed, to a member of its group.

    :raises Invalid: it is damaged, or whoever brought it did not sign it.
    """
    package = opened(tx, caller, base64.b64decode(str(content[PACKAGE])))[1]
    signer = package.statement.signer
    if signer is None or signer.key_id.hex() != content["signer"]:
        raise Invalid(
            "Whoever brought this letter did not write it. Decline it, and call them.",
            code="package.signer",
        )
    return package


def require_new(tx: KeyringTransaction, statement: Statement, now: int) -> None:
    """Refuse a package that came before, is too old to know that, or comes from the future."""
    over = statement.expires_at is not None and statement.expires_at <= now
    # Ids are kept for as long as a package is taken: what is older could have come before.
    if over or statement.made_at <= now - arrivals.KEPT_SECONDS or statement.made_at > now + _HOUR:
        raise Invalid(
            "This package is too old, or made by a clock that is wrong. Ask for it again.",
            code="package.expired",
        )
    try:
        arrivals.find(tx, statement.id)
    except NotFound:
        return
    raise Conflict("This very package came in before.", code="package.again")


def signer_of(tx: KeyringTransaction, statement: Statement) -> tuple[str, str]:
    """Return who sent a package and how surely: ``known``, ``unknown`` or ``nobody`` signed it."""
    if statement.signer is None:
        return statement.sender, "nobody"
    known = partners.whose(tx, statement.signer)
    if known is not None:
        return known.name, "known"
    return statement.sender, "unknown"
