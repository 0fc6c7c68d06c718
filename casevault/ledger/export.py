"""The static export: which files, with which bytes (C2SP tlog-tiles, plus JSON lines).

Decides nothing about who may have it: leaves are public by design, bodies are not here.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from casevault.errors import Invalid
from casevault.ledger.faults import invalid, tampered
from casevault.ledger.note import from_base64, to_base64, unverified_checkpoint
from casevault.ledger.tiles import TILE_WIDTH, Tiler, bundle_paths
from casevault.ledger.tree import HASH_BYTES, Frontier, leaf_hash

CHECKPOINT_PATH: Final = "checkpoint"
LINES_PATH: Final = "entries.jsonl"
MAX_ENTRY_BYTES: Final = 65_535


@dataclass(frozen=True, slots=True)
class Retired:
    """A leaf whose bytes are gone by retention; its 32-byte leaf hash holds its place."""

    hash: bytes

    def __post_init__(self) -> None:
        if len(self.hash) != HASH_BYTES:
            raise invalid("/hash", "length")


Stored: TypeAlias = bytes | Retired
"""What is left of an entry: the exact leaf bytes, or only their hash."""


def hash_of(stored: Stored) -> bytes:
    """Return the leaf hash, computed from the bytes wherever there are bytes."""
    return stored.hash if isinstance(stored, Retired) else leaf_hash(stored)


def export_files(leaves: Sequence[Stored], checkpoint_note: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield (relative path, bytes) of every file of an export, each path once, checkpoint last.

    A bundle that holds a retired leaf is left out, so the store retires whole bundles of 256.
    Raises `Tampered` before the first file if the note is for another tree; the note's
    signature is the caller's affair.
    """
    hashes = [hash_of(item) for item in leaves]
    checkpoint = unverified_checkpoint(checkpoint_note)
    if checkpoint.size != len(hashes) or checkpoint.root != Frontier().extend(hashes).root():
        raise tampered("export-root")
    tiler = Tiler()
    for item in hashes:
        yield from ((tile.name.path, tile.data) for tile in tiler.push(item))
    yield from ((tile.name.path, tile.data) for tile in tiler.rest())
    yield from _bundles(leaves)
    yield LINES_PATH, b"".join(encode_line(i, item) for i, item in enumerate(leaves))
    yield CHECKPOINT_PATH, checkpoint_note


def encode_bundle(leaves: Sequence[Stored]) -> bytes | None:
    """Return uint16 (big endian) length ‖ bytes of each; None if any of them is retired."""
    parts: list[bytes] = []
    for leaf in leaves:
        if isinstance(leaf, Retired):
            return None
        if len(leaf) > MAX_ENTRY_BYTES:
            raise invalid("/leaf", "too-long")
        parts += (len(leaf).to_bytes(2, "big"), leaf)
    return b"".join(parts)


def encode_line(index: int, stored: Stored) -> bytes:
    """Return one JSON line with its newline: ``i`` and ``d`` (leaf text) or ``h`` (hash)."""
    if isinstance(stored, Retired):
        content = {"i": index, "h": to_base64(stored.hash)}
    else:
        content = {"i": index, "d": stored.decode("ascii")}
    return json.dumps(content, separators=(",", ":")).encode("ascii") + b"\n"


def parse_line(index: int, line: bytes) -> Stored:
    """Read the line of entry `index`; whatever `encode_line` would not write is `Tampered`."""
    try:
        found = json.loads(line.decode("ascii"))
        data, digest = found.get("d"), found.get("h")
        stored = data.encode("ascii") if digest is None else Retired(from_base64(digest))
        same = encode_line(index, stored) == line
    except (ValueError, TypeError, AttributeError, RecursionError, Invalid):
        raise tampered("export-line", index) from None
    if not same:
        raise tampered("export-line", index)
    return stored


def _bundles(leaves: Sequence[Stored]) -> Iterator[tuple[str, bytes]]:
    for name in bundle_paths(len(leaves)):
        start = name.index * TILE_WIDTH
        data = encode_bundle(leaves[start : start + name.width])
        if data is not None:
            yield name.path, data
