"""Cases: open, list, read, amend, assign, explain."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from fastapi import Body, Response

from casevault.api.deps import (
    CallerDep,
    Cursor,
    OnceCaller,
    VaultDep,
    Version,
    etag,
    located,
    needs,
)
from casevault.api.routing import Router
from casevault.api.schemas.cases import (
    Access,
    Case,
    CasePage,
    Compartmented,
    FactsContent,
    Grant,
    GrantList,
    IdentityContent,
    NewCase,
    NewCases,
    NewGrant,
    OpenedCase,
    OpenedCases,
    ProfileContent,
    Reviewed,
    Revoked,
)
from casevault.api.schemas.search import Found
from casevault.bootstrap import Vault
from casevault.clock import unix_seconds
from casevault.domain.case.casefile import DocumentKind
from casevault.domain.staff.access import Permission
from casevault.errors import CaseVaultError
from casevault.services.casework import casework
from casevault.store.context.caller import Caller

router = Router(prefix="/v1/cases", tags=["cases"])


@router.post(
    "", status_code=201, operation_id="open_case", openapi_extra=needs(Permission.CASE_OPEN)
)
def open_case(vault: VaultDep, caller: OnceCaller, response: Response, body: NewCase) -> OpenedCase:
    """Record a new case in your team. You, your supervisors and recovery hold its keys.

    With `look_for_duplicates` the answer says where the person may be known, and whom to ask.
    """
    view = vault.casework.open_case(
        caller,
        body.identity,
        body.profile,
        body.retention_class,
        body.team,
    )
    located(response, f"/v1/cases/{view.case.id}")
    opened = OpenedCase.of(view)
    return _looked_for(vault, caller, opened) if body.look_for_duplicates else opened


def _looked_for(vault: VaultDep, caller: CallerDep, opened: OpenedCase) -> OpenedCase:
    """Return a new case with where its person may be known; whatever fails, the case is there."""
    try:
        found = Found.of(vault.duplicates.check(caller, opened.id))
    except CaseVaultError as error:
        return opened.model_copy(update={"duplicates_failed": error.code})
    return opened.model_copy(update={"possible_duplicates": found})


@router.post(
    "/batch", status_code=201, operation_id="open_cases", openapi_extra=needs(Permission.CASE_OPEN)
)
def open_cases(vault: VaultDep, caller: OnceCaller, body: NewCases) -> OpenedCases:
    """Record up to 50 cases of one incident, all or none; each is linked to the first."""
    new = [casework.NewCase(one.identity, one.profile, one.retention_class) for one in body.cases]
    views = vault.casework.open_cases(caller, new, body.team)
    return OpenedCases(items=[Case.of(view) for view in views])


@router.get("", operation_id="list_cases", openapi_extra=needs(Permission.CASE_LIST))
def list_cases(vault: VaultDep, caller: CallerDep, cursor: Cursor = None) -> CasePage:
    """Your caseload, 25 at a time; supervisors see their team's."""
    page = vault.casework.list_cases(caller, cursor)
    return CasePage(
        items=[Case.of(view) for view in page.items],
        cursor=page.cursor,
        unreadable=list(page.unreadable),
    )


@router.get("/{case_id}", operation_id="read_case", openapi_extra=needs(Permission.CASE_READ))
def read_case(vault: VaultDep, caller: CallerDep, case_id: UUID) -> Case:
    """The plain metadata of a case."""
    return Case.of(vault.casework.read_case(caller, case_id))


@router.get(
    "/{case_id}/identity",
    operation_id="read_identity",
    openapi_extra=needs(Permission.CASE_READ),
)
def read_identity(
    vault: VaultDep, caller: CallerDep, case_id: UUID, response: Response
) -> IdentityContent:
    """Who the survivor is and how to reach them safely."""
    return _read(vault, caller, case_id, DocumentKind.IDENTITY, response)


@router.put(
    "/{case_id}/identity",
    status_code=204,
    operation_id="amend_identity",
    openapi_extra=needs(Permission.CASE_AMEND),
)
def amend_identity(
    vault: VaultDep,
    caller: CallerDep,
    case_id: UUID,
    version: Version,
    body: Annotated[IdentityContent, Body()],
) -> Response:
    """Replace the identity; If-Match names the version that you read."""
    return _amend(vault, caller, case_id, DocumentKind.IDENTITY, version, body)


