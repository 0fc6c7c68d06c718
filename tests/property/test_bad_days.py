"""The state machine of `bad_days.py`, run by hypothesis; and proof that it can fail.

The gate runs one short story; `make test-all` runs more, with FUZZ=1 many long ones.
"""

from __future__ import annotations

import atexit
import functools
import secrets
from contextlib import ExitStack

import pytest
from hypothesis import HealthCheck, settings

from casevault.errors import Tampered
from casevault.store.case import case_keys, tombstones
from casevault.store.casework import rekeying
from casevault.store.recovery import orphans
from tests import postgres
from tests.conftest import Databases, programs_of
from tests.property.bad_days import BadDays

QUIET = [HealthCheck.too_slow, HealthCheck.filter_too_much]


class TestShort(BadDays.TestCase):
    """One story of a dozen steps, in the gate."""

    settings = settings(max_examples=1, stateful_step_count=12, suppress_health_check=QUIET)


@pytest.mark.slow
class TestLong(BadDays.TestCase):
    """More of them, longer."""

    settings = settings(
        max_examples=max(6, settings().max_examples // 100),
        stateful_step_count=25,
        suppress_health_check=QUIET,
    )


@functools.cache
def server() -> str:
    """Give a PostgreSQL for all stories of this process."""
    stack = ExitStack()
    atexit.register(stack.close)
    return stack.enter_context(postgres.server())


class OnAServer(BadDays):
    """The same vault on PostgreSQL."""

    def databases(self):
        """Give two empty databases."""
        self.programs = programs_of()
        made = [f"bad_days_{name}_{secrets.token_hex(6)}" for name in ("data", "keyring")]
        for name in made:
            postgres.create(postgres.administrator(server()), name)
        self.made = made
        data, keyring = (postgres.for_database(server(), name) for name in made)
        return Databases("postgresql", data, keyring)

    def teardown(self):
        """As ever; and nothing is left on the server."""
        super().teardown()
        for name in self.made:
            postgres.drop(postgres.administrator(server()), name)


@pytest.mark.slow
class TestOnAServer(OnAServer.TestCase):
    """Stories on PostgreSQL, whose backups its own programs make."""

    settings = settings(
        max_examples=max(2, settings().max_examples // 250),
        stateful_step_count=20,
        suppress_health_check=QUIET,
    )


# --- planted violations --------------------------------------------------------------------------


def unnoticed(steps):
    """Make steps as hypothesis would, and everything that is checked on the way."""
    machine = BadDays()
    try:
        machine.begin(who="amal", name="Azure")
        machine.open(who="amal", name="Birch")
        steps(machine)
    finally:
        machine.teardown()


def an_erasure_and_an_old_backup(machine):
    """What was erased lies in every backup."""
    machine.backup()
    machine.erase(place=1, cut_off=False)
    machine.restore(place=1)


def an_older_state(machine):
    """What was written after the backup was remembered by the keyring."""
    machine.write(place=0, name="Cedar")
    machine.assign(place=0, to="boris")
    machine.restore(place=0)


def a_late_case_and_a_late_backup(machine):
    """A case that one backup lacks and the next one has; a night in between."""
    machine.backup()
    machine.restore(place=0)
    machine.roll(erase_now=False)
    machine.restore(place=1)


def a_revocation_and_an_old_backup(machine):
    """Grants do not come back with data."""
    machine.assign(place=0, to="boris")
    machine.backup()
    machine.revoke(place=0, to="boris")
    machine.restore(place=1)


def a_dead_machine(machine):
    """The keyring is the one of the last roll."""
    machine.backup()
    machine.erase(place=1, cut_off=True)
    machine.roll(erase_now=True)
    machine.lose_the_machine(place=1)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("steps", "where", "name", "plant"),
    [
        (an_erasure_and_an_old_backup, tombstones, "cases", lambda _: lambda _tx: set()),
        (a_dead_machine, tombstones, "cases", lambda _: lambda _tx: set()),
        (an_older_state, case_keys, "set_anchor", lambda _: lambda *_: None),
        (a_late_case_and_a_late_backup, orphans, "_is_orphan", lambda _: lambda *_: True),
        (a_revocation_and_an_old_backup, rekeying, "renew", lambda _: lambda *_, **__: None),
    ],
)
def test_a_planted_fault_is_found(monkeypatch, steps, where, name, plant):
    """The machine can fail: the same steps pass without the fault."""
    unnoticed(steps)
    monkeypatch.setattr(where, name, plant(getattr(where, name)))
    with pytest.raises((AssertionError, Tampered)):
        unnoticed(steps)
