"""What is known of a referral outside of its case: by its page, or by the inbox of another team.

Both know before the case does, because nobody there has a key of it. How far a referral is follows
from its record and from this, and never goes back. Must never say that what was read came back.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from types import MappingProxyType
from uuid import UUID

from casevault.domain.case.records import Record
from casevault.domain.sharing import referral
from casevault.domain.sharing.collecting import PageState
from casevault.domain.sharing.exchanging import Saying
from casevault.domain.sharing.referral import ReferralState, stage_of
from casevault.store.engine.keyring import KeyringTransaction
from casevault.store.sharing import arrivals, collect_pages, exchanges, leaving
from casevault.store.sharing.arrivals import KEPT_SECONDS, Arrival, ArrivalState
from casevault.store.sharing.collect_pages import PAGE, CollectPage
from casevault.store.sharing.exchanges import Sent

# The mark of a referral's record that names what lies in a team's inbox.
ARRIVAL = "arrival"
# The marks of whatever is known outside of the case.
TRACED = frozenset({PAGE, ARRIVAL, exchanges.MARK})
_S = ReferralState
_STAGES: Mapping[ArrivalState, ReferralState] = MappingProxyType(
    {
        ArrivalState.WAITING: _S.SENT,
        ArrivalState.SEEN: _S.RECEIVED,
        ArrivalState.TAKEN: _S.ACCEPTED,
        ArrivalState.MERGED: _S.ACCEPTED,
        ArrivalState.DECLINED: _S.DECLINED,
        ArrivalState.COMPLETED: _S.COMPLETED,
        ArrivalState.RECALLED: _S.RECALLED,
    }
)


@dataclass(frozen=True, slots=True)
class Trace:
    """How far a referral is, as its page or the other team's inbox says at a moment."""

    stage: ReferralState
    was_read: bool
    page: PageState | None = None
    opened: int = 0
    expires_at: int | None = None
    # Why another team declined: a code.
    reason: str = ""
    # What went to the vault of a partner, and what that one has said since.
    letter: Sent | None = None


def of_cases(tx: KeyringTransaction, cases: Iterable[UUID], now: int) -> dict[UUID, Trace]:
    """Return what is known of the referrals of these cases, by referral."""
    wanted = list(cases)
    pages = collect_pages.of_cases(tx, wanted)
    handed_on = arrivals.referrals_of(tx, wanted)
    letters = exchanges.of_cases(tx, wanted, Saying.LETTER)
    return (
        {row: _of_page(one, now) for row, one in pages.items()}
        | {row: _of_arrival(one, now) for row, one in handed_on.items()}
        | {row: _of_letter(one, now) for row, one in letters.items()}
    )


def seen(record: Record, trace: Trace | None, today: date) -> ReferralState:
    """Return how far a referral is: what its record says, or what is known outside since."""
    own = stage_of(record)
    if own not in referral.OUT:
        return own
    if trace is not None:
        # What was said by phone may be ahead of the page.
        return trace.stage if referral.may_move(own, trace.stage) else own
    left = own in (_S.SENT, _S.RECEIVED) and not TRACED.isdisjoint(record.marks)
    # Page and inbox forget a month after their date.
    return _S.EXPIRED if left and not is_undelivered(record, trace, today) else own


def is_undelivered(record: Record, trace: Trace | None, today: date) -> bool:
    """Say whether a letter to a team was cut off on its way: to be sent once more."""
    made = not {ARRIVAL, exchanges.MARK}.isdisjoint(record.marks)
    if trace is not None or not made or stage_of(record) is not _S.SENT:
        return False
    sent = date.fromisoformat(record.marks[referral.SENT_ON])
    return today <= sent + timedelta(seconds=KEPT_SECONDS)


def recall(tx: KeyringTransaction, record: Record, now: int) -> Trace | None:
    """End page and inbox entry of a referral for good; return what was known, None if nothing."""
    page, arrival = leaving.named(record, PAGE), leaving.named(record, ARRIVAL)
    letter = leaving.named(record, exchanges.MARK)
    if page is not None:
        ended = collect_pages.recall(tx, page)
        return None if ended is None else _of_page(ended, now)
    if arrival is not None:
        before = arrivals.recall(tx, arrival)
        return None if before is None else _of_arrival(before, now)
    if letter is not None:
        sent = exchanges.recall(tx, letter)
        return None if sent is None else _of_letter(sent, now)
    return None


def _of_page(page: CollectPage, now: int) -> Trace:
    state = page.state(now)
    return Trace(page.stage(now), page.opened > 0, state, page.opened, page.expires_at)


def _of_letter(one: Sent, now: int) -> Trace:
    # What was delivered may have been read since we asked.
    was_read = one.delivered_at is not None
    return Trace(one.stage(now), was_read, None, one.opened, one.expires_at, letter=one)


def _of_arrival(one: Arrival, now: int) -> Trace:
    stage = _STAGES[one.state]
    if one.is_open and one.is_over(now):
        stage = _S.EXPIRED
    return Trace(stage, one.state is not ArrivalState.WAITING, None, 0, one.ends_at, one.reason)
