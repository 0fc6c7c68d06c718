"""Consent decides: the one function that every disclosure asks, and what holds at a moment.

A ground is a consent or another lawful basis, as a case keeps it. What may leave is what some
ground covers by purpose, recipient, category and date, and nothing else; no caller can say
otherwise. Pure: who may record a ground, and whose approval it takes, is decided elsewhere.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from types import MappingProxyType
from typing import Any
from uuid import UUID

from casevault.domain.case.records import DECLINED, DONE, WITHDRAWN, Record
from casevault.errors import FieldError, Invalid

CONSENT = "consent"
CONFIRM_SECONDS = 24 * 3600


class Purpose(StrEnum):
    """What somebody can agree to; one consent for each."""

    CASE_MANAGEMENT = "case_management"
    REFERRAL = "referral"
    CROSS_BORDER = "cross_border"
    STATISTICS = "statistics"
    RESEARCH_CONTACT = "research_contact"


class Basis(StrEnum):
    """Why data may be disclosed without consent. All but the first take a second person before."""

    VITAL_INTERESTS = "vital_interests"
    LEGAL_OBLIGATION = "legal_obligation"
    PUBLIC_INTEREST = "public_interest"
    LEGAL_CLAIMS = "legal_claims"


class State(StrEnum):
    """Whether a ground holds as it was recorded."""

    HOLDS = "holds"
    WITHDRAWN = "withdrawn"
    WAITING = "waiting"
    DECLINED = "declined"


# Nobody is counted, and nobody is asked to take part in research, without having agreed to it.
_CONSENT_ONLY = frozenset({Purpose.STATISTICS, Purpose.RESEARCH_CONTACT})
# What a count discloses: a person in a cell, and no category of their data.
_COUNTS = frozenset({"counts"})
_OUTSIDE = frozenset({Purpose.REFERRAL, Purpose.CROSS_BORDER})


@dataclass(frozen=True, slots=True)
class Ground:
    """A consent or another lawful basis; it covers the days from `first` to `last`, both in."""

    id: UUID
    basis: str
    purpose: Purpose
    categories: frozenset[str]
    recipients: frozenset[str]
    first: date
    last: date
    state: State = State.HOLDS

    def fault(self, wish: Disclosure, purpose: Purpose, category: str, today: date) -> str | None:
        """Return why this does not cover a category of a disclosure, or None if it does.

        The nearer a ground comes to covering it, the later its fault is found.
        """
        if self.purpose is not purpose or category not in self.categories:
            return "category"
        if purpose in _OUTSIDE and not wish.named & self.recipients:
            return "recipient"
        if self.state is not State.HOLDS:
            return self.state.value
        if today < self.first:
            return "not-yet"
        return "expired" if today > self.last else None


@dataclass(frozen=True, slots=True)
class Disclosure:
    """What is to be disclosed: which categories of data, why, to whom; `abroad`: over a border.

    `also` are further names of the one recipient, such as the id of an entry in the directory.
    """

    purpose: Purpose
    categories: frozenset[str]
    recipient: str = ""
    abroad: bool = False
    also: tuple[str, ...] = ()

    @property
    def named(self) -> frozenset[str]:
        """The keys of all names of the recipient."""
        return frozenset(recipient_key(name) for name in (self.recipient, *self.also))


@dataclass(frozen=True, slots=True)
class Answer:
    """The categories that may leave, by which grounds; for every other one, why it stays."""

    allowed: frozenset[str]
    grounds: frozenset[UUID]
    refused: Mapping[str, str]
    # For the ledger: `permit:consent`, or the most telling other basis.
    rule: str


# From the most telling reason to the least: what somebody could mend comes first.
_NOTHING: Mapping[Purpose, int] = MappingProxyType({})
_TELLING = ("withdrawn", "expired", "waiting", "declined", "not-yet", "recipient", "category")


def decide(wish: Disclosure, grounds: Iterable[Ground], today: date) -> Answer:
    """Decide which of the asked categories may leave today.

    Over a border each category takes two: what covers the disclosure, and what covers the border.
    """
    known = list(grounds)
    purposes = [wish.purpose, *([Purpose.CROSS_BORDER] if wish.abroad else [])]
    allowed: set[str] = set()
    used: set[Ground] = set()
    refused: dict[str, str] = {}
    for category in sorted(wish.categories):
        covered = [_covering(wish, purpose, category, known, today) for purpose in purposes]
        missing = [why for _, why in covered if why is not None]
        if missing:
            refused[category] = "consent." + missing[0]
        else:
            allowed.add(category)
            used |= {ground for ground, _ in covered if ground is not None}
    bases = sorted({ground.basis for ground in used} - {CONSENT})
    rule = f"permit:{bases[0].replace('_', '-')}" if bases else "permit:consent"
    return Answer(frozenset(allowed), frozenset(g.id for g in used), refused, rule)


def counted_until(grounds: Iterable[Ground], today: date) -> date | None:
    """Return the last day on which the person agrees to be counted, or None if they do not."""
    days = [
        ground.last
        for ground in grounds
        if ground.purpose is Purpose.STATISTICS
        and ground.state is State.HOLDS
        and ground.first <= today <= ground.last
    ]
    return max(days, default=None)


def may_be_counted(facts: Mapping[str, Any], today: date) -> bool:
    """Decide whether the person of these coded facts is in a count today.

    The facts keep until when the person agrees to it; the answer is `decide`'s, as for whatever
    else leaves the house.
    """
    until = facts.get("statistics_until")
    if until is None:
        return False
    agreed = Ground(
        id=UUID(int=0),
        basis=CONSENT,
        purpose=Purpose.STATISTICS,
        categories=_COUNTS,
        recipients=frozenset(),
        first=date.min,
        last=date.fromisoformat(until),
    )
    return decide(Disclosure(Purpose.STATISTICS, _COUNTS), [agreed], today).allowed == _COUNTS


def may_be_kept(grounds: Iterable[Ground], today: date) -> bool:
    """Say whether a consent or another basis to look after the case holds."""
    return any(
        ground.purpose is Purpose.CASE_MANAGEMENT
        and ground.state is State.HOLDS
        and ground.first <= today <= ground.last
        for ground in grounds
    )


def ground_of(
    row: UUID, record: Record, now: int, stopped: Mapping[Purpose, int] = _NOTHING
) -> Ground:
    """Return a recorded consent or other basis as it stands at `now` (Unix seconds).

    `stopped`: purposes to which the person objected, and when; what was recorded before that holds
    no more, as if it was withdrawn.
    """
    content = record.current.content
    basis = content.get("basis", CONSENT)
    first = content.get("given_on") or content["from"]
    objected = record.first.at <= stopped.get(Purpose(content["purpose"]), -1)
    return Ground(
        id=row,
        basis=str(basis),
        purpose=Purpose(content["purpose"]),
        categories=frozenset(content["categories"]),
        recipients=frozenset(recipient_key(one) for one in content.get("recipients", ())),
        first=date.fromisoformat(first),
        last=date.fromisoformat(content["valid_until"]),
        state=State.WITHDRAWN if objected else _state(str(basis), record, now),
    )


def check_consent(content: Mapping[str, Any], today: date, *, minor: bool) -> None:
    """Refuse a consent that would not count: not informed, not by whom it takes, or of no day.

    :raises Invalid: with every fault.
    """
    faults = _check_days(content["given_on"], content["valid_until"], today, "/given_on")
    explained = content["explained"]
    points = ("interview", "purpose", "use", "research", "access", "storage", "withdrawal")
    faults += [
        FieldError(f"/explained/{point}", "consent.not-informed")
        for point in points
        if explained.get(point) is not True
    ]
    if minor and content.get("assent") is not True:
        faults.append(FieldError("/assent", "consent.assent"))
    if minor and content.get("guardian", {}).get("agrees") is not True:
        faults.append(FieldError("/guardian", "consent.guardian"))
    _refuse(faults + _check_recipients(content))


def check_basis(content: Mapping[str, Any], today: date) -> None:
    """Refuse a basis that would not count: for counts or research, of no day, for nobody.

    :raises Invalid: with every fault.
    """
    faults = _check_days(content["from"], content["valid_until"], today, "/from")
    if Purpose(content["purpose"]) in _CONSENT_ONLY:
        faults.append(FieldError("/purpose", "basis.consent-only"))
    _refuse(faults + _check_recipients(content))


def recipient_key(name: str) -> str:
    """Return what makes two spellings of one recipient equal: an id, or a name as it is read."""
    return " ".join(unicodedata.normalize("NFKC", name).casefold().split())


def _covering(
    wish: Disclosure, purpose: Purpose, category: str, grounds: list[Ground], today: date
) -> tuple[Ground | None, str | None]:
    faults: list[str] = []
    # Consent before any other basis, so that the ledger names the stronger one.
    for ground in sorted(grounds, key=lambda one: (one.basis != CONSENT, one.id)):
        fault = ground.fault(wish, purpose, category, today)
        if fault is None:
            return ground, None
        faults.append(fault)
    return None, min(faults, key=_TELLING.index, default="none")


def _state(basis: str, record: Record, now: int) -> State:
    marks = record.marks
    if marks.get("state") == WITHDRAWN:
        return State.WITHDRAWN
    if basis == CONSENT or marks.get("state") == DONE:
        return State.HOLDS
    if marks.get("state") == DECLINED:
        return State.DECLINED
    # Where a life is in danger the act goes first, and holds for as long as it may wait.
    in_time = record.first.at <= now < record.first.at + CONFIRM_SECONDS
    return State.HOLDS if basis == Basis.VITAL_INTERESTS and in_time else State.WAITING


def _check_days(first: str, last: str, today: date, at: str) -> list[FieldError]:
    faults = []
    if date.fromisoformat(first) > today:
        faults.append(FieldError(at, "consent.future"))
    if date.fromisoformat(last) < date.fromisoformat(first):
        faults.append(FieldError("/valid_until", "consent.order"))
    return faults


def _check_recipients(content: Mapping[str, Any]) -> list[FieldError]:
    outside = Purpose(content["purpose"]) in _OUTSIDE
    named = [one for one in content.get("recipients", ()) if recipient_key(one)]
    return [FieldError("/recipients", "consent.recipients")] if outside and not named else []


def _refuse(faults: list[FieldError]) -> None:
    if faults:
        raise Invalid(
            "This would not count: see which points are open.",
            code="consent.invalid",
            errors=tuple(faults),
        )
