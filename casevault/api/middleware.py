"""What surrounds every request: an id, limits, strict JSON, headers, one log line.

Plain ASGI, so that nothing is buffered that need not be. Must never log a path (it may hold what
somebody typed), an address or a body.
"""

from __future__ import annotations

import asyncio
import math
import re
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from uuid import uuid4

from anyio import to_thread
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from casevault.api import forms, problems
from casevault.domain.texts import strict_json
from casevault.errors import Busy, CaseVaultError, Invalid
from casevault.logs import get_logger

_HOST = re.compile(r"\[?([0-9A-Za-z:._-]*?)\]?(?::[0-9]{1,5})?")
# Nobody got an answer (what nginx calls it).
_GONE = 499
_MAX_DIGITS = 12
_REQUEST_ID = re.compile(r"[0-9a-f]{32}")
_READ_SECONDS = 15.0
_ALIVE = "/livez"
# Below this, pages with forms are served to people who have nothing but a browser.
FORMS = "/v1/collect/"
# How long a worker may go on answering in a vault that is shut; its sessions have ended already.
LOOK_SECONDS = 1.0
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
        started, status = time.perf_counter(), _GONE

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
        except Exception as error:
            # Here and not in the framework, whose own handler stands outside of these headers.
            get_logger().error("unexpected", exception_type=type(error).__name__)
            if status != _GONE:
                raise
            await _refuse(CaseVaultError(code="internal"), scope, receive, sending)
        finally:
            _log(scope, request_id, status, time.perf_counter() - started)


class HostGuard:
    """Serves under its own names only: another Host is how a foreign page reaches a local one."""

    def __init__(self, app: ASGIApp, names: Iterable[str]) -> None:
        known = [name.lower().strip("[]") for name in names]
        self._app = app
        self._names = frozenset(known)
        self._endings = tuple(name[1:] for name in known if name.startswith("*."))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse a request to an unknown name."""
        if scope["type"] == "lifespan" or self._is_ours(Headers(scope=scope).get("host", "")):
            await self._app(scope, receive, send)
            return
        error = Invalid("This service has another name; use one of its own.", code="host.unknown")
        await _refuse(error, scope, receive, send)

    def _is_ours(self, host: str) -> bool:
        found = _HOST.fullmatch(host.lower())
        return found is not None and (
            found.group(1) in self._names or found.group(1).endswith(self._endings or ("\n",))
        )


class LockdownGuard:
    """Answers nothing while the vault is locked down, but that the process lives.

    It looks at most once a second; a store that is away answers for itself further in.
    """

    def __init__(self, app: ASGIApp, is_shut: Callable[[], bool]) -> None:
        self._app = app
        self._is_shut = is_shut
        self._shut, self._looked_at = False, -math.inf

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse a request while the vault is shut."""
        open_to_all = scope["type"] != "http" or scope["path"] == _ALIVE
        if open_to_all or not await self._looked():
            await self._app(scope, receive, send)
            return
        error = Busy("The vault is locked down. Nobody can sign in.", code="lockdown")
        await _refuse(error, scope, receive, send, close=True)

    async def _looked(self) -> bool:
        if time.monotonic() - self._looked_at >= LOOK_SECONDS:
            with suppress(CaseVaultError):
                self._shut = await to_thread.run_sync(self._is_shut)
            self._looked_at = time.monotonic()
        return self._shut


class BodyGuard:
    """Takes bodies of limited size and time, JSON only, strictly parsed; then passes them on.

    `read_by_route`: requests (method, path) whose bodies are not JSON, which their route reads and
    limits itself.
    """

    def __init__(
        self,
        app: ASGIApp,
        limit: int,
        read_seconds: float = _READ_SECONDS,
        read_by_route: Callable[[str, str], bool] = lambda _method, _path: False,
    ) -> None:
        self._app = app
        self._limit = limit
        self._read_seconds = read_seconds
        self._read_by_route = read_by_route

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse a bad body with a problem document; replay a good one."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        if "transfer-encoding" in headers and "content-length" in headers:
            # Of two lengths a proxy in front may believe the other one, and take for the body what
            # is the next request here (RFC 9112, 6.3).
            framing = problems.RouteError(code="body.framing")
            await _refuse(framing, scope, receive, send, close=True)
            return
        if self._read_by_route(scope["method"], scope["path"]):
            await self._app(scope, receive, send)
            return
        try:
            async with asyncio.timeout(self._read_seconds):
                body = await self._read(headers, receive)
            if body and _is_form(scope, headers):
                body = forms.as_json(body)
                scope["headers"] = forms.headers_of_json(scope["headers"], body)
            elif body:
                _check_type(headers)
                strict_json.parse(body)
        except TimeoutError:
            error = Invalid("The body came too slowly. Send it again.", code="body.timeout")
            await _refuse(error, scope, receive, send, close=True)
            return
        except CaseVaultError as error:
            # Of a body that is too large, the rest is still on its way.
            close = error.code == "body.too-large"
            await _refuse(error, scope, receive, send, close=close)
            return
        if body is None:
            return
        await self._app(scope, _replay(body, receive), send)

    async def _read(self, headers: Headers, receive: Receive) -> bytes | None:
        """Return the body, or None when the client went away before its end."""
        declared = headers.get("content-length", "0")
        digits = declared.isdecimal() and len(declared) <= _MAX_DIGITS
        if not digits or int(declared) > self._limit:
            raise Invalid("The body is too large.", code="body.too-large")
        chunks, size = list[bytes](), 0
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                return None
            chunks.append(message.get("body", b""))
            size += len(chunks[-1])
            if size > self._limit:
                raise Invalid("The body is too large.", code="body.too-large")
            if not message.get("more_body", False):
                return b"".join(chunks)


async def _refuse(
    error: CaseVaultError, scope: Scope, receive: Receive, send: Send, *, close: bool = False
) -> None:
    request_id = scope.get("state", {}).get("request_id")
    language = Headers(scope=scope).get("accept-language")
    answer = problems.response_for(error, request_id, language)
    if close:
        answer.headers["Connection"] = "close"
    await answer(scope, receive, send)


def _is_form(scope: Scope, headers: Headers) -> bool:
    """Say whether this is a form that a page of ours sends without a script."""
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    return kind == forms.MEDIA_TYPE and str(scope["path"]).startswith(FORMS)


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
