"""Where the verifier reads an export from: JSON lines, or the bundles and tiles alone.

Decides how bytes on a disk become entries in order, 256 at a time. Nothing is believed here: the
caller hashes what it gets. A file that is missing counts as tampering.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final

from casevault.ledger.entry import MAX_LEAF_BYTES
from casevault.ledger.export import (
    LINES_PATH,
    MAX_ENTRY_BYTES,
    Retired,
    Stored,
    parse_bundle,
    parse_line,
)
from casevault.ledger.faults import tampered
from casevault.ledger.tiles import TILE_WIDTH, TileName, tile_reader
from casevault.ledger.tree import HASH_BYTES, HashReader

_MAX_LINE: Final = 2 * MAX_LEAF_BYTES + 64  # every quote of the leaf is escaped once
_MAX_BUNDLE: Final = TILE_WIDTH * (2 + MAX_ENTRY_BYTES)


def from_folder(folder: Path, size: int) -> Iterator[list[Stored]]:
    """Give the entries of an export: from its file of lines if it has one, else from its tiles."""
    lines = folder / LINES_PATH
    return from_lines(lines, size) if lines.exists() else from_bundles(folder, size)


def from_lines(file: Path, size: int) -> Iterator[list[Stored]]:
    """Give the entries of a file of JSON lines, which holds exactly `size` of them."""
    with open_file(file) as lines:
        for start, width in _widths(size):
            yield [parse_line(start + i, lines.readline(_MAX_LINE)) for i in range(width)]
        if lines.read(1):
            raise tampered("export-surplus", size)


def from_bundles(folder: Path, size: int) -> Iterator[list[Stored]]:
    """Give the entries of a tiles folder: from their bundle, or what the tile says of retired ones.

    Only full bundles can be retired.
    """
    for start, width in _widths(size):
        name = TileName(None, start // TILE_WIDTH, width)
        if width < TILE_WIDTH or (folder / name.path).exists():
            data = read_file(folder / name.path, _MAX_BUNDLE)
            yield parse_bundle(data, width, start)
            continue
        tile = read_file(folder / TileName(0, start // TILE_WIDTH).path, TILE_WIDTH * HASH_BYTES)
        if len(tile) != TILE_WIDTH * HASH_BYTES:
            raise tampered("export-file", start)
        yield [Retired(tile[at : at + HASH_BYTES]) for at in range(0, len(tile), HASH_BYTES)]


def hash_reader(folder: Path, size: int) -> HashReader:
    """Return what a proof in the tree of `size` entries reads from a tiles folder: few tiles."""

    def read(level: int, number: int) -> bytes:
        width = min((size >> 8 * level) - number * TILE_WIDTH, TILE_WIDTH)
        return read_file(folder / TileName(level, number, width).path, width * HASH_BYTES)

    return tile_reader(read)


def open_file(path: Path) -> BinaryIO:
    """Open a file of an export; one that is not there is `Tampered`."""
    try:
        return path.open("rb")
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        raise tampered("export-missing") from None


def read_file(path: Path, limit: int) -> bytes:
    """Read at most one byte more than `limit`, so that a longer file is seen as different."""
    with open_file(path) as file:
        return file.read(limit + 1)


def _widths(size: int) -> Iterator[tuple[int, int]]:
    for start in range(0, size, TILE_WIDTH):
        yield start, min(TILE_WIDTH, size - start)
