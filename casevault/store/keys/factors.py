"""Second factors in the keyring: what an authenticator shares with the vault, and printed codes.

Both are sealed or digested under a key derived from their owner's seed. A step counts once and a
printed code works once, whichever worker is asked: the row is changed under a lock, or its
deletion is counted. Must never keep a code that somebody gave.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from uuid import UUID

from casevault.crypto import canonical, macs, totp
from casevault.crypto.canonical import Reader
from casevault.crypto.principals import PrincipalSecret
from casevault.crypto.sealing import Key, Place, seal, unseal
from casevault.ids import new_id
from casevault.store.engine import keyring_tables as tables
from casevault.store.engine.keyring import KeyringTransaction, Row

# Another kind is another value here and another way to check it in `accept`.
TOTP = "totp"
CODE = "code"


@dataclass(frozen=True, slots=True)
class Owner:
    """A person whose own key is within reach: only then can a factor be checked."""

    staff: UUID
    key: Key = field(repr=False)

    @classmethod
    def of(cls, staff: UUID, secret: PrincipalSecret) -> Owner:
        """Return the owner of factors."""
        return cls(staff, secret.own_key("second-factor", staff))


@dataclass(frozen=True, slots=True)
class _Authenticator:
    id: UUID
    sealed: bytes = field(repr=False)
    # The last step that was accepted; 0 until the first code confirmed it.
    step: int


def is_on(tx: KeyringTransaction, staff: UUID) -> bool:
    """Say whether a person confirmed an authenticator."""
    return any(found.step for found in _authenticators(tx, staff))


def propose(tx: KeyringTransaction, owner: Owner, secret: bytes) -> None:
    """Keep the secret of a new authenticator, to be confirmed; an earlier proposal goes."""
    for found in _authenticators(tx, owner.staff):
        if not found.step:
            tx.remove(tables.second_factor, id=found.id)
    row = new_id()
    found = _Authenticator(row, seal(owner.key, _place(tx, owner, row), secret), 0)
    tx.add(tables.second_factor, _content(found), id=row, staff_id=owner.staff, kind=TOTP)


def proposal_state(tx: KeyringTransaction, owner: Owner, code: str, now: int) -> bool | None:
    """Say whether this code would confirm the proposed authenticator; None when there is none."""
    proposed = [one for one in _authenticators(tx, owner.staff) if not one.step]
    if not proposed:
        return None
    return any(_step(tx, owner, one, code, now) is not None for one in proposed)


def confirm(tx: KeyringTransaction, owner: Owner, code: str, now: int) -> bool:
    """Switch the proposed authenticator on if this is its code; the one before goes."""
    found = _authenticators(tx, owner.staff, lock=True)
    for proposed in (one for one in found if not one.step):
        step = _step(tx, owner, proposed, code, now)
        if step is not None:
            for other in found:
                if other.id != proposed.id:
                    tx.remove(tables.second_factor, id=other.id)
            _note_step(tx, owner, proposed, step)
            return True
    return False


def is_right(tx: KeyringTransaction, owner: Owner, code: str, now: int) -> bool:
    """Say whether this code would be accepted, and use nothing up."""
    if _matching_code(tx, owner, code) is not None:
        return True
    return any(
        _step(tx, owner, one, code, now) is not None
        for one in _authenticators(tx, owner.staff)
        if one.step
    )


def accept(tx: KeyringTransaction, owner: Owner, code: str, now: int) -> bool:
    """Use a code up: a step that was not used yet, or a printed code. Of two at once, one wins."""
    row = _matching_code(tx, owner, code)
    if row is not None:
        return tx.remove(tables.second_factor, id=row) == 1
    for found in _authenticators(tx, owner.staff, lock=True):
        if found.step:
            step = _step(tx, owner, found, code, now)
            if step is not None:
                _note_step(tx, owner, found, step)
                return True
    return False


def forget(tx: KeyringTransaction, staff: UUID) -> None:
    """Delete every second factor of a person: with a new pair of keys none of them opens."""
    tx.remove(tables.second_factor, staff_id=staff)


def print_codes(tx: KeyringTransaction, owner: Owner) -> tuple[str, ...]:
    """Return ten new printed codes; the earlier ones are void. Only digests are kept."""
    tx.remove(tables.second_factor, staff_id=owner.staff, kind=CODE)
    codes = tuple(totp.new_printed_code() for _ in range(totp.PRINTED_CODES))
    tx.add_many(
        tables.second_factor,
        [
            (
                {"id": new_id(), "staff_id": owner.staff, "kind": CODE},
                totp.printed_digest(owner.key, code),
            )
            for code in codes
        ],
    )
    return codes


def _matching_code(tx: KeyringTransaction, owner: Owner, code: str) -> UUID | None:
    wanted = totp.printed_digest(owner.key, code)
    for row in tx.find(tables.second_factor, staff_id=owner.staff, kind=CODE):
        if macs.same(row.content, wanted):
            found: UUID = row.lookup["id"]
            return found
    return None


def _authenticators(
    tx: KeyringTransaction, staff: UUID, *, lock: bool = False
) -> list[_Authenticator]:
    rows = tx.find(tables.second_factor, lock=lock, staff_id=staff, kind=TOTP)
    return [_authenticator(row) for row in rows]


def _note_step(tx: KeyringTransaction, owner: Owner, found: _Authenticator, step: int) -> None:
    changed = _Authenticator(found.id, found.sealed, step)
    tx.replace(
        tables.second_factor, _content(changed), id=found.id, staff_id=owner.staff, kind=TOTP
    )


def _step(
    tx: KeyringTransaction, owner: Owner, found: _Authenticator, code: str, now: int
) -> int | None:
    secret = unseal(owner.key, _place(tx, owner, found.id), found.sealed).content
    return totp.matching_step(secret, code, now, found.step)


def _place(tx: KeyringTransaction, owner: Owner, row: UUID) -> Place:
    return Place(tx.organisation, "second-factor", row, None, owner.staff.hex)


def _content(found: _Authenticator) -> bytes:
    return canonical.encode(found.step, found.sealed)


def _authenticator(row: Row) -> _Authenticator:
    reader = Reader.of(row.content)
    step = reader.number()
    return _Authenticator(row.lookup["id"], reader.bytes_(), step)
