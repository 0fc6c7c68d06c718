"""Looking through a whole data store: is it one that a vault can be run on.

Everything that can be checked without a key of a case: the schema, the access log (`inspection`,
whatever head was signed last), the stamp of every case, the headers of all that is sealed.
Changes nothing. Must never say that something is well which it did not look at.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, func, select, text

from casevault.crypto.roots import RootProvider
from casevault.crypto.sealing import header
from casevault.errors import Misconfigured, Tampered
from casevault.store.audit.inspection import Inspection
from casevault.store.case import cases, files
from casevault.store.context.stores import Stores
from casevault.store.engine import schema, tables
from casevault.store.engine.database import Database

_AT_ONCE = 1000
# Tables whose rows are sealed objects: nothing of theirs opens without a key, but their form shows.
_SEALED = tuple(table for table in tables.data.sorted_tables if "sealed" in table.c)


@dataclass(frozen=True, slots=True)
class Examined:
    """What a data store is and holds; numbers only."""

    organisation: UUID
    keyring_id: UUID
    generation: int
    schema: str
    ledger_size: int
    ledger_root: bytes
    rows: dict[str, int]


def examine(database: Database, stores: Stores) -> Examined:
    """Look through a data store, in one moment of it; `stores` are of the vault that wrote it.

    :raises Tampered: something in it is not what this vault wrote.
    :raises Misconfigured: it is not a data store of this version.
    """
    revision = schema.current(database, "data")
    if revision is None or revision != schema.head("data"):
        raise Misconfigured(
            "This data store has the schema of another version. Use the version of CaseVault that"
            " made it, or bring it up with `casevault db upgrade`.",
            code="store.schema",
        )
    with database.reading() as connection:
        if database.is_sqlite:
            _check_pages(connection)
        identity = connection.execute(select(tables.store_identity)).one_or_none()
        if identity is None:
            raise Misconfigured("This data store is empty.", code="identity.empty")
        log = Inspection(stores, connection).run()
        check_cases(connection, stores.roots)
        files.check_pieces(connection)
        for table in _SEALED:
            _check_headers(connection, table)
        return Examined(
            identity.organisation_id,
            identity.keyring_id,
            int(identity.generation),
            revision,
            log.size,
            log.root,
            _counts(connection),
        )


def check_cases(connection: Connection, roots: RootProvider) -> int:
    """Return how many cases there are, if the stamp of each holds."""
    count = 0
    for rows in _batches(connection, select(tables.case_file).order_by(tables.case_file.c.id)):
        for row in rows:
            cases.check_stamp(roots, dict(row._mapping))
            count += 1
    return count


def _check_pages(connection: Connection) -> None:
    if connection.execute(text("PRAGMA integrity_check")).scalars().all() != ["ok"]:
        raise Tampered(code="store.pages")
    if connection.execute(text("PRAGMA foreign_key_check")).first() is not None:
        raise Tampered(code="store.rows")


def _check_headers(connection: Connection, table: Any) -> None:  # noqa: ANN401 - a Table
    query = select(table.c.sealed).order_by(*table.primary_key.columns)
    for rows in _batches(connection, query):
        for row in rows:
            header(bytes(row.sealed))


def _counts(connection: Connection) -> dict[str, int]:
    return {
        table.name: int(connection.execute(select(func.count()).select_from(table)).scalar_one())
        for table in tables.data.sorted_tables
    }


def _batches(connection: Connection, query: Any) -> Iterator[Any]:  # noqa: ANN401 - a Select
    found = connection.execution_options(yield_per=_AT_ONCE).execute(query)
    yield from found.partitions(_AT_ONCE)
