"""What survivors ask for about their file: received, the asker checked, decided, carried out.

The words are sealed to the DPO's group, the team's supervisors and the recovery shares: who passes
a request on cannot read it back. Every step is on the ledger, and a deadline is watched from the
first day. Must never open a case: whoever holds one carries out what was granted.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import TypeAlias
from uuid import UUID

from casevault.domain.case.casefile import CaseMetadata
from casevault.domain.case.restricting import TellingWay
from casevault.domain.rights import rights
from casevault.domain.rights.rights import Asker, Check, Ground, Right, Stage, Step, Story
from casevault.domain.sharing.consent import Purpose
from casevault.domain.staff.access import Permission, Subject
from casevault.errors import Conflict, FieldError, NotFound, Tampered
from casevault.ids import new_id
from casevault.store.casework import deadlines, freezing, holding, matters, showing
from casevault.store.casework.deadlines import Deadline, DeadlineKind
from casevault.store.casework.held import Desk
from casevault.store.casework.matter_kinds import Kind
from casevault.store.casework.matters import Matter
from casevault.store.casework.showing import Shown
from casevault.store.context.caller import Caller, Gate
from casevault.store.context.stores import Stores
from casevault.store.engine.keyring import KeyringTransaction
from casevault.store.log.ledger import Act, Touched
from casevault.store.sharing import recipients

# When somebody looks again at a case that was frozen by a decision.
_FROZEN_DAYS = 180
# What a step makes of a request and its story.
Change: TypeAlias = Callable[[Matter, Story], tuple[Matter, Story]]


@dataclass(frozen=True, slots=True)
class Wish:
    """What is asked for, by whom, in which words; how the asker was checked, if that was done."""

    right: Right
    asker: Asker
    words: str = field(repr=False)
    check: Check | None = None
    purpose: Purpose | None = None


@dataclass(frozen=True, slots=True)
class Told:
    """A request as the DPO and the team's supervisors see it; no story where it does not open."""

    shown: Shown
    story: Story | None = field(repr=False)


