"""Releases and the privacy account that they spend. No case and no exact count is in any of it."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import Path, Response

from casevault.api.deps import CallerDep, OnceCaller, VaultDep, needs
from casevault.api.routing import Router
from casevault.api.schemas.releases import (
    ChargeShown,
    CountedImport,
    CountedImportAsked,
    CountedImportList,
    ExactDisclosure,
    NewCountedImport,
    NewRelease,
    PrivacyAccount,
    ReleaseList,
    ReleasePlan,
    ReleaseReview,
    ReleaseShown,
    ReleaseWithdrawal,
)
from casevault.domain.staff.access import Permission

router = Router(prefix="/v1/releases", tags=["releases"])


@router.get(
    "/account",
    operation_id="read_privacy_account",
    openapi_extra=needs(Permission.RELEASE_ACCOUNT),
)
def read_privacy_account(vault: VaultDep, caller: CallerDep) -> PrivacyAccount:
    """What was spent of people's privacy, on what and by whom, and what is left of each year."""
    return PrivacyAccount.of(vault.releases.account(caller))


@router.post(
    "/account/disclosures",
    status_code=201,
    operation_id="enter_exact_disclosure",
    openapi_extra=needs(Permission.RELEASE_DISCLOSE),
)
def enter_exact_disclosure(
    vault: VaultDep, caller: OnceCaller, body: ExactDisclosure
) -> ChargeShown:
    """Enter that exact counts of a year's people were given to somebody outside.

    It cannot be taken back: what was seen was seen. Releases of that year are refused then.
    """
    return ChargeShown.of(vault.releases.disclose(caller, body.cohort_year))


@router.get(
    "/counted-imports",
    operation_id="list_counted_imports",
    openapi_extra=needs(Permission.RELEASE_READ),
)
def list_counted_imports(vault: VaultDep, caller: CallerDep) -> CountedImportList:
    """Imports whose cases count, by the word of two people; all others are in no count."""
    found = vault.counted_imports.list_(caller)
    return CountedImportList(items=[CountedImport.of(one) for one in found])


@router.post(
    "/counted-imports",
    status_code=201,
    operation_id="ask_counted_import",
    openapi_extra=needs(Permission.RELEASE_MAKE),
)
def ask_counted_import(
    vault: VaultDep, caller: CallerDep, body: NewCountedImport
) -> CountedImportAsked:
    """Ask that the cases imported on a day count as accepted on another; the DPO approves.

    Only of a year after all that was ever released. Who did not agree to statistics is not counted.
    """
    return CountedImportAsked.of(vault.counted_imports.ask(caller, body.counted))


@router.get("/plan", operation_id="plan_releases", openapi_extra=needs(Permission.RELEASE_READ))
def plan_releases(vault: VaultDep, caller: CallerDep) -> ReleasePlan:
    """Which tables this organisation's size allows, and how accurate they will be."""
    return ReleasePlan.of(vault.releases.plan(caller))


@router.get("", operation_id="list_releases", openapi_extra=needs(Permission.RELEASE_READ))
def list_releases(vault: VaultDep, caller: CallerDep) -> ReleaseList:
    """All releases, oldest first, with how far each is."""
    return ReleaseList(items=[ReleaseShown.of(one) for one in vault.releases.list_(caller)])


@router.post(
    "",
    status_code=201,
    operation_id="make_release",
    openapi_extra=needs(Permission.RELEASE_MAKE),
)
def make_release(
    vault: VaultDep, caller: OnceCaller, body: NewRelease, response: Response
) -> ReleaseShown:
    """Count, draw the noise once, seal, and ask for two reviews. It is paid from now on.

    Asked again after a crash it goes on with what it has paid for; asked again later it is refused.
    """
    made = vault.reporting.make(caller, body.asked)
    response.headers["Location"] = f"/v1/releases/{made.id}"
    return ReleaseShown.of(vault.releases.read(caller, made.id))


@router.get(
    "/{release_id}", operation_id="read_release", openapi_extra=needs(Permission.RELEASE_READ)
)
def read_release(vault: VaultDep, caller: CallerDep, release_id: UUID) -> ReleaseShown:
    """One release: its design, how far it is, the names of its files."""
    return ReleaseShown.of(vault.releases.read(caller, release_id))


@router.get(
    "/{release_id}/files/{name}",
    operation_id="read_release_file",
    openapi_extra=needs(Permission.RELEASE_READ),
    response_class=Response,
    responses={200: {"content": {"text/csv": {}, "application/json": {}}}},
)
def read_release_file(
    vault: VaultDep,
    caller: CallerDep,
    release_id: UUID,
    name: Annotated[str, Path(pattern=r"^[a-z0-9.-]{1,80}$")],
) -> Response:
    """One file: `<table>.csv`, its description, or `release.json`, which proves all of them.

    Before it is published only who may review it gets one, and never who made it.
    """
    content = vault.releases.file(caller, release_id, name)
    kind = "text/csv; charset=utf-8" if name.endswith(".csv") else "application/json"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(content, media_type=kind, headers=headers)


@router.post(
    "/{release_id}/reviews",
    operation_id="review_release",
    openapi_extra=needs(Permission.RELEASE_REVIEW),
)
def review_release(
    vault: VaultDep, caller: CallerDep, release_id: UUID, body: ReleaseReview
) -> ReleaseShown:
    """Approve or decline: a supervisor or another reporter first, then the DPO."""
    return ReleaseShown.of(vault.releases.review(caller, release_id, approve=body.approve))


@router.post(
    "/{release_id}/publication",
    operation_id="publish_release",
    openapi_extra=needs(Permission.RELEASE_PUBLISH),
)
def publish_release(vault: VaultDep, caller: CallerDep, release_id: UUID) -> ReleaseShown:
    """Sign and publish what two have reviewed."""
    vault.releases.publish(caller, release_id)
    return ReleaseShown.of(vault.releases.read(caller, release_id))


@router.post(
    "/{release_id}/withdrawal",
    operation_id="withdraw_release",
    openapi_extra=needs(Permission.RELEASE_WITHDRAW),
)
def withdraw_release(
    vault: VaultDep, caller: CallerDep, release_id: UUID, body: ReleaseWithdrawal
) -> ReleaseShown:
    """Take a published release back. What it cost is not given back."""
    vault.releases.withdraw(caller, release_id, body.reason)
    return ReleaseShown.of(vault.releases.read(caller, release_id))
