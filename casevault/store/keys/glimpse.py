"""What a request asks of the keyring, in one statement: for its session, and for a look at a case.

A statement sees one moment by itself, so on PostgreSQL there is neither BEGIN nor ROLLBACK: the
server is asked once and not four or six times. Nothing is remembered: what was taken away since the
last request is gone. Decides nothing about who may open what; must never answer what was not read:
then whoever asks goes the long way.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from contextlib import suppress
from typing import Any, NoReturn, TypeVar, cast
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, Table, and_, bindparam, select

from casevault.domain.staff.granting import ObjectKind
from casevault.store.engine import keyring_tables as tables
from casevault.store.engine.keyring import Keyring, KeyringTransaction, Lookup
from casevault.store.engine.quick import Quick

T = TypeVar("T")
_TRUST, _SESSION = tables.keyring_trust, tables.session
_GRANT, _ROW, _KEY = tables.grant, tables.grant_key, tables.case_key


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


def answered(
    keyring: Keyring, seen: Callable[[], Glimpse], work: Callable[[KeyringTransaction], T]
) -> T:
    """Return what `work` finds in a glimpse or, if that leaves something open, in a transaction."""
    with suppress(NotForeseen):
        return work(seen())
    with keyring.reading() as tx:
        return work(tx)


def of_session(keyring: Keyring, sid: bytes) -> Glimpse:
    """Return what the keyring says of a session."""
    glimpse, (sessions,) = _ask(keyring, _OF_SESSION, {"sid": sid}, _SESSION)
    glimpse.lay(_SESSION, sessions, sid=[sid])
    return glimpse


def of_compartment(keyring: Keyring, case: UUID, compartment: str, grantee: UUID) -> Glimpse:
    """Return what the keyring says of one compartment's keys and of one person's grants of it."""
    kind = ObjectKind.CASE.value
    at = {"case": case, "kind": kind, "name": compartment, "grantee": grantee}
    glimpse, (grants, rows, keys) = _ask(keyring, _OF_COMPARTMENT, at, _GRANT, _ROW, _KEY)
    glimpse.lay(_GRANT, grants, object_id=[case], object_kind=[kind], grantee_id=[grantee])
    ids = [row["id"] for row in grants]
    glimpse.lay(_ROW, rows, grant_id=ids, compartment=[compartment])
    glimpse.lay(_KEY, keys, case_id=[case], compartment=[compartment])
    return glimpse


def _ask(
    keyring: Keyring, asked: Quick, at: Lookup, *parts: Table
) -> tuple[Glimpse, list[list[Lookup]]]:
    """Return a glimpse, and the rows of each table that this statement joins to the version."""
    with keyring.database.reading_at_once() as connection:
        found = asked.all(connection, at)
    parted, start = [], 1
    for names in map(_names, parts):
        end = start + len(names)
        # Rows of one table stand beside each of another. The first column is part of the primary
        # key: it is empty where nothing was joined.
        rows = {row[start:end] for row in found if row[start] is not None}
        parted.append([dict(zip(names, row, strict=True)) for row in rows])
        start = end
    # Of an empty keyring there is no row; whoever asks on is told so the long way.
    return Glimpse(keyring, int(found[0][0]) if found else 0), parted


@functools.cache
def _names(table: Table) -> list[str]:
    return [str(column.name) for column in table.columns]


def _columns(*parts: Table) -> list[ColumnElement[Any]]:
    return [_TRUST.c.version, *(column for table in parts for column in table.columns)]


def _of_session() -> Quick:
    named = _SESSION.c.sid == bindparam("sid", type_=_SESSION.c.sid.type)
    return Quick(select(*_columns(_SESSION)).select_from(_TRUST).outerjoin(_SESSION, named))


def _of_compartment() -> Quick:
    case = bindparam("case", type_=_GRANT.c.object_id.type)
    name = bindparam("name", type_=_ROW.c.compartment.type)
    grants = and_(
        _GRANT.c.object_id == case,
        _GRANT.c.object_kind == bindparam("kind"),
        _GRANT.c.grantee_id == bindparam("grantee"),
    )
    return Quick(
        select(*_columns(_GRANT, _ROW, _KEY))
        .select_from(_TRUST)
        .outerjoin(_GRANT, grants)
        .outerjoin(_ROW, and_(_ROW.c.grant_id == _GRANT.c.id, _ROW.c.compartment == name))
        .outerjoin(_KEY, and_(_KEY.c.case_id == case, _KEY.c.compartment == name))
    )


# Made once: building a statement costs as much as running it.
_OF_SESSION, _OF_COMPARTMENT = _of_session(), _of_compartment()
