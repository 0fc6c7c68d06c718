"""The proof that one entry is in the log, as a file (``c2sp.org/tlog-proof@v1``).

Decides how such a file is written, read and checked. The extra data are not covered by any
signature: nothing may be believed because of them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from casevault.errors import Invalid
from casevault.ledger.faults import invalid, tampered
from casevault.ledger.note import (
    MAX_NOTE_BYTES,
    Checkpoint,
    Verify,
    from_base64,
    open_note,
    to_base64,
)
from casevault.ledger.tree import HASH_BYTES, MAX_SIZE, verify_inclusion

HEADER: Final = "c2sp.org/tlog-proof@v1"
MAX_PATH: Final = 63
MAX_EXTRA: Final = 65_536
MAX_PROOF_BYTES: Final = MAX_NOTE_BYTES + 2 * MAX_EXTRA
_DECIMAL = re.compile(r"0|[1-9][0-9]{0,18}")


@dataclass(frozen=True, slots=True)
class Proof:
    """`index` from 0, `hashes` the leaf's sibling first, `note` the signed checkpoint verbatim."""

    index: int
    hashes: tuple[bytes, ...]
    note: bytes
    extra: bytes = b""

    def __post_init__(self) -> None:
        if type(self.index) is not int or not 0 <= self.index < MAX_SIZE:
            raise invalid("/index", "range")
        if len(self.hashes) > MAX_PATH or any(len(h) != HASH_BYTES for h in self.hashes):
            raise invalid("/hashes")
        if not 0 < len(self.note) <= MAX_NOTE_BYTES:
            raise invalid("/note", "length")
        if len(self.extra) > MAX_EXTRA:
            raise invalid("/extra", "length")


def encode_proof(proof: Proof) -> bytes:
    """Return the file's bytes; the extra line is left out when there is none."""
    extra = [f"extra {to_base64(proof.extra)}"] if proof.extra else []
    hashes = [to_base64(item) for item in proof.hashes]
    lines = [HEADER, *extra, f"index {proof.index}", *hashes, "", ""]
    return "\n".join(lines).encode("ascii") + proof.note


def parse_proof(data: bytes) -> Proof:
    """Read a proof file; whatever `encode_proof` would not write is `Tampered`.

    The note inside is only carried; `verify_proof` checks it.
    """
    head, found, note = data.partition(b"\n\n")
    try:
        if len(data) > MAX_PROOF_BYTES or not found:
            raise ValueError
        lines = head.decode("ascii").split("\n")
        proof = _from_lines(lines, note)
        if encode_proof(proof) != data:
            raise ValueError
    except (ValueError, IndexError, Invalid):
        raise tampered("proof") from None
    return proof


def verify_proof(proof: Proof, leaf: bytes, name: str, public: bytes, verify: Verify) -> Checkpoint:
    """Return the checkpoint under which leaf hash `leaf` is proven; else `Tampered`."""
    checkpoint = open_note(proof.note, name, public, verify)
    verify_inclusion(leaf, proof.index, checkpoint.size, proof.hashes, checkpoint.root)
    return checkpoint


def _from_lines(lines: list[str], note: bytes) -> Proof:
    # The caller compares the re-encoded bytes, so a wrong header or keyword is found there.
    extra = b""
    place = 1
    if lines[place].startswith("extra "):
        extra = from_base64(lines[place].removeprefix("extra "))
        place += 1
    number = lines[place].removeprefix("index ")
    if not _DECIMAL.fullmatch(number):
        raise ValueError
    hashes = tuple(from_base64(line) for line in lines[place + 1 :])
    return Proof(int(number), hashes, note, extra)
