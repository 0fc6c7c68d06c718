"""Re-issuing the recovery shares, with the old quorum present: new secret, everything moved to it.

The new shares are on paper before anything changes. A run that was cut off is gone on with, by
both sets. Until the roll at its end old copies of the keyring open with old shares; the caller
rolls. Must never keep a share or the seed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from casevault.crypto import recovery
from casevault.crypto.recovery import Share
from casevault.domain.staff.granting import PrincipalKind
from casevault.errors import Conflict, Invalid
from casevault.store.context.stores import Stores
from casevault.store.keys.keyholder import KeyHolder
from casevault.store.log.ledger import SERVICE, Act
from casevault.store.recovery import pairs, recovering, reissuing
from casevault.store.recovery.recovering import Recovered


@dataclass(frozen=True, slots=True)
class NewShares:
    """What goes on paper: the shares, how many recover, and the fingerprint of the new root."""

    shares: tuple[str, ...] = field(repr=False)
    threshold: int
    root_pin: str


HandOut = Callable[[NewShares], None]


class Reissues:
    """The re-issue of one vault's recovery shares."""

    def __init__(self, stores: Stores) -> None:
        self._stores = stores

    def is_underway(self) -> bool:
        """Say whether an earlier run was cut off after it began."""
        return reissuing.is_underway(self._stores)

    def root_pin(self) -> str:
        """Return the fingerprint of the root that the keyring names now."""
        with self._stores.keyring.reading() as tx:
            return self._stores.trust.present_root(tx)

    def reissue(
        self, shares: Sequence[Share], threshold: int, count: int, hand_out: HandOut
    ) -> int:
        """Replace root and recovery; return how many grants were moved.

        `hand_out` has the new shares confirmed on paper; if it raises, nothing has changed.

        :raises Invalid: the shares are not those that hold now, or the numbers make no sense.
        """
        if not 2 <= threshold <= count <= 16:
            raise Invalid("Choose shares such as 3 of 5 (at least 2).", code="ceremony.shares")
        stores = self._stores
        if self.is_underway():
            raise Conflict("An earlier run was cut off. Go on with it.", code="reissue.underway")
        found = recovering.recovered(stores.keyring, stores.trust, list(shares))
        seed = recovery.new_seed()
        pin = recovery.root_principal(seed).public.pin
        hand_out(NewShares(recovery.split(seed, threshold, count), threshold, pin))
        return self._move(found.holder, reissuing.begin(stores, found, seed))

    def resume(self, old: Sequence[Share], new: Sequence[Share]) -> int:
        """Go on with a run that was cut off; return how many grants were moved."""
        former, found = reissuing.resumed(self._stores, list(old), list(new))
        return self._move(former, found)

    def _move(self, former: KeyHolder, found: Recovered) -> int:
        stores, kind = self._stores, PrincipalKind.RECOVERY
        moved = pairs.move(stores, kind, former, found.holder.granter)
        act = Act("key.reissue", SERVICE, rule="permit:quorum", count=moved)
        stores.ledger.record(act)
        return moved
