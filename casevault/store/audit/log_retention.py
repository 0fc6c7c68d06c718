"""The log gets old: first what an entry says goes, years later the leaf itself. The tree stays.

Stages, each an entry of its own: bodies at the end of the audit period (month key and its grants
out of the keyring first, then the rows), leaves later, from the start, in whole bundles of 256.
After each the tree verifies as before. Bodies hold no network addresses, so there is no earlier
stage.

With the month key destroyed and the salt inside the sealed body, nobody can confirm a guess of what
an entry said: the leaf's commitment has 32 random bytes that are nowhere any more.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, delete, func, select

from casevault.domain.staff.granting import ObjectKind
from casevault.ledger.tiles import TILE_WIDTH
from casevault.store.context.stores import Stores
from casevault.store.engine import clock_guard, keyring_tables, tables
from casevault.store.engine.database import Database
from casevault.store.keys import grants
from casevault.store.log import retention_marks, tile_rows, tree
from casevault.store.log.ledger import SERVICE, Act
from casevault.store.log.months import month_before, name_of, object_ids
from casevault.store.log.unit_of_work import unit_of_work

_MOST_BUNDLES = 256
_RULE = "permit:retention"


@dataclass(frozen=True, slots=True)
class Due:
    """What is past its time: months whose bodies go, and bundles [first, last) whose leaves go."""

    months: tuple[str, ...]
    bundles: tuple[int, int]

    @property
    def leaves(self) -> int:
        """How many leaves go."""
        first, last = self.bundles
        return (last - first) * TILE_WIDTH


class LogRetention:
    """Retires the log of one organisation. `owner` is the database as who may delete entries."""

    def __init__(self, stores: Stores, owner: Database, audit_years: int, leaf_years: int) -> None:
        self._stores = stores
        self._owner = owner
        self._audit = 12 * audit_years
        self._leaf = 12 * max(leaf_years, audit_years)

    def due(self) -> Due:
        """Return what is past its time; nothing is changed."""
        with self._stores.data.reading() as connection:
            return Due(self._months(connection), self._bundles(connection))

    def run(self) -> Due:
        """Remove what is past its time; return what was removed. May be run again at any time."""
        clock_guard.require_right(self._stores.keyring, self._stores.now())
        with self._stores.data.reading() as connection:
            months = self._months(connection)
        for month in months:
            self._expire(month)
        begin, end = None, 0
        while True:
            with self._stores.data.reading() as connection:
                first, last = self._bundles(connection)
            begin = first if begin is None else begin
            if first == last:
                return Due(months, (begin, max(end, begin)))
            self._retire(first, last)
            end = last

    def _expire(self, month: str) -> None:
        stores = self._stores
        # Keys first: whatever happens next, nobody opens these bodies any more.
        with stores.keyring.writing() as tx:
            object_id = object_ids(tx).get(month)
            if object_id is not None:
                grants.take_object(tx, ObjectKind.MONTH, [object_id])
                tx.remove(keyring_tables.month_key, month=month)
        entry, body, subject = tables.ledger_entry, tables.ledger_body, tables.ledger_subject
        ids = select(entry.c.id).where(entry.c.month == month)
        with unit_of_work(stores.data, stores.ledger) as uow:
            uow.connection.execute(delete(subject).where(subject.c.entry_id.in_(ids)))
            gone = uow.connection.execute(delete(body).where(body.c.entry_id.in_(ids))).rowcount
            retention_marks.mark_month(uow.connection, stores.roots, month)
            links = (("month", month),)
            uow.record(Act("ledger.expire", SERVICE, rule=_RULE, count=gone, links=links))
            uow.commit()

    def _retire(self, first: int, last: int) -> None:
        stores, entry, leaf = self._stores, tables.ledger_entry, tables.ledger_leaf
        start, end = first * TILE_WIDTH, last * TILE_WIDTH
        here = leaf.c.position.between(start, end - 1)
        with unit_of_work(self._owner, stores.ledger) as uow:
            ids = list(uow.connection.execute(select(leaf.c.entry_id).where(here)).scalars())
            uow.connection.execute(delete(leaf).where(here))
            for at in range(0, len(ids), 500):
                part = ids[at : at + 500]
                uow.connection.execute(delete(entry).where(entry.c.id.in_(part)))
            retention_marks.mark_leaves(uow.connection, stores.roots, end)
            links = (("below", str(end)),)
            uow.record(Act("ledger.retire", SERVICE, rule=_RULE, count=len(ids), links=links))
            uow.commit()

    def _months(self, connection: Connection) -> tuple[str, ...]:
        until = month_before(name_of(self._stores.clock.now()), self._audit)
        month = tables.ledger_entry.c.month
        rows = connection.execute(select(month).where(month < until).distinct()).scalars()
        gone = retention_marks.read(connection, self._stores.roots).bodies
        return tuple(sorted(set(rows) - gone))

    def _bundles(self, connection: Connection) -> tuple[int, int]:
        """Return the next bundles [first, last) of which every leaf is past its time."""
        until = month_before(name_of(self._stores.clock.now()), self._leaf)
        marks = retention_marks.read(connection, self._stores.roots)
        first = last = self._next_bundle(connection, marks.leaves)
        while last - first < _MOST_BUNDLES:
            newest = self._newest(connection, last)
            if newest is None or newest >= until or newest not in marks.bodies:
                break
            last += 1
        return first, last

    @staticmethod
    def _next_bundle(connection: Connection, below: int) -> int:
        """Return the first bundle that has leaves; a closed log's last part is never full."""
        log, index = tile_rows.place_of(below)
        here = tile_rows.start_of(log) + index
        if log < tree.current(connection).log:
            tile = tables.ledger_tile
            number = tile.c.number == here // TILE_WIDTH
            found = connection.execute(select(tile.c.number).where(number, tile.c.level == 0))
            if found.first() is None:
                return tile_rows.first_tile(log + 1, 0)
        return here // TILE_WIDTH

    @staticmethod
    def _newest(connection: Connection, bundle: int) -> str | None:
        """Return the newest month in a full bundle; None if it is not full."""
        if tile_rows.full_tile(connection, 0, bundle) is None:
            return None
        entry, leaf = tables.ledger_entry, tables.ledger_leaf
        first = bundle * TILE_WIDTH
        return connection.execute(
            select(func.max(entry.c.month))
            .join(leaf, leaf.c.entry_id == entry.c.id)
            .where(leaf.c.position.between(first, first + TILE_WIDTH - 1))
        ).scalar_one_or_none()
