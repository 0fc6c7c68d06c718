"""The watch: runs the rules over what happened and keeps what they find, sealed to the auditors.

The service can read two months of its own log, and no more. It runs by itself every few minutes
and on command; a finding is kept once, whoever finds it first. What it says aloud is a rule's name
and a count. Must never decide anything about anybody: that is an auditor's work.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import date, datetime, timedelta, tzinfo
from typing import Any
from uuid import UUID

from casevault.domain.watching import rules
from casevault.domain.watching.events import Day, Finding, Person, Tally, tallies
from casevault.domain.watching.limits import Limits, limits
from casevault.errors import Conflict, Invalid, Misconfigured
from casevault.store.audit import alerts, audit_records
from casevault.store.audit.audit_records import ALERT, TALLY, New
from casevault.store.audit.watched import Watched
from casevault.store.context.stores import Stores
from casevault.store.engine import milestones
from casevault.store.keys.grants import Grantee
from casevault.store.log.ledger import SERVICE, Act, Touched

LAST_RUN = "watch"
# After midnight, what was staged before it is in the tree.
_SETTLED = timedelta(minutes=15)


class Watch:
    """The rules over one log; `minutes` between two runs, whichever worker runs them."""

    def __init__(
        self,
        stores: Stores,
        limits: Limits,
        zone: tzinfo,
        minutes: int,
        notify: Callable[[str, int], None] = lambda _rule, _count: None,
    ) -> None:
        self._stores = stores
        self._limits = limits
        self._seconds = minutes * 60
        self._notify = notify
        self._zone = zone
        self._watched = Watched(stores, zone)
        self._begun = stores.now()
        self._history: dict[date, Mapping[str, Tally]] = {}

    def run_if_due(self) -> int:
        """Run unless this process began, or any worker ran, less than the interval ago."""
        now = self._stores.now()
        if now - self._begun < self._seconds:
            return 0
        with suppress(Conflict), self._stores.keyring.writing() as tx:
            last = milestones.last(tx, LAST_RUN)
            if last is not None and now - last < self._seconds:
                return 0
            milestones.note(tx, LAST_RUN, now)
        return len(self.run())

    def run(self) -> list[Finding]:
        """Look at today and at every day that was not counted yet; return what is new."""
        oldest, today = self._watched.oldest(), self._watched.today()
        if oldest is None:
            return []
        first = max(oldest, today - timedelta(days=self._limits.history_days))
        days = [first + timedelta(days=n) for n in range((today - first).days + 1)]
        self._load(days)
        # Each day is seen beside the one before it.
        left = [day for day in days if day not in self._history]
        self._watched.read(left[0] - timedelta(days=1))
        people = self._watched.people()
        fresh: list[Finding] = []
        for day in left:
            seen = self._day(day, people)
            fresh += [f for f in rules.findings(seen, self._limits) if self._keep(f)]
            self._count(seen, today)
        for rule, count in sorted(Counter(found.rule for found in fresh).items()):
            self._notify(rule, count)
        return fresh

    def _day(self, day: date, people: Mapping[str, Person]) -> Day:
        before = self._watched.events(day - timedelta(days=1))
        return Day(
            day=day,
            events=self._watched.events(day),
            before=before,
            history=self._of_people(day),
            people=people,
            zone=self._zone,
            now=self._stores.clock.now(),
        )

    def _of_people(self, day: date) -> dict[str, list[Tally]]:
        oldest = day - timedelta(days=self._limits.history_days)
        found: dict[str, list[Tally]] = {}
        for at, counted in self._history.items():
            if oldest <= at < day:
                for actor, tally in counted.items():
                    found.setdefault(actor, []).append(tally)
        return found

    def _keep(self, finding: Finding) -> bool:
        """Keep a finding as an alert, sealed to the auditors; say whether it is new."""
        stores = self._stores
        record_id = audit_records.id_for(
            stores, ALERT, finding.rule, finding.day.isoformat(), finding.key
        )
        with stores.data.reading() as connection:
            if audit_records.exists(connection, record_id):
                return False
        with stores.keyring.reading() as tx:
            granter, readers = audit_records.service(tx), audit_records.auditors(stores, tx)
        due = stores.clock.now().date() + timedelta(days=alerts.KEPT_DAYS)
        new = New(record_id, ALERT, self._alert(finding), due)
        act = Act(
            "alert.raise",
            SERVICE,
            rule="alert:" + finding.rule,
            touched=(Touched("alert", record_id),),
            count=finding.count,
        )
        return audit_records.add(stores, new, granter, readers, [act])

    def _alert(self, finding: Finding) -> dict[str, Any]:
        return alerts.begun(
            rule=finding.rule,
            day=finding.day,
            found_at=self._stores.now(),
            actors=finding.actors,
            cases=self._watched.cases(finding.cases),
            positions=finding.positions,
            count=finding.count,
        )

    # --- tallies ----------------------------------------------------------------------------------

    def _load(self, days: Sequence[date]) -> None:
        """Read the tallies of days that were counted before."""
        stores = self._stores
        wanted = {self._tally_id(day): day for day in days if day not in self._history}
        with stores.keyring.reading() as tx:
            keys = audit_records.own_holder(stores, tx)
        for record in audit_records.read_many(stores, keys, TALLY, ids=wanted):
            self._history[wanted[record.id]] = {
                actor: Tally(*numbers) for actor, numbers in record.content.items()
            }
        for old in [day for day in self._history if day < days[0]]:
            del self._history[old]

    def _count(self, seen: Day, today: date) -> None:
        """Keep the numbers of a day that is over, under a key of the service alone."""
        stores, limits = self._stores, self._limits
        if seen.day >= today or not self._is_settled(seen.day):
            return
        counted = tallies(seen, limits.day_begins, limits.day_ends)
        self._history[seen.day] = counted
        if not seen.events:
            # Nothing at all happened: there is nothing to keep.
            return
        content = {a: [t.cases, t.looks, t.after_hours] for a, t in counted.items()}
        with stores.keyring.reading() as tx:
            granter = audit_records.service(tx)
        me = Grantee(granter.id, granter.secret.public)
        due = seen.day + timedelta(days=limits.history_days + 2)
        new = New(self._tally_id(seen.day), TALLY, content, due)
        act = Act("audit.tally", SERVICE, rule="permit:watch", count=len(content))
        audit_records.add(stores, new, granter, [me], [act])

    def _is_settled(self, day: date) -> bool:
        midnight = datetime.combine(day + timedelta(days=1), datetime.min.time(), self._zone)
        return self._stores.clock.now() - midnight >= _SETTLED

    def _tally_id(self, day: date) -> UUID:
        return audit_records.id_for(self._stores, TALLY, day.isoformat())


def limits_of(changes: Mapping[str, float]) -> Limits:
    """Return the limits that a programme has set, or refuse those that are out of range."""
    try:
        return limits(changes)
    except Invalid as error:
        raise Misconfigured(error.detail, code="config.alert-limits") from None
