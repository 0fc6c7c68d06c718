"""The log as files: read in chunks, written as they come, so that no log is too long for memory.

Decides nothing about the bytes (`ledger.export`) nor about who may have them: leaves are public by
design. A folder or file appears whole, with its checkpoint, or not at all.
"""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO

from sqlalchemy import Connection, bindparam, select

from casevault.errors import Invalid, Tampered
from casevault.ledger.export import LINES_PATH, Retired, Stored, export_pieces
from casevault.ledger.note import unverified_checkpoint
from casevault.ledger.tiles import TILE_WIDTH
from casevault.ledger.tree import HASH_BYTES
from casevault.store.engine import tables
from casevault.store.engine.database import Database
from casevault.store.log import tile_rows, tree
from casevault.store.log.checkpoints import Checkpoints

_CHUNK = 16 * TILE_WIDTH
_LEAVES = (
    select(tables.ledger_leaf.c.position, tables.ledger_leaf.c.hash, tables.ledger_entry.c.leaf)
    .select_from(tables.ledger_leaf)
    .outerjoin(tables.ledger_entry, tables.ledger_entry.c.id == tables.ledger_leaf.c.entry_id)
    .where(tables.ledger_leaf.c.position.between(bindparam("first"), bindparam("last")))
    .order_by(tables.ledger_leaf.c.position)
)


def pieces(
    data: Database, checkpoints: Checkpoints, *, lines: bool = True, tiles: bool = True
) -> Iterator[tuple[str, bytes]]:
    """Give the files of a static export under a fresh checkpoint, piece by piece."""
    note = checkpoints.sign()
    with data.reading() as connection:
        log = tree.current(connection).log
    size = unverified_checkpoint(note).size
    return export_pieces(stored(data, log, size), note, lines=lines, tiles=tiles)


def stored(data: Database, log: int, size: int) -> Iterator[list[Stored]]:
    """Give what is left of the first `size` entries of a log, in chunks of whole tiles.

    Each chunk is a transaction of its own: the entries below a signed head do not change.
    """
    for start in range(0, size, _CHUNK):
        with data.reading() as connection:
            chunk = _chunk(connection, log, start, min(_CHUNK, size - start))
        yield chunk


def chunks(connection: Connection, log: int, size: int) -> Iterator[list[Stored]]:
    """Give the same over one connection: all of one moment."""
    for start in range(0, size, _CHUNK):
        yield _chunk(connection, log, start, min(_CHUNK, size - start))


def write_folder(folder: Path, found: Iterable[tuple[str, bytes]]) -> int:
    """Write pieces into a new or empty folder; return how many files. A fault leaves nothing."""
    if folder.exists() and not (folder.is_dir() and not any(folder.iterdir())):
        raise Invalid(
            "There is something in that place already. Name a new folder.", code="export.folder"
        )
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = folder.with_name(f".{folder.name}.{secrets.token_hex(4)}")
    temporary.mkdir()
    try:
        count = _append_all(temporary, found)
        temporary.replace(folder)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    return count


def write_lines(file: Path, found: Iterable[tuple[str, bytes]]) -> Path:
    """Write the flat export to a new file, its checkpoint beside it; return the latter's path."""
    beside = file.with_name(file.name + ".checkpoint")
    if file.exists() or beside.exists():
        raise Invalid(
            "There is something in that place already. Name a new file.", code="export.file"
        )
    temporary = file.with_name(f".{file.name}.{secrets.token_hex(4)}")
    last = b""
    try:
        with temporary.open("xb") as out:
            for path, data in found:
                if path == LINES_PATH:
                    out.write(data)
                else:
                    last = data
        beside.write_bytes(last)
        temporary.replace(file)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    return beside


def _append_all(folder: Path, found: Iterable[tuple[str, bytes]]) -> int:
    known: set[Path] = set()
    count, lines = 0, None
    try:
        for path, data in found:
            if path == LINES_PATH:
                lines, new = _lines(lines, folder / path)
                lines.write(data)
                count += new
                continue
            place = folder / path
            if place.parent not in known:
                place.parent.mkdir(parents=True, exist_ok=True)
                known.add(place.parent)
            place.write_bytes(data)
            count += 1
        if lines is not None:
            lines.flush()
            os.fsync(lines.fileno())
    finally:
        if lines is not None:
            lines.close()
    return count


def _lines(opened: IO[bytes] | None, place: Path) -> tuple[IO[bytes], int]:
    return (opened, 0) if opened is not None else (place.open("xb"), 1)


def _chunk(connection: Connection, log: int, start: int, count: int) -> list[Stored]:
    first = tile_rows.start_of(log) + start
    rows = connection.execute(_LEAVES, {"first": first, "last": first + count - 1}).all()
    found: dict[int, Stored] = {
        row.position: Retired(bytes(row.hash)) if row.leaf is None else bytes(row.leaf)
        for row in rows
    }
    for at in range(first, first + count, TILE_WIDTH):
        if at not in found:
            found |= _retired(connection, at)
    if len(found) != count or any(first + n not in found for n in range(count)):
        raise Tampered(code="ledger.leaves")
    return [found[first + n] for n in range(count)]


def _retired(connection: Connection, at: int) -> dict[int, Stored]:
    """Return the hashes of a bundle whose leaves retention removed."""
    tile = tile_rows.full_tile(connection, 0, at // TILE_WIDTH) or b""
    return {
        at + n: Retired(tile[n * HASH_BYTES : (n + 1) * HASH_BYTES])
        for n in range(len(tile) // HASH_BYTES)
    }
