"""Search cards: one sealed row per listed case, its key wrapped under the team's directory key.

A card's row is named by an HMAC of the service key over team and case, so that a dump does not
say which case it belongs to or which case has none, while a job without any key of the case can
find and delete it. Keys lie in 256 pages per directory. Every change of a card gives it a new
key: what an older backup holds of the person's former names opens no more.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from sqlalchemy import Connection, bindparam, delete, insert, select

from casevault.crypto import cards, macs
from casevault.crypto.roots import RootProvider
from casevault.crypto.sealing import Key, header, seal
from casevault.domain.case.casefile import Compartment
from casevault.domain.staff.granting import PrincipalKind
from casevault.errors import Refused, Tampered
from casevault.store.context.caller import Caller
from casevault.store.context.stores import Stores
from casevault.store.engine import keyring_tables, tables
from casevault.store.engine.keyring import KeyringTransaction
from casevault.store.engine.quick import Among, Quick
from casevault.store.keys import principals
from casevault.store.keys.trust import Trust

PAGES = 256
_KEYS = keyring_tables.card_keys
_CARD = tables.search_card
_ORPHAN_SECONDS = 24 * 3600
_ADD = Quick(insert(_CARD))
_REMOVE = Among(
    lambda ids: delete(_CARD).where(_CARD.c.team_id == bindparam("team"), _CARD.c.id.in_(ids)),
    "ids",
    _CARD.c.id.type,
)
_FIND = Quick(
    select(_CARD.c.sealed).where(
        _CARD.c.team_id == bindparam("team"), _CARD.c.id == bindparam("card")
    )
)


@dataclass(frozen=True, slots=True)
class Directory:
    """A team's directory as a member opens it."""

    group: UUID
    team: UUID
    key: Key = field(repr=False)


@dataclass(frozen=True, slots=True)
class Fresh:
    """A new key for a case's card, already in the keyring; it opens nothing yet."""

    directory: Directory
    case: UUID
    card: bytes
    key: Key = field(repr=False)


def directory_of(tx: KeyringTransaction, trust: Trust, caller: Caller, team: UUID) -> Directory:
    """Return the directory in which a team's new cards go, locked until the transaction ends.

    :raises Refused: the caller is no member of it.
    """
    for group in trust.group_ids(tx, PrincipalKind.DIRECTORY, team):
        try:
            return Directory(group, team, caller.keys.group_key_of(tx, group, team))
        except Refused:
            raise Refused(
                "You are not in your team's directory, so the people you write down could not be"
                " found again.",
                code="search.directory",
                hint="Ask your supervisor to vouch for you again.",
            ) from None
    raise Tampered(code="principal.missing")


def renew(
    tx: KeyringTransaction, directory: Directory, cases: Iterable[UUID], now: int
) -> dict[UUID, Fresh]:
    """Add a new key for the card of each of these cases, beside the one in use."""
    lock(tx, directory.group)
    wrapping = cards.wrapping_key(directory.key)
    made: dict[UUID, Fresh] = {}
    entries: list[bytes] = []
    for case in cases:
        card, key = card_of(tx.roots, directory.team, case), Key.random()
        made[case] = Fresh(directory, case, card, key)
        entries.append(cards.wrap(wrapping, directory.group, card, key, now))
    _add_entries(tx, directory.group, entries)
    return made


def erased(tx: KeyringTransaction, cases: Iterable[UUID]) -> set[UUID]:
    """Return those of these cases whose identity was erased: they are to have no card.

    Ask under the lock that `renew` takes: whoever erases one after that takes its new key too.
    """
    wanted = sorted(cases)
    stones = tx.values(keyring_tables.tombstone, "object_id", object_id=wanted) if wanted else set()
    if not stones:
        return set()
    where = {"case_id": sorted(stones), "compartment": Compartment.IDENTITY.value}
    return stones - tx.values(keyring_tables.case_key, "case_id", **where)


