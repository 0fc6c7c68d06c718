"""What lies in the keyring's table `matter`: sealed rows with a state, each about one thing.

The one declaration of all kinds: about what a kind is, who reads its text, whether its author signs
how far it is, whether it keeps its case. `matters` keeps what people say about a case, `exchanges`
letters between vaults, `counted_imports` days of imports. Must never open a row.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, StrEnum
from types import MappingProxyType

from casevault.domain.staff.granting import PrincipalKind


class Kind(StrEnum):
    """What kinds there are. The codes never change."""

    HOLD = "hold"
    EXTENSION = "extension"
    RIGHT = "right"
    COMPLAINT = "complaint"
    RESTRICTION = "restriction"
    OBJECTION = "objection"
    COUNTED = "counted"
    LETTER_SENT = "exchange_sent"
    LETTER_CAME = "exchange_came"


class About(Enum):
    """What the plain `object_id` of a row names. Rows about a case go when it is erased."""

    CASE = "case"
    TEAM = "team"
    # An import's day, as an id.
    DAY = "day"


@dataclass(frozen=True, slots=True)
class Declared:
    """One kind of row.

    `readers` hold the key of its text, beside the recovery shares; without readers it has no text.
    """

    about: About = About.CASE
    readers: tuple[PrincipalKind, ...] = ()
    # How far it is, is part of what its author signs.
    moving: bool = False
    # While there is one, nothing of its case is erased.
    keeping: bool = False
    # A letter between vaults, which has a shape of its own.
    letter: bool = False


_DPO = (PrincipalKind.DPO,)
_BOTH = (PrincipalKind.DPO, PrincipalKind.OVERSIGHT)
KINDS: Mapping[Kind, Declared] = MappingProxyType(
    {
        Kind.HOLD: Declared(readers=_BOTH, keeping=True),
        Kind.EXTENSION: Declared(readers=_BOTH),
        Kind.RIGHT: Declared(readers=_BOTH, moving=True),
        Kind.COMPLAINT: Declared(readers=_DPO, moving=True),
        Kind.RESTRICTION: Declared(readers=_BOTH, keeping=True),
        Kind.OBJECTION: Declared(readers=_BOTH, moving=True),
        Kind.COUNTED: Declared(about=About.DAY),
        Kind.LETTER_SENT: Declared(letter=True),
        Kind.LETTER_CAME: Declared(about=About.TEAM, letter=True),
    }
)
# While there is one of these, nothing of its case is erased.
KEEPING = tuple(kind for kind, declared in KINDS.items() if declared.keeping)
