"""What all pages for people share: their language, and what a browser may load for them."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import Depends, Query, Request
from fastapi.responses import HTMLResponse

from casevault.api.problems import language_of

STYLE = "/v1/forms/style.css"
_CSP = (
    "default-src 'none'; style-src 'self'; base-uri 'none'; form-action {form};"
    " frame-ancestors 'none'"
)


async def _language(
    request: Request,
    lang: Annotated[
        Literal["en", "fr", "es", "ar"] | None,
        Query(description="Language; without it Accept-Language decides."),
    ] = None,
) -> str:
    return lang or language_of(request.headers.get("accept-language"))


Language = Annotated[str, Depends(_language)]


def spoken(language: str) -> dict[str, str]:
    """Return the headers that say in which language an answer is."""
    return {"Content-Language": language, "Vary": "Accept-Language"}


def page(shown: str, language: str, *, form: bool = False, status: int = 200) -> HTMLResponse:
    """Return a page that loads nothing but our own style sheet; with a `form`, it may send it."""
    csp = _CSP.format(form="'self'" if form else "'none'")
    headers = spoken(language) | {"Content-Security-Policy": csp}
    return HTMLResponse(shown, status, headers=headers)
