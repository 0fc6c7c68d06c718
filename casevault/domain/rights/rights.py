"""What a survivor may ask for about their own file, how far a request is, and by when to answer.

Pure. A request is received, the asker's identity is checked by a procedure, the data protection
officer grants or refuses it with a reason, and somebody carries it out. The record says which
procedure was followed and never keeps what was shown for it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from enum import StrEnum
from types import MappingProxyType

from casevault.domain.sharing.consent import Purpose
from casevault.errors import Conflict, FieldError, Invalid, Tampered

DAYS = 30
# Two further months where a request is complex: GDPR article 12 (3).
MORE_DAYS = 60


class Right(StrEnum):
    """What can be asked for. The codes never change."""

    ACCESS = "access"
    RECTIFICATION = "rectification"
    RESTRICTION = "restriction"
    OBJECTION = "objection"
    ERASURE = "erasure"
    PORTABILITY = "portability"


# What earlier recipients are told of: GDPR article 19.
TOLD_TO_OTHERS = frozenset({Right.RECTIFICATION.value, Right.RESTRICTION.value})


class Asker(StrEnum):
    """Who asks."""

    SURVIVOR = "survivor"
    GUARDIAN = "guardian"
    REPRESENTATIVE = "representative"


class Check(StrEnum):
    """By which procedure it was made sure that the asker is who they say."""

    KNOWN_IN_PERSON = "known_in_person"
    CODE_WORD = "code_word"
    SAFE_CONTACT = "safe_contact"
    PAPER_SEEN = "paper_seen"
    MANDATE_SEEN = "mandate_seen"


class Ground(StrEnum):
    """Why a request is refused, as the answer names it in the asker's language."""

    NOT_IDENTIFIED = "not_identified"
    RIGHTS_OF_OTHERS = "rights_of_others"
    LEGAL_OBLIGATION = "legal_obligation"
    LEGAL_CLAIMS = "legal_claims"
    REPEATED = "repeated"
    NOT_HELD = "not_held"


class Stage(StrEnum):
    """How far a request is."""

    RECEIVED = "received"
    CHECKED = "checked"
    GRANTED = "granted"
    REFUSED = "refused"
    DONE = "done"


_NEXT: Mapping[Stage, frozenset[Stage]] = MappingProxyType(
    {
        Stage.RECEIVED: frozenset({Stage.CHECKED, Stage.REFUSED}),
        Stage.CHECKED: frozenset({Stage.GRANTED, Stage.REFUSED}),
        Stage.GRANTED: frozenset({Stage.DONE}),
        # Also who is refused must be told.
        Stage.REFUSED: frozenset({Stage.DONE}),
        Stage.DONE: frozenset(),
    }
)


@dataclass(frozen=True, slots=True)
class Step:
    """One step: when (Unix seconds), who, what, and what they said about it."""

    at: int
    by: str
    what: str
    words: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Story:
    """What is sealed of a request: who asks, in which words, and every step since."""

    asker: str
    words: str = field(repr=False)
    steps: tuple[Step, ...]
    check: str | None = None
    purpose: str | None = None
    ground: str | None = None

    @property
    def received_at(self) -> int:
        """When it was received."""
        return self.steps[0].at

    @property
    def is_extended(self) -> bool:
        """Whether its time was extended: that is possible once."""
        return any(one.what == "extended" for one in self.steps)

    def with_step(
        self, step: Step, *, check: str | None = None, ground: str | None = None
    ) -> Story:
        """Return the story with one more step, and with what that step found."""
        return replace(
            self,
            steps=(*self.steps, step),
            check=check or self.check,
            ground=ground or self.ground,
        )

    def encode(self) -> str:
        """Return it as text to be sealed."""
        return json.dumps(
            {
                "v": 1,
                "asker": self.asker,
                "words": self.words,
                "steps": [[one.at, one.by, one.what, one.words] for one in self.steps],
                "check": self.check,
                "purpose": self.purpose,
                "ground": self.ground,
            },
            ensure_ascii=False,
        )

    @classmethod
    def decode(cls, text: str) -> Story:
        """Return a story from its text; anything else is `Tampered`."""
        try:
            found = json.loads(text)
            steps = tuple(
                Step(int(at), str(by), str(what), str(words))
                for at, by, what, words in found["steps"]
            )
            if found["v"] != 1 or not steps:
                raise ValueError
            optional = {name: found[name] for name in ("check", "purpose", "ground")}
            return cls(str(found["asker"]), str(found["words"]), steps, **optional)
        except (KeyError, TypeError, ValueError):
            raise Tampered(code="right") from None


def begun(asker: Asker, words: str, step: Step, check: Check | None, purpose: str | None) -> Story:
    """Return the story of a request that was just received."""
    story = Story(asker.value, words, (step,), purpose=purpose)
    if check is None:
        return story
    said = Step(step.at, step.by, Stage.CHECKED.value)
    return story.with_step(said, check=check.value)


def check_purpose(right: Right, purpose: Purpose | None) -> str | None:
    """Return the purpose to which somebody objects; needed for an objection and for nothing else.

    :raises Invalid: it is missing, is no objection's, or is the help itself.
    """
    objects = right is Right.OBJECTION
    if objects != (purpose is not None) or purpose is Purpose.CASE_MANAGEMENT:
        raise Invalid(
            "An objection names one purpose, and nothing else does. Whoever wants no help any more"
            " withdraws the consent or asks for erasure.",
            code="right.purpose",
            errors=(FieldError("/purpose", "right.purpose"),),
        )
    return None if purpose is None else purpose.value


def due(received: date) -> str:
    """Return by which day a request is answered."""
    return (received + timedelta(days=DAYS)).isoformat()


def later(due_on: str) -> str:
    """Return by which day an extended request is answered."""
    return (date.fromisoformat(due_on) + timedelta(days=MORE_DAYS)).isoformat()


def moved(present: str, to: Stage) -> str:
    """Return the next stage of a request, else `Conflict`."""
    if to not in _NEXT[Stage(present)]:
        if to is Stage.GRANTED and present == Stage.RECEIVED:
            raise Conflict(
                "First make sure who asks.",
                code="right.identity",
                hint="Note by which procedure: POST /v1/rights/{id}/identity.",
            )
        raise Conflict("The request cannot go there from here.", code="right.stage")
    return to.value


def is_open(stage: str) -> bool:
    """Say whether a request still waits for somebody."""
    return stage != Stage.DONE
