"""The directory of partners: rows of the keyring, where a stolen data store does not show them.

Where a shelter is can be as dangerous as where somebody sleeps; and what partners' keys are decides
who can open a package, so nobody may change them from outside.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from casevault.crypto import canonical
from casevault.crypto.canonical import Part, Reader
from casevault.crypto.principals import KEM_PUBLIC_BYTES, PublicKeys
from casevault.domain.sharing.partners import Partner, Pinned
from casevault.errors import NotFound, Stale, Tampered
from casevault.store.engine import keyring_tables as tables
from casevault.store.engine.keyring import KeyringTransaction, Row

_TABLE = tables.partner


def add(tx: KeyringTransaction, partner: Partner) -> None:
    """Keep a new partner."""
    tx.add(_TABLE, _content(partner), id=partner.id)


def change(tx: KeyringTransaction, partner: Partner) -> None:
    """Keep a partner as it is now."""
    tx.replace(_TABLE, _content(partner), id=partner.id)


def remove(tx: KeyringTransaction, partner_id: UUID) -> None:
    """Take a partner out of the directory."""
    tx.remove(_TABLE, id=partner_id)


def is_there(tx: KeyringTransaction, partner_id: UUID) -> bool:
    """Say whether the directory has a partner."""
    return tx.one(_TABLE, id=partner_id) is not None


def find(tx: KeyringTransaction, partner_id: UUID, version: int | None = None) -> Partner:
    """Return one partner, locked in a transaction that writes; else `NotFound`.

    :raises Stale: it is not in this version any more.
    """
    row = tx.one(_TABLE, lock=version is not None, id=partner_id)
    if row is None:
        raise NotFound()
    found = _partner(row)
    if version is not None and found.version != version:
        raise Stale()
    return found


def all_(tx: KeyringTransaction) -> list[Partner]:
    """Return every partner: some hundred, even in a large country."""
    return [_partner(row) for row in tx.find(_TABLE)]


def public_keys(key: bytes) -> PublicKeys:
    """Return the pair that the directory keeps as one string of bytes."""
    return PublicKeys(key[:KEM_PUBLIC_BYTES], key[KEM_PUBLIC_BYTES:])


def whose(tx: KeyringTransaction, keys: PublicKeys) -> Partner | None:
    """Return the partner with whom somebody compared exactly these keys, if there is one."""
    for one in all_(tx):
        if one.key is not None and public_keys(one.key) == keys:
            return one
    return None


def _content(one: Partner) -> bytes:
    text = json.dumps(dict(one.content), ensure_ascii=False, sort_keys=True)
    parts: tuple[Part, ...] = (text, one.version, one.key, one.key_checked_by)
    if one.pinned is not None:
        parts += ((one.pinned.address, one.pinned.team, one.pinned.team_key),)
    return canonical.encode(*parts)


def _partner(row: Row) -> Partner:
    reader = Reader.of(row.content)
    found = Partner(
        id=row.lookup["id"],
        content=_parsed(reader.text()),
        version=reader.number(),
        key=reader.optional_bytes(),
        key_checked_by=reader.optional_uuid(),
        # Most partners run no vault.
        pinned=None if reader.is_over() else _pinned(Reader(reader.list_())),
    )
    reader.end()
    return found


def _pinned(reader: Reader) -> Pinned:
    found = Pinned(reader.text(), reader.text(), reader.bytes_())
    reader.end()
    return found


def _parsed(text: str) -> Mapping[str, Any]:
    try:
        found = json.loads(text)
    except ValueError:
        raise Tampered(code="partner") from None
    if not isinstance(found, dict):
        raise Tampered(code="partner")
    return found
