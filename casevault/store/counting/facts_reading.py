"""The coded facts of all cases, read in bulk with the keys of the counting principal.

One moment of the data store, in the order of random ids, some at a time, in bounded memory; each
case is opened with every check that a caseworker's read makes. A case that does not open is named
and left out. Must only be called by `services.counting.reporting`, which alone opens the counting
principal.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, select

from casevault.crypto.principals import PrincipalSecret
from casevault.domain.case.casefile import CaseMetadata, Compartment, DocumentKind
from casevault.domain.staff.granting import ObjectKind, PrincipalKind
from casevault.errors import CaseVaultError, Tampered
from casevault.store.case import case_keys, cases, documents, manifests, tombstones
from casevault.store.case.case_keys import Versions
from casevault.store.case.held_case import HeldCase
from casevault.store.casework import objecting
from casevault.store.context.stores import Stores
from casevault.store.engine import tables
from casevault.store.engine.keyring import KeyringTransaction
from casevault.store.keys import counting_keys
from casevault.store.keys.counting_keys import Wrapping
from casevault.store.keys.grants import Object
from casevault.store.keys.keyholder import KeyHolder, OpenedKey

_FACTS = Compartment.FACTS.value
_AT_ONCE = 500
_CASE = tables.case_file


@dataclass(frozen=True, slots=True)
class Read:
    """The facts of one case; None if something of it did not open."""

    case: UUID
    restricted: bool = False
    content: Mapping[str, Any] | None = field(default=None, repr=False)


class FactsReader:
    """Reads with one pair of the counting principal."""

    def __init__(self, stores: Stores, counting: UUID, secret: PrincipalSecret) -> None:
        self._stores = stores
        self._holder = KeyHolder(counting, secret, stores.trust)
        self._wrapping = Wrapping(counting, secret)
        # The newest page of kept keys that was read, and what is on it.
        self._page: tuple[int, Mapping[UUID, bytes]] = (-1, {})

    def read(self, watch: Callable[[float], None] = lambda _share: None) -> Iterator[Read]:
        """Yield the facts of every case, all of one moment; tell `watch` which share is done."""
        with self._stores.data.reading() as connection:
            after = UUID(int=0)
            while ids := _ids(connection, after):
                yield from self._portion(connection, ids)
                after = ids[-1]
                # How far the random ids are: it tells nothing about how many there are.
                watch(counting_keys.page_of(after) / counting_keys.PAGES)
        watch(1.0)

    def _portion(self, connection: Connection, ids: Sequence[UUID]) -> Iterator[Read]:
        stores, fresh = self._stores, dict[UUID, OpenedKey]()
        rows = cases.find_cases(connection, stores.roots, ids)
        with stores.keyring.reading() as tx:
            case_keys.prefetch(tx, list(ids), _FACTS)
            known = self._entries(tx, ids)
            self._holder.prefetch(tx, ObjectKind.CASE, [one for one in ids if one not in known])
            gone = _erased(tx, ids)
            shut = objecting.stops_counting(tx, ids)
            there = [one for one in ids if one in rows and one not in gone]
            held = {one: self._held(tx, one, rows[one], known, fresh) for one in there}
        self._keep(fresh)
        sealed = manifests.sealed_manifests(connection, ids, _FACTS)
        listed = {one: _manifest(case, sealed.get(one)) for one, case in held.items()}
        wanted = [d.row for m in listed.values() if m for d in m.of_kinds([DocumentKind.FACTS])]
        found = documents.sealed_documents(connection, wanted, _FACTS)
        for one, case in held.items():
            read = _read(one, case, listed[one], found)
            yield replace(read, restricted=True) if one in shut else read

    def _held(
        self,
        tx: KeyringTransaction,
        case_id: UUID,
        case: CaseMetadata | None,
        known: Mapping[UUID, bytes],
        fresh: dict[UUID, OpenedKey],
    ) -> HeldCase | None:
        try:
            if case is None:
                raise Tampered(code="case.stamp")
            versions = case_keys.of_case(tx, case_id, _FACTS)
            key = self._known(known.get(case_id), versions.get(_FACTS))
            if key is None:
                target = Object(ObjectKind.CASE, case_id, case.team)
                key = self._holder.open(tx, target, _FACTS)[_FACTS]
                fresh[case_id] = key
            return HeldCase(self._stores.organisation, case, {_FACTS: key}, versions)
        except (CaseVaultError, KeyError):
            return None

    def _entries(self, tx: KeyringTransaction, ids: Sequence[UUID]) -> Mapping[UUID, bytes]:
        """Return what is kept of these cases. Of a million, eight portions lie on one page.

        A page that was read for the portion before may be older than this transaction: each entry
        is compared with the case's key of now, by `_known`.
        """
        first, last = counting_keys.page_of(ids[0]), counting_keys.page_of(ids[-1])
        number, kept = self._page
        if number == first == last:
            return kept
        found = self._wrapping.pages(tx, range(first + (number == first), last + 1))
        self._page = last, {c: e for c, e in found.items() if counting_keys.page_of(c) == last}
        return {**kept, **found} if number == first else found

    def _known(self, entry: bytes | None, versions: Versions | None) -> OpenedKey | None:
        if entry is None or versions is None:
            return None
        newest = versions.newest
        if not counting_keys.is_of(entry, newest.key_id, newest.version):
            return None
        key = self._wrapping.open(entry)
        return OpenedKey(key, PrincipalKind.COUNTING, UUID(int=0), None, "counting")

    def _keep(self, fresh: Mapping[UUID, OpenedKey]) -> None:
        if not fresh:
            return
        with self._stores.keyring.writing() as tx:
            # What was erased meanwhile must not come back by this.
            case_keys.lock(tx, list(fresh))
            present = case_keys.present(tx, list(fresh), _FACTS)
            keys = {case: one.key for case, one in fresh.items() if case in present}
            self._wrapping.keep(tx, keys)


def _ids(connection: Connection, after: UUID) -> list[UUID]:
    query = select(_CASE.c.id).where(_CASE.c.id > after).order_by(_CASE.c.id).limit(_AT_ONCE)
    return list(connection.execute(query).scalars())


def _erased(tx: KeyringTransaction, ids: Sequence[UUID]) -> set[UUID]:
    """Return the cases whose facts were erased, says a tombstone; rows may be left."""
    keyed = case_keys.present(tx, list(ids), _FACTS)
    stones = tombstones.find(tx, [one for one in ids if one not in keyed])
    return {case for case, stone in stones.items() if _FACTS in stone.erased}


def _manifest(case: HeldCase | None, sealed: bytes | None) -> manifests.Manifest | None:
    try:
        return None if case is None else case.opened_manifest(_FACTS, sealed)
    except CaseVaultError:
        return None


def _read(
    case_id: UUID,
    case: HeldCase | None,
    manifest: manifests.Manifest | None,
    sealed: Mapping[UUID, bytes],
) -> Read:
    if case is None or manifest is None:
        return Read(case_id)
    try:
        (document,) = case.opened_documents(manifest, [DocumentKind.FACTS], sealed)
    except (CaseVaultError, ValueError):
        return Read(case_id)
    return Read(case_id, case.case.restriction, document.content)
