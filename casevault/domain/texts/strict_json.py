"""JSON as RFC 8259 and I-JSON mean it, before the framework sees it.

The stock parser accepts NaN, duplicate keys and lone surrogates, and fails with 500 on some of
what follows from them. Must never put anything of the input into an error.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any, NoReturn

from casevault.errors import FieldError, Invalid

MAX_DEPTH = 32
MAX_INTEGER = 2**53
# A whole string, so that brackets in it do not count, or one bracket.
_TOKEN = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"?|[\[\]{}]', re.DOTALL)
_UNFIT = re.compile("[\x00\ud800-\udfff]")
_BOM = b"\xef\xbb\xbf"


def parse(data: bytes) -> Any:  # noqa: ANN401 - any JSON value
    """Return the value of strictly valid JSON bytes, else `Invalid` with a ``json.*`` code."""
    if data.startswith(_BOM):
        _refuse("bom")
    text = _decoded(data)
    if text is None:
        _refuse("encoding")
    _check_depth(text)
    found = _loaded(text)
    # Refused here and not where they were caught: those errors hold the whole body.
    if found is None:
        _refuse("syntax")
    _check_texts(found[0])
    return found[0]


def _decoded(data: bytes) -> str | None:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return None


def _loaded(text: str) -> tuple[Any] | None:
    try:
        value = json.loads(
            text,
            object_pairs_hook=_object,
            parse_constant=_constant,
            parse_float=_float,
            parse_int=_integer,
        )
    except (json.JSONDecodeError, RecursionError):
        return None
    return (value,)


def _refuse(code: str) -> NoReturn:
    code = "json." + code
    raise Invalid(
        "The body is not JSON that can be taken.", code=code, errors=(FieldError("", code),)
    )


def _check_depth(text: str) -> None:
    depth = 0
    for token in _TOKEN.finditer(text):
        if token.group() in ("[", "{"):
            depth += 1
            if depth > MAX_DEPTH:
                _refuse("depth")
        elif token.group() in ("]", "}"):
            depth -= 1


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        _refuse("duplicate-key")
    for key in found:
        _check_text(key)
    return found


def _constant(_name: str) -> NoReturn:
    _refuse("number")


def _float(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        _refuse("number")
    return number


def _integer(text: str) -> int:
    # The length first: converting a million digits costs seconds.
    if len(text) > 17 or abs(int(text)) > MAX_INTEGER:
        _refuse("number")
    return int(text)


def _check_texts(value: object) -> None:
    if isinstance(value, str):
        _check_text(value)
    elif isinstance(value, list):
        for item in value:
            _check_texts(item)
    elif isinstance(value, dict):
        for item in value.values():
            _check_texts(item)


def _check_text(text: str) -> None:
    if _UNFIT.search(text):
        _refuse("text")
