"""What waits for somebody: tasks, reviews, closings, cases that need new keys or do not open.

Made from the cases that the caller can open, page by page; the text of a task stays in its record.
The workload of a team is numbers only, and only of cases that the asking supervisor can open.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from uuid import UUID

from casevault.domain.case import casefile
from casevault.domain.case.casefile import CaseMetadata, Compartment, DocumentKind
from casevault.domain.case.records import WAITING
from casevault.domain.case.retention import Schedule
from casevault.domain.staff.access import Permission, Role, Subject
from casevault.store.case import cases
from casevault.store.case.records import POSSIBLE, Kept, kept
from casevault.store.casework import access_requests, caseload, dossiers, transferring
from casevault.store.casework.access_requests import AccessRequest
from casevault.store.casework.caseload import Glance, Seen
from casevault.store.casework.dossiers import Dossier
from casevault.store.casework.matters import Matter
from casevault.store.context import schedules
from casevault.store.context.caller import Caller, Gate
from casevault.store.context.stores import Stores
from casevault.store.engine import stamps
from casevault.store.keys import partners, people
from casevault.store.log.ledger import Act, Touched
from casevault.store.pending import waiting
from casevault.store.pending.waiting import Item, Waiting, dated
from casevault.store.sharing import arrivals, referral_traces, referral_waits
from casevault.store.sharing.referral_traces import Trace
from casevault.store.sharing.referral_waits import Wait
from casevault.store.staff import intake_groups

# Enough for the whole caseload of one caseworker, so that overdue first holds over all of it.
CASES = 200
# Organisations to ask again, at a time.
_PARTNERS = 20
_NARRATIVE = Compartment.NARRATIVE.value
_LINK = DocumentKind.LINK.value
_TASK, _TRANSITION = DocumentKind.TASK.value, DocumentKind.TRANSITION.value
_BASIS = DocumentKind.BASIS.value
_REFERRAL, _CONSENT = DocumentKind.REFERRAL.value, DocumentKind.CONSENT.value
_READS = {_NARRATIVE: [_TASK, _TRANSITION, _BASIS, _LINK, _REFERRAL, _CONSENT]}
# What a supervisor decides, and as what it waits.
_DECIDED = {
    DocumentKind.TRANSITION: Waiting.CLOSING,
    DocumentKind.BASIS: Waiting.BASIS,
    DocumentKind.REFERRAL: Waiting.REFERRAL,
}


@dataclass(frozen=True, slots=True)
class Worklist:
    """What waits in up to `CASES` cases, overdue first; `cursor` asks for those behind them."""

    items: tuple[Item, ...]
    cursor: str | None


@dataclass(frozen=True, slots=True)
class _Wide:
    """What is looked up once for a whole caseload; `glass` and `asked` are of others."""

    cases: set[UUID]
    own: set[UUID]
    glass: Sequence[Dossier]
    asked: Sequence[AccessRequest]
    traces: Mapping[UUID, Trace]
    waits: Sequence[Matter]
    schedule: Schedule
    today: date


@dataclass(frozen=True, slots=True)
class Load:
    """How much one colleague has to do."""

    staff: UUID
    active_cases: int
    open_tasks: int
    overdue_tasks: int
    due_reviews: int


@dataclass(frozen=True, slots=True)
class TeamLoad:
    """The loads of a team; `complete` is false if it has open cases that are not counted."""

    team: UUID
    complete: bool
    loads: tuple[Load, ...]


@dataclass(frozen=True, slots=True)
class _Open:
    """What is open in a case: whose task is due when, and whether a review is due.

    `counts` is false if the caller holds a key of the case but not of its narrative.
    """

    counts: bool
    tasks: tuple[tuple[UUID | None, str], ...]
    review: bool


class Worklists:
    """The use cases of what waits."""

    def __init__(self, stores: Stores, gate: Gate) -> None:
        self._stores = stores
        self._gate = gate

    def read(self, caller: Caller, cursor: str | None = None) -> Worklist:
        """Return what waits in the next `CASES` cases of the caller's caseload."""
        stores = self._stores
        self._gate.require(caller, Permission.WORKLIST_READ, Subject("worklist"))
        purpose, after = "worklist/" + caller.staff.hex, None
        if cursor is not None:
            after = UUID(stamps.open_cursor(stores.roots, purpose, cursor)[0])
        wide = self._wide(caller)
        page = caseload.page(
            stores,
            caller,
            wide.cases,
            lambda glance: self._in_case(caller, wide, glance),
            reads=_READS,
            only=True,
            after=after,
            limit=CASES,
        )
        # Once, on the first page: what was given away is in nobody's caseload here.
        first = cursor is None
        moving = self._moving(caller) if first else []
        asked_of = self._of_dpo(caller, wide.today) if first else []
        came_in = self._of_team(caller) if first else []
        found = [item for seen in page.items for item in _of(seen)]
        items = sorted([*moving, *asked_of, *came_in, *found], key=_urgency)
        acts = caseload.acts(
            caller, "worklist.read", page.items, fields=("task.due",), count=len(items)
        )
        acts += _named(caller, "permit:team", moving) + _named(caller, "permit:role", asked_of)
        stores.ledger.record(*acts)
        last = [] if page.after is None else [str(page.after)]
        return Worklist(
            tuple(items), stamps.seal_cursor(stores.roots, purpose, last) if last else None
        )

    def _wide(self, caller: Caller) -> _Wide:
        stores, now = self._stores, self._stores.now()
        with stores.keyring.reading() as tx:
            ids = caseload.reach(tx, caller)
            return _Wide(
                ids,
                caseload.own(tx, caller.staff),
                [one for one in dossiers.waiting(tx, now) if one.asker != caller.staff],
                [one for one in access_requests.all_(tx, now) if one.asker != caller.staff],
                referral_traces.of_cases(tx, ids, now),
                waiting.matters_that_wait(tx, ids),
                schedules.newest(tx),
                self._today(),
            )

    def _in_case(self, caller: Caller, wide: _Wide, glance: Glance) -> list[Item]:
        case, now = glance.case, self._stores.now()
        broken = (
            Item(Waiting.BREAK_GLASS, case.id, case.reference, record=one.id)
            for one in wide.glass
            if one.case == case.id
        )
        requests = (
            Item(Waiting.ACCESS_REQUEST, case.id, case.reference, record=one.id)
            for one in wide.asked
            if one.case == case.id and one.waits(now)
        )
        kept = waiting.of_case(wide.schedule, wide.waits, case, wide.today)
        items = self._items(caller, glance, wide.own, wide.traces, wide.today)
        return [*broken, *requests, *kept, *items]

    def workload(self, caller: Caller) -> list[TeamLoad]:
        """Return the numbers of each team that the caller supervises."""
        stores = self._stores
        self._gate.require(caller, Permission.WORKLOAD_READ, Subject("workload"))
        with stores.keyring.reading() as tx:
            scopes = stores.trust.scopes(tx, caller.staff)
        teams = sorted({s.team for s in scopes if s.team is not None and "supervisor" in s.roles})
        acts: list[Act] = []
        found = [self._team_load(caller, team, acts) for team in teams]
        stores.ledger.record(*acts)
        return found

    def _team_load(self, caller: Caller, team: UUID, acts: list[Act]) -> TeamLoad:
        stores, today = self._stores, self._today()
        with stores.keyring.reading() as tx:
            reach = caseload.reach(tx, caller)
            members = [
                member.id
                for member in people.all_staff(tx)
                if any(scope.team == team for scope in stores.trust.scopes(tx, member.id))
            ]
            holds = {member: caseload.own(tx, member) for member in members}
        there = caseload.open_cases(stores, team)
        page = caseload.page(
            stores,
            caller,
            there & reach,
            lambda glance: _open_of(glance, today),
            reads={_NARRATIVE: [_TASK]},
            only=True,
            limit=max(1, len(there)),
        )
        acts += caseload.acts(caller, "workload.read", page.items, rule="permit:team")
        counted = {s.id: s.found for s in page.items if s.found is not None and s.found.counts}
        loads = tuple(_load(member, holds[member], counted, today) for member in members)
        return TeamLoad(team, counted.keys() == there, loads)

    def _moving(self, caller: Caller) -> list[Item]:
        """Return the cases on their way to or from the teams that the caller supervises."""
        stores, mine = self._stores, caller.actor.teams
        if Role.SUPERVISOR not in caller.actor.roles:
            return []
        with stores.keyring.reading() as tx:
            found = transferring.between(tx, mine)
        with stores.data.reading() as connection:
            rows = cases.find_cases(connection, stores.roots, [one.case for one in found])
        return [
            Item(
                Waiting.TRANSFER_IN if one.target in mine else Waiting.TRANSFER_OUT,
                one.case,
                None if (row := rows.get(one.case)) is None else row.reference,
                record=one.id,
                why=one.returned,
            )
            for one in found
            if one.case in rows
        ]

    def _of_dpo(self, caller: Caller, today: date) -> list[Item]:
        return waiting.of_dpo(self._stores, today) if Role.DPO in caller.actor.roles else []

    def _of_team(self, caller: Caller) -> list[Item]:
        """Return what came in for the teams whose inbox the caller opens, and whom to ask again."""
        now, today = self._stores.now(), self._today()
        leads = Role.SUPERVISOR in caller.actor.roles
        with self._stores.keyring.reading() as tx:
            came = arrivals.inbox(tx, intake_groups.teams_of(tx, caller))
            stale = [one for one in partners.all_(tx) if leads and one.is_stale(today)]
        waits = [one for one in came if one.is_waiting(now)]
        intakes = [Item(Waiting.INTAKE, None, None, _day(one.ends_at), one.id) for one in waits]
        called = [
            Item(Waiting.INTAKE_RECALLED, None, None, record=one.id)
            for one in came
            if one.is_recalled(now)
        ]
        asked = sorted(stale, key=lambda one: (one.name, one.id))[:_PARTNERS]
        again = [Item(Waiting.PARTNER_STALE, None, None, record=one.id) for one in asked]
        return [*intakes, *called, *again]

    def _items(
        self,
        caller: Caller,
        glance: Glance,
        own: set[UUID],
        traces: Mapping[UUID, Trace],
        today: date,
    ) -> Iterator[Item]:
        case = glance.case
        if case.rekey_due:
            yield Item(Waiting.REKEY, case.id, case.reference)
        if case.id in own and casefile.review_is_due(case, today):
            yield dated(Waiting.REVIEW, case, case.next_review, today)
        for record in map(kept, glance.documents):
            if record.kind is DocumentKind.TASK:
                if record.is_open_task_of(caller.staff):
                    yield dated(Waiting.TASK, case, record.date, today, record.id)
            elif record.kind is DocumentKind.LINK:
                if record.record.current.content["type"] == POSSIBLE:
                    yield Item(Waiting.DUPLICATE, case.id, case.reference, record=record.id)
            elif record.record.marks.get("state") == WAITING and self._decides(
                caller, case, record
            ):
                yield Item(_DECIDED[record.kind], case.id, case.reference, record=record.id)
            for wait, due in self._waits(record, traces, today):
                late = due is not None and due < today.isoformat()
                yield Item(Waiting(wait), case.id, case.reference, due, record.id, late)

    def _waits(
        self, record: Kept, traces: Mapping[UUID, Trace], today: date
    ) -> Iterator[tuple[Wait, str | None]]:
        if record.kind is DocumentKind.REFERRAL:
            yield from referral_waits.of_referral(record, traces.get(record.id), today)
        elif record.kind is DocumentKind.CONSENT:
            yield from referral_waits.of_consent(record, self._stores.now(), today)

    def _decides(self, caller: Caller, case: CaseMetadata, asked: Kept) -> bool:
        own = asked.record.first.by == caller.staff
        subject = Subject("case", case.team, holds_grant=True, self_act=own)
        return self._gate.allows(caller, Permission.CASE_DECIDE, subject)

    def _today(self) -> date:
        return self._stores.clock.now().date()


