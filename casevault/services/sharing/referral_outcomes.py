"""What becomes of a referral that was sent: seen, recalled, answered; and how facts follow it.

A recipient's page or inbox knows before the case does: it is answered by somebody without any key
of the case. A caseworker takes the answer over, or writes down what was said by phone, and only
then it is in the record and in the facts. Must never say that something was called back that a
recipient has read.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from casevault.domain.case.casefile import Compartment, DocumentKind
from casevault.domain.sharing import referral
from casevault.domain.sharing.exchanging import Saying
from casevault.domain.sharing.referral import ReferralState, Told, stage_of
from casevault.domain.staff.access import Permission
from casevault.errors import Conflict
from casevault.store.case.records import Kept, kept
from casevault.store.casework.held import Change, Desk, Done
from casevault.store.context.caller import Caller, Gate
from casevault.store.context.stores import Stores
from casevault.store.log.ledger import Touched
from casevault.store.sharing import arrivals, exchanges, leaving, referral_ends, referral_traces
from casevault.store.sharing.arrivals import Arrival, ArrivalKind
from casevault.store.sharing.exchanges import Sent
from casevault.store.sharing.referral_ends import PACKAGE
from casevault.store.sharing.referral_traces import ARRIVAL, Trace

_KIND = DocumentKind.REFERRAL
_NARRATIVE, _FACTS = Compartment.NARRATIVE.value, Compartment.FACTS.value
_BOTH = (_NARRATIVE, _FACTS)
_S = ReferralState


@dataclass(frozen=True, slots=True)
class Live:
    """A referral as it stands now: its record's stage, or what is known outside since.

    `is_news`: there is something to take over; `undelivered`: to be sent once more.
    """

    kept: Kept
    stage: ReferralState
    trace: Trace | None
    overdue: bool
    is_news: bool
    undelivered: bool
    question: Sent | None


@dataclass(frozen=True, slots=True)
class Recalled:
    """Whether the recipient had read it before: then it cannot be called back."""

    stage: ReferralState
    was_read: bool
    # What the vault of a partner is to be told of.
    letter: UUID | None = None


class ReferralOutcomes:
    """The use cases of a referral that has left."""

    def __init__(self, stores: Stores, gate: Gate) -> None:
        self._stores = stores
        self._desk = Desk(stores, gate)

    def live(self, case_id: UUID, found: Iterable[Kept]) -> list[Live]:
        """Return referrals that somebody has just read with what is known outside since."""
        with self._stores.keyring.reading() as tx:
            traces = referral_traces.of_cases(tx, [case_id], self._stores.now())
            asked = exchanges.of_cases(tx, [case_id], Saying.QUESTION)
        return [self._live(one, traces.get(one.id), asked.get(one.id)) for one in found]

    def recall(
        self, caller: Caller, case_id: UUID, row: UUID, reason: str, *, by_survivor: bool
    ) -> Recalled:
        """Give a referral up; page or inbox open nothing of it from now on and say so.

        `by_survivor`: they do not want it; nobody has to say why.
        """

        def work(change: Change) -> tuple[Recalled, Done]:
            found = kept(change.document(_NARRATIVE, _KIND.value, row))
            marks = {"decided_by": caller.staff.hex, "decision": reason}
            if by_survivor:
                marks[referral.BY_SURVIVOR] = "yes"
            before = referral_ends.give_up(self._stores, change, found, **marks)
            referral_ends.recount(change)
            was_read = _is_out(found) or (before is not None and before.was_read)
            letter = leaving.named(found.record, exchanges.MARK)
            return Recalled(_S.RECALLED, was_read, letter), _done("recall", row)

        return self._desk.change(
            caller, case_id, Permission.CASE_REFER, _BOTH, work, frozen_too=True
        )

    def note(
        self, caller: Caller, case_id: UUID, row: UUID, answer: ReferralState, told: Told
    ) -> Live:
        """Write down what a partner said by phone, by letter or in person.

        :raises Conflict: it was not sent, or to a team of our own, which answers in its inbox.
        :raises Invalid: it was said before it was sent, or on a day to come.
        """

        def work(change: Change) -> tuple[Live, Done]:
            found = kept(change.document(_NARRATIVE, _KIND.value, row))
            leaving.require_partner(found.record)
            stage = referral.moved(stage_of(found.record), answer)
            told.check(found.record, self._stores.clock.now().date())
            marks = {
                referral.STAGE: stage.value,
                referral.OUTCOME_ON: self._today(),
                "answer": _joined(found, told.words),
                referral.TOLD_BY: told.by.value,
                referral.TOLD_ON: told.on.isoformat(),
            }
            marked = found.record.marked(**marks)
            change.amend(_NARRATIVE, row, marked.encode(), found.version)
            referral_ends.recount(change)
            if stage not in referral.OUT and exchanges.MARK not in found.record.marks:
                # Nobody needs to read it any more; another vault has it in its own case.
                referral_ends.end_trace(self._stores, found.record)
            now = Kept(row, _KIND, found.version + 1, marked)
            return self.live(case_id, [now])[0], _done("told", row)

        return self._desk.change(caller, case_id, Permission.CASE_REFER, _BOTH, work)

    def take_over(self, caller: Caller, case_id: UUID, row: UUID) -> Live:
        """Take what the recipient answered, or did not answer in time, into the case.

        :raises Conflict: there is nothing new.
        """
        heard: list[Arrival] = []

        def work(change: Change) -> tuple[Live, Done]:
            found = kept(change.document(_NARRATIVE, _KIND.value, row))
            live = self.live(case_id, [found])[0]
            words, those = self._heard(caller, case_id, row)
            if not live.is_news and not those:
                raise Conflict("There is nothing new about this referral.", code="referral.no-news")
            heard[:] = those
            marks = {
                referral.STAGE: live.stage.value,
                referral.OUTCOME_ON: self._today(),
                "answer": _joined(found, words),
            }
            if live.trace is not None and live.trace.reason:
                marks[referral.DECLINED_FOR] = live.trace.reason
            marked = found.record.marked(**marks)
            change.amend(_NARRATIVE, row, marked.encode(), found.version)
            referral_ends.recount(change)
            now = Kept(row, _KIND, found.version + 1, marked)
            return self.live(case_id, [now])[0], _done("outcome", row)

        live = self._desk.change(caller, case_id, Permission.CASE_REFER, _BOTH, work)
        over = leaving.named(live.kept.record, ARRIVAL) if live.stage not in referral.OUT else None
        with self._stores.keyring.writing() as tx:
            # It is in the case now, under the case's own keys.
            arrivals.drop(tx, [*(one.id for one in heard), *([over] if over else [])])
        return live

    def _heard(self, caller: Caller, case_id: UUID, row: UUID) -> tuple[str, list[Arrival]]:
        """Return the words of answers to a referral that this caller can open, oldest first."""
        words, found = [], []
        with self._stores.keyring.reading() as tx:
            for one in arrivals.about(tx, [case_id]):
                if one.kind is ArrivalKind.ANSWER and one.referral == row:
                    content = arrivals.read(tx, caller, one)
                    if content is not None:
                        found.append(one)
                        words.append(str(content.get("words", "")))
        return "\n".join(words), found

    def _live(self, one: Kept, trace: Trace | None, question: Sent | None) -> Live:
        today, own = self._stores.clock.now().date(), stage_of(one.record)
        seen = referral_traces.seen(one.record, trace, today)
        answer_by = one.record.current.content.get("answer_by")
        return Live(
            kept=one,
            stage=seen,
            trace=trace,
            overdue=referral.is_overdue(seen, answer_by, today),
            is_news=seen is not own,
            undelivered=referral_traces.is_undelivered(one.record, trace, today),
            question=question,
        )

    def _today(self) -> str:
        return self._stores.clock.now().date().isoformat()


def _is_out(one: Kept) -> bool:
    """Say whether somebody holds a package or a sheet of paper, out of our reach."""
    return not {PACKAGE, referral.ON_PAPER}.isdisjoint(one.record.marks)


def _joined(one: Kept, words: str) -> str:
    """Return what was said so far, and these words."""
    return "\n".join(text for text in (one.record.marks.get("answer", ""), words) if text)


def _done(act: str, row: UUID) -> Done:
    return Done(f"{_KIND.value}.{act}", (), (Touched(_KIND.value, row),))
