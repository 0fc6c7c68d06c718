"""What happens when something stored about a case does not open, or refuses an act.

Both tell something about the case, so both are on the ledger, in a transaction of their own: enter
`recording` before a unit of work. Must never record what only has to begin once more.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

from casevault.errors import (
    Conflict,
    Invalid,
    KeyUnavailable,
    NotFound,
    Refused,
    Stale,
    Tampered,
)
from casevault.store.casework import rekeying
from casevault.store.context.caller import Caller
from casevault.store.log.ledger import FAILED, REFUSED, Act, Ledger, Touched

# What is neither a fault of the machine nor an alarm.
_REFUSALS = (Refused, NotFound, KeyUnavailable, Conflict, Stale, Invalid)


@contextmanager
def recording(ledger: Ledger, caller: Caller, case_id: UUID) -> Iterator[None]:
    """Record that something stored did not open (outcome 8, and an alarm) or was refused (4).

    A refusal by what is stored tells something about the case: that a record is not there, that
    a version is old, that a passage does not occur.
    """
    try:
        yield
    except Tampered as error:
        record(ledger, caller, case_id, error.slug)
        raise
    except _REFUSALS as error:
        if rekeying.is_overtaken(error):
            # Nobody refused anything: it begins once more.
            raise
        _record(ledger, caller, case_id, "refused:" + error.code, REFUSED)
        raise


def record(ledger: Ledger, caller: Caller, case_id: UUID, why: str) -> None:
    """Record that something stored did not open."""
    _record(ledger, caller, case_id, "failed:" + why, FAILED)


def _record(ledger: Ledger, caller: Caller, case_id: UUID, rule: str, outcome: int) -> None:
    touched = (Touched("case", case_id),)
    ledger.record(Act("case.read", caller.on_ledger, rule=rule, outcome=outcome, touched=touched))
