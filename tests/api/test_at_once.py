"""Two requests at the same instant: what is done once is done once, and nothing comes after it.

The database is asked by threads of the real application; on SQLite writers take turns, on
PostgreSQL they meet.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier
from uuid import UUID

import pytest
from sqlalchemy import select

from casevault.domain.staff.granting import PrincipalKind
from casevault.store.engine import tables
from casevault.store.keys import people, principals
from casevault.store.staff import departing
from casevault.store.staff.departing import Plan
from tests.api.copies import a_world
from tests.api.test_inbox import a_referrer, submitted
from tests.api.world import NORTH
from tests.security.interface import Stage, _may_move


def at_once(count, work):
    """Call `work` in so many threads that begin together; return what each returned."""
    barrier = Barrier(count)

    def one(_number):
        barrier.wait()
        return work()

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(one, range(count)))


def codes(answers):
    """Return status and code of each answer, in order."""
    return sorted((a.status_code, a.json().get("code") if a.content else None) for a in answers)


def test_who_asks_twice_at_once_has_asked_once(world):
    """For a grant and for an emergency: one waits, the other is told so."""
    case = Stage.opened(world).case
    reference = world.get(f"/v1/cases/{case}", "cara").json()["reference"]
    until = (world.clock.now() + timedelta(days=3)).isoformat()
    asked = {"reason": "Made up", "compartments": ["narrative"], "until": until}
    path = f"/v1/cases/{reference}/access-requests"
    answers = at_once(3, lambda: world.post(path, "stra", asked))
    assert codes(answers)[1:] == [(409, "access.asked")] * 2, codes(answers)
    broken = {"case": reference, "reason": "Made up", "compartments": ["narrative"]}
    world.confirm("stra")
    answers = at_once(3, lambda: world.post("/v1/break-glass", "stra", broken))
    assert codes(answers)[1:] == [(409, "break-glass.asked")] * 2, codes(answers)


def test_a_colleague_who_begins_a_departure_too_forgets_no_group(world):
    """Both found it not begun; the leaver's groups are rotated all the same."""
    leaver = UUID(world.staff[world.person(roles=("supervisor",))])
    stores = world.vault.stores
    with stores.keyring.writing() as tx:
        held = {one.id for one in principals.groups(tx, PrincipalKind.OVERSIGHT, _north(world))}
        departing.begin(stores, tx, leaver, Plan())
        first = departing.under_way(tx, leaver)
    with stores.keyring.writing() as tx:
        departing.begin(stores, tx, leaver, Plan())
        second = departing.under_way(tx, leaver)
        departing.end(tx, leaver)
    assert first == second
    assert held <= set(first.groups)


@pytest.mark.parametrize("kind", ["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)])
def test_two_who_let_somebody_leave_at_once_rotate_their_groups(make_databases, tmp_path, kind):
    """One departure, and the team's oversight has a new pair; nobody is told of tampering."""
    world = a_world(make_databases(kind), tmp_path)
    login = world.person(roles=("supervisor",))
    before = _oversight(world)
    path = f"/v1/staff/{world.staff[login]}/departure"
    world.confirm("sue")
    answers = at_once(2, lambda: world.post(path, "sue", {}))
    assert {status for status, _ in codes(answers)} <= {200, 409}
    # Whoever was in the other's way goes on with it.
    assert world.post(path, "sue", {}).status_code in {200, 409}
    with world.vault.stores.keyring.reading() as tx:
        assert departing.is_out(tx, UUID(world.staff[login]))
        assert departing.under_way(tx, UUID(world.staff[login])) is None
    assert not before & _oversight(world)
    world.close()


def _north(world):
    return UUID(world.team(NORTH))


def _oversight(world):
    with world.vault.stores.keyring.reading() as tx:
        found = principals.groups(tx, PrincipalKind.OVERSIGHT, _north(world))
        return {one.id for one in found if not world.vault.stores.trust.is_retired(tx, one.id)}


def test_nobody_signs_in_while_they_are_shut_out(world):
    """Their passphrase was right before they were suspended: there is no session afterwards."""
    login = world.person()
    world.sign_in(login)
    staff, keyring = UUID(world.staff[login]), world.vault.stores.keyring
    body = {
        "login": login,
        "passphrase": world.passphrases[login],
        "code": world.code(login),
    }
    with ThreadPoolExecutor(1) as pool:
        with keyring.writing() as tx:
            people.change_staff(tx, staff, suspended=True)
            people.end_sessions(tx, staff)
            signing_in = pool.submit(world.client.post, "/v1/auth/sessions", json=body)
            # Long enough for whoever does not wait.
            with pytest.raises(TimeoutError):
                signing_in.result(timeout=0.5)
        assert signing_in.result().status_code in {401, 403}
    with keyring.reading() as tx:
        assert not tx.lookups(people.tables.session, staff_id=staff)


def test_two_who_give_a_case_back_at_once_raise_no_alarm(world):
    """One gives it back, the other finds that somebody did; nobody has tampered with anything."""
    case = world.open("sofia")
    _may_move(Stage(world), case, "sofia", NORTH)
    given = world.post(f"/v1/cases/{case}/transfer", "sid", {"team_id": world.team(NORTH)})
    path, body = f"/v1/transfers/{given.json()['id']}/refusal", {"reason": "no_capacity"}
    answers = at_once(3, lambda: world.post(path, "sue", body))
    assert {status for status, _ in codes(answers)} <= {200, 404, 409}, codes(answers)
    assert sum(one.status_code == 200 for one in answers) == 1


def test_of_two_who_take_an_intake_over_at_once_one_opens_a_case(world):
    """Whoever is told that a colleague was quicker has written nothing about the person."""
    other = world.person(roles=("supervisor",))
    receipt = submitted(world, a_referrer(world))
    callers = iter(["sue", other])
    for login in ("sue", other):
        world.token(login)
    before = cases_of(world)
    answers = at_once(2, lambda: world.post(f"/v1/inbox/{receipt}/case", next(callers), {}))
    assert codes(answers)[1:] == [(409, "intake.settled")], codes(answers)
    assert len(cases_of(world) - before) == 1


def cases_of(world):
    """Return the ids of all cases."""
    with world.vault.stores.data.reading() as connection:
        return set(connection.execute(select(tables.case_file.c.id)).scalars())
