"""The auditor's questions to the ledger, and entries that leave with their proofs."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import Path, Query
from fastapi.responses import PlainTextResponse, StreamingResponse
from pydantic import AwareDatetime

from casevault.api.deps import CallerDep, Cursor, VaultDep, needs
from casevault.api.routing import Router
from casevault.api.schemas.ledger import (
    LedgerEntry,
    LedgerExport,
    LedgerMonths,
    LedgerNames,
    LedgerPage,
)
from casevault.domain.staff.access import Permission
from casevault.services.audit.ledger_exports import MEDIA_TYPES
from casevault.store.audit import ledger_query

router = Router(prefix="/v1/ledger", tags=["ledger"])
_MONTH = r"^[0-9]{4}-(0[1-9]|1[0-2])$"
_PSEUDONYM = r"^[A-Za-z0-9_-]{16,64}$"
Month = Annotated[str | None, Query(pattern=_MONTH, description="One month; default: this one.")]
Pseudonym = Annotated[
    str | None, Query(pattern=_PSEUDONYM, description="As entries of that month show it.")
]
Moment = Annotated[AwareDatetime | None, Query(description="With its offset from UTC.")]


@router.get("/entries", operation_id="query_ledger", openapi_extra=needs(Permission.LEDGER_QUERY))
def query_ledger(
    vault: VaultDep,
    caller: CallerDep,
    month: Month = None,
    case: UUID | None = None,
    subject: UUID | None = None,
    actor: UUID | None = None,
    session: Pseudonym = None,
    record: Pseudonym = None,
    code: Annotated[str | None, Query(pattern=r"^[a-z_.]{3,40}$")] = None,
    outcome: Annotated[int | None, Query(ge=0, le=12)] = None,
    since: Moment = None,
    until: Moment = None,
    cursor: Cursor = None,
) -> LedgerPage:
    """Who did what, newest first, month by month. Never content.

    A page holds up to 100 entries and may be short: with a cursor there is more to look through.
    """
    query = ledger_query.Query(
        month, case, subject, actor, session, record, code, outcome, since, until
    )
    found = vault.oversight.query(caller, query, cursor)
    return LedgerPage(items=[LedgerEntry.of(one) for one in found.items], cursor=found.cursor)


@router.get(
    "/entries/{position}/proof",
    operation_id="prove_entry",
    openapi_extra=needs(Permission.LEDGER_QUERY),
    response_class=PlainTextResponse,
)
def prove_entry(
    vault: VaultDep, caller: CallerDep, position: Annotated[int, Path(ge=0, lt=1 << 53)]
) -> PlainTextResponse:
    """The proof that an entry is in the log (`c2sp.org/tlog-proof@v1`), under a signed checkpoint.

    It holds the entry's public leaf and nothing else of it: anybody may have it, and check it.
    """
    return PlainTextResponse(vault.ledger_exports.proof(caller, position))


@router.get(
    "/months", operation_id="list_ledger_months", openapi_extra=needs(Permission.LEDGER_QUERY)
)
def list_ledger_months(vault: VaultDep, caller: CallerDep) -> LedgerMonths:
    """The months of which there are entries, newest first."""
    return LedgerMonths(items=vault.oversight.months(caller))


@router.get(
    "/pseudonyms", operation_id="look_up_pseudonym", openapi_extra=needs(Permission.LEDGER_QUERY)
)
def look_up_pseudonym(
    vault: VaultDep, caller: CallerDep, id: UUID, month: Month = None
) -> LedgerNames:
    """What a known id was called in the entries of a month."""
    return LedgerNames.of(vault.oversight.names(caller, id, month))


@router.post(
    "/exports",
    operation_id="export_ledger",
    openapi_extra=needs(Permission.LEDGER_EXPORT),
    response_class=StreamingResponse,
)
def export_ledger(vault: VaultDep, caller: CallerDep, body: LedgerExport) -> StreamingResponse:
    """Entries of a month as JSON lines, CSV or FHIR R5, each with its proof of inclusion.

    Asks for your passphrase of the last five minutes. `casevault ledger check` verifies the lines.
    """
    pieces = vault.ledger_exports.export(caller, body.query, body.format)
    name = f"ledger.{body.format.value.replace('fhir', 'fhir.json')}"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return StreamingResponse(pieces, media_type=MEDIA_TYPES[body.format], headers=headers)
