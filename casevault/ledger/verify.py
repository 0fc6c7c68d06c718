"""The offline verifier: is this directory the log that the key holder signed?

Reads an export and a public key, nothing else; re-hashes stored bytes and compares every file
with what the tree demands. Decides tampered or not; a gap in a writer's counter is reported
and not judged, because the sealed bodies say which numbers were rolled back.
"""

from __future__ import annotations

import os
from array import array
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final, TypeAlias

from casevault.errors import Tampered
from casevault.ledger.entry import FIRST_COUNTER, MAX_LEAF_BYTES, parse_leaf
from casevault.ledger.export import (
    CHECKPOINT_PATH,
    LINES_PATH,
    Retired,
    Stored,
    encode_bundle,
    hash_of,
    parse_line,
)
from casevault.ledger.faults import tampered
from casevault.ledger.note import MAX_NOTE_BYTES, Checkpoint, Verify, open_note
from casevault.ledger.tiles import TILE_WIDTH, Tile, TileName, Tiler
from casevault.ledger.tree import Frontier

_MAX_LINE: Final = 2 * MAX_LEAF_BYTES + 64  # every quote of the leaf is escaped once

Progress: TypeAlias = Callable[[int, int], None]
"""Takes (entries checked, entries in all)."""


@dataclass(frozen=True, slots=True)
class Gap:
    """Counters `first` to `last` (both included) of one writer that are not in the log."""

    writer: str
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Report:
    """What was found in a good export.

    `retired` leaves have only their hash left, so their counters show up as gaps; `writers` is
    how many there are; `unread` counts files that belong to no entry of the tree and were not
    looked at; `older` is the size of the earlier checkpoint that this log extends, if one was
    given.
    """

    origin: str
    size: int
    root: bytes
    gaps: tuple[Gap, ...]
    retired: int
    writers: int
    unread: int
    older: int | None


def verify_export(
    directory: Path,
    name: str,
    public: bytes,
    verify: Verify,
    *,
    older: bytes | None = None,
    progress: Progress | None = None,
) -> Report:
    """Check an export against the key `name`, `public` (32 bytes) and an `older` signed note.

    Raises `Tampered` with a code and, where there is one, the index of the first bad entry.
    A file that is not there counts as tampering; other trouble with the disk stays an OSError.
    """
    head = open_note(_read(directory, CHECKPOINT_PATH, MAX_NOTE_BYTES), name, public, verify)
    before = None if older is None else open_note(older, name, public, verify)
    if before is not None and before.size > head.size:
        raise tampered("rollback")
    walk = _Walk(directory, head, before)
    walk.run(progress or (lambda _done, _all: None))
    return Report(
        origin=head.origin,
        size=head.size,
        root=head.root,
        gaps=walk.counters.gaps(),
        retired=walk.retired,
        writers=len(walk.counters),
        unread=max(0, _count_files(directory) - walk.files),
        older=None if before is None else before.size,
    )


class _Counters:
    """The counters of every writer, 16 bytes per entry."""

    def __init__(self) -> None:
        self._seen: defaultdict[str, array[int]] = defaultdict(lambda: array("q"))
        self._where: defaultdict[str, array[int]] = defaultdict(lambda: array("q"))

    def __len__(self) -> int:
        return len(self._seen)

    def add(self, writer: str, counter: int, index: int) -> None:
        self._seen[writer].append(counter)
        self._where[writer].append(index)

    def gaps(self) -> tuple[Gap, ...]:
        """Return all gaps, by writer; a number that stands twice is `Tampered`."""
        return tuple(gap for writer in sorted(self._seen) for gap in self._gaps_of(writer))

    def _gaps_of(self, writer: str) -> Iterator[Gap]:
        # PostgreSQL integrates pending rows in any order, so order in the tree means nothing.
        pairs = sorted(zip(self._seen[writer], self._where[writer], strict=True))
        expected = FIRST_COUNTER
        for counter, index in pairs:
            if counter < expected:
                raise tampered("counter-repeated", index)
            if counter > expected:
                yield Gap(writer, expected, counter - 1)
            expected = counter + 1


class _Walk:
    """One pass over the entries, 256 at a time, so that memory does not grow with the log."""

    def __init__(self, directory: Path, head: Checkpoint, before: Checkpoint | None) -> None:
        self._directory = directory
        self._head = head
        self._before = before
        self._frontier = Frontier()
        self._tiler = Tiler()
        self.counters = _Counters()
        self.retired = 0
        self.files = 2  # the checkpoint and the lines

    def run(self, progress: Progress) -> None:
        with _open(self._directory, LINES_PATH) as lines:
            self._compare_before()
            for start in range(0, self._head.size, TILE_WIDTH):
                width = min(TILE_WIDTH, self._head.size - start)
                self._take([_entry(lines, start + i) for i in range(width)], start)
                progress(start + width, self._head.size)
            if lines.read(1):
                raise tampered("export-surplus", self._head.size)
        self._compare_tiles(self._tiler.rest())
        if self._frontier.root() != self._head.root:
            raise tampered("export-root")

    def _take(self, chunk: list[Stored], start: int) -> None:
        self._compare_bundle(chunk, start)
        hashes = [hash_of(item) for item in chunk]
        for item in hashes:
            self._compare_tiles(self._tiler.push(item))
        self._count(chunk, start)
        # Stops at the older size on the way, to see the root that the older checkpoint saw.
        cut = 0 if self._before is None else min(max(self._before.size - start, 0), len(hashes))
        self._frontier = self._frontier.extend(hashes[:cut])
        self._compare_before()
        self._frontier = self._frontier.extend(hashes[cut:])

    def _count(self, chunk: list[Stored], start: int) -> None:
        for index, item in enumerate(chunk, start):
            if isinstance(item, Retired):
                self.retired += 1
                continue
            try:
                leaf = parse_leaf(item)
            except Tampered:
                raise tampered("leaf", index) from None
            self.counters.add(leaf.w, leaf.s, index)

    def _compare_before(self) -> None:
        before = self._before
        if before is not None and before.size == self._frontier.size:
            if before.root != self._frontier.root():
                raise tampered("fork")
            self._before = None

    def _compare_bundle(self, chunk: list[Stored], start: int) -> None:
        name = TileName(None, start // TILE_WIDTH, len(chunk))
        wanted = encode_bundle(chunk)
        if wanted is not None:
            self._compare(name, wanted)
        elif (self._directory / name.path).exists():
            raise tampered("export-bundle", start)

    def _compare_tiles(self, tiles: Iterable[Tile]) -> None:
        for tile in tiles:
            self._compare(tile.name, tile.data)

    def _compare(self, name: TileName, wanted: bytes) -> None:
        if _read(self._directory, name.path, len(wanted)) != wanted:
            raise tampered("export-file", name.start)
        self.files += 1


def _entry(lines: BinaryIO, index: int) -> Stored:
    return parse_line(index, lines.readline(_MAX_LINE))


def _open(directory: Path, path: str) -> BinaryIO:
    try:
        return (directory / path).open("rb")
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        raise tampered("export-missing") from None


def _read(directory: Path, path: str, limit: int) -> bytes:
    """Read at most one byte more than `limit`, so that a longer file is seen as different."""
    with _open(directory, path) as file:
        return file.read(limit + 1)


def _count_files(directory: Path) -> int:
    return sum(len(names) for _, _, names in os.walk(directory))
