"""Leaving: shut out at once, cases passed on with new keys, groups renewed, nobody stranded."""

from __future__ import annotations

import random
from uuid import UUID

import pytest
from sqlalchemy import func, select

from casevault.domain.staff.granting import ObjectKind, PrincipalKind
from casevault.services.staff import departures
from casevault.store.casework import rekeying
from casevault.store.engine import keyring_tables
from casevault.store.engine import tables as data_tables
from casevault.store.keys import grants, principals, teams
from casevault.store.keys.grants import Grantee
from casevault.store.staff import departing, rotating
from tests.api.copies import a_world
from tests.api.test_inbox import a_referrer, submitted
from tests.api.world import NORTH, SOUTH, a_login, an_identity

TASK = {"content": {"type": "hearing", "due": "2026-12-01", "text": "A made-up hearing"}}


@pytest.fixture
def office(make_databases, tmp_path, request):
    """Give a world of its own: here whole teams leave."""
    found = a_world(make_databases(request.param), tmp_path)
    yield found
    found.close()


# A vault for each test: the gate has them on one database, the nightly run on both.
KINDS = ["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)]
pytestmark = pytest.mark.parametrize("office", KINDS, indirect=True)


def leave(world, login, by="sue", **body):
    """Let somebody leave, to the end."""
    for _ in range(20):
        answer = world.post(f"/v1/staff/{world.staff[login]}/departure", by, body)
        if answer.status_code != 200 or not answer.json()["cases_left"]:
            return answer
    raise AssertionError("a departure ends")


def opens(world, case, login):
    """Say whether somebody reads every document of a case."""
    return all(
        world.get(f"/v1/cases/{case}/{part}", login).status_code == 200
        for part in ("identity", "profile", "facts", "notes")
    )


def keyring(world):
    """Give a transaction that reads the keyring."""
    return world.vault.stores.keyring.reading()


def count(world, table, **where):
    """Return how many rows of the keyring there are."""
    with keyring(world) as tx:
        return len(tx.lookups(table, **where))


def signed_by(world, login):
    """Return how many live grants bear somebody's signature."""
    with keyring(world) as tx:
        return sum(len(grants.signed_by(tx, kind, _id(world, login))) for kind in ObjectKind)


def _id(world, login):
    return UUID(world.staff[login])


def groups(world, kind, team=NORTH):
    """Return the ids of the groups of one kind."""
    with keyring(world) as tx:
        of = None if team is None else world.outcome.teams[team]
        return [row.id for row in principals.groups(tx, kind, of)]


def test_whoever_leaves_is_shut_out_and_the_cases_go_on(office):
    """Sessions, envelope, grants, signatures: gone; everybody else reads and writes."""
    colin = office.sign_in("colin")
    case = office.open("colin", an_identity("Passed Madeup"))
    shared = office.open("cara")
    assert office.assign(shared, "colin").status_code == 204
    assert office.post(f"/v1/cases/{case}/tasks", "colin", TASK).status_code == 201
    draft = {"form": "note", "content": {"text": "Half a made-up note"}}
    assert office.post("/v1/drafts", "colin", draft).status_code == 201
    answer = leave(office, "colin", successor=office.staff["cara"])
    assert answer.status_code == 200, answer.text
    found = answer.json()
    assert (found["finished"], found["cases_done"], found["handed_over"]) == (True, 2, 2)
    assert (found["skipped"], found["oversight_only"], found["waiting_for"]) == ([], [], [])
    headers = {"Authorization": f"Bearer {colin}"}
    assert office.get("/v1/me", "colin", headers=headers).status_code == 401
    body = {"login": "colin", "passphrase": office.passphrases["colin"]}
    assert office.client.post("/v1/auth/sessions", json=body).status_code == 401
    assert opens(office, case, "cara")
    assert opens(office, shared, "cara")
    assert opens(office, case, "sue")
    assert office.post(f"/v1/cases/{case}/tasks", "cara", TASK).status_code == 201
    assert signed_by(office, "colin") == 0
    for table in (keyring_tables.envelope, keyring_tables.session, keyring_tables.second_factor):
        assert count(office, table, staff_id=_id(office, "colin")) == 0
    assert count(office, keyring_tables.grant, grantee_id=_id(office, "colin")) == 0
    assert count(office, keyring_tables.intent) == 0
    with office.vault.stores.data.reading() as connection:
        left = select(func.count()).select_from(data_tables.private_object)
        assert connection.execute(left).scalar() == 0
    with keyring(office) as tx:
        stores = office.vault.stores
        assert stores.trust.scopes(tx, _id(office, "colin"), stores.now() + 1) == []


def test_open_tasks_are_listed(office):
    """By case and day: the text stays where it is."""
    case = office.open("colin")
    made = office.post(f"/v1/cases/{case}/tasks", "colin", TASK)
    assert made.status_code == 201, made.text
    found = leave(office, "colin").json()
    expected = {"case_id": case, "record_id": made.json()["id"], "due": "2026-12-01"}
    assert found["open_tasks"] == [expected]
    assert found["oversight_only"] == [case]
    assert opens(office, case, "sue")
    assert not opens(office, case, "cara")


def test_single_cases_go_to_whom_they_are_given(office):
    """A case whose survivor refused the successor stays with the supervisors, and is named."""
    mine = [office.open("colin") for _ in range(3)]
    refused = {"staff_id": office.staff["cara"], "content": {}}
    assert office.post(f"/v1/cases/{mine[2]}/refused-staff", "colin", refused).status_code == 201
    cases = [{"case_id": mine[0], "staff_id": office.staff["stra"]}]
    found = leave(office, "colin", successor=office.staff["cara"], cases=cases).json()
    assert found["handed_over"] == 2
    assert found["skipped"] == [{"case_id": mine[2], "why": "refused-staff"}]
    assert opens(office, mine[0], "stra")
    assert not opens(office, mine[0], "cara")
    assert opens(office, mine[1], "cara")
    assert not opens(office, mine[2], "cara")
    assert opens(office, mine[2], "sue")


def test_a_supervisor_leaves_and_the_team_gets_new_groups(office):
    """Every case of the team has new keys; what they vouched for is vouched for anew."""
    second = office.person(a_login("sana"), ("supervisor",), NORTH, "sue")
    cases = [office.open("cara") for _ in range(3)] + [office.open("sue")]
    before = {
        kind: groups(office, kind) for kind in (PrincipalKind.OVERSIGHT, PrincipalKind.INTAKE)
    }
    answer = leave(office, "sue", by=second)
    assert answer.status_code == 200, answer.text
    found = answer.json()
    assert (found["finished"], found["cases_done"]) == (True, 4)
    for kind, old in before.items():
        now = groups(office, kind)
        assert len(now) == 1
        assert now != old
    assert all(opens(office, case, second) for case in cases)
    assert all(opens(office, case, "cara") for case in cases[:3])
    assert signed_by(office, "sue") == 0
    for case in cases:
        row = office.get(f"/v1/cases/{case}/grants", second).json()["items"]
        assert {one["granted_by"] for one in row} == {office.staff[second]}
    new = office.open("cara")
    assert opens(office, new, second)
    third = office.person(a_login("third"), ("caseworker",), NORTH, second)
    assert office.assign(new, third, by=second).status_code == 204


def test_duty_and_reasons_outlive_a_supervisor(office):
    """Who is on call still opens a case at once; the reason stays readable for its readers."""
    second = office.person(a_login("sana"), ("supervisor",), NORTH, "sue")
    duty = f"/v1/teams/{office.team()}/duty"
    assert office.post(duty, "sue", {"members": [office.staff["cara"]]}).status_code == 200
    before = office.open("colin")
    asked = {"case": before, "reason": "A made-up call at night."}
    wish = office.post("/v1/break-glass", "stra", asked)
    assert wish.status_code == 201
    answer = leave(office, "sue", by=second)
    assert answer.json().get("finished"), answer.text
    decision = f"/v1/approvals/{wish.json()['id']}/decision"
    assert office.post(decision, second, {"approve": True}).status_code == 200
    items = office.get("/v1/break-glass", "dora").json()["items"]
    assert [item["reason"] for item in items] == ["A made-up call at night."]
    assert opens(office, before, "stra")
    after = office.open("colin")
    for case in (before, after):
        opened = office.post("/v1/break-glass", "cara", {**asked, "case": case})
        assert opened.status_code == 201, opened.text
        assert opens(office, case, "cara")
    assert office.post(duty, second, {"members": []}).status_code == 200


def test_the_last_one_stays(office):
    """In a team, of DPOs, of auditors, of administrators: bring in a successor first."""
    assert leave(office, "sue", by="sue").json()["code"] == "departure.self"
    assert leave(office, "sue", by="dora").json()["code"] == "departure.last"
    assert leave(office, "ada", by="dora").json()["code"] == "departure.last"
    assert leave(office, "adi", by="dora").json()["code"] == "departure.last"
    assert office.get("/v1/me", "ada").status_code == 200


def test_who_ends_whose_work(office):
    """The supervisor of the team, the DPO for the others; nobody twice."""
    rita = office.person(a_login("rita"), ("reporter",), None, "dora")
    assert leave(office, "sofia", by="sue").json()["code"] == "departure.scope"
    assert leave(office, rita, by="sue").json()["code"] == "departure.scope"
    assert leave(office, "cara", by="dora").json()["code"] == "departure.scope"
    assert leave(office, rita, by="ada").json()["code"] == "departure.scope"
    assert leave(office, "cara", by="colin").json()["code"] == "refused.role"
    body = {"successor": office.staff["sofia"]}
    assert leave(office, "cara", **body).json()["code"] == "assign.team"
    body = {"successor": office.staff["cara"]}
    assert leave(office, "cara", **body).json()["code"] == "departure.successor"
    assert leave(office, rita, by="dora").json()["finished"]
    assert leave(office, rita, by="dora").json()["code"] == "departure.done"
    assert leave(office, "uma").json()["finished"]
    assert office.get("/v1/me", "cara").status_code == 200


def admitted(world, login, by, kind):
    """Let somebody into a group, in the session of a member."""
    stores = world.vault.stores
    caller = world.vault.sessions.authenticate(world.sign_in(by))
    with stores.keyring.writing() as tx:
        (group,) = principals.groups(tx, kind)
        key = caller.keys.group_key(tx, group)
        member = Grantee(_id(world, login), stores.trust.public_keys(tx, _id(world, login)))
        teams.admit(tx, caller.keys.granter, group, key, member, stores.now())


def test_an_auditor_leaves_in_two_steps(office):
    """The DPO shuts them out; another auditor renews the group, and still reads every month."""
    ann = office.person(a_login("ann"), ("auditor",), None, "dora")
    assert leave(office, "ada", by="dora").json()["code"] == "departure.last"
    admitted(office, ann, "ada", PrincipalKind.AUDITORS)
    assert leave(office, "ada", by=ann).json()["code"] == "departure.scope"
    (old,) = groups(office, PrincipalKind.AUDITORS, None)
    found = leave(office, "ada", by="dora").json()
    assert (found["finished"], found["waiting_for"]) == (False, ["auditors"])
    body = {"login": "ada", "passphrase": office.passphrases["ada"]}
    assert office.client.post("/v1/auth/sessions", json=body).status_code == 401
    before = office.entries(by=ann)
    assert leave(office, "ada", by=ann).json()["finished"]
    (new,) = groups(office, PrincipalKind.AUDITORS, None)
    assert new != old
    assert {one["id"] for one in before[:50]} <= {one["id"] for one in office.entries(by=ann)}
    assert count(office, keyring_tables.intent) == 0
    assert leave(office, "ada", by=ann).json()["code"] == "departure.done"
    assert leave(office, ann, by="dora").json()["code"] == "departure.last"


def test_a_dpo_leaves_by_another_one(office):
    """Who renews the group of DPOs, and vouches anew for whom the other one had vouched."""
    dina = office.person(a_login("dina"), ("administrator",), None, "dora")
    assert office.get("/v1/me", dina).status_code == 200
    code = office.add("delia", ("dpo",), None)
    office.enrol("delia", code)
    assert office.vouch("delia", "dora").json()["code"] == "vouch.scope"
    assert leave(office, "dora", by="delia").json()["code"] == "refused.role"
    assert leave(office, "dora", by="dora").json()["code"] == "departure.self"
    assert leave(office, "delia", by="dora").json()["finished"]


@pytest.mark.parametrize("step", ["rotate", "renew", "finish"])
def test_a_departure_goes_on_where_it_was_cut_off(office, monkeypatch, step):
    """By another supervisor too; whoever leaves is out from the first step."""
    second = office.person(a_login("sana"), ("supervisor",), NORTH, "sue")
    cases = [office.open("cara"), office.open("colin"), office.open("sue")]

    def stop(*_args, **_named):
        raise RuntimeError

    place = {
        "rotate": (rotating, "rotate"),
        "renew": (rekeying, "finish"),
        "finish": (departures.Departures, "_finish"),
    }[step]
    with monkeypatch.context() as patch:
        patch.setattr(*place, stop)
        answer = leave(office, second, by="sue", successor=office.staff["cara"])
        assert answer.status_code == 500
    headers = {"Authorization": f"Bearer {office.token(second)}"}
    assert office.get("/v1/me", second, headers=headers).status_code == 401
    assert all(opens(office, case, "sue") for case in cases)
    assert leave(office, second).json()["finished"]
    assert all(opens(office, case, "sue") for case in cases)
    assert count(office, keyring_tables.grant, grantee_id=_id(office, second)) == 0
    assert count(office, keyring_tables.intent, kind=departing.INTENT) == 0
    assert len(groups(office, PrincipalKind.OVERSIGHT)) == 1


@pytest.mark.parametrize("seed", [20261124])
def test_no_case_is_ever_stranded(office, seed):
    """Anybody leaves, in any order: after each, somebody reads every case whole."""
    chance = random.Random(seed)  # noqa: S311 - which test runs, no secret
    supervisors = ["sue", office.person(a_login("sana"), ("supervisor",), NORTH, "sue")]
    supervisors.append(office.person(a_login("sam"), ("supervisor",), NORTH, supervisors[1]))
    workers = ["cara", "colin", "stra"]
    cases = [office.open(chance.choice(workers + supervisors)) for _ in range(6)]
    for case in cases:
        chance_to = chance.choice(workers)
        assert office.assign(case, chance_to).status_code == 204
    staying = [*workers, *supervisors]
    while len(staying) > 1:
        able = [one for one in supervisors if one in staying]
        by = chance.choice(able)
        gone = chance.choice([one for one in staying if one != by])
        heirs = [None, *(one for one in staying if one not in (gone, by))]
        heir = chance.choice(heirs)
        body = {} if heir is None else {"successor": office.staff[heir]}
        answer = leave(office, gone, by=by, **body)
        assert answer.json().get("finished"), answer.text
        staying.remove(gone)
        cases.append(office.open(chance.choice(staying)))
        for case in cases:
            assert any(opens(office, case, one) for one in staying), (gone, case)
            assert opens(office, case, by)
    assert office.team(SOUTH) != office.team()


def test_who_leaves_opens_no_inbox(office):
    """A caseworker named by a supervisor: the group gets a new key, what waits is read on."""
    path = f"/v1/teams/{office.team(NORTH)}/intake"
    named = office.post(path, "sue", {"members": [office.staff["colin"]]}).json()
    assert office.staff["colin"] in named["members"]
    entry = submitted(office, a_referrer(office))
    assert office.get(f"/v1/inbox/{entry}", "colin").status_code == 200
    before = groups(office, PrincipalKind.INTAKE)
    assert leave(office, "colin").status_code == 200
    assert not set(groups(office, PrincipalKind.INTAKE)) & set(before)
    with office.vault.stores.keyring.reading() as tx:
        assert not grants.objects_of(tx, ObjectKind.GROUP, [UUID(office.staff["colin"])])
    assert office.get(f"/v1/inbox/{entry}", "sue").status_code == 200
