"""Search cards made anew: after an update of matching, a restore, or a change of what cards hold.

What a person can open, they can list: each card is written from the case's own record, in batches
that are recorded. Must never overwrite the card of a case that somebody is changing meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from casevault.domain.case.casefile import CaseMetadata, Compartment, DocumentKind
from casevault.domain.staff.access import Permission, Subject
from casevault.errors import Invalid
from casevault.ids import TeamId
from casevault.store.case import cases
from casevault.store.casework import caseload, listing
from casevault.store.casework.caseload import Glance, Seen
from casevault.store.context.caller import Caller, Gate
from casevault.store.context.stores import Stores
from casevault.store.log.ledger import Act, Touched
from casevault.store.log.unit_of_work import unit_of_work
from casevault.store.search import cards
from casevault.store.search.cards import Fresh

_IDENTITY, _PROFILE = DocumentKind.IDENTITY.value, DocumentKind.PROFILE.value
_READS = {
    Compartment.IDENTITY.value: [_IDENTITY],
    Compartment.NARRATIVE.value: [_PROFILE],
}
Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """How many cases have a card now, are unlisted, and could not be read by this person."""

    listed: int = 0
    unlisted: int = 0
    skipped: tuple[UUID, ...] = ()
    orphans: int = 0


@dataclass(frozen=True, slots=True)
class _Record:
    """What a card is made from."""

    case: CaseMetadata
    identity: Mapping[str, Any]
    unlisted: bool

    def __repr__(self) -> str:
        return "_Record(…)"


class SearchCards:
    """The use case of making cards anew."""

    def __init__(self, stores: Stores, gate: Gate) -> None:
        self._stores = stores
        self._gate = gate

    def rebuild(
        self, caller: Callable[[], Caller], progress: Progress = lambda _done, _of: None
    ) -> Rebuilt:
        """Write the card of every case of the own team that the caller can open whole.

        `caller` is asked for anew before each batch, so that it ends with the person's session.
        """
        me = caller()
        if len(me.actor.teams) != 1:
            raise Invalid("Only somebody of one team can do this.", code="search.team")
        team = next(iter(me.actor.teams))
        self._gate.require(me, Permission.CASE_OPEN, Subject("directory", team=team))
        ids = self._ids(me, team)
        total, found, after = len(ids), Rebuilt(), None
        while True:
            me = caller()
            page = caseload.page(self._stores, me, ids, _record, reads=_READS, after=after)
            found = _added(found, self._batch(me, team, page.items))
            progress(found.listed + found.unlisted + len(found.skipped), total)
            after = page.after
            if after is None:
                break
        return Rebuilt(found.listed, found.unlisted, found.skipped, self._orphans(me, team))

    def _ids(self, caller: Caller, team: TeamId) -> set[UUID]:
        with self._stores.keyring.reading() as tx:
            reach = caseload.reach(tx, caller)
        return caseload.of_team(self._stores, reach, team)

    def _batch(
        self, caller: Caller, team: TeamId, items: Sequence[Seen[_Record | None]]
    ) -> Rebuilt:
        stores = self._stores
        skipped = tuple(one.id for one in items if one.found is None)
        records = [one.found for one in items if one.found is not None]
        if not records:
            return Rebuilt(skipped=skipped)
        listed: dict[UUID, _Record] = {r.case.id: r for r in records if not r.unlisted}
        hidden = [one.case.id for one in records if one.unlisted]
        with stores.keyring.writing() as tx:
            directory = cards.directory_of(tx, stores.trust, caller, team)
            fresh = cards.renew(tx, directory, listed, stores.now())
            # Erased since they were read.
            gone = cards.erased(tx, listed)
            cards.forget(tx, team, [*hidden, *gone])
        listed = {case: one for case, one in listed.items() if case not in gone}
        written = self._write(caller, team, listed, fresh, hidden)
        cards.settle(stores, *fresh.values())
        late = tuple(case for case in listed if case not in written)
        return Rebuilt(len(written), len(hidden), (*skipped, *late))

    def _write(
        self,
        caller: Caller,
        team: TeamId,
        listed: Mapping[UUID, _Record],
        fresh: Mapping[UUID, Fresh],
        hidden: Sequence[UUID],
    ) -> set[UUID]:
        stores = self._stores
        sealed = {case: self._sealed(one, fresh[case]) for case, one in listed.items()}
        written: set[UUID] = set()
        with unit_of_work(stores.data, stores.ledger) as uow:
            for case in sorted(listed):
                present = cases.find_case(uow.connection, stores.roots, case, lock=True)
                # Changed since it was read: the change has seen to the card.
                if present is not None and present.version == listed[case].case.version:
                    cards.put(uow.connection, stores.roots, fresh[case], sealed[case])
                    written.add(case)
            cards.remove(uow.connection, stores.roots, team, hidden)
            touched = tuple(Touched("case", case) for case in sorted({*written, *hidden}))
            uow.record(
                Act(
                    "search.rebuild",
                    caller.on_ledger,
                    rule="permit:team",
                    touched=touched,
                    count=len(written),
                )
            )
            uow.commit()
        return written

    def _sealed(self, one: _Record, fresh: Fresh) -> bytes:
        year = int(one.case.opened_month[:4])
        text = listing.card_text(self._stores.search, one.identity, year)
        return cards.seal_card(self._stores.organisation, fresh, text)

    def _orphans(self, caller: Caller, team: TeamId) -> int:
        """Drop what belongs to no case of the team any more."""
        stores = self._stores
        with stores.data.reading() as connection:
            known = cases.all_of_team(connection, team)
        gone = cards.drop_orphans(stores, team, known)
        if gone:
            with unit_of_work(stores.data, stores.ledger) as uow:
                cards.remove_cards(uow.connection, team, gone)
                act = Act("search.rebuild", caller.on_ledger, rule="permit:team", count=len(gone))
                uow.record(act)
                uow.commit()
        return len(gone)


def _record(glance: Glance) -> _Record | None:
    by_kind = {one.kind: one.content for one in glance.documents}
    if _IDENTITY not in by_kind or _PROFILE not in by_kind:
        return None
    return _Record(glance.case, by_kind[_IDENTITY], bool(by_kind[_PROFILE].get("unlisted")))


def _added(one: Rebuilt, other: Rebuilt) -> Rebuilt:
    return Rebuilt(
        one.listed + other.listed, one.unlisted + other.unlisted, (*one.skipped, *other.skipped)
    )
