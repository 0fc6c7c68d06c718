"""How many guesses at passphrases and codes are evaluated, and from which devices.

Logins share 65,536 slots by their HMAC, known and unknown ones alike: the table cannot grow with
what strangers type, and a refusal tells nothing about whether a login exists. A device that its
person signed in from with both factors has an allowance of its own. Must never count by a name.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from uuid import UUID

from sqlalchemy import Table

from casevault.crypto import canonical, macs, tokens
from casevault.crypto.canonical import Reader
from casevault.errors import Busy, Conflict
from casevault.store.context.stores import Stores
from casevault.store.engine import keyring_tables as tables
from casevault.store.engine.keyring import KeyringTransaction, Lookup
from casevault.store.keys.people import fold_login

PER_DAY = 100
_DAY = 86_400
_DEVICES = 10


@dataclass(frozen=True, slots=True)
class Allowance:
    """Against what a guess counts: a row, named by its columns."""

    table: Table = field(repr=False)
    at: tuple[tuple[str, object], ...] = field(repr=False)

    @property
    def lookup(self) -> Lookup:
        """The columns of the row."""
        return dict(self.at)


def of_login(stores: Stores, login: str) -> Allowance:
    """Return the allowance of whoever types this login."""
    return _slot(stores, "guess/login", fold_login(login))


def of_staff(stores: Stores, staff: UUID) -> Allowance:
    """Return the allowance of a person's sessions: codes, and their passphrase once more."""
    return _slot(stores, "guess/session", staff)


def of_device(tx: KeyringTransaction, staff: UUID, device: str | None) -> Allowance | None:
    """Return the allowance of a device, if this person signed in from it before."""
    if device is None:
        return None
    found = tx.one(tables.device, id=tokens.code_digest(device), staff_id=staff)
    return None if found is None else Allowance(tables.device, tuple(found.lookup.items()))


def take(stores: Stores, allowance: Allowance) -> int:
    """Count one guess, before it is evaluated; return the how manieth of the day it is.

    Above `PER_DAY` it must not be evaluated; the first such one is counted too, no other.
    """
    today = stores.now() // _DAY
    with stores.keyring.reading() as tx:
        count = _count(tx, allowance, today)
    if count > PER_DAY:
        return count + 1
    try:
        return _add(stores, allowance, today)
    except Conflict:
        # Two first guesses at once: the row is there now.
        return _add(stores, allowance, today)


def give_back(tx: KeyringTransaction, allowance: Allowance, now: int) -> None:
    """Take a count back: the guess was right."""
    today, at = now // _DAY, allowance.lookup
    row = tx.one(allowance.table, lock=True, **at)
    if row is not None:
        day, count = _read(row.content)
        if day == today and count:
            tx.replace(allowance.table, canonical.encode(today, count - 1), **at)


def add_device(tx: KeyringTransaction, staff: UUID, now: int) -> str:
    """Return the secret of a new known device; the one longest unused makes room."""
    rows = tx.find(tables.device, staff_id=staff)
    rows.sort(key=lambda row: _read(row.content)[0], reverse=True)
    for row in rows[_DEVICES - 1 :]:
        tx.remove(tables.device, id=row.lookup["id"])
    secret = tokens.new_code()
    content = canonical.encode(now // _DAY, 0)
    tx.add(tables.device, content, id=tokens.code_digest(secret), staff_id=staff)
    return secret


def drop_devices(tx: KeyringTransaction, staff: UUID) -> None:
    """Forget a person's devices."""
    tx.remove(tables.device, staff_id=staff)


def too_many() -> Busy:
    """Return what is said when no more guesses are evaluated today, right or wrong."""
    return Busy(
        "Too many attempts were made for this account today.",
        code="rate.limited",
        hint="Use a device from which you signed in before, or try again tomorrow.",
    )


def _slot(stores: Stores, purpose: str, value: canonical.Part) -> Allowance:
    digest = macs.mac(stores.roots.service(), purpose, value)
    return Allowance(tables.guess, (("slot", int.from_bytes(digest[:2], "big")),))


def _add(stores: Stores, allowance: Allowance, today: int) -> int:
    at = allowance.lookup
    with stores.keyring.writing() as tx:
        row = tx.one(allowance.table, lock=True, **at)
        if row is None:
            tx.add(allowance.table, canonical.encode(today, 1), **at)
            return 1
        day, count = _read(row.content)
        count = count + 1 if day == today else 1
        tx.replace(allowance.table, canonical.encode(today, count), **at)
        return count


def _count(tx: KeyringTransaction, allowance: Allowance, today: int) -> int:
    row = tx.one(allowance.table, **allowance.lookup)
    if row is None:
        return 0
    day, count = _read(row.content)
    return count if day == today else 0


def _read(content: bytes) -> tuple[int, int]:
    reader = Reader.of(content)
    return reader.number(), reader.number()
