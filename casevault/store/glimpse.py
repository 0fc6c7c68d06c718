"""What a look at one compartment of a case asks of the keyring: one statement, one moment.

A statement sees one moment by itself, so on PostgreSQL there is neither BEGIN nor ROLLBACK: the
server is asked once and not six times. Decides nothing about who may open what; must never answer
what was not read: then the long way is gone.
"""

from __future__ import annotations

from typing import Any, NoReturn, cast
from uuid import UUID

from sqlalchemy import Connection, Table, and_, bindparam, select

from casevault.domain.granting import ObjectKind
from casevault.store import keyring_tables as tables
from casevault.store.keyring import Keyring, KeyringTransaction, Lookup
from casevault.store.quick import Quick

_TRUST, _GRANT, _ROW, _KEY = (
    tables.keyring_trust,
    tables.grant,
    tables.grant_key,
    tables.case_key,
)
_PARTS: tuple[Table, ...] = (_GRANT, _ROW, _KEY)
_NAMES = [[str(column.name) for column in table.columns] for table in _PARTS]


class NotForeseen(Exception):
    """Something else is needed than what was read."""


class Glimpse(KeyringTransaction):
    """What was read at one moment, as a transaction that can ask for nothing more."""

    def __init__(self, keyring: Keyring, trust_version: int) -> None:
        super().__init__(keyring, cast("Connection", _Nowhere()), None)
        self._seen = trust_version

    def trust_version(self) -> int:
        """Return the number that rises whenever somebody's keys or vouches change."""
        return self._seen


class _Nowhere:
    def __getattr__(self, name: str) -> NoReturn:
        raise NotForeseen()


def of_compartment(keyring: Keyring, case: UUID, compartment: str, grantee: UUID) -> Glimpse:
    """Return what the keyring says of one compartment's keys and of one person's grants of it."""
    kind = ObjectKind.CASE.value
    at = {"case": case, "kind": kind, "name": compartment, "grantee": grantee}
    with keyring.database.reading_at_once() as connection:
        found = _ASK.all(connection, at)
    # Of an empty keyring there is no row; whoever asks on is told so the long way.
    glimpse = Glimpse(keyring, int(found[0][0]) if found else 0)
    grants, rows, keys = _parted(found)
    glimpse.lay(_GRANT, grants, object_id=[case], object_kind=[kind], grantee_id=[grantee])
    ids = [row["id"] for row in grants]
    glimpse.lay(_ROW, rows, grant_id=ids, compartment=[compartment])
    glimpse.lay(_KEY, keys, case_id=[case], compartment=[compartment])
    return glimpse


def _parted(found: list[tuple[Any, ...]]) -> list[list[Lookup]]:
    """Return the rows of each table: joined, those of one stand beside each of another."""
    parted, start = [], 1
    for names in _NAMES:
        width = len(names)
        # The first column is part of the primary key: it is empty where nothing was joined.
        rows = {row[start : start + width] for row in found if row[start] is not None}
        parted.append([dict(zip(names, row, strict=True)) for row in rows])
        start += width
    return parted


def _ask() -> Quick:
    case = bindparam("case", type_=_GRANT.c.object_id.type)
    name = bindparam("name", type_=_ROW.c.compartment.type)
    grants = and_(
        _GRANT.c.object_id == case,
        _GRANT.c.object_kind == bindparam("kind"),
        _GRANT.c.grantee_id == bindparam("grantee"),
    )
    return Quick(
        select(_TRUST.c.version, *(column for table in _PARTS for column in table.columns))
        .select_from(_TRUST)
        .outerjoin(_GRANT, grants)
        .outerjoin(_ROW, and_(_ROW.c.grant_id == _GRANT.c.id, _ROW.c.compartment == name))
        .outerjoin(_KEY, and_(_KEY.c.case_id == case, _KEY.c.compartment == name))
    )


_ASK = _ask()
