"""How an alert is reviewed: its states, who may move it, and what a sign-off says.

Pure. ``open → in_review → needs_info → justified | violation | noise → closed``. Nobody reviews
their own access, and that somebody did wrong is said by two people.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum
from types import MappingProxyType
from uuid import UUID

from casevault.errors import Conflict, Invalid

HEADER = "casevault/1/sign-off"
SAMPLE_RULE = "weekly-sample"
MANUAL_RULE = "by-hand"


class State(StrEnum):
    """How far the review of an alert is."""

    OPEN = "open"
    IN_REVIEW = "in_review"
    NEEDS_INFO = "needs_info"
    JUSTIFIED = "justified"
    VIOLATION = "violation"
    NOISE = "noise"
    CLOSED = "closed"


STEPS: Mapping[State, frozenset[State]] = MappingProxyType(
    {
        State.OPEN: frozenset({State.IN_REVIEW}),
        State.IN_REVIEW: frozenset(
            {State.NEEDS_INFO, State.JUSTIFIED, State.VIOLATION, State.NOISE}
        ),
        State.NEEDS_INFO: frozenset({State.IN_REVIEW}),
        State.JUSTIFIED: frozenset({State.CLOSED}),
        State.VIOLATION: frozenset({State.CLOSED}),
        State.NOISE: frozenset({State.CLOSED}),
        State.CLOSED: frozenset(),
    }
)
# What still waits for somebody.
UNDECIDED = frozenset({State.OPEN, State.IN_REVIEW, State.NEEDS_INFO})
# Whoever comes to one of these says why.
NEEDS_NOTE = frozenset({State.NEEDS_INFO, State.JUSTIFIED, State.VIOLATION, State.NOISE})


def check_step(present: State, to: State, note: str) -> None:
    """Return if this step is possible from here.

    :raises Conflict: it is not. :raises Invalid: it needs a note and has none.
    """
    if to not in STEPS[present]:
        raise Conflict(
            "The review is not at a point from which this is the next step.",
            code="review.step",
            hint="open, in_review, needs_info, then justified, violation or noise, then closed.",
        )
    if to in NEEDS_NOTE and not note.strip():
        raise Invalid("Say in a note why.", code="review.note")


def is_own(actors: Iterable[UUID], reviewer: UUID) -> bool:
    """Say whether a review would be of the reviewer's own access."""
    return reviewer in set(actors)


def sign_off_text(
    origin: str,
    period: tuple[str, str],
    heads: tuple[tuple[int, str], tuple[int, str]],
    auditor: UUID,
    raised: Mapping[str, int],
    states: Mapping[State, int],
    open_items: Iterable[UUID],
) -> str:
    """Return what an auditor signs about a period: one fact per line, in a fixed order.

    `period` are its first and last day, `heads` size and base64 root of the checkpoints before and
    after it, `raised` alerts per rule, `states` how far their reviews are.
    """
    (old, old_root), (new, new_root) = heads
    lines = [
        HEADER,
        f"log {origin}",
        f"period {period[0]} {period[1]}",
        f"from {old} {old_root}",
        f"to {new} {new_root}",
        f"auditor {auditor}",
        *(f"raised {rule} {count}" for rule, count in sorted(raised.items())),
        *(f"state {state.value} {states.get(state, 0)}" for state in State),
        *(f"open {item}" for item in sorted(open_items)),
    ]
    return "\n".join(lines) + "\n"
