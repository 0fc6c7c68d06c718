"""Duplicates: at intake, the same search runs for the person who was just written down.

What it finds in the own team becomes an open question in the new case, until somebody decides
"the same person" or "not the same person". Of another team's case no more is said than which team
to ask. Must never decide by itself.
"""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from casevault.domain.case.casefile import Compartment, DocumentKind
from casevault.domain.case.records import Record
from casevault.domain.staff.access import Permission
from casevault.errors import NotFound
from casevault.matching.people import Person
from casevault.store.case.records import POSSIBLE, kept
from casevault.store.casework import listing
from casevault.store.casework.held import Change, Desk, Done
from casevault.store.context.caller import Caller, Gate
from casevault.store.context.stores import Stores
from casevault.store.log.ledger import Touched
from casevault.store.search.answers import MAX_ANSWERS, Answering, Answers
from casevault.store.search.finding import Finder, Outcome
from casevault.store.search.helpers import Gone

_IDENTITY, _NARRATIVE = Compartment.IDENTITY.value, Compartment.NARRATIVE.value
_LINK = DocumentKind.LINK.value
# A link of these types says that the question was asked or answered.
_ASKED = frozenset({POSSIBLE, "same_person", "not_same_person"})


class Duplicates:
    """The use case of looking for a person's other cases."""

    def __init__(self, stores: Stores, gate: Gate, finder: Finder) -> None:
        self._stores = stores
        self._finder = finder
        self._desk = Desk(stores, gate)
        self._answering = Answering(stores)

    def check(self, caller: Caller, case_id: UUID, is_gone: Gone = lambda: False) -> Answers:
        """Look for other cases of this case's person; what is new becomes an open question."""
        asked, known = self._read(caller, case_id)
        self._answering.count(caller)
        wide = self._stores.search.organisation_wide
        found = self._finder.find(caller, asked, MAX_ANSWERS + 1, is_gone, shared=wide)
        others = [hit for hit in found.hits if hit.case != case_id and hit.case not in known]
        outcome = Outcome(tuple(others[:MAX_ANSWERS]), found.tally)
        answers = self._answering.answer(caller, asked, outcome)
        own = [hit.case for hit in outcome.hits if hit.team in caller.actor.teams]
        if own:
            self._ask(caller, case_id, own)
        return answers

    def _read(self, caller: Caller, case_id: UUID) -> tuple[Person, set[UUID]]:
        """Return what is known of the person, and which cases were compared before."""
        with self._stores.data.reading() as connection:
            held = self._desk.hold(caller, connection, case_id, Permission.CASE_AMEND)
            with self._desk.recording_failure(caller, case_id):
                identity = held.manifest(connection, _IDENTITY)
                narrative = held.manifest(connection, _NARRATIVE)
                content = held.documents(connection, identity, [DocumentKind.IDENTITY.value])
                links = held.documents(connection, narrative, [_LINK])
        if not content:
            raise NotFound(code="document")
        year = int(held.case.opened_month[:4])
        person = listing.known_of(self._stores.search, content[0].content, year)
        return person, _compared(kept(one).record for one in links)

    def _ask(self, caller: Caller, case_id: UUID, others: Iterable[UUID]) -> None:
        now = self._stores.now()

        def work(change: Change) -> tuple[None, Done]:
            present = (kept(one).record for one in change.documents(_NARRATIVE, [_LINK]))
            fresh = sorted(set(others) - _compared(present))
            for other in fresh:
                record = Record.new({"type": POSSIBLE}, caller.staff, now, other)
                change.add(_NARRATIVE, _LINK, record.encode())
            also = tuple(Touched("case", other) for other in fresh)
            return None, Done("case.link", ("link.type",), also)

        self._desk.change(caller, case_id, Permission.CASE_AMEND, [_NARRATIVE], work)


def _compared(links: Iterable[Record]) -> set[UUID]:
    return {
        one.about
        for one in links
        if one.about is not None and one.current.content["type"] in _ASKED
    }
