"""The only way out: one message to one pinned vault, over TLS, and one answer back.

Connects to exactly the host and port that somebody pinned; follows no redirect, asks no proxy,
whatever the environment says, and waits and reads within limits. Must never send anything to an
address that came in with a request or a message, nor say in an error what an answer held.
"""

from __future__ import annotations

import base64
import binascii
import http.client
import json
import re
import ssl
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from casevault.domain.sharing.exchanging import MAX_BYTES, Address
from casevault.errors import Busy, Conflict, Refused

PATH = "/v1/exchange/messages"
_STILL_SECONDS, _WHOLE_SECONDS = 10.0, 30.0
# Base64 of a message and a little around it.
_MOST = 2 * MAX_BYTES
_PIECE = 1 << 16
_CODE = re.compile(r"[a-z][a-z0-9.-]{0,38}[a-z0-9]")


@dataclass(frozen=True, slots=True)
class Courier:
    """How messages travel. `authorities`: a file of certificates to trust instead of the system's.

    `plain`: to this very machine also without TLS, for tests and for trying it out.
    """

    authorities: Path | None = None
    plain: bool = False

    def require_may(self, address: Address) -> None:
        """Refuse an address without TLS, but for this machine where the configuration says so."""
        if address.plain and not (self.plain and address.is_loopback):
            raise Refused(
                "Another vault is reached over https only.",
                code="exchange.plain",
            )

    def carry(self, address: Address, message: bytes) -> bytes:
        """Deliver a message to a pinned address; return the answer, which nobody has checked yet.

        :raises Busy: nobody answers there, or too slowly. :raises Conflict: the other vault says no
            (its code is kept, unsigned as it is), or what answers is no vault.
        """
        self.require_may(address)
        body = json.dumps({"message": base64.b64encode(message).decode()}).encode()
        until = time.monotonic() + _WHOLE_SECONDS
        try:
            connection = self._connection(address)
            try:
                status, found = _asked(connection, body, until)
            finally:
                connection.close()
        except (OSError, http.client.HTTPException, ValueError):
            # Whatever it was, nothing was answered: it is tried again.
            raise Busy("The other vault cannot be reached.", code="exchange.unreachable") from None
        return _answer(status, found)

    def _connection(self, address: Address) -> http.client.HTTPConnection:
        if address.plain:
            return http.client.HTTPConnection(address.host, address.port, timeout=_STILL_SECONDS)
        context = ssl.create_default_context(cafile=self.authorities)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        return http.client.HTTPSConnection(
            address.host, address.port, timeout=_STILL_SECONDS, context=context
        )


def _asked(
    connection: http.client.HTTPConnection, body: bytes, until: float
) -> tuple[int, bytes | None]:
    headers = {"Content-Type": "application/json", "Accept": "application/json"}
    connection.request("POST", PATH, body, headers)
    answer = connection.getresponse()
    held = bytearray()
    while piece := answer.read1(_PIECE):
        held += piece
        if len(held) > _MOST or time.monotonic() > until:
            return answer.status, None
    return answer.status, bytes(held)


def _answer(status: int, found: bytes | None) -> bytes:
    raw = _object(found)
    if status == http.client.OK:
        try:
            return base64.b64decode(raw["receipt"], validate=True)
        except (KeyError, TypeError, ValueError, binascii.Error):
            raise _no_vault() from None
    code = raw.get("code")
    if not isinstance(code, str) or not _CODE.fullmatch(code):
        raise _no_vault()
    if status in (http.client.TOO_MANY_REQUESTS, http.client.SERVICE_UNAVAILABLE):
        raise Busy("The other vault takes nothing at present.", code=code)
    raise Conflict("The other vault did not take it.", code=code)


def _object(found: bytes | None) -> dict[str, Any]:
    try:
        raw = json.loads(found or b"")
    except (ValueError, RecursionError):
        raise _no_vault() from None
    if not isinstance(raw, dict):
        raise _no_vault()
    return raw


def _no_vault() -> Conflict:
    return Conflict("What answers there is no vault.", code="exchange.no-vault")