def seal_card(organisation: UUID, fresh: Fresh, text: bytes) -> bytes:
    """Return a case's card, sealed under its new key."""
    place = cards.place(organisation, fresh.card)
    return seal(fresh.key, place, fresh.case.bytes + text)


def put(connection: Connection, roots: RootProvider, fresh: Fresh, sealed: bytes) -> None:
    """Write a case's card in place of the one before."""
    remove(connection, roots, fresh.directory.team, [fresh.case])
    row = {"team_id": fresh.directory.team, "id": fresh.card, "sealed": sealed}
    _ADD.run(connection, row)


def remove(connection: Connection, roots: RootProvider, team: UUID, cases: Iterable[UUID]) -> int:
    """Delete the cards of these cases, without any key; return how many there were."""
    ids = [card for case in cases for card in cards_of(roots, team, case)]
    return _REMOVE.run(connection, {"team": team, "ids": ids})


def has_card(connection: Connection, roots: RootProvider, team: UUID, case: UUID) -> bool:
    """Say whether a case has a card, without opening it."""
    return bool(_key_ids(connection, roots, team, case))


def settle(stores: Stores, *fresh: Fresh) -> None:
    """Drop every key of these cases' cards but those under which they lie now."""
    with stores.data.reading() as connection:
        used = {
            one: _key_ids(connection, stores.roots, one.directory.team, one.case) for one in fresh
        }
    with stores.keyring.writing() as tx:
        for one, keep in used.items():
            ids = cards_of(tx.roots, one.directory.team, one.case)
            _drop(tx, [one.directory.group], ids, keep=keep)


def forget(tx: KeyringTransaction, team: UUID, cases: Iterable[UUID]) -> int:
    """Delete the keys of these cases' cards: the keyring's half of an erasure, without any key.

    `remove` is the data store's half. Returns how many keys there were.
    """
    ids = {card for case in cases for card in cards_of(tx.roots, team, case)}
    groups = [row.id for row in principals.groups(tx, PrincipalKind.DIRECTORY, team)]
    for group in groups:
        lock(tx, group)
    return _drop(tx, groups, ids)


def move(tx: KeyringTransaction, old: Directory, new: Directory) -> int:
    """Wrap every key of a directory under the key of the one that takes its place; count them."""
    lock(tx, old.group)
    lock(tx, new.group)
    before, after = cards.wrapping_key(old.key), cards.wrapping_key(new.key)
    moved = 0
    for entries in pages(tx, old.group, 0, PAGES).values():
        again = [
            cards.wrap(
                after,
                new.group,
                cards.card_id(one),
                cards.unwrap(before, old.group, one),
                cards.made_at(one),
            )
            for one in entries
        ]
        _add_entries(tx, new.group, again)
        moved += len(again)
    tx.remove(_KEYS, directory_id=old.group)
    return moved


def holds_keys(tx: KeyringTransaction, group: UUID) -> bool:
    """Say whether a directory still has keys of cards."""
    return bool(tx.lookups(_KEYS, directory_id=group))


def drop_orphans(stores: Stores, team: UUID, cases: Iterable[UUID]) -> set[bytes]:
    """Delete keys of cards that are none of these cases', a day after they were made.

    Returns which cards they were of; `remove_cards` is the data store's half.
    """
    known = {card for case in cases for card in cards_of(stores.roots, team, case)}
    before = stores.now() - _ORPHAN_SECONDS
    with stores.keyring.writing() as tx:
        groups = [row.id for row in principals.groups(tx, PrincipalKind.DIRECTORY, team)]
        for group in groups:
            lock(tx, group)
        gone = {
            cards.card_id(entry)
            for group in groups
            for entries in pages(tx, group, 0, PAGES).values()
            for entry in entries
            if cards.card_id(entry) not in known and cards.made_at(entry) < before
        }
        _drop(tx, groups, gone)
    return gone


def remove_cards(connection: Connection, team: UUID, ids: Iterable[bytes]) -> int:
    """Delete cards by their names; return how many there were."""
    return _REMOVE.run(connection, {"team": team, "ids": sorted(ids)})


