"""Write tests/vectors/streams.json: sealed streams under a key and to a principal.

Salts and HPKE are random, so the file is made once and kept: what stands in it already stays.
`verify_streams.py` and the tests replay it. Contents are a piece (hexadecimal) and how often it is
repeated; sealed bytes are base64.
"""

from __future__ import annotations

import base64
import json
import sys
from pathlib import Path
from uuid import UUID

from casevault.crypto.principals import PrincipalSecret
from casevault.crypto.sealing import Key, Place
from casevault.crypto.streams import bucketed, seal_stream, seal_stream_to, unpadded

PLACE = Place(UUID(int=1), "file", UUID(int=3), UUID(int=2), "narrative")
RECIPIENT = PrincipalSecret(bytes(range(64, 128)))
CASES = (
    ("", 0, "bucketed"),
    ("61", 1, "bucketed"),
    ("78", 255, "bucketed"),
    ("78", 256, "bucketed"),
    ("8000", 40, "unpadded"),
    ("00", 300, "unpadded"),
    ("d8a7d984", 16_384, "unpadded"),  # one chunk and the mark in a second
)
RULES = {"bucketed": bucketed, "unpadded": unpadded}


def streams() -> list[dict[str, object]]:
    """Return streams under a key."""
    found: list[dict[str, object]] = []
    for number, (piece, times, rule) in enumerate(CASES, start=1):
        key = Key(bytes([number]) * 32, number)
        content = bytes.fromhex(piece) * times
        sealed = b"".join(seal_stream(key, PLACE, [content], number * 3, RULES[rule]))
        found.append(
            {
                "key": key.material.hex(),
                "version": number,
                "revision": number * 3,
                "piece": piece,
                "times": times,
                "sealed": base64.b64encode(sealed).decode(),
            }
        )
    return found


def to_principal() -> dict[str, object]:
    """Return a stream to a principal."""
    sealed = b"".join(seal_stream_to(RECIPIENT.public, PLACE, [b"made up"]))
    return {
        "seed": RECIPIENT.seed.hex(),
        "piece": b"made up".hex(),
        "sealed": base64.b64encode(sealed).decode(),
    }


def place() -> dict[str, object]:
    """Return where all of them belong."""
    return {
        "organisation": str(PLACE.organisation),
        "kind": PLACE.kind,
        "case": str(PLACE.case),
        "compartment": PLACE.compartment,
        "row": str(PLACE.row),
    }


if __name__ == "__main__":
    target = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).with_name("streams.json"))
    document = {"place": place(), "streams": streams(), "to": to_principal()}
    if target.exists():
        document |= json.loads(target.read_text())
    target.write_text(json.dumps(document, indent=1) + "\n")
