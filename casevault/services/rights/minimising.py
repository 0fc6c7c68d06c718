"""The minimisation report: what is kept, or can be opened, for no purpose any more.

What needs no key is counted for the DPO over all teams and for supervisors over theirs; what does
is counted by each holder over the cases that they can open, page by page, each page on the log
first. Numbers and references leave, never a word of content; nothing is changed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from casevault.domain.case.casefile import Compartment, DocumentKind
from casevault.domain.case.records import Record
from casevault.domain.retention import minimising
from casevault.domain.staff.access import Permission, Role, Subject
from casevault.matching.noticing import Known
from casevault.store.audit import unneeded
from casevault.store.audit.unneeded import OldFiles, Unused
from casevault.store.casework import advising, caseload
from casevault.store.casework.advising import IDENTITY_COMPARED
from casevault.store.casework.caseload import Glance
from casevault.store.context.caller import Caller, Gate
from casevault.store.context.stores import Stores
from casevault.store.keys import people
from casevault.store.log.ledger import Act, Touched

_WORDS = (DocumentKind.NOTE, DocumentKind.SERVICE, DocumentKind.TASK)
_READS = {
    Compartment.NARRATIVE.value: [kind.value for kind in _WORDS],
    Compartment.IDENTITY.value: [DocumentKind.IDENTITY.value],
}


@dataclass(frozen=True, slots=True)
class Overview:
    """What was counted without a key; `names` of colleagues, `since` which month it could look."""

    since: str
    grants: tuple[Unused, ...]
    files: tuple[OldFiles, ...]
    names: Mapping[UUID, str]


@dataclass(frozen=True, slots=True)
class WordsOf:
    """The words of one case: records, how many are long, name its person, name others."""

    reference: str
    records: int
    long: int
    own: int
    others: int
    not_checked: int


@dataclass(frozen=True, slots=True)
class WordsPage:
    """Some of the caller's cases; `after` asks for the next."""

    items: tuple[WordsOf, ...]
    unreadable: int
    total: int
    after: UUID | None


class Minimising:
    """The use cases of the minimisation report."""

    def __init__(self, stores: Stores, gate: Gate) -> None:
        self._stores = stores
        self._gate = gate

    def overview(self, caller: Caller) -> Overview:
        """Count keys that nobody uses and files that outlived the work."""
        stores = self._stores
        self._gate.require(caller, Permission.MINIMISATION_READ, Subject("minimisation"))
        every = Role.DPO in caller.actor.roles
        teams = None if every else frozenset(map(UUID, map(str, caller.actor.teams)))
        unused = unneeded.unused_grants(stores, teams)
        files = unneeded.old_files(stores, teams)
        with stores.keyring.reading() as tx:
            names = {one.id: one.name for one in people.all_staff(tx)}
        act = Act(
            "minimisation.read",
            caller.on_ledger,
            rule="permit:role",
            touched=tuple(Touched("staff", one.staff) for one in unused),
            count=len(unused) + len(files),
        )
        stores.ledger.record(act)
        shown = {one.staff: names.get(one.staff, "") for one in unused}
        return Overview(unneeded.since(stores), tuple(unused), tuple(files), shown)

    def words(self, caller: Caller, after: UUID | None = None) -> WordsPage:
        """Count over the next 25 cases of the caller's caseload what their notes say too much."""
        stores = self._stores
        self._gate.require(caller, Permission.CASE_LIST, Subject("case"))
        with stores.keyring.reading() as tx:
            ids = caseload.reach(tx, caller)
        page = caseload.page(stores, caller, ids, self._look, reads=_READS, after=after)
        fields = (*IDENTITY_COMPARED, *(f"{kind.value}.text" for kind in _WORDS))
        stores.ledger.record(
            *caseload.acts(caller, "minimisation.count", page.items, fields=fields)
        )
        seen = [one.found for one in page.items if one.found is not None]
        return WordsPage(
            tuple(one for one in seen if one.long or one.own or one.others or one.not_checked),
            len(page.items) - len(seen),
            len(ids),
            page.after,
        )

    def _look(self, glance: Glance) -> WordsOf:
        contents = [
            (DocumentKind(one.kind), one.content)
            for one in glance.documents
            if one.kind != DocumentKind.IDENTITY.value
        ]
        known = next(
            (
                advising.known_by(self._stores, one.content, glance.case)
                for one in glance.documents
                if one.kind == DocumentKind.IDENTITY.value
            ),
            Known(),
        )
        texts = [
            text
            for kind, content in contents
            for text in advising.texts_of(kind, Record.decode(content).current.content).values()
        ]
        advice = [advising.looked_at(self._stores, text, known) for text in texts]
        return WordsOf(
            str(glance.case.reference),
            len(contents),
            sum(len(text) > minimising.LONG_NOTE for text in texts),
            sum(any(hint.own for hint in one or ()) for one in advice),
            sum(bool(one) and not any(hint.own for hint in one or ()) for one in advice),
            sum(one is None for one in advice),
        )
