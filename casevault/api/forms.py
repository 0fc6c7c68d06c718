"""What a browser sends from a form without a script, as the JSON that it stands for.

So that routes, limits and checks see one kind of body. Must never take a field twice, or bytes that
are no text.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from urllib.parse import parse_qsl

from casevault.errors import Invalid

MEDIA_TYPE = "application/x-www-form-urlencoded"
_MOST = 10
Raw = tuple[bytes, bytes]


def as_json(body: bytes) -> bytes:
    """Return a form's fields as one JSON object of strings; else `Invalid`."""
    try:
        pairs = parse_qsl(
            body.decode("ascii"),
            keep_blank_values=True,
            strict_parsing=True,
            encoding="utf-8",
            errors="strict",
            max_num_fields=_MOST,
        )
    except ValueError:
        raise Invalid("The form cannot be read.", code="form") from None
    # Browsers end lines as Windows does.
    fields = {name: value.replace("\r\n", "\n") for name, value in pairs}
    if len(fields) != len(pairs):
        raise Invalid("The form cannot be read.", code="form")
    return json.dumps(fields).encode()


def headers_of_json(headers: Iterable[Raw], body: bytes) -> list[Raw]:
    """Return a request's headers as they are for the body that `as_json` made."""
    kept = [(n, v) for n, v in headers if n.lower() not in (b"content-type", b"content-length")]
    return [
        *kept,
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
    ]
