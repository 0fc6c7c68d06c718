"""Who looked at this file, for the survivor; what a leaver saw, for auditors and in numbers."""

from __future__ import annotations

from uuid import UUID

from fastapi.responses import HTMLResponse

from casevault.api import pages
from casevault.api.deps import CallerDep, OnceCaller, VaultDep, needs
from casevault.api.pages import STYLE, Language
from casevault.api.routing import Router
from casevault.api.schemas.looks import LookList, NewLooks, SeenByLeaver, SeenCounts
from casevault.domain.audit import looks
from casevault.domain.staff.access import Permission

router = Router(prefix="/v1", tags=["looks"])


@router.get(
    "/ledger/looks", operation_id="who_looked", openapi_extra=needs(Permission.LEDGER_QUERY)
)
def who_looked(vault: VaultDep, caller: CallerDep, case: UUID, names: bool = True) -> LookList:
    """Who looked at a case, over all months of the log: the auditor's half of the answer."""
    return LookList.of(vault.looks.who(caller, case, names=names))


@router.post(
    "/ledger/looks",
    status_code=201,
    operation_id="release_looks",
    openapi_extra=needs(Permission.LEDGER_RELEASE),
)
def release_looks(vault: VaultDep, caller: OnceCaller, body: NewLooks) -> LookList:
    """Let those who hold the case's narrative read the list, for thirty days.

    Asks for your passphrase of the last five minutes.
    """
    return LookList.of(vault.looks.release(caller, body.case_id, names=body.names))


@router.get(
    "/cases/{case_id}/looks", operation_id="read_looks", openapi_extra=needs(Permission.CASE_READ)
)
def read_looks(vault: VaultDep, caller: CallerDep, case_id: UUID) -> LookList:
    """Who looked at a case that you hold, as an auditor released it."""
    return LookList.of(vault.looks.collect(caller, case_id)[1])


@router.get(
    "/cases/{case_id}/looks/print",
    operation_id="print_looks",
    response_class=HTMLResponse,
    openapi_extra=needs(Permission.CASE_READ),
)
def print_looks(
    vault: VaultDep, caller: CallerDep, case_id: UUID, language: Language
) -> HTMLResponse:
    """The same list as a page for the survivor, in their language, to print or to hear."""
    reference, found = vault.looks.collect(caller, case_id)
    shown = looks.page(reference, (found.first, found.last), found.items, language, STYLE)
    return pages.page(shown, language)


@router.get(
    "/ledger/leavers/{staff_id}",
    operation_id="leaver_saw",
    openapi_extra=needs(Permission.LEDGER_QUERY),
)
def leaver_saw(vault: VaultDep, caller: CallerDep, staff_id: UUID) -> SeenByLeaver:
    """What a colleague saw, case by case, over all months of the log."""
    return SeenByLeaver.of(vault.looks.leaver(caller, staff_id))


@router.post(
    "/ledger/leavers/{staff_id}/counts",
    status_code=201,
    operation_id="release_counts",
    openapi_extra=needs(Permission.LEDGER_RELEASE),
)
def release_counts(vault: VaultDep, caller: OnceCaller, staff_id: UUID) -> SeenCounts:
    """Let the supervisors of the colleague's team read the numbers, for thirty days."""
    return SeenCounts(**vault.looks.release_counts(caller, staff_id).counts)


@router.get(
    "/staff/{staff_id}/seen",
    operation_id="read_counts",
    openapi_extra=needs(Permission.LEAVER_COUNT),
)
def read_counts(vault: VaultDep, caller: CallerDep, staff_id: UUID) -> SeenCounts:
    """How much a colleague of your team saw, as an auditor counted it."""
    return SeenCounts(**vault.looks.counts(caller, staff_id))
