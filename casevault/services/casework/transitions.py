"""A case's way through its statuses, with the reason sealed and, where the policy asks, approved.

Closing waits for a supervisor who is not the one who asked. Wish and approval are signed statements
like every other approval's; they lie in the case, and the case changes in the same transaction.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from casevault.domain.case import casefile, keeping
from casevault.domain.case.casefile import CaseMetadata, Compartment, DocumentKind, Status
from casevault.domain.case.records import DONE, Record
from casevault.domain.staff.access import Permission
from casevault.domain.staff.approvals import ApprovedAct
from casevault.errors import Conflict
from casevault.store.case.records import kept
from casevault.store.casework import case_approvals
from casevault.store.casework.held import Change, Desk, Done
from casevault.store.context import schedules
from casevault.store.context.caller import Caller, Gate
from casevault.store.context.stores import Stores
from casevault.store.log.ledger import Touched

_NARRATIVE = Compartment.NARRATIVE.value
_KIND = DocumentKind.TRANSITION


@dataclass(frozen=True, slots=True)
class Moved:
    """What became of a wish to change a case's status."""

    id: UUID
    state: str
    case: CaseMetadata


class Transitions:
    """The use cases of a case's status."""

    def __init__(self, stores: Stores, gate: Gate, *, closing_needs_approval: bool) -> None:
        self._stores = stores
        self._desk = Desk(stores, gate)
        self._approved = closing_needs_approval

    def ask(self, caller: Caller, case_id: UUID, content: Mapping[str, Any]) -> Moved:
        """Change the status, or, where closing needs an approval, ask for it."""
        checked = self._stores.dictionary.validate(_KIND, content)
        schedule = schedules.current(self._stores)
        target, reason = Status(checked["to"]), checked.get("reason")

        def work(changes: Mapping[UUID, Change]) -> tuple[UUID, Done]:
            change = changes[case_id]
            moved = casefile.transition(change.case, target, reason)
            waits = self._approved and casefile.is_closed(target)
            if waits and _waiting(change, self._stores.now()):
                raise Conflict("A closing of this case waits already.", code="transition.waiting")
            marks = {"state": DONE}
            if waits:
                marks = case_approvals.asked(
                    self._stores, caller, change.case, ApprovedAct.CASE_CLOSE, _parameters(checked)
                )
            record = Record.new(checked, caller.staff, self._stores.now()).marked(**marks)
            row = change.add(_NARRATIVE, _KIND.value, record.encode())
            if not waits:
                change.case = keeping.moved(schedule, change.case, moved, self._today())
            code = "case.transition_asked" if waits else "case.transition"
            done = Done(code, _fields(checked), (Touched(_KIND.value, row),))
            return row, done

        made = self._desk.make(
            caller, [case_id], Permission.CASE_TRANSITION, [_NARRATIVE], _KIND, work
        )
        return self._now(caller, case_id, made)

    def _now(self, caller: Caller, case_id: UUID, row: UUID) -> Moved:
        """Return a change of status and the case as they stand: what the request just recorded."""
        with self._stores.data.reading() as connection:
            held = self._desk.hold(
                caller, connection, case_id, Permission.CASE_TRANSITION, _NARRATIVE
            )
            with self._desk.recording_failure(caller, case_id):
                manifest = held.manifest(connection, _NARRATIVE)
                (found,) = held.documents(connection, manifest, rows=[row])
        return Moved(row, kept(found).record.marks["state"], held.case)

    def decide(
        self, caller: Caller, case_id: UUID, row: UUID, *, approve: bool, reason: str | None
    ) -> Moved:
        """Approve or decline a closing that somebody else asked for."""
        self._desk.require_not_own(caller, case_id, Permission.CASE_DECIDE, _NARRATIVE, row)
        schedule = schedules.current(self._stores)

        def work(change: Change) -> tuple[Moved, Done]:
            found = kept(change.document(_NARRATIVE, _KIND.value, row))
            content = found.record.current.content
            decided = case_approvals.decided(
                self._stores,
                caller,
                change.case,
                found.record,
                ApprovedAct.CASE_CLOSE,
                _parameters(content),
                approve=approve,
                reason=reason,
            )
            if approve:
                moved = casefile.transition(
                    change.case, Status(content["to"]), content.get("reason")
                )
                change.case = keeping.moved(schedule, change.case, moved, self._today())
            change.amend(_NARRATIVE, row, decided.encode(), found.version)
            code = "case.transition" if approve else "case.transition_declined"
            done = Done(code, _fields(content), (Touched(_KIND.value, row),), "permit:approval")
            return Moved(row, decided.marks["state"], change.case), done

        return self._desk.change(caller, case_id, Permission.CASE_DECIDE, [_NARRATIVE], work)

    def _today(self) -> date:
        return self._stores.clock.now().date()


def _parameters(content: Mapping[str, Any]) -> dict[str, str]:
    return {"to": str(content["to"])}


def _waiting(change: Change, now: int) -> bool:
    found = [kept(one).record for one in change.documents(_NARRATIVE, [_KIND.value])]
    return any(case_approvals.is_waiting(record, now) for record in found)


def _fields(content: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(f"{_KIND.value}.{name}" for name in sorted(content))
