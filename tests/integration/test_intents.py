"""What takes power is done first and recorded for certain, whatever dies in between."""

from __future__ import annotations

from datetime import timedelta

import pytest

from casevault.errors import Busy, Unrecorded
from casevault.store.context import intents
from casevault.store.engine import keyring_tables
from casevault.store.log.ledger import Act, Actor, Touched
from tests.builders import SUPERVISOR


def an_ending(vault):
    """Return the act of ending a session of the supervisor's."""
    staff = vault.staff(SUPERVISOR)
    actor = Actor(staff, ("supervisor",), staff, "passphrase", "0" * 32)
    return Act("auth.logout", actor, rule="permit:signed-in", touched=(Touched("session", staff),))


def left(vault):
    """Return how many intents wait."""
    with vault.stores.keyring.reading() as tx:
        return len(tx.find(keyring_tables.intent))


def recorded(vault, act):
    """Return the entries with this act's id."""
    return [entry for entry in vault.entries() if entry.id == act.id]


def test_an_act_that_takes_power_leaves_nothing_to_do(vault):
    """Write, entry, and the intent is gone."""
    act = an_ending(vault)
    intents.taking(vault.stores, act, lambda _tx: None)
    assert len(recorded(vault, act)) == 1
    assert left(vault) == 0


def test_what_a_dead_request_left_is_recorded_once(vault, monkeypatch):
    """The keyring has changed, the entry is missing: the next run makes it good, exactly once."""
    act = an_ending(vault)

    def cannot(*_acts):
        raise Unrecorded

    with monkeypatch.context() as broken:
        broken.setattr(type(vault.stores.ledger), "record", cannot)
        with pytest.raises(Unrecorded):
            intents.taking(vault.stores, act, lambda _tx: None)
    assert (left(vault), len(recorded(vault, act))) == (1, 0)
    assert intents.finish_all(vault.stores) == 0, "a live request is left alone"
    vault.clock.advance(timedelta(seconds=intents.LEFT_BEHIND_SECONDS))
    assert intents.finish_all(vault.stores) == 1
    (entry,) = recorded(vault, act)
    assert (entry.body.code, entry.body.rule) == ("auth.logout", "permit:signed-in")
    assert entry.body.request == "0" * 32
    assert left(vault) == 0
    assert intents.finish_all(vault.stores) == 0


def test_a_write_that_fails_takes_nothing_and_records_nothing(vault):
    """The intent is part of the keyring's transaction."""
    act = an_ending(vault)

    def fails(_tx):
        raise Busy

    with pytest.raises(Busy):
        intents.taking(vault.stores, act, fails)
    assert (left(vault), len(recorded(vault, act))) == (0, 0)
