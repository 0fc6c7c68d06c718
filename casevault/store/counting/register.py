"""The programme register: plain rows of the data store, every version kept.

No survivor is in it, so it is not sealed; a stamp of the service key binds each row, so that
numbers that are reported cannot be changed from outside. A removed record is a version, too.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, func, insert, select, update

from casevault.crypto import canonical
from casevault.crypto.roots import RootProvider
from casevault.domain.counting.programme import Entry, Kind
from casevault.errors import NotFound, Stale, Tampered
from casevault.store.engine import stamps, tables

_TABLE = tables.register_entry
_PURPOSE = "register"


def add(connection: Connection, roots: RootProvider, entries: Iterable[Entry]) -> None:
    """Keep entries in a version that is not there yet."""
    rows = [_row(roots, one) for one in entries]
    if rows:
        connection.execute(insert(_TABLE), rows)


def find(
    connection: Connection, roots: RootProvider, entry_id: UUID, version: int | None = None
) -> Entry:
    """Return the present version of an entry.

    :raises NotFound: there is none, or it was removed.
    :raises Stale: it is not in this version any more.
    """
    found = history(connection, roots, entry_id)[-1]
    if found.removed:
        raise NotFound()
    if version is not None and found.version != version:
        raise Stale()
    return found


def history(connection: Connection, roots: RootProvider, entry_id: UUID) -> list[Entry]:
    """Return every version of an entry, oldest first; `NotFound` if there is none."""
    query = select(_TABLE).where(_TABLE.c.id == entry_id).order_by(_TABLE.c.version)
    found = [_entry(roots, row) for row in connection.execute(query)]
    if not found:
        raise NotFound()
    if [one.version for one in found] != list(range(1, len(found) + 1)):
        raise Tampered(code="register")
    return found


def all_(connection: Connection, roots: RootProvider, kind: Kind | None = None) -> list[Entry]:
    """Return the present version of every entry that was not removed, by kind and id."""
    newest = (
        select(_TABLE.c.id, func.max(_TABLE.c.version).label("version"))
        .group_by(_TABLE.c.id)
        .subquery()
    )
    query = (
        select(_TABLE)
        .join(newest, (_TABLE.c.id == newest.c.id) & (_TABLE.c.version == newest.c.version))
        .order_by(_TABLE.c.kind, _TABLE.c.id)
    )
    if kind is not None:
        query = query.where(_TABLE.c.kind == kind.value)
    found = (_entry(roots, row) for row in connection.execute(query))
    return [one for one in found if not one.removed]


def by_service_key(connection: Connection) -> dict[int, int]:
    """Return how many rows bear a stamp of each version of the service key."""
    version = func.substr(_TABLE.c.stamp, 1, 4)
    rows = connection.execute(select(version, func.count()).group_by(version))
    return {stamps.version_of(bytes(found)): int(count) for found, count in rows}


def restamp(connection: Connection, roots: RootProvider, most: int) -> int:
    """Stamp up to `most` rows anew that bear an older service key's stamp; return how many."""
    version = roots.service().version.to_bytes(4, "big")
    older = select(_TABLE).where(func.substr(_TABLE.c.stamp, 1, 4) != version).limit(most)
    rows = connection.execute(older.with_for_update()).all()
    for row in rows:
        fresh = _row(roots, _entry(roots, row))["stamp"]
        here = (_TABLE.c.id == row.id) & (_TABLE.c.version == row.version)
        connection.execute(update(_TABLE).where(here).values(stamp=fresh))
    return len(rows)


def _row(roots: RootProvider, one: Entry) -> dict[str, Any]:
    text = json.dumps(dict(one.content), ensure_ascii=False, sort_keys=True)
    row = {
        "id": one.id,
        "version": one.version,
        "kind": one.kind.value,
        "removed": one.removed,
        "body": text,
    }
    return {**row, "stamp": stamps.stamp(roots, _PURPOSE, _message(one, text))}


def _entry(roots: RootProvider, row: Row[Any]) -> Entry:
    try:
        content = json.loads(row.body)
        one = Entry(row.id, Kind(row.kind), content, row.version, bool(row.removed))
    except ValueError:
        raise Tampered(code="register") from None
    stamps.check(roots, _PURPOSE, _message(one, row.body), bytes(row.stamp))
    return one


def _message(one: Entry, text: str) -> bytes:
    return canonical.encode(one.id, one.version, one.kind.value, int(one.removed), text)
