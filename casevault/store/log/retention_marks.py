"""What retention removed from the log, on purpose: marks that nobody without the service key makes.

Without them, whoever can write to the database could delete bodies or leaves and say that it was
their time.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, delete, func, insert, select

from casevault.crypto.roots import RootProvider
from casevault.store.engine import stamps, tables

_BODIES, _LEAVES = "bodies", "leaves"
_PURPOSE = "ledger-retention"
_TABLE = tables.ledger_retention


@dataclass(frozen=True, slots=True)
class Marks:
    """Months whose bodies are gone, and the position below which leaves are gone."""

    bodies: frozenset[str]
    leaves: int


def read(connection: Connection, roots: RootProvider) -> Marks:
    """Return the marks; one that the service did not make is `Tampered`."""
    months, leaves = set[str](), 0
    for row in connection.execute(select(_TABLE)):
        stamps.check(roots, _PURPOSE, _message(row.kind, row.value), bytes(row.stamp))
        if row.kind == _BODIES:
            months.add(row.value)
        else:
            leaves = max(leaves, int(row.value))
    return Marks(frozenset(months), leaves)


def mark_month(connection: Connection, roots: RootProvider, month: str) -> None:
    """Say that the bodies of a month are gone."""
    _put(connection, roots, _BODIES, month)


def mark_leaves(connection: Connection, roots: RootProvider, position: int) -> None:
    """Say that the leaves below a position are gone."""
    connection.execute(delete(_TABLE).where(_TABLE.c.kind == _LEAVES))
    _put(connection, roots, _LEAVES, str(position))


def by_service_key(connection: Connection) -> dict[int, int]:
    """Return how many marks bear a stamp of each version of the service key."""
    version = func.substr(_TABLE.c.stamp, 1, 4)
    rows = connection.execute(select(version, func.count()).group_by(version))
    return {stamps.version_of(bytes(found)): int(count) for found, count in rows}


def restamp(connection: Connection, roots: RootProvider, most: int) -> int:
    """Stamp up to `most` marks anew that bear an older service key's stamp; return how many."""
    version = roots.service().version.to_bytes(4, "big")
    older = select(_TABLE).where(func.substr(_TABLE.c.stamp, 1, 4) != version).limit(most)
    rows = connection.execute(older.with_for_update()).all()
    for row in rows:
        stamps.check(roots, _PURPOSE, _message(row.kind, row.value), bytes(row.stamp))
        _put(connection, roots, row.kind, row.value)
    return len(rows)


def _put(connection: Connection, roots: RootProvider, kind: str, value: str) -> None:
    here = (_TABLE.c.kind == kind) & (_TABLE.c.value == value)
    connection.execute(delete(_TABLE).where(here))
    stamp = stamps.stamp(roots, _PURPOSE, _message(kind, value))
    connection.execute(insert(_TABLE).values(kind=kind, value=value, stamp=stamp))


def _message(kind: str, value: str) -> bytes:
    return f"{kind}\n{value}".encode()
