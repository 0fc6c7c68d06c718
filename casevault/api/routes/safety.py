"""Shutting out: one colleague, or everybody."""

from __future__ import annotations

from uuid import UUID

from fastapi import Response

from casevault.api.deps import CallerDep, VaultDep, needs
from casevault.api.routing import Router
from casevault.api.schemas.own import LockdownWanted, Suspended
from casevault.domain.staff.access import Permission

router = Router(prefix="/v1", tags=["staff"])


@router.post(
    "/staff/{staff_id}/suspension",
    operation_id="suspend_staff",
    openapi_extra=needs(Permission.STAFF_SUSPEND),
)
def suspend_staff(vault: VaultDep, caller: CallerDep, staff_id: UUID) -> Suspended:
    """Shut a colleague out at once (administrator), until you end it; nothing is lost by it."""
    return Suspended(cases_due=vault.suspensions.suspend(caller, staff_id))


@router.delete(
    "/staff/{staff_id}/suspension",
    status_code=204,
    operation_id="resume_staff",
    openapi_extra=needs(Permission.STAFF_SUSPEND),
)
def resume_staff(vault: VaultDep, caller: CallerDep, staff_id: UUID) -> Response:
    """Let a colleague sign in again."""
    vault.suspensions.resume(caller, staff_id)
    return Response(status_code=204)


@router.post(
    "/lockdown",
    status_code=204,
    operation_id="begin_lockdown",
    openapi_extra=needs(Permission.LOCKDOWN_BEGIN),
)
def begin_lockdown(vault: VaultDep, caller: CallerDep, body: LockdownWanted) -> Response:
    """Shut the vault for everybody, you included; two of you open it again, at the server."""
    vault.lockdowns.begin(caller, body.organisation)
    return Response(status_code=204)
