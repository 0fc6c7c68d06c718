"""Which fields are filled, counted over the cases that one person can open.

Gives numbers of cases by field and nothing else: no value, no case id leaves. Each page of cases
is on the ledger, with the cases and the fields looked at, before its numbers are given.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from casevault.domain.case import casefile, dictionary
from casevault.domain.case.casefile import Compartment, DocumentKind
from casevault.domain.case.records import Record
from casevault.domain.staff.access import Permission, Subject
from casevault.store.casework import caseload
from casevault.store.casework.caseload import Glance
from casevault.store.context.caller import Caller, Gate
from casevault.store.context.stores import Stores

# These hold their fields themselves; of all others the version that holds now is looked at.
_PLAIN = frozenset({DocumentKind.IDENTITY, DocumentKind.PROFILE, DocumentKind.FACTS})
_FIELDS = tuple(
    f"{kind.value}.{field.name}" for kind in DocumentKind for field in dictionary.fields_of(kind)
)
_READS = {
    compartment.value: [k.value for k in DocumentKind if casefile.compartment_of(k) is compartment]
    for compartment in Compartment
}


@dataclass(frozen=True, slots=True)
class UsePage:
    """Some cases: in how many a document could be looked at, and a field is filled.

    `seen` is by document, `filled` by document and dotted name of the field (``profile.plan.due``).
    `unreadable` cases did not open; `total` is all cases within reach; `after` asks for the next.
    """

    seen: Mapping[str, int]
    filled: Mapping[str, int]
    cases: int
    unreadable: int
    total: int
    after: UUID | None


class FieldUse:
    """The use case of looking which fields are used."""

    def __init__(self, stores: Stores, gate: Gate) -> None:
        self._stores = stores
        self._gate = gate

    def count(self, caller: Caller, after: UUID | None = None) -> UsePage:
        """Count over the next 25 cases of the caller's caseload."""
        stores = self._stores
        self._gate.require(caller, Permission.CASE_LIST, Subject(kind="case"))
        with stores.keyring.reading() as tx:
            ids = caseload.reach(tx, caller)
        page = caseload.page(stores, caller, ids, _look, reads=_READS, after=after)
        stores.ledger.record(*caseload.acts(caller, "dictionary.count", page.items, fields=_FIELDS))
        looks = [one.found for one in page.items if one.found is not None]
        return UsePage(
            seen=Counter(document for seen, _ in looks for document in seen),
            filled=Counter(name for _, filled in looks for name in filled),
            cases=len(page.items),
            unreadable=len(page.items) - len(looks),
            total=len(ids),
            after=page.after,
        )


def _look(glance: Glance) -> tuple[set[str], set[str]]:
    """Return the documents that could be looked at in a case, and the fields filled in them."""
    seen = {
        kind.value
        for kind in DocumentKind
        if casefile.compartment_of(kind).value in glance.open_compartments
    }
    filled: set[str] = set()
    for document in glance.documents:
        kind, content = DocumentKind(document.kind), document.content
        if kind not in _PLAIN:
            content = dict(Record.decode(content).current.content)
        filled |= {f"{kind.value}.{name}" for name in dictionary.filled(kind, content)}
    return seen, filled
