"""An erasure while something else happens or fails: all or nothing is seen, and it is finished."""

from __future__ import annotations

from contextlib import contextmanager, suppress
from itertools import product

import pytest

from casevault.domain.case.casefile import Compartment, DocumentKind
from casevault.domain.case.retention import Reason
from casevault.errors import Busy, KeyUnavailable, NotFound, Unrecorded
from casevault.services.casework.casework import Casework
from casevault.services.casework.records import Records
from casevault.services.recovery import rolls
from casevault.store.case import manifests
from casevault.store.casework import reach
from casevault.store.keys.keyholder import KeyHolder
from casevault.store.log.ledger import REFUSED, SERVICE
from casevault.store.retention import erasures
from tests.builders import a_vault
from tests.integration.erasing_world import Office
from tests.integration.restoring import Copies

ALL_KEYS = {"data", "case_key", "access_grant"}
NAME = "Testperson"


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch):
    """Nobody reads in these tests while an epoch is destroyed."""
    monkeypatch.setattr(rolls, "READERS_SECONDS", 0)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)])
def office(request, tmp_path):
    """Give a vault in which cases become due; on PostgreSQL only `make test-all` runs it."""
    name = "sqlite_databases" if request.param == "sqlite" else "pg_databases"
    vault = a_vault(request.getfixturevalue(name), tmp_path)
    yield Office(vault, tmp_path)
    vault.close()


def begun(office, case):
    """Take the keys of a case, as the first step of its erasure; return the rest of it."""
    planned = erasures.plan(office.row(case), Reason.REQUEST, [one.value for one in Compartment])
    with office.stores.keyring.writing() as tx:
        batch = erasures.begin(tx, [planned], office.stores.now(), SERVICE, "permit:two-people")
    assert batch is not None
    return batch


def erase(office, case):
    """Erase a case, all steps at once."""
    erasures.finish(office.stores, begun(office, case))


class Outage:
    """A store that answers no longer from its N-th write on, until the end of the block."""

    def __init__(self, database, number):
        self.left, self.database, self.met = number, database, False

    def __enter__(self):
        real = {name: getattr(self.database, name) for name in ("opened_for_writing", "reading")}

        def passing(name):
            @contextmanager
            def opened():
                self.left -= name == "opened_for_writing"
                if self.left <= 0:
                    self.met = True
                    raise Busy(code="store.unavailable")
                with real[name]() as connection:
                    yield connection

            return opened

        for name in real:
            setattr(self.database, name, passing(name))
        return self

    def __exit__(self, *_):
        for name in ("opened_for_writing", "reading"):
            delattr(self.database, name)


def test_a_store_that_goes_away_at_any_step(office):
    """Keyring or data, from each of their writes on: all keys or none, and the next run ends it."""
    erased, seen, stores = 0, [], office.stores
    for database in (stores.keyring.database, stores.data):
        number, met = 1, True
        while met:
            case = office.open()
            office.age(case, months=61)
            with Outage(database, number) as outage, suppress(Busy, Unrecorded):
                office.run()
            left, met = office.left(case), outage.met
            seen.append(left)
            assert office.name(case) == (NAME if left == ALL_KEYS else None)
            assert office.certificates() == []
            office.run()
            erased += 1
            assert office.left(case) == set()
            assert office.codes().count("case.erase") == erased
            number += 1
    assert {frozenset(left) for left in seen} == set(map(frozenset, (ALL_KEYS, {"data"}, set())))
    office.roll()
    assert office.run().certificates == erased


def reading(office, case):
    """Read a name as a holder does."""
    return office.name(case)


def listing(office, case):
    """Read the name off a page of the caseload."""
    page = Casework(office.stores, office.gate).list_cases(office.caller)
    assert page.unreadable == ()
    return next((one.display_name for one in page.items if one.case.id == case), None)


def timeline(office, case):
    """Read the text of a note."""
    try:
        (note,) = Records(office.stores, office.gate).timeline(office.caller, case).items
    except (NotFound, KeyUnavailable):
        return None
    return note.record.current.content["text"]


# Who looks, and where the erasure comes: before keys are asked for, or when all is there.
LOOKS = (
    ((reading, timeline), (reach, "of")),
    ((listing,), (KeyHolder, "glance")),
)
_ALL_THERE = (manifests, "open_manifest")


def test_who_reads_meanwhile_sees_all_or_nothing(office, monkeypatch):
    """Erased between a reader's looks at the row, the keys and the documents: no alarm, no half."""
    answers = set()
    for looks, keys in LOOKS:
        for look, act, (place, where) in product(looks, (begun, erase), (keys, _ALL_THERE)):
            case = office.open()
            note = {"type": "visit", "date": "2026-11-20", "text": NAME}
            Records(office.stores, office.gate).add(office.caller, case, DocumentKind.NOTE, note)
            left = []
            with monkeypatch.context() as patch:
                patch.setattr(
                    place, where, meanwhile(getattr(place, where), office, case, act, left)
                )
                answers.add(look(office, case))
            assert left, "nothing was erased meanwhile"
            assert look(office, case) is None
            for batch in filter(None, left):
                erasures.finish(office.stores, batch)
            assert office.left(case) == set()
    assert answers == {NAME, None}
    assert "system.tamper" not in office.codes()
    assert {entry.body.outcome for entry in office.vault.entries()} <= {0, REFUSED}


def meanwhile(real, office, case, act, left):
    """Return a function that erases a case when it is called first."""

    def called(*args, **kwargs):
        if not left:
            left.append(None)
            left[:] = [act(office, case)]
        return real(*args, **kwargs)

    return called


def test_a_backup_taken_meanwhile_is_settled(office, pg_programs, tmp_path):
    """Keys gone, data still there: the copy of that moment, and a roll, open nothing of it."""
    folder = tmp_path / "copies"
    folder.mkdir()
    copies = Copies(office.vault, folder, pg_programs)
    case, other = office.open(), office.open("Birch Obvious-Madeup")
    batch = begun(office, case)
    between = copies.take()
    office.roll()
    assert office.certificates() == []
    erasures.finish(office.stores, batch)
    assert office.run().certificates == 1
    copies.put_back(between)
    assert (office.name(case), office.name(other)) == (None, "Birch Obvious-Madeup")
    assert copies.settle_with_two().erased == (case,)
    assert office.left(case) == set()
    assert office.name(other) == "Birch Obvious-Madeup"


def test_twice_is_once(office):
    """The same erasure again takes nothing, and has no second entry."""
    case = office.open()
    row = office.row(case)
    erase(office, case)
    planned = erasures.plan(row, Reason.REQUEST, ["identity"])
    with office.stores.keyring.writing() as tx:
        assert erasures.begin(tx, [planned], office.stores.now(), SERVICE, "permit:x") is None
    assert office.codes().count("case.erase") == 1
