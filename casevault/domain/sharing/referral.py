"""Referrals: the states they go through, and what may leave with one.

What is disclosed is what the consents cover, what the service needs and what the caseworker ticked,
all three at once. Pure; the bytes that leave are made here, so that a preview shows exactly them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from types import MappingProxyType
from typing import Any
from uuid import UUID

from casevault.domain.case import dictionary
from casevault.domain.case.casefile import DocumentKind
from casevault.domain.case.records import Record
from casevault.domain.sharing import consent
from casevault.domain.sharing.consent import Answer, Disclosure, Ground, Purpose
from casevault.errors import Conflict, FieldError, Invalid, Tampered

FORMAT = "casevault/referral/1"
# The marks of a referral's record: how far it is, and what the survivor decided.
STAGE, BY_SURVIVOR = "stage", "by_survivor"
# Given on paper: whoever has it has read it.
ON_PAPER = "on_paper"
# Days (``2026-11-26``) on which it left, and on which its present outcome was written down.
SENT_ON, OUTCOME_ON = "sent_on", "outcome_on"
# How and on which day an answer was heard that nobody gave here themselves.
TOLD_BY, TOLD_ON = "told_by", "told_on"
# Why a team of our own declined: a code.
DECLINED_FOR = "declined_for"
# The documents of which a referral may carry fields.
SOURCES = (DocumentKind.IDENTITY.value, DocumentKind.PROFILE.value)


class ReferralState(StrEnum):
    """How far a referral is."""

    DRAFT = "draft"
    CONSENTED = "consented"
    SENT = "sent"
    RECEIVED = "received"
    ACCEPTED = "accepted"
    DECLINED = "declined"
    COMPLETED = "completed"
    EXPIRED = "expired"
    RECALLED = "recalled"


class Way(StrEnum):
    """How an answer was heard that the recipient did not give on a page or in an inbox."""

    PHONE = "phone"
    LETTER = "letter"
    IN_PERSON = "in_person"


@dataclass(frozen=True, slots=True)
class Told:
    """What a recipient said to a colleague of ours: how, on which day, in which words."""

    by: Way
    on: date
    words: str = field(default="", repr=False)

    def check(self, record: Record, today: date) -> None:
        """Refuse a day on which it cannot have been said: before it was sent, or to come."""
        sent = record.marks.get(SENT_ON)
        if self.on > today or (sent is not None and self.on < date.fromisoformat(sent)):
            raise Invalid(
                "It cannot have been said on this day.",
                code="referral.told-on",
                errors=(FieldError("/said_on", "field.range"),),
            )


_OF_FILES = ("file.bytes", "file.media_type", "file.name")
_S = ReferralState
_ANSWERS = frozenset({_S.ACCEPTED, _S.DECLINED})
_ENDS = frozenset({_S.EXPIRED, _S.RECALLED})
_TRANSITIONS: Mapping[ReferralState, frozenset[ReferralState]] = MappingProxyType(
    {
        _S.DRAFT: frozenset({_S.CONSENTED, _S.RECALLED}),
        # Back to a draft when a consent ends before anything was sent; agreed to anew.
        _S.CONSENTED: frozenset({_S.CONSENTED, _S.SENT, _S.DRAFT, _S.RECALLED}),
        # What a recipient says is heard of late: that it was completed may be the first news.
        _S.SENT: frozenset({_S.RECEIVED, _S.COMPLETED}) | _ANSWERS | _ENDS,
        _S.RECEIVED: frozenset({_S.COMPLETED}) | _ANSWERS | _ENDS,
        _S.ACCEPTED: frozenset({_S.COMPLETED, _S.DECLINED, _S.RECALLED}),
        _S.DECLINED: frozenset(),
        _S.COMPLETED: frozenset(),
        _S.EXPIRED: frozenset(),
        _S.RECALLED: frozenset(),
    }
)
_WITH_OUTCOME = _ANSWERS | {_S.COMPLETED, _S.EXPIRED}
# A recipient who has not answered yet; what a withdrawn consent stops.
OPEN = frozenset({_S.DRAFT, _S.CONSENTED, _S.SENT, _S.RECEIVED, _S.ACCEPTED})

# Out of the house, and not at its end: somebody may have said something since.
OUT = frozenset({_S.SENT, _S.RECEIVED, _S.ACCEPTED})

# The category of attached files: each is ticked by itself, never all at once.
FILES = "files"
MAX_FILES, MAX_FILE_BYTES = 40, 32 << 20
_ALWAYS = frozenset({"name", "contact"})
_PERSON = _ALWAYS | {"age_and_gender", "origin_and_languages"}
# What each service needs to help, at the most. Nothing else leaves, whatever was agreed to.
NEEDS: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "safehouse": _PERSON | {"situation_and_needs", "risk", "disability"},
        "health_medical": _PERSON | {"situation_and_needs", "disability", FILES},
        "psychosocial": _PERSON | {"situation_and_needs", "risk", "history", "disability"},
        "police_other": _PERSON | {"papers", "situation_and_needs", "risk", "history", FILES},
        "legal_assistance": _PERSON | {"papers", "situation_and_needs", "risk", "history", FILES},
        "livelihoods": _PERSON | {"situation_and_needs", "disability", "plan_and_services"},
        "child_protection": _PERSON
        | {"situation_and_needs", "risk", "history", "disability", FILES},
        "family_mediation": _PERSON | {"situation_and_needs", "risk"},
        "family_reunification": _PERSON | {"papers", "situation_and_needs", "risk", FILES},
        "education": _PERSON | {"disability", "plan_and_services"},
        "non_food_items": _ALWAYS | {"age_and_gender"},
        "water_sanitation": _ALWAYS,
        "registration": _PERSON | {"papers", FILES},
        "food": _ALWAYS,
        "other": _PERSON | {"situation_and_needs"},
    }
)


@dataclass(frozen=True, slots=True)
class Enclosed:
    """An attached file as a letter names it: what it is called, its kind, size and SHA-256."""

    row: UUID
    name: str = field(repr=False)
    media_type: str
    size: int
    digest: str

    @property
    def listed(self) -> dict[str, Any]:
        """What stands in the letter; its row is nobody else's business."""
        about = {"name": self.name, "media_type": self.media_type}
        return {**about, "bytes": self.size, "sha256": self.digest}


