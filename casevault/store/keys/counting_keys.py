"""Keys of facts once more, wrapped symmetrically for counting, so that a count opens them fast.

A grant costs a signature and a key exchange per case; it is opened at the first count and its key
kept here, under a key that only the counting principal can derive. In 256 pages, by the first byte
of the case, each an ordinary row of the keyring. Only a copy: what is missing or older than the
keyring's newest key is taken from the grant again, and an erasure deletes it without any key.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from uuid import UUID

from casevault.crypto import cards
from casevault.crypto.principals import PrincipalSecret
from casevault.crypto.sealing import Key
from casevault.store.engine import keyring_tables
from casevault.store.engine.keyring import KeyringTransaction

PAGES = 256
_TABLE = keyring_tables.counting_keys
_ENTRY, _KEY_ID = cards.ENTRY_BYTES, 16


def page_of(case: UUID) -> int:
    """Return the page of a case."""
    return case.bytes[0]


class Wrapping:
    """The key under which one pair of the counting principal keeps keys of facts."""

    def __init__(self, counting: UUID, secret: PrincipalSecret) -> None:
        self._counting = counting
        self._pair = secret.public.key_id
        self._key = cards.wrapping_key(secret.own_key("facts-keys"))

    def entries(self, tx: KeyringTransaction, cases: Iterable[UUID]) -> dict[UUID, bytes]:
        """Return what is kept on the pages of these cases; what an older pair kept is not."""
        return self.pages(tx, {page_of(case) for case in cases})

    def pages(self, tx: KeyringTransaction, pages: Iterable[int]) -> dict[UUID, bytes]:
        """Return what is kept on these pages, as `entries`."""
        rows = tx.find(_TABLE, page=sorted(pages))
        mine = [_entries(row.content) for row in rows if row.content[:_KEY_ID] == self._pair]
        return {case: entry for page in mine for case, entry in page.items()}

    def open(self, entry: bytes) -> Key:
        """Return the key of an entry; one that was changed or moved is `Tampered`."""
        # What stands there for the time at which a card was made is here the key's version.
        key = cards.unwrap(self._key, self._counting, entry)
        return Key(key.material, cards.made_at(entry))

    def keep(self, tx: KeyringTransaction, keys: Mapping[UUID, Key]) -> None:
        """Put keys of facts on their pages, beside those that are there."""
        for page in sorted({page_of(case) for case in keys}):
            row = tx.one(_TABLE, lock=True, page=page)
            kept = self.entries(tx, [case for case in keys if page_of(case) == page])
            kept |= {
                case: cards.wrap(self._key, self._counting, case.bytes, key, key.version)
                for case, key in keys.items()
                if page_of(case) == page
            }
            content = self._pair + b"".join(kept[case] for case in sorted(kept))
            if row is None:
                tx.add(_TABLE, content, page=page)
            else:
                tx.replace(_TABLE, content, page=page)


def is_of(entry: bytes, key_id: bytes, version: int) -> bool:
    """Say whether an entry holds exactly this key, without opening it."""
    return cards.key_id(entry) == key_id and cards.made_at(entry) == version


def forget(tx: KeyringTransaction, cases: Iterable[UUID]) -> int:
    """Delete the entries of these cases, without any key; return how many there were."""
    gone, count = set(cases), 0
    for page in sorted({page_of(case) for case in gone}):
        row = tx.one(_TABLE, lock=True, page=page)
        if row is None:
            continue
        entries = _entries(row.content)
        left = [entries[case] for case in sorted(entries) if case not in gone]
        if len(left) < len(entries):
            count += len(entries) - len(left)
            tx.replace(_TABLE, row.content[:_KEY_ID] + b"".join(left), page=page)
    return count


def cases(tx: KeyringTransaction) -> set[UUID]:
    """Return every case of which a key is kept here."""
    return {case for row in tx.find(_TABLE) for case in _entries(row.content)}


def _entries(content: bytes) -> dict[UUID, bytes]:
    found = (content[at : at + _ENTRY] for at in range(_KEY_ID, len(content), _ENTRY))
    return {UUID(bytes=cards.card_id(entry)): entry for entry in found}
