"""What operators have done to the keyring: counts, rolls, sweeps. Opens no content."""

from __future__ import annotations

from dataclasses import dataclass

from casevault import bootstrap
from casevault.cli.operating import At, Result, Verb
from casevault.store import sweeping


@dataclass(frozen=True, slots=True)
class Nothing:
    """A verb that is told nothing."""


@dataclass(frozen=True, slots=True)
class RollWish:
    """How to roll."""

    erase_now: bool = False
    new_medium: bool = False


def _status(at: At, _wish: Nothing) -> Result:
    with at.stores.keyring.reading() as tx:
        counts = tx.rows_by_epoch()
    return {"rows": [[name, epoch, count] for (name, epoch), count in sorted(counts.items())]}


def _roll(at: At, wish: RollWish) -> Result:
    at.say("Rolling; everybody goes on working meanwhile.")
    rolls = bootstrap.rolls(at.settings, at.stores)
    done = rolls.roll(erase_now=wish.erase_now, new_medium=wish.new_medium)
    return {"epoch": done.epoch, "moved": done.moved, "destroyed": list(done.destroyed)}


def _sweep(at: At, _wish: Nothing) -> Result:
    removed, marked = sweeping.sweep(at.stores)
    return {"grants_removed": removed, "cases_due_for_new_keys": marked}


STATUS = Verb("keys.status", Nothing, _status)
ROLL = Verb("keys.roll", RollWish, _roll)
SWEEP = Verb("keys.sweep", Nothing, _sweep)
