"""Who looked at a file, and what a leaver saw: an auditor counts, the right people get their part.

An auditor cannot open a file, and whoever holds it cannot open the log. So the auditor releases
the list sealed to those who hold the case's narrative at that moment, for thirty days; a holder
adds the content half. A supervisor gets a leaver's numbers and no more.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import timedelta
from typing import Any
from uuid import UUID

from casevault.domain.audit import looks as words
from casevault.domain.audit.looks import Look
from casevault.domain.case.casefile import Compartment
from casevault.domain.staff.access import Permission, Subject
from casevault.domain.staff.granting import ObjectKind, PrincipalKind
from casevault.errors import NotFound, Tampered
from casevault.ids import NO_TEAM, TeamId, parse_reference
from casevault.store.audit import audit_months, audit_records, ledger_search
from casevault.store.audit.audit_months import ACTOR, SUBJECT
from casevault.store.audit.audit_records import LEAVER, LOOKS, New
from casevault.store.audit.ledger_search import Where
from casevault.store.case import cases
from casevault.store.casework.held import Desk
from casevault.store.context.caller import Caller, Gate
from casevault.store.context.stores import Stores
from casevault.store.engine import idempotency
from casevault.store.engine.keyring import KeyringTransaction
from casevault.store.keys import grants, people, principals
from casevault.store.keys.grants import Grantee, Object
from casevault.store.log.ledger import Act, Touched, pseudonym
from casevault.store.log.ledger_reading import Entry
from casevault.store.log.months import MonthKey

RELEASED_DAYS = 30
_ALL = 1 << 62
_OPENINGS = frozenset({"saw", "changed", "emergency", "copied"})


@dataclass(frozen=True, slots=True)
class Looks:
    """The list of a case: over which days the log was read, and what it says, youngest first."""

    case: UUID
    first: str
    last: str
    items: tuple[Look, ...]


@dataclass(frozen=True, slots=True)
class SeenCase:
    """What a colleague did with one case; without an id if it is not there any more."""

    case: UUID | None
    looks: int
    first: str
    last: str
    parts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Seen:
    """What a colleague saw over all months of the log."""

    staff: UUID
    cases: tuple[SeenCase, ...]
    exports: int
    searches: int
    refusals: int

    @property
    def counts(self) -> dict[str, int]:
        """The numbers that a supervisor gets."""
        return {
            "cases": len(self.cases),
            "looks": sum(one.looks for one in self.cases),
            "exports": self.exports,
            "searches": self.searches,
            "refusals": self.refusals,
        }


class LooksAt:
    """The use cases of these lists."""

    def __init__(self, stores: Stores, gate: Gate) -> None:
        self._stores = stores
        self._gate = gate
        self._desk = Desk(stores, gate)

    def case_named(self, text: str) -> UUID:
        """Return the case that somebody names by its id or the reference that people say aloud."""
        reference = parse_reference(text)
        try:
            given = UUID(text)
        except ValueError:
            given = None
        if given is not None:
            return given
        with self._stores.data.reading() as connection:
            found = None if reference is None else cases.id_of_reference(connection, reference)
        if found is None:
            raise NotFound()
        return found

    def who(self, caller: Caller, case: UUID, *, names: bool = True) -> Looks:
        """Return who looked at a case, month by month over the whole log. For auditors."""
        touched = (Touched("case", case),)
        self._gate.require(caller, Permission.LEDGER_QUERY, Subject("ledger"), touched)
        found = self._who(caller, case, names=names)
        self._stores.ledger.record(
            Act(
                "audit.query",
                caller.on_ledger,
                rule="permit:role",
                touched=touched,
                filters=("who", "case"),
                count=len(found.items),
            )
        )
        return found

    def release(self, caller: Caller, case: UUID, *, names: bool = True) -> Looks:
        """Let those who hold the case's narrative read the list, for thirty days."""
        stores, touched = self._stores, (Touched("case", case),)
        self._gate.require(caller, Permission.LEDGER_RELEASE, Subject("ledger"), touched)
        with stores.data.reading() as connection:
            metadata = cases.find_case(connection, stores.roots, case)
        if metadata is None:
            raise NotFound()
        found = self._who(caller, case, names=names)
        with stores.keyring.reading() as tx:
            readers = self._holders(tx, case, metadata.team)
        content = {
            "first": found.first,
            "last": found.last,
            "looks": [asdict(one) for one in found.items],
        }
        self._give(caller, LOOKS, case, metadata.team, content, readers, touched)
        return found

    def collect(self, caller: Caller, case: UUID) -> tuple[str, Looks]:
        """Return a released list, with the case's reference, to a holder of its narrative.

        :raises NotFound: no auditor released one, or it is over.
        """
        stores = self._stores
        with stores.data.reading() as connection:
            held = self._desk.hold(
                caller, connection, case, Permission.CASE_READ, Compartment.NARRATIVE.value
            )
        touched = (Touched("case", case),)
        record = self._extract(caller, LOOKS, case, held.case.team, touched)
        try:
            items = tuple(Look(**one) for one in record["looks"])
            found = Looks(case, str(record["first"]), str(record["last"]), items)
        except (KeyError, TypeError):
            raise Tampered(code="audit-record") from None
        return held.case.reference, found

    def leaver(self, caller: Caller, staff: UUID) -> Seen:
        """Return what a colleague saw, case by case. For auditors."""
        touched = (Touched("staff", staff),)
        self._gate.require(caller, Permission.LEDGER_QUERY, Subject("ledger"), touched)
        self._team_of(caller, Permission.LEDGER_QUERY, staff)
        found = self._seen(caller, staff)
        self._stores.ledger.record(
            Act(
                "audit.leaver",
                caller.on_ledger,
                rule="permit:role",
                touched=touched,
                count=len(found.cases),
            )
        )
        return found

    def release_counts(self, caller: Caller, staff: UUID) -> Seen:
        """Let the supervisors of a colleague's team read the numbers, for thirty days."""
        stores, touched = self._stores, (Touched("staff", staff),)
        self._gate.require(caller, Permission.LEDGER_RELEASE, Subject("ledger"), touched)
        team = self._team_of(caller, Permission.LEDGER_RELEASE, staff)
        if team is None:
            # In no team there is no supervisor to tell.
            self._gate.deny(caller, Permission.LEDGER_RELEASE, "refused:leaver.team", touched)
            raise NotFound(code="leaver.team")
        with stores.keyring.reading() as tx:
            readers = stores.trust.groups(tx, PrincipalKind.OVERSIGHT, team)
        found = self._seen(caller, staff)
        self._give(caller, LEAVER, staff, team, {"counts": found.counts}, readers, touched)
        return found

    def counts(self, caller: Caller, staff: UUID) -> dict[str, int]:
        """Return a colleague's released numbers to a supervisor of the team."""
        stores, touched = self._stores, (Touched("staff", staff),)
        with stores.keyring.reading() as tx:
            member = people.staff_by_id(tx, staff)
        team = NO_TEAM if member is None or member.team is None else TeamId(member.team)
        subject = Subject("staff", team=team)
        self._gate.require(caller, Permission.LEAVER_COUNT, subject, touched, hide=False)
        record = self._extract(caller, LEAVER, staff, team, touched)
        return {str(name): int(count) for name, count in record["counts"].items()}

    def _team_of(self, caller: Caller, permission: Permission, staff: UUID) -> UUID | None:
        with self._stores.keyring.reading() as tx:
            member = people.staff_by_id(tx, staff)
        if member is None:
            self._gate.deny(caller, permission, "refused:unknown", (Touched("staff", staff),))
            raise NotFound()
        return member.team

    # --- making the lists -------------------------------------------------------------------------

    def _who(self, caller: Caller, case: UUID, *, names: bool) -> Looks:
        called = _Called(self._people(), names=names)
        found: list[Look] = []
        days: list[str] = []
        for month, known in self._months(caller):
            days.append(month.month)
            wanted = Where((pseudonym(month, SUBJECT, case),))
            for entry in self._entries(month, wanted):
                if words.is_look(entry.body.code):
                    found.append(called.look(entry, known))
        last = f"{self._stores.clock.now():%Y-%m-%d}"
        first = f"{days[0]}-01" if days else last
        return Looks(case, first, last, tuple(words.grouped(found)))

    def _seen(self, caller: Caller, staff: UUID) -> Seen:
        by_case: dict[UUID | str, list[Entry]] = {}
        counts: Counter[str] = Counter()
        for month, _ in self._months(caller):
            with self._stores.data.reading() as connection:
                known = audit_months.cases(connection, month)
            for entry in self._entries(month, Where((pseudonym(month, ACTOR, staff),))):
                body = entry.body
                counts["exports"] += body.code in ("case.export", "audit.export_end")
                counts["searches"] += body.code == "search.run"
                counts["refusals"] += body.outcome == 4
                if words.did_of(body.code, body.outcome, body.rule) in _OPENINGS:
                    for one in body.entities:
                        if one.type == "case":
                            by_case.setdefault(known.get(one.record, one.record), []).append(entry)
        seen = tuple(_seen_case(case, entries) for case, entries in by_case.items())
        ordered = tuple(sorted(seen, key=lambda one: one.last, reverse=True))
        return Seen(staff, ordered, counts["exports"], counts["searches"], counts["refusals"])

    def _months(self, caller: Caller) -> Iterator[tuple[MonthKey, Mapping[str, UUID]]]:
        """Yield each month with its actors, opened one after the other, oldest first."""
        stores = self._stores
        with stores.keyring.reading() as tx:
            names = audit_months.names(tx)
        for name in names:
            with stores.keyring.reading() as tx:
                month = audit_months.opened(tx, caller, name)
                actors = audit_months.actors(tx, month)
            yield month, dict(actors)

    def _entries(self, month: MonthKey, where: Where) -> Iterator[Entry]:
        for portion in ledger_search.every(self._stores, month, where, _ALL):
            yield from portion

    def _people(self) -> dict[UUID, str]:
        with self._stores.keyring.reading() as tx:
            return {member.id: member.name for member in people.all_staff(tx)}

    # --- passing them on --------------------------------------------------------------------------

    def _holders(self, tx: KeyringTransaction, case: UUID, team: UUID) -> list[Grantee]:
        """Return the people and the supervisors' group who hold the narrative at present."""
        stores, now = self._stores, self._stores.now()
        found: dict[UUID, Grantee] = {}
        for grant in grants.of_object(tx, Object(ObjectKind.CASE, case, team)):
            carried = {one.compartment for one in grant.terms.carried}
            row = principals.principal(tx, grant.terms.grantee)
            if row is None or grants.is_over(grant, now):
                continue
            ours = row.kind in (PrincipalKind.STAFF, PrincipalKind.OVERSIGHT)
            public = stores.trust.standing(tx, row.id, team) if ours else None
            if public is not None and Compartment.NARRATIVE.value in carried:
                found[row.id] = Grantee(row.id, public)
        return list(found.values())

    def _give(
        self,
        caller: Caller,
        kind: str,
        about: UUID,
        team: UUID,
        content: dict[str, Any],
        readers: Iterable[Grantee],
        touched: tuple[Touched, ...],
    ) -> None:
        stores = self._stores
        until = stores.clock.now() + timedelta(days=RELEASED_DAYS)
        record_id = audit_records.id_for(stores, kind, str(about))
        new = New(record_id, kind, content, until.date(), team)
        act = Act(
            "audit.release", caller.on_ledger, "permit:role", touched=touched, filters=(kind,)
        )
        with stores.data.reading() as connection:
            if idempotency.find(connection, stores.roots, caller.repeat, stores.now()):
                # Sent again: it was given, and is kept for as long as it was said the first time.
                stores.ledger.record(replace(act, filters=(kind, "repeat")))
                return
        audit_records.add(
            stores,
            new,
            caller.keys.granter,
            list(readers),
            [act],
            replace=True,
            expires_at=int(until.timestamp()),
        )
        with stores.data.writing() as connection:
            idempotency.keep(connection, stores.roots, caller.repeat, record_id, stores.now())

    def _extract(
        self, caller: Caller, kind: str, about: UUID, team: UUID, touched: tuple[Touched, ...]
    ) -> Mapping[str, Any]:
        stores = self._stores
        act = Act(
            "audit.collect",
            caller.on_ledger,
            rule="permit:release",
            touched=touched,
            filters=(kind,),
        )
        record_id = audit_records.id_for(stores, kind, str(about))
        try:
            record = audit_records.read(stores, caller.keys, kind, record_id, team)
        except NotFound:
            # Asked for and not there: also that is on the log.
            stores.ledger.record(act)
            raise NotFound(
                "No auditor has released this.",
                code="looks.none",
                hint="Ask an auditor for it: casevault ledger who, or ledger leaver.",
            ) from None
        stores.ledger.record(act)
        return record.content


