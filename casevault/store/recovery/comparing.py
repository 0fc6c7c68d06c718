"""Comparing what the data store holds with what the keyring remembers, without any key.

By plain headers only: which key a manifest lies under, its revision, its commitment. Contents show
at their next opening. Decides what is lost, behind or foreign; changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from uuid import UUID

from sqlalchemy import Connection, select

from casevault.crypto import macs
from casevault.crypto.sealing import Header, header
from casevault.domain.recovery.settling import Compared, Fault
from casevault.domain.staff.granting import ObjectKind
from casevault.store.case import case_keys, private_rows
from casevault.store.case.case_keys import Versions
from casevault.store.engine import tables
from casevault.store.engine.keyring import KeyringTransaction
from casevault.store.keys import grants

_AT_ONCE = 200
_Manifests = dict[str, Header]


def known_cases(tx: KeyringTransaction) -> set[UUID]:
    """Return the cases of which the keyring names a key."""
    return case_keys.cases(tx)


def stored_cases(connection: Connection) -> set[UUID]:
    """Return the cases of which the data store has a row."""
    return set(connection.execute(select(tables.case_file.c.id)).scalars())


def compared(
    tx: KeyringTransaction, connection: Connection, cases: Iterable[UUID]
) -> Iterator[Compared]:
    """Give every compartment of these cases that is not what the keyring remembers."""
    ordered = sorted(cases)
    for at in range(0, len(ordered), _AT_ONCE):
        some = ordered[at : at + _AT_ONCE]
        remembered, found = case_keys.of_cases(tx, some), headers(connection, some)
        lying = _key_versions(connection, some)
        for case in some:
            yield from _case(case, lying[case], remembered.get(case, {}), found.get(case, {}))


def behind(
    tx: KeyringTransaction, connection: Connection, cases: Iterable[UUID]
) -> Iterator[tuple[UUID, UUID]]:
    """Give those of these cases whose data lies under older keys than the newest, and their team.

    Whatever passed from one team to another got new keys by it.
    """
    ordered, case = sorted(cases), tables.case_file
    for at in range(0, len(ordered), _AT_ONCE):
        some = ordered[at : at + _AT_ONCE]
        remembered = case_keys.of_cases(tx, some)
        query = select(case.c.id, case.c.team_id, case.c.key_version).where(case.c.id.in_(some))
        for row in connection.execute(query):
            if case_keys.is_behind(row.key_version, remembered.get(row.id, {})):
                yield row.id, row.team_id


def closed_private(tx: KeyringTransaction, connection: Connection) -> int:
    """Return how many private objects have no grant any more: their authors ended them."""
    granted = grants.all_of_kind(tx, ObjectKind.PRIVATE)
    return len(private_rows.all_ids(connection) - granted)


def _case(
    case: UUID, version: int, remembered: Mapping[str, Versions], found: Mapping[str, Header]
) -> Iterator[Compared]:
    for name in sorted(remembered.keys() | found.keys()):
        versions, head = remembered.get(name), found.get(name)
        fault, revision = _fault(version, versions, head)
        if fault is not None:
            now = (0, b"") if head is None else (head.revision, head.commitment)
            yield Compared(case, name, fault, version, revision, *now)


def _fault(
    version: int, versions: Versions | None, head: Header | None
) -> tuple[Fault | None, int]:
    """Return what is wrong with a compartment, and which revision the keyring remembers."""
    row = None if versions is None else versions.rows.get(version)
    if row is None:
        return Fault.FOREIGN, 0
    anchor = row.anchor
    if head is None:
        return Fault.MISSING, anchor.revision
    if (head.key_id, head.version) != (row.key_id, version):
        return Fault.FOREIGN, anchor.revision
    if head.revision < anchor.revision:
        return Fault.BEHIND, anchor.revision
    if head.revision == anchor.revision and not macs.same(head.commitment, anchor.commitment):
        return Fault.DIFFERENT, anchor.revision
    return None, anchor.revision


def headers(connection: Connection, cases: list[UUID]) -> dict[UUID, _Manifests]:
    """Return the plain headers of the manifests of these cases, by compartment."""
    table, found = tables.manifest, dict[UUID, _Manifests]()
    for row in connection.execute(select(table).where(table.c.case_id.in_(cases))):
        found.setdefault(row.case_id, {})[row.compartment] = header(bytes(row.sealed))
    return found


def _key_versions(connection: Connection, cases: list[UUID]) -> dict[UUID, int]:
    case = tables.case_file
    query = select(case.c.id, case.c.key_version).where(case.c.id.in_(cases))
    return {row.id: row.key_version for row in connection.execute(query)}
