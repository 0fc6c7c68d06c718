"""How long cases are kept, as people decide it: schedule, extensions, erasures outside of it.

Whoever asks for one of them signs it, and a second person's word carries it out
(`store.pending.carrying`); an extension is the supervisor's alone and has a limit. Must never erase
by itself.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from uuid import UUID

from casevault.domain.case import casefile, keeping, retention
from casevault.domain.case.casefile import CaseMetadata
from casevault.domain.case.retention import Reason, Schedule
from casevault.domain.staff import approvals as rules
from casevault.domain.staff.access import Permission, Subject
from casevault.domain.staff.approvals import ApprovedAct, Wish
from casevault.errors import Conflict
from casevault.ids import new_id
from casevault.store.case import cases
from casevault.store.casework import matters
from casevault.store.casework.held import Desk
from casevault.store.casework.matter_kinds import Kind
from casevault.store.casework.matters import Matter
from casevault.store.context import approvals, schedules
from casevault.store.context.caller import Caller, Gate
from casevault.store.context.stores import Stores
from casevault.store.log.ledger import Act, Touched
from casevault.store.log.unit_of_work import unit_of_work
from casevault.store.pending.carrying import COMPARTMENTS, REASON
from casevault.store.retention import certifying
from casevault.store.retention.certifying import Kept
from casevault.store.retention.counting_due import Preview, preview


@dataclass(frozen=True, slots=True)
class Proposed:
    """A change of the schedule that waits for a second person, and what it would make due."""

    wish: Wish
    schedule: Schedule
    now: Preview = field(repr=False)
    then: Preview = field(repr=False)


class Keeping:
    """The use cases of how long cases are kept."""

    def __init__(self, stores: Stores, gate: Gate) -> None:
        self._stores = stores
        self._gate = gate
        self._desk = Desk(stores, gate)

    def schedules(self, caller: Caller) -> list[Schedule]:
        """Return every version of the schedule, the shipped one first; the last one holds."""
        stores = self._stores
        self._gate.require(caller, Permission.RETENTION_READ, Subject("retention"))
        with stores.keyring.reading() as tx:
            found = schedules.all_(tx)
        act = Act("retention.read", caller.on_ledger, rule="permit:role", count=len(found))
        stores.ledger.record(act)
        return found

    def propose(self, caller: Caller, wanted: Schedule) -> Proposed:
        """Ask for another schedule; say what it would make due today among the real cases."""
        stores, today = self._stores, self._stores.clock.now().date()
        self._gate.require(caller, Permission.RETENTION_CHANGE, Subject("retention"))
        present = schedules.current(stores)
        with self._gate.denying(caller, Permission.RETENTION_CHANGE):
            schedule = retention.check_change(present, wanted)
        wish = rules.wish(
            new_id(),
            ApprovedAct.SCHEDULE,
            stores.roots.keyring_id,
            caller.staff,
            stores.now(),
            parameters=schedule.parameters(),
        )
        before, after = preview(stores, today, present), preview(stores, today, schedule, anew=True)
        self._ask(caller, wish, (Touched("approval", wish.id),))
        return Proposed(wish, schedule, before, after)

    def ask_erasure(
        self, caller: Caller, case_id: UUID, reason: Reason, compartments: Iterable[str]
    ) -> Wish:
        """Ask that a case, or parts of it, goes before its time; the DPO's word carries it out."""
        stores, names = self._stores, tuple(sorted(set(compartments)))
        with stores.data.reading() as connection:
            case = self._desk.hold(caller, connection, case_id, Permission.CASE_ERASE).case
        with self._desk.recording_failure(caller, case_id):
            with stores.keyring.reading() as tx:
                keeping.check_free(case)
                if matters.held(tx, [case_id]):
                    raise keeping.held()
            if not set(names) <= keeping.due_of(case).keys() or not names:
                raise Conflict("This was erased already.", code="case.erased")
        wish = rules.wish(
            new_id(),
            ApprovedAct.CASE_ERASE,
            case_id,
            caller.staff,
            stores.now(),
            team=case.team,
            parameters={REASON: reason.value, COMPARTMENTS: " ".join(names)},
        )
        touched = (Touched("approval", wish.id), Touched("case", case_id))
        self._ask(caller, wish, touched, (reason.value,))
        return wish

    def extend(self, caller: Caller, case_id: UUID, months: int, reason: str) -> CaseMetadata:
        """Keep a case for some months after it was due first; the reason is sealed to the DPO."""
        stores, schedule = self._stores, schedules.current(self._stores)
        with stores.data.reading() as connection:
            held = self._desk.hold(caller, connection, case_id, Permission.CASE_EXTEND)
        with self._desk.recording_failure(caller, case_id):
            longer = keeping.extended(schedule, held.case, months)
            # Before the case is committed: an extension without its reason must not exist.
            matter = self._write_reason(caller, longer, reason)
            with unit_of_work(stores.data, stores.ledger) as uow:
                locked = self._desk.locked(held, uow.connection).case
                case = casefile.next_version(keeping.extended(schedule, locked, months))
                cases.change_case(uow.connection, stores.roots, case)
                act = Act(
                    "case.extend",
                    caller.on_ledger,
                    rule="permit:caseload",
                    touched=(Touched("case", case_id), Touched("extension", matter)),
                    count=months,
                )
                uow.record(act)
                uow.commit()
        return case

    def certificates(self, caller: Caller) -> list[UUID]:
        """Return the ids of all certificates of erasure."""
        stores = self._stores
        self._gate.require(caller, Permission.CERTIFICATE_READ, Subject("certificate"))
        with stores.data.reading() as connection:
            found = certifying.ids(connection)
        act = Act("certificate.list", caller.on_ledger, rule="permit:role", count=len(found))
        stores.ledger.record(act)
        return found

    def certificate(self, caller: Caller, certificate_id: UUID) -> Kept:
        """Return one certificate."""
        stores, touched = self._stores, (Touched("certificate", certificate_id),)
        self._gate.require(caller, Permission.CERTIFICATE_READ, Subject("certificate"), touched)
        denying = self._gate.denying(caller, Permission.CERTIFICATE_READ, touched)
        with denying, stores.data.reading() as connection:
            found = certifying.find(connection, certificate_id)
        act = Act("certificate.read", caller.on_ledger, rule="permit:role", touched=touched)
        stores.ledger.record(act)
        return found

    def _write_reason(self, caller: Caller, case: CaseMetadata, reason: str) -> UUID:
        stores = self._stores
        with stores.keyring.writing() as tx:
            matter = matters.signed(
                stores.organisation,
                caller,
                Matter(
                    new_id(),
                    Kind.EXTENSION,
                    case.id,
                    case.team,
                    caller.staff,
                    caller.staff,
                    stores.now(),
                    case.not_before or "",
                ),
            )
            sealed = matters.write(stores, tx, caller, matter, reason)
            matters.add(tx, replace(matter, text=sealed))
        return matter.id

    def _ask(
        self,
        caller: Caller,
        wish: Wish,
        touched: tuple[Touched, ...],
        filters: tuple[str, ...] = (),
    ) -> None:
        stores = self._stores
        act = Act(
            "approval.ask",
            caller.on_ledger,
            rule="permit:role",
            touched=touched,
            filters=(wish.act.value, *filters),
        )
        with stores.ledger.giving(act), stores.keyring.writing() as tx:
            approvals.remove_expired(tx, stores.now())
            approvals.add(tx, approvals.asked(stores.organisation, caller, wish))
