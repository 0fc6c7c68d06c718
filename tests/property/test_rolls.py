"""Real processes write while the keyring is rolled: nothing is lost, and nothing old is left."""

from __future__ import annotations

import json
import secrets
import subprocess
import sys
import time
from pathlib import Path

import pytest

from casevault.clock import SystemClock
from casevault.ids import new_id
from casevault.services.recovery.rolls import Rolls
from casevault.store.engine import keyring_tables as tables
from casevault.store.recovery.media import Medium
from tests.builders import a_vault

ROOT = Path(__file__).parents[2]
WRITERS = 2
# What nobody may wait for longer because of a roll; a busy machine adds what it adds without one.
MOST_SECONDS, SLACK = 0.5, 2


def started(plan, folder, seed):
    """Start a writer whose lines go to a file."""
    command = [sys.executable, "-m", "tests.property.keyring_writer", str(plan), str(seed)]
    with (folder / f"writer-{seed}.jsonl").open("w") as out:
        return subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=out, stderr=out)


def acts_of(folder, seed):
    """Return what a writer said that it did."""
    lines = (folder / f"writer-{seed}.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


def replayed(acts):
    """Return what a writer's rows must hold; each of its reads must have seen just that."""
    model = {}
    for what, row, content, *_ in acts:
        if what == "remove":
            del model[row]
        elif what == "read":
            assert model[row] == content
        else:
            model[row] = content
    return model


def filled(vault, count):
    """Put more rows into the keyring, so that a roll takes its time."""
    rows = [
        (
            {
                "id": new_id(),
                "object_kind": "case",
                "object_id": new_id(),
                "grantee_id": new_id(),
                "expires_at": 0,
            },
            secrets.token_bytes(300),
        )
        for _ in range(count)
    ]
    with vault.stores.keyring.writing() as tx:
        tx.add_many(tables.grant, rows)


def rolled_under_load(database, tmp_path, seed, rows, calm=0):
    """Roll again and again while others write; return the longest waits before and meanwhile."""
    vault = a_vault(database, tmp_path, SystemClock())
    filled(vault, rows)
    plan = tmp_path / "plan.json"
    plan.write_text(
        json.dumps(
            {
                "keyring_url": database.keyring_url,
                "keys_dir": str(vault.keys_dir),
                "organisation": str(vault.stores.organisation),
            }
        )
    )
    medium = Medium(tmp_path / "medium", vault.stores.roots.keyring_id)
    medium.take()
    roll, seeds = Rolls(vault.stores, medium, 1), range(seed, seed + WRITERS)
    writers = [started(plan, tmp_path, one) for one in seeds]
    try:
        while not all(acts_of(tmp_path, one) for one in seeds):
            assert all(writer.poll() is None for writer in writers)
            time.sleep(0.05)
        time.sleep(calm)
        begun = time.monotonic()
        roll.roll()
        roll.roll(erase_now=True)
        last = roll.roll()
    finally:
        for writer in writers:
            writer.communicate()
    assert [writer.returncode for writer in writers] == [0] * WRITERS
    acts = {one: acts_of(tmp_path, one) for one in seeds}
    expected = {row: content for one in acts.values() for row, content in replayed(one).items()}
    with vault.stores.keyring.reading() as tx:
        found = {str(row.lookup["id"]): row.content.decode() for row in tx.find(tables.team)}
        assert {epoch for _, epoch in tx.rows_by_epoch()} == {last.epoch}
    del found[str(vault.team)]
    assert found == expected
    assert len(found) > 3
    vault.close()
    waits = [(at, took) for one in acts.values() for *_, took, at in one]
    before = max(took for at, took in waits if at + took < begun)
    return before, max(took for at, took in waits if at + took >= begun)


def test_nothing_is_lost_while_the_keyring_is_rolled(database, tmp_path):
    """Every acknowledged write is there, every row lies under the newest epoch."""
    rolled_under_load(database, tmp_path, 7, 300)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [11, 23])
def test_nobody_waits_while_a_large_keyring_is_rolled(database, tmp_path, seed, capsys):
    """Not longer than half a second for one write, with thousands of rows on the move."""
    before, longest = rolled_under_load(database, tmp_path, seed, 10_000, calm=10)
    with capsys.disabled():
        sys.stdout.write(
            f"\nlongest wait for one write on {database.kind}:"
            f" {longest:.3f} s during rolls, {before:.3f} s before them\n"
        )
    assert longest < MOST_SECONDS + SLACK * before
