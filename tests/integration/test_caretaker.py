"""When checkpoints are signed: each round if anything changed, daily, at once after some acts."""

from __future__ import annotations

import math
import time
from datetime import timedelta

import pytest

from casevault.domain.recovery.room import WARN_BYTES
from casevault.services.recovery.caretaker import Caretaker
from casevault.store.engine.space import Space
from casevault.store.log.ledger import SERVICE
from casevault.store.log.unit_of_work import unit_of_work
from tests.builders import an_act


def signed(vault):
    """Return the size of the last checkpoint, 0 if there is none."""
    signing = vault.checkpoints()
    note = signing.signer.last()
    return 0 if note is None else signing.opened(note).size


@pytest.fixture
def caretaker(vault):
    """Give a running caretaker whose rounds never come."""
    found = Caretaker(vault.stores, vault.checkpoints())
    found.round_seconds = math.inf
    found.start()
    yield found
    found.stop()


def wait_until(holds):
    """Wait for the caretaker's next look."""
    until = time.monotonic() + 5
    while not holds() and time.monotonic() < until:
        time.sleep(0.02)
    assert holds()


def test_some_acts_are_signed_at_once(vault, caretaker):
    """Break-glass, exports, erasure; an ordinary look waits for its round."""
    vault.stores.ledger.record(an_act("case.read"))
    time.sleep(0.5)
    assert signed(vault) == 0
    vault.stores.ledger.record(an_act("breakglass.start"))
    wait_until(lambda: signed(vault) == 2)
    vault.stores.ledger.record(an_act("ledger.export"))
    wait_until(lambda: signed(vault) == 3)
    with unit_of_work(vault.stores.data, vault.stores.ledger) as uow:
        uow.record(an_act("ledger.retire"))
        uow.commit()
    wait_until(lambda: signed(vault) == 4)


def test_what_was_rolled_back_is_not_signed_at_once(vault):
    """Only what was committed wants a checkpoint."""
    with unit_of_work(vault.stores.data, vault.stores.ledger) as uow:
        uow.record(an_act("breakglass.start"))
    assert not vault.stores.ledger.urgent.is_set()


def test_a_quiet_log_gets_one_entry_a_day(vault):
    """So that each day has a checkpoint of its own; not two, however many workers there are."""
    workers = [
        Caretaker(stores, vault.checkpoints()) for stores in (vault.stores, vault.another_process())
    ]
    for day in range(3):
        for worker in (*workers, *workers):
            worker.mark_day()
        entries = vault.entries()
        assert [entry.body.code for entry in entries] == ["system.day"] * (day + 1)
        vault.clock.advance(timedelta(days=1))


def test_little_room_is_told(vault, capsys):
    """A line for the operator, without a path."""
    Caretaker(
        vault.stores, vault.checkpoints(), space=Space([vault.keys_dir], lambda _: WARN_BYTES - 1)
    ).watch_disk()
    assert "disk nearly full" in "".join(capsys.readouterr())


def test_a_writer_that_ends_names_its_last_numbers(vault):
    """Rolled back and nothing after it: closing says so."""
    other = vault.another_process()
    other.ledger.record(an_act())
    with unit_of_work(other.data, other.ledger) as uow:
        uow.record(an_act(actor=SERVICE))
    other.ledger.close()
    (last,) = [entry for entry in vault.entries() if entry.body.code == "system.stop"]
    assert last.body.skipped == (1,)
