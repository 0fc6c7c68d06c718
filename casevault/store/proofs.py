"""Proofs of single entries, as files that anybody can check (`c2sp.org/tlog-proof@v1`).

A proof carries the leaf as its extra data, so that it stands alone: nothing is believed because of
them, the path from the leaf's own hash to the signed root is what proves. Some bodies are written
to be shown (certificates of erasure, releases, keys, incidents); only those leave here.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from uuid import UUID

from sqlalchemy import Connection, select

from casevault.crypto.sealing import Place, unseal
from casevault.errors import Invalid, NotFound
from casevault.ledger.entry import SALT_BYTES, check_body, parse_leaf
from casevault.ledger.note import unverified_checkpoint
from casevault.ledger.proof import Proof
from casevault.store import checkpoints, tables, tile_rows, tree
from casevault.store.months import MonthKey

SHOWN = ("case.erase", "release.", "key.", "ledger.")


@dataclass(frozen=True, slots=True)
class Shown:
    """What opens one leaf to everybody: its salt and body. Its `position` is its place."""

    position: int
    salt: bytes = field(repr=False)
    body: bytes = field(repr=False)


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

    def of(self, position: int) -> Proof:
        """Return the proof of an entry; its leaf stands beside it, so the proof carries none."""
        log, index = tile_rows.place_of(position)
        if log == self._log:
            return Proof(index, self._prove(index), self._note)
        note = note_for(self._connection, position, self._note)
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
    entry, body = tables.ledger_entry, tables.ledger_body
    row = connection.execute(
        select(entry.c.leaf, body.c.sealed)
        .join(body, body.c.entry_id == entry.c.id)
        .where(entry.c.id == entry_id, entry.c.month == month.month)
    ).one_or_none()
    if row is None:
        raise NotFound(code="ledger.entry")
    place = Place(organisation, "ledger-body", entry_id)
    content = unseal(month.body, place, bytes(row.sealed)).content
    salt, data = content[:SALT_BYTES], content[SALT_BYTES:]
    found = check_body(parse_leaf(bytes(row.leaf)), salt, data)
    if not found.code.startswith(SHOWN):
        raise Invalid("This entry was not written to be shown.", code="ledger.shown")
    return Shown(position_of(connection, entry_id), salt, data)
