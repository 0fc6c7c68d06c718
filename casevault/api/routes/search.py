"""Finding people."""

from __future__ import annotations

from uuid import UUID

from anyio import from_thread
from fastapi import Request

from casevault.api.deps import CallerDep, VaultDep, needs
from casevault.api.routing import Router
from casevault.api.schemas.search import Found, NewSearch, Shared
from casevault.domain.staff.access import Permission
from casevault.store.search.helpers import Gone

router = Router(prefix="/v1", tags=["search"])


@router.post("/search", operation_id="search_people", openapi_extra=needs(Permission.SEARCH_RUN))
def search(vault: VaultDep, caller: CallerDep, request: Request, body: NewSearch) -> Found:
    """Look whether a person has a file already: at most ten cases, why, and whom to ask.

    Searches are counted per hour, and each is on the ledger.
    """
    return Found.of(vault.search.run(caller, body.terms(), _gone(request)))


@router.post(
    "/cases/{case_id}/duplicates",
    operation_id="check_duplicates",
    openapi_extra=needs(Permission.CASE_AMEND),
)
def check_duplicates(vault: VaultDep, caller: CallerDep, request: Request, case_id: UUID) -> Found:
    """Look whether this person has another case: ask it right after an intake.

    What is found in your team becomes an open question of the case (a link of type
    `possible_same_person`, on the worklist), until somebody decides.
    """
    return Found.of(vault.duplicates.check(caller, case_id, _gone(request)))


@router.post(
    "/teams/{team_id}/directory-shares",
    operation_id="share_directory",
    openapi_extra=needs(Permission.DIRECTORY_SHARE),
)
def share_directory(vault: VaultDep, caller: CallerDep, team_id: UUID) -> Shared:
    """Let all other teams search your team's cards, where the configuration says so.

    From then on a caseworker's account anywhere in the organisation opens these cards.
    """
    return Shared.of(vault.search.share(caller, team_id))


def _gone(request: Request) -> Gone:
    """Return the question whether the client has hung up, asked from a worker's thread."""
    return lambda: from_thread.run(request.is_disconnected)
