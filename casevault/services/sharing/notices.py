"""Telling earlier recipients that something was corrected or frozen: GDPR article 19.

Whoever holds the case gets a task for each recipient, on the worklist until it is done; a request
to correct or to freeze is not done before. What was corrected is in the case, not here.
"""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from casevault.domain.case.casefile import DocumentKind
from casevault.domain.case.records import Record
from casevault.domain.rights import rights
from casevault.domain.rights.rights import Stage
from casevault.domain.staff.access import Permission
from casevault.errors import Conflict, NotFound
from casevault.store.case.records import Kept
from casevault.store.casework import feeds, matters
from casevault.store.casework.held import Change, Desk, Done
from casevault.store.casework.matter_kinds import Kind
from casevault.store.casework.matters import Matter
from casevault.store.context.caller import Caller, Gate
from casevault.store.context.stores import Stores
from casevault.store.log.ledger import Act, Touched
from casevault.store.sharing import recipients, referral_traces
from casevault.store.sharing.recipients import NARRATIVE, Notice

_TASK = DocumentKind.TASK
# Within which recipients are told.
_DAYS = 14


class Notices:
    """The use cases of notices."""

    def __init__(self, stores: Stores, gate: Gate) -> None:
        self._stores = stores
        self._desk = Desk(stores, gate)

    def list_(self, caller: Caller, case_id: UUID, right_id: UUID) -> list[Notice]:
        """Return whom to tell for a request, and who was told."""
        stores = self._stores
        with stores.data.reading() as connection:
            held = self._desk.hold(caller, connection, case_id, Permission.CASE_READ, NARRATIVE)
            with self._desk.recording_failure(caller, case_id):
                self._right(case_id, right_id)
                manifest = held.manifest(connection, NARRATIVE)
                found = held.documents(connection, manifest, recipients.KINDS)
        with stores.keyring.reading() as tx:
            traces = referral_traces.of_cases(tx, [case_id], stores.now())
        notices = recipients.to_tell(found, traces, right_id, stores.clock.now().date())
        touched = (Touched("case", case_id), Touched("right", right_id))
        act = Act("notice.list", caller.on_ledger, rule="permit:caseload", touched=touched)
        stores.ledger.record(act)
        return notices

    def draw_up(self, caller: Caller, case_id: UUID, right_id: UUID, words: str) -> list[Notice]:
        """Make a task for each recipient who has none yet; return all of them.

        `words` are what each is to be told; they lie in the case.
        """
        stores, today = self._stores, self._stores.clock.now().date()
        due = (today + timedelta(days=_DAYS)).isoformat()
        made: list[Kept] = []

        def work(change: Change) -> tuple[list[Notice], Done]:
            made.clear()
            right = self._right(case_id, right_id)
            if right.state != Stage.GRANTED:
                raise Conflict("Only what was granted is told to others.", code="notice.stage")
            with stores.keyring.reading() as tx:
                traces = referral_traces.of_cases(tx, [case_id], stores.now())
            found = change.documents(NARRATIVE, recipients.KINDS)
            for one in recipients.to_tell(found, traces, right_id, today):
                if one.task is None:
                    made.append(self._task(caller, change, right_id, one, words, due))
            again = change.documents(NARRATIVE, recipients.KINDS)
            also = tuple(Touched("task", one.id) for one in made)
            done = Done("notice.add", also=(Touched("right", right_id), *also))
            return recipients.to_tell(again, traces, right_id, today), done

        notices = self._desk.change(
            caller, case_id, Permission.RIGHT_ASK, [NARRATIVE], work, frozen_too=True
        )
        for one in made:
            feeds.follow(stores, caller, one)
        return notices

    def _task(
        self, caller: Caller, change: Change, right: UUID, one: Notice, words: str, due: str
    ) -> Kept:
        text = f"{one.recipient} ({one.sent_on}): {words}"
        content = self._stores.dictionary.validate(
            _TASK, {"type": "follow_up", "due": due, "text": text}
        )
        marks = {recipients.RIGHT: right.hex, recipients.REFERRAL: one.referral.hex}
        record = Record.new(content, caller.staff, self._stores.now(), caller.staff, **marks)
        row = change.add(NARRATIVE, _TASK.value, record.encode())
        return Kept(row, _TASK, 1, record)

    def _right(self, case_id: UUID, right_id: UUID) -> Matter:
        with self._stores.keyring.reading() as tx:
            found = matters.find(tx, right_id, Kind.RIGHT)
        if found.case != case_id or found.type not in rights.TOLD_TO_OTHERS:
            raise NotFound()
        return found
