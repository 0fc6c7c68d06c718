"""Consents of a case, other lawful bases, and what the DPO looks at when nobody confirmed one."""

from __future__ import annotations

from uuid import UUID

from fastapi import Response

from casevault.api.deps import CallerDep, Cursor, OnceCaller, VaultDep, etag, located, needs
from casevault.api.routing import Router
from casevault.api.schemas.consents import (
    BasisState,
    DeadlineReview,
    MissedDeadline,
    MissedDeadlines,
    NewBasis,
    NewConsent,
    NewWithdrawal,
    Withdrawal,
)
from casevault.api.schemas.records import CaseRecord, CaseRecordPage, Decision, Made
from casevault.domain.case.casefile import DocumentKind
from casevault.domain.staff.access import Permission

router = Router(prefix="/v1", tags=["consents"])
_READ, _AMEND = needs(Permission.CASE_READ), needs(Permission.CASE_AMEND)
_CONSENT, _BASIS = DocumentKind.CONSENT, DocumentKind.BASIS


@router.post(
    "/cases/{case_id}/consents",
    status_code=201,
    operation_id="add_consent",
    openapi_extra=_AMEND,
)
def add_consent(
    vault: VaultDep,
    caller: OnceCaller,
    case_id: UUID,
    response: Response,
    body: NewConsent,
) -> Made:
    """Record what the survivor agreed to. One that was not informed is refused: it counts not."""
    made = vault.consents.record(caller, case_id, body.content)
    located(response, f"/v1/cases/{case_id}/consents/{made}")
    return Made(id=made)


@router.get("/cases/{case_id}/consents", operation_id="list_consents", openapi_extra=_READ)
def list_consents(
    vault: VaultDep, caller: CallerDep, case_id: UUID, cursor: Cursor = None
) -> CaseRecordPage:
    """The consents of a case, newest first, withdrawn ones too."""
    return CaseRecordPage.of(vault.records.list_(caller, case_id, (_CONSENT,), cursor))


@router.get(
    "/cases/{case_id}/consents/{record_id}", operation_id="read_consent", openapi_extra=_READ
)
def read_consent(
    vault: VaultDep, caller: CallerDep, case_id: UUID, record_id: UUID, response: Response
) -> CaseRecord:
    """One consent."""
    kept = vault.records.read(caller, case_id, _CONSENT, record_id)
    response.headers["ETag"] = etag(kept.version)
    return CaseRecord.of(kept)


@router.post(
    "/cases/{case_id}/consents/{record_id}/withdrawal",
    operation_id="withdraw_consent",
    openapi_extra=_AMEND,
)
def withdraw_consent(
    vault: VaultDep, caller: CallerDep, case_id: UUID, record_id: UUID, body: NewWithdrawal
) -> Withdrawal:
    """Take a consent back from now on. The answer says what cannot be called back."""
    return Withdrawal.of(vault.consents.withdraw(caller, case_id, record_id, body.reason))


@router.post(
    "/cases/{case_id}/objections",
    operation_id="carry_out_objections",
    openapi_extra=_AMEND,
)
def carry_out_objections(vault: VaultDep, caller: CallerDep, case_id: UUID) -> Withdrawal:
    """Take back all by which the purposes were allowed to which a granted objection is.

    They stopped at the decision; the answer says what followed and what cannot be called back.
    """
    return Withdrawal.of(vault.consents.carry_out_objections(caller, case_id))


@router.post(
    "/cases/{case_id}/bases", status_code=201, operation_id="add_basis", openapi_extra=_AMEND
)
def add_basis(
    vault: VaultDep, caller: OnceCaller, case_id: UUID, response: Response, body: NewBasis
) -> Made:
    """Ask to disclose without consent. To save a life it holds at once, for a day."""
    made = vault.consents.claim(caller, case_id, body.content)
    located(response, f"/v1/cases/{case_id}/bases/{made}")
    return Made(id=made)


@router.get("/cases/{case_id}/bases", operation_id="list_bases", openapi_extra=_READ)
def list_bases(
    vault: VaultDep, caller: CallerDep, case_id: UUID, cursor: Cursor = None
) -> CaseRecordPage:
    """Other bases than consent, newest first, with who decided."""
    return CaseRecordPage.of(vault.records.list_(caller, case_id, (_BASIS,), cursor))


@router.get("/cases/{case_id}/bases/{record_id}", operation_id="read_basis", openapi_extra=_READ)
def read_basis(
    vault: VaultDep, caller: CallerDep, case_id: UUID, record_id: UUID, response: Response
) -> CaseRecord:
    """One basis with its reason."""
    kept = vault.records.read(caller, case_id, _BASIS, record_id)
    response.headers["ETag"] = etag(kept.version)
    return CaseRecord.of(kept)


@router.post(
    "/cases/{case_id}/bases/{record_id}/withdrawal",
    operation_id="end_basis",
    openapi_extra=_AMEND,
)
def end_basis(
    vault: VaultDep, caller: CallerDep, case_id: UUID, record_id: UUID, body: NewWithdrawal
) -> Withdrawal:
    """End another basis from now on: what leaves by it stops, as with a withdrawn consent."""
    return Withdrawal.of(vault.consents.end(caller, case_id, record_id, body.reason))


@router.post(
    "/cases/{case_id}/bases/{record_id}/decision",
    operation_id="decide_basis",
    openapi_extra=needs(Permission.CASE_DECIDE),
)
def decide_basis(
    vault: VaultDep, caller: CallerDep, case_id: UUID, record_id: UUID, body: Decision
) -> BasisState:
    """Approve or decline what somebody else asked for; a declined rescue goes to the DPO."""
    state = vault.consents.decide(
        caller, case_id, record_id, approve=body.approve, reason=body.reason
    )
    return BasisState(state=state)


@router.get(
    "/deadlines", operation_id="list_deadlines", openapi_extra=needs(Permission.DEADLINE_LIST)
)
def list_deadlines(vault: VaultDep, caller: CallerDep) -> MissedDeadlines:
    """What should have been done by now, for the DPO: kind, case and date."""
    return MissedDeadlines(items=[MissedDeadline.of(one) for one in vault.deadlines.list_(caller)])


@router.post(
    "/deadlines/{deadline_id}/review",
    status_code=204,
    operation_id="review_deadline",
    openapi_extra=needs(Permission.DEADLINE_REVIEW),
)
def review_deadline(
    vault: VaultDep, caller: CallerDep, deadline_id: UUID, body: DeadlineReview
) -> None:
    """Say what you found."""
    vault.deadlines.review(caller, deadline_id, body.outcome)
