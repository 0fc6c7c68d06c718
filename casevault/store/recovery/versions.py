"""What still lies under which version of a key: counted, and moved where no person is needed.

Peppers move when each person signs in, cards when a member of the team writes or rebuilds them,
everything else here. An older version may go when nothing names it any more, and the copies and
backups that were made before are no longer promised. Must never say so from a guess.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Protocol

from sqlalchemy import Connection

from casevault.crypto.roots import PEPPER, SERVICE_KEY, RootProvider
from casevault.domain.staff.granting import ObjectKind, PrincipalKind
from casevault.store.case import cases, import_lines
from casevault.store.context.stores import Stores
from casevault.store.counting import register
from casevault.store.engine import keyring_tables as tables
from casevault.store.engine.keyring import KeyringTransaction
from casevault.store.keys import grants, people, principals
from casevault.store.log import retention_marks, tree
from casevault.store.search import cards

# What a service key gave for values that cannot be made anew: the log is written once, and of an
# imported line only its digest is left.
LASTING = (tree.TAG_PURPOSE, *import_lines.PURPOSES)
_AT_ONCE = 200


class Stamped(Protocol):
    """A module whose rows bear a stamp of the service key."""

    def by_service_key(self, connection: Connection) -> dict[int, int]:
        """Return how many rows bear a stamp of each version."""
        ...

    def restamp(self, connection: Connection, roots: RootProvider, most: int) -> int:
        """Stamp up to `most` older rows anew; return how many."""
        ...


_STAMPED: Mapping[str, Stamped] = MappingProxyType(
    {"cases": cases, "register entries": register, "marks of the log": retention_marks}
)


@dataclass(frozen=True, slots=True)
class Use:
    """How many things of one sort need one version of a key."""

    kind: str
    version: int
    what: str
    count: int


def uses(stores: Stores) -> list[Use]:
    """Return everything that needs a version of a key, the present ones included."""
    return sorted(_uses(stores), key=lambda one: (one.kind, one.version, one.what))


def _uses(stores: Stores) -> Iterator[Use]:
    with stores.keyring.reading() as tx:
        yield from _pepper(tx)
        names = list(people.by_service_key(tx).values())
        for version in sorted(set(names)):
            yield Use(SERVICE_KEY, version, "accounts", names.count(version))
        yield from _grants(tx, PrincipalKind.COUNTING)
        yield from _grants(tx, PrincipalKind.SERVICE)
        yield from _grants(tx, PrincipalKind.RECOVERY)
    with stores.data.reading() as connection:
        for what, kept in _STAMPED.items():
            for version, count in kept.by_service_key(connection).items():
                yield Use(SERVICE_KEY, version, what, count)
        for version, count in cards.by_service_key(connection, stores.roots).items():
            yield Use(SERVICE_KEY, version, "search cards", count)


def _pepper(tx: KeyringTransaction) -> Iterator[Use]:
    for version, (passphrases, codes) in people.by_pepper(tx).items():
        yield Use(PEPPER, version, "passphrases", passphrases)
        yield Use(PEPPER, version, "codes on paper", codes)


def _grants(tx: KeyringTransaction, kind: PrincipalKind) -> Iterator[Use]:
    for group in principals.groups(tx, kind):
        pairs = principals.pairs_of(tx, group)
        if len(pairs) == 1:
            # Then no grant need be opened to be counted.
            yield Use(kind.value, 1, "grants", len(tx.lookups(tables.grant, grantee_id=group.id)))
            continue
        found = Counter(
            grant.terms.grantee_key_id
            for object_kind in ObjectKind
            for grant in grants.of_grantee(tx, object_kind, group.id)
        )
        for number, key_id in enumerate(pairs, start=1):
            yield Use(kind.value, number, "grants", found[key_id])


def move_service_key(stores: Stores) -> int:
    """Put everything under the present service key that no person is needed for; return how much.

    In batches, while everybody works; can be cut off and run again.
    """
    return _move_accounts(stores) + sum(_move_stamps(stores, kept) for kept in _STAMPED.values())


def _move_stamps(stores: Stores, kept: Stamped) -> int:
    moved = 0
    while True:
        with stores.data.writing() as connection:
            done = kept.restamp(connection, stores.roots, _AT_ONCE)
        if not done:
            return moved
        moved += done


def _move_accounts(stores: Stores) -> int:
    present = stores.roots.service().version
    with stores.keyring.reading() as tx:
        older = [one for one, version in people.by_service_key(tx).items() if version != present]
    for staff in older:
        with stores.keyring.writing() as tx:
            if people.staff_by_id(tx, staff) is not None:
                people.change_staff(tx, staff)
    return len(older)
