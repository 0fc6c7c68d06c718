"""Finding people: what may be asked, how often, and what an answer says.

An answer names cases, why each may be the person's, and whom to ask; nothing of a file, and never
which attribute of a card said what. The entry is durable before the answer leaves; it holds a
keyed digest of what was asked, so that two askings of the same can be seen to be the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from uuid import UUID

from casevault.crypto import macs
from casevault.domain.access import Permission, Subject
from casevault.domain.casefile import CaseMetadata
from casevault.domain.granting import ObjectKind, PrincipalKind
from casevault.errors import Busy, FieldError, Invalid, Refused
from casevault.ids import TeamId
from casevault.matching.people import Person, attributes, person
from casevault.matching.score import Reason, explain_parts
from casevault.store import cases, finding, grants, people, principals, search_counts, teams
from casevault.store.caller import Caller, Gate
from casevault.store.finding import Finder, Hit, Outcome
from casevault.store.helpers import Gone
from casevault.store.keyring import KeyringTransaction
from casevault.store.ledger import FAILED, Act, Touched
from casevault.store.stores import Stores

MAX_ANSWERS = 10
_ENOUGH = 2
_ASK_AT_MOST = 5
_OLDEST = 120
_NO_TEAM = TeamId(UUID(int=0))


@dataclass(frozen=True, slots=True)
class Terms:
    """What is known of the person who is looked for."""

    name: str = field(default="", repr=False)
    given: str = field(default="", repr=False)
    family: str = field(default="", repr=False)
    birth_year: int | None = field(default=None, repr=False)
    age: int | None = field(default=None, repr=False)
    phone: str = field(default="", repr=False)
    number: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Colleague:
    """Somebody to ask."""

    id: UUID
    name: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Answer:
    """A case that may be the person's. `case` is its id if the caller holds a key of it."""

    reference: str
    team: UUID
    team_name: str
    case: UUID | None
    certainty: str
    reasons: tuple[Reason, ...]
    ask: tuple[Colleague, ...]


@dataclass(frozen=True, slots=True)
class Answers:
    """The likeliest first; not `complete` if cards did not open or are of an older making."""

    items: tuple[Answer, ...]
    complete: bool


@dataclass(frozen=True, slots=True)
class Share:
    """With how many directories a team's directory is shared."""

    team: UUID
    directories: int


