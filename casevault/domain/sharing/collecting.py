"""A collect page: one referral behind a link without data, opened by a code that is said by phone.

Decides how long it may be, how often it opens, how often somebody may guess, and what state it is
in. Pure; what is sealed how is `crypto.collecting`'s.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from enum import StrEnum

from casevault.domain.sharing.referral import ReferralState
from casevault.errors import FieldError, Invalid

# Digits are spoken, heard and typed in every language; twelve of them keep guessing hopeless also
# for whoever carried the whole server away.
CODE_DIGITS = 12
_GROUP = 4
TRIES = 5
MAX_OPENINGS = 10
MAX_DAYS = 30
DAY_SECONDS = 86_400
# How long a page that is closed still says so.
KEPT_SECONDS = 30 * DAY_SECONDS
# What a recipient may answer on the page.
ANSWERS = (ReferralState.ACCEPTED, ReferralState.DECLINED, ReferralState.COMPLETED)


class PageState(StrEnum):
    """What a page does when somebody comes to it."""

    OPEN = "open"
    # Opened as often as it may be: the code still lets the recipient answer.
    SPENT = "spent"
    EXPIRED = "expired"
    RECALLED = "recalled"
    # Five wrong codes.
    DEAD = "dead"


@dataclass(frozen=True, slots=True)
class Offer:
    """For how many days a page is there, how often it opens, in which language it speaks."""

    language: str
    days: int = 7
    openings: int = 3

    def check(self) -> None:
        """Refuse what is longer or more than a page may be."""
        faults = [
            FieldError(f"/{name}", "field.range")
            for name, value, most in (
                ("days", self.days, MAX_DAYS),
                ("openings", self.openings, MAX_OPENINGS),
            )
            if not 1 <= value <= most
        ]
        if faults:
            raise Invalid("Some fields cannot be taken as they are.", errors=tuple(faults))


def spoken(code: str) -> str:
    """Return a code as it is read out: in groups of four."""
    return " ".join(code[at : at + _GROUP] for at in range(0, len(code), _GROUP))


def typed(text: str) -> str:
    """Return the digits of what somebody typed, in whatever script, without what is between."""
    digits = (unicodedata.decimal(one, None) for one in text)
    return "".join(str(digit) for digit in digits if digit is not None)
