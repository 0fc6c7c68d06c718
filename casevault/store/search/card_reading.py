"""Reading and matching cards by the thousand: one connection, one thread, bounded memory.

Runs in a worker's own thread or in a helper process; knows the keys of a directory for as long as
one search and keeps nothing of a card that did not match.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from sqlalchemy import Connection, bindparam, select

from casevault.crypto import cards as crypto_cards
from casevault.crypto.cards import ENTRY_BYTES, Opener
from casevault.errors import Tampered
from casevault.matching import VERSION
from casevault.matching.people import Person
from casevault.matching.scan import Found, Scan
from casevault.store.engine import tables

_CARD = tables.search_card
_BATCH = 1000
_VERSION = f"{VERSION}\n".encode()
_RANGE = (
    select(_CARD.c.id, _CARD.c.sealed)
    .where(_CARD.c.team_id == bindparam("team"), _CARD.c.id >= bindparam("first"))
    .where(_CARD.c.id < bindparam("end"))
)
_LAST = (
    select(_CARD.c.id, _CARD.c.sealed)
    .where(_CARD.c.team_id == bindparam("team"), _CARD.c.id >= bindparam("first"))
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Stack:
    """Some pages of a directory: the keys of their cards, and how they are opened."""

    organisation: UUID
    team: UUID
    group: UUID
    first: int
    end: int
    wrapping: bytes = field(repr=False)
    # Entries one after the other.
    entries: bytes = field(repr=False)

    def __len__(self) -> int:
        return len(self.entries) // ENTRY_BYTES


@dataclass(slots=True)
class Tally:
    """What a search met: cards that do not open, and cards of another version of matching."""

    unreadable: int = 0
    outdated: int = 0


class Reading:
    """One search under way, fed with stacks of cards."""

    def __init__(self, asked: Person, limit: int) -> None:
        self._scan = Scan(asked, limit)
        self.tally = Tally()

    def read(self, connection: Connection, stack: Stack) -> None:
        """Open and judge every card of a stack."""
        opener = Opener(stack.wrapping, stack.group, stack.organisation)
        keys, entries = _by_card(stack.entries), stack.entries
        team = stack.team.bytes
        for rows in _rows(connection, stack):
            opened: list[tuple[bytes, bytes]] = []
            for card, sealed in rows:
                # A card without a key is being written or taken away at this moment.
                places = keys.get(card)
                if places is not None:
                    some = [entries[at : at + ENTRY_BYTES] for at in places]
                    content = self._open(opener, some, sealed)
                    if content is not None:
                        opened.append((team + content[:16], content[16:]))
            self._scan.feed(opened)

    def best(self) -> list[Found]:
        """Return the likeliest, the likeliest first."""
        return self._scan.best()

    def _open(self, opener: Opener, keys: list[bytes], sealed: bytes) -> bytes | None:
        entry = keys[0]
        if len(keys) > 1:
            # Between a new key and the card that it is for, both are here.
            named = sealed[4:20]
            entry = next((one for one in keys if crypto_cards.key_id(one) == named), entry)
        try:
            content = opener.open(entry, sealed)
        except Tampered:
            self.tally.unreadable += 1
            return None
        if not content.startswith(_VERSION, 16):
            self.tally.outdated += 1
        return content


def merged(found: Sequence[Sequence[Found]], limit: int) -> list[Found]:
    """Return the likeliest of several helpers' finds."""
    every = [one for some in found for one in some]
    every.sort(key=lambda one: (-one.match.score, one.which))
    return every[:limit]


def _rows(connection: Connection, stack: Stack) -> Iterator[list[tuple[bytes, bytes]]]:
    at = {"team": stack.team, "first": bytes([stack.first]) + bytes(15)}
    if stack.end < 256:
        result = connection.execute(_RANGE, at | {"end": bytes([stack.end]) + bytes(15)})
    else:
        result = connection.execute(_LAST, at)
    for part in result.partitions(_BATCH):
        yield [(bytes(row[0]), bytes(row[1])) for row in part]


def _by_card(entries: bytes) -> dict[bytes, list[int]]:
    """Return where the entries of each card begin."""
    size = ENTRY_BYTES
    found = {entries[at : at + 16]: [at] for at in range(0, len(entries), size)}
    if len(found) * size < len(entries):
        found = {}
        for at in range(0, len(entries), size):
            found.setdefault(entries[at : at + 16], []).append(at)
    return found
