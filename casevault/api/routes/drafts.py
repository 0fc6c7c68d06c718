"""Drafts: save, save again, list, read, delete. Only their author finds them."""

from __future__ import annotations

from uuid import UUID

from fastapi import Response

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
from casevault.api.schemas.drafts import DraftList, DraftSaved, FullDraft, NewDraft
from casevault.domain.staff.access import Permission

router = Router(prefix="/v1/drafts", tags=["drafts"])
_READ, _WRITE = needs(Permission.DRAFT_READ), needs(Permission.DRAFT_WRITE)


@router.post("", status_code=201, operation_id="save_draft", openapi_extra=_WRITE)
def save_draft(
    vault: VaultDep, caller: OnceCaller, response: Response, body: NewDraft
) -> DraftSaved:
    """Save a half-filled form for yourself, for a week; its values need not be valid yet."""
    draft = vault.drafts.save(caller, body.form, body.case_id, body.content)
    located(response, f"/v1/drafts/{draft.id}", draft.version)
    return DraftSaved.of(draft)


@router.put("/{draft_id}", status_code=204, operation_id="change_draft", openapi_extra=_WRITE)
def change_draft(
    vault: VaultDep, caller: CallerDep, draft_id: UUID, version: Version, body: NewDraft
) -> Response:
    """Save again, for another week; If-Match names the version that you had."""
    changed = vault.drafts.change(caller, draft_id, body.form, body.case_id, body.content, version)
    return Response(status_code=204, headers={"ETag": etag(changed)})


@router.get("", operation_id="list_drafts", openapi_extra=_READ)
def list_drafts(vault: VaultDep, caller: CallerDep, cursor: Cursor = None) -> DraftList:
    """Your drafts, 25 at a time, without what was typed."""
    return DraftList.of(vault.drafts.list_(caller, cursor))


@router.get("/{draft_id}", operation_id="read_draft", openapi_extra=_READ)
def read_draft(vault: VaultDep, caller: CallerDep, draft_id: UUID, response: Response) -> FullDraft:
    """One of your drafts, as you left it."""
    draft = vault.drafts.read(caller, draft_id)
    response.headers["ETag"] = etag(draft.version)
    return FullDraft.of(draft)


@router.delete("/{draft_id}", status_code=204, operation_id="delete_draft", openapi_extra=_WRITE)
def delete_draft(vault: VaultDep, caller: CallerDep, draft_id: UUID) -> Response:
    """Erase one of your drafts for good."""
    vault.drafts.delete(caller, draft_id)
    return Response(status_code=204)
