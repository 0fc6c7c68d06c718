"""A question to the ledger: what its conditions mean in one month.

Decides which pseudonyms stand for the ids that are asked for. A question is about one month,
because each month has keys of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from casevault.errors import FieldError, Invalid
from casevault.store.audit.audit_months import ACTOR, SUBJECT
from casevault.store.audit.ledger_search import Where
from casevault.store.context.stores import Stores
from casevault.store.log import months
from casevault.store.log.ledger import Touched, pseudonym
from casevault.store.log.months import MonthKey


@dataclass(frozen=True, slots=True)
class Query:
    """What is looked for within one month (the present one by default).

    `case` and `subject` are ids of records, `actor` of a colleague; `session` and `record` are
    pseudonyms as entries of that month show them. `since` and `until` (not included) are UTC.
    """

    month: str | None = None
    case: UUID | None = None
    subject: UUID | None = None
    actor: UUID | None = None
    session: str | None = None
    record: str | None = None
    code: str | None = None
    outcome: int | None = None
    since: datetime | None = None
    until: datetime | None = None

    @property
    def given(self) -> tuple[str, ...]:
        """The names of the conditions that were given."""
        return tuple(n for n in self.__dataclass_fields__ if getattr(self, n) is not None)

    @property
    def touched(self) -> tuple[Touched, ...]:
        """What a question is about, as its own entry names it."""
        found = (("case", self.case), ("record", self.subject), ("staff", self.actor))
        return tuple(Touched(kind, value) for kind, value in found if value is not None)


def month_of(stores: Stores, query: Query) -> str:
    """Return the month that a question is about; one question, one month.

    :raises Invalid: its times do not lie in one month, or in another one than it names.
    """
    named = {months.name_of(one) for one in (query.since,) if one is not None}
    named |= {query.month} if query.month is not None else set()
    name = named.pop() if len(named) == 1 else months.name_of(stores.clock.now())
    late = query.until is not None and months.name_of(query.until) < name
    if named or late:
        raise Invalid(
            "Ask month by month: the times do not lie in the month that is asked for.",
            code="ledger.period",
            errors=(FieldError("/until" if late else "/since", "ledger.period"),),
        )
    return name


def where(query: Query, month: MonthKey) -> Where:
    """Return what the entries of a month must have to fit."""
    ids = ((SUBJECT, query.case), (SUBJECT, query.subject), (ACTOR, query.actor))
    known = [pseudonym(month, kind, value) for kind, value in ids if value is not None]
    known += [value for value in (query.session, query.record) if value is not None]
    return Where(tuple(known), query.code, query.outcome, query.since, query.until)