class _Called:
    """What people are called on a list: by name, or by role and number."""

    def __init__(self, people_: Mapping[UUID, str], *, names: bool) -> None:
        self._names = people_ if names else {}
        self._numbers: dict[str, str] = {}

    def look(self, entry: Entry, actors: Mapping[str, UUID]) -> Look:
        """Return an entry as a look."""
        body = entry.body
        role = words.role_of(body.roles)
        staff = actors.get(body.actor or "")
        return Look(
            day=body.recorded[:10],
            who=self._who(staff, role),
            role=role,
            did=words.did_of(body.code, body.outcome, body.rule),
            part=_part(entry),
            why=words.why_of(body.purpose),
        )

    def _who(self, staff: UUID | None, role: str) -> str:
        if staff is None or role == "service":
            return "–"
        if staff in self._names:
            return self._names[staff]
        return self._numbers.setdefault(str(staff), f"no. {len(self._numbers) + 1}")


def _seen_case(case: UUID | str, entries: list[Entry]) -> SeenCase:
    moments = sorted(entry.body.recorded for entry in entries)
    parts = {_part(entry) for entry in entries}
    known = case if isinstance(case, UUID) else None
    return SeenCase(known, len(entries), moments[0], moments[-1], tuple(sorted(parts)))


def _part(entry: Entry) -> str:
    """Return which part an entry was about: its fields tell, or else what has a version in it."""
    body = entry.body
    versions = [name for e in body.entities if e.type == "case" for name, _ in e.versions]
    return words.part_of(body.code, body.fields or versions)
