"""A writer of the ledger, killed in the middle a thousand times: what it acknowledged is there."""

from __future__ import annotations

import os
import random
import signal
import threading
import time

import pytest
from sqlalchemy import select

from casevault.store.audit.inspection import Inspection
from casevault.store.engine import tables
from casevault.store.log import tree
from casevault.store.log.ledger import SERVICE, Act
from casevault.store.log.unit_of_work import unit_of_work
from tests.builders import a_vault, an_act

THREADS = 3


@pytest.fixture
def vault(database, tmp_path):
    """Give a vault whose ceremony was just held."""
    made = a_vault(database, tmp_path)
    yield made
    made.close()


def write(vault, out):
    """Record in three threads, and say each id after it was acknowledged; never returns."""
    stores = vault.another_process()

    def work():
        while True:
            act = an_act("case.read")
            stores.ledger.record(act)
            os.write(out, act.id.hex.encode() + b"\n")

    for _ in range(THREADS - 1):
        threading.Thread(target=work, daemon=True).start()
    work()


def killed(vault, wait):
    """Fork a writer, kill it after its first word and a moment; return what it acknowledged."""
    read, out = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.close(read)
            write(vault, out)
        finally:
            os._exit(70)
    os.close(out)
    with os.fdopen(read, "rb") as file:
        first = file.readline()
        time.sleep(wait)
        os.kill(child, signal.SIGKILL)
        rest = file.read()
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status), "it died by itself"
    lines = (first + rest).split(b"\n")
    # The last line may be cut; a whole one has 32 digits.
    return {line.decode() for line in lines if len(line) == 32}


def close_crashed(vault):
    """Do what the next start does: close the tails of writers that died."""
    ledger = vault.stores.ledger
    for writer in ledger.crashed_writers():
        with unit_of_work(vault.stores.data, ledger) as uow:
            count = ledger.close_writer(uow.connection, writer)
            uow.record(Act("system.crash", SERVICE, count=count, links=(("writer", writer),)))
            uow.commit()


# `make faults KILLS=n` sets the number of the long one.
MANY = int(os.environ.get("CASEVAULT_TEST_KILLS", "500"))


@pytest.mark.parametrize("kills", [6, pytest.param(MANY, marks=pytest.mark.faults)])
def test_what_was_acknowledged_is_there(vault, kills):
    """On both databases; afterwards every row fits and no gap is unexplained."""
    vault.stores.months.current()
    vault.stores.data.close()
    vault.stores.keyring.database.close()
    draw = random.Random(kills)  # noqa: S311 - moments, no secret
    acknowledged = set()
    for number in range(kills):
        acknowledged |= killed(vault, draw.random() * 0.03)
        if number % 50 == 49:
            tree.integrate_all(vault.stores.data, vault.stores.roots)
            vault.stores.data.close()
            vault.stores.keyring.database.close()
    close_crashed(vault)
    vault.integrate()
    with vault.stores.data.reading() as connection:
        found = {
            entry.hex for entry in connection.execute(select(tables.ledger_entry.c.id)).scalars()
        }
        report = Inspection(vault.stores, connection, vault.checkpoints()).run()
    assert len(acknowledged) >= kills
    assert acknowledged <= found, "acknowledged entries are lost"
    assert report.gaps == ()
    assert report.staged == 0
