"""What both stores hold, for tests that compare before and after or search every value.

Nothing is tested here.
"""

from __future__ import annotations

import hashlib
import marshal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Table, select, text

from casevault.store.engine import keyring_tables, tables

# These grow when something is refused, as they should. `session` and `device` are compared by their
# keys only: their content holds when the person was last seen, and how often somebody guessed.
LEDGER = frozenset(
    {
        "ledger_entry",
        "ledger_body",
        "ledger_subject",
        "ledger_pending",
        "ledger_leaf",
        "ledger_tile",
        "ledger_head",
        "ledger_checkpoint",
        "ledger_writer",
        # What counts refusals, and keeps for a minute what the ledger gets as one entry.
        "guess",
        "failure",
        # How often somebody searched this hour.
        "search_count",
    }
)
SEEN = frozenset({"session", "device"})


def databases(vault) -> tuple[tuple[Any, Any], ...]:
    """Return both databases with their tables."""
    stores = vault.stores
    return ((stores.data, tables.data), (stores.keyring.database, keyring_tables.keyring))


def rows(vault) -> Iterator[tuple[Table, Any]]:
    """Yield every row of every table of both stores."""
    for database, metadata in databases(vault):
        with database.reading() as connection:
            for table in metadata.sorted_tables:
                for row in connection.execute(select(table)):
                    yield table, row


def digests(vault) -> dict[str, str]:
    """Return one digest per table of both stores, but for the ledger's."""
    found: dict[str, str] = {}
    for database, metadata in databases(vault):
        with database.reading() as connection:
            for table in metadata.sorted_tables:
                if table.name not in LEDGER:
                    found[table.name] = _digest(connection, table)
    return found


def _digest(connection, table) -> str:
    # As the driver gives the values: they are compared with nothing but themselves.
    kept = table.primary_key.columns if table.name in SEEN else table.columns
    asked = str(select(*kept).compile(dialect=connection.dialect))
    cursor = connection.connection.cursor()
    try:
        marks = sorted(_mark(tuple(row)) for row in cursor.execute(asked).fetchall())
    finally:
        cursor.close()
    return hashlib.sha256(b"".join(marks)).hexdigest()


def _mark(row: tuple[Any, ...]) -> bytes:
    # Exact, and says where it ends, as `repr` does at ten times the cost: it escapes every byte.
    # Version 0 writes equal values as equal bytes, whichever objects hold them.
    try:
        return marshal.dumps(row, 0)
    except ValueError:
        # Ids and times, where the driver gives such.
        return repr(row).encode() + b"\n"


def changed(before: dict[str, str], after: dict[str, str]) -> list[str]:
    """Return the names of tables whose content is not what it was."""
    return sorted(name for name in before if before[name] != after[name])


_REFUSE = {
    "sqlite": (
        "CREATE TRIGGER planted_full BEFORE INSERT ON ledger_entry"
        " BEGIN SELECT RAISE(ABORT, 'full'); END",
    ),
    "postgresql": (
        "CREATE FUNCTION planted_full() RETURNS trigger AS"
        " $$ BEGIN RAISE EXCEPTION 'full'; END $$ LANGUAGE plpgsql",
        "CREATE TRIGGER planted_full BEFORE INSERT ON ledger_entry"
        " FOR EACH ROW EXECUTE FUNCTION planted_full()",
    ),
}
_ALLOW = {
    "sqlite": ("DROP TRIGGER planted_full",),
    "postgresql": (
        "DROP TRIGGER planted_full ON ledger_entry",
        "DROP FUNCTION planted_full()",
    ),
}


@contextmanager
def unwritable_ledger(vault) -> Iterator[None]:
    """Let the database refuse every ledger entry for a while, as a full disk would."""
    database = vault.stores.data
    with database.writing() as connection:
        for statement in _REFUSE[database.dialect]:
            connection.execute(text(statement))
    try:
        yield
    finally:
        with database.writing() as connection:
            for statement in _ALLOW[database.dialect]:
                connection.execute(text(statement))