@dataclass(frozen=True, slots=True)
class Manifest:
    """What leaves with a referral: fields by document, files; why every other category stays."""

    service: str
    answer: Answer
    fields: Mapping[str, Mapping[str, Any]] = field(repr=False)
    files: tuple[Enclosed, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """The dotted names of the fields, for the ledger: never their values."""
        found = [
            f"{document}.{name}"
            for document in sorted(self.fields)
            for name in self.fields[document]
        ]
        return (*found, *(_OF_FILES if self.files else ()))


def stage_of(record: Record) -> ReferralState:
    """Return how far the referral of a record is, else `Tampered`."""
    try:
        return ReferralState(record.marks[STAGE])
    except (KeyError, ValueError):
        raise Tampered(code="referral") from None


def coded_referrals(referrals: Iterable[Record]) -> list[dict[str, Any]]:
    """Return the referrals that have an outcome as the facts keep them: coded, dated.

    By the day on which the outcome was written down, so that nothing published is counted anew; in
    an order that tells nothing: which letter belongs to which row must not be seen.
    """
    rows = [
        {
            "service": record.current.content["service"],
            "outcome": outcome,
            "date": record.marks[OUTCOME_ON],
        }
        for record in referrals
        if (outcome := _outcome(record)) is not None
    ]
    return sorted(rows, key=lambda row: (row["date"], row["service"], row["outcome"]))


def _outcome(record: Record) -> str | None:
    stage = stage_of(record)
    if stage in _WITH_OUTCOME:
        return stage.value
    if stage is _S.RECALLED and record.marks.get(BY_SURVIVOR):
        return "declined_by_survivor"
    # What never left and was given up counts for nobody.
    return stage.value if stage is _S.RECALLED and SENT_ON in record.marks else None


def moved(state: ReferralState, target: ReferralState) -> ReferralState:
    """Return the next state; one that cannot follow is a `Conflict`."""
    if target not in _TRANSITIONS[state]:
        raise Conflict("The referral cannot go there from here.", code="referral.transition")
    return target


def may_move(state: ReferralState, target: ReferralState) -> bool:
    """Say whether this state can follow."""
    return target in _TRANSITIONS[state]


def is_overdue(state: ReferralState, answer_by: str | None, today: date) -> bool:
    """Say whether the recipient should have answered by now."""
    waits = state in (_S.SENT, _S.RECEIVED)
    return waits and answer_by is not None and date.fromisoformat(answer_by) < today


def manifest(
    service: str,
    ticked: Iterable[str],
    recipient: str,
    documents: Mapping[str, Mapping[str, Any]],
    grounds: Iterable[Ground],
    today: date,
    *,
    abroad: bool = False,
    also: tuple[str, ...] = (),
    files: Iterable[Enclosed] = (),
) -> Manifest:
    """Return what may leave today: consent ∩ need ∩ ticked, of the documents that are given.

    `files` are those that were ticked, each by itself; without any, nothing of them is asked for.
    """
    enclosed = _checked_files(files)
    asked = frozenset(ticked) - {FILES} | ({FILES} if enclosed else frozenset())
    wanted = asked & NEEDS[service]
    wish = Disclosure(Purpose.REFERRAL, wanted, recipient, abroad, also)
    answer = consent.decide(wish, grounds, today)
    unneeded = dict.fromkeys(sorted(asked - wanted), "referral.not-needed")
    found = Answer(answer.allowed, answer.grounds, {**answer.refused, **unneeded}, answer.rule)
    inside = enclosed if FILES in answer.allowed else ()
    return Manifest(service, found, fields_in(documents, answer.allowed), inside)


def _checked_files(files: Iterable[Enclosed]) -> tuple[Enclosed, ...]:
    """Return files in the order of their names; too many, too much, or two alike are `Invalid`."""
    found = tuple(sorted(files, key=lambda one: (one.name, one.row)))
    if len(found) > MAX_FILES or sum(one.size for one in found) > MAX_FILE_BYTES:
        raise Invalid(
            "A referral takes up to 40 files, 32 MiB in all.",
            code="referral.files-size",
            errors=(FieldError("/files", "referral.files-size"),),
        )
    # Some disks do not tell capitals apart.
    if len({one.name.casefold() for one in found}) < len(found):
        raise Invalid(
            "Two of these files have the same name. Attach one under another name.",
            code="referral.files-names",
            errors=(FieldError("/files", "referral.files-names"),),
        )
    return found


def fields_in(
    documents: Mapping[str, Mapping[str, Any]], categories: Iterable[str]
) -> dict[str, dict[str, Any]]:
    """Return the fields of documents that are of these categories, in the dictionary's order."""
    wanted = frozenset(categories)
    found: dict[str, dict[str, Any]] = {}
    for document in SOURCES:
        content = documents.get(document, {})
        inside = {
            one.name: content[one.name]
            for one in dictionary.fields_of(document)
            if one.category in wanted and one.name in content
        }
        if inside:
            found[document] = inside
    return found


def referral_json(found: Manifest, letter: Mapping[str, Any], sender: str, reference: str) -> bytes:
    """Return the referral as its recipient reads it by machine: UTF-8 JSON, keys sorted.

    `letter` holds the referral's own fields (urgency, reason, answer_by, safe_contact);
    `reference` is a random name for this referral alone, never an id of ours. A safe contact that
    holds for this service stands instead of the usual one: two would be one too many.
    """
    asked = {name: letter[name] for name in ("urgency", "reason", "answer_by") if name in letter}
    documents = {document: dict(inside) for document, inside in found.fields.items()}
    if "safe_contact" in letter and "contact" in found.answer.allowed:
        asked["safe_contact"] = letter["safe_contact"]
        documents.get(DocumentKind.IDENTITY, {}).pop("safe_contact", None)
    content = {
        "format": FORMAT,
        "reference": reference,
        "from": sender,
        "service": found.service,
        **asked,
        **{document: inside for document, inside in documents.items() if inside},
        **({FILES: [one.listed for one in found.files]} if found.files else {}),
    }
    return json.dumps(content, ensure_ascii=False, sort_keys=True, indent=1).encode()
