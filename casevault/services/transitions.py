"""A case's way through its statuses, with the reason sealed and, where the policy asks, approved.

Closing waits for a supervisor who is not the one who asked. Wish and approval are signed statements
like every other approval's; they lie in the case, and the case changes in the same transaction.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from casevault.crypto import macs
from casevault.crypto.approvals import Approval
from casevault.domain import approvals as rules
from casevault.domain import casefile
from casevault.domain.access import Permission, Subject
from casevault.domain.approvals import ApprovedAct, Decision
from casevault.domain.casefile import CaseMetadata, Compartment, DocumentKind, Status
from casevault.domain.records import DECLINED, DONE, WAITING, Record
from casevault.errors import Conflict, Tampered
from casevault.ids import new_id
from casevault.store import approvals
from casevault.store.caller import Caller, Gate
from casevault.store.held import Change, Desk, Done
from casevault.store.ledger import Touched
from casevault.store.records import kept
from casevault.store.stores import Stores

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
        self._gate = gate
        self._desk = Desk(stores, gate)
        self._approved = closing_needs_approval

    def ask(self, caller: Caller, case_id: UUID, content: Mapping[str, Any]) -> Moved:
        """Change the status, or, where closing needs an approval, ask for it."""
        checked = self._stores.dictionary.validate(_KIND, content)
        target, reason = Status(checked["to"]), checked.get("reason")

        def work(change: Change) -> tuple[Moved, Done]:
            moved = casefile.transition(change.case, target, reason)
            waits = self._approved and casefile.is_closed(target)
            if waits and _waiting(change, self._stores.now()):
                raise Conflict("A closing of this case waits already.", code="transition.waiting")
            marks = {"state": DONE}
            if waits:
                marks = {"state": WAITING, "approval": self._asked(caller, change.case, target)}
            record = Record.new(checked, caller.staff, self._stores.now()).marked(**marks)
            row = change.add(_NARRATIVE, _KIND.value, record.encode())
            if not waits:
                change.case = moved
            code = "case.transition_asked" if waits else "case.transition"
            done = Done(code, _fields(checked), (Touched(_KIND.value, row),))
            return Moved(row, record.marks["state"], change.case), done

        return self._desk.change(caller, case_id, Permission.CASE_TRANSITION, [_NARRATIVE], work)

    def decide(
        self, caller: Caller, case_id: UUID, row: UUID, *, approve: bool, reason: str | None
    ) -> Moved:
        """Approve or decline a closing that somebody else asked for."""
        self._check_not_own(caller, case_id, row)

        def work(change: Change) -> tuple[Moved, Done]:
            found = kept(change.document(_NARRATIVE, _KIND.value, row))
            record = found.record
            if record.marks.get("state") != WAITING:
                raise Conflict("This was decided already.", code="transition.decided")
            content = record.current.content
            signed = self._decided(caller, change.case, record, approve)
            if approve:
                change.case = casefile.transition(
                    change.case, Status(content["to"]), content.get("reason")
                )
            state = DONE if approve else DECLINED
            decided = record.marked(
                state=state,
                decided_by=caller.staff.hex,
                decided_at=str(self._stores.now()),
                decision=reason or "",
                approval=signed,
            )
            change.amend(_NARRATIVE, row, decided.encode(), found.version)
            code = "case.transition" if approve else "case.transition_declined"
            done = Done(code, _fields(content), (Touched(_KIND.value, row),), "permit:approval")
            return Moved(row, state, change.case), done

        return self._desk.change(caller, case_id, Permission.CASE_DECIDE, [_NARRATIVE], work)

    def _asked(self, caller: Caller, case: CaseMetadata, target: Status) -> str:
        wish = rules.wish(
            new_id(),
            ApprovedAct.CASE_CLOSE,
            case.id,
            caller.staff,
            self._stores.now(),
            team=case.team,
            parameters={"to": target.value},
        )
        return _text(approvals.asked(self._stores.organisation, caller, wish))

    def _decided(self, caller: Caller, case: CaseMetadata, record: Record, approve: bool) -> str:
        """Return the closing's approval with the caller's word; an approval must suffice."""
        now, stores = self._stores.now(), self._stores
        found = _approval(record)
        wish = found.wish
        # What was signed must be what is about to happen, whatever stands around it.
        if (wish.act, wish.object_id, wish.team, wish.parameters, wish.asker) != (
            ApprovedAct.CASE_CLOSE,
            case.id,
            case.team,
            (("to", str(record.current.content["to"])),),
            record.first.by,
        ):
            raise Tampered(code="approval")
        decision = Decision.APPROVED if approve else Decision.DECLINED
        with stores.keyring.reading() as tx:
            decided = approvals.decided(tx, stores.trust, caller, found, decision, now)
            if approve:
                approvals.check(tx, stores.trust, decided, now)
        return _text(decided)

    def _check_not_own(self, caller: Caller, case_id: UUID, row: UUID) -> None:
        # Before the transaction: a refusal is recorded in one of its own.
        with self._stores.data.reading() as connection:
            held = self._desk.hold(caller, connection, case_id, Permission.CASE_DECIDE, _NARRATIVE)
            with self._desk.recording_failure(caller, case_id):
                manifest = held.manifest(connection, _NARRATIVE)
                found = held.documents(connection, manifest, rows=[row])
        own = any(kept(one).record.first.by == caller.staff for one in found)
        subject = Subject("case", held.case.team, holds_grant=True, self_act=own)
        self._gate.require(caller, Permission.CASE_DECIDE, subject, (Touched("case", case_id),))


def _text(approval: Approval) -> str:
    return macs.b64(approval.encode())


def _approval(record: Record) -> Approval:
    data = macs.unb64(record.marks.get("approval", ""))
    if not data:
        raise Tampered(code="approval")
    return Approval.decode(data)


def _waiting(change: Change, now: int) -> bool:
    found = [kept(one).record for one in change.documents(_NARRATIVE, [_KIND.value])]
    waiting = [record for record in found if record.marks.get("state") == WAITING]
    return any(not rules.is_over(_approval(record).wish, now) for record in waiting)


def _fields(content: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(f"{_KIND.value}.{name}" for name in sorted(content))
