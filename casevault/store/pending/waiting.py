"""What waits for people: its kinds, one thing of them, and what can be told without keys of a case.

Holds, restrictions, requests and complaints are named by kind, day and id, never by their words.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from uuid import UUID

from casevault.domain.case import keeping
from casevault.domain.case.casefile import CaseMetadata
from casevault.domain.case.retention import WARNING_DAYS, Schedule
from casevault.domain.rights import rights
from casevault.store.case import cases
from casevault.store.casework import matters
from casevault.store.casework.matter_kinds import Kind
from casevault.store.casework.matters import Matter
from casevault.store.casework.transferring import Returned
from casevault.store.context.stores import Stores
from casevault.store.engine.keyring import KeyringTransaction
from casevault.store.sharing.referral_waits import Wait


class Waiting(StrEnum):
    """Why something is on the worklist."""

    TASK = "task"
    REVIEW = "review"
    CLOSING = "closing"
    BASIS = "basis"
    # What leaves: to be approved, not answered in time, answered, to be asked again.
    REFERRAL = "referral"
    REFERRAL_OVERDUE = Wait.OVERDUE.value
    REFERRAL_ANSWERED = Wait.ANSWERED.value
    REFERRAL_DECLINED = Wait.DECLINED.value
    REFERRAL_CLOSED = Wait.CLOSED.value
    REFERRAL_UNDELIVERED = Wait.UNDELIVERED.value
    CONSENT_EXPIRING = Wait.CONSENT.value
    # Of no case: what came in for the team, and an organisation to ask again.
    INTAKE = "intake"
    # Read by somebody here, then called back by the team that had sent it.
    INTAKE_RECALLED = "intake_recalled"
    PARTNER_STALE = "partner_stale"
    REKEY = "rekey"
    BREAK_GLASS = "break_glass"
    ACCESS_REQUEST = "access_request"
    DUPLICATE = "duplicate"
    # A case that the own team is to take, or that another team has not taken yet.
    TRANSFER_IN = "transfer_in"
    TRANSFER_OUT = "transfer_out"
    # A legal hold that is to be looked at; parts of a case that go soon.
    HOLD_REVIEW = "hold_review"
    ERASURE = "erasure"
    # What a survivor asked for, not done yet; a frozen case to be looked at; a complaint.
    RIGHT = "right"
    RESTRICTION_REVIEW = "restriction_review"
    COMPLAINT = "complaint"
    UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True)
class Item:
    """One thing that waits; `due` is ``2026-11-30``. A row that does not hold has no reference."""

    type: Waiting
    case: UUID | None
    reference: str | None
    due: str | None = None
    record: UUID | None = None
    overdue: bool = False
    why: Returned | None = None


def matters_that_wait(tx: KeyringTransaction, cases: Collection[UUID]) -> list[Matter]:
    """Return the matters of these cases that somebody will have to look at."""
    return [one for one in matters.of_cases(tx, _WAITS, cases) if not _is_over(one)]


def of_case(
    schedule: Schedule, waits: Iterable[Matter], case: CaseMetadata, today: date
) -> Iterator[Item]:
    """Give what is about the keeping of a case: what was asked, parts that go soon, reviews."""
    yield from _near((one for one in waits if one.case == case.id), case, today)
    warned = keeping.warning(schedule, case, today)
    if warned is not None:
        # Twice: in the month before, and as something that cannot wait in the last week.
        due, days = warned
        last = days == min(WARNING_DAYS)
        yield Item(Waiting.ERASURE, case.id, case.reference, due, overdue=last)


def of_dpo(stores: Stores, today: date) -> list[Item]:
    """Return everything that waits for the data protection officer."""
    with stores.keyring.reading() as tx:
        waits = [one for kind in (*_WAITS, Kind.COMPLAINT) for one in matters.all_(tx, kind)]
    with stores.data.reading() as connection:
        rows = cases.find_cases(connection, stores.roots, [one.case for one in waits])
    found: list[Item] = []
    for one in (one for one in waits if not _is_over(one)):
        row = rows.get(one.case)
        if row is not None:
            found += _near([one], row, today)
        elif one.kind is Kind.COMPLAINT:
            overdue = one.due < today.isoformat()
            found.append(Item(Waiting.COMPLAINT, None, None, one.due, one.id, overdue))
    return found


def dated(
    waiting: Waiting, case: CaseMetadata, due: str, today: date, record: UUID | None = None
) -> Item:
    """Return something of a case that is due on a day."""
    return Item(waiting, case.id, case.reference, due, record, due < today.isoformat())


_WAITS = {
    Kind.HOLD: Waiting.HOLD_REVIEW,
    Kind.RESTRICTION: Waiting.RESTRICTION_REVIEW,
    Kind.RIGHT: Waiting.RIGHT,
}
_NAMES = {**_WAITS, Kind.COMPLAINT: Waiting.COMPLAINT}
# Reviews are shown when they come near; what somebody asked for, from the first day.
_REVIEWS = frozenset({Kind.HOLD, Kind.RESTRICTION})


def _near(waits: Iterable[Matter], case: CaseMetadata, today: date) -> Iterator[Item]:
    near = (today + timedelta(days=max(WARNING_DAYS))).isoformat()
    for one in waits:
        if one.kind not in _REVIEWS or one.due <= near:
            yield dated(_NAMES[one.kind], case, one.due, today, one.id)


def _is_over(one: Matter) -> bool:
    if one.kind is Kind.RIGHT:
        return not rights.is_open(one.state)
    return one.kind is Kind.COMPLAINT and one.state != matters.OPEN
