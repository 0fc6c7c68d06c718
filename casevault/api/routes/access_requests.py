"""Asking for a case that a search named."""

from __future__ import annotations

from uuid import UUID

from casevault.api.deps import CallerDep, VaultDep, needs
from casevault.api.routing import Router
from casevault.api.schemas.access_requests import (
    AccessDecision,
    AccessRequestItem,
    AccessRequestList,
    AskedAccess,
    NewAccessRequest,
)
from casevault.clock import unix_seconds
from casevault.domain.staff.access import Permission

router = Router(prefix="/v1", tags=["search"])


@router.post(
    "/cases/{reference}/access-requests",
    status_code=201,
    operation_id="ask_access",
    openapi_extra=needs(Permission.ACCESS_ASK),
)
def ask_access(
    vault: VaultDep, caller: CallerDep, reference: str, body: NewAccessRequest
) -> AskedAccess:
    """Ask the holders of a case of your team, named by its reference, for access to it."""
    names = [compartment.value for compartment in body.compartments]
    until = unix_seconds(body.until)
    found = vault.access_requests.ask(caller, reference, body.reason, names, until)
    return AskedAccess.of(found)


@router.get(
    "/access-requests",
    operation_id="list_access_requests",
    openapi_extra=needs(Permission.ACCESS_LIST),
)
def list_access_requests(vault: VaultDep, caller: CallerDep) -> AccessRequestList:
    """Your own requests with their answers, and those that wait for you."""
    found = vault.access_requests.list_(caller)
    return AccessRequestList(items=[AccessRequestItem.of(one) for one in found])


@router.post(
    "/access-requests/{access_request_id}/decision",
    operation_id="decide_access",
    openapi_extra=needs(Permission.ACCESS_DECIDE),
)
def decide_access(
    vault: VaultDep, caller: CallerDep, access_request_id: UUID, body: AccessDecision
) -> AskedAccess:
    """Grant or decline, with a reason. You give no more, and for no longer, than you hold."""
    done = vault.access_requests.decide(caller, access_request_id, body.grant, body.reason)
    return AskedAccess.of(done)
