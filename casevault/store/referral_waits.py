"""What about referrals and consents waits for somebody: answers, silence, dates that come near.

Decided from the record and from what its page knows; no text is looked at.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from enum import StrEnum

from casevault.domain import consent
from casevault.domain.collecting import PageState
from casevault.domain.consent import State
from casevault.domain.referral import ReferralState, is_overdue, stage_of
from casevault.store import collect_pages
from casevault.store.collect_pages import CollectPage
from casevault.store.records import Kept

EXPIRING = timedelta(days=30)


class Wait(StrEnum):
    """Why it waits; each is a type of the worklist."""

    OVERDUE = "referral_overdue"
    ANSWERED = "referral_answered"
    DECLINED = "referral_declined"
    # Five wrong codes: the recipient can open it no more.
    CLOSED = "referral_closed"
    CONSENT = "consent_expiring"


def of_referral(
    one: Kept, page: CollectPage | None, now: int, today: date
) -> Iterator[tuple[Wait, str | None]]:
    """Yield what waits about a referral, each with its date."""
    seen = collect_pages.seen(one.record, page, now)
    answer_by = one.record.current.content.get("answer_by")
    if is_overdue(seen, answer_by, today):
        yield Wait.OVERDUE, answer_by
    if seen is ReferralState.DECLINED and stage_of(one.record) is not seen:
        yield Wait.DECLINED, None
    elif seen is not stage_of(one.record) and seen is not ReferralState.RECEIVED:
        yield Wait.ANSWERED, None
    if page is not None and page.state(now) is PageState.DEAD:
        yield Wait.CLOSED, None


def of_consent(one: Kept, now: int, today: date) -> Iterator[tuple[Wait, str | None]]:
    """Yield that a consent ends within a month, to ask again in time."""
    ground = consent.ground_of(one.id, one.record, now)
    if ground.state is State.HOLDS and today <= ground.last <= today + EXPIRING:
        yield Wait.CONSENT, ground.last.isoformat()
