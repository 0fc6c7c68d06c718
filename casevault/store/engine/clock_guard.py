"""Whether the clock of this machine can be right: compared with the day the service last noted.

A machine that lost its battery, or was set by hand, may be years away from the truth. Nothing that
is past its date may be destroyed on its word, and nobody signs in to a year in which no vouch of
anybody holds. A vault that really rested for so long is told so by an operator. Must never judge
without a noted day.
"""

from __future__ import annotations

from enum import StrEnum

from casevault.errors import Busy
from casevault.store.engine import milestones
from casevault.store.engine.keyring import Keyring, KeyringTransaction

_DAY = 86_400
# A service notes each day; longer than any holiday in which nobody started the machine.
DOUBT_SECONDS = 40 * _DAY
# No vouch lasts longer: at such a distance nobody could do anything in any case.
WRONG_SECONDS = 400 * _DAY


class Judged(StrEnum):
    """How far the clock is from the day that was noted last."""

    RIGHT = "right"
    DOUBTED = "doubted"
    WRONG = "wrong"


def judged(tx: KeyringTransaction, now: int) -> Judged:
    """Return what is to be thought of this moment (Unix seconds)."""
    noted = milestones.last(tx, milestones.DAY)
    distance = 0 if noted is None else abs(now - noted)
    if distance > WRONG_SECONDS:
        return Judged.WRONG
    return Judged.DOUBTED if distance > DOUBT_SECONDS else Judged.RIGHT


def judge(keyring: Keyring, now: int) -> Judged:
    """Return what is to be thought of the clock at this moment (Unix seconds)."""
    with keyring.reading() as tx:
        return judged(tx, now)


def require_right(keyring: Keyring, now: int) -> None:
    """Refuse to destroy anything because of its date while the clock is in doubt.

    :raises Busy: it is, and no operator has said that it is right.
    """
    if judge(keyring, now) is not Judged.RIGHT:
        raise wrong()


def wrong() -> Busy:
    """Return what people are told while the server's clock cannot be believed."""
    return Busy(
        "The server's clock cannot be right: it is too far from the day on which it last worked.",
        code="clock",
        hint="Set the server's clock, or run `casevault keys sweep --clock-is-right` there.",
    )


def confirm(keyring: Keyring, now: int) -> None:
    """Take an operator's word that it is as late, or as early, as the clock says."""
    with keyring.writing() as tx:
        milestones.note(tx, milestones.DAY, now)
