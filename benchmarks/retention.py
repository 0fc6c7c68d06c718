"""How fast what is due is erased, and whether what is not due costs anything, on both databases.

    PYTHONPATH=. python benchmarks/retention.py [due] [many] [sqlite|postgresql]

The same number of due cases lie among twice as many cases and among `many`. Each due case has keys,
three grants with their key rows, documents, manifests and a stamped row; the others have stamped
rows only, which is all that a run could look at. Beside it: the same rows by plain DELETEs.
"""

from __future__ import annotations

import sys
import tempfile
import time
from contextlib import ExitStack
from datetime import date
from pathlib import Path
from uuid import UUID

from sqlalchemy import delete, insert

from benchmarks.ledger import postgresql
from casevault.crypto.sealing import Key
from casevault.domain.case import casefile
from casevault.domain.case.casefile import CaseMetadata, Compartment
from casevault.domain.staff.granting import ObjectKind, PrincipalKind
from casevault.ids import CaseId, CaseReference, TeamId, new_id, new_reference
from casevault.services.recovery import rolls
from casevault.services.recovery.rolls import Rolls
from casevault.services.retention.retention import Ran, Retention
from casevault.store.case import case_keys, cases, documents
from casevault.store.engine import keyring_tables as keys
from casevault.store.engine import tables
from casevault.store.keys import grants
from casevault.store.keys.grants import Object
from casevault.store.recovery.media import Medium
from tests.builders import ORIGIN, SUPERVISOR, AVault, a_clock, a_vault
from tests.conftest import Databases

_AT_ONCE = 500
_KINDS = {"identity": "identity", "narrative": "profile", "facts": "facts"}
_LONG_AGO, _LATELY = date(2015, 5, 5), date(2026, 11, 1)


def made(vault: AVault, count: int, opened: date, known: set[CaseReference]) -> list[CaseMetadata]:
    """Return rows of new cases, each with a reference that no other has."""
    found = []
    while len(found) < count:
        reference = new_reference()
        if reference not in known:
            known.add(reference)
            case = casefile.new_case(
                CaseId(new_id()), reference, TeamId(vault.team), "short", opened
            )
            found.append(case)
    return found


def fill(vault: AVault, due: int, others: int) -> None:
    """Put whole cases that are due, and rows that are not, into a vault."""
    known: set[CaseReference] = set()
    for at in range(0, due, _AT_ONCE):
        whole(vault, made(vault, min(_AT_ONCE, due - at), _LONG_AGO, known))
    for at in range(0, others, 5 * _AT_ONCE):
        some = made(vault, min(5 * _AT_ONCE, others - at), _LATELY, known)
        rows = [cases._columns(vault.stores.roots, case) for case in some]
        with vault.stores.data.writing() as connection:
            connection.execute(insert(tables.case_file), rows)


def whole(vault: AVault, some: list[CaseMetadata]) -> None:
    """Give cases keys, grants and documents."""
    stores, granter = vault.stores, vault.granter(SUPERVISOR)
    own = {case.id: {c.value: Key.random() for c in Compartment} for case in some}
    with stores.keyring.writing() as tx:
        readers = [
            one
            for kind, team in (
                (PrincipalKind.OVERSIGHT, vault.team),
                (PrincipalKind.RECOVERY, None),
            )
            for one in stores.trust.groups(tx, kind, team)
        ]
        readers.append(grants.Grantee(granter.id, granter.secret.public))
        for case in some:
            case_keys.add(tx, case.id, own[case.id])
            grants.give(
                tx,
                Object(ObjectKind.CASE, case.id, case.team),
                own[case.id],
                granter,
                [(one, frozenset(own[case.id])) for one in readers],
                purpose="birth",
                issued_at=vault.now,
            )
    with stores.data.writing() as connection:
        for case in some:
            sealed = [
                documents.seal_compartment(
                    stores.organisation, case, name, key, [(_KINDS[name], {"x": "y" * 400})]
                )
                for name, key in own[case.id].items()
            ]
            cases.insert_case(connection, stores.roots, case, sealed)


