"""What a search answers, how often it does, and what the ledger keeps of it.

An answer names cases, why each may be the person's, and whom to ask; nothing of a file. The entry
is durable before the answer leaves; it holds a keyed digest of what was asked, so that two askings
of the same can be seen to be the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from uuid import UUID

from casevault.crypto import macs
from casevault.domain.case.casefile import CaseMetadata
from casevault.domain.staff.granting import ObjectKind, PrincipalKind
from casevault.errors import Busy
from casevault.matching.people import Person
from casevault.matching.score import Reason, explain_parts
from casevault.store.case import cases
from casevault.store.context.caller import Caller
from casevault.store.context.stores import Stores
from casevault.store.engine.keyring import KeyringTransaction
from casevault.store.keys import grants, people, principals
from casevault.store.log.ledger import FAILED, Act, Touched
from casevault.store.search import finding, search_counts
from casevault.store.search.finding import Hit, Outcome

MAX_ANSWERS = 10
_ASK_AT_MOST = 5


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


class Answering:
    """Counts searches, answers them, and records both."""

    def __init__(self, stores: Stores) -> None:
        self._stores = stores

    def count(self, caller: Caller) -> None:
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

    def answer(self, caller: Caller, asked: Person, outcome: Outcome) -> Answers:
        """Return what a search says, after its entry is durable."""
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
        return replace(item, ask=_colleagues(tx, members))


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
