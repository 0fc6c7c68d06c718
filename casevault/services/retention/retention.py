"""The retention run: what is due goes, in batches, by the service and without any key of a case.

Decides on checked rows only, by the schedule that holds, and never ahead of the clock. A run that
is cut off is gone on with by the next; what was erased is not erased twice. Must never take what a
hold or a restriction keeps, nor what somebody changed by hand.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from casevault.domain.case import casefile, keeping
from casevault.domain.case.casefile import CaseMetadata
from casevault.domain.case.retention import Reason, Schedule
from casevault.errors import Invalid, Misconfigured
from casevault.store.case import cases
from casevault.store.context import schedules
from casevault.store.context.stores import Stores
from casevault.store.engine import clock_guard, milestones
from casevault.store.log.ledger import SERVICE, Act
from casevault.store.log.unit_of_work import unit_of_work
from casevault.store.retention import certifying, due, erasures
from casevault.store.retention.counting_due import Preview, portions, preview
from casevault.store.retention.erasures import BATCH, Planned

BY_SCHEDULE = "permit:schedule"
_AT_ONCE = 500
# A clock may be moved by this much without anybody having to say why.
_BACK_SECONDS = 86_400
Say = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Ran:
    """What a run did: cases erased whole and in part, what it left, what others had begun."""

    whole: int
    partly: int
    held: int
    restricted: int
    unreadable: int
    finished: int
    recounted: int
    certificates: int
    waiting: int


class Retention:
    """The use cases of erasing by date."""

    def __init__(self, stores: Stores, origin: str, sign: Callable[[], bytes]) -> None:
        self._stores = stores
        self._origin = origin
        self._sign = sign

    def preview(self, day: date | None = None) -> Preview:
        """Say what would go on a day, which may lie ahead."""
        stores = self._stores
        chosen = day or stores.clock.now().date()
        found = preview(stores, chosen, schedules.current(stores))
        act = Act("retention.preview", SERVICE, rule="permit:operator", count=found.cases)
        stores.ledger.record(act)
        return found

    def run(self, day: date | None = None, say: Say = lambda _done, _all: None) -> Ran:
        """Erase what is due on a day, today or before, and issue the certificates that are due.

        :raises Invalid: the day is not here yet.
        :raises Misconfigured: the clock stands before what was done already.
        :raises Busy: the clock cannot be right: too far from the day that was noted last.
        :raises Busy: another run is under way.
        """
        stores = self._stores
        today = stores.clock.now().date()
        if day is not None and day > today:
            raise Invalid(
                "Nothing is erased ahead of its day. `retention preview` looks ahead.",
                code="retention.ahead",
            )
        with stores.keyring.database.exclusive("retention"):
            self._check_clock()
            finished = erasures.finish_left(stores, alone=BY_SCHEDULE)
            recounted = self._recount()
            left = self._run(day or today, say)
            certificates = certifying.issue(stores, self._origin, self._sign)
            whole, partly = left["whole"], left["partly"]
            count = whole + partly
            stores.ledger.record(Act("retention.run", SERVICE, rule=BY_SCHEDULE, count=count))
            with stores.keyring.writing() as tx:
                milestones.note(tx, milestones.RETENTION, stores.now())
        return Ran(
            whole,
            partly,
            left["held"],
            left["restricted"],
            left["unreadable"],
            finished,
            recounted,
            certificates,
            certifying.waiting(stores),
        )

    def _run(self, day: date, say: Say) -> Counter[str]:
        stores, found = self._stores, Counter[str]()
        schedule = schedules.current(stores)
        with stores.data.reading() as connection:
            ids = due.before(connection, day.isoformat())
        done = 0
        for portion in portions(ids, BATCH):
            with stores.data.reading() as connection:
                seen = cases.find_cases(connection, stores.roots, portion)
            planned = self._planned(schedule, seen.values(), day, found)
            if planned:
                self._erase(planned, seen, found)
            done += len(portion)
            say(done, len(ids))
        return found

    @staticmethod
    def _planned(
        schedule: Schedule, seen: Iterable[CaseMetadata | None], day: date, found: Counter[str]
    ) -> list[Planned]:
        planned = []
        for case in seen:
            if case is None:
                found["unreadable"] += 1
                continue
            names = keeping.due_now(schedule, case, day)
            if names and keeping.is_free(case):
                reason = Reason.SCHEDULE if case.not_after is None else Reason.WITHDRAWN
                planned.append(erasures.plan(case, reason, names))
            elif names:
                found["held" if case.hold else "restricted"] += 1
        return planned

    def _erase(
        self,
        planned: list[Planned],
        seen: Mapping[UUID, CaseMetadata | None],
        found: Counter[str],
    ) -> None:
        stores = self._stores
        with stores.data.writing() as connection:
            # Nobody changes them while their keys go; what was changed since it was looked at
            # (kept for longer, reopened, agreed to anew) is looked at again by the next run.
            now = cases.versions_of(connection, [one.case for one in planned])
            same = [one for one in planned if _is_as_seen(seen[one.case], now.get(one.case))]
            with stores.keyring.writing() as tx:
                who = SERVICE, BY_SCHEDULE
                batch = erasures.begin(tx, same, stores.now(), *who) if same else None
        items = () if batch is None else batch.items
        if batch is not None:
            erasures.finish(stores, batch)
        found["whole"] += sum(one.whole for one in items)
        found["partly"] += sum(not one.whole for one in items)
        found["held"] += len(same) - len(items)

    def _recount(self) -> int:
        """Count the cases anew that an older version of the schedule was asked about."""
        stores, count = self._stores, 0
        schedule = schedules.current(stores)
        while schedule.version > 1:
            with unit_of_work(stores.data, stores.ledger) as uow:
                ids = due.counted_otherwise(uow.connection, schedule.version, _AT_ONCE)
                done = 0
                for each in sorted(ids):
                    case = cases.find_case(uow.connection, stores.roots, each, lock=True)
                    if case is not None:
                        again = casefile.next_version(keeping.recounted(schedule, case))
                        cases.change_case(uow.connection, stores.roots, again)
                        done += 1
                if not done:
                    break
                uow.record(Act("retention.recount", SERVICE, rule=BY_SCHEDULE, count=done))
                uow.commit()
                count += done
        return count

    def _check_clock(self) -> None:
        clock_guard.require_right(self._stores.keyring, self._stores.now())
        with self._stores.keyring.reading() as tx:
            marks = [milestones.last(tx, one) for one in (milestones.RETENTION, milestones.DAY)]
        latest = max((one for one in marks if one is not None), default=0)
        if self._stores.now() < latest - _BACK_SECONDS:
            raise Misconfigured(
                "The clock of this machine stands more than a day before what was done already."
                " Set it; nothing was erased.",
                code="retention.clock",
            )


def _is_as_seen(case: CaseMetadata | None, version: int | None) -> bool:
    return case is not None and case.version == version