def _of(seen: Seen[list[Item]]) -> list[Item]:
    if seen.found is not None:
        return seen.found
    # Of a row whose stamp does not hold, nothing but its id is believed.
    reference = None if seen.case is None else seen.case.reference
    return [Item(Waiting.UNREADABLE, seen.id, reference)]


def _named(caller: Caller, rule: str, items: Sequence[Item]) -> list[Act]:
    touched = [Touched("case", item.case) for item in items if item.case]
    return [
        Act("worklist.read", caller.on_ledger, rule=rule, touched=part)
        for part in caseload.parts(touched)
    ]


def _urgency(item: Item) -> tuple[bool, bool, str, str, str]:
    """Alarms first, then by date, so overdue before due; last what has no date."""
    alarm = item.type is Waiting.UNREADABLE
    return not alarm, item.due is None, item.due or "", str(item.case), str(item.record)


def _day(moment: int) -> str:
    return datetime.fromtimestamp(moment, UTC).date().isoformat()


def _open_of(glance: Glance, today: date) -> _Open:
    tasks = map(kept, glance.documents)
    return _Open(
        counts=_NARRATIVE in glance.open_compartments,
        tasks=tuple((task.record.about, task.date) for task in tasks if task.is_open_task),
        review=casefile.review_is_due(glance.case, today),
    )


def _load(staff: UUID, own: set[UUID], counted: Mapping[UUID, _Open], today: date) -> Load:
    mine = [found for case, found in counted.items() if case in own]
    due = [day for found in counted.values() for who, day in found.tasks if who == staff]
    return Load(
        staff=staff,
        active_cases=len(mine),
        open_tasks=len(due),
        overdue_tasks=sum(day < today.isoformat() for day in due),
        due_reviews=sum(found.review for found in mine),
    )
