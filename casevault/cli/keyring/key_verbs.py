"""What operators have done to the keyring: counts, rolls, sweeps. Opens no content."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from casevault import bootstrap
from casevault.cli.operating import At, Result, Verb
from casevault.crypto.roots import PEPPER, PRINCIPALS, SERVICE_KEY
from casevault.errors import Invalid
from casevault.services.recovery.rotations import SYMMETRIC, Rotated
from casevault.store.engine import clock_guard, milestones
from casevault.store.recovery import sweeping

_VERSIONED = (PEPPER, SERVICE_KEY, *PRINCIPALS)


@dataclass(frozen=True, slots=True)
class Nothing:
    """A verb that is told nothing."""


@dataclass(frozen=True, slots=True)
class SweepWish:
    """Whether an operator says that it is as late as the clock shows."""

    clock_is_right: bool = False


@dataclass(frozen=True, slots=True)
class RollWish:
    """How to roll."""

    erase_now: bool = False
    new_medium: bool = False


@dataclass(frozen=True, slots=True)
class KeyWish:
    """Which key."""

    kind: str


def _status(at: At, _wish: Nothing) -> Result:
    stores = at.stores
    with stores.keyring.reading() as tx:
        epochs = tx.rows_by_epoch()
        copied = milestones.last(tx, milestones.CAPSULE)
    found = [("epoch", epoch, name, count) for (name, epoch), count in sorted(epochs.items())]
    uses = bootstrap.rotations(at.settings, stores).uses()
    found += [(one.kind, one.version, one.what, one.count) for one in uses]
    names = ("key", "version", "what", "count")
    held = {one: sorted(stores.roots.versions(one)) for one in _VERSIONED}
    return {
        "held": {"epoch": list(stores.roots.epochs()), **held},
        "uses": [dict(zip(names, row, strict=True)) for row in found],
        "copies": None if copied is None else f"{datetime.fromtimestamp(copied, UTC):%FT%H:%MZ}",
    }


def _rotate(at: At, wish: KeyWish) -> Result:
    _check(wish.kind)
    return described(bootstrap.rotations(at.settings, at.stores).rotate(wish.kind))


def _retire(at: At, wish: KeyWish) -> Result:
    return {"destroyed": list(bootstrap.rotations(at.settings, at.stores).retire(wish.kind))}


def described(done: Rotated) -> Result:
    """Return a rotation as JSON holds it."""
    left = [{"version": u.version, "what": u.what, "count": u.count} for u in done.left]
    return {"key": done.kind, "version": done.version, "moved": done.moved, "left": left}


def _check(kind: str) -> None:
    if kind not in SYMMETRIC:
        raise Invalid("The root vouches for this key: the shares are needed.", code="keys.kind")


def _roll(at: At, wish: RollWish) -> Result:
    at.say("Rolling; everybody goes on working meanwhile.")
    rolls = bootstrap.rolls(at.settings, at.stores)
    done = rolls.roll(erase_now=wish.erase_now, new_medium=wish.new_medium)
    return {"epoch": done.epoch, "moved": done.moved, "destroyed": list(done.destroyed)}


def _sweep(at: At, wish: SweepWish) -> Result:
    if wish.clock_is_right:
        clock_guard.confirm(at.stores.keyring, at.stores.now())
    clock_guard.require_right(at.stores.keyring, at.stores.now())
    removed, marked = sweeping.sweep(at.stores)
    return {"grants_removed": removed, "cases_due_for_new_keys": marked}


STATUS = Verb("keys.status", Nothing, _status)
ROLL = Verb("keys.roll", RollWish, _roll)
ROTATE = Verb("keys.rotate", KeyWish, _rotate)
RETIRE = Verb("keys.retire", KeyWish, _retire)
SWEEP = Verb("keys.sweep", SweepWish, _sweep)
