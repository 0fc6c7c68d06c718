"""The programme register and the pledge's indicators from it. No survivor is in it."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated
from uuid import UUID

from fastapi import Path, Query, Response

from casevault.api.deps import (
    CallerDep,
    OnceCaller,
    VaultDep,
    Version,
    etag,
    located,
    needs,
)
from casevault.api.pages import STYLE, Language, page
from casevault.api.routing import Router
from casevault.api.schemas.records import Made
from casevault.api.schemas.register import (
    IndicatorsShown,
    NewRegisterEntry,
    RegisterContent,
    RegisterEntryShown,
    RegisterList,
)
from casevault.disclosure.report.assembling import assembled
from casevault.disclosure.report.page import html
from casevault.disclosure.report.table import csv_text
from casevault.disclosure.report.words import Words
from casevault.domain.counting.indicators import Period
from casevault.domain.counting.programme import Kind
from casevault.domain.staff.access import Permission

router = Router(prefix="/v1", tags=["register"])
_READ, _WRITE = needs(Permission.REGISTER_READ), needs(Permission.REGISTER_WRITE)
_PERIOD = r"^[0-9]{4}(-(H[12]|Q[1-4]))?$"


@router.get("/register", operation_id="list_register", openapi_extra=_READ)
def list_register(vault: VaultDep, caller: CallerDep, kind: Kind | None = None) -> RegisterList:
    """All records of the register as they are now, or those of one kind."""
    found = vault.register.list_(caller, kind)
    return RegisterList(items=[RegisterEntryShown.of(one) for one in found])


@router.post("/register", status_code=201, operation_id="add_register_entry", openapi_extra=_WRITE)
def add_register_entry(
    vault: VaultDep,
    caller: OnceCaller,
    response: Response,
    body: NewRegisterEntry,
) -> Made:
    """Add a record. Nothing about a person belongs here; what looks personal is refused."""
    made = vault.register.add(caller, body.kind, body.content)
    located(response, f"/v1/register/{made}")
    return Made(id=made)


@router.get("/register/{entry_id}", operation_id="read_register_entry", openapi_extra=_READ)
def read_register_entry(
    vault: VaultDep, caller: CallerDep, entry_id: UUID, response: Response
) -> RegisterEntryShown:
    """One record as it is now."""
    found = vault.register.read(caller, entry_id)
    response.headers["ETag"] = etag(found.version)
    return RegisterEntryShown.of(found)


@router.get(
    "/register/{entry_id}/history", operation_id="read_register_history", openapi_extra=_READ
)
def read_register_history(vault: VaultDep, caller: CallerDep, entry_id: UUID) -> RegisterList:
    """Every version of a record, oldest first, also when it was removed."""
    found = vault.register.history(caller, entry_id)
    return RegisterList(items=[RegisterEntryShown.of(one) for one in found])


@router.put(
    "/register/{entry_id}",
    status_code=204,
    operation_id="amend_register_entry",
    openapi_extra=_WRITE,
)
def amend_register_entry(
    vault: VaultDep, caller: CallerDep, entry_id: UUID, version: Version, body: RegisterContent
) -> Response:
    """Write the next version of a record; the ones before stay in its history."""
    changed = vault.register.amend(caller, entry_id, body.content, version)
    return Response(status_code=204, headers={"ETag": etag(changed)})


@router.delete(
    "/register/{entry_id}",
    status_code=204,
    operation_id="remove_register_entry",
    openapi_extra=_WRITE,
)
def remove_register_entry(vault: VaultDep, caller: CallerDep, entry_id: UUID) -> Response:
    """Let a record count no more; its history stays."""
    vault.register.remove(caller, entry_id)
    return Response(status_code=204)


class RegisterForm(StrEnum):
    """As data, as a page for people, or as a table of all numbers."""

    JSON = "json"
    HTML = "html"
    CSV = "csv"


@router.get(
    "/indicators/{period}",
    operation_id="read_indicators",
    openapi_extra=_READ,
    response_model=IndicatorsShown,
    responses={200: {"content": {"text/html": {}, "text/csv": {}}}},
)
def read_indicators(
    vault: VaultDep,
    caller: CallerDep,
    period: Annotated[str, Path(pattern=_PERIOD)],
    language: Language,
    form: Annotated[RegisterForm, Query(alias="format", strict=False)] = RegisterForm.JSON,
) -> IndicatorsShown | Response:
    """The pledge report of a year, half-year or quarter: JSON, a printable page, or CSV.

    Measures and staff come from the register, exactly; people only from published releases.
    """
    found, files = vault.register.report(caller, Period.parse(period))
    report = assembled(found, files, vault.register.organisation_name)
    if form is RegisterForm.HTML:
        return page(html(report, Words(language), STYLE), language)
    if form is RegisterForm.CSV:
        name = f'attachment; filename="pledge-{found.period.name}.csv"'
        headers = {"Content-Disposition": name}
        return Response(csv_text(report), media_type="text/csv", headers=headers)
    return IndicatorsShown.of(report)
