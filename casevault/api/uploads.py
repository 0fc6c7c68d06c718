"""Bodies that are files: their name and kind from headers, their bytes as they come.

Held in memory and nowhere else, so many at a time. A name travels in Content-Disposition (RFC 6266,
RFC 8187), never in an address, which would be logged. Must never hold more than one file may have.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import quote, unquote_to_bytes

from starlette.requests import ClientDisconnect, Request

from casevault.cleaning import MAX_BYTES
from casevault.cleaning.apart import refusal
from casevault.errors import Busy, Invalid

AT_ONCE = 4
# A slow line needs minutes for a large file; nobody needs a quarter of a minute for nothing at all.
_STILL_SECONDS = 15.0
_WHOLE_SECONDS = 900.0
_EXTENDED = re.compile(
    r"attachment\s*;\s*filename\*\s*=\s*utf-8''([A-Za-z0-9%!#$&+.^_`|~-]+)", re.I
)
_PLAIN = re.compile(r'attachment\s*;\s*filename\s*=\s*"([\x20-\x7e]+)"', re.I)
_MEDIA_TYPE = re.compile(r"([a-z]+/[a-z0-9.+-]+)(\s*;\s*charset\s*=\s*\"?utf-8\"?)?", re.I)


class Slots:
    """How many files this process takes at the same time."""

    def __init__(self, at_once: int = AT_ONCE) -> None:
        self._free = at_once

    @asynccontextmanager
    async def one(self) -> AsyncIterator[None]:
        """Hold one of them, or be told `Busy` at once: memory is what runs out."""
        if self._free <= 0:
            raise Busy("Others are sending files. Try again in a moment.", code="file.busy")
        # Nothing is awaited in between, and all this happens in one thread.
        self._free -= 1
        try:
            yield
        finally:
            self._free += 1


def name_of(disposition: str | None) -> str:
    """Return the name that a Content-Disposition gives, else `Invalid`."""
    text = (disposition or "").strip()
    if found := _EXTENDED.fullmatch(text):
        try:
            return unquote_to_bytes(found.group(1)).decode()
        except UnicodeDecodeError:
            raise _unnamed() from None
    if found := _PLAIN.fullmatch(text):
        return found.group(1)
    raise _unnamed()


def attachment(name: str) -> str:
    """Return the Content-Disposition under which a file is given out: never shown in place."""
    return f"attachment; filename*=UTF-8''{quote(name, safe='')}"


def media_type_of(content_type: str | None) -> str:
    """Return the media type that a Content-Type gives, in small letters, else `Invalid`."""
    found = _MEDIA_TYPE.fullmatch((content_type or "").strip())
    if found is None:
        raise Invalid(
            "Send the file itself as the body, with its kind as Content-Type and its name in"
            " Content-Disposition.",
            code="body.type",
        )
    return found.group(1).lower()


async def body_of(request: Request) -> bytes | None:
    """Return the body, or None if the client went away before its end.

    :raises Invalid: it is too large, or comes too slowly.
    """
    declared = request.headers.get("content-length", "0")
    if not declared.isdecimal() or len(declared) > 12 or int(declared) > MAX_BYTES:
        raise refusal("file.too-large")
    held, pieces = bytearray(), aiter(request.stream())
    try:
        async with asyncio.timeout(_WHOLE_SECONDS):
            while True:
                async with asyncio.timeout(_STILL_SECONDS):
                    piece = await anext(pieces, None)
                if piece is None:
                    return bytes(held)
                held += piece
                if len(held) > MAX_BYTES:
                    raise refusal("file.too-large")
    except ClientDisconnect:
        return None
    except TimeoutError:
        raise Invalid("The body came too slowly. Send it again.", code="body.timeout") from None


def _unnamed() -> Invalid:
    return Invalid(
        "Send the file itself as the body, with its kind as Content-Type and its name in"
        " Content-Disposition.",
        code="file.unnamed",
    )
