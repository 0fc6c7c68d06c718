"""Enrolling, signing in, signing out, and looking at oneself."""

from __future__ import annotations

from datetime import UTC, datetime

from fastapi import Response

from casevault.api.deps import CallerDep, RequestId, Token, VaultDep, needs
from casevault.api.routing import Router
from casevault.api.schemas.auth import (
    Confirmed,
    Enrolment,
    FactorProposed,
    FactorWanted,
    GivenCode,
    PrintedCodes,
    RecoveryCode,
    Restore,
    SessionBegun,
    SignIn,
    StepUp,
)
from casevault.api.schemas.common import moment
from casevault.api.schemas.staff import StaffMember
from casevault.domain.staff.access import Permission

router = Router(prefix="/v1", tags=["auth"])


@router.post(
    "/auth/enrolments",
    status_code=201,
    operation_id="complete_enrolment",
    openapi_extra=needs(Permission.ENROLMENT_COMPLETE),
)
def complete_enrolment(vault: VaultDep, request_id: RequestId, body: Enrolment) -> StaffMember:
    """Use a one-time code up and make your keys under your own passphrase."""
    return StaffMember.of(vault.accounts.enrol(body.code, body.passphrase, request_id))


@router.post(
    "/auth/sessions",
    status_code=201,
    operation_id="create_session",
    openapi_extra=needs(Permission.SESSION_CREATE),
)
def create_session(vault: VaultDep, request_id: RequestId, body: SignIn) -> SessionBegun:
    """Sign in. The token opens nothing after the service restarts."""
    begun = vault.sessions.sign_in(
        body.login, body.passphrase, body.code, request_id, body.device, body.label
    )
    expires = moment(begun.expires_at)
    assert expires is not None  # noqa: S101 - for the type checker: a number gives a moment
    return SessionBegun(
        token=begun.token,
        staff_id=begun.staff,
        expires_at=expires,
        assurance=begun.assurance,
        second_factor=begun.second_factor,
        device=begun.device,
    )


@router.post(
    "/auth/sessions/current/second-factor",
    status_code=204,
    operation_id="give_second_factor",
    openapi_extra=needs(Permission.SESSION_RAISE),
)
def give_second_factor(
    vault: VaultDep, request_id: RequestId, caller: CallerDep, token: Token, body: GivenCode
) -> Response:
    """Give the session its second factor, if it was begun without a code."""
    vault.second_factors.give(caller, token, body.code)
    vault.sessions.refresh_feed(token, request_id)
    return Response(status_code=204)


@router.delete(
    "/auth/sessions/current",
    status_code=204,
    operation_id="end_session",
    openapi_extra=needs(Permission.SESSION_END),
)
def end_session(vault: VaultDep, caller: CallerDep, token: Token) -> Response:
    """Sign out, on every worker at once."""
    vault.sessions.sign_out(caller, token)
    return Response(status_code=204)


@router.post(
    "/auth/step-up",
    operation_id="confirm_session",
    openapi_extra=needs(Permission.SESSION_CONFIRM),
)
def confirm_session(vault: VaultDep, caller: CallerDep, token: Token, body: StepUp) -> Confirmed:
    """Give your passphrase once more: five minutes for acts that ask for it."""
    until = vault.sessions.step_up(caller, token, body.passphrase)
    return Confirmed(until=datetime.fromtimestamp(until, UTC))


@router.post(
    "/me/recovery-code",
    status_code=201,
    operation_id="make_recovery_code",
    openapi_extra=needs(Permission.RECOVERY_CODE),
)
def make_recovery_code(vault: VaultDep, caller: CallerDep) -> RecoveryCode:
    """Your way back after a forgotten passphrase; an earlier code dies."""
    return RecoveryCode(code=vault.resets.make_code(caller))


@router.post(
    "/auth/passphrase",
    status_code=204,
    operation_id="restore_passphrase",
    openapi_extra=needs(Permission.SIGN_IN_RESTORE),
)
def restore_passphrase(vault: VaultDep, request_id: RequestId, body: Restore) -> Response:
    """Set a new passphrase by the code on paper; all your sessions end."""
    vault.resets.use_code(body.login, body.code, body.passphrase, request_id)
    return Response(status_code=204)


@router.get("/me", operation_id="read_me", openapi_extra=needs(Permission.SESSION_READ))
def read_me(vault: VaultDep, caller: CallerDep) -> StaffMember:
    """Your own account, with the fingerprint that your supervisor will ask you for."""
    return StaffMember.of(vault.accounts.me(caller))


@router.post(
    "/me/second-factor",
    status_code=201,
    operation_id="propose_second_factor",
    openapi_extra=needs(Permission.FACTOR_WRITE),
)
def propose_second_factor(
    vault: VaultDep, caller: CallerDep, token: Token, body: FactorWanted
) -> FactorProposed:
    """Set up an authenticator, or replace the one of a lost phone with a printed code."""
    return FactorProposed.of(vault.second_factors.propose(caller, token, body.code))


@router.post(
    "/me/second-factor/confirmation",
    status_code=201,
    operation_id="confirm_second_factor",
    openapi_extra=needs(Permission.FACTOR_WRITE),
)
def confirm_second_factor(
    vault: VaultDep, caller: CallerDep, token: Token, body: GivenCode
) -> PrintedCodes:
    """Switch the authenticator on with its first code; your other sessions end."""
    return PrintedCodes(codes=list(vault.second_factors.confirm(caller, token, body.code)))


@router.post(
    "/me/second-factor/codes",
    status_code=201,
    operation_id="print_codes",
    openapi_extra=needs(Permission.FACTOR_WRITE),
)
def print_codes(vault: VaultDep, caller: CallerDep, token: Token, body: GivenCode) -> PrintedCodes:
    """Ten new printed codes for one code; the earlier ones are void."""
    return PrintedCodes(codes=list(vault.second_factors.print_codes(caller, token, body.code)))