class Search:
    """The use cases of finding people."""

    def __init__(self, stores: Stores, gate: Gate, finder: Finder) -> None:
        self._stores = stores
        self._gate = gate
        self._finder = finder

    def close(self) -> None:
        """End what was started for large searches."""
        self._finder.close()

    def run(self, caller: Caller, terms: Terms, is_gone: Gone = lambda: False) -> Answers:
        """Look through the caller's directories; at most ten answers.

        :raises Invalid: too little is known of the person.
        :raises Busy: the caller has searched too often this hour.
        """
        self._gate.require(caller, Permission.SEARCH_RUN, Subject("search"))
        asked = self._asked(terms)
        if attributes(asked) < _ENOUGH:
            raise _too_little()
        self._count(caller)
        wide = self._stores.search.organisation_wide
        outcome = self._finder.find(caller, asked, MAX_ANSWERS, is_gone, shared=wide)
        return self._answer(caller, asked, outcome)

    def share(self, caller: Caller, team: UUID) -> Share:
        """Let the members of all other teams search the cards of the caller's team.

        Only where the configuration says so. After somebody left a team it is to be done again.
        """
        stores = self._stores
        self._gate.require(caller, Permission.DIRECTORY_SHARE, Subject("directory", TeamId(team)))
        if not stores.search.organisation_wide:
            self._gate.deny(caller, Permission.DIRECTORY_SHARE, "refused:search.not-shared")
            raise Refused(
                "Directories are not shared here: `search_organisation_wide` is off.",
                code="search.not-shared",
            )
        act = Act("directory.share", caller.on_ledger, rule="permit:team")
        with stores.ledger.giving(act), stores.keyring.writing() as tx:
            rows = principals.groups(tx, PrincipalKind.DIRECTORY, team)
            (own,) = [row for row in rows if not stores.trust.is_retired(tx, row.id)]
            key = caller.keys.group_key(tx, own)
            others = [
                group
                for other in people.teams(tx)
                if other != team
                for group in stores.trust.vouched_groups(tx, PrincipalKind.DIRECTORY, other)
            ]
            for group in others:
                teams.admit(tx, caller.keys.granter, own, key, group, stores.now())
        return Share(team, len(others))

    def _asked(self, terms: Terms) -> Person:
        names = [terms.name, f"{terms.given} {terms.family}"]
        years = None if terms.birth_year is None else (terms.birth_year, terms.birth_year)
        if years is None and terms.age is not None:
            year = self._today().year
            years = year - min(terms.age, _OLDEST) - 1, year - min(terms.age, _OLDEST)
        return person(
            names,
            years,
            [terms.phone],
            [terms.number],
            family=terms.family,
            given=terms.given,
            regions=self._stores.search.regions,
        )

    def _count(self, caller: Caller) -> None:
        """Count a search; above the limit none is made, and the first such one is an alarm."""
        limit = self._stores.search.per_hour
        taken = search_counts.take(self._stores, caller.staff)
        if taken <= limit:
            return
        if taken == limit + 1:
            act = Act(
                "search.limited", caller.on_ledger, rule="refused:search.limited", outcome=FAILED
            )
            self._stores.ledger.record(act)
        raise Busy(
            "You have searched very often this hour.",
            code="search.limited",
            hint="Ask a supervisor for help, or go on in the next hour.",
        )

    def _answer(self, caller: Caller, asked: Person, outcome: Outcome) -> Answers:
        stores = self._stores
        wanted = finding.padded([hit.case for hit in outcome.hits], MAX_ANSWERS)
        with stores.data.reading() as connection:
            rows = cases.find_cases(connection, stores.roots, wanted)
        with stores.keyring.reading() as tx:
            names = people.teams(tx)
            held = grants.objects_of(
                tx, ObjectKind.CASE, {caller.staff, *caller.keys.group_ids(tx)}
            )
            ask = {case: self._whom(tx, case) for case in wanted}
            items = tuple(
                _item(asked, hit, row, names, hit.case in held, ask[hit.case], caller)
                for hit in outcome.hits
                if (row := rows.get(hit.case)) is not None and row.team == hit.team
            )
            items = tuple(self._or_supervisors(tx, caller, item) for item in items)
        self._record(caller, asked, outcome, rows)
        tally = outcome.tally
        return Answers(items, complete=not (tally.unreadable or tally.outdated))

    def _record(
        self,
        caller: Caller,
        asked: Person,
        outcome: Outcome,
        rows: Mapping[UUID, CaseMetadata | None],
    ) -> None:
        shown = [hit.case for hit in outcome.hits if rows.get(hit.case) is not None]
        act = Act(
            "search.run",
            caller.on_ledger,
            rule="permit:directory",
            purpose="treatment",
            touched=tuple(Touched("case", case) for case in sorted(shown)),
            count=len(shown),
            query=query_digest(self._stores, asked),
        )
        alarms = []
        if outcome.tally.unreadable:
            alarms.append(
                Act(
                    "search.run",
                    caller.on_ledger,
                    rule="failed:tampered",
                    outcome=FAILED,
                    count=outcome.tally.unreadable,
                )
            )
        self._stores.ledger.record(act, *alarms)

    @staticmethod
    def _whom(tx: KeyringTransaction, case: UUID) -> tuple[Colleague, ...]:
        """Return who holds a case themselves."""
        return _colleagues(tx, sorted(grants.holders_of(tx, case)))

    def _or_supervisors(self, tx: KeyringTransaction, caller: Caller, item: Answer) -> Answer:
        if item.ask or item.team not in caller.actor.teams:
            return item
        groups = principals.groups(tx, PrincipalKind.OVERSIGHT, item.team)
        members = sorted(one for group in groups for one in grants.holders_of(tx, group.id))
        return Answer(
            item.reference,
            item.team,
            item.team_name,
            item.case,
            item.certainty,
            item.reasons,
            _colleagues(tx, members),
        )

    def _today(self) -> date:
        return self._stores.clock.now().date()


def query_digest(stores: Stores, asked: Person) -> str:
    """Return 22 characters that stand for a question, and tell nothing without the service key."""
    names = tuple(sorted(" ".join(map(str, name)) for name in asked.names))
    years = asked.years or (0, 0)
    parts = (names, years, tuple(sorted(asked.last_seven)), tuple(sorted(asked.numbers)))
    return macs.pseudonym(stores.roots.service(), "search-query", parts)


def _item(
    asked: Person,
    hit: Hit,
    row: CaseMetadata,
    names: Mapping[UUID, str],
    is_held: bool,
    ask: tuple[Colleague, ...],
    caller: Caller,
) -> Answer:
    match = hit.found.match
    own = row.team in caller.actor.teams
    return Answer(
        reference=row.reference,
        team=row.team,
        team_name=names.get(row.team, ""),
        case=row.id if is_held else None,
        certainty="high" if match.score >= _HIGH else "medium" if match.score >= _MEDIUM else "low",
        reasons=(*match.reasons, *explain_parts(asked, hit.found.person)),
        # Of another team's case no more is said than which team to ask.
        ask=ask if own else (),
    )


_HIGH, _MEDIUM = 0.95, 0.85


def _colleagues(tx: KeyringTransaction, ids: Sequence[UUID]) -> tuple[Colleague, ...]:
    found = (people.staff_by_id(tx, one) for one in ids)
    known = [Colleague(one.id, one.name) for one in found if one is not None]
    return tuple(known[:_ASK_AT_MOST])


def _too_little() -> Invalid:
    return Invalid(
        "Say more about the person: two parts of their name, or a name and the year of birth, or"
        " a phone number, or the number of a paper.",
        code="search.too-little",
        errors=(FieldError("", "search.too-little"),),
    )
