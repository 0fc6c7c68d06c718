"""What the watch sees: the entries of a day as events, and people as their keys and vouches say.

Reads with the service's own two months. Ids of colleagues are real ones; cases stand under their
pseudonym of the month, because nobody needs to know them before something is found. Must never
give an event to anybody but the rules.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, tzinfo
from uuid import UUID

from sqlalchemy import select

from casevault.domain.staff.granting import ObjectKind
from casevault.domain.watching.events import Event, Person
from casevault.ledger.entry import Body
from casevault.store.audit import audit_months
from casevault.store.audit.audit_months import ACTOR, SUBJECT
from casevault.store.context.stores import Stores
from casevault.store.engine import tables
from casevault.store.engine.keyring import KeyringTransaction
from casevault.store.keys import grants, people
from casevault.store.keys.trust import Trust
from casevault.store.log import ledger_reading, tile_rows, tree
from casevault.store.log.ledger import pseudonym
from casevault.store.log.ledger_reading import Entry
from casevault.store.log.months import MonthKey

_CHUNK = 500


@dataclass(frozen=True, slots=True)
class Names:
    """Who is who in one month: pseudonyms as actors and as records, to ids as text."""

    month: MonthKey
    actors: Mapping[str, str]
    staff: Mapping[str, str]


class Watched:
    """The latest days of one log, each entry opened once per process.

    Reads from the newest entry down to where it was before; the first time, down to a portion of
    which nothing is young enough. By places and not by times: a clock may have been wrong.
    """

    def __init__(self, stores: Stores, zone: tzinfo) -> None:
        self._stores = stores
        self._zone = zone
        self._upto = 0
        self._from = date.max
        self._days: dict[date, list[Event]] = {}

    def today(self) -> date:
        """Return the present day where the people are."""
        return self._stores.clock.now().astimezone(self._zone).date()

    def oldest(self) -> date | None:
        """Return the first day of the months that the service can still open."""
        months = self._stores.months.kept()
        if not months:
            return None
        return datetime.strptime(months[-1].month, "%Y-%m").replace(tzinfo=UTC).date()

    def read(self, since: date) -> None:
        """Read what is new, and what is older if it was not asked for before; forget the rest."""
        if since < self._from:
            self._upto, self._days = 0, {}
        self._from = since
        with self._stores.data.reading() as connection:
            at = tree.current(connection)
        end = tile_rows.start_of(at.log) + at.frontier.size
        with self._stores.keyring.reading() as tx:
            names = [self._names(tx, month) for month in self._stores.months.kept()]
        for one in names:
            self._take(one, since, end)
        self._upto = end
        self._days = {day: found for day, found in self._days.items() if day >= since}

    def events(self, day: date) -> Sequence[Event]:
        """Return the entries of a day, in the order of time."""
        found = self._days.get(day, [])
        return sorted(found, key=lambda event: (event.at, event.position))

    def _take(self, names: Names, since: date, end: int) -> None:
        low = end
        while low > self._upto:
            with self._stores.data.reading() as connection:
                some = ledger_reading.entries(
                    connection,
                    self._stores.roots,
                    self._stores.organisation,
                    names.month,
                    first=self._upto,
                    before=low,
                    limit=_CHUNK,
                )
            found = [event_of(entry, names) for entry in some]
            young = [(self._day_of(event), event) for event in found]
            for day, event in young:
                if day >= since:
                    self._days.setdefault(day, []).append(event)
            if len(some) < _CHUNK or all(day < since for day, _ in young):
                return
            low = some[-1].position

    def _day_of(self, event: Event) -> date:
        return event.at.astimezone(self._zone).date()

    def people(self) -> dict[str, Person]:
        """Return everybody: roles, cases granted by name (in every month's terms), last day."""
        stores = self._stores
        months = stores.months.kept()
        with stores.keyring.reading() as tx:
            return {
                str(member.id): Person(
                    frozenset(member.roles),
                    frozenset(
                        pseudonym(month, SUBJECT, case)
                        for case in grants.objects_of(tx, ObjectKind.CASE, [member.id])
                        for month in months
                    ),
                    self._last_day(stores.trust, tx, member.id),
                )
                for member in people.all_staff(tx)
            }

    def cases(self, wanted: Iterable[str]) -> list[UUID]:
        """Return the ids of cases whose pseudonyms these are; erased ones are gone."""
        names = set(wanted)
        with self._stores.data.reading() as connection:
            ids = list(connection.execute(select(tables.case_file.c.id)).scalars())
        months = self._stores.months.kept()
        return sorted(i for i in ids if any(pseudonym(m, SUBJECT, i) in names for m in months))

    def _last_day(self, trust: Trust, tx: KeyringTransaction, staff: UUID) -> date | None:
        ends = [one.valid_until for one in trust.believed(tx, staff)]
        if not ends:
            return None
        return datetime.fromtimestamp(max(ends), UTC).astimezone(self._zone).date()

    @staticmethod
    def _names(tx: KeyringTransaction, month: MonthKey) -> Names:
        staff = [member.id for member in people.all_staff(tx)]
        actors, records = (audit_months.staff_by(month, kind, staff) for kind in (ACTOR, SUBJECT))
        return Names(
            month,
            {name: str(found) for name, found in actors.items()},
            {name: str(found) for name, found in records.items()},
        )


def event_of(entry: Entry, names: Names) -> Event:
    """Return an opened entry as the rules see it."""
    body = entry.body
    links = [value for kind, value in body.links if kind == "writer"]
    others = [e.record for e in body.entities if e.type not in ("case", "staff")]
    return Event(
        at=datetime.fromisoformat(body.recorded),
        position=entry.position,
        code=body.code,
        outcome=body.outcome,
        rule=body.rule,
        actor=names.actors.get(body.actor, body.actor) if body.actor is not None else None,
        roles=body.roles,
        session=body.session,
        cases=_records(body, "case"),
        staff=tuple(names.staff.get(one, one) for one in _records(body, "staff")),
        objects=(*others, *links),
        filters=body.filters,
        count=body.count,
        writer=entry.leaf.w,
        counter=entry.leaf.s,
        skipped=body.skipped,
    )


def _records(body: Body, kind: str) -> tuple[str, ...]:
    return tuple(entity.record for entity in body.entities if entity.type == kind)
