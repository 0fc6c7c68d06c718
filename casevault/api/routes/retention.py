"""How long cases are kept: schedule, legal holds, extensions, erasures, certificates."""

from __future__ import annotations

import json
from uuid import UUID

from casevault.api.deps import CallerDep, VaultDep, needs
from casevault.api.routing import Router
from casevault.api.schemas.approvals import Approval
from casevault.api.schemas.retention import (
    Certificate,
    CertificateList,
    Due,
    Hold,
    HoldList,
    HoldReview,
    NewErasure,
    NewExtension,
    NewHold,
    NewSchedule,
    ProposedSchedule,
    Schedules,
    ScheduleVersion,
)
from casevault.domain.staff.access import Permission

router = Router(prefix="/v1", tags=["retention"])


@router.get(
    "/retention/schedules",
    operation_id="list_schedules",
    openapi_extra=needs(Permission.RETENTION_READ),
)
def list_schedules(vault: VaultDep, caller: CallerDep) -> Schedules:
    """Every version of the retention schedule; the last one holds."""
    return Schedules(items=[ScheduleVersion.of(one) for one in vault.keeping.schedules(caller)])


@router.post(
    "/retention/schedules",
    status_code=201,
    operation_id="propose_schedule",
    openapi_extra=needs(Permission.RETENTION_CHANGE),
)
def propose_schedule(vault: VaultDep, caller: CallerDep, body: NewSchedule) -> ProposedSchedule:
    """Ask for another schedule, and see what it would make due among the real cases.

    It holds once a supervisor or an auditor approves exactly it (`/v1/approvals`); cases are
    counted anew by the next `casevault retention run`.
    """
    return ProposedSchedule.of(vault.keeping.propose(caller, body.schedule()))


@router.get("/holds", operation_id="list_holds", openapi_extra=needs(Permission.HOLD_LIST))
def list_holds(vault: VaultDep, caller: CallerDep) -> HoldList:
    """The legal holds with their reasons; to supervisors those of their team."""
    return HoldList(items=[Hold.of(one) for one in vault.holds.list_(caller)])


@router.post(
    "/holds", status_code=201, operation_id="set_hold", openapi_extra=needs(Permission.HOLD_SET)
)
def set_hold(vault: VaultDep, caller: CallerDep, body: NewHold) -> Hold:
    """Keep a case from every erasure until two people release it."""
    case = _case(body.case)
    return Hold.of(vault.holds.set_(caller, case, body.reason, body.owner, body.review))


@router.post(
    "/holds/{hold_id}/review",
    operation_id="review_hold",
    openapi_extra=needs(Permission.HOLD_SET),
)
def review_hold(vault: VaultDep, caller: CallerDep, hold_id: UUID, body: HoldReview) -> Hold:
    """Let a hold stand, and say when somebody looks at it again."""
    return Hold.of(vault.holds.review(caller, hold_id, body.review))


@router.post(
    "/holds/{hold_id}/release",
    status_code=201,
    operation_id="ask_hold_release",
    openapi_extra=needs(Permission.HOLD_RELEASE),
)
def ask_hold_release(vault: VaultDep, caller: CallerDep, hold_id: UUID) -> Approval:
    """Ask that a hold ends; another DPO's or a supervisor's approval ends it."""
    return Approval.of(vault.holds.ask_release(caller, hold_id))


@router.post(
    "/cases/{case_id}/erasure",
    status_code=201,
    operation_id="ask_erasure",
    openapi_extra=needs(Permission.CASE_ERASE),
)
def ask_erasure(vault: VaultDep, caller: CallerDep, case_id: UUID, body: NewErasure) -> Approval:
    """Ask that a case, or parts of it, is erased before its time. The DPO's approval erases it."""
    names = [compartment.value for compartment in body.compartments]
    return Approval.of(vault.keeping.ask_erasure(caller, case_id, body.reason, names))


@router.post(
    "/cases/{case_id}/extension",
    operation_id="extend_case",
    openapi_extra=needs(Permission.CASE_EXTEND),
)
def extend_case(vault: VaultDep, caller: CallerDep, case_id: UUID, body: NewExtension) -> Due:
    """Keep a case longer, up to the schedule's limit after it was due first."""
    return Due.of(vault.keeping.extend(caller, case_id, body.months, body.reason))


@router.get(
    "/certificates",
    operation_id="list_certificates",
    openapi_extra=needs(Permission.CERTIFICATE_READ),
)
def list_certificates(vault: VaultDep, caller: CallerDep) -> CertificateList:
    """The certificates of erasures that are final."""
    return CertificateList(items=vault.keeping.certificates(caller))


@router.get(
    "/certificates/{certificate_id}",
    operation_id="read_certificate",
    openapi_extra=needs(Permission.CERTIFICATE_READ),
)
def read_certificate(vault: VaultDep, caller: CallerDep, certificate_id: UUID) -> Certificate:
    """One certificate, to be shown to anybody: `casevault certificate verify` checks it."""
    found = json.loads(vault.keeping.certificate(caller, certificate_id).text)
    return Certificate(
        certificate=found["certificate"], entry=found["entry"], signature=found["signature"]
    )


def _case(text: str) -> UUID | str:
    try:
        return UUID(text)
    except ValueError:
        return text
