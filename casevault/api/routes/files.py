"""Attached files of a case: the body is the file itself, in and out."""

from __future__ import annotations

import hashlib
import re
from collections.abc import AsyncGenerator
from typing import Annotated, Any
from uuid import UUID

from anyio import CancelScope, to_thread
from fastapi import Header, Request, Response
from fastapi.responses import JSONResponse, StreamingResponse
from starlette.types import Send

from casevault.api import problems, uploads
from casevault.api.deps import (
    IDEMPOTENCY,
    AwaitedCaller,
    CallerDep,
    RequestId,
    Token,
    VaultDep,
    needs,
    repeat_for,
)
from casevault.api.routing import Router
from casevault.api.schemas.files import FileCompartment, FileList, FileShown
from casevault.api.schemas.records import Made
from casevault.cleaning import TYPES
from casevault.domain.staff.access import Permission
from casevault.errors import CaseVaultError, Tampered
from casevault.logs import get_logger
from casevault.services.casework.files import Download, Upload

router = Router(prefix="/v1/cases/{case_id}/files", tags=["files"])
_READ, _AMEND = needs(Permission.CASE_READ), needs(Permission.CASE_AMEND)
_UPLOAD = re.compile(r"/v1/cases/[^/]+/files")
_BYTES = {"schema": {"type": "string", "format": "binary"}}
_SENT: dict[str, Any] = {
    "requestBody": {"required": True, "content": dict.fromkeys(sorted(TYPES), _BYTES)}
}
_GIVEN: dict[int | str, dict[str, Any]] = {200: {"content": dict.fromkeys(sorted(TYPES), _BYTES)}}


def is_upload(method: str, path: str) -> bool:
    """Say whether the body of a request is a file, which its route reads itself."""
    return method == "POST" and _UPLOAD.fullmatch(path) is not None


@router.post(
    "",
    status_code=201,
    operation_id="add_file",
    response_model=Made,
    openapi_extra={**_AMEND, **_SENT},
)
async def add_file(
    request: Request,
    vault: VaultDep,
    caller: AwaitedCaller,
    token: Token,
    request_id: RequestId,
    case_id: UUID,
    compartment: FileCompartment = FileCompartment.NARRATIVE,
    content_disposition: Annotated[
        str | None,
        Header(max_length=1000, description="attachment; filename*=UTF-8''name, percent-encoded"),
    ] = None,
    idempotency_key: Annotated[
        str | None, Header(alias="Idempotency-Key", pattern=IDEMPOTENCY)
    ] = None,
) -> Response:
    """Attach a file: the body is the file, up to 25 MiB of PDF, JPEG, PNG, WebP or plain text.

    It is cleaned first: place, author, scripts, hidden parts and forms' fields go. What cannot be
    cleaned is refused. It lies with the narrative, or with the identity if it shows who somebody
    is.
    """
    slots: uploads.Slots = request.app.state.uploads
    name = uploads.name_of(content_disposition)
    kind = uploads.media_type_of(request.headers.get("content-type"))
    async with slots.one():
        upload = await to_thread.run_sync(
            vault.files.begin, caller, case_id, compartment.value, name, kind
        )
        try:
            content = await uploads.body_of(request)
            # It may have taken minutes: whose session ended meanwhile sends nothing any more.
            still = await to_thread.run_sync(vault.sessions.authenticate, token, request_id)
        except CaseVaultError as error:
            await to_thread.run_sync(vault.files.abandon, caller, upload, error)
            answer = problems.response_for(
                error, request_id, request.headers.get("accept-language")
            )
            # The rest of the body is still on its way.
            answer.headers["Connection"] = "close"
            return answer
        if content is None:
            await to_thread.run_sync(vault.files.abandon, still, upload)
            return Response(status_code=400)
        repeat = repeat_for(still, f"add_file/{case_id}", _key(idempotency_key, upload, content))
        made = await to_thread.run_sync(vault.files.add, still, upload, content, repeat)
    location = f"/v1/cases/{case_id}/files/{made}"
    return JSONResponse({"id": str(made)}, 201, headers={"Location": location})


@router.get("", operation_id="list_files", openapi_extra=_READ)
def list_files(vault: VaultDep, caller: CallerDep, case_id: UUID) -> FileList:
    """The files of a case that you can open, newest first."""
    return FileList(items=[FileShown.of(one) for one in vault.files.list_(caller, case_id)])


@router.get(
    "/{file_id}",
    operation_id="read_file",
    response_class=Response,
    responses=_GIVEN,
    openapi_extra=_READ,
)
def read_file(vault: VaultDep, caller: CallerDep, case_id: UUID, file_id: UUID) -> Response:
    """One file, always to be saved and never shown in place.

    Its length is told beforehand: what ends earlier was cut off.
    """
    found = vault.files.read(caller, case_id, file_id)
    headers = {
        "Content-Disposition": uploads.attachment(found.name),
        "Content-Length": str(found.size),
    }
    return _Given(_pieces(found), media_type=found.media_type, headers=headers)


@router.delete("/{file_id}", status_code=204, operation_id="remove_file", openapi_extra=_AMEND)
def remove_file(vault: VaultDep, caller: CallerDep, case_id: UUID, file_id: UUID) -> Response:
    """Take a file away, its bytes included."""
    vault.files.remove(caller, case_id, file_id)
    return Response(status_code=204)


class _Given(StreamingResponse):
    """A file on its way; how far it came is recorded even if the client goes away."""

    async def stream_response(self, send: Send) -> None:
        pieces = self.body_iterator
        try:
            await super().stream_response(send)
        finally:
            with CancelScope(shield=True):
                if isinstance(pieces, AsyncGenerator):
                    await pieces.aclose()


async def _pieces(found: Download) -> AsyncGenerator[bytes, None]:
    try:
        while (piece := await to_thread.run_sync(next, found.pieces, None)) is not None:
            yield piece
    except Tampered as error:
        # The answer has begun, so nobody else says it.
        get_logger().error("alarm", slug=error.slug, code=error.code)
        raise
    finally:
        with CancelScope(shield=True):
            await to_thread.run_sync(found.pieces.close)


def _key(key: str | None, upload: Upload, content: bytes) -> tuple[str, bytes] | None:
    if key is None:
        return None
    digest = hashlib.sha256()
    for part in (upload.compartment, upload.media_type, upload.name):
        digest.update(part.encode() + b"\0")
    digest.update(content)
    return key, digest.digest()
