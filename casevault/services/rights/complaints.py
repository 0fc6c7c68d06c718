"""Complaints to the data protection officer, in a compartment of their own.

Whoever hears one passes it on and cannot read it back: it is sealed to the DPO's group and the
recovery shares alone, not to supervisors, whom it may be about. Must never tell the sender whether
a case that they name exists.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time
from uuid import UUID

from casevault.domain.rights import rights
from casevault.domain.rights.rights import Asker
from casevault.domain.staff.access import Permission, Subject
from casevault.errors import Conflict, NotFound, Tampered
from casevault.ids import TeamId, new_id
from casevault.store.casework import deadlines, holding, matters, showing
from casevault.store.casework.deadlines import Deadline, DeadlineKind
from casevault.store.casework.matter_kinds import Kind
from casevault.store.casework.matters import Matter
from casevault.store.casework.showing import Shown
from casevault.store.context.caller import Caller, Gate
from casevault.store.context.stores import Stores
from casevault.store.log.ledger import Act, Touched

_NOBODYS = TeamId(matters.NOBODYS)


@dataclass(frozen=True, slots=True)
class Complaint:
    """A complaint as the DPO sees it; None where it does not open."""

    shown: Shown
    asker: str | None
    words: str | None = field(repr=False)
    # As it was said: it may name no case of ours.
    about: str | None = field(repr=False)
    answer: str | None = field(repr=False)


class Complaints:
    """The use cases of complaints."""

    def __init__(self, stores: Stores, gate: Gate) -> None:
        self._stores = stores
        self._gate = gate

    def send(self, caller: Caller, asker: Asker, words: str, about: str | None) -> UUID:
        """Pass a complaint on; it is erased with the case that it is about, if it names one."""
        stores = self._stores
        self._gate.require(caller, Permission.COMPLAINT_SEND, Subject("complaint"))
        # Of the sender's team, whose vouch lets them seal it; whose case it is stays out of it.
        case, team = self._about(about), min(caller.actor.teams, default=_NOBODYS)
        today = stores.clock.now().date()
        sent = Matter(
            new_id(),
            Kind.COMPLAINT,
            case,
            team,
            caller.staff,
            caller.staff,
            stores.now(),
            rights.due(today),
            state=matters.OPEN,
        )
        content = json.dumps({"asker": asker.value, "words": words, "about": about})
        act = self._act("complaint.send", caller, sent)
        with stores.ledger.giving(act), stores.keyring.writing() as tx:
            holding.require_there(tx, case)
            text = matters.write(stores, tx, caller, sent, content)
            matters.add(tx, matters.signed(stores.organisation, caller, replace(sent, text=text)))
            due = datetime.combine(date.fromisoformat(sent.due), time.max, UTC)
            at, kind = int(due.timestamp()), DeadlineKind.COMPLAINT
            deadlines.add(tx, Deadline(sent.id, kind, case, team, caller.staff, at))
        return sent.id

    def list_(self, caller: Caller) -> list[Complaint]:
        """Return the complaints, what is due first."""
        self._gate.require(caller, Permission.COMPLAINT_LIST, Subject("complaint"))
        return [_opened(one) for one in showing.listed(self._stores, caller, Kind.COMPLAINT)]

    def answer(self, caller: Caller, complaint_id: UUID, words: str) -> None:
        """Note what whoever complained was answered; a second answer is a `Conflict`."""
        stores, touched = self._stores, (Touched("complaint", complaint_id),)
        self._gate.require(caller, Permission.COMPLAINT_ANSWER, Subject("complaint"), touched)
        denying = self._gate.denying(caller, Permission.COMPLAINT_ANSWER, touched)
        with denying, stores.keyring.reading() as tx:
            _check_open(found := matters.find(tx, complaint_id, Kind.COMPLAINT))
        act = self._act("complaint.answer", caller, found)
        with stores.ledger.giving(act), stores.keyring.writing() as tx:
            present = matters.find(tx, complaint_id, Kind.COMPLAINT, lock=True)
            _check_open(present)
            content = _content(matters.read(tx, caller, present))
            text = json.dumps({**content, "answer": words})
            grown = matters.rewritten(tx, caller, present, text)
            done = replace(grown, state=matters.ANSWERED, author=caller.staff, at=stores.now())
            matters.change(tx, matters.signed(stores.organisation, caller, done))
            deadlines.settle(tx, complaint_id)

    def _about(self, about: str | None) -> UUID:
        """Return the case that somebody names; nobody's if there is none (any more)."""
        try:
            return _NOBODYS if about is None else holding.find_case(self._stores, about).id
        except NotFound:
            return _NOBODYS

    @staticmethod
    def _act(code: str, caller: Caller, complaint: Matter) -> Act:
        # The log would tell an auditor's reader which case somebody complained about: it is not
        # named there, but by the DPO's list.
        touched = (Touched("complaint", complaint.id),)
        return Act(code, caller.on_ledger, rule="permit:role", touched=touched)


def _check_open(complaint: Matter) -> None:
    if complaint.state != matters.OPEN:
        raise Conflict("This was answered already.", code="complaint.answered")


def _content(text: str | None) -> dict[str, str | None]:
    try:
        found = json.loads(text or "")
        return {str(name): None if said is None else str(said) for name, said in found.items()}
    except (AttributeError, ValueError):
        raise Tampered(code="complaint") from None


def _opened(shown: Shown) -> Complaint:
    said: dict[str, str | None] = {} if shown.text is None else _content(shown.text)
    return Complaint(
        shown, said.get("asker"), said.get("words"), said.get("about"), said.get("answer")
    )
