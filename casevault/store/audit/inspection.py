"""The log as it lies in the database, checked while it is in use: every row that belongs to it.

The offline verifier sees what was signed; this sees the rest as well: tags and bodies, the rows by
which auditors search, what is staged and not in the tree yet, writers' counters with the numbers
that entries name as rolled back. Needs the service's own keys and opens the months that it still
holds. Decides tampered or not, and which gaps nobody explained; never shows what an entry says.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, bindparam, func, select

from casevault.crypto import macs
from casevault.crypto.roots import RootProvider
from casevault.crypto.sealing import Place, unseal
from casevault.errors import Tampered
from casevault.ledger.counters import Counters, Gap
from casevault.ledger.entry import SALT_BYTES, Leaf, check_body, parse_leaf
from casevault.ledger.faults import tampered
from casevault.ledger.note import Checkpoint
from casevault.ledger.tiles import TILE_WIDTH, Tiler
from casevault.ledger.tree import Frontier, leaf_hash
from casevault.store.context.stores import Stores
from casevault.store.engine import tables
from casevault.store.engine.quick import LONGEST, Among, Quick, as_stored
from casevault.store.log import incidents, retention_marks, tile_rows, tree
from casevault.store.log.checkpoints import Checkpoints
from casevault.store.log.ledger import subjects_of
from casevault.store.log.months import MonthKey

_CHUNK = 4 * TILE_WIDTH
# A crash loses at most what was in flight: the numbers of one group commit and of every thread.
_IN_FLIGHT = 512
_ENTRY, _SUBJECT = tables.ledger_entry, tables.ledger_subject
# An id as the driver gives it: making one of every row of an index costs more than reading it.
_STORED = as_stored(_ENTRY.c.id).label("stored")
_ROW = Quick(
    select(
        tables.ledger_leaf.c.position,
        tables.ledger_leaf.c.hash,
        _STORED,
        tables.ledger_entry,
        tables.ledger_body.c.sealed,
    )
    .select_from(tables.ledger_leaf)
    .join(tables.ledger_entry, tables.ledger_entry.c.id == tables.ledger_leaf.c.entry_id)
    .outerjoin(tables.ledger_body, tables.ledger_body.c.entry_id == tables.ledger_entry.c.id)
    .where(tables.ledger_leaf.c.position.between(bindparam("first"), bindparam("last")))
    .order_by(tables.ledger_leaf.c.position)
)
_STAGED = Quick(
    select(_STORED, tables.ledger_entry, tables.ledger_body.c.sealed)
    .join(tables.ledger_pending, tables.ledger_pending.c.entry_id == tables.ledger_entry.c.id)
    .outerjoin(tables.ledger_body, tables.ledger_body.c.entry_id == tables.ledger_entry.c.id)
)
_MARKS = Among(
    lambda ids: select(as_stored(_SUBJECT.c.entry_id), _SUBJECT.c.kind, _SUBJECT.c.pseudonym).where(
        _SUBJECT.c.entry_id.in_(ids)
    ),
    "ids",
    _ENTRY.c.id.type,
)


@dataclass(frozen=True, slots=True)
class Findings:
    """What is in a log that holds together.

    `gaps` are numbers of writers that nothing explains; `lost` those that a crash took; `unopened`
    counts entries whose months only an auditor opens, so their counters cannot be judged here.
    """

    log: int
    size: int
    root: bytes
    staged: int
    retired: int
    unopened: int
    gaps: tuple[Gap, ...]
    lost: tuple[Gap, ...]


@dataclass
class _State:
    counters: Counters = field(default_factory=Counters)
    crashed: dict[str, int] = field(default_factory=dict)
    hidden: set[str] = field(default_factory=set)
    unopened: int = 0
    retired: int = 0


class Inspection:
    """One look through a log over one connection: the one that is written, and those before it."""

    def __init__(
        self, stores: Stores, connection: Connection, checkpoints: Checkpoints | None = None
    ) -> None:
        """Without `checkpoints`, as for a copy, no head is asked for but the stored one."""
        self._roots: RootProvider = stores.roots
        self._organisation = stores.organisation
        self._checkpoints = checkpoints
        self._connection = connection
        self._months: Mapping[str, MonthKey] = {m.month: m for m in stores.months.kept()}
        self._marks = retention_marks.read(connection, stores.roots)
        self._state = _State()

    def run(self, *older: Checkpoint) -> Findings:
        """Check everything; `older` are heads that somebody kept.

        :raises Tampered: with the index of the first entry concerned, where there is one.
        """
        at, state = tree.current(self._connection), self._state
        for log in range(at.log):
            self._check_closed(log)
        heads = self._heads(at.log, at.frontier.size, older)
        if self._walk(at.log, at.frontier.size, heads) != at.frontier:
            raise tampered("head")
        self._check_entries()
        staged = self._check_staged(at.frontier.size)
        gaps, lost = self._gaps()
        head = at.log, at.frontier.size, at.frontier.root()
        return Findings(*head, staged, state.retired, state.unopened, gaps, lost)

    def _check_closed(self, log: int) -> None:
        """Check a log that was closed against the head that the next one's beginning names."""
        left = incidents.left(self._connection, log + 1)
        if self._walk(log, left.size, {}).root() != left.root:
            raise tampered("closed")

    def _heads(self, log: int, size: int, older: tuple[Checkpoint, ...]) -> dict[int, bytes]:
        """Return by size every root that was signed: kept notes, the signer's memory, `older`."""
        found: dict[int, bytes] = {}
        signed = [] if self._checkpoints is None else self._signed(self._checkpoints, log)
        for head in (*signed, *older):
            if head.size > size:
                raise tampered("rollback")
            if found.setdefault(head.size, head.root) != head.root:
                raise tampered("fork")
        return found

    def _signed(self, checkpoints: Checkpoints, log: int) -> list[Checkpoint]:
        table, first = tables.ledger_checkpoint, tile_rows.start_of(log)
        rows = self._connection.execute(
            select(table.c.size, table.c.note).where(
                table.c.size.between(first, first + tile_rows.LOG_SPAN - 1)
            )
        ).all()
        last = checkpoints.signer.last()
        notes = [bytes(row.note) for row in rows] + ([] if last is None else [last])
        opened = [checkpoints.opened(note) for note in notes]
        if {row.size - first for row in rows} - {head.size for head in opened}:
            raise tampered("checkpoint")
        return opened

    def _walk(self, log: int, size: int, heads: Mapping[int, bytes]) -> Frontier:
        """Return what the rows of a log add up to; nothing of it lies past this size."""
        tiler, frontier = Tiler(), Frontier()
        _check_head(frontier, heads)
        for start in range(0, size, _CHUNK):
            hashes = self._chunk(log, start, min(_CHUNK, size - start))
            for item in hashes:
                for tile in tiler.push(item):
                    self._check_tile(log, tile.name.level or 0, tile.name.index, tile.data)
            cuts = sorted(at for at in heads if start < at < start + len(hashes))
            for begin, end in zip([start, *cuts], [*cuts, start + len(hashes)], strict=True):
                part = hashes[begin - start : end - start]
                frontier = frontier.extend(part)
                _check_head(frontier, heads)
        self._check_surplus(log, size)
        return frontier

    def _chunk(self, log: int, start: int, count: int) -> list[bytes]:
        first = tile_rows.start_of(log) + start
        rows = _ROW.named(self._connection, {"first": first, "last": first + count - 1})
        found = {row["position"] - first: row for row in rows}
        marks = self._subjects([row["id"] for row in rows])
        hashes: list[bytes] = []
        for n in range(count):
            row = found.get(n)
            if row is None:
                hashes.append(self._retired(log, start + n))
                continue
            self._check_entry(row, marks.get(row["stored"], set()), start + n)
            if leaf_hash(bytes(row["leaf"])) != bytes(row["hash"]):
                raise tampered("leaf-hash", start + n)
            hashes.append(bytes(row["hash"]))
        return hashes

    def _retired(self, log: int, index: int) -> bytes:
        if tile_rows.start_of(log) + index >= self._marks.leaves:
            raise tampered("leaf-missing", index)
        self._state.retired += 1
        number = tile_rows.first_tile(log, 0) + index // TILE_WIDTH
        tile = tile_rows.full_tile(self._connection, 0, number) or b""
        offset = index % TILE_WIDTH * 32
        return tile[offset : offset + 32]

    def _check_tile(self, log: int, level: int, index: int, data: bytes) -> None:
        number = tile_rows.first_tile(log, level) + index
        stored = tile_rows.full_tile(self._connection, level, number)
        roots = tile_rows.tile_roots(self._connection, level, number, number)
        hashes = [data[at : at + 32] for at in range(0, len(data), 32)]
        if stored != data or roots != [tree.tile_root(hashes)]:
            raise tampered("tile", index << 8 * (level + 1))

    def _check_entry(self, row: Mapping[str, Any], marks: set[tuple[str, str]], at: int) -> None:
        leaf_bytes, digest = bytes(row["leaf"]), bytes(row["body_digest"])
        try:
            tree.check_tag(self._roots, leaf_bytes, digest, bytes(row["tag"]))
        except Tampered:
            raise tampered("tag", at) from None
        leaf = parse_leaf(leaf_bytes)
        if (leaf.k, leaf.w, leaf.s) != (row["month"], row["writer"], row["counter"]):
            raise tampered("columns", at)
        self._state.counters.add(leaf.w, leaf.s, at)
        if row["sealed"] is None:
            self._check_gone(leaf, marks, at)
            return
        sealed = bytes(row["sealed"])
        if not macs.same(tree.digest_of(sealed), digest):
            raise tampered("body", at)
        self._open(leaf, row["id"], sealed, marks, at)

    def _check_gone(self, leaf: Leaf, marks: set[tuple[str, str]], at: int) -> None:
        if leaf.k not in self._marks.bodies or marks:
            raise tampered("body-missing", at)
        self._state.hidden.add(leaf.w)

    def _open(
        self, leaf: Leaf, entry: UUID, sealed: bytes, marks: set[tuple[str, str]], at: int
    ) -> None:
        month = self._months.get(leaf.k)
        if month is None:
            self._state.unopened += 1
            self._state.hidden.add(leaf.w)
            return
        place = Place(self._organisation, "ledger-body", entry)
        content = unseal(month.body, place, sealed).content
        body = check_body(leaf, content[:SALT_BYTES], content[SALT_BYTES:])
        if marks != subjects_of(body):
            raise tampered("subjects", at)
        for number in body.skipped:
            self._state.counters.explain(leaf.w, number)
        if body.code == "system.crash" and body.count is not None:
            self._state.crashed |= {of: body.count for kind, of in body.links if kind == "writer"}

    def _subjects(self, ids: list[UUID]) -> dict[object, set[tuple[str, str]]]:
        """Return by what these entries are found, by their ids as stored."""
        found: dict[object, set[tuple[str, str]]] = {}
        for at in range(0, len(ids), LONGEST):
            some = {"ids": ids[at : at + LONGEST]}
            for stored, kind, pseudonym in _MARKS.all(self._connection, some):
                found.setdefault(stored, set()).add((kind, pseudonym))
        return found

    def _check_surplus(self, log: int, size: int) -> None:
        """Count what belongs to nothing: leaves past a log's size, tiles too many."""
        leaf, tile = tables.ledger_leaf.c.position, tables.ledger_tile.c
        start, end = tile_rows.start_of(log), tile_rows.start_of(log + 1)
        past = self._count(tables.ledger_leaf, (leaf >= start + size) & (leaf < end))
        first, last = tile_rows.first_tile(log, 0), tile_rows.first_tile(log + 1, 0)
        here = (tile.level == 0) & (tile.number >= first) & (tile.number < last)
        if past or self._count(tables.ledger_tile, here) != size // TILE_WIDTH:
            raise tampered("surplus", size)

    def _check_entries(self) -> None:
        """Count the entries that are neither in a tree nor wait for their place in it."""
        placed, waiting = self._count(tables.ledger_leaf), self._count(tables.ledger_pending)
        if self._count(tables.ledger_entry) != placed + waiting:
            raise tampered("staged-lost")

    def _count(self, table: Any, condition: Any = None) -> int:  # noqa: ANN401 - SQLAlchemy's own
        query = select(func.count()).select_from(table)
        if condition is not None:
            query = query.where(condition)
        return int(self._connection.execute(query).scalar_one())

    def _check_staged(self, size: int) -> int:
        rows = _STAGED.named(self._connection, {})
        marks = self._subjects([row["id"] for row in rows])
        for row in rows:
            self._check_entry(row, marks.get(row["stored"], set()), size)
        return len(rows)

    def _gaps(self) -> tuple[tuple[Gap, ...], tuple[Gap, ...]]:
        state = self._state
        judged = [gap for gap in state.counters.gaps() if gap.writer not in state.hidden]
        lost = tuple(gap for gap in judged if self._took_by_crash(gap))
        return tuple(gap for gap in judged if gap not in lost), lost

    def _took_by_crash(self, gap: Gap) -> bool:
        end = self._state.crashed.get(gap.writer)
        return end is not None and gap.first >= end - _IN_FLIGHT


def _check_head(frontier: Frontier, heads: Mapping[int, bytes]) -> None:
    wanted = heads.get(frontier.size)
    if wanted is not None and wanted != frontier.root():
        raise tampered("fork", frontier.size)
