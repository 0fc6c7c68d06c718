"""What routes need from a request: the vault, the caller with their keys, conditions and cursors.

A permission is declared once per operation (`needs`) and decided in the use case.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import replace
from typing import Annotated, Any

from fastapi import Depends, Header, Query, Request, Response
from fastapi.security import HTTPBearer

from casevault.api.routing import blocking
from casevault.bootstrap import Vault
from casevault.crypto import macs
from casevault.domain.staff.access import Permission
from casevault.errors import Invalid
from casevault.store.context.caller import Caller
from casevault.store.engine.idempotency import Repeat

_ETAG = re.compile(r'"v([0-9]{1,9})"')
IDEMPOTENCY = r"^[A-Za-z0-9_-]{8,64}$"
bearer = HTTPBearer(
    auto_error=False, scheme_name="session", description="The token from signing in."
)


def needs(permission: Permission) -> dict[str, Any]:
    """Return what an operation says about the one permission that it needs."""
    return {"x-permission": permission.value}


async def vault_of(request: Request) -> Vault:
    """Return the vault that this application serves."""
    vault: Vault = request.app.state.vault
    return vault


async def request_id_of(request: Request) -> str | None:
    """Return the id under which this request is logged and answered."""
    found = getattr(request.state, "request_id", None)
    return None if found is None else str(found)


async def token_of(request: Request) -> str | None:
    """Return the bearer token, if there is one."""
    scheme, _, value = request.headers.get("Authorization", "").partition(" ")
    return value.strip() if scheme.lower() == "bearer" and value else None


VaultDep = Annotated[Vault, Depends(vault_of)]
RequestId = Annotated[str | None, Depends(request_id_of)]
Token = Annotated[str | None, Depends(token_of)]


def caller_in_thread(
    request: Request,
    vault: VaultDep,
    token: Token,
    request_id: RequestId,
    _documented: Annotated[object, Depends(bearer)],
) -> Caller:
    """Return the signed-in person with their keys; they are gone when the request ends."""
    caller = vault.sessions.authenticate(token, request_id)
    request.state.actor = macs.pseudonym(vault.stores.roots.service(), "log-actor", caller.staff)
    return caller


@blocking
async def caller_of(
    request: Request,
    vault: VaultDep,
    token: Token,
    request_id: RequestId,
    documented: Annotated[object, Depends(bearer)],
) -> Caller:
    """As `caller_in_thread`, for operations that run in a thread themselves."""
    return caller_in_thread(request, vault, token, request_id, documented)


async def version_of(if_match: Annotated[str | None, Header(alias="If-Match")] = None) -> int:
    """Return the version that the client wants to change; none is 428, a strange one 412."""
    if if_match is None:
        raise Invalid(
            "Send the ETag of the version that you read as If-Match.", code="precondition.required"
        )
    match = _ETAG.fullmatch(if_match.strip())
    # A tag that we never gave names no version that there is: stale, not malformed.
    return int(match.group(1)) if match else 0


def etag(version: int) -> str:
    """Return the entity tag of a version."""
    return f'"v{version}"'


def located(response: Response, where: str, version: int = 1) -> None:
    """Say where what was made lies, and its version."""
    response.headers["Location"] = where
    response.headers["ETag"] = etag(version)


def repeat_for(caller: Caller, route: str, key: tuple[str, bytes] | None) -> Repeat | None:
    """Bind an Idempotency-Key and the digest of its request to the person and the address."""
    return None if key is None else Repeat(caller.staff, route, *key)


CallerDep = Annotated[Caller, Depends(caller_of)]
# For an operation in the event loop, which must not wait for a database.
AwaitedCaller = Annotated[Caller, Depends(caller_in_thread)]


async def once_caller_of(
    request: Request,
    caller: CallerDep,
    idempotency_key: Annotated[
        str | None,
        Header(
            alias="Idempotency-Key",
            pattern=IDEMPOTENCY,
            description="Sent again with the same body within 24 hours, the request makes nothing"
            " more and is answered as before.",
        ),
    ] = None,
) -> Caller:
    """Return the caller; an Idempotency-Key is bound to the person, the address and the body."""
    if idempotency_key is None:
        return caller
    key = idempotency_key, hashlib.sha256(await request.body()).digest()
    return replace(caller, repeat=repeat_for(caller, request.url.path, key))


# For whatever makes something that a second request would make a second time.
OnceCaller = Annotated[Caller, Depends(once_caller_of)]
Version = Annotated[int, Depends(version_of)]
Cursor = Annotated[str | None, Query(max_length=400, description="From the page before.")]
