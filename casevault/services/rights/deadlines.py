"""Deadlines that passed, as the DPO sees and reviews them: kinds, dates and ids, never content."""

from __future__ import annotations

from dataclasses import dataclass, replace
from uuid import UUID

from casevault.domain.audit.oversight import Finding
from casevault.domain.staff.access import Permission, Subject
from casevault.errors import Conflict, NotFound
from casevault.store.case import cases
from casevault.store.casework import deadlines
from casevault.store.casework.deadlines import Deadline
from casevault.store.context.caller import Caller, Gate
from casevault.store.context.stores import Stores
from casevault.store.log.ledger import Act, Touched


@dataclass(frozen=True, slots=True)
class Missed:
    """A deadline that passed, with the reference of its case if there still is one."""

    deadline: Deadline
    reference: str | None


class Deadlines:
    """The use cases of missed deadlines."""

    def __init__(self, stores: Stores, gate: Gate) -> None:
        self._stores = stores
        self._gate = gate

    def list_(self, caller: Caller) -> list[Missed]:
        """Return what passed and waits for a review, oldest first."""
        stores = self._stores
        self._gate.require(caller, Permission.DEADLINE_LIST, Subject("deadline"))
        with stores.keyring.reading() as tx:
            late = deadlines.overdue(tx, stores.now())
        with stores.data.reading() as connection:
            rows = cases.find_cases(connection, stores.roots, [one.case for one in late])
        touched = tuple(
            part
            for one in late
            for part in (Touched("deadline", one.id), Touched("case", one.case))
        )
        stores.ledger.record(
            Act(
                "deadline.list",
                caller.on_ledger,
                rule="permit:role",
                touched=touched,
                count=len(late),
            )
        )
        found = []
        for one in late:
            row = rows.get(one.case)
            found.append(Missed(one, None if row is None else row.reference))
        return found

    def review(self, caller: Caller, deadline_id: UUID, finding: Finding) -> None:
        """Note what the DPO found; a second review is a `Conflict`."""
        stores, touched = self._stores, (Touched("deadline", deadline_id),)
        with stores.keyring.reading() as tx:
            known = {one.id: one for one in deadlines.overdue(tx, stores.now())}.get(deadline_id)
        own = known is not None and known.person == caller.staff
        subject = Subject("deadline", self_act=own)
        self._gate.require(caller, Permission.DEADLINE_REVIEW, subject, touched)
        if known is None:
            error = NotFound()
            self._gate.deny(caller, Permission.DEADLINE_REVIEW, "refused:" + error.code, touched)
            raise error
        act = Act(
            "deadline.review",
            caller.on_ledger,
            rule="permit:role",
            touched=(*touched, Touched("case", known.case), Touched("staff", known.person)),
            filters=(finding.value,),
        )
        with stores.ledger.giving(act), stores.keyring.writing() as tx:
            present = deadlines.find(tx, deadline_id, lock=True)
            if present.reviewed_at is not None:
                raise Conflict("This was reviewed already.", code="deadline.reviewed")
            done = replace(present, reviewer=caller.staff, reviewed_at=stores.now())
            deadlines.change(tx, done)
