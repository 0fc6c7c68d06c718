"""A letter behind a link, for partners with nothing but a browser: door, letter, answer.

Nobody signs in here. Browsers get pages, also for refusals; other clients get problem documents.
"""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

from fastapi import Request
from fastapi.responses import HTMLResponse

from casevault.api import pages, problems
from casevault.api.deps import RequestId, VaultDep, needs
from casevault.api.pages import STYLE, Language
from casevault.api.routing import Router
from casevault.api.schemas.referrals import CodeGiven, PartnerAnswer
from casevault.domain.sharing import collect_page
from casevault.domain.sharing.referral import ReferralState
from casevault.domain.staff.access import Permission
from casevault.errors import CaseVaultError

router = Router(prefix="/v1/collect", tags=["collect"], default_response_class=HTMLResponse)
_WRONG = "collect.code"


@router.get(
    "/{page_id}",
    operation_id="show_collect_page",
    openapi_extra=needs(Permission.COLLECT_SHOW),
)
def show_collect_page(
    vault: VaultDep, request: Request, page_id: UUID, language: Language
) -> HTMLResponse:
    """The door: asks for the code that was said by phone, and says nothing else."""
    spoken = vault.collecting.language_of(page_id) or language

    def shown() -> HTMLResponse:
        vault.collecting.door(page_id)
        return pages.page(collect_page.door(_at(page_id), spoken, STYLE), spoken, form=True)

    return _answered(request, page_id, spoken, shown)


@router.post(
    "/{page_id}",
    operation_id="open_collect_page",
    openapi_extra=needs(Permission.COLLECT_OPEN),
)
def open_collect_page(
    vault: VaultDep,
    request: Request,
    request_id: RequestId,
    page_id: UUID,
    language: Language,
    body: CodeGiven,
) -> HTMLResponse:
    """The letter, for whoever was told the code; five wrong ones close it for good."""
    spoken = vault.collecting.language_of(page_id) or language

    def shown() -> HTMLResponse:
        one = vault.collecting.open(page_id, body.code, request_id)
        page = collect_page.letter(
            one.packed, _at(page_id), one.ticket, one.left, one.answered, spoken, STYLE
        )
        return pages.page(page, spoken, form=True)

    return _answered(request, page_id, spoken, shown)


@router.post(
    "/{page_id}/answer",
    operation_id="answer_collect_page",
    openapi_extra=needs(Permission.COLLECT_ANSWER),
)
def answer_collect_page(
    vault: VaultDep,
    request: Request,
    request_id: RequestId,
    page_id: UUID,
    language: Language,
    body: PartnerAnswer,
) -> HTMLResponse:
    """Whether the recipient can help; the words are sealed to the team on receipt."""
    spoken = vault.collecting.language_of(page_id) or language

    def shown() -> HTMLResponse:
        vault.collecting.answer(
            page_id, body.ticket, ReferralState(body.answer), body.words, request_id
        )
        return pages.page(collect_page.thanks(spoken, STYLE), spoken)

    return _answered(request, page_id, spoken, shown)


def _answered(
    request: Request, page_id: UUID, language: str, shown: Callable[[], HTMLResponse]
) -> HTMLResponse:
    """Return what is shown, or a refusal as a page to whoever reads pages."""
    try:
        return shown()
    except CaseVaultError as error:
        if "text/html" not in request.headers.get("accept", ""):
            raise
        why = problems.sentence(error.detail, language) or problems.title_of(error.slug, language)
        if error.code == _WRONG:
            page = collect_page.door(_at(page_id), language, STYLE, why)
        else:
            hint = problems.sentence(error.hint, language)
            again = _at(page_id) if error.code == "collect.ticket" else ""
            page = collect_page.closed(why, hint, language, STYLE, again)
        return pages.page(page, language, form=True, status=problems.status_of(error))


def _at(page_id: UUID) -> str:
    return f"/v1/collect/{page_id}"
