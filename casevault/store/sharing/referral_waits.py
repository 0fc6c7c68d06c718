"""What about referrals and consents waits for somebody: answers, silence, dates that come near.

Decided from the record and from what is known outside since; no text is looked at.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from enum import StrEnum

from casevault.domain.sharing import consent
from casevault.domain.sharing.collecting import PageState
from casevault.domain.sharing.consent import State
from casevault.domain.sharing.referral import ReferralState, is_overdue, stage_of
from casevault.store.case.records import Kept
from casevault.store.sharing import referral_traces
from casevault.store.sharing.referral_traces import Trace

EXPIRING = timedelta(days=30)


class Wait(StrEnum):
    """Why it waits; each is a type of the worklist."""

    OVERDUE = "referral_overdue"
    ANSWERED = "referral_answered"
    DECLINED = "referral_declined"
    # Five wrong codes: the recipient can open it no more.
    CLOSED = "referral_closed"
    # Cut off on its way to another team: to be sent once more.
    UNDELIVERED = "referral_undelivered"
    CONSENT = "consent_expiring"


def of_referral(one: Kept, trace: Trace | None, today: date) -> Iterator[tuple[Wait, str | None]]:
    """Yield what waits about a referral, each with its date."""
    seen = referral_traces.seen(one.record, trace, today)
    answer_by = one.record.current.content.get("answer_by")
    if is_overdue(seen, answer_by, today):
        yield Wait.OVERDUE, answer_by
    if seen is ReferralState.DECLINED and stage_of(one.record) is not seen:
        yield Wait.DECLINED, None
    elif seen is not stage_of(one.record) and seen is not ReferralState.RECEIVED:
        yield Wait.ANSWERED, None
    if trace is not None and trace.page is PageState.DEAD:
        yield Wait.CLOSED, None
    if referral_traces.is_undelivered(one.record, trace, today):
        yield Wait.UNDELIVERED, None


def of_consent(one: Kept, now: int, today: date) -> Iterator[tuple[Wait, str | None]]:
    """Yield that a consent ends within a month, to ask again in time."""
    ground = consent.ground_of(one.id, one.record, now)
    if ground.state is State.HOLDS and today <= ground.last <= today + EXPIRING:
        yield Wait.CONSENT, ground.last.isoformat()
