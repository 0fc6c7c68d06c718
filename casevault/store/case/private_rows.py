"""Rows of private objects: sealed under a key derived from the object's own, bound to their place.

Decides what a row holds and when it opens no more. Must never look for a key: callers bring it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, bindparam, delete, insert, select, update
from sqlalchemy.engine import RowMapping

from casevault.crypto.sealing import Key, Place, seal, unseal
from casevault.errors import NotFound, Tampered
from casevault.store.engine import tables

_SCHEMA = 1
_TABLE = tables.private_object
# Made once: building a statement costs as much as running it.
_ADD = insert(_TABLE)
_FIND = select(_TABLE).where(
    _TABLE.c.id.in_(bindparam("ids", expanding=True)),
    _TABLE.c.kind == bindparam("of_kind"),
    _TABLE.c.erase_after >= bindparam("today"),
)
_LOCK = _FIND.with_for_update()


@dataclass(frozen=True, slots=True)
class PrivateObject:
    """An opened object; when it did not open, `readable` says so and the alarm is recorded."""

    id: UUID
    content: Mapping[str, Any] = field(repr=False)
    version: int
    erase_after: date
    readable: bool = True


@dataclass(frozen=True, slots=True)
class Shelf:
    """The rows of one kind in one organisation, on a day."""

    organisation: UUID
    kind: str
    today: date

    @property
    def label(self) -> tuple[str, str]:
        """What the sealing key is derived for.

        Never the granted key itself: a feed's token carries this one, and opens nothing else by it.
        """
        return "private", self.kind

    def key(self, own: Key) -> Key:
        """Return the key under which an object is sealed."""
        return own.derive(*self.label)

    def find(
        self, connection: Connection, ids: Iterable[UUID], *, lock: bool = False
    ) -> dict[UUID, RowMapping]:
        """Return those rows that exist and whose date is not past."""
        at = {"ids": list(ids), "of_kind": self.kind, "today": self.today.isoformat()}
        found = connection.execute(_LOCK if lock else _FIND, at).mappings()
        return {row["id"]: row for row in found}

    def add(
        self, connection: Connection, made: UUID, key: Key, content: Mapping[str, Any], due: date
    ) -> None:
        """Insert an object in its first version."""
        row = {"id": made, "kind": self.kind, **self._values(made, key, content, 1, due)}
        connection.execute(_ADD, row)

    def replace(
        self,
        connection: Connection,
        present: PrivateObject,
        key: Key,
        content: Mapping[str, Any],
        due: date,
    ) -> int:
        """Write the next version of a row that the caller has locked; return its number."""
        version = present.version + 1
        values = self._values(present.id, key, content, version, due)
        connection.execute(update(_TABLE).where(_TABLE.c.id == present.id).values(**values))
        return version

    def open(self, row: RowMapping | None, key: Key | None) -> PrivateObject:
        """Return what a row holds; no row and no key are `NotFound`, anything else `Tampered`."""
        if row is None or key is None:
            raise NotFound()
        opened = unseal(key, self._place(row["id"]), bytes(row["sealed"]), row["version"])
        try:
            raw = json.loads(opened.content)
            schema, content = raw["schema"], raw["content"]
        except (ValueError, KeyError, TypeError):
            raise Tampered(code="private") from None
        if schema != _SCHEMA or not isinstance(content, dict):
            raise Tampered(code="private")
        due = date.fromisoformat(row["erase_after"])
        return PrivateObject(row["id"], content, row["version"], due)

    def _values(
        self, made: UUID, key: Key, content: Mapping[str, Any], version: int, due: date
    ) -> dict[str, Any]:
        text = json.dumps(
            {"schema": _SCHEMA, "content": content}, ensure_ascii=False, separators=(",", ":")
        ).encode()
        sealed = seal(key, self._place(made), text, version)
        return {"version": version, "erase_after": due.isoformat(), "sealed": sealed}

    def _place(self, row: UUID) -> Place:
        return Place(self.organisation, "private/" + self.kind, row)


def remove(connection: Connection, object_id: UUID) -> None:
    """Delete a row."""
    connection.execute(delete(_TABLE).where(_TABLE.c.id == object_id))


def all_ids(connection: Connection) -> set[UUID]:
    """Return the ids of all rows."""
    return set(connection.execute(select(_TABLE.c.id)).scalars())


def due(connection: Connection, today: date, limit: int) -> list[UUID]:
    """Return the ids of rows whose date is past."""
    query = select(_TABLE.c.id).where(_TABLE.c.erase_after < today.isoformat())
    return list(connection.execute(query.limit(limit)).scalars())


def remove_due(connection: Connection, ids: Iterable[UUID], today: date) -> int:
    """Delete those of these rows whose date is past; return how many."""
    past = _TABLE.c.erase_after < today.isoformat()
    return connection.execute(delete(_TABLE).where(_TABLE.c.id.in_(list(ids)), past)).rowcount
