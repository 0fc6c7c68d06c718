"""Reviews: auditors look at alerts, note what they found, draw the weekly sample, sign off.

Nobody reviews their own access; that somebody did wrong takes a second person's signed approval.
Everything that is noted is sealed to the auditors' group.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any
from uuid import UUID

from casevault.domain.audit import reviewing as rules
from casevault.domain.audit.reviewing import State
from casevault.domain.staff import approvals as approval_rules
from casevault.domain.staff.access import Permission, Subject
from casevault.domain.staff.approvals import ApprovedAct, Wish
from casevault.errors import Conflict, NotFound, Refused, Stale
from casevault.ids import new_id
from casevault.ledger import sample
from casevault.ledger.note import unverified_checkpoint
from casevault.ledger.sample import Week
from casevault.store.audit import alerts, audit_months, audit_records
from casevault.store.audit.alerts import Alert, Step
from casevault.store.audit.audit_records import ALERT, New
from casevault.store.context import approvals
from casevault.store.context.caller import Caller, Gate
from casevault.store.context.stores import Stores
from casevault.store.engine import idempotency, stamps
from casevault.store.log import ledger_points, ledger_reading, months, tile_rows, tree
from casevault.store.log.ledger import Act, Touched

PAGE = 50
_MOST_POSITIONS = 200


@dataclass(frozen=True, slots=True)
class Alerts:
    """One page of alerts, youngest first."""

    items: tuple[Alert, ...]
    cursor: str | None


class Reviewing:
    """The use cases of reviews; `sign` returns a checkpoint over the present tree."""

    def __init__(self, stores: Stores, gate: Gate, sign: Callable[[], bytes]) -> None:
        self._stores = stores
        self._gate = gate
        self._sign = sign

    def list_(
        self,
        caller: Caller,
        state: State | None = None,
        rule: str | None = None,
        cursor: str | None = None,
    ) -> Alerts:
        """Return a page of alerts; with conditions, a page may be short."""
        stores = self._stores
        self._gate.require(caller, Permission.LEDGER_QUERY, Subject("alert"))
        purpose, after = "alerts/" + caller.staff.hex, None
        if cursor is not None:
            due, last = stamps.open_cursor(stores.roots, purpose, cursor)
            after = (str(due), UUID(last))
        found = audit_records.read_many(stores, caller.keys, ALERT, after=after, limit=PAGE + 1)
        page = [alerts.of(one) for one in found[:PAGE]]
        fitting = tuple(
            one for one in page if state in (None, one.state) and rule in (None, one.rule)
        )
        names = [name for name, value in (("state", state), ("rule", rule)) if value is not None]
        stores.ledger.record(
            self._act(caller, "audit.alerts", fitting, filters=tuple(names), count=len(fitting))
        )
        more = None
        if len(found) > PAGE:
            last_one = found[PAGE - 1]
            place = [last_one.erase_after.isoformat(), str(last_one.id)]
            more = stamps.seal_cursor(stores.roots, purpose, place)
        return Alerts(fitting, more)

    def read(self, caller: Caller, alert_id: UUID) -> Alert:
        """Return one alert with what was noted about it."""
        self._gate.require(caller, Permission.LEDGER_QUERY, Subject("alert"))
        alert = self._alert(caller, alert_id)
        self._stores.ledger.record(self._act(caller, "audit.alerts", [alert], count=1))
        return alert

    def step(
        self, caller: Caller, alert_id: UUID, to: State, note: str, version: int
    ) -> tuple[Alert, Wish | None]:
        """Move a review on; a violation first asks for a second person, whose wish is returned.

        :raises Refused: it is the caller's own access, or nobody approved the violation.
        :raises Stale: somebody else moved it meanwhile.
        """
        self._gate.require(
            caller, Permission.LEDGER_REVIEW, Subject("alert"), (Touched("alert", alert_id),)
        )
        alert = self._alert(caller, alert_id)
        own = rules.is_own(alert.actors, caller.staff)
        touched = self._touched([alert])
        self._gate.require(
            caller, Permission.LEDGER_REVIEW, Subject("alert", self_act=own), touched
        )
        if alert.record.version != version:
            raise Stale()
        rules.check_step(alert.state, to, note)
        if to is State.VIOLATION:
            return self._violation(caller, alert, note)
        return self._moved(caller, alert, to, note, alert.approval), None

    def open_(self, caller: Caller, month: str, positions: Iterable[int], note: str) -> Alert:
        """Begin a review of entries that an auditor came upon, once however often it is sent."""
        stores = self._stores
        self._gate.require(caller, Permission.LEDGER_REVIEW, Subject("alert"))
        wanted = sorted(set(positions))[:_MOST_POSITIONS]
        with stores.keyring.reading() as tx:
            key = audit_months.opened(tx, caller, month)
            actors = audit_months.actors(tx, key)
        people: set[UUID] = set()
        with stores.data.reading() as connection:
            for position in wanted:
                found = ledger_reading.entries(
                    connection, stores.roots, stores.organisation, key,
                    first=position, before=position + 1, limit=1,
                )  # fmt: skip
                if not found:
                    raise NotFound(code="ledger.entry")
                people |= {actors[one] for one in [found[0].body.actor or ""] if one in actors}
        content = alerts.begun(
            rule=rules.MANUAL_RULE,
            day=stores.clock.now().date(),
            found_at=stores.now(),
            actors=sorted(people),
            positions=wanted,
            count=len(wanted),
        )
        content["steps"] = [[stores.now(), str(caller.staff), State.OPEN.value, note]]
        made = idempotency.named(stores.data, stores.roots, caller.repeat, stores.now())
        return self._kept(caller, made, content, "audit.review", (State.OPEN.value,))

    def sample(self, caller: Caller, week: Week | None) -> list[Alert]:
        """Draw the sample of a week (the last by default), once; return it as reviews.

        Entries of auditors are a review of their own for each: nobody reviews their own access.

        :raises Conflict: the week is not over, or no checkpoint covers it yet.
        """
        stores = self._stores
        self._gate.require(caller, Permission.LEDGER_REVIEW, Subject("sample"))
        now = stores.clock.now()
        chosen = week or Week.before(now)
        if chosen.ends > now:
            raise Conflict("This week is not over yet.", code="sample.early")
        tree.integrate_all(stores.data, stores.roots)
        self._sign()
        with stores.data.reading() as connection:
            covering = ledger_points.first_covering(connection, chosen.ends)
            if covering is None:
                raise Conflict("No checkpoint covers this week yet.", code="sample.checkpoint")
            log, note = covering
            start, size = tile_rows.start_of(log), unverified_checkpoint(note).size
            found = ledger_points.leaves(connection, chosen.begins, chosen.ends)
            # Indices in the log of the note, as an outsider counts them.
            inside = [(at - start, leaf) for at, leaf in found if start <= at < start + size]
        drawn = sample.draw(unverified_checkpoint(note), chosen, sample.population(inside, chosen))
        places = [start + index for index in drawn]
        return [
            self._sampled(caller, chosen, note, actors, its)
            for actors, its in self._by_reviewer(caller, chosen, places).items()
        ]

    def _by_reviewer(
        self, caller: Caller, week: Week, drawn: Iterable[int]
    ) -> dict[tuple[UUID, ...], list[int]]:
        """Return the drawn places, those of each auditor apart from all others."""
        stores, wanted = self._stores, set(drawn)
        found: dict[tuple[UUID, ...], list[int]] = {(): []}
        names = dict.fromkeys(months.name_of(week.begins + timedelta(days=n)) for n in range(7))
        for name in names:
            with stores.keyring.reading() as tx:
                if name not in audit_months.names(tx):
                    continue
                key = audit_months.opened(tx, caller, name)
                actors = audit_months.actors(tx, key)
            for place in sorted(wanted):
                with stores.data.reading() as connection:
                    one = ledger_reading.entries(
                        connection, stores.roots, stores.organisation, key,
                        first=place, before=place + 1, limit=1,
                    )  # fmt: skip
                if one:
                    body = one[0].body
                    actor = actors.get(body.actor or "")
                    auditor = actor is not None and "auditor" in body.roles
                    whose = (UUID(str(actor)),) if auditor else ()
                    found.setdefault(whose, []).append(place)
                    wanted.discard(place)
        # What retention took is drawn too: somebody should know.
        found[()] = sorted([*found[()], *wanted])
        return found

    def _sampled(
        self,
        caller: Caller,
        week: Week,
        note: bytes,
        actors: tuple[UUID, ...],
        places: list[int],
    ) -> Alert:
        stores = self._stores
        record_id = audit_records.id_for(
            stores, ALERT, rules.SAMPLE_RULE, week.name, *(str(one) for one in actors)
        )
        with stores.data.reading() as connection:
            known = audit_records.exists(connection, record_id)
        if known:
            alert = self._alert(caller, record_id)
            stores.ledger.record(self._act(caller, "audit.sample", [alert], count=alert.count))
            return alert
        content = alerts.begun(
            rule=rules.SAMPLE_RULE,
            day=week.begins.date(),
            found_at=stores.now(),
            actors=actors,
            positions=places,
            count=len(places),
            week=week.name,
            checkpoint=note.decode(),
        )
        return self._kept(caller, record_id, content, "audit.sample", ())

    def _violation(self, caller: Caller, alert: Alert, note: str) -> tuple[Alert, Wish | None]:
        stores = self._stores
        with stores.keyring.reading() as tx:
            waiting = {one.wish.id: one for one in approvals.all_(tx)}
            found = None if alert.approval is None else waiting.get(alert.approval)
            if found is not None and not approval_rules.is_over(found.wish, stores.now()):
                # Raises unless somebody else has signed exactly this.
                approvals.check(tx, stores.trust, found, stores.now())
        if found is None or approval_rules.is_over(found.wish, stores.now()):
            return self._asked(caller, alert, note)
        if rules.is_own(found.wish.involved, caller.staff):
            raise Refused(code="refused.self")
        # Used up first: what is cut off in between has to be approved again, never the reverse.
        with stores.keyring.writing() as tx:
            approvals.use(tx, stores.trust, found.wish, stores.now())
        return self._moved(caller, alert, State.VIOLATION, note, found.wish.id), None

    def _asked(self, caller: Caller, alert: Alert, note: str) -> tuple[Alert, Wish]:
        stores = self._stores
        wish = approval_rules.wish(
            new_id(),
            ApprovedAct.LEDGER_VIOLATION,
            alert.id,
            caller.staff,
            stores.now(),
            parameters={"rule": alert.rule, "day": alert.day.isoformat()},
            involved=alert.actors,
        )
        act = Act(
            "approval.ask",
            caller.on_ledger,
            rule="permit:role",
            touched=(Touched("approval", wish.id), *self._touched([alert])),
            filters=(wish.act.value,),
        )
        with stores.ledger.giving(act), stores.keyring.writing() as tx:
            approvals.add(tx, approvals.asked(stores.organisation, caller, wish))
        return self._moved(caller, alert, alert.state, note, wish.id), wish

    def _moved(
        self, caller: Caller, alert: Alert, to: State, note: str, approval: UUID | None
    ) -> Alert:
        step = Step(self._stores.now(), caller.staff, to, note)
        content = alerts.stepped(alert, step, approval)
        act = self._act(caller, "audit.review", [alert], filters=(to.value,))
        record = audit_records.change(self._stores, caller.keys, alert.record, content, [act])
        return alerts.of(record)

    def _kept(
        self,
        caller: Caller,
        record_id: UUID,
        content: dict[str, Any],
        code: str,
        filters: tuple[str, ...],
    ) -> Alert:
        stores = self._stores
        due = stores.clock.now().date() + timedelta(days=alerts.KEPT_DAYS)
        new = New(record_id, ALERT, content, due)
        with stores.keyring.reading() as tx:
            readers = audit_records.auditors(stores, tx)
        act = Act(
            code,
            caller.on_ledger,
            rule="permit:role",
            touched=(Touched("alert", record_id),),
            filters=filters,
            count=content["count"],
        )
        if not audit_records.add(stores, new, caller.keys.granter, readers, [act]):
            stores.ledger.record(replace(act, filters=(*filters, "repeat")))
        return self._alert(caller, record_id)

    def _alert(self, caller: Caller, alert_id: UUID) -> Alert:
        return alerts.of(audit_records.read(self._stores, caller.keys, ALERT, alert_id))

    @staticmethod
    def _touched(found: Iterable[Alert]) -> tuple[Touched, ...]:
        return tuple(
            part
            for one in found
            for part in (
                Touched("alert", one.id),
                *(Touched("staff", staff) for staff in one.actors),
            )
        )

    def _act(
        self,
        caller: Caller,
        code: str,
        found: Iterable[Alert],
        *,
        filters: tuple[str, ...] = (),
        count: int | None = None,
    ) -> Act:
        # Of a list, only which alerts: whose they are stands in each alert.
        touched = tuple(Touched("alert", one.id) for one in found)
        return Act(
            code,
            caller.on_ledger,
            rule="permit:role",
            touched=touched,
            filters=filters,
            count=count,
        )
