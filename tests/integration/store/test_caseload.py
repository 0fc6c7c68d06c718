"""What cases cost: statements that do not grow with the page, and little while a lock is held."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from types import SimpleNamespace

import pytest
from sqlalchemy import event

from casevault.crypto.principals import PrincipalSecret
from casevault.domain.case.casefile import DocumentKind
from casevault.domain.staff.access import Actor, Role
from casevault.domain.staff.granting import ObjectKind
from casevault.ids import StaffId, TeamId, new_id
from casevault.services.casework.casework import Casework
from casevault.services.casework.records import Records
from casevault.store.case import case_keys
from casevault.store.casework import advising, births
from casevault.store.context.caller import Caller, Gate
from casevault.store.engine import keyring_tables, quick
from casevault.store.keys import grants
from casevault.store.keys.grants import Object
from casevault.store.keys.keyholder import KeyHolder
from tests.builders import SUPERVISOR


@pytest.fixture
def supervisor(vault):
    """Give the supervisor, signed in."""
    staff = vault.staff(SUPERVISOR)
    teams = frozenset({TeamId(vault.team)})
    actor = Actor(StaffId(staff), frozenset({Role.SUPERVISOR}), teams, "passphrase")
    return Caller(actor, vault.holder(SUPERVISOR), new_id())


def opened(vault, supervisor, count):
    """Open so many cases; return their ids."""
    casework = Casework(vault.stores, Gate(vault.stores, "passphrase"))
    names = ({"name_to_use": f"Testperson {number}"} for number in range(count))
    return [casework.open_case(supervisor, name, {}, "standard").case.id for name in names]


def statements(vault, work):
    """Return what `work` returns, and how many statements both databases ran."""
    ran: list[int] = []
    cursor = quick._cursor
    engines = [vault.stores.data.engine, vault.stores.keyring.database.engine]

    def count(*_args):
        ran.append(1)

    for engine in engines:
        event.listen(engine, "before_cursor_execute", count)
    # What is run on the driver's cursor is no event of SQLAlchemy's.
    quick._cursor = lambda connection: (count(), cursor(connection))[1]
    try:
        return work(), len(ran)
    finally:
        quick._cursor = cursor
        for engine in engines:
            event.remove(engine, "before_cursor_execute", count)


def test_statements_do_not_grow_with_the_page(vault, supervisor):
    """Three cases cost as many statements as twelve, and all names are there."""
    casework = Casework(vault.stores, Gate(vault.stores, "passphrase"))
    opened(vault, supervisor, 3)
    casework.list_cases(supervisor)
    small, few = statements(vault, lambda: casework.list_cases(supervisor))
    opened(vault, supervisor, 9)
    large, many = statements(vault, lambda: casework.list_cases(supervisor))
    assert {v.display_name for v in small.items} < {v.display_name for v in large.items}
    assert (len(small.items), len(large.items)) == (3, 12)
    assert None not in {view.display_name for view in large.items}
    assert 10 < many <= few < 30


def test_a_new_case_is_granted_before_the_write_lock_is_taken(vault, supervisor, monkeypatch):
    """Wraps and signatures are the slow half of the keyring's work: nobody waits for them."""
    inside: list[bool] = []
    monkeypatch.setattr(births, "grants", spy := SimpleNamespace(keep=grants.keep))
    writing = vault.stores.keyring.writing
    held = [False]

    @contextmanager
    def watched():
        with writing() as tx:
            held[0] = True
            yield tx
        held[0] = False

    def issue(*given, **named):
        inside.append(held[0])
        return grants.issue(*given, **named)

    spy.issue = issue
    monkeypatch.setattr(vault.stores.keyring, "writing", watched)
    (case,) = opened(vault, supervisor, 1)
    assert inside == [False]
    with vault.stores.keyring.reading() as tx:
        assert vault.holder(SUPERVISOR).open(tx, Object(ObjectKind.CASE, case, vault.team))


