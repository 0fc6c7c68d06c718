"""Rolling the keyring: new epoch, every row moved, copies replaced and read back, old epochs gone.

Runs while everybody works. Each step finds out where an earlier run stopped, so that a killed roll
is gone on with. Must never destroy an epoch before the copies on the second medium have been read
back, nor leave a capsule there that does not open the keyring backup beside it.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

from casevault.errors import CaseVaultError
from casevault.store.context.stores import Stores
from casevault.store.engine import milestones
from casevault.store.log import ledger
from casevault.store.log.ledger import SERVICE, Act
from casevault.store.recovery import capsules, identity, orphans, rolling
from casevault.store.recovery.capsules import Recipients
from casevault.store.recovery.media import BACKUP_KEY, Medium

# Whoever began to read before the last row was moved has ended by then.
READERS_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Rolled:
    """What a roll did: the epoch that rows lie under now, rows moved, epochs destroyed."""

    epoch: int
    moved: int
    destroyed: tuple[int, ...]
    kept: tuple[int, ...]


class Rolls:
    """The rolls of one vault; `kept` older epochs stay after an ordinary one."""

    def __init__(self, stores: Stores, medium: Medium, kept: int) -> None:
        self._stores = stores
        self._medium = medium
        self._kept = kept

    def roll(self, *, erase_now: bool = False, new_medium: bool = False) -> Rolled:
        """Roll once; with `erase_now` no older epoch stays, and what was deleted is gone for good.

        :raises MediumFault: the copies could not be made; no epoch was destroyed.
        :raises Tampered: a row does not open; every other was moved, no epoch was destroyed.
        :raises Busy: another roll is running.
        """
        stores = self._stores
        act = Act("key.roll", SERVICE, rule="permit:service")
        act = replace(act, filters=("erase-now" if erase_now else "ordinary",))
        with rolling.alone(stores.keyring):
            try:
                if new_medium:
                    self._medium.take()
                self._medium.require()
                orphans.sweep(stores)
                done = self._rolled(erase_now=erase_now)
            except CaseVaultError as error:
                failed = replace(act, rule="failed:" + error.code, outcome=ledger.FAILED)
                stores.ledger.record(failed)
                raise
        stores.ledger.record(replace(act, count=done.moved))
        return done

    def check_medium(self) -> None:
        """Return if a roll would find its medium, else `MediumFault`."""
        self._medium.require()

    def copy(self) -> None:
        """Replace the copies on the medium without rolling: the newest keyring, whenever asked."""
        stores = self._stores
        with rolling.alone(stores.keyring):
            self._medium.require()
            self._copy(self._recipients(), min(stores.roots.epochs()))

    def _rolled(self, *, erase_now: bool) -> Rolled:
        stores = self._stores
        with stores.keyring.reading() as tx:
            left = rolling.standing(tx)
        # Rows that were deleted since an unfinished roll switched lie under its epoch.
        if left.is_unfinished:
            done = self._finished(left.epoch, 0 if erase_now else self._kept)
            if not erase_now:
                return done
        kept = 0 if erase_now else self._kept
        return self._finished(rolling.switch(stores.keyring), kept)

    def _finished(self, epoch: int, kept: int) -> Rolled:
        stores = self._stores
        identity.remember(stores.data, stores.keyring.database)
        moved = rolling.move(stores.keyring, epoch)
        since = time.monotonic()
        lowest = self._lowest(epoch, kept)
        self._copy(self._recipients(), lowest)
        if not kept:
            time.sleep(max(0.0, READERS_SECONDS - (time.monotonic() - since)))
        gone = rolling.destroy(stores.keyring, lowest)
        return Rolled(epoch, moved, gone, stores.roots.epochs())

    def _lowest(self, epoch: int, kept: int) -> int:
        # A roll that was killed can have left a number out.
        older = [number for number in self._stores.roots.epochs() if number < epoch]
        return min([*older[len(older) - kept :], epoch]) if kept else epoch

    def _copy(self, to: Recipients, lowest: int) -> None:
        """Replace the copies so that at every moment the capsule opens the backup beside it."""
        stores, medium = self._stores, self._medium
        every = min(stores.roots.epochs())
        capsules.write_capsule(stores, medium, to, every)
        capsules.write_keyring(stores, medium, to)
        capsules.write_backup_key(stores, medium.folder / BACKUP_KEY, to)
        if lowest > every:
            capsules.write_capsule(stores, medium, to, lowest)
        with stores.keyring.writing() as tx:
            now = stores.now()
            milestones.note(tx, milestones.CAPSULE, now)
            milestones.note(tx, milestones.KEYRING_BACKUP, now)
            milestones.note(tx, milestones.CAPSULE_FLOOR, lowest)

    def _recipients(self) -> Recipients:
        with self._stores.keyring.reading() as tx:
            return capsules.recipients(self._stores, tx)
