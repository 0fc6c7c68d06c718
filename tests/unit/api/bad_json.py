"""Bodies that are not JSON as this interface takes it, each with the code of its refusal.

Every body holds the marker, so that a test can look for it in the answer.
"""

from __future__ import annotations

import json

MARKER = "zq7-madeup-Zaziwe"
# What a body may be at most where these are sent.
LIMIT = 1 << 20
_INSIDE = '{"note": "' + MARKER + '", "value": %s}'


def _nested(depth: int, opening: str = "[", closing: str = "]") -> str:
    return opening * depth + f'"{MARKER}"' + closing * depth


def _objects(depth: int) -> str:
    return '{"a":' * depth + f'"{MARKER}"' + "}" * depth


TEXTS: dict[str, tuple[str, str]] = {
    "nan": (_INSIDE % "NaN", "number"),
    "nan in a list": (_INSIDE % "[[NaN]]", "number"),
    "infinity": (_INSIDE % "Infinity", "number"),
    "minus infinity": (_INSIDE % "-Infinity", "number"),
    "float without end": (_INSIDE % "1e999", "number"),
    "negative float without end": (_INSIDE % "-1e999", "number"),
    "huge integer": (_INSIDE % "9007199254740993", "number"),
    "negative huge integer": (_INSIDE % "-9007199254740993", "number"),
    "integer of 5000 digits": (_INSIDE % ("9" * 5000), "number"),
    "integer of half a million digits": (_INSIDE % ("9" * 500_000), "number"),
    "high surrogate alone": (_INSIDE % r'"\ud800"', "text"),
    "low surrogate alone": (_INSIDE % r'"\udfff"', "text"),
    "surrogates in the wrong order": (_INSIDE % r'"\udc00\ud800"', "text"),
    "surrogate in a key": ('{"' + MARKER + r'\ud800": 1}', "text"),
    "surrogate deep inside": (_INSIDE % r'[{"a": ["\ud800"]}]', "text"),
    "nul": (_INSIDE % r'"a\u0000b"', "text"),
    "nul in a key": ('{"' + MARKER + r'\u0000": 1}', "text"),
    "duplicate key": ('{"a": "' + MARKER + '", "a": 2}', "duplicate-key"),
    "duplicate key in another spelling": (
        r'{"a": 1, "\u0061": "' + MARKER + '"}',
        "duplicate-key",
    ),
    "duplicate key deep inside": (
        '[{"x": {"y": [{"a": 1, "a": "' + MARKER + '"}]}}]',
        "duplicate-key",
    ),
    "duplicate key after a good one": (
        '{"a": 1, "b": {"c": 1, "c": "' + MARKER + '"}}',
        "duplicate-key",
    ),
    "33 lists": (_nested(33), "depth"),
    "33 objects": (_objects(33), "depth"),
    "100,000 lists": ("[" * 100_000 + f'"{MARKER}"', "depth"),
    "33 lists behind a bracket in a string": ('["]]]]\\"]]", ' + _nested(33) + "]", "depth"),
    "garbage behind": (json.dumps({"note": MARKER}) + " x", "syntax"),
    "two values": (json.dumps({"note": MARKER}) * 2, "syntax"),
    "half a value": ('{"note": "' + MARKER, "syntax"),
    "only spaces": (" \n\t ", "syntax"),
    "comment": ('{"note": "' + MARKER + '"} // why', "syntax"),
    "comma at the end": ('{"note": "' + MARKER + '",}', "syntax"),
    "single quotes": ("{'note': '" + MARKER + "'}", "syntax"),
    "bare word": (MARKER, "syntax"),
    "leading zero": (_INSIDE % "01", "syntax"),
    "plus sign": (_INSIDE % "+1", "syntax"),
    "hexadecimal": (_INSIDE % "0x10", "syntax"),
    "raw newline in a string": ('{"note": "' + MARKER + '\n"}', "syntax"),
    "unknown escape": ('{"note": "' + MARKER + r'\x41"}', "syntax"),
    "closed before it was opened": (f'"{MARKER}"' + "]" * 40, "syntax"),
}
BYTES: dict[str, tuple[bytes, str]] = {
    "byte order mark": (b"\xef\xbb\xbf" + json.dumps({"note": MARKER}).encode(), "bom"),
    "utf-16 with its mark": (json.dumps({"note": MARKER}).encode("utf-16"), "encoding"),
    "utf-16 without": (json.dumps({"note": MARKER}).encode("utf-16-be"), "syntax"),
    "utf-32": (json.dumps({"note": MARKER}).encode("utf-32-be"), "syntax"),
    "latin-1": (f'{{"note": "{MARKER} é"}}'.encode("latin-1"), "encoding"),
    "half a character": (b'{"note": "' + MARKER.encode() + b'\xe2\x82"}', "encoding"),
    "character in too many bytes": (
        b'{"note": "' + MARKER.encode() + b'\xc0\xaf"}',
        "encoding",
    ),
    "surrogate in utf-8": (b'{"note": "' + MARKER.encode() + b'\xed\xa0\x80"}', "encoding"),
    "nul byte": (b'{"note": "' + MARKER.encode() + b'\x00"}', "syntax"),
}
BAD: dict[str, tuple[bytes, str]] = {
    **{name: (text.encode(), code) for name, (text, code) in TEXTS.items()},
    **BYTES,
}
