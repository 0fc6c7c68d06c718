"""What a log asks its signer: this head, and the proof that it extends what was signed last.

The form is that of c2sp.org/tlog-witness: ``old <size>``, the consistency proof, an empty line and
the checkpoint, here without a signature, because the signer is who makes it. Decides how such a
request is written and read; whether it is signed is decided in `signer`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from casevault.errors import Invalid
from casevault.ledger.faults import invalid, tampered
from casevault.ledger.note import Checkpoint, from_base64, to_base64
from casevault.ledger.tree import HASH_BYTES, MAX_PROOF, MAX_SIZE

MAX_ASK_BYTES: Final = 8_192
_OLD = re.compile(r"old (0|[1-9][0-9]{0,18})")


@dataclass(frozen=True, slots=True)
class Ask:
    """`head` is to be signed; `proof` leads from the tree of `old` entries to it."""

    old: int
    proof: tuple[bytes, ...]
    head: Checkpoint

    def __post_init__(self) -> None:
        if type(self.old) is not int or not 0 <= self.old <= MAX_SIZE:
            raise invalid("/old", "range")
        if len(self.proof) > MAX_PROOF or any(len(item) != HASH_BYTES for item in self.proof):
            raise invalid("/proof")


def encode_ask(ask: Ask) -> bytes:
    """Return the request's bytes."""
    lines = [f"old {ask.old}", *map(to_base64, ask.proof), "", ""]
    return "\n".join(lines).encode("ascii") + ask.head.encode()


def parse_ask(data: bytes) -> Ask:
    """Read a request; whatever `encode_ask` would not write is `Tampered`."""
    before, found, head = data.partition(b"\n\n")
    try:
        if len(data) > MAX_ASK_BYTES or not found:
            raise ValueError
        first, *hashes = before.decode("ascii").split("\n")
        old = _OLD.fullmatch(first)
        if old is None:
            raise ValueError
        return Ask(int(old[1]), tuple(map(from_base64, hashes)), Checkpoint.decode(head))
    except (ValueError, Invalid):
        raise tampered("ask") from None
