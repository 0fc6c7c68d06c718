"""A process that writes to the keyring while it is rolled, and says what was acknowledged.

    python -m tests.property.keyring_writer PLAN.json SEED

Writes rows of its own, replaces, removes and reads them, until its standard input closes. Each act
is one line of JSON: what it did, to which row, with which content, and how long it took.
"""

from __future__ import annotations

import json
import random
import select
import sys
import time
from pathlib import Path
from uuid import UUID

from casevault.crypto.roots import open_roots
from casevault.store.engine import keyring_tables as tables
from casevault.store.engine.database import Database
from casevault.store.engine.keyring import Keyring


def act(keyring: Keyring, chance: random.Random, mine: dict[str, str]) -> tuple[str, str, str]:
    """Do one thing to a row of this process; return what, to which row, and its content."""
    what = chance.choice(("add", "add", "replace", "remove", "read"))
    row = chance.choice(sorted(mine)) if mine else ""
    content = f"content {chance.getrandbits(64)}"
    if what == "add" or not row:
        row = str(UUID(int=chance.getrandbits(128), version=4))
        with keyring.writing() as tx:
            tx.add(tables.team, content.encode(), id=UUID(row))
        return "add", row, content
    if what == "replace":
        with keyring.writing() as tx:
            tx.one(tables.team, lock=True, id=UUID(row))
            tx.replace(tables.team, content.encode(), id=UUID(row))
        return what, row, content
    if what == "remove":
        with keyring.writing() as tx:
            tx.remove(tables.team, id=UUID(row))
        return what, row, ""
    with keyring.reading() as tx:
        found = tx.one(tables.team, id=UUID(row))
    return what, row, "" if found is None else found.content.decode()


def main(plan: dict[str, str], seed: int) -> None:
    """Write until nobody wants more."""
    database = Database(plan["keyring_url"], 2)
    roots = open_roots(Path(plan["keys_dir"]))
    keyring = Keyring(database, roots, UUID(plan["organisation"]))
    chance, mine = random.Random(seed), dict[str, str]()  # noqa: S311 - a test's schedule
    while not select.select([sys.stdin], [], [], 0)[0]:
        begun = time.monotonic()
        what, row, content = act(keyring, chance, mine)
        took = time.monotonic() - begun
        if what == "remove":
            del mine[row]
        elif what != "read":
            mine[row] = content
        sys.stdout.write(json.dumps([what, row, content, took, begun]) + "\n")
        sys.stdout.flush()
        time.sleep(0.002)
    database.close()


if __name__ == "__main__":
    main(json.loads(Path(sys.argv[1]).read_text()), int(sys.argv[2]))