class Rights:
    """The use cases of requests."""

    def __init__(self, stores: Stores, gate: Gate) -> None:
        self._stores = stores
        self._gate = gate
        self._desk = Desk(stores, gate)

    # --- received ---

    def ask(self, caller: Caller, case_id: UUID, wish: Wish) -> Matter:
        """Pass on what the survivor of a case that the caller holds asks for."""
        with self._stores.data.reading() as connection:
            held = self._desk.hold(caller, connection, case_id, Permission.RIGHT_ASK)
        with self._desk.recording_failure(caller, case_id):
            return self._take(caller, held.case, wish, "permit:caseload")

    def receive(self, caller: Caller, case: UUID | str, wish: Wish) -> Matter:
        """Note what reached the DPO directly.

        :raises NotFound: there is no such case (any more).
        """
        self._gate.require(caller, Permission.RIGHT_DECIDE, Subject("right"))
        with self._gate.denying(caller, Permission.RIGHT_DECIDE):
            found = holding.find_case(self._stores, case)
            return self._take(caller, found, wish, "permit:role")

    def _take(self, caller: Caller, case: CaseMetadata, wish: Wish, rule: str) -> Matter:
        stores, now = self._stores, self._stores.now()
        purpose = rights.check_purpose(wish.right, wish.purpose)
        step = Step(now, caller.staff.hex, Stage.RECEIVED.value)
        story = rights.begun(wish.asker, wish.words, step, wish.check, purpose)
        stage = Stage.RECEIVED if wish.check is None else Stage.CHECKED
        today = stores.clock.now().date()
        asked = Matter(
            new_id(),
            Kind.RIGHT,
            case.id,
            case.team,
            caller.staff,
            caller.staff,
            now,
            rights.due(today),
            wish.right.value,
            stage.value,
        )
        with stores.keyring.reading() as tx:
            _check_new(tx, asked)
        act = self._act("right.ask", caller, asked, rule, (wish.right.value, stage.value))
        with stores.ledger.giving(act), stores.keyring.writing() as tx:
            holding.require_there(tx, case.id)
            _check_new(tx, asked)
            text = matters.write(stores, tx, caller, asked, story.encode())
            matters.add(tx, matters.signed(stores.organisation, caller, replace(asked, text=text)))
            _watch(tx, asked)
        return asked

    # --- seen ---

    def list_(self, caller: Caller) -> list[Told]:
        """Return the requests: to the DPO all, to supervisors those of their teams."""
        self._gate.require(caller, Permission.RIGHT_LIST, Subject("right"))
        shown = showing.listed(self._stores, caller, Kind.RIGHT)
        return [Told(one, _story(one.text)) for one in shown]

    def of_case(self, caller: Caller, case_id: UUID) -> list[Matter]:
        """Return how far the requests of a case are, without their words, to whoever holds it."""
        stores = self._stores
        with stores.data.reading() as connection:
            self._desk.hold(caller, connection, case_id, Permission.CASE_READ)
        with stores.keyring.reading() as tx:
            found = matters.of_case(tx, Kind.RIGHT, case_id)
        touched = (Touched("case", case_id), *(Touched("right", one.id) for one in found))
        rule, count = "permit:caseload", len(found)
        stores.ledger.record(
            Act("right.read", caller.on_ledger, rule=rule, touched=touched, count=count)
        )
        return found

    def answer(self, caller: Caller, right_id: UUID) -> Told:
        """Return one request that was decided, to be printed as the answer to who asked."""
        stores, touched = self._stores, (Touched("right", right_id),)
        self._gate.require(caller, Permission.RIGHT_LIST, Subject("right"), touched)
        with self._gate.denying(caller, Permission.RIGHT_LIST, touched):
            with stores.keyring.reading() as tx:
                found = self._found(tx, caller, right_id)
                text = showing.text_of(tx, caller, found)
            if found.state in (Stage.RECEIVED, Stage.CHECKED):
                raise Conflict("Nobody has decided this yet.", code="right.undecided")
            case = holding.find_case(stores, found.case)
        stores.ledger.record(self._act("right.answer", caller, found, "permit:role"))
        return Told(Shown(found, case.reference, signed=True, text=text), _story(text))

    # --- decided ---

    def identify(self, caller: Caller, right_id: UUID, check: Check) -> Matter:
        """Note by which procedure it was made sure who asks; never what was shown."""
        return self._step(
            caller, right_id, Permission.RIGHT_IDENTIFY, "identify", Stage.CHECKED, check=check
        )

    def extend(self, caller: Caller, right_id: UUID, reason: str) -> Matter:
        """Give the answer two more months, once, with a reason that the asker is told."""
        stores = self._stores
        found = self._asked(caller, right_id, Permission.RIGHT_DECIDE)
        with self._gate.denying(caller, Permission.RIGHT_DECIDE, (Touched("right", right_id),)):
            today = stores.clock.now().date().isoformat()
            if found.state not in (Stage.RECEIVED, Stage.CHECKED) or found.due < today:
                raise Conflict(
                    "Only what is undecided and not overdue is extended.", code="right.late"
                )
        act = self._act("right.extend", caller, found, "permit:role")

        def more(present: Matter, story: Story) -> tuple[Matter, Story]:
            if story.is_extended:
                raise Conflict("This was extended once already.", code="right.extended")
            step = Step(stores.now(), caller.staff.hex, "extended", reason)
            return replace(present, due=rights.later(present.due)), story.with_step(step)

        return self._changed(caller, act, found.id, more)

    def decide(self, caller: Caller, right_id: UUID, reason: str, ground: Ground | None) -> Matter:
        """Grant a request, or refuse it on a ground (None: granted)."""
        stage = Stage.GRANTED if ground is None else Stage.REFUSED
        return self._step(
            caller,
            right_id,
            Permission.RIGHT_DECIDE,
            "decide",
            stage,
            reason=reason,
            ground=ground,
        )

    def finish(self, caller: Caller, case_id: UUID, right_id: UUID, told: TellingWay) -> Matter:
        """Note that what was decided is carried out and the survivor was told."""
        stores = self._stores
        with stores.data.reading() as connection:
            held = self._desk.hold(caller, connection, case_id, Permission.RIGHT_ASK)
            with self._desk.recording_failure(caller, case_id):
                with stores.keyring.reading() as tx:
                    found = matters.find(tx, right_id, Kind.RIGHT)
                if found.case != case_id:
                    raise NotFound()
                stage = rights.moved(found.state, Stage.DONE)
                if found.state == Stage.GRANTED and found.type in rights.TOLD_TO_OTHERS:
                    recipients.check_told(stores, held, connection, right_id)
        act = self._act("right.done", caller, found, "permit:caseload", (told.value,))
        with stores.ledger.giving(act), stores.keyring.writing() as tx:
            present = matters.find(tx, right_id, Kind.RIGHT, lock=True)
            rights.moved(present.state, Stage.DONE)
            return self._keep(tx, caller, replace(present, state=stage))

    def _step(
        self,
        caller: Caller,
        right_id: UUID,
        permission: Permission,
        name: str,
        to: Stage,
        *,
        check: Check | None = None,
        reason: str = "",
        ground: Ground | None = None,
    ) -> Matter:
        stores = self._stores
        found = self._asked(caller, right_id, permission)
        with self._gate.denying(caller, permission, (Touched("right", right_id),)):
            rights.moved(found.state, to)
            # Nobody decides about what is gone.
            case = holding.find_case(stores, found.case)
        said = tuple(one.value for one in (to, check, ground) if one is not None)
        act = self._act(f"right.{name}", caller, found, "permit:role", said)
        if to is Stage.GRANTED and found.type == Right.RESTRICTION:
            self._freeze(caller, case, reason)

        def step(present: Matter, story: Story) -> tuple[Matter, Story]:
            rights.moved(present.state, to)
            done = Step(stores.now(), caller.staff.hex, to.value, reason)
            return replace(present, state=to.value), story.with_step(
                done,
                check=None if check is None else check.value,
                ground=None if ground is None else ground.value,
            )

        return self._changed(caller, act, right_id, step)

    def _freeze(self, caller: Caller, case: CaseMetadata, reason: str) -> None:
        stores = self._stores
        with stores.keyring.reading() as tx:
            if matters.restricted(tx, [case.id]):
                return
        review = stores.clock.now().date() + timedelta(days=_FROZEN_DAYS)
        freezing.freeze(stores, caller, case, reason, review)

    def _asked(self, caller: Caller, right_id: UUID, permission: Permission) -> Matter:
        touched = (Touched("right", right_id),)
        self._gate.require(caller, permission, Subject("right"), touched)
        denying = self._gate.denying(caller, permission, touched)
        with denying, self._stores.keyring.reading() as tx:
            return self._found(tx, caller, right_id)

    @staticmethod
    def _found(tx: KeyringTransaction, caller: Caller, right_id: UUID) -> Matter:
        found = matters.find(tx, right_id, Kind.RIGHT)
        if not showing.is_seen(caller, found):
            raise NotFound()
        return found

    def _changed(
        self,
        caller: Caller,
        act: Act,
        right_id: UUID,
        change: Change,
    ) -> Matter:
        stores = self._stores
        with stores.ledger.giving(act), stores.keyring.writing() as tx:
            present = matters.find(tx, right_id, Kind.RIGHT, lock=True)
            story = _story(matters.read(tx, caller, present))
            if story is None:
                raise Tampered(code="right")
            moved, grown = change(present, story)
            if moved.state == Stage.GRANTED and grown.purpose is not None:
                self._object(tx, caller, moved, grown.purpose)
            return self._keep(tx, caller, matters.rewritten(tx, caller, moved, grown.encode()))

    def _object(self, tx: KeyringTransaction, caller: Caller, right: Matter, purpose: str) -> None:
        """Stop a purpose at once: by a row that needs no key of the case."""
        stores = self._stores
        stopped = replace(
            right,
            id=new_id(),
            kind=Kind.OBJECTION,
            type=purpose,
            author=caller.staff,
            at=stores.now(),
            state="open",
        )
        text = matters.write(stores, tx, caller, stopped, right.id.hex)
        matters.add(tx, matters.signed(stores.organisation, caller, replace(stopped, text=text)))

    def _keep(self, tx: KeyringTransaction, caller: Caller, changed: Matter) -> Matter:
        stores = self._stores
        by = replace(changed, author=caller.staff, at=stores.now())
        signed = matters.signed(stores.organisation, caller, by)
        matters.change(tx, signed)
        if rights.is_open(signed.state):
            _watch(tx, signed)
        else:
            deadlines.settle(tx, signed.id)
        return signed

    @staticmethod
    def _act(
        code: str, caller: Caller, right: Matter, rule: str, filters: tuple[str, ...] = ()
    ) -> Act:
        touched = (Touched("right", right.id), Touched("case", right.case))
        return Act(code, caller.on_ledger, rule=rule, touched=touched, filters=filters)


def _check_new(tx: KeyringTransaction, asked: Matter) -> None:
    same = (one for one in matters.of_case(tx, Kind.RIGHT, asked.case) if one.type == asked.type)
    if any(rights.is_open(one.state) for one in same):
        raise Conflict(
            "This was asked for already, and is not done yet.",
            code="right.open",
            errors=(FieldError("/right", "right.open"),),
        )


def _story(text: str | None) -> Story | None:
    try:
        return None if text is None else Story.decode(text)
    except Tampered:
        return None


def _watch(tx: KeyringTransaction, right: Matter) -> None:
    """Watch that a request is answered in time."""
    deadlines.settle(tx, right.id)
    due = int(datetime.combine(date.fromisoformat(right.due), time.max, UTC).timestamp())
    kind = DeadlineKind.RIGHT
    deadlines.add(tx, Deadline(right.id, kind, right.case, right.team, right.owner, due))
