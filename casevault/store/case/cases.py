"""Case files: their plain metadata, under a stamp of the service.

The stamp covers every column, so that jobs without a key of the case find a row that was changed
by hand. Documents are in `store.case.documents`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import fields
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, bindparam, func, insert, select, update

from casevault.crypto import canonical
from casevault.crypto.roots import RootProvider
from casevault.domain.case.casefile import CaseMetadata, Status, is_closed
from casevault.errors import Conflict, Tampered
from casevault.store.case.documents import SealedCompartment, insert_compartments
from casevault.store.engine import stamps, tables
from casevault.store.engine.quick import Among, Quick

_STAMP = "case-file"
# How many ids one statement names.
_AT_ONCE = 500
_COLUMN = {"team": "team_id"}
_FIELD = {column: name for name, column in _COLUMN.items()}
# Made once: building a statement costs as much as running it.
_CASE = tables.case_file.c
_ADD_CASE = Quick(insert(tables.case_file))
_ONE = select(tables.case_file).where(_CASE.id == bindparam("case"))
_FIND_CASE = Quick(_ONE)
_LOCK_CASE = Quick(_ONE.with_for_update())
_FIND_CASES = Among(
    lambda ids: select(tables.case_file).where(_CASE.id.in_(ids)), "ids", _CASE.id.type
)
# Each column of the plain row with the field that it holds.
_HELD = tuple((_COLUMN.get(one.name, one.name), one.name) for one in fields(CaseMetadata))
# Plain text: SQLAlchemy's names are a kind of their own, which costs at every use.
_NAMES = tuple(str(column.name) for column in tables.case_file.columns)
_STAMPED = tuple(name for name in sorted(_NAMES) if name != "mac")
_CHANGE_CASE = Quick(
    update(tables.case_file)
    .where(_CASE.id == bindparam("id_"), _CASE.version == bindparam("before"))
    .values({name: bindparam(name) for name in _NAMES if name != "id"})
)


def insert_case(
    connection: Connection,
    roots: RootProvider,
    case: CaseMetadata,
    compartments: Iterable[SealedCompartment],
) -> None:
    """Insert a new case: its plain row, documents and manifests."""
    _ADD_CASE.run(connection, _columns(roots, case))
    insert_compartments(connection, case.id, compartments)


def change_case(connection: Connection, roots: RootProvider, case: CaseMetadata) -> None:
    """Write the next version of the plain row; a row that moved on meanwhile is a `Conflict`."""
    at = {**_columns(roots, case), "id_": case.id, "before": case.version - 1}
    if _CHANGE_CASE.run(connection, at) != 1:
        raise Conflict(code="case.version")


def find_case(
    connection: Connection, roots: RootProvider, case_id: UUID, *, lock: bool = False
) -> CaseMetadata | None:
    """Return the plain row of a case, its stamp checked; None if there is none."""
    query = _LOCK_CASE if lock else _FIND_CASE
    row = query.one(connection, {"case": case_id})
    return None if row is None else opened(roots, row)


def opened(roots: RootProvider, row: Sequence[Any]) -> CaseMetadata:
    """Return a plain row that was read before (all columns, in their order), its stamp checked."""
    return _case(roots, dict(zip(_NAMES, row, strict=True)))


def find_cases(
    connection: Connection, roots: RootProvider, ids: Sequence[UUID]
) -> dict[UUID, CaseMetadata | None]:
    """Return those of these cases that exist; None stands for a row whose stamp does not hold."""
    found = _FIND_CASES.all(connection, {"ids": list(ids)})
    rows = [dict(zip(_NAMES, row, strict=True)) for row in found]
    return {row["id"]: _case_if_stamped(roots, row) for row in rows}


def id_of_reference(connection: Connection, reference: str) -> UUID | None:
    """Return the id of the case with this reference (its stamp not checked), or None."""
    case = tables.case_file
    query = select(case.c.id).where(case.c.reference == reference)
    found: UUID | None = connection.execute(query).scalar_one_or_none()
    return found


def open_cases_of(connection: Connection, team: UUID) -> set[UUID]:
    """Return the ids of the cases of a team that are not closed."""
    case = tables.case_file
    query = select(case.c.id).where(
        case.c.team_id == team,
        case.c.status.in_([status.value for status in Status if not is_closed(status)]),
    )
    return set(connection.execute(query).scalars())


def all_of_team(connection: Connection, team: UUID) -> set[UUID]:
    """Return the ids of all cases of a team, whose stamps are not checked."""
    case = tables.case_file
    return set(connection.execute(select(case.c.id).where(case.c.team_id == team)).scalars())


def ids_of_team(connection: Connection, ids: Sequence[UUID], team: UUID) -> set[UUID]:
    """Return those of these ids that are cases of a team, whose stamps are not checked."""
    case, found = tables.case_file, set[UUID]()
    for at in range(0, len(ids), _AT_ONCE):
        some = case.c.id.in_(ids[at : at + _AT_ONCE])
        query = select(case.c.id).where(some, case.c.team_id == team)
        found |= set(connection.execute(query).scalars())
    return found


def versions_of(connection: Connection, ids: Sequence[UUID]) -> dict[UUID, int]:
    """Return the version of each of these cases that there are; they are locked meanwhile."""
    case = tables.case_file
    # In one order, or two who lock the same cases could wait for each other.
    query = select(case.c.id, case.c.version).where(case.c.id.in_(ids)).order_by(case.c.id)
    rows = connection.execute(query.with_for_update())
    return {row.id: row.version for row in rows}


def teams_of(connection: Connection, ids: Sequence[UUID]) -> dict[UUID, UUID]:
    """Return the team of each of these cases that there are."""
    case = tables.case_file
    rows = connection.execute(select(case.c.id, case.c.team_id).where(case.c.id.in_(ids)))
    return {row.id: row.team_id for row in rows}


def check_stamp(roots: RootProvider, row: dict[str, Any]) -> None:
    """Return if the service wrote exactly this row of `case_file`, else `Tampered`."""
    stamps.check(roots, _STAMP, _stamped(row), bytes(row["mac"]))


def by_service_key(connection: Connection) -> dict[int, int]:
    """Return how many plain rows bear a stamp of each version of the service key."""
    version = func.substr(tables.case_file.c.mac, 1, 4)
    rows = connection.execute(select(version, func.count()).group_by(version))
    return {stamps.version_of(bytes(found)): int(count) for found, count in rows}


def restamp(connection: Connection, roots: RootProvider, most: int) -> int:
    """Stamp up to `most` rows anew that bear an older service key's stamp; return how many.

    :raises Tampered: one of them bears none that holds.
    """
    case, version = tables.case_file, roots.service().version.to_bytes(4, "big")
    older = select(case).where(func.substr(case.c.mac, 1, 4) != version).limit(most)
    rows = [dict(row) for row in connection.execute(older.with_for_update()).mappings()]
    for row in rows:
        columns = _columns(roots, _case(roots, dict(row)))
        connection.execute(update(case).where(case.c.id == row["id"]).values(mac=columns["mac"]))
    return len(rows)


def _columns(roots: RootProvider, case: CaseMetadata) -> dict[str, Any]:
    columns = {column: getattr(case, name) for column, name in _HELD}
    columns["status"] = case.status.value
    return columns | {"mac": stamps.stamp(roots, _STAMP, _stamped(columns))}


def _case(roots: RootProvider, row: dict[str, Any]) -> CaseMetadata:
    check_stamp(roots, row)
    fields = {_FIELD.get(name, name): value for name, value in row.items() if name != "mac"}
    return CaseMetadata(**fields | {"status": Status(row["status"])})


def _case_if_stamped(roots: RootProvider, row: dict[str, Any]) -> CaseMetadata | None:
    try:
        return _case(roots, row)
    except Tampered:
        return None


def _stamped(columns: dict[str, Any]) -> bytes:
    # Names are part of what is stamped, so that two columns cannot change places.
    parts: list[canonical.Part] = []
    for name in _STAMPED:
        value = columns[name]
        # A column that came later and was never filled: the row bears the stamp of before.
        if value is not None:
            parts += (name, int(value) if isinstance(value, bool) else value)
    return canonical.encode(*parts)
