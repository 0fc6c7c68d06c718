"""What would be erased on a day, counted from the real rows: by the schedule that holds or another.

Counts only. By another schedule every case is counted anew, which is the work of all cases.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from uuid import UUID

from casevault.domain.case import keeping
from casevault.domain.case.casefile import CaseMetadata
from casevault.domain.case.retention import Schedule
from casevault.store.case import cases
from casevault.store.casework import matters
from casevault.store.context.stores import Stores
from casevault.store.retention import due

AT_ONCE = 500


@dataclass(slots=True)
class Preview:
    """What a run would do on a day: counts by class and compartment, and what it would leave."""

    day: date
    due: Counter[tuple[str, str]] = field(default_factory=Counter)
    cases: int = 0
    held: int = 0
    restricted: int = 0
    unreadable: int = 0


def preview(stores: Stores, day: date, schedule: Schedule, *, anew: bool = False) -> Preview:
    """Count what is due on a day; `anew`: as if every case were counted by this schedule."""
    found = Preview(day)
    with stores.data.reading() as connection:
        ids = (
            due.all_ids(connection, AT_ONCE)
            if anew
            else portions(due.before(connection, day.isoformat()), AT_ONCE)
        )
        for some in ids:
            rows = cases.find_cases(connection, stores.roots, some)
            _count(stores, found, schedule, rows.values(), anew=anew)
    return found


def portions(ids: Sequence[UUID], at_once: int) -> Iterator[list[UUID]]:
    """Give ids in portions."""
    for at in range(0, len(ids), at_once):
        yield list(ids[at : at + at_once])


def _count(
    stores: Stores,
    found: Preview,
    schedule: Schedule,
    rows: Iterable[CaseMetadata | None],
    *,
    anew: bool,
) -> None:
    present = [case for case in rows if case is not None]
    found.unreadable += len(list(rows)) - len(present)
    with stores.keyring.reading() as tx:
        held = matters.held(tx, [case.id for case in present])
    for row in present:
        case = keeping.recounted(schedule, row) if anew else row
        names = keeping.due_now(schedule, case, found.day)
        if not names:
            continue
        if case.hold or (case.id in held and not case.restriction):
            found.held += 1
        elif case.restriction:
            found.restricted += 1
        else:
            found.cases += 1
            found.due.update((case.retention_class, name) for name in names)
