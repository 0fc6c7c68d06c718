"""Consents of a case and other lawful bases: recorded, withdrawn, decided, and what follows.

Reading them is reading records (`services.casework.records`). Every disclosure asks
`domain.sharing.consent` with what is recorded here. Another basis than consent waits for a
supervisor who is not the one who asked; where a life is in danger it holds at once, for a day, and
the DPO is told if nobody confirms it. No request carries an override.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from casevault.domain.case import keeping
from casevault.domain.case.casefile import Compartment, DocumentKind
from casevault.domain.case.records import DECLINED, WITHDRAWN, Record
from casevault.domain.sharing import cascade, consent
from casevault.domain.sharing.cascade import Consequence, Effect, Withdrawal
from casevault.domain.sharing.consent import Basis, Ground, Purpose
from casevault.domain.staff.access import Permission
from casevault.domain.staff.approvals import ApprovedAct
from casevault.errors import CaseVaultError, Conflict
from casevault.ids import new_id
from casevault.store.case.records import Kept, kept
from casevault.store.casework import case_approvals, deadlines, objecting
from casevault.store.casework.deadlines import Deadline, DeadlineKind
from casevault.store.casework.held import Change, Desk, Done
from casevault.store.context import schedules
from casevault.store.context.caller import Caller, Gate
from casevault.store.context.stores import Stores
from casevault.store.log.ledger import Touched
from casevault.store.sharing import referral_ends

_NARRATIVE, _FACTS = Compartment.NARRATIVE.value, Compartment.FACTS.value
_CONSENT, _BASIS = DocumentKind.CONSENT, DocumentKind.BASIS
_BOTH = (_NARRATIVE, _FACTS)
_MARK = "deadline"
# Why a consent was taken back that nobody withdrew in so many words.
OBJECTION = "objection"


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """What followed from a withdrawal, and what cannot be called back."""

    followed: tuple[Effect, ...]
    stays: tuple[Effect, ...]


class Consents:
    """The use cases of consents and other bases."""

    def __init__(self, stores: Stores, gate: Gate) -> None:
        self._stores = stores
        self._desk = Desk(stores, gate)

    def record(
        self,
        caller: Caller,
        case_id: UUID,
        content: Mapping[str, Any],
    ) -> UUID:
        """Record what the survivor agreed to; one that would not count is refused, with why."""
        stores = self._stores
        checked = stores.dictionary.validate(_CONSENT, content)
        record = Record.new(checked, caller.staff, stores.now())

        def work(changes: Mapping[UUID, Change]) -> tuple[UUID, Done]:
            change = changes[case_id]
            objecting.check_done(stores, case_id, Purpose(checked["purpose"]))
            facts = change.document(_FACTS, DocumentKind.FACTS.value)
            minor = facts.content.get("age_band") == "under_18"
            consent.check_consent(checked, self._today(), minor=minor)
            row = change.add(_NARRATIVE, _CONSENT.value, record.encode())
            self._recount(change)
            self._keep(change)
            return row, _done(_CONSENT, "add", row, checked)

        purpose = Purpose(checked["purpose"])
        permission, again = Permission.CASE_AMEND, f"{_CONSENT.value}.repeat"
        made = self._desk.make(caller, [case_id], permission, _BOTH, _CONSENT, work, again)
        objecting.end(stores, case_id, purpose)
        return made

    def withdraw(self, caller: Caller, case_id: UUID, row: UUID, reason: str) -> Withdrawn:
        """Take a consent back from now on; return what follows and what cannot be undone.

        Nobody has to say why; `reason` may be empty.
        """
        by = {"decided_by": caller.staff.hex, "decided_at": str(self._stores.now())}
        marks = {"state": WITHDRAWN, **by, "decision": reason}
        fault = Conflict("This consent was withdrawn before.", code="consent.withdrawn")
        return self._take_back(caller, case_id, _CONSENT, row, marks, fault)

    def end(self, caller: Caller, case_id: UUID, row: UUID, reason: str) -> Withdrawn:
        """End another basis from now on, with all that follows from it; say what stays.

        Who was to confirm that a life was in danger is still owed: the act had gone first.
        """
        marks = {
            "state": WITHDRAWN,
            "ended_by": caller.staff.hex,
            "ended_at": str(self._stores.now()),
            "ended_because": reason,
        }
        fault = Conflict("This basis holds no more.", code="basis.ended")
        return self._take_back(caller, case_id, _BASIS, row, marks, fault)

    def carry_out_objections(self, caller: Caller, case_id: UUID) -> Withdrawn:
        """Take back by what the purposes were allowed to which the survivor objected.

        They stopped when the DPO granted that; now the case says so too, with all that follows.
        """
        stores, at = self._stores, str(self._stores.now())
        stopped = objecting.stopped(stores, case_id)
        marks = {"state": WITHDRAWN, "decided_by": caller.staff.hex, "decided_at": at}

        def work(change: Change) -> tuple[Withdrawn, Done]:
            followed: list[Effect] = []
            stays: list[Effect] = []
            for one in map(kept, change.documents(_NARRATIVE, [_CONSENT.value, _BASIS.value])):
                holds = consent.ground_of(one.id, one.record, stores.now())
                stops = consent.ground_of(one.id, one.record, stores.now(), stopped)
                if stops.state is holds.state:
                    continue
                marked = one.record.marked(**marks, decision=OBJECTION)
                change.amend(_NARRATIVE, one.id, marked.encode(), one.version)
                effects = self._follow(change, stops)
                followed += effects.followed
                stays += effects.stays
            gone = Withdrawn(tuple(followed), tuple(stays))
            return gone, Done("objection.done", also=(Touched("case", case_id),))

        done = self._desk.change(
            caller, case_id, Permission.CASE_AMEND, _BOTH, work, frozen_too=True
        )
        objecting.carried_out(stores, caller, case_id)
        return done

    def _take_back(
        self,
        caller: Caller,
        case_id: UUID,
        kind: DocumentKind,
        row: UUID,
        marks: Mapping[str, str],
        fault: Conflict,
    ) -> Withdrawn:
        def work(change: Change) -> tuple[Withdrawn, Done]:
            found = kept(change.document(_NARRATIVE, kind.value, row))
            if found.record.marks.get("state") in (WITHDRAWN, DECLINED):
                raise fault
            marked = found.record.marked(**marks)
            change.amend(_NARRATIVE, row, marked.encode(), found.version)
            effects = self._follow(change, consent.ground_of(row, marked, self._stores.now()))
            return effects, _done(kind, "withdraw", row, {})

        return self._desk.change(
            caller, case_id, Permission.CASE_AMEND, _BOTH, work, frozen_too=True
        )

    def claim(self, caller: Caller, case_id: UUID, content: Mapping[str, Any]) -> UUID:
        """Ask to disclose on another basis than consent; a supervisor decides."""
        stores = self._stores
        checked = stores.dictionary.validate(_BASIS, content)
        consent.check_basis(checked, self._today())
        vital = checked["basis"] == Basis.VITAL_INTERESTS
        watched = new_id() if vital else None

        def work(changes: Mapping[UUID, Change]) -> tuple[UUID, Done]:
            change = changes[case_id]
            marks = case_approvals.asked(
                stores, caller, change.case, ApprovedAct.CASE_DISCLOSE, _signed(checked)
            )
            if watched is not None:
                marks[_MARK] = watched.hex
                self._watch(caller, change, watched)
            record = Record.new(checked, caller.staff, stores.now(), None, **marks)
            row = change.add(_NARRATIVE, _BASIS.value, record.encode())
            return row, _done(_BASIS, "add", row, checked)

        try:
            return self._desk.make(
                caller, [case_id], Permission.CASE_AMEND, [_NARRATIVE], _BASIS, work
            )
        except CaseVaultError:
            # A watch over what was never recorded would call the DPO for nothing.
            if watched is not None:
                self._settle(watched)
            raise

    def decide(
        self, caller: Caller, case_id: UUID, row: UUID, *, approve: bool, reason: str | None
    ) -> str:
        """Approve or decline another basis that somebody else asked for; return its state."""
        desk = self._desk
        desk.require_not_own(caller, case_id, Permission.CASE_DECIDE, _NARRATIVE, row)

        def work(change: Change) -> tuple[Kept, Done]:
            found = kept(change.document(_NARRATIVE, _BASIS.value, row))
            decided = case_approvals.decided(
                self._stores,
                caller,
                change.case,
                found.record,
                ApprovedAct.CASE_DISCLOSE,
                _signed(found.record.current.content),
                approve=approve,
                reason=reason,
            )
            change.amend(_NARRATIVE, row, decided.encode(), found.version)
            if approve:
                self._keep(change)
            else:
                # To save a life it held at once: what was done by it meanwhile stops.
                self._follow(change, consent.ground_of(row, decided, self._stores.now()))
            act = "approve" if approve else "decline"
            done = _done(_BASIS, act, row, {}, "permit:approval")
            return Kept(row, _BASIS, found.version + 1, decided), done

        changed = desk.change(caller, case_id, Permission.CASE_DECIDE, _BOTH, work)
        self._decided(changed.record)
        return changed.record.marks["state"]

    def _decided(self, record: Record) -> None:
        """Stop watching what was confirmed; what was declined is for the DPO at once."""
        watched = record.marks.get(_MARK)
        if watched is None:
            return
        if record.marks["state"] == DECLINED:
            self._due_now(UUID(hex=watched))
        else:
            self._settle(UUID(hex=watched))

    def _follow(self, change: Change, gone: Ground) -> Withdrawn:
        left = tuple(one for one in self._grounds(change) if one.id != gone.id)
        shared = referral_ends.shared(self._stores, change)
        effects = cascade.effects(Withdrawal(gone, left, self._today(), shared))
        for effect in effects:
            if effect.what is Consequence.REFERRAL_STOPS and effect.about is not None:
                referral_ends.stop(self._stores, change, effect.about)
        if shared:
            referral_ends.recount(change)
        if any(one.what is Consequence.ERASED_SOON for one in effects):
            schedule = schedules.current(self._stores)
            change.case = keeping.withdrawn(schedule, change.case, self._today())
        self._recount(change)
        return Withdrawn(
            tuple(one for one in effects if not one.stays),
            tuple(one for one in effects if one.stays),
        )

    def _grounds(self, change: Change) -> list[Ground]:
        now, stopped = self._stores.now(), objecting.stopped(self._stores, change.case.id)
        found = change.documents(_NARRATIVE, [_CONSENT.value, _BASIS.value])
        return [
            consent.ground_of(one.row, Record.decode(one.content), now, stopped) for one in found
        ]

    def _recount(self, change: Change) -> None:
        """Make the facts say until when the person agrees to be counted."""
        until = consent.counted_until(self._grounds(change), self._today())
        facts = change.document(_FACTS, DocumentKind.FACTS.value)
        content = {k: v for k, v in facts.content.items() if k != "statistics_until"}
        if until is not None:
            content["statistics_until"] = until.isoformat()
        if content != facts.content:
            change.amend(_FACTS, facts.row, content, facts.version)

    def _keep(self, change: Change) -> None:
        """Let a case stay that was to go, once there is a consent or basis to look after it."""
        if consent.may_be_kept(self._grounds(change), self._today()):
            change.case = keeping.agreed(schedules.current(self._stores), change.case)

    def _watch(self, caller: Caller, change: Change, watched: UUID) -> None:
        due = self._stores.now() + consent.CONFIRM_SECONDS
        kind = DeadlineKind.CONFIRM_VITAL_INTERESTS
        case = change.case
        with self._stores.keyring.writing() as tx:
            # Before the case is committed: an act without its watch must not exist. The work may
            # be begun a second time after a colleague gave the case new keys.
            deadlines.settle(tx, watched)
            deadlines.add(tx, Deadline(watched, kind, case.id, case.team, caller.staff, due))

    def _settle(self, watched: UUID) -> None:
        with self._stores.keyring.writing() as tx:
            deadlines.settle(tx, watched)

    def _due_now(self, watched: UUID) -> None:
        with self._stores.keyring.writing() as tx:
            deadlines.bring_forward(tx, watched, self._stores.now())

    def _today(self) -> date:
        return self._stores.clock.now().date()


def _signed(content: Mapping[str, Any]) -> dict[str, str]:
    # All of it, so that a yes to one set of data says nothing about another.
    return {"basis": json.dumps(content, sort_keys=True, separators=(",", ":"))}


def _done(
    kind: DocumentKind,
    act: str,
    row: UUID,
    content: Mapping[str, Any],
    rule: str = "permit:caseload",
) -> Done:
    names = tuple(f"{kind.value}.{name}" for name in sorted(content))
    return Done(f"{kind.value}.{act}", names, (Touched(kind.value, row),), rule)
