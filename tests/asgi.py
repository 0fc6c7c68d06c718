"""A client of an application in this process which crosses into its thread once per request.

Starlette's own crosses seven times, to hand each chunk of an answer over as it is made. Nobody here
reads half an answer, and a gate sends tens of thousands of requests.
"""

from __future__ import annotations

from collections.abc import Callable, MutableMapping
from contextlib import AbstractContextManager
from typing import Any
from urllib.parse import unquote

import anyio
import httpx2
from anyio.from_thread import BlockingPortal
from starlette.testclient import TestClient
from starlette.types import ASGIApp

Message = MutableMapping[str, Any]
# As Starlette's client says it.
PEER = ("testclient", 50_000)


class Client(TestClient):
    """Starlette's client, but for the way of a request; `with` starts and ends the application."""

    __test__ = False

    def __init__(self, app: ASGIApp, base_url: str, portal: BlockingPortal | None = None) -> None:
        super().__init__(app, base_url=base_url, raise_server_exceptions=False)
        self._transport = _Whole(app, self._portal_factory, self.app_state)
        if portal is not None:
            self.portal = portal


class _Whole(httpx2.BaseTransport):
    """Gives a request to the application and returns when all it does for it is done."""

    def __init__(
        self,
        app: ASGIApp,
        portal: Callable[[], AbstractContextManager[BlockingPortal]],
        state: dict[str, Any],
    ) -> None:
        self._app, self._portal, self._state = app, portal, state

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        """Return the whole answer; 500 without a body if there was none."""
        exchange = _Exchange(request.read(), request.method == "HEAD")
        scope = _scope(request, self._state)
        with self._portal() as portal:
            portal.call(exchange.run, self._app, scope)
        return httpx2.Response(
            exchange.status,
            headers=exchange.headers,
            stream=httpx2.ByteStream(b"".join(exchange.chunks)),
            request=request,
        )


class _Exchange:
    """One request and what was answered to it."""

    def __init__(self, body: bytes, head: bool) -> None:
        self._body: bytes | None = body
        self._head = head
        self.status = 500
        self.headers: list[tuple[bytes, bytes]] = []
        self.chunks: list[bytes] = []

    async def run(self, app: ASGIApp, scope: dict[str, Any]) -> None:
        """Run the application to its end."""
        self._answered, self._started = anyio.Event(), False
        try:
            await app(scope, self._receive, self._send)
        except Exception:
            self._answered.set()

    async def _receive(self) -> Message:
        if self._body is None:
            await self._answered.wait()
            return {"type": "http.disconnect"}
        body, self._body = self._body, None
        return {"type": "http.request", "body": body}

    async def _send(self, message: Message) -> None:
        assert not self._answered.is_set(), f"{message['type']} after the answer was complete"
        if message["type"] == "http.response.start":
            assert not self._started, "an answer began twice"
            self._started, self.status = True, message["status"]
            self.headers = list(message.get("headers", ()))
            return
        assert self._started, "a body came before its answer began"
        if not self._head:
            self.chunks.append(bytes(message.get("body", b"")))
        if not message.get("more_body", False):
            self._answered.set()


def _scope(request: httpx2.Request, state: dict[str, Any]) -> dict[str, Any]:
    url = request.url
    return {
        "type": "http",
        "http_version": "1.1",
        "method": request.method,
        "path": unquote(url.path),
        "raw_path": url.raw_path.split(b"?", 1)[0],
        "root_path": "",
        "scheme": url.scheme,
        "query_string": url.query,
        "headers": [(name.lower(), value) for name, value in request.headers.raw],
        "client": PEER,
        "server": [url.host, url.port or {"http": 80, "https": 443}[url.scheme]],
        "state": state.copy(),
    }
