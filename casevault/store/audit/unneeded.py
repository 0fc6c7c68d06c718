"""What can be counted of too much without a key of a case: keys nobody uses, files of closed cases.

Reads plain rows, lookups of grants and the service's own two months of the log. Who used a case is
told by entries that are about it and hardly anything else: a list of a whole caseload is no use of
any case in it. Numbers and references come out, nothing of content.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy import Connection, func, select

from casevault.domain.case.casefile import CaseMetadata, Status, is_closed
from casevault.domain.retention import minimising
from casevault.domain.staff.granting import ObjectKind
from casevault.store.audit.audit_months import ACTOR, SUBJECT
from casevault.store.case import cases
from casevault.store.context.stores import Stores
from casevault.store.engine import tables
from casevault.store.keys import grants, people
from casevault.store.log.ledger import pseudonym
from casevault.store.log.months import MonthKey

# The case, the record and a colleague: entries about more are lists.
_FEW = 3
_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Unused:
    """One person: of how many cases they hold keys in their own name, which they did not use."""

    staff: UUID
    held: int
    unused: int
    references: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class OldFiles:
    """One team: how many files of how many cases have outlived the work."""

    team: UUID
    cases: int
    files: int
    references: tuple[str, ...]


def since(stores: Stores) -> str:
    """Return the first month of the log that can be looked at: `2026-10`."""
    return min((month.month for month in stores.months.kept()), default="")


def unused_grants(stores: Stores, teams: frozenset[UUID] | None) -> list[Unused]:
    """Return who holds keys that they did not use, most first; of these teams' cases, or all.

    A grant that is younger than what can be looked at is not counted.
    """
    months = stores.months.kept()
    if not months:
        return []
    start = int(datetime.strptime(months[-1].month, "%Y-%m").replace(tzinfo=UTC).timestamp())
    with stores.keyring.reading() as tx:
        held = {
            member.id: {
                one.terms.object_id: one.terms.issued_at
                for one in grants.of_grantee(tx, ObjectKind.CASE, member.id)
            }
            for member in people.all_staff(tx)
        }
    found = [_unused(stores, months, staff, of, start, teams) for staff, of in held.items() if of]
    return sorted((one for one in found if one.unused), key=lambda one: (-one.unused, one.staff))


def old_files(stores: Stores, teams: frozenset[UUID] | None) -> list[OldFiles]:
    """Return how many files of closed cases have outlived the work, by team."""
    today = stores.clock.now().date()
    with stores.data.reading() as connection:
        counts = _closed_with_files(connection, minimising.last_useful_month(today))
        rows = _rows(stores, connection, counts)
    by_team: dict[UUID, list[CaseMetadata]] = {}
    for case in rows.values():
        if minimising.is_past_purpose(case, today) and (teams is None or case.team in teams):
            by_team.setdefault(case.team, []).append(case)
    return [
        OldFiles(team, len(some), sum(counts[one.id] for one in some), _named(some))
        for team, some in sorted(by_team.items())
    ]


def _unused(
    stores: Stores,
    months: list[MonthKey],
    staff: UUID,
    held: Mapping[UUID, int],
    start: int,
    teams: frozenset[UUID] | None,
) -> Unused:
    with stores.data.reading() as connection:
        rows = _rows(stores, connection, held)
        used = _used(connection, months, staff)
    mine = [case for case in rows.values() if teams is None or case.team in teams]
    idle = [
        case
        for case in mine
        if held[case.id] < start
        and not any(pseudonym(month, SUBJECT, case.id) in used for month in months)
    ]
    return Unused(staff, len(mine), len(idle), _named(idle))


def _used(connection: Connection, months: list[MonthKey], staff: UUID) -> set[str]:
    """Return what somebody's entries were about, in the terms of each month."""
    subject = tables.ledger_subject
    mine = (
        select(subject.c.entry_id)
        .where(subject.c.kind == ACTOR)
        .where(subject.c.pseudonym.in_([pseudonym(month, ACTOR, staff) for month in months]))
    )
    few = (
        select(subject.c.entry_id)
        .where(subject.c.kind == SUBJECT, subject.c.entry_id.in_(mine))
        .group_by(subject.c.entry_id)
        .having(func.count() <= _FEW)
    )
    query = select(subject.c.pseudonym).where(
        subject.c.kind == SUBJECT, subject.c.entry_id.in_(few)
    )
    return set(connection.execute(query.distinct()).scalars())


def _closed_with_files(connection: Connection, before: str) -> dict[UUID, int]:
    case, piece = tables.case_file, tables.file_piece
    closed = [one.value for one in Status if is_closed(one)]
    query = (
        select(case.c.id, func.count())
        .join(piece, piece.c.case_id == case.c.id)
        .where(piece.c.number == 0, case.c.status.in_(closed), case.c.opened_month < before)
        .group_by(case.c.id)
    )
    return {row[0]: int(row[1]) for row in connection.execute(query)}


def _rows(stores: Stores, connection: Connection, ids: Iterable[UUID]) -> dict[UUID, CaseMetadata]:
    """Return the checked rows of these cases; one that does not hold is left to `retention run`."""
    wanted, found = sorted(ids), dict[UUID, CaseMetadata]()
    for at in range(0, len(wanted), _AT_ONCE):
        rows = cases.find_cases(connection, stores.roots, wanted[at : at + _AT_ONCE])
        found |= {one: case for one, case in rows.items() if case is not None}
    return found


def _named(some: Iterable[CaseMetadata]) -> tuple[str, ...]:
    return tuple(sorted(str(case.reference) for case in some)[: minimising.NAMED])