@router.get(
    "/{case_id}/profile", operation_id="read_profile", openapi_extra=needs(Permission.CASE_READ)
)
def read_profile(
    vault: VaultDep, caller: CallerDep, case_id: UUID, response: Response
) -> ProfileContent:
    """Situation, risk, needs, history and plan."""
    return _read(vault, caller, case_id, DocumentKind.PROFILE, response)


@router.put(
    "/{case_id}/profile",
    status_code=204,
    operation_id="amend_profile",
    openapi_extra=needs(Permission.CASE_AMEND),
)
def amend_profile(
    vault: VaultDep,
    caller: CallerDep,
    case_id: UUID,
    version: Version,
    body: Annotated[ProfileContent, Body()],
) -> Response:
    """Replace the profile; If-Match names the version that you read."""
    return _amend(vault, caller, case_id, DocumentKind.PROFILE, version, body)


@router.get(
    "/{case_id}/facts", operation_id="read_facts", openapi_extra=needs(Permission.CASE_READ)
)
def read_facts(
    vault: VaultDep, caller: CallerDep, case_id: UUID, response: Response
) -> FactsContent:
    """The coded facts: all that counts are made from."""
    return _read(vault, caller, case_id, DocumentKind.FACTS, response)


@router.put(
    "/{case_id}/facts",
    status_code=204,
    operation_id="amend_facts",
    openapi_extra=needs(Permission.CASE_AMEND),
)
def amend_facts(
    vault: VaultDep,
    caller: CallerDep,
    case_id: UUID,
    version: Version,
    body: Annotated[FactsContent, Body()],
) -> Response:
    """Replace the coded facts; services are coded from the services themselves."""
    return _amend(vault, caller, case_id, DocumentKind.FACTS, version, body)


@router.post(
    "/{case_id}/review", operation_id="review_case", openapi_extra=needs(Permission.CASE_AMEND)
)
def review_case(vault: VaultDep, caller: CallerDep, case_id: UUID) -> Reviewed:
    """Say that you have looked through the case: it leaves the worklist until the next review."""
    return Reviewed(next_review=vault.casework.review(caller, case_id).next_review)


@router.get(
    "/{case_id}/access",
    operation_id="explain_access",
    openapi_extra=needs(Permission.CASE_ACCESS),
)
def explain_access(vault: VaultDep, caller: CallerDep, case_id: UUID) -> Access:
    """Which compartments you can open, and by which rule."""
    found = vault.assignments.explain_access(caller, case_id)
    return Access(items=[Compartmented.of(one) for one in found])


@router.get(
    "/{case_id}/grants", operation_id="list_grants", openapi_extra=needs(Permission.CASE_ACCESS)
)
def list_grants(vault: VaultDep, caller: CallerDep, case_id: UUID) -> GrantList:
    """Everybody who holds keys of this case."""
    return GrantList(items=[Grant.of(one) for one in vault.assignments.holders(caller, case_id)])


@router.post(
    "/{case_id}/grants",
    status_code=204,
    operation_id="assign_case",
    openapi_extra=needs(Permission.CASE_ASSIGN),
)
def assign_case(vault: VaultDep, caller: CallerDep, case_id: UUID, body: NewGrant) -> Response:
    """Assign the case to a colleague of the team: give them keys of these compartments.

    Sent again, it puts the grant in place of the one before: nobody holds two.
    """
    expires = None if body.expires_at is None else unix_seconds(body.expires_at)
    compartments = frozenset(compartment.value for compartment in body.compartments)
    vault.assignments.assign(caller, case_id, body.staff_id, compartments, expires)
    return Response(status_code=204)


@router.delete(
    "/{case_id}/grants/{staff_id}",
    operation_id="revoke_case",
    openapi_extra=needs(Permission.CASE_REVOKE),
)
def revoke_case(vault: VaultDep, caller: CallerDep, case_id: UUID, staff_id: UUID) -> Revoked:
    """Take a colleague's keys away: the case gets new ones, and everybody else goes on."""
    still = vault.assignments.revoke(caller, case_id, staff_id)
    return Revoked(still_opens_through=list(still))


def _read(
    vault: Vault, caller: Caller, case_id: UUID, kind: DocumentKind, response: Response
) -> dict[str, Any]:
    opened = vault.casework.read_document(caller, case_id, kind)
    response.headers["ETag"] = etag(opened.version)
    return dict(opened.content)


def _amend(
    vault: Vault,
    caller: Caller,
    case_id: UUID,
    kind: DocumentKind,
    version: int,
    content: dict[str, Any],
) -> Response:
    changed = vault.casework.amend_document(caller, case_id, kind, content, version)
    return Response(status_code=204, headers={"ETag": etag(changed)})
