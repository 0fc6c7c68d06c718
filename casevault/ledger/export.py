"""The static export: which files, with which bytes (C2SP tlog-tiles, plus JSON lines).

Decides nothing about who may have it: leaves are public by design, bodies are not here.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from casevault.errors import Invalid
from casevault.ledger.faults import invalid, tampered
from casevault.ledger.note import from_base64, to_base64, unverified_checkpoint
from casevault.ledger.tiles import TILE_WIDTH, TileName, Tiler
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


def export_pieces(
    chunks: Iterable[Sequence[Stored]],
    checkpoint_note: bytes,
    *,
    lines: bool = True,
    tiles: bool = True,
) -> Iterator[tuple[str, bytes]]:
    """Yield (relative path, bytes to append to it) of an export, checkpoint last.

    `chunks` are the entries in order, each chunk but the last a multiple of 256 of them; nothing is
    remembered but the tree's right edge, so a log of any size streams through. Only the file of
    lines comes in several pieces. A bundle that holds a retired leaf is left out. Raises `Tampered`
    instead of yielding the checkpoint if the note is for another tree; the note's signature is the
    caller's affair.
    """
    checkpoint = unverified_checkpoint(checkpoint_note)
    tiler, frontier = Tiler(), Frontier()
    for chunk in chunks:
        start = frontier.size
        if start % TILE_WIDTH:
            raise invalid("/chunks", "width")
        hashes = [hash_of(item) for item in chunk]
        frontier = frontier.extend(hashes)
        filled = [tile for item in hashes for tile in tiler.push(item)]
        if tiles:
            yield from ((tile.name.path, tile.data) for tile in filled)
            yield from _bundles(start, chunk)
        if lines:
            yield LINES_PATH, b"".join(encode_line(start + i, item) for i, item in enumerate(chunk))
    if checkpoint.size != frontier.size or checkpoint.root != frontier.root():
        raise tampered("export-root")
    if tiles:
        yield from ((tile.name.path, tile.data) for tile in tiler.rest())
    if lines and not frontier.size:
        yield LINES_PATH, b""
    yield CHECKPOINT_PATH, checkpoint_note


def export_files(leaves: Sequence[Stored], checkpoint_note: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield (relative path, bytes) of every file of an export of a log that fits in memory.

    Each path once, checkpoint last; raises `Tampered` before the first file.
    """
    chunks = [leaves] if leaves else []
    yield from list(export_pieces(chunks, checkpoint_note))


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


def parse_bundle(data: bytes, width: int, start: int) -> list[Stored]:
    """Read a bundle of exactly `width` leaves; anything else is `Tampered` at entry `start`."""
    found: list[Stored] = []
    at = 0
    while at < len(data) and len(found) < width:
        end = at + 2 + int.from_bytes(data[at : at + 2], "big")
        found.append(data[at + 2 : end])
        at = end
    if at != len(data) or len(found) != width:
        raise tampered("export-bundle", start)
    return found


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


def _bundles(start: int, chunk: Sequence[Stored]) -> Iterator[tuple[str, bytes]]:
    for offset in range(0, len(chunk), TILE_WIDTH):
        part = chunk[offset : offset + TILE_WIDTH]
        data = encode_bundle(part)
        if data is not None:
            yield TileName(None, (start + offset) // TILE_WIDTH, len(part)).path, data
