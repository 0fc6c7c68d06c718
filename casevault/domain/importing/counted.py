"""Imported cases that two people let count: all that were taken over on a day, as of another DATE.

Pure. What was published is never recomputed, and nobody pays twice: DATE lies in a year of which,
and after which, nothing was ever released. So the people of an import stand in no two releases of
a year, and their first three contributing years are not moved by it. Must never say how many an
import had.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from casevault.errors import Conflict, FieldError, Invalid

_FIRST_YEAR = 1990
TAKEN, ACCEPTED = "taken_on", "accepted_on"


@dataclass(frozen=True, slots=True)
class Counted:
    """All cases of an import's day count as accepted on another day."""

    taken_on: date
    accepted_on: date

    @property
    def object_id(self) -> UUID:
        """Return the id under which it is decided: one for each day, which tells only the day."""
        return UUID(int=self.taken_on.toordinal())

    def parameters(self) -> dict[str, str]:
        """Return what is signed."""
        return {TAKEN: self.taken_on.isoformat(), ACCEPTED: self.accepted_on.isoformat()}

    @classmethod
    def of(cls, said: Mapping[str, str]) -> Counted:
        """Return what was signed."""
        return cls(date.fromisoformat(said[TAKEN]), date.fromisoformat(said[ACCEPTED]))

    def check(self, today: date, released: Iterable[int]) -> None:
        """Refuse days that cannot be; `released` are the years of all releases that ever were.

        :raises Conflict: there was a release of that year or of a later one.
        """
        faults = []
        if self.taken_on >= today:
            # A day that is not over may still get cases that nobody has in mind now.
            faults.append(FieldError("/" + TAKEN, "field.range"))
        if not self.accepted_on.year >= _FIRST_YEAR or self.accepted_on > today:
            faults.append(FieldError("/" + ACCEPTED, "field.range"))
        if faults:
            raise Invalid(
                "An import's day is over, and cases were accepted by today.",
                code="release.historic",
                errors=tuple(faults),
            )
        if max(released, default=0) >= self.accepted_on.year:
            raise Conflict(
                "Something was released of that year, or of a later one. What was published is not"
                " counted anew.",
                code="release.period-released",
            )
