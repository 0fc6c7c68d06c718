"""The auditor's questions to the ledger."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from casevault.api.deps import CallerDep, Cursor, VaultDep, needs
from casevault.api.schemas.ledger import LedgerEntry, LedgerPage
from casevault.domain.access import Permission
from casevault.services import oversight

router = APIRouter(prefix="/v1/ledger", tags=["ledger"])


@router.get("/entries", operation_id="query_ledger", openapi_extra=needs(Permission.LEDGER_QUERY))
def query_ledger(
    vault: VaultDep,
    caller: CallerDep,
    month: Annotated[str | None, Query(pattern=r"^[0-9]{4}-(0[1-9]|1[0-2])$")] = None,
    case: UUID | None = None,
    actor: UUID | None = None,
    code: Annotated[str | None, Query(pattern=r"^[a-z_.]{3,40}$")] = None,
    outcome: Annotated[int | None, Query(ge=0, le=12)] = None,
    cursor: Cursor = None,
) -> LedgerPage:
    """Who did what, newest first: by month, case, colleague, code or outcome. Never content."""
    query = oversight.Query(month, case, actor, code, outcome)
    found = vault.oversight.query(caller, query, cursor)
    return LedgerPage(items=[LedgerEntry.of(one) for one in found.items], cursor=found.cursor)
