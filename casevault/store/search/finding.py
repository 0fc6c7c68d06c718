"""Finding people: which directories somebody may look through, and looking through them.

Every card of every directory is opened and judged, whatever is asked: a search that finds somebody
takes as long as one that finds nobody. Small directories are read in the worker's own thread.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import chain
from uuid import UUID

from casevault.crypto import cards as crypto_cards
from casevault.domain.staff.granting import PrincipalKind
from casevault.errors import Busy
from casevault.matching.people import Person
from casevault.matching.scan import Found
from casevault.store.context.caller import Caller
from casevault.store.context.stores import Stores
from casevault.store.engine.keyring import KeyringTransaction
from casevault.store.keys import principals
from casevault.store.search import cards
from casevault.store.search.card_reading import Reading, Stack, Tally, merged
from casevault.store.search.cards import Directory
from casevault.store.search.helpers import Gone, Helpers

# So many cards take about as long as any other request.
ALONE = 1500
_IN_A_STACK = 4000
_PAGES_AT_ONCE = 16


@dataclass(frozen=True, slots=True)
class Hit:
    """A case that may be the person's, and why."""

    team: UUID
    case: UUID
    found: Found = field(repr=False)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a search found, and what it could not read."""

    hits: tuple[Hit, ...]
    tally: Tally


class Finder:
    """Looks through directories, alone or with helpers."""

    def __init__(self, stores: Stores, helpers: Helpers | None = None) -> None:
        self._stores = stores
        self._helpers = helpers

    def find(
        self,
        caller: Caller,
        asked: Person,
        limit: int,
        is_gone: Gone = lambda: False,
        *,
        shared: bool = False,
    ) -> Outcome:
        """Look through the caller's directories; with `shared`, those shared with them too."""
        with self._stores.keyring.reading() as tx:
            opened = directories(self._stores, tx, caller, shared=shared)
            stacks = _stacks(tx, opened)
            first: list[Stack] = []
            while sum(map(len, first)) <= ALONE and (one := next(stacks, None)) is not None:
                first.append(one)
            if self._helpers is None or sum(map(len, first)) <= ALONE:
                return self._alone(asked, limit, chain(first, stacks), is_gone)
            answers = self._helpers.search(asked, limit, chain(first, stacks), is_gone)
        tally = Tally(
            sum(one.tally.unreadable for one in answers), sum(one.tally.outdated for one in answers)
        )
        return _outcome(merged([one.found for one in answers], limit), tally)

    def close(self) -> None:
        """End the helpers."""
        if self._helpers is not None:
            self._helpers.close()

    def _alone(
        self, asked: Person, limit: int, stacks: Iterator[Stack], is_gone: Callable[[], bool]
    ) -> Outcome:
        reading = Reading(asked, limit)
        with self._stores.data.reading() as connection:
            for stack in stacks:
                if is_gone():
                    raise Busy("Nobody waits for this search any more.", code="search.gone")
                reading.read(connection, stack)
        return _outcome(merged([reading.best()], limit), reading.tally)


def directories(
    stores: Stores, tx: KeyringTransaction, caller: Caller, *, shared: bool
) -> list[Directory]:
    """Return the directories whose cards the caller's keys open."""
    mine = principals.principals(tx, sorted(caller.keys.group_ids(tx)))
    own = [row for row in mine if row.kind is PrincipalKind.DIRECTORY and row.team is not None]
    found = {
        row.id: Directory(row.id, row.team, caller.keys.group_key(tx, row))
        for row in own
        if row.team is not None
    }
    for row in own if shared else ():
        for other, key in caller.keys.keys_through(tx, row):
            if other.kind is PrincipalKind.DIRECTORY and other.team is not None:
                found.setdefault(other.id, Directory(other.id, other.team, key))
    return [found[one] for one in sorted(found)]


def _stacks(tx: KeyringTransaction, opened: list[Directory]) -> Iterator[Stack]:
    """Yield all pages of these directories in stacks of some thousand cards."""
    for one in opened:
        wrapping = crypto_cards.wrapping_key(one.key)
        begin, held = 0, b""
        for first in range(0, cards.PAGES, _PAGES_AT_ONCE):
            found = cards.contents(tx, one.group, first, first + _PAGES_AT_ONCE)
            for page in range(first, first + _PAGES_AT_ONCE):
                held += found.get(page, b"")
                full = len(held) >= _IN_A_STACK * crypto_cards.ENTRY_BYTES
                if full or (held and page == cards.PAGES - 1):
                    end = page + 1
                    yield Stack(tx.organisation, one.team, one.group, begin, end, wrapping, held)
                    begin, held = end, b""


def _outcome(found: list[Found], tally: Tally) -> Outcome:
    hits = tuple(Hit(UUID(bytes=one.which[:16]), UUID(bytes=one.which[16:]), one) for one in found)
    return Outcome(hits, tally)


def padded(ids: list[UUID], to: int) -> list[UUID]:
    """Return ids with random ones added, so that looking them up costs the same for none."""
    return ids + [UUID(int=random.getrandbits(128)) for _ in range(to - len(ids))]
