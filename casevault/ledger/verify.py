"""The offline verifier: is this the log that the key holder signed?

Reads an export and a public key, nothing else; re-hashes stored bytes and compares every file
with what the tree demands. Decides tampered or not; a gap in a writer's counter is reported
and not judged, because the sealed bodies say which numbers were rolled back.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from casevault.errors import Tampered
from casevault.ledger import sources
from casevault.ledger.counters import Counters, Gap
from casevault.ledger.entry import parse_leaf
from casevault.ledger.export import (
    CHECKPOINT_PATH,
    LINES_PATH,
    Retired,
    Stored,
    encode_bundle,
    hash_of,
)
from casevault.ledger.faults import tampered
from casevault.ledger.note import MAX_NOTE_BYTES, Checkpoint, Verify, open_note
from casevault.ledger.tiles import TILE_WIDTH, Tile, TileName, Tiler
from casevault.ledger.tree import Frontier, consistency_proof, root_at, verify_consistency

Progress: TypeAlias = Callable[[int, int], None]
"""Takes (entries checked, entries in all)."""


@dataclass(frozen=True, slots=True)
class Report:
    """What was found in a good export.

    `retired` leaves, always the first ones, have only their hash left, so their counters show up as
    gaps; `writers` is how many there are; `unread` counts files that belong to no entry of the tree
    and were not looked at; `older` is the size of the earlier checkpoint that this log extends, if
    one was given.
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
    place: Path,
    name: str,
    public: bytes,
    verify: Verify,
    *,
    older: bytes | None = None,
    checkpoint: bytes | None = None,
    retired: int | None = None,
    progress: Progress | None = None,
) -> Report:
    """Check an export against the key `name`, `public` (32 bytes) and an `older` signed note.

    `place` is a folder of tiles, with or without JSON lines, or a file of JSON lines, for which the
    `checkpoint` must be given. At most `retired` leaves may be gone (any number by default). Raises
    `Tampered` with a code and, where there is one, the index of the first bad entry. A file that is
    not there counts as tampering; other trouble with the disk stays an OSError.
    """
    if checkpoint is None:
        checkpoint = sources.read_file(place / CHECKPOINT_PATH, MAX_NOTE_BYTES)
    head = open_note(checkpoint, name, public, verify)
    before = None if older is None else open_note(older, name, public, verify)
    if before is not None and before.size > head.size:
        raise tampered("rollback")
    walk = _Walk(place, head, before, retired)
    walk.run(progress or (lambda _done, _all: None))
    return Report(
        origin=head.origin,
        size=head.size,
        root=head.root,
        gaps=walk.counters.gaps(),
        retired=walk.retired,
        writers=len(walk.counters),
        unread=max(0, _count_files(place) - walk.files),
        older=None if before is None else before.size,
    )


def verify_extension(
    folder: Path, name: str, public: bytes, verify: Verify, older: bytes
) -> tuple[Checkpoint, Checkpoint]:
    """Return (older, newer) checkpoint if the tiles in `folder` prove that one extends the other.

    Reads the checkpoint and a few tiles, however long the log is. Raises `Tampered`.
    """
    note = sources.read_file(folder / CHECKPOINT_PATH, MAX_NOTE_BYTES)
    head = open_note(note, name, public, verify)
    before = open_note(older, name, public, verify)
    if before.size > head.size:
        raise tampered("rollback")
    if before.size == head.size:
        if before.root != head.root:
            raise tampered("fork")
        return before, head
    reader = sources.hash_reader(folder, head.size)
    if root_at(head.size, reader) != head.root:
        raise tampered("export-root")
    proof = consistency_proof(before.size, head.size, reader)
    verify_consistency(before.size, head.size, before.root, head.root, proof)
    return before, head


class _Walk:
    """One pass over the entries, 256 at a time, so that memory does not grow with the log."""

    def __init__(
        self, place: Path, head: Checkpoint, before: Checkpoint | None, retired: int | None
    ) -> None:
        self._place = place
        self._head = head
        self._before = before
        self._most_retired = head.size if retired is None else retired
        self._frontier = Frontier()
        self._tiler = Tiler()
        self._has_tiles = place.is_dir()
        self.counters = Counters()
        self.retired = 0
        self.files = 1

    def run(self, progress: Progress) -> None:
        self._compare_before()
        for chunk in self._chunks():
            start = self._frontier.size
            self._take(chunk, start)
            progress(start + len(chunk), self._head.size)
        self._compare_tiles(self._tiler.rest())
        if self._frontier.root() != self._head.root:
            raise tampered("export-root")

    def _chunks(self) -> Iterable[list[Stored]]:
        if not self._has_tiles:
            return sources.from_lines(self._place, self._head.size)
        self.files += (self._place / LINES_PATH).exists()
        return sources.from_folder(self._place, self._head.size)

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
                self._count_retired(index)
                continue
            try:
                leaf = parse_leaf(item)
            except Tampered:
                raise tampered("leaf", index) from None
            self.counters.add(leaf.w, leaf.s, index)

    def _count_retired(self, index: int) -> None:
        # Retention goes from the start, in whole bundles; any other hole was made by somebody else.
        if index != self.retired or index >= self._most_retired:
            raise tampered("retired", index)
        self.retired += 1

    def _compare_before(self) -> None:
        before = self._before
        if before is not None and before.size == self._frontier.size:
            if before.root != self._frontier.root():
                raise tampered("fork")
            self._before = None

    def _compare_bundle(self, chunk: list[Stored], start: int) -> None:
        name = TileName(None, start // TILE_WIDTH, len(chunk))
        wanted = encode_bundle(chunk)
        if wanted is None:
            if len(chunk) < TILE_WIDTH or not all(isinstance(item, Retired) for item in chunk):
                raise tampered("retired", start)
            if self._has_tiles and (self._place / name.path).exists():
                raise tampered("export-bundle", start)
        elif self._has_tiles:
            self._compare(name, wanted)

    def _compare_tiles(self, tiles: Iterable[Tile]) -> None:
        for tile in tiles if self._has_tiles else ():
            self._compare(tile.name, tile.data)

    def _compare(self, name: TileName, wanted: bytes) -> None:
        if sources.read_file(self._place / name.path, len(wanted)) != wanted:
            raise tampered("export-file", name.start)
        self.files += 1


def _count_files(place: Path) -> int:
    return sum(len(names) for _, _, names in os.walk(place))
