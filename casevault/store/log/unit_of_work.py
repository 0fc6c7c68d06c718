"""One use case = one transaction of the data store = at least one ledger entry.

`commit()` refuses while nothing was recorded, so no change can be made in silence. What is not
committed is rolled back, entries included, and the numbers they took are accounted for.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from casevault.errors import Unrecorded
from casevault.store.engine.database import Database
from casevault.store.log.ledger import Act, Ledger
from casevault.store.log.months import MonthKey


class UnitOfWork:
    """A write transaction in which the act is recorded together with what it changed."""

    def __init__(self, connection: Connection, ledger: Ledger, month: MonthKey) -> None:
        self.connection = connection
        self._ledger = ledger
        self._month = month
        self._taken: list[int] = []
        self._committed = False
        self._acts: list[Act] = []

    def record(self, *acts: Act) -> None:
        """Write entries into this transaction."""
        try:
            self._taken += self._ledger.append(self.connection, self._month, acts)
            self._acts += acts
        except SQLAlchemyError:
            raise Unrecorded() from None

    def commit(self) -> None:
        """Make change and entries durable together; refuse if there is no entry."""
        if not self._taken:
            raise Unrecorded("Nothing was recorded, so nothing is changed.", code="unrecorded.none")
        try:
            self.connection.commit()
        except SQLAlchemyError:
            raise Unrecorded() from None
        self._committed = True
        self._ledger.announce(self._acts)

    def finish(self) -> None:
        """Account for the numbers of entries that were rolled back."""
        if not self._committed:
            self._ledger.rolled_back(self._taken)
            self._taken = []


@contextmanager
def unit_of_work(database: Database, ledger: Ledger) -> Iterator[UnitOfWork]:
    """Give a unit of work; everything that was not committed is rolled back at the end."""
    month = ledger.prepare()
    with database.opened_for_writing() as connection:
        uow = UnitOfWork(connection, ledger, month)
        try:
            yield uow
        finally:
            uow.finish()
