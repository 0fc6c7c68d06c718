"""What follows when a consent is withdrawn or another basis ends: a list of observers.

Each is a small pure function.
An observer says what is to be done, and what cannot be called back. The use case carries out what
it can and shows the rest to the caseworker. Whoever adds a way by which data leave adds an observer
here and a row to its test.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import TypeAlias
from uuid import UUID

from casevault.domain.sharing.consent import Ground, Purpose, State, counted_until, may_be_kept


class Consequence(StrEnum):
    """What follows. Those that say *stays* cannot be called back."""

    LEAVES_COUNTS = "leaves-counts"
    ERASED_SOON = "erased-soon"
    PUBLISHED_COUNTS_STAY = "published-counts-stay"
    REFERRAL_STOPS = "referral-stops"
    READ_REFERRAL_STAYS = "read-referral-stays"


# Taken back, or never confirmed by a second person after the act had gone first.
_ENDED = frozenset({State.WITHDRAWN, State.DECLINED})
_STAYS = frozenset({Consequence.PUBLISHED_COUNTS_STAY, Consequence.READ_REFERRAL_STAYS})


@dataclass(frozen=True, slots=True)
class Effect:
    """One consequence; `about` names the record that it is about, if any."""

    what: Consequence
    about: UUID | None = None

    @property
    def stays(self) -> bool:
        """Whether this is something that cannot be called back."""
        return self.what in _STAYS


@dataclass(frozen=True, slots=True)
class Shared:
    """A referral: whether it goes on still, whether its recipient has read it, by which grounds."""

    id: UUID
    is_open: bool
    was_read: bool
    grounds: frozenset[UUID]


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """A ground that no longer holds, beside all that are recorded, on a day."""

    gone: Ground
    left: tuple[Ground, ...]
    today: date
    referrals: tuple[Shared, ...] = ()


Observer: TypeAlias = Callable[[Withdrawal], Iterable[Effect]]


def counts(withdrawal: Withdrawal) -> Iterable[Effect]:
    """Drop the person from the next table; what was published with them stays."""
    gone = withdrawal.gone
    if gone.purpose is not Purpose.STATISTICS or gone.state not in _ENDED:
        return
    if counted_until(withdrawal.left, withdrawal.today) is None:
        yield Effect(Consequence.LEAVES_COUNTS)
    yield Effect(Consequence.PUBLISHED_COUNTS_STAY)


def referrals(withdrawal: Withdrawal) -> Iterable[Effect]:
    """Stop what leaves by this ground; what somebody has read cannot be called back."""
    gone = withdrawal.gone
    if gone.state not in _ENDED:
        return
    for one in withdrawal.referrals:
        if gone.id in one.grounds:
            if one.is_open:
                yield Effect(Consequence.REFERRAL_STOPS, one.id)
            if one.was_read:
                yield Effect(Consequence.READ_REFERRAL_STAYS, one.id)


def keeping(withdrawal: Withdrawal) -> Iterable[Effect]:
    """Let the case go where nothing else allows to keep it; people are warned of the day."""
    gone = withdrawal.gone
    if gone.purpose is not Purpose.CASE_MANAGEMENT or gone.state not in _ENDED:
        return
    if not may_be_kept(withdrawal.left, withdrawal.today):
        yield Effect(Consequence.ERASED_SOON)


OBSERVERS: tuple[Observer, ...] = (counts, referrals, keeping)


def effects(withdrawal: Withdrawal) -> tuple[Effect, ...]:
    """Return everything that follows, in the order of the observers."""
    return tuple(effect for observer in OBSERVERS for effect in observer(withdrawal))