def ran(vault: AVault) -> tuple[float, float, Ran]:
    """Return the seconds of a run, on the wall and of our processor, and what it did."""
    job = Retention(vault.stores, ORIGIN, vault.checkpoints().sign)
    wall, own = time.perf_counter(), time.process_time()
    done = job.run()
    return time.perf_counter() - wall, time.process_time() - own, done


def plainly(vault: AVault, ids: list[UUID]) -> float:
    """Return the seconds of deleting the same rows without anything else, a hundred at a time."""
    stores, since = vault.stores, time.perf_counter()
    for at in range(0, len(ids), 100):
        some = ids[at : at + 100]
        with stores.keyring.database.writing() as connection:
            held = keys.grant.c.object_id.in_(some)
            inner = keys.grant_key.c.grant_id.in_(
                keys.grant.select().with_only_columns(keys.grant.c.id).where(held)
            )
            connection.execute(delete(keys.grant_key).where(inner))
            connection.execute(delete(keys.grant).where(held))
            connection.execute(delete(keys.case_key).where(keys.case_key.c.case_id.in_(some)))
        with stores.data.writing() as connection:
            for table in (tables.document, tables.manifest):
                connection.execute(delete(table).where(table.c.case_id.in_(some)))
            connection.execute(delete(tables.case_file).where(tables.case_file.c.id.in_(some)))
    return time.perf_counter() - since


def measured(kind: str, due: int, others: int, *, more: bool) -> float:
    """Return the seconds of a run over `due` cases beside others; `more`: print the rest too."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="casevault-bench-")))
        if kind == "postgresql":
            databases = stack.enter_context(postgresql())
        else:
            urls = (f"sqlite:///{folder / one}.db" for one in ("data", "keyring"))
            databases = Databases("sqlite", *urls)
        # With a clock of its own: each server of PostgreSQL is a new one.
        vault = a_vault(databases, folder, a_clock())
        stack.callback(vault.close)
        fill(vault, due, others)
        took, own, done = ran(vault)
        assert done.whole == due
        say(
            kind,
            f"{due:,} due among {due + others:,} cases",
            f"{took:8.2f} s, of it processor {own:.2f}",
        )
        if more:
            say(
                kind,
                "erased",
                f"{due / took:8.0f} cases/s ({due / own:.0f} a processor second)  goal 1,000",
            )
            roll(vault, folder, kind)
            whole_again = made(vault, due, _LONG_AGO, set())
            for at in range(0, due, _AT_ONCE):
                whole(vault, whole_again[at : at + _AT_ONCE])
            plain = plainly(vault, [one.id for one in whole_again])
            say(kind, "to plain DELETEs of the same rows", f"{took / plain:8.1f} x")
        return took


def roll(vault: AVault, folder: Path, kind: str) -> None:
    """Print how long a roll takes, by rows of the keyring."""
    medium = Medium(folder / "medium", vault.stores.roots.keyring_id)
    medium.take()
    rolls.READERS_SECONDS = 0
    some = made(vault, 2000, _LATELY, set())
    whole(vault, some)
    since = time.perf_counter()
    moved = Rolls(vault.stores, medium, 1).roll(erase_now=True).moved
    took = time.perf_counter() - since
    say(kind, f"roll of {moved:,} keyring rows (file)", f"{took * 100_000 / moved:8.2f} s/100,000")


def say(kind: str, what: str, value: str) -> None:
    """Print one line."""
    print(f"{kind:<12}{what:<44}{value}", flush=True)


def main(due: int, many: int, kinds: list[str]) -> None:
    """Run everything once on each database."""
    for kind in kinds:
        few = measured(kind, due, due, more=True)
        lots = measured(kind, due, many - due, more=False)
        say(kind, f"{many:,} cases to {2 * due:,}", f"{lots / few:8.2f} x  goal 1.2")


if __name__ == "__main__":
    given = sys.argv[1:]
    main(
        int(given[0]) if given else 10_000,
        int(given[1]) if len(given) > 1 else 1_000_000,
        given[2:] or ["sqlite", "postgresql"],
    )
