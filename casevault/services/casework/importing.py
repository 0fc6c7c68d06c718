"""Cases of another system, taken over line by line as a person who may open cases.

A line is taken, was taken before, or is refused with place and code; what one line says never
decides over its neighbours. Must never name a value in a refusal, and must not remember a line
but by a keyed digest.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from casevault.domain.case.casefile import DocumentKind
from casevault.domain.case.retention import Schedule
from casevault.domain.importing import historic
from casevault.domain.importing.historic import Historic
from casevault.domain.importing.mapping import Candidate
from casevault.domain.staff.access import Permission, Subject
from casevault.errors import Conflict, FieldError, Invalid
from casevault.ids import TeamId, new_id
from casevault.store.case import import_lines
from casevault.store.case.import_lines import Line
from casevault.store.casework import private
from casevault.store.casework.births import Birth, bear
from casevault.store.casework.private import REJECTS
from casevault.store.context import schedules
from casevault.store.context.caller import Caller, Gate
from casevault.store.context.stores import Stores
from casevault.store.log.ledger import Act

BATCH = 25
REJECTS_KEPT = timedelta(days=30)
_ATTEMPTS = 3


class Fate(StrEnum):
    """What became, or would become, of a line."""

    TAKEN = "taken"
    PRESENT = "present"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Outcome:
    """The fate of the line that begins there, and why it was refused."""

    line: int
    fate: Fate
    faults: tuple[FieldError, ...] = ()


@dataclass(frozen=True, slots=True)
class Source:
    """Where lines come from and where they go."""

    name: str
    team: UUID | None = None
    retention_class: str = "standard"


@dataclass(frozen=True, slots=True)
class Reject:
    """A refused line as its importer gets it back."""

    line: int
    faults: tuple[FieldError, ...]
    record: Mapping[str, Any] = field(repr=False)


@dataclass(frozen=True, slots=True)
class RejectFile:
    """Refused lines that were kept together; `readable` is false when they did not open."""

    id: UUID
    source: str = field(repr=False)
    rejects: tuple[Reject, ...] = field(repr=False)
    readable: bool = True


class Importing:
    """The use cases of taking cases over."""

    def __init__(self, stores: Stores, gate: Gate) -> None:
        self._stores = stores
        self._gate = gate

    def begin(self, caller: Caller, source: Source) -> Source:
        """Return the source with its team, if this person may take its cases there."""
        schedules.current(self._stores).periods(source.retention_class)
        name = " ".join(source.name.split())
        if not 0 < len(name) <= 100 or not name.isprintable():
            raise Invalid("Name the source in up to 100 characters.", code="import.source")
        team = source.team
        if team is None:
            if len(caller.actor.teams) > 1:
                raise Invalid(
                    "You are in several teams. Say which with --team.", code="import.team"
                )
            team = next(iter(caller.actor.teams), UUID(int=0))
        self._gate.require(caller, Permission.CASE_OPEN, Subject(kind="case", team=TeamId(team)))
        return Source(name, team, source.retention_class)

    def check(
        self, caller: Caller, source: Source, candidates: Sequence[Candidate]
    ) -> list[Outcome]:
        """Say what would become of these lines, and store nothing."""
        source = self.begin(caller, source)
        checked, outcomes = self._checked(source, candidates)
        known = self._known(source, checked)
        self._record_check(caller, len(candidates))
        return _ordered(outcomes + _fates(known, checked))

    def take(
        self, caller: Caller, source: Source, candidates: Sequence[Candidate]
    ) -> list[Outcome]:
        """Take up to `BATCH` lines over, each in its own case; all that are good, or none."""
        source = self.begin(caller, source)
        if len(candidates) > BATCH:
            raise Invalid(f"Take up to {BATCH} lines at once.", code="batch.size")
        checked, outcomes = self._checked(source, candidates)
        for attempt in range(_ATTEMPTS):
            known = self._known(source, checked)
            fates = _fates(known, checked)
            fresh = [checked[o.line] for o in fates if o.fate is Fate.TAKEN]
            if not fresh:
                self._record_check(caller, len(candidates))
                break
            try:
                self._bear(caller, source, fresh)
                break
            except Conflict:
                # Another run of the same import took one of them meanwhile: look again.
                if attempt == _ATTEMPTS - 1:
                    raise
        return _ordered(outcomes + fates)

    def keep_rejects(self, caller: Caller, source: Source, rejects: Sequence[Reject]) -> None:
        """Seal refused lines to the person who imports, for 30 days."""
        content = {
            "source": source.name,
            "rejects": [
                {
                    "line": reject.line,
                    "faults": [[fault.pointer, fault.code] for fault in reject.faults],
                    "record": dict(reject.record),
                }
                for reject in rejects
            ],
        }
        due = self._stores.clock.now().date() + REJECTS_KEPT
        private.keep(self._stores, caller, REJECTS, content, due, code="import.refuse")

    def rejects(
        self, caller: Caller, after: UUID | None = None, limit: int | None = None
    ) -> list[RejectFile]:
        """Return the caller's own refused lines, in the order of random ids."""
        found = private.mine(
            self._stores, caller, REJECTS, code="import.rejects", after=after, limit=limit
        )
        return [
            RejectFile(
                one.id,
                str(one.content.get("source", "")),
                tuple(_reject(raw) for raw in one.content.get("rejects", [])),
                one.readable,
            )
            for one in found
        ]

    def forget_rejects(self, caller: Caller, kept: UUID) -> None:
        """Erase refused lines before their date."""
        private.remove(self._stores, caller, REJECTS, kept, code="import.forget")

    def _checked(
        self, source: Source, candidates: Sequence[Candidate]
    ) -> tuple[dict[int, Historic], list[Outcome]]:
        today = self._stores.clock.now().date()
        words, schedule = self._stores.dictionary, schedules.current(self._stores)
        checked: dict[int, Historic] = {}
        refused: list[Outcome] = []
        for one in candidates:
            try:
                checked[one.line] = historic.check(
                    words, one, source.name, source.retention_class, today, schedule
                )
            except Invalid as error:
                refused.append(Outcome(one.line, Fate.REFUSED, error.errors))
        return checked, refused

    def _known(self, source: Source, checked: Mapping[int, Historic]) -> set[str]:
        stores = self._stores
        lines = [self._line(source, one) for one in checked.values()]
        with stores.data.reading() as connection:
            return {line.number for line in import_lines.taken(connection, stores.roots, lines)}

    def _bear(self, caller: Caller, source: Source, fresh: Sequence[Historic]) -> None:
        schedule = schedules.current(self._stores)
        births = [self._birth(source, one, schedule) for one in fresh]
        imported = [self._line(source, one) for one in fresh]
        bear(self._stores, caller, births, imported=imported)

    def _birth(self, source: Source, one: Historic, schedule: Schedule) -> Birth:
        today = self._stores.clock.now().date()
        region = self._stores.counting.region_of(self._stores.keyring, _team(source))
        case = one.metadata(TeamId(_team(source)), source.retention_class, today, schedule)
        coded = {"case": case.id.hex, "pid": new_id().hex, **region, **one.facts}
        contents = (
            (DocumentKind.IDENTITY, one.identity),
            (DocumentKind.PROFILE, one.profile),
            (DocumentKind.FACTS, coded),
        )
        fields = tuple(f"{k.value}.{name}" for k, c in contents[:2] for name in sorted(c))
        return Birth(case, contents, fields, code="case.import")

    def _line(self, source: Source, one: Historic) -> Line:
        return Line(self._stores.organisation, _team(source), source.name, one.source_id)

    def _record_check(self, caller: Caller, count: int) -> None:
        self._stores.ledger.record(
            Act("import.check", caller.on_ledger, rule="permit:team", count=count)
        )


def _fates(known: set[str], checked: Mapping[int, Historic]) -> list[Outcome]:
    """Say which lines are new; of two with one number, the first is."""
    seen, fates = set(known), []
    for line, one in checked.items():
        fates.append(Outcome(line, Fate.PRESENT if one.source_id in seen else Fate.TAKEN))
        seen.add(one.source_id)
    return fates


def _ordered(outcomes: Sequence[Outcome]) -> list[Outcome]:
    return sorted(outcomes, key=lambda outcome: outcome.line)


def _reject(raw: Mapping[str, Any]) -> Reject:
    faults = tuple(FieldError(pointer, code) for pointer, code in raw["faults"])
    return Reject(raw["line"], faults, raw["record"])


def _team(source: Source) -> UUID:
    return source.team or UUID(int=0)
