"""The privacy account as people see it, and exact disclosures that end its promises.

Who opens facts and draws noise is elsewhere. Nothing here knows a case or a count of survivors.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from casevault.disclosure import budget
from casevault.disclosure.budget import Charge, Cohort, State
from casevault.domain.access import Permission, Subject
from casevault.errors import FieldError, Invalid
from casevault.ids import new_id
from casevault.store import privacy_account
from casevault.store.caller import Caller, Gate
from casevault.store.ledger import Act, Touched
from casevault.store.stores import Stores

_FIRST_YEAR = 1990


@dataclass(frozen=True, slots=True)
class Account:
    """All lines, and the sum of each cohort."""

    cohorts: tuple[Cohort, ...]
    charges: Sequence[Charge]


class Releases:
    """The use cases of the account."""

    def __init__(self, stores: Stores, gate: Gate) -> None:
        self._stores = stores
        self._gate = gate

    def account(self, caller: Caller) -> Account:
        """Return what was spent, on what and by whom, and what is left."""
        self._gate.require(caller, Permission.RELEASE_ACCOUNT, Subject("release"))
        with self._stores.keyring.reading() as tx:
            charges = privacy_account.charges(tx)
        act = Act("release.account", caller.on_ledger, rule="permit:role", count=len(charges))
        self._stores.ledger.record(act)
        years = sorted({one.cohort_year for one in charges})
        return Account(tuple(budget.cohort(year, charges) for year in years), charges)

    def disclose(self, caller: Caller, cohort_year: int) -> Charge:
        """Enter that exact counts of a cohort were given to somebody: no release can follow."""
        self._gate.require(caller, Permission.RELEASE_DISCLOSE, Subject("release"))
        now = self._stores.clock.now()
        if not _FIRST_YEAR <= cohort_year <= now.year:
            raise Invalid(
                "This is no year in which people were accepted.",
                code="release.cohort",
                errors=(FieldError("/cohort_year", "field.range"),),
            )
        charge = Charge(
            cohort_year, new_id(), (), None, State.EXACT, caller.staff, self._stores.now()
        )
        touched = (Touched("release", charge.release),)
        act = Act("release.disclose", caller.on_ledger, rule="permit:role", touched=touched)
        with self._stores.ledger.giving(act):
            privacy_account.append(self._stores.keyring, charge)
        return charge
