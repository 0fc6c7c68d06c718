"""One's own sessions and passphrase."""

from __future__ import annotations

from uuid import UUID

from fastapi import Response

from casevault.api.deps import CallerDep, Token, VaultDep, needs
from casevault.api.routing import Router
from casevault.api.schemas.own import (
    OwnSession,
    OwnSessionList,
    PassphraseChange,
    PassphraseProposed,
)
from casevault.crypto.macs import words
from casevault.domain import vocabulary
from casevault.domain.staff.access import Permission

_WORDS = 6
router = Router(prefix="/v1", tags=["auth"])


@router.get(
    "/auth/sessions", operation_id="list_sessions", openapi_extra=needs(Permission.SESSION_READ)
)
def list_sessions(vault: VaultDep, caller: CallerDep) -> OwnSessionList:
    """Where you are signed in, by the names that you gave to your devices."""
    found = vault.own_sessions.list_(caller)
    return OwnSessionList(items=[OwnSession.of(one) for one in found])


@router.delete(
    "/auth/sessions",
    status_code=204,
    operation_id="end_sessions",
    openapi_extra=needs(Permission.SESSION_END),
)
def end_sessions(vault: VaultDep, caller: CallerDep) -> Response:
    """Sign out everywhere, here too, on every worker at once."""
    vault.own_sessions.end_all(caller)
    return Response(status_code=204)


@router.delete(
    "/auth/sessions/{session_id}",
    status_code=204,
    operation_id="end_other_session",
    openapi_extra=needs(Permission.SESSION_END),
)
def end_other_session(vault: VaultDep, caller: CallerDep, session_id: UUID) -> Response:
    """End one of your sessions, such as that of a device you do not have any more."""
    vault.own_sessions.end(caller, session_id)
    return Response(status_code=204)


@router.put(
    "/me/passphrase",
    status_code=204,
    operation_id="change_passphrase",
    openapi_extra=needs(Permission.SIGN_IN_CHANGE),
)
def change_passphrase(
    vault: VaultDep, caller: CallerDep, token: Token, body: PassphraseChange
) -> Response:
    """Change your passphrase; your other sessions end. Nothing else changes."""
    vault.own_sessions.change_passphrase(caller, token, body.passphrase, body.new_passphrase)
    return Response(status_code=204)


@router.get(
    "/auth/passphrase",
    operation_id="propose_passphrase",
    openapi_extra=needs(Permission.WORDS_PROPOSE),
)
def propose_passphrase() -> PassphraseProposed:
    """Six random words, to be learnt or written down and given when you choose a passphrase."""
    return PassphraseProposed(passphrase=words(vocabulary.passphrase_words(), _WORDS))
