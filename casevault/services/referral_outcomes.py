"""What becomes of a referral that was sent: seen, recalled, answered; and how facts follow it.

The recipient's page knows before the case does: it is answered by somebody without any key of the
case. A caseworker takes the answer over, and only then it is in the record and in the facts. Must
never say that something was called back that a recipient has read.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from casevault.domain import referral
from casevault.domain.access import Permission
from casevault.domain.casefile import Compartment, DocumentKind
from casevault.domain.collecting import PageState
from casevault.domain.referral import ReferralState, stage_of
from casevault.errors import Conflict
from casevault.store import arrivals, collect_pages, referral_ends
from casevault.store.arrivals import Arrival, ArrivalKind
from casevault.store.caller import Caller, Gate
from casevault.store.collect_pages import CollectPage
from casevault.store.held import Change, Desk, Done
from casevault.store.ledger import Touched
from casevault.store.records import Kept, kept
from casevault.store.referral_ends import PACKAGE
from casevault.store.stores import Stores

_KIND = DocumentKind.REFERRAL
_NARRATIVE, _FACTS = Compartment.NARRATIVE.value, Compartment.FACTS.value
_BOTH = (_NARRATIVE, _FACTS)
_S = ReferralState


@dataclass(frozen=True, slots=True)
class Live:
    """A referral as it stands now: its record's stage, or what its page knows since.

    `is_news`: there is something to take over.
    """

    kept: Kept
    stage: ReferralState
    page: PageState | None
    opened: int
    expires_at: int | None
    overdue: bool
    is_news: bool


@dataclass(frozen=True, slots=True)
class Recalled:
    """Whether the recipient had read it before: then it cannot be called back."""

    stage: ReferralState
    was_read: bool


class ReferralOutcomes:
    """The use cases of a referral that has left."""

    def __init__(self, stores: Stores, gate: Gate) -> None:
        self._stores = stores
        self._desk = Desk(stores, gate)

    def live(self, case_id: UUID, found: Iterable[Kept]) -> list[Live]:
        """Return referrals that somebody has just read with what their pages know since."""
        with self._stores.keyring.reading() as tx:
            pages = collect_pages.of_cases(tx, [case_id])
        return [self._live(one, pages.get(one.id)) for one in found]

    def recall(
        self, caller: Caller, case_id: UUID, row: UUID, reason: str, *, by_survivor: bool
    ) -> Recalled:
        """Give a referral up; its page opens nothing from now on and says so.

        `by_survivor`: they do not want it; nobody has to say why.
        """

        def work(change: Change) -> tuple[Recalled, Done]:
            found = kept(change.document(_NARRATIVE, _KIND.value, row))
            marks = {"decided_by": caller.staff.hex, "decision": reason}
            if by_survivor:
                marks[referral.BY_SURVIVOR] = "yes"
            before = referral_ends.give_up(self._stores, change, found, **marks)
            referral_ends.recount(change)
            was_read = _is_out(found) or (before is not None and before.opened > 0)
            return Recalled(_S.RECALLED, was_read), _done("recall", row)

        return self._desk.change(caller, case_id, Permission.CASE_REFER, _BOTH, work)

    def note(
        self, caller: Caller, case_id: UUID, row: UUID, answer: ReferralState, words: str
    ) -> Live:
        """Note what the recipient of a package, or of a letter on paper, said.

        :raises Conflict: it was sent as a page, on which its recipient answers; or was not sent.
        """

        def work(change: Change) -> tuple[Live, Done]:
            found = kept(change.document(_NARRATIVE, _KIND.value, row))
            if not _is_out(found):
                raise Conflict("This was not sent as a package.", code="referral.no-package")
            stage = referral.moved(stage_of(found.record), answer)
            said = [text for text in (found.record.marks.get("answer", ""), words) if text]
            marked = found.record.marked(
                **{
                    referral.STAGE: stage.value,
                    referral.OUTCOME_ON: self._today(),
                    "answer": "\n".join(said),
                }
            )
            change.amend(_NARRATIVE, row, marked.encode(), found.version)
            referral_ends.recount(change)
            return self.live(case_id, [Kept(row, _KIND, found.version + 1, marked)])[0], _done(
                "outcome", row
            )

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
                "answer": words,
            }
            marked = found.record.marked(**marks)
            change.amend(_NARRATIVE, row, marked.encode(), found.version)
            referral_ends.recount(change)
            now = Kept(row, _KIND, found.version + 1, marked)
            return self.live(case_id, [now])[0], _done("outcome", row)

        live = self._desk.change(caller, case_id, Permission.CASE_REFER, _BOTH, work)
        with self._stores.keyring.writing() as tx:
            # It is in the case now, under the case's own keys.
            arrivals.drop(tx, [one.id for one in heard])
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

    def _live(self, one: Kept, page: CollectPage | None) -> Live:
        now, own = self._stores.now(), stage_of(one.record)
        seen = collect_pages.seen(one.record, page, now)
        answer_by = one.record.current.content.get("answer_by")
        return Live(
            kept=one,
            stage=seen,
            page=None if page is None else page.state(now),
            opened=0 if page is None else page.opened,
            expires_at=None if page is None else page.expires_at,
            overdue=referral.is_overdue(seen, answer_by, self._stores.clock.now().date()),
            is_news=seen is not own,
        )

    def _today(self) -> str:
        return self._stores.clock.now().date().isoformat()


def _is_out(one: Kept) -> bool:
    """Say whether somebody holds a package or a sheet of paper, out of our reach."""
    return not {PACKAGE, referral.ON_PAPER}.isdisjoint(one.record.marks)


def _done(act: str, row: UUID) -> Done:
    return Done(f"{_KIND.value}.{act}", (), (Touched(_KIND.value, row),))