def test_a_group_that_changed_before_the_lock_gets_the_case(vault, supervisor, monkeypatch):
    """What was signed for the groups of a moment ago is signed anew for those of now."""
    receivers, asked = births.receivers, []

    def stale(stores, tx, team, **named):
        found = receivers(stores, tx, team, **named)
        asked.append(found)
        if len(asked) > 1:
            return found
        # As if the last one had been vouched for between the two looks.
        with stores.keyring.writing() as later:
            later.raise_trust_version()
        return found[:-1]

    monkeypatch.setattr(births, "receivers", stale)
    (case,) = opened(vault, supervisor, 1)
    with vault.stores.keyring.reading() as tx:
        given = grants.holders_of(tx, case)
    assert len(asked) == 2
    assert given == {supervisor.staff, *(group.id for group, _ in asked[1])}


def test_a_note_is_advised_upon_while_its_case_is_open(vault, supervisor, monkeypatch):
    """The comparison with the identity costs two statements more, and no key is unwrapped twice."""
    (case,) = opened(vault, supervisor, 1)
    records = Records(vault.stores, Gate(vault.stores, "passphrase"))
    unwrapped: list[bytes] = []
    unwrap = PrincipalSecret.unwrap
    monkeypatch.setattr(
        PrincipalSecret,
        "unwrap",
        lambda secret, wrapped, info: (unwrapped.append(wrapped), unwrap(secret, wrapped, info))[1],
    )

    def written(text):
        # As a request of its own: what one remembers is gone with it.
        caller = replace(supervisor, keys=vault.holder(SUPERVISOR))
        note = {"type": "visit", "date": "2026-11-20", **text}
        unwrapped.clear()
        made = records.add(caller, case, DocumentKind.NOTE, note)
        assert len(unwrapped) == len(set(unwrapped)) == 1
        return made

    written({"text": "It warms up."})
    with monkeypatch.context() as patch:
        patch.setattr(advising, "texts_of", lambda _kind, _content: {})
        _, plain = statements(vault, lambda: written({"text": "It is quiet."}))
    advised, compared = statements(vault, lambda: written({"text": "Testperson 0 came."}))
    assert advised.advice.compared
    assert [remark.hint.own for remark in advised.advice.remarks] == [True]
    assert compared == plain + 2


def test_prefetched_keys_are_the_same_keys(vault, supervisor):
    """For one's own grants and those of groups, of all compartments and of one."""
    ids = opened(vault, supervisor, 3)
    holder = KeyHolder(vault.staff(SUPERVISOR), vault.secret(SUPERVISOR), vault.stores.trust)
    target = Object(ObjectKind.CASE, ids[0], vault.team)
    with vault.stores.keyring.reading() as tx:
        plain = {name: one.key for name, one in holder.open(tx, target).items()}
        versions = case_keys.of_case(tx, ids[0], "facts")
    with vault.stores.keyring.reading() as tx:
        holder.prefetch(tx, ObjectKind.CASE, ids)
        case_keys.prefetch(tx, ids)
        read, asked = statements(
            vault,
            lambda: (
                {name: one.key for name, one in holder.open(tx, target).items()},
                {name: one.key for name, one in holder.open(tx, target, "facts").items()},
                case_keys.of_case(tx, ids[0], "facts"),
            ),
        )
        assert read == (plain, {"facts": plain["facts"]}, versions)
        # The version of trust, once a transaction.
        assert asked <= 1
        # What was not read ahead is asked for as ever.
        other = Object(ObjectKind.CASE, new_id(), vault.team)
        assert holder.open(tx, other) == {}
        assert tx.find(keyring_tables.case_key, compartment="facts")


def test_nothing_is_read_ahead_where_it_may_change(vault):
    """A transaction that writes always sees what is there."""
    with (
        pytest.raises(RuntimeError, match="may change"),
        vault.stores.keyring.writing() as tx,
    ):
        case_keys.prefetch(tx, [new_id()])
