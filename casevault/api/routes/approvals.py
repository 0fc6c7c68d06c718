"""Acts outside of cases that wait for a second person."""

from __future__ import annotations

from uuid import UUID

from casevault.api.deps import CallerDep, VaultDep, needs
from casevault.api.routing import Router
from casevault.api.schemas.approvals import (
    Approval,
    ApprovalDecision,
    ApprovalList,
    NewRecovery,
)
from casevault.domain.staff.access import Permission

router = Router(prefix="/v1", tags=["approvals"])


@router.get(
    "/approvals", operation_id="list_approvals", openapi_extra=needs(Permission.APPROVAL_LIST)
)
def list_approvals(vault: VaultDep, caller: CallerDep) -> ApprovalList:
    """What waits for your word: never what you asked for, or what is for you."""
    return ApprovalList(items=[Approval.of(one) for one in vault.approvals.waiting(caller)])


@router.post(
    "/approvals/{approval_id}/decision",
    operation_id="decide_approval",
    openapi_extra=needs(Permission.APPROVAL_DECIDE),
)
def decide_approval(
    vault: VaultDep, caller: CallerDep, approval_id: UUID, body: ApprovalDecision
) -> Approval:
    """Approve or decline; asks for your passphrase of the last five minutes."""
    return Approval.of(vault.approvals.decide(caller, approval_id, approve=body.approve))


@router.post(
    "/recoveries",
    status_code=201,
    operation_id="ask_recovery",
    openapi_extra=needs(Permission.KEYS_RECOVER),
)
def ask_recovery(vault: VaultDep, caller: CallerDep, body: NewRecovery) -> Approval:
    """Ask for a recovery. When it is approved, `casevault keys recover` takes the shares."""
    wish = vault.recovery.ask(
        caller, body.scope, body.object_id, body.beneficiary, vouch=body.vouch
    )
    return Approval.of(wish)
