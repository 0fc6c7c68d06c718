"""Reading the ledger with an auditor's month keys: checked entries, newest first.

Every entry that leaves was re-hashed: tag against leaf and sealed body, columns against the leaf,
body against the commitment, leaf against its place in the tree.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, and_, select

from casevault.crypto import macs
from casevault.crypto.roots import RootProvider
from casevault.crypto.sealing import Place, unseal
from casevault.errors import Tampered
from casevault.ledger.entry import SALT_BYTES, Body, Leaf, check_body, parse_leaf
from casevault.ledger.tree import leaf_hash
from casevault.store.engine import tables
from casevault.store.log import tree
from casevault.store.log.months import MonthKey


@dataclass(frozen=True, slots=True)
class Entry:
    """One opened entry. `position` is its place in the tree; salt and body are the exact bytes."""

    id: UUID
    position: int
    leaf: Leaf
    leaf_bytes: bytes = field(repr=False)
    body: Body = field(repr=False)
    salt: bytes = field(repr=False)
    body_bytes: bytes = field(repr=False)


def entries(
    connection: Connection,
    roots: RootProvider,
    organisation: UUID,
    month: MonthKey,
    *,
    pseudonyms: Iterable[str] = (),
    before: int | None = None,
    first: int = 0,
    also: Iterable[ColumnElement[bool]] = (),
    limit: int = 100,
) -> list[Entry]:
    """Return entries of a month in which all these pseudonyms appear, newest first.

    Only from position `first` on, and below `before`; `also` are more conditions on their rows.
    """
    entry, leaf, body = tables.ledger_entry, tables.ledger_leaf, tables.ledger_body
    conditions: list[ColumnElement[bool]] = [entry.c.month == month.month, *also]
    if before is not None:
        conditions.append(leaf.c.position < before)
    if first:
        conditions.append(leaf.c.position >= first)
    for value in pseudonyms:
        subject = tables.ledger_subject.alias()
        conditions.append(
            select(subject.c.entry_id)
            .where(subject.c.entry_id == entry.c.id, subject.c.pseudonym == value)
            .exists()
        )
    rows = connection.execute(
        select(entry, leaf.c.position, leaf.c.hash, body.c.sealed)
        .join(leaf, leaf.c.entry_id == entry.c.id)
        .join(body, body.c.entry_id == entry.c.id)
        .where(and_(*conditions))
        .order_by(leaf.c.position.desc())
        .limit(limit)
    ).mappings()
    return [_open(roots, organisation, month, dict(row)) for row in rows]


def _open(
    roots: RootProvider, organisation: UUID, month: MonthKey, row: dict[str, object]
) -> Entry:
    leaf_bytes, sealed = _bytes(row["leaf"]), _bytes(row["sealed"])
    tree.check_tag(roots, leaf_bytes, tree.digest_of(sealed), _bytes(row["tag"]))
    leaf = parse_leaf(leaf_bytes)
    same = (
        leaf_hash(leaf_bytes) == _bytes(row["hash"])
        and (leaf.k, leaf.w, leaf.s) == (row["month"], row["writer"], row["counter"])
        and macs.same(tree.digest_of(sealed), _bytes(row["body_digest"]))
    )
    entry_id = row["id"]
    position = row["position"]
    if not same or not isinstance(entry_id, UUID) or not isinstance(position, int):
        raise Tampered(code="ledger.entry")
    content = unseal(month.body, Place(organisation, "ledger-body", entry_id), sealed).content
    salt, body_bytes = content[:SALT_BYTES], content[SALT_BYTES:]
    body = check_body(leaf, salt, body_bytes)
    return Entry(entry_id, position, leaf, leaf_bytes, body, salt, body_bytes)


def _bytes(value: object) -> bytes:
    if not isinstance(value, (bytes, memoryview)):
        raise Tampered(code="ledger.entry")
    return bytes(value)
