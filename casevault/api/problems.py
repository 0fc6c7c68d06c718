"""Errors as problem documents (RFC 9457): one table from our errors to statuses.

`code` never changes, `title` follows Accept-Language, `instance` is the request id. The input
never comes back: neither values nor unknown names of fields.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from functools import cache
from importlib import resources
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from casevault.domain.vocabulary import LANGUAGES
from casevault.errors import (
    Busy,
    CaseVaultError,
    Conflict,
    FieldError,
    Invalid,
    KeyUnavailable,
    Locked,
    Misconfigured,
    NotFound,
    Refused,
    Stale,
    Tampered,
    Unauthenticated,
    Unrecorded,
)
from casevault.logs import get_logger

MEDIA_TYPE = "application/problem+json"

# The first class that fits decides; so subclasses stand before their bases.
STATUS: tuple[tuple[type[CaseVaultError], int], ...] = (
    (Unauthenticated, 401),
    (Refused, 403),
    # No key looks like no record: who cannot open a case must not learn that there is one.
    (KeyUnavailable, 404),
    (NotFound, 404),
    (Stale, 412),
    (Conflict, 409),
    (Invalid, 422),
    (Locked, 423),
    (Busy, 503),
    (Unrecorded, 503),
    (Tampered, 500),
    (Misconfigured, 500),
)
# Codes that HTTP has a status of its own for.
_STATUS_OF_CODE = {
    "precondition.required": 428,
    "body.too-large": 413,
    "file.too-large": 413,
    "body.type": 415,
    "body.framing": 400,
    "body.timeout": 408,
    "host.unknown": 400,
    "rate.limited": 429,
    "search.limited": 429,
    "intake.limited": 429,
    "exchange.limited": 429,
}
_RETRY_SECONDS = {503: "2", 429: "3600"}
_HTTP_CODES = {404: "route.unknown", 405: "method.not-allowed", 400: "request"}


class RouteError(CaseVaultError):
    """A refusal by the router, which knows nothing of cases."""

    slug = "request"


def status_of(error: CaseVaultError) -> int:
    """Return the HTTP status of an error."""
    if error.code in _STATUS_OF_CODE:
        return _STATUS_OF_CODE[error.code]
    if error.code.startswith("json."):
        return 400
    return next((status for kind, status in STATUS if isinstance(error, kind)), 500)


def document(
    error: CaseVaultError, status: int, request_id: str | None, language: str
) -> dict[str, Any]:
    """Return the problem document of an error."""
    # Who lacks a key gets the very document of an unknown case.
    shown = NotFound() if isinstance(error, KeyUnavailable) else error
    found: dict[str, Any] = {
        "type": f"/problems/{shown.slug}",
        "title": title_of(shown.slug, language),
        "status": status,
        "detail": sentence(shown.detail, language) or title_of(shown.slug, language),
        "code": shown.code,
    }
    if request_id:
        found["instance"] = f"urn:uuid:{request_id}"
    if shown.hint:
        found["hint"] = sentence(shown.hint, language)
    if shown.errors:
        found["errors"] = [{"pointer": e.pointer, "code": e.code} for e in shown.errors]
    return found


def response_for(
    error: CaseVaultError, request_id: str | None, accept_language: str | None
) -> JSONResponse:
    """Return the answer to an error."""
    status = status_of(error)
    language = language_of(accept_language)
    headers = {"Content-Language": language}
    if status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    if status in _RETRY_SECONDS:
        headers["Retry-After"] = _RETRY_SECONDS[status]
    return JSONResponse(
        document(error, status, request_id, language),
        status_code=status,
        headers=headers,
        media_type=MEDIA_TYPE,
    )


def language_of(accept: str | None) -> str:
    """Return the best of our languages for an Accept-Language header (RFC 9110)."""
    wanted: list[tuple[float, str]] = []
    for part in (accept or "").split(",")[:10]:
        tag, _, quality = part.strip().partition(";")
        try:
            weight = float(quality.strip().removeprefix("q=")) if quality else 1.0
        except ValueError:
            continue
        wanted.append((weight, tag.split("-")[0].lower()))
    for weight, tag in sorted(wanted, key=lambda item: -item[0]):
        if weight > 0 and tag in LANGUAGES:
            return tag
    return "en"


def sentence(english: str, language: str) -> str:
    """Return one of our sentences in a language; English where nobody translated it yet."""
    return sentences().get(english, {}).get(language, english)


@cache
def sentences() -> Mapping[str, Mapping[str, str]]:
    """Return the translations of details and hints by their English text."""
    return _packaged("sentences.json")


@cache
def titles() -> Mapping[str, Mapping[str, str]]:
    """Return the titles by slug and language."""
    return _packaged("titles.json")


def _packaged(name: str) -> Mapping[str, Mapping[str, str]]:
    text = resources.files("casevault.api").joinpath(name).read_text("utf-8")
    found: dict[str, dict[str, str]] = json.loads(text)
    return found


def title_of(slug: str, language: str) -> str:
    """Return the title of a slug in a language."""
    return titles()[slug][language]


def install(app: FastAPI) -> None:
    """Make the application answer every error with a problem document."""
    app.add_exception_handler(CaseVaultError, _ours)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)


def _answer(request: Request, error: CaseVaultError) -> JSONResponse:
    request_id = getattr(request.state, "request_id", None)
    return response_for(error, request_id, request.headers.get("accept-language"))


def _ours(request: Request, error: Exception) -> JSONResponse:
    found = error if isinstance(error, CaseVaultError) else CaseVaultError()
    if isinstance(found, (Tampered, Unrecorded)):
        get_logger().error("alarm", slug=found.slug, code=found.code)
    return _answer(request, found)


def _invalid(request: Request, error: Exception) -> JSONResponse:
    raw = error.errors() if isinstance(error, RequestValidationError) else ()
    found = tuple(_field_error(item) for item in raw)[:50]
    error = Invalid("Some fields cannot be taken as they are.", errors=found)
    if any(one.code.endswith("extra-forbidden") for one in found):
        error = Invalid(
            error.detail,
            errors=found,
            hint="A field is not known here. The page /docs lists those that are.",
        )
    return _answer(request, error)


def _field_error(item: Mapping[str, Any]) -> FieldError:
    kind = str(item.get("type", "invalid"))
    # The name of an unknown field is something that somebody typed.
    location = item.get("loc", ())
    parts = [*list(location[:-1]), "*"] if kind == "extra_forbidden" else list(location)
    return FieldError(_pointer(parts), "field." + kind.replace("_", "-"))


def _pointer(parts: Iterable[object]) -> str:
    kept = [str(part) for part in parts]
    if kept and kept[0] == "body":
        kept = kept[1:]
    return "".join("/" + part.replace("~", "~0").replace("/", "~1") for part in kept)


def _http(request: Request, error: Exception) -> JSONResponse:
    status = error.status_code if isinstance(error, HTTPException) else 500
    problem = RouteError(code=_HTTP_CODES.get(status, "request"))
    language = language_of(request.headers.get("accept-language"))
    request_id = getattr(request.state, "request_id", None)
    headers = dict(error.headers or {}) if isinstance(error, HTTPException) else {}
    return JSONResponse(
        document(problem, status, request_id, language),
        status_code=status,
        headers=headers | {"Content-Language": language},
        media_type=MEDIA_TYPE,
    )
