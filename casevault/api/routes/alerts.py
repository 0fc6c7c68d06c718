"""Alerts and their review, the weekly sample, sign-offs."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import Query, Response

from casevault.api.deps import CallerDep, Cursor, OnceCaller, VaultDep, Version, etag, needs
from casevault.api.routing import Router
from casevault.api.schemas.alerts import (
    Alert,
    AlertList,
    NewReview,
    NewSample,
    NewSignOff,
    NewStep,
    SignedOff,
    SignOffList,
    StepTaken,
)
from casevault.domain.audit.reviewing import State
from casevault.domain.staff.access import Permission
from casevault.ledger.sample import Week

router = Router(prefix="/v1/ledger", tags=["ledger"])


@router.get("/alerts", operation_id="list_alerts", openapi_extra=needs(Permission.LEDGER_QUERY))
def list_alerts(
    vault: VaultDep,
    caller: CallerDep,
    state: State | None = None,
    rule: Annotated[str | None, Query(pattern=r"^[a-z-]{3,40}$")] = None,
    cursor: Cursor = None,
) -> AlertList:
    """What the rules found, youngest first; with conditions, a page may be short."""
    found = vault.reviewing.list_(caller, state, rule, cursor)
    return AlertList(items=[Alert.of(one) for one in found.items], cursor=found.cursor)


@router.get(
    "/alerts/{alert_id}", operation_id="read_alert", openapi_extra=needs(Permission.LEDGER_QUERY)
)
def read_alert(vault: VaultDep, caller: CallerDep, alert_id: UUID, response: Response) -> Alert:
    """One alert with its review."""
    found = vault.reviewing.read(caller, alert_id)
    response.headers["ETag"] = etag(found.record.version)
    return Alert.of(found)


@router.post(
    "/alerts/{alert_id}/steps",
    operation_id="step_alert",
    openapi_extra=needs(Permission.LEDGER_REVIEW),
)
def step_alert(
    vault: VaultDep,
    caller: CallerDep,
    alert_id: UUID,
    version: Version,
    body: NewStep,
    response: Response,
) -> StepTaken:
    """Move a review on: in_review, needs_info, justified, violation, noise, closed.

    A violation first asks for a second person (another auditor or the DPO, `/v1/approvals`); after
    their yes, send it again. Nobody reviews their own access.
    """
    alert, wish = vault.reviewing.step(caller, alert_id, body.to, body.note, version)
    response.headers["ETag"] = etag(alert.record.version)
    return StepTaken.after(alert, wish)


@router.post(
    "/reviews",
    status_code=201,
    operation_id="open_review",
    openapi_extra=needs(Permission.LEDGER_REVIEW),
)
def open_review(vault: VaultDep, caller: OnceCaller, body: NewReview) -> Alert:
    """Begin a review of entries that you came upon."""
    return Alert.of(vault.reviewing.open_(caller, body.month, body.positions, body.note))


@router.post(
    "/samples",
    operation_id="draw_sample",
    openapi_extra=needs(Permission.LEDGER_REVIEW),
)
def draw_sample(vault: VaultDep, caller: CallerDep, body: NewSample) -> AlertList:
    """Draw the sample of a week, 2 % of its entries, by a checkpoint that nobody could foresee.

    Drawn once: asking again gives the same. An outsider repeats it with `casevault ledger sample`.
    """
    week = None if body.week is None else Week.parse(body.week)
    return AlertList(items=[Alert.of(one) for one in vault.reviewing.sample(caller, week)])


@router.post(
    "/sign-offs",
    status_code=201,
    operation_id="sign_off",
    openapi_extra=needs(Permission.LEDGER_REVIEW),
)
def sign_off(vault: VaultDep, caller: CallerDep, body: NewSignOff) -> SignedOff:
    """Sign with your own key what there is to say about a period."""
    return SignedOff.of(vault.sign_offs.sign(caller, body.first, body.last))


@router.get(
    "/sign-offs", operation_id="list_sign_offs", openapi_extra=needs(Permission.SIGN_OFF_READ)
)
def list_sign_offs(vault: VaultDep, caller: CallerDep) -> SignOffList:
    """Sign-offs, youngest first: for auditors and the DPO."""
    return SignOffList(items=[SignedOff.of(one) for one in vault.sign_offs.list_(caller)])
