"""The privacy account on both databases: numbered lines, and the last budget is won once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from fractions import Fraction
from uuid import UUID

import pytest

from casevault.disclosure import budget
from casevault.disclosure.budget import Charge, LineState
from casevault.errors import Refused, Tampered
from casevault.ids import new_id
from casevault.store.counting import releases
from casevault.store.engine import keyring_tables
from casevault.store.keys import privacy_account

STAFF = UUID(int=7)
THIRD = Fraction(3, 100)


def charge(
    rho: Fraction | None = THIRD, state: LineState = LineState.RESERVED, release=None
) -> Charge:
    """Return a line for the cohort of 2025; three of them fill it."""
    return Charge(2025, release or new_id(), ("people-total",), rho, state, STAFF, 5)


def lines(vault):
    """Return the account."""
    with vault.stores.keyring.reading() as tx:
        return privacy_account.charges(tx)


def test_lines_come_back_as_they_were_written(vault):
    """Amounts are exact fractions; an infinite one has none."""
    reserved = charge()
    exact = charge(None, LineState.EXACT)
    commit = charge(Fraction(0), LineState.COMMITTED, reserved.release)
    for one in (reserved, commit, exact):
        privacy_account.append(vault.stores.keyring, one)
    assert lines(vault) == [reserved, commit, exact]
    with pytest.raises(Refused):
        privacy_account.append(vault.stores.keyring, charge())


def test_two_reporters_at_once_and_one_wins_the_last_budget(vault):
    """Twelve threads ask for the three thirds of a budget: three get one, nine are refused."""
    ready, results = threading.Barrier(12), []

    def ask() -> None:
        ready.wait()
        try:
            privacy_account.append(vault.stores.keyring, charge())
            results.append("won")
        except Refused as error:
            results.append(error.code)

    threads = [threading.Thread(target=ask) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == ["release.budget"] * 9 + ["won"] * 3
    assert budget.cohort(2025, lines(vault)).left == 0


def test_reservations_and_decisions_on_imports_wait_for_each_other(vault):
    """What the first wrote is seen by the second, on a server too: neither passes the other."""
    keyring, seen = vault.stores.keyring, []

    def second() -> None:
        with keyring.writing() as tx:
            releases.take_turn(tx, 7)
            seen.append(len(privacy_account.charges(tx)))

    with keyring.writing() as tx:
        releases.take_turn(tx, 5)
    waiting = threading.Thread(target=second)
    with keyring.writing() as tx:
        releases.take_turn(tx, 6)
        waiting.start()
        waiting.join(0.2)
        assert seen == []
        privacy_account.add(tx, charge())
    waiting.join()
    assert seen == [1]


def test_a_missing_line_is_found(vault):
    """Who deletes a charge gives nobody budget: the account does not open any more."""
    for _ in range(3):
        privacy_account.append(vault.stores.keyring, charge())
    with vault.stores.keyring.writing() as tx:
        tx.remove(keyring_tables.privacy_charge, cohort_year=2025, number=2)
    with pytest.raises(Tampered):
        lines(vault)
    with pytest.raises(Tampered):
        privacy_account.append(vault.stores.keyring, charge())


_CHILD = """
import os, signal, sys
from fractions import Fraction
from pathlib import Path
from uuid import UUID
from casevault.crypto.roots import open_roots
from casevault.disclosure.budget import Charge, LineState
from casevault.store.keys import privacy_account
from casevault.store.engine.database import Database
from casevault.store.engine.keyring import Keyring
url, keys, organisation, release = sys.argv[1:]
keyring = Keyring(Database(url), open_roots(Path(keys)), UUID(organisation))
names, rho = ("people-total",), Fraction(3, 100)
charge = Charge(2025, UUID(release), names, rho, LineState.RESERVED, UUID(int=7), 5)
privacy_account.append(keyring, charge)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_reservation_survives_a_kill(vault):
    """Killed after the reservation and before the draw: what was reserved stays spent."""
    release = new_id()
    arguments = [vault.databases.keyring_url, str(vault.keys_dir), str(vault.stores.organisation)]
    child = subprocess.run(
        [sys.executable, "-c", _CHILD, *arguments, str(release)],
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
    )
    assert child.returncode == -signal.SIGKILL, child.stderr
    (left,) = lines(vault)
    assert (left.release, left.rho, left.state) == (release, THIRD, LineState.RESERVED)
