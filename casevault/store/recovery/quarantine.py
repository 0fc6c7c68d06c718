"""Cases whose data is there and whose keys are not, although nobody erased them.

They stay, and nothing else is done with them: nobody can open them, and they may be the only copy
of what a person told. A newer keyring, or an earlier mistake understood, may bring the keys back.
"""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from sqlalchemy import Connection, delete, insert, select

from casevault.store.engine import tables

_TABLE = tables.quarantine


def all_(connection: Connection) -> set[UUID]:
    """Return the cases that are in quarantine."""
    return set(connection.execute(select(_TABLE.c.case_id)).scalars())


def put(connection: Connection, cases: Iterable[UUID], month: str) -> None:
    """Put cases into quarantine."""
    rows = [{"case_id": case, "since": month} for case in cases]
    if rows:
        connection.execute(insert(_TABLE), rows)


def release(connection: Connection, cases: Iterable[UUID]) -> None:
    """Take cases out of quarantine."""
    connection.execute(delete(_TABLE).where(_TABLE.c.case_id.in_(list(cases))))
