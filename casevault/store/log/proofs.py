"""Proofs of single entries, as files that anybody can check (`c2sp.org/tlog-proof@v1`).

A proof carries the leaf as its extra data, so that it stands alone: nothing is believed because of
them, the path from the leaf's own hash to the signed root is what proves. Some bodies are written
to be shown (certificates of erasure, releases, keys, incidents); only those leave here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from uuid import UUID

from sqlalchemy import Connection, select

from casevault.crypto.sealing import Place, unseal
from casevault.errors import Invalid, NotFound
from casevault.ledger.entry import SALT_BYTES, check_body, parse_leaf
from casevault.ledger.note import unverified_checkpoint
from casevault.ledger.proof import Proof
from casevault.store.engine import tables
from casevault.store.log import checkpoints, tile_rows, tree
from casevault.store.log.months import MonthKey

SHOWN = ("case.erase", "release.", "key.", "ledger.")


@dataclass(frozen=True, slots=True)
class Opened:
    """What opens one leaf to everybody: its salt and body."""

    salt: bytes = field(repr=False)
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Shown(Opened):
    """The same with the entry's place in the log."""

    position: int


def prove(connection: Connection, position: int, note: bytes) -> Proof:
    """Return the proof of the entry at `position` under a signed checkpoint of its log.

    :raises Invalid: the checkpoint is older than the entry.
    :raises NotFound: there is no such entry, or retention removed its leaf.
    """
    log, index = tile_rows.place_of(position)
    entry, leaf = tables.ledger_entry, tables.ledger_leaf
    found = connection.execute(
        select(entry.c.leaf)
        .join(leaf, leaf.c.entry_id == entry.c.id)
        .where(leaf.c.position == position)
    ).scalar_one_or_none()
    if found is None:
        raise NotFound(code="ledger.entry")
    head = unverified_checkpoint(note)
    if index >= head.size:
        raise Invalid("This checkpoint is older than the entry.", code="ledger.checkpoint")
    path = tree.inclusion(connection, index, head.size, log)
    return Proof(index, path, note, bytes(found))


class Prover:
    """Proves entries under the newest note, those of closed logs under a note of their own."""

    def __init__(self, connection: Connection, log: int, note: bytes) -> None:
        self._connection = connection
        self._log = log
        self._note = note
        self._prove = tree.prover(connection, log, unverified_checkpoint(note).size)

    def of(self, position: int) -> Proof | None:
        """Return the proof of an entry; its leaf stands beside it, so the proof carries none.

        None: it is the tail of a closed log, which no checkpoint covers.
        """
        log, index = tile_rows.place_of(position)
        if log == self._log:
            return Proof(index, self._prove(index), self._note)
        note = checkpoints.covering(self._connection, log, index)
        if note is None:
            return None
        return replace(prove(self._connection, position, note), extra=b"")


def note_for(connection: Connection, position: int, newest: bytes) -> bytes:
    """Return a note under which an entry stands: `newest`, or the kept one of a closed log."""
    log, index = tile_rows.place_of(position)
    if log == tree.current(connection).log:
        return newest
    found = checkpoints.covering(connection, log, index)
    if found is None:
        raise NotFound(
            "No checkpoint of the closed log covers this entry.", code="ledger.checkpoint"
        )
    return found


def position_of(connection: Connection, entry_id: UUID) -> int:
    """Return the place of an entry, else `NotFound`: unknown, or staged and not in the tree yet."""
    leaf = tables.ledger_leaf
    found = connection.execute(
        select(leaf.c.position).where(leaf.c.entry_id == entry_id)
    ).scalar_one_or_none()
    if found is None:
        raise NotFound(code="ledger.entry")
    return int(found)


def shown(connection: Connection, organisation: UUID, month: MonthKey, entry_id: UUID) -> Shown:
    """Return salt and body of an entry that was written to be shown; any other is refused."""
    found = opened(connection, organisation, [month], [entry_id]).get(entry_id)
    if found is None:
        raise NotFound(code="ledger.entry")
    position = position_of(connection, entry_id)
    entry = tables.ledger_entry
    query = select(entry.c.leaf).where(entry.c.id == entry_id)
    check_shown(bytes(connection.execute(query).scalar_one()), found)
    return Shown(found.salt, found.body, position)


def opened(
    connection: Connection, organisation: UUID, months: Sequence[MonthKey], ids: Sequence[UUID]
) -> Mapping[UUID, Opened]:
    """Return salt and body of these entries, of those in these months.

    Whoever shows one lets `check_shown` look at it first, with the leaf.
    """
    entry, body, keys = tables.ledger_entry, tables.ledger_body, {m.month: m for m in months}
    rows = connection.execute(
        select(entry.c.id, entry.c.month, body.c.sealed)
        .join(body, body.c.entry_id == entry.c.id)
        .where(entry.c.id.in_(ids), entry.c.month.in_(keys))
    )
    return {
        row.id: _opened(organisation, keys[row.month], row.id, bytes(row.sealed)) for row in rows
    }


def check_shown(leaf: bytes, found: Opened) -> None:
    """Return if an entry is the one of this leaf and was written to be shown, else `Invalid`."""
    if not check_body(parse_leaf(leaf), found.salt, found.body).code.startswith(SHOWN):
        raise Invalid("This entry was not written to be shown.", code="ledger.shown")


def _opened(organisation: UUID, month: MonthKey, entry: UUID, sealed: bytes) -> Opened:
    content = unseal(month.body, Place(organisation, "ledger-body", entry), sealed).content
    return Opened(content[:SALT_BYTES], content[SALT_BYTES:])