def pages(tx: KeyringTransaction, group: UUID, first: int, end: int) -> dict[int, list[bytes]]:
    """Return the entries of a directory's pages from `first` up to `end`."""
    found = tx.find(_KEYS, directory_id=group, page=list(range(first, end)))
    return {row.lookup["page"]: list(_entries(row.content)) for row in found}


def contents(tx: KeyringTransaction, group: UUID, first: int, end: int) -> dict[int, bytes]:
    """As `pages`, each page's entries one after the other."""
    found = tx.find(_KEYS, directory_id=group, page=list(range(first, end)))
    return {row.lookup["page"]: row.content for row in found}


def lock(tx: KeyringTransaction, group: UUID) -> None:
    """Keep others from writing cards of a directory until this transaction ends."""
    tx.lock(keyring_tables.principal, id=group)


def card_of(roots: RootProvider, team: UUID, case: UUID, version: int | None = None) -> bytes:
    """Return the name of a case's card, under the current service key by default."""
    return macs.mac(roots.service(version), "search-card", team, case)[: cards.ID_BYTES]


def by_service_key(connection: Connection, roots: RootProvider) -> dict[int, int]:
    """Return how many cards bear a name of each version of the service key."""
    case, found = tables.case_file, dict.fromkeys(roots.service_versions(), 0)
    present = {
        (row.team_id, bytes(row.id))
        for row in connection.execute(select(_CARD.c.team_id, _CARD.c.id))
    }
    for row in connection.execute(select(case.c.team_id, case.c.id)):
        for version in found:
            name = row.team_id, card_of(roots, row.team_id, row.id, version)
            found[version] += name in present
    return found


def cards_of(roots: RootProvider, team: UUID, case: UUID) -> set[bytes]:
    """Return every name that a case's card may have: one for each service key there is."""
    return {card_of(roots, team, case, version) for version in roots.service_versions()}


def _key_ids(connection: Connection, roots: RootProvider, team: UUID, case: UUID) -> set[bytes]:
    found: set[bytes] = set()
    for card in cards_of(roots, team, case):
        row = _FIND.one(connection, {"team": team, "card": card})
        if row is not None:
            found.add(header(bytes(row[0])).key_id)
    return found


def _add_entries(tx: KeyringTransaction, group: UUID, entries: Sequence[bytes]) -> None:
    for page, added in _by_page(entries).items():
        row = tx.one(_KEYS, directory_id=group, page=page)
        if row is None:
            tx.add(_KEYS, b"".join(added), directory_id=group, page=page)
        else:
            tx.replace(_KEYS, row.content + b"".join(added), directory_id=group, page=page)


def _drop(
    tx: KeyringTransaction,
    groups: Iterable[UUID],
    ids: Collection[bytes],
    keep: Collection[bytes] = (),
) -> int:
    wanted = sorted({one[0] for one in ids})
    gone = 0
    for group in groups if wanted else ():
        for row in tx.find(_KEYS, lock=True, directory_id=group, page=wanted):
            entries = list(_entries(row.content))
            left = [
                one for one in entries if cards.card_id(one) not in ids or cards.key_id(one) in keep
            ]
            gone += len(entries) - len(left)
            if not left:
                tx.remove(_KEYS, **row.lookup)
            elif len(left) < len(entries):
                tx.replace(_KEYS, b"".join(left), **row.lookup)
    return gone


def _by_page(entries: Sequence[bytes]) -> Mapping[int, list[bytes]]:
    found: dict[int, list[bytes]] = {}
    for entry in entries:
        found.setdefault(entry[0], []).append(entry)
    return found


def _entries(content: bytes) -> Iterator[bytes]:
    if len(content) % cards.ENTRY_BYTES:
        raise Tampered(code="card")
    return (
        content[at : at + cards.ENTRY_BYTES] for at in range(0, len(content), cards.ENTRY_BYTES)
    )
