"""Who looked at a file, over HTTP: an auditor's list, released to holders; a leaver in numbers."""

from __future__ import annotations

from uuid import UUID

import pytest
from sqlalchemy import select

from casevault.errors import NotFound
from casevault.store.audit import audit_records, released_looks
from casevault.store.audit.audit_records import LOOKS
from casevault.store.case.tombstones import Erasure
from casevault.store.engine import keyring_tables, tables
from casevault.store.retention import erasing, erasing_keys
from tests.api.world import bearer, unknown_id

WHO = "/v1/ledger/looks"


def released(world, case, **extra):
    """Release the list of a case."""
    world.entries()
    return world.post(WHO, "ada", {"case_id": case, **extra})


@pytest.fixture
def case(world):
    """Open a case that its caseworker reads, a supervisor assigns and a stranger asks for."""
    case = world.open("cara")
    assert world.get(f"/v1/cases/{case}/identity", "cara").status_code == 200
    assert world.get(f"/v1/cases/{case}/profile", "cara").status_code == 200
    assert world.assign(case, "colin", compartments=["identity"]).status_code == 204
    assert world.get(f"/v1/cases/{case}/identity", "sofia").status_code == 404
    return case


def test_an_auditor_says_who_looked(world, case):
    """Everybody with day, part and reason; nobody else; the question is an entry."""
    world.entries()
    answer = world.get(WHO, "ada", params={"case": case})
    assert answer.status_code == 200, answer.text
    seen = {(one["who"], one["did"], one["part"]) for one in answer.json()["items"]}
    assert ("Cara Madeup", "saw", "identity") in seen
    assert ("Cara Madeup", "saw", "profile") in seen
    assert ("Sue Madeup", "shared", "identity") in seen or ("Sue Madeup", "shared", "case") in seen
    assert ("Sofia Madeup", "refused", "case") in seen
    assert {who for who, *_ in seen} <= {"Cara Madeup", "Sue Madeup", "Sofia Madeup", "–"}
    asked = world.entries(case=case, code="audit.query")
    assert ["who", "case"] in [one["filters"] for one in asked] or asked
    for login in ("cara", "sue", "dora", "adi"):
        assert world.get(WHO, login, params={"case": case}).status_code == 403


def test_people_can_be_numbers(world, case):
    """By role and number, the same number for the same person."""
    world.entries()
    answer = world.get(WHO, "ada", params={"case": case, "names": "false"})
    assert "Madeup" not in answer.text
    whose = {one["who"] for one in answer.json()["items"] if one["role"] == "caseworker"}
    assert whose
    assert all(who.startswith("no. ") for who in whose)


def test_a_release_is_read_by_who_holds_the_narrative(world, case):
    """Caseworker and supervisor; not who holds the identity only, nor anybody else."""
    path = f"/v1/cases/{case}/looks"
    assert world.get(path, "cara").status_code == 404
    assert released(world, case).status_code == 201
    for login in ("cara", "sue"):
        answer = world.get(path, login)
        assert answer.status_code == 200, answer.text
        assert answer.json()["case_id"] == case
        assert "Sofia Madeup" in answer.text
    for login in ("colin", "stra", "sofia", "sid"):
        assert world.get(path, login).status_code == 404
    for login in ("ada", "dora", "adi"):
        assert world.get(path, login).status_code in (403, 404)
    codes = {one["code"] for one in world.entries(case=case)}
    assert {"audit.release", "audit.collect"} <= codes


def test_a_release_is_sealed(world, case):
    """In the row nothing can be read, and neither auditor nor service opens it again."""
    assert released(world, case).status_code == 201
    stores = world.vault.stores
    record = audit_records.id_for(stores, LOOKS, case)
    with stores.data.reading() as connection:
        found = select(tables.audit_record.c.sealed).where(tables.audit_record.c.id == record)
        sealed = bytes(connection.execute(found).scalar_one())
    assert b"Madeup" not in sealed
    team = UUID(world.team())
    for login in ("ada", "dora"):
        keys = world.vault.sessions.authenticate(world.token(login)).keys
        with pytest.raises(NotFound):
            audit_records.read(stores, keys, LOOKS, record, team)
    with stores.keyring.reading() as tx:
        service = audit_records.own_holder(stores, tx)
    with pytest.raises(NotFound):
        audit_records.read(stores, service, LOOKS, record, team)


def test_a_new_release_takes_the_place_of_the_old(world, case):
    """There is one list of a case at a time."""
    assert released(world, case).status_code == 201
    assert released(world, case, names=False).status_code == 201
    assert "Sofia" not in world.get(f"/v1/cases/{case}/looks", "cara").text


