"""Coded facts of a vault as records: the same columns as from a file, one case at a time.

Holds no text but codes, and forgets a case once it is columns of numbers. What is no code of its
list counts as unknown: nothing of one case may keep a release from being made.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from types import MappingProxyType
from typing import Any

from casevault.disclosure.catalogue import counted_fields
from casevault.disclosure.classifications import fact
from casevault.disclosure.records import EventColumns, Intake, Records, day_number
from casevault.domain import vocabulary
from casevault.domain.sharing import consent


class FactsIntake:
    """Takes facts as they are opened; `regions` are the declared ones, in order.

    `counted`: days of imports that count after all, and the day as accepted on which they do.
    """

    def __init__(
        self,
        regions: Sequence[str],
        key: bytes,
        today: date,
        counted: Mapping[date, date] = MappingProxyType({}),
    ) -> None:
        self._intake = Intake(counted_fields(), key)
        self._many = {name: fact(name).many for name in self._intake.fields}
        self._regions = {name: place for place, name in enumerate(regions)}
        self._unknown = len(regions)
        self._today = today
        self._imports = {day.isoformat(): as_.isoformat() for day, as_ in counted.items()}
        self._services = _places("service_type")
        self._outcomes = _places("service_outcome"), _places("referral_outcome")
        self._days: dict[str, int] = {}

    def take(self, facts: Mapping[str, Any], *, restricted: bool = False) -> None:
        """Take one case; whose data may not be used at present is not counted."""
        intake = self._intake
        case, person = intake.number(facts["case"]), intake.number(facts["pid"])
        for other in facts.get("same_as", ()):
            intake.same(person, intake.number(other))
        counted = not restricted and consent.may_be_counted(facts, self._today)
        accepted, historic = facts["accepted_on"], facts.get("historic") is True
        if historic and accepted in self._imports:
            accepted, historic = self._imports[accepted], False
        intake.add(
            case,
            person,
            self._day(accepted),
            self._regions.get(facts.get("region", ""), self._unknown),
            (counted, historic),
            [intake.value(name, self._codes(facts, name)) for name in intake.fields],
        )
        services, referrals = self._outcomes
        self._take_events(intake.services, case, facts.get("services", ()), "type", services)
        self._take_events(intake.referrals, case, facts.get("referrals", ()), "service", referrals)

    def close(self) -> Records:
        """Return everything as columns."""
        return self._intake.close()

    def _codes(self, facts: Mapping[str, Any], name: str) -> tuple[str, ...]:
        value = facts.get(name)
        if not value:
            return ()
        return tuple(sorted(set(value))) if self._many[name] else (value,)

    def _take_events(
        self,
        into: EventColumns,
        case: int,
        rows: Sequence[Mapping[str, Any]],
        named: str,
        outcomes: Mapping[str, int],
    ) -> None:
        for row in rows:
            service, outcome = self._services.get(row[named]), outcomes.get(row["outcome"])
            if service is not None and outcome is not None:
                day = self._day(row["date"])
                late = row.get("counted_on")
                into.add(case, service, day, outcome, day if late is None else self._day(late))

    def _day(self, text: str) -> int:
        found = self._days.get(text)
        if found is None:
            found = self._days[text] = day_number(date.fromisoformat(text))
        return found


def _places(name: str) -> dict[str, int]:
    return {code: place for place, code in enumerate(vocabulary.code_list(name))}
