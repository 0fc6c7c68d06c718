"""One act in a process of its own, which dies at its N-th commit: before or after it.

    python -m tests.faults.child PLAN.json ACT N before|after

Prints ACK when the act has returned. What kills is patched here, in this process only.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path
from uuid import UUID

from sqlalchemy import Connection

from casevault.clock import SystemClock
from casevault.crypto.principals import PrincipalSecret
from casevault.crypto.roots import open_roots
from casevault.domain.access import Actor, Role
from casevault.domain.casefile import DocumentKind
from casevault.errors import Conflict
from casevault.ids import StaffId, TeamId, new_id
from casevault.services.assignments import Assignments
from casevault.services.casework import Casework
from casevault.services.departures import Departures
from casevault.store import sweeping
from casevault.store.caller import Caller, Gate
from casevault.store.database import Database
from casevault.store.keyholder import KeyHolder
from casevault.store.keyring import Keyring
from casevault.store.ledger import Ledger
from casevault.store.months import Months
from casevault.store.stores import Stores
from casevault.store.trust import Trust


def stores_of(plan) -> Stores:
    """Open the vault that a plan describes."""
    clock, organisation = SystemClock(), UUID(plan["organisation"])
    data, database = Database(plan["data_url"]), Database(plan["keyring_url"])
    roots = open_roots(Path(plan["keys_dir"]))
    keyring = Keyring(database, roots, organisation)
    trust = Trust(plan["root_pin"], clock)
    months = Months(keyring, trust, clock)
    ledger = Ledger(data, months, roots, clock)
    return Stores(organisation, data, keyring, ledger, months, trust, roots, clock)


def caller_of(plan, stores, who="supervisor") -> Caller:
    """Return a person of the plan, signed in."""
    person = plan[who]
    actor = Actor(
        StaffId(UUID(person["id"])),
        frozenset({Role(person["role"])}),
        frozenset({TeamId(UUID(plan["team"]))}),
        "passphrase",
        fresh=True,
    )
    secret = PrincipalSecret(bytes.fromhex(person["seed"]))
    return Caller(actor, KeyHolder(UUID(person["id"]), secret, stores.trust), new_id())


def perform(plan, stores, act) -> None:
    """Do one thing."""
    caller, gate = caller_of(plan, stores), Gate(stores, "passphrase")
    casework = Casework(stores, gate)
    if act == "open":
        casework.open_case(caller, {"name_to_use": "Killed Testperson"}, {}, "standard")
    elif act == "amend":
        case = UUID(plan["case"])
        found = casework.read_document(caller, case, DocumentKind.IDENTITY)
        changed = {"name_to_use": "Amended Testperson"}
        casework.amend_document(caller, case, DocumentKind.IDENTITY, changed, found.version)
    elif act == "sweep":
        sweeping.sweep(stores)
    elif act == "leave":
        try:
            Departures(stores, gate).depart(caller, UUID(plan["colleague"]["id"]))
        except Conflict as error:
            # It died after its last commit: nobody was told, and all is done.
            if error.code != "departure.done":
                raise
    else:
        colleague = UUID(plan["colleague"]["id"])
        case = UUID(plan["case"])
        assignments = Assignments(stores, gate)
        if act == "revoke":
            assignments.revoke(caller, case, colleague)
        else:
            assignments.assign(caller, case, colleague, frozenset({"identity"}))


def die_at(number: int, moment: str) -> None:
    """Make the N-th commit of this process its last act."""
    commit, counted = Connection.commit, 0

    def deadly(connection: Connection) -> None:
        nonlocal counted
        counted += 1
        if counted == number and moment == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        commit(connection)
        if counted == number:
            os.kill(os.getpid(), signal.SIGKILL)

    Connection.commit = deadly  # type: ignore[method-assign]


if __name__ == "__main__":
    given = json.loads(Path(sys.argv[1]).read_text())
    opened = stores_of(given)
    die_at(int(sys.argv[3]), sys.argv[4])
    perform(given, opened, sys.argv[2])
    sys.stdout.write("ACK\n")
    sys.stdout.flush()
    opened.close()
