"""The privacy account: lines of the keyring, which never goes backwards with a restore.

Append-only: the lines of a cohort are numbered without a gap. Two who read the same account write
the same number, and the primary key lets one of them through; the other reads again. So the last
budget is won once, on every database, whatever dies in between. A gap is tampering.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

from casevault.crypto import canonical
from casevault.crypto.canonical import Reader
from casevault.disclosure import budget
from casevault.disclosure.budget import Charge, LineState
from casevault.errors import Busy, Conflict, Tampered
from casevault.store.engine import keyring_tables as tables
from casevault.store.engine.keyring import Keyring, KeyringTransaction, Row

_TABLE = tables.privacy_charge
_TRIES = 50
# What the database says where a number is taken; any other conflict is the caller's.
_TAKEN = "store.conflict"


def append(
    keyring: Keyring, charge: Charge, also: Callable[[KeyringTransaction], None] = lambda _tx: None
) -> None:
    """Add a line in a transaction of its own, before anything is drawn; `also` is done with it.

    :raises Refused: the budget is spent, the cohort tainted, or there is nothing to commit.
    """
    for _ in range(_TRIES):
        try:
            with keyring.writing() as tx:
                add(tx, charge)
                also(tx)
        except Conflict as error:
            if error.code != _TAKEN:
                raise
            # Somebody else took this number: what they spent is seen at the next look.
            continue
        return
    raise Busy("The account is busy.", code="release.account-busy")


def add(tx: KeyringTransaction, charge: Charge) -> None:
    """Add a line; if somebody else took its number meanwhile, a `Conflict`."""
    before = charges(tx, charge.cohort_year)
    budget.check(charge, before)
    number = len(before) + 1
    tx.add(_TABLE, _content(charge), cohort_year=charge.cohort_year, number=number)


def charges(tx: KeyringTransaction, cohort_year: int | None = None) -> list[Charge]:
    """Return the lines of a cohort, or of all, oldest first; a missing one is `Tampered`."""
    where: dict[str, Any] = {} if cohort_year is None else {"cohort_year": cohort_year}
    rows = sorted(
        tx.find(_TABLE, **where), key=lambda r: (r.lookup["cohort_year"], r.lookup["number"])
    )
    following: dict[int, int] = {}
    for row in rows:
        year = row.lookup["cohort_year"]
        following[year] = following.get(year, 0) + 1
        if row.lookup["number"] != following[year]:
            raise Tampered(code="release.account")
    return [_charge(row) for row in rows]


def _content(one: Charge) -> bytes:
    rho = "" if one.rho is None else str(one.rho)
    return canonical.encode(
        one.release, ",".join(one.tables), rho, one.state.value, one.staff, one.at, *one.months
    )


def _charge(row: Row) -> Charge:
    reader = Reader.of(row.content)
    release, names, rho = reader.uuid(), reader.text(), reader.text()
    state, staff, at = reader.text(), reader.uuid(), reader.number()
    months = reader.number(), reader.number()
    reader.end()
    tables_ = tuple(names.split(",")) if names else ()
    parsed = Fraction(rho) if rho else None
    year = row.lookup["cohort_year"]
    return Charge(year, release, tables_, parsed, LineState(state), staff, at, months)
