"""The data half of an erasure: the rows of cases whose keys are gone, and every trace beside them.

Which rows belong to a case is read from the tables themselves: whatever has a `case_id`. So a table
that is added tomorrow is erased from without being named here. Needs no key. Must only ever be
called for what the keyring has a tombstone of: nothing is removed because a key is missing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from uuid import UUID

from sqlalchemy import Connection, Table, delete, select

from casevault.crypto.roots import RootProvider
from casevault.domain.case import casefile, keeping
from casevault.domain.case.casefile import Compartment
from casevault.store.audit import released_looks
from casevault.store.case import cases, import_lines
from casevault.store.engine import tables
from casevault.store.search import cards

# Names of the columns by which a row belongs to a case, and to one compartment of it.
CASE, COMPARTMENT = "case_id", "compartment"


def tables_of_cases() -> tuple[Table, ...]:
    """Return every table whose rows belong to a case, those that refer to others first."""
    return tuple(table for table in reversed(tables.data.sorted_tables) if CASE in table.c)


def present(connection: Connection, ids: Sequence[UUID]) -> set[UUID]:
    """Return those of these cases of which any row is left."""
    found: set[UUID] = set()
    for table in tables_of_cases():
        found |= set(
            connection.execute(select(table.c[CASE]).where(table.c[CASE].in_(ids))).scalars()
        )
    case = tables.case_file
    return found | set(connection.execute(select(case.c.id).where(case.c.id.in_(ids))).scalars())


def remove_cases(connection: Connection, roots: RootProvider, ids: Sequence[UUID]) -> None:
    """Delete everything of these cases."""
    _remove_cards(connection, roots, ids)
    released_looks.remove(connection, roots, ids)
    for table in tables_of_cases():
        connection.execute(delete(table).where(table.c[CASE].in_(ids)))
    import_lines.forget(connection, roots, ids)
    connection.execute(delete(tables.case_file).where(tables.case_file.c.id.in_(ids)))


def remove_compartments(
    connection: Connection, roots: RootProvider, case_id: UUID, names: Iterable[str]
) -> int:
    """Delete what lies in some compartments of a case; return how many rows there were."""
    chosen = list(names)
    # A search card holds what the identity holds.
    cards_gone = (
        _remove_cards(connection, roots, [case_id]) if Compartment.IDENTITY in chosen else 0
    )
    return cards_gone + sum(
        connection.execute(
            delete(table).where(table.c[CASE] == case_id, table.c[COMPARTMENT].in_(chosen))
        ).rowcount
        for table in tables_of_cases()
        if COMPARTMENT in table.c
    )


def mark(connection: Connection, roots: RootProvider, case_id: UUID, names: Iterable[str]) -> bool:
    """Say in the plain row of a case which compartments are gone; return whether that was news."""
    case = cases.find_case(connection, roots, case_id, lock=True)
    new = () if case is None else sorted(set(names) & keeping.due_of(case).keys())
    if case is None or not new:
        return False
    cases.change_case(connection, roots, casefile.next_version(keeping.erased(case, new)))
    return True


def _remove_cards(connection: Connection, roots: RootProvider, ids: Sequence[UUID]) -> int:
    # A card is named by its case's HMAC, and lies in the folder of the case's team.
    case = tables.case_file
    query = select(case.c.id, case.c.team_id).where(case.c.id.in_(ids))
    by_team: dict[UUID, list[UUID]] = {}
    for row in connection.execute(query):
        by_team.setdefault(row.team_id, []).append(row.id)
    return sum(cards.remove(connection, roots, team, some) for team, some in by_team.items())
