"""Words without data: code lists, forms to render, blank forms to print. Public.

Nothing here knows a person or a case; what is asked follows the purposes of the programme.
"""

from __future__ import annotations

from typing import Any

from fastapi import Response
from fastapi.responses import HTMLResponse, JSONResponse

from casevault.api.deps import VaultDep, needs
from casevault.api.pages import STYLE, Language, page, spoken
from casevault.api.routing import Router
from casevault.api.schemas.common import Shape
from casevault.domain.pages import forms, paper
from casevault.domain.staff.access import Permission

router = Router(prefix="/v1", tags=["vocabulary"])


class Code(Shape):
    """A code and how people read it."""

    code: str
    label: str


class Vocabulary(Shape):
    """Every code list in one language."""

    language: str
    lists: dict[str, list[Code]]


@router.get(
    "/vocabulary",
    operation_id="read_vocabulary",
    openapi_extra=needs(Permission.VOCABULARY_READ),
)
def read_vocabulary(language: Language, response: Response) -> Vocabulary:
    """Every code list with its labels."""
    response.headers.update(spoken(language))
    lists = forms.code_lists(language)
    return Vocabulary(
        language=language,
        lists={name: [Code(**code) for code in codes] for name, codes in lists.items()},
    )


# Before the forms themselves, which would take it for a name.
@router.get(
    "/forms/style.css",
    operation_id="read_form_style",
    response_class=Response,
    openapi_extra=needs(Permission.VOCABULARY_READ),
)
def read_form_style() -> Response:
    """The style sheet of the printed forms."""
    return Response(paper.STYLE, media_type="text/css")


@router.get(
    "/forms/{form}",
    operation_id="read_form",
    response_class=JSONResponse,
    openapi_extra=needs(Permission.VOCABULARY_READ),
)
def read_form(vault: VaultDep, form: str, language: Language) -> JSONResponse:
    """A form (intake, consent, referral) as JSON Schema with labels, help and codes."""
    shown: dict[str, Any] = forms.schema(form, language, vault.stores.dictionary)
    return JSONResponse(shown, headers=spoken(language), media_type="application/schema+json")


@router.get(
    "/forms/{form}/print",
    operation_id="print_form",
    response_class=HTMLResponse,
    openapi_extra=needs(Permission.VOCABULARY_READ),
)
def print_form(vault: VaultDep, form: str, language: Language) -> HTMLResponse:
    """The same form, blank, as a page for A4 paper."""
    return page(paper.page(form, language, vault.stores.dictionary, STYLE), language)