def test_a_released_list_is_erased_with_its_case(world):
    """Its keys with the case's, its row with the case's rows; another case's list stays."""
    stores = world.vault.stores
    gone, other = world.open("cara"), world.open("cara")
    for case in (gone, other):
        assert released(world, case).status_code == 201
    lists = {one: released_looks.ids_of(stores.roots, [UUID(one)]) for one in (gone, other)}
    assert left(stores, lists[gone]) == left(stores, lists[other]) == (True, True)
    erasure = Erasure(UUID(gone), UUID(world.team()), "schedule")
    with stores.keyring.writing() as tx:
        erasing_keys.erase(tx, [erasure], stores.now())
    assert left(stores, lists[gone]) == (False, True)
    with stores.data.writing() as connection:
        erasing.remove_cases(connection, stores.roots, [UUID(gone)])
    assert left(stores, lists[gone]) == (False, False)
    assert left(stores, lists[other]) == (True, True)


def left(stores, ids):
    """Say whether a list has keys, and whether it is there."""
    with stores.keyring.reading() as tx:
        given = tx.lookups(keyring_tables.grant, object_id=ids)
    with stores.data.reading() as connection:
        found = [audit_records.exists(connection, one) for one in ids]
    return bool(given), any(found)


def test_a_release_is_over_after_thirty_days(world, case):
    """Its key first, by its own date, whatever is swept when."""
    assert released(world, case).status_code == 201
    path = f"/v1/cases/{case}/looks"
    assert world.get(path, "cara").status_code == 200
    with world.later(days=30, seconds=5):
        token = bearer(world.sign_in("cara"))
        assert world.get(path, "cara", headers=token).status_code == 404


@pytest.mark.parametrize("language", ["en", "fr", "es", "ar"])
def test_the_survivor_gets_a_page(world, case, language):
    """In their language and direction, with nothing from elsewhere."""
    assert released(world, case).status_code == 201
    answer = world.get(f"/v1/cases/{case}/looks/print", "cara", params={"lang": language})
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-language"] == language
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert f'dir="{"rtl" if language == "ar" else "ltr"}"' in answer.text
    reference = world.get(f"/v1/cases/{case}", "cara").json()["reference"]
    assert reference in answer.text
    assert "Ondine" not in answer.text


def test_what_is_not_there_is_not_found(world):
    """An unknown case has no list, and none can be released."""
    assert world.get(WHO, "ada", params={"case": unknown_id()}).json()["items"] == []
    assert released(world, unknown_id()).status_code == 404
    assert world.get(f"/v1/cases/{unknown_id()}/looks", "cara").status_code == 404


# --- a leaver -------------------------------------------------------------------------------------


@pytest.fixture
def leaver(world):
    """Give somebody who opened two cases, read one of them, and was refused once."""
    login = world.person()
    one, two = (world.open(login) for _ in range(2))
    for path in ("identity", "profile", "identity"):
        assert world.get(f"/v1/cases/{one}/{path}", login).status_code == 200
    foreign = world.open("colin")
    assert world.get(f"/v1/cases/{foreign}/identity", login).status_code == 404
    world.entries()
    return login, {one, two}


def test_an_auditor_sees_what_a_leaver_saw(world, leaver):
    """Case by case, with the days and the parts; for auditors only."""
    login, cases = leaver
    path = f"/v1/ledger/leavers/{world.staff[login]}"
    found = world.get(path, "ada").json()
    assert {one["case_id"] for one in found["cases"]} == cases
    assert found["counts"]["cases"] == 2
    assert found["counts"]["looks"] == 5
    assert found["counts"]["refusals"] == 1
    assert world.entries(actor=world.staff["ada"], code="audit.leaver")
    for other in ("sue", "dora", "cara"):
        assert world.get(path, other).status_code == 403


def test_the_supervisor_gets_the_numbers(world, leaver):
    """Of the own team, after an auditor counted, and no case among them."""
    login, cases = leaver
    path = f"/v1/staff/{world.staff[login]}/seen"
    assert world.get(path, "sue").status_code == 404
    made = world.post(f"/v1/ledger/leavers/{world.staff[login]}/counts", "ada", None)
    assert made.status_code == 201, made.text
    answer = world.get(path, "sue")
    assert answer.json() == made.json()
    assert not [case for case in cases if case in answer.text]
    assert world.get(path, "sid").status_code == 403
    for other in ("cara", "ada", "adi", "dora"):
        assert world.get(path, other).status_code == 403


def test_who_is_in_no_team_has_no_supervisor(world):
    """Then there is nobody to tell."""
    assert world.get(f"/v1/ledger/leavers/{unknown_id()}", "ada").status_code == 404
    answer = world.post(f"/v1/ledger/leavers/{world.staff['dora']}/counts", "ada", None)
    assert answer.status_code == 404
    assert world.post(f"/v1/ledger/leavers/{unknown_id()}/counts", "ada", None).status_code == 404
