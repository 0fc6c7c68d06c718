"""Tiles of 256 hashes (C2SP tlog-tiles): their paths, how to fill them, how to read through them.

Decides the file names of a static export. Level 0 holds leaf hashes; a hash at level n is the
root of a full tile at level n - 1. A partial tile is never hashed into the level above.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, TypeAlias

from casevault.ledger.faults import invalid, tampered
from casevault.ledger.tree import HASH_BYTES, MAX_SIZE, HashReader, complete_root

TILE_HEIGHT: Final = 8
TILE_WIDTH: Final = 1 << TILE_HEIGHT

TileBytes: TypeAlias = Callable[[int, int], bytes]
"""Takes (tile level, tile index), gives the tile's hashes joined: 32 × (1 … 256) bytes."""


@dataclass(frozen=True, slots=True)
class TileName:
    """A tile or, with level None, an entry bundle; `width` is the number of hashes or entries."""

    level: int | None
    index: int
    width: int = TILE_WIDTH

    @property
    def start(self) -> int:
        """Index of the first entry below this tile or bundle."""
        return self.index << TILE_HEIGHT * ((self.level or 0) + 1)

    @property
    def path(self) -> str:
        """Relative path, for example ``tile/0/x001/x234/067`` or ``tile/1/000.p/7``."""
        level = "entries" if self.level is None else str(self.level)
        partial = "" if self.width == TILE_WIDTH else f".p/{self.width}"
        return f"tile/{level}/{encode_index(self.index)}{partial}"


@dataclass(frozen=True, slots=True)
class Tile:
    """A tile with its content: `data` is `name.width` hashes joined."""

    name: TileName
    data: bytes


def encode_index(index: int) -> str:
    """Return three-digit path elements, all but the last with an x: 1234067 → x001/x234/067."""
    if not 0 <= index <= MAX_SIZE:
        raise invalid("/tile", "range")
    parts = [f"{index % 1000:03}"]
    while index := index // 1000:
        parts.append(f"x{index % 1000:03}")
    return "/".join(reversed(parts))


def tile_paths(size: int) -> Iterator[TileName]:
    """Yield every tile of a tree of `size` leaves, level by level, the partial one last."""
    level, count = 0, size
    while count:
        yield from _names(level, count)
        level, count = level + 1, count >> TILE_HEIGHT


def bundle_paths(size: int) -> Iterator[TileName]:
    """Yield every entry bundle of a tree of `size` leaves, the partial one last."""
    yield from _names(None, size)


def tile_reader(read_tile: TileBytes) -> HashReader:
    """Return a reader of any complete subtree, computed from tiles.

    Make one per proof: tiles are remembered, and a partial tile grows. A tile that is too
    short, or no multiple of 32 bytes, is `Tampered`.
    """
    seen: dict[tuple[int, int], bytes] = {}

    def read(level: int, index: int) -> bytes:
        tile_level, inside = divmod(level, TILE_HEIGHT)
        tile_index, offset = divmod(index << inside, TILE_WIDTH)
        key = (tile_level, tile_index)
        if key not in seen:
            seen[key] = read_tile(tile_level, tile_index)
        return complete_root(_cut(seen[key], offset, 1 << inside, tile_index))

    return read


class Tiler:
    """Cuts a stream of leaf hashes into the tiles of all levels.

    Holds at most 255 hashes per level, so a tree of any size streams through it.
    """

    def __init__(self) -> None:
        self._rows: list[list[bytes]] = []
        self._full: list[int] = []

    def push(self, leaf: bytes) -> list[Tile]:
        """Take one leaf hash; return the tiles that it filled, lowest level first."""
        filled: list[Tile] = []
        level, current = 0, leaf
        while True:
            row = self._row(level)
            row.append(current)
            if len(row) < TILE_WIDTH:
                return filled
            filled.append(Tile(TileName(level, self._full[level]), b"".join(row)))
            current = complete_root(row)
            row.clear()
            self._full[level] += 1
            level += 1

    def rest(self) -> list[Tile]:
        """Return the partial tiles at the right edge, lowest level first; empty ones are none."""
        return [
            Tile(TileName(level, self._full[level], len(row)), b"".join(row))
            for level, row in enumerate(self._rows)
            if row
        ]

    def _row(self, level: int) -> list[bytes]:
        if level == len(self._rows):
            self._rows.append([])
            self._full.append(0)
        return self._rows[level]


def _names(level: int | None, count: int) -> Iterator[TileName]:
    full, rest = divmod(count, TILE_WIDTH)
    for index in range(full):
        yield TileName(level, index)
    if rest:
        yield TileName(level, full, rest)


def _cut(tile: bytes, offset: int, count: int, index: int) -> list[bytes]:
    end = (offset + count) * HASH_BYTES
    if len(tile) % HASH_BYTES or not end <= len(tile) <= TILE_WIDTH * HASH_BYTES:
        raise tampered("tile", index)
    return [tile[i : i + HASH_BYTES] for i in range(offset * HASH_BYTES, end, HASH_BYTES)]
