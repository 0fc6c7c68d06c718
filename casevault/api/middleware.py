"""What surrounds every request: an id, limits, strict JSON, headers, one log line.

Plain ASGI, so that nothing is buffered that need not be. Must never log a path (it may hold what
somebody typed), an address or a body.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Iterable
from uuid import uuid4

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from casevault.api import problems
from casevault.domain import strict_json
from casevault.errors import CaseVaultError, Invalid
from casevault.logs import get_logger

_REQUEST_ID = re.compile(r"[0-9a-f]{32}")
_READ_SECONDS = 15.0
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_HEADERS = (
    ("Cache-Control", "no-store"),
    ("Referrer-Policy", "no-referrer"),
    ("X-Content-Type-Options", "nosniff"),
    ("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
)


class RequestContext:
    """Gives each request an id, and the log one line about it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, with `request_id` in its state and in X-Request-Id."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = Headers(scope=scope).get("x-request-id", "")
        # A proxy may bring an id, so that its log can be compared with the ledger.
        request_id = given if _REQUEST_ID.fullmatch(given) else uuid4().hex
        scope.setdefault("state", {})["request_id"] = request_id
        started, status = time.perf_counter(), 500

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers["X-Request-Id"] = request_id
                for name, value in _HEADERS:
                    headers.setdefault(name, value)
            await send(message)

        try:
            await self._app(scope, receive, sending)
        finally:
            _log(scope, request_id, status, time.perf_counter() - started)


class BodyGuard:
    """Takes bodies of limited size and time, JSON only, strictly parsed; then passes them on."""

    def __init__(self, app: ASGIApp, limit: int, read_seconds: float = _READ_SECONDS) -> None:
        self._app = app
        self._limit = limit
        self._read_seconds = read_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse a bad body with a problem document; replay a good one."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        try:
            async with asyncio.timeout(self._read_seconds):
                body = await self._read(headers, receive)
            if body:
                _check_type(headers)
                strict_json.parse(body)
        except TimeoutError:
            await self._refuse(Invalid(code="body.timeout"), headers, scope, receive, send)
            return
        except CaseVaultError as error:
            await self._refuse(error, headers, scope, receive, send)
            return
        await self._app(scope, _replay(body, receive), send)

    async def _read(self, headers: Headers, receive: Receive) -> bytes:
        declared = headers.get("content-length", "0")
        if not declared.isdecimal() or int(declared) > self._limit:
            raise Invalid("The body is too large.", code="body.too-large")
        chunks, size = list[bytes](), 0
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                return b""
            chunks.append(message.get("body", b""))
            size += len(chunks[-1])
            if size > self._limit:
                raise Invalid("The body is too large.", code="body.too-large")
            if not message.get("more_body", False):
                return b"".join(chunks)

    @staticmethod
    async def _refuse(
        error: CaseVaultError, headers: Headers, scope: Scope, receive: Receive, send: Send
    ) -> None:
        request_id = scope.get("state", {}).get("request_id")
        answer = problems.response_for(error, request_id, headers.get("accept-language"))
        await answer(scope, receive, send)


def _check_type(headers: Headers) -> None:
    kind, _, parameters = headers.get("content-type", "").partition(";")
    charset = parameters.strip().lower()
    if kind.strip().lower() != "application/json" or charset not in ("", "charset=utf-8"):
        raise Invalid("Send the body as application/json.", code="body.type")


def _replay(body: bytes, receive: Receive) -> Receive:
    messages: Iterable[Message] = iter([{"type": "http.request", "body": body, "more_body": False}])

    async def replayed() -> Message:
        for message in messages:
            return message
        return await receive()

    return replayed


def _log(scope: Scope, request_id: str, status: int, seconds: float) -> None:
    route = scope.get("route")
    state = scope.get("state", {})
    get_logger().info(
        "request",
        request_id=request_id,
        # The template, never the path.
        route=getattr(route, "path", None),
        # A client may send any word as its method.
        method=scope["method"] if scope["method"] in _METHODS else "other",
        status=status,
        duration_ms=round(seconds * 1000, 1),
        actor=state.get("actor"),
    )
