"""Worklist and workload: what waits, without a word of it, and one bad case costs no other."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from sqlalchemy import delete, insert, select, update

from casevault.domain.case import casefile
from casevault.domain.staff.granting import PrincipalKind
from casevault.services.casework import worklist
from casevault.store.case import cases
from casevault.store.engine import keyring_tables, tables
from casevault.store.keys import principals
from tests.api.world import SOUTH, an_identity

TEXT = "Obviously made-up hearing in Blue Street"


def day(offset):
    """Return a date so many days from today."""
    return (datetime.now(UTC).date() + timedelta(days=offset)).isoformat()


def task(world, case, by, due, assignee=None, **more):
    """Add a task; return its id."""
    body = {"content": {"type": "hearing", "due": due, "text": TEXT, **more}}
    if assignee is not None:
        body["assignee"] = world.staff[assignee]
    answer = world.post(f"/v1/cases/{case}/tasks", by, body)
    assert answer.status_code == 201, answer.text
    return answer.json()["id"]


def items(world, by):
    """Return everything on somebody's worklist, page by page."""
    found, cursor = [], None
    while True:
        params = {} if cursor is None else {"cursor": cursor}
        answer = world.get("/v1/worklist", by, params=params)
        assert answer.status_code == 200, answer.text
        found += answer.json()["items"]
        cursor = answer.json()["cursor"]
        if cursor is None:
            return found


@contextmanager
def tampered(world, table, where, **values):
    """Change a row by hand, and put it back."""
    store = world.vault.stores.data
    with store.writing() as connection:
        before = dict(connection.execute(select(table).where(where)).mappings().one())
        connection.execute(update(table).where(where).values(**values))
    try:
        yield
    finally:
        with store.writing() as connection:
            connection.execute(update(table).where(where).values(**before))


def manifest_of(case, compartment):
    """Return the condition that finds a manifest."""
    return (tables.manifest.c.case_id == UUID(case)) & (
        tables.manifest.c.compartment == compartment
    )


def test_own_open_tasks_are_listed_overdue_first(world):
    """Mine and not done; of a task its date and where it stands, and not a word of it."""
    me, other = world.person(), world.person()
    case, second = world.open(me), world.open(me)
    later = task(world, case, me, day(20))
    late = task(world, second, me, day(-3))
    task(world, case, me, day(1), done=day(0))
    task(world, case, me, day(1), assignee=other)
    found = items(world, me)
    assert [(one["record_id"], one["overdue"]) for one in found] == [(late, True), (later, False)]
    assert {one["type"] for one in found} == {"task"}
    assert found[1]["case_id"] == case
    assert found[1]["reference"] == world.get(f"/v1/cases/{case}", me).json()["reference"]
    keys = {"type", "case_id", "reference", "due", "overdue", "record_id", "returned"}
    assert set(found[0]) == keys
    text = world.get("/v1/worklist", me).text
    assert "Blue Street" not in text
    assert "hearing" not in text
    (entry, *_) = world.entries(actor=world.staff[me], code="worklist.read")
    assert (entry["outcome"], entry["count"]) == (0, 2)
    assert "worklist.read" in {one["code"] for one in world.entries(case=case)}


def changed_row(world, case, **values):
    """Change the plain row of a case, as the service would."""
    stores = world.vault.stores
    with stores.data.writing() as connection:
        found = cases.find_case(connection, stores.roots, UUID(case))
        changed = replace(casefile.next_version(found), **values)
        cases.change_case(connection, stores.roots, changed)


def test_a_review_is_due_in_its_month_and_then_overdue(world):
    """For those who hold the case in their own name."""
    me = world.person()
    case = world.open(me)
    assert items(world, me) == []
    today = datetime.now(UTC).date()
    end_of_month = (today.replace(day=28) + timedelta(days=4)).replace(day=1) - timedelta(days=1)
    for due, overdue in ((end_of_month.isoformat(), False), (day(-1), True)):
        changed_row(world, case, next_review=due)
        (item,) = items(world, me)
        assert (item["type"], item["case_id"], item["due"]) == ("review", case, due)
        assert item["overdue"] is overdue
    assert case not in {one["case_id"] for one in items(world, "sue")}


def test_a_case_that_needs_new_keys_is_listed(world):
    """For everybody who holds it: whoever writes next will give it some."""
    me = world.person()
    case = world.open(me)
    changed_row(world, case, rekey_due=True)
    for login in (me, "sue"):
        found = [one for one in items(world, login) if one["case_id"] == case]
        assert [(one["type"], one["due"]) for one in found] == [("rekey", None)]


def test_closings_wait_for_a_supervisor_who_did_not_ask(world):
    """Neither for the caseworker nor for whoever asked; gone when it is decided."""
    me = world.person()
    case = world.open(me)
    wish = {"content": {"to": "Closed", "reason": "made-up end"}}
    asked = world.post(f"/v1/cases/{case}/transitions", me, wish).json()["id"]
    own = world.open("sue")
    world.post(f"/v1/cases/{own}/transitions", "sue", wish)
    closings = [one for one in items(world, "sue") if one["type"] == "closing"]
    assert [one["record_id"] for one in closings if one["case_id"] == case] == [asked]
    assert own not in {one["case_id"] for one in closings}
    assert items(world, me) == []
    decision = f"/v1/cases/{case}/transitions/{asked}/decision"
    assert world.post(decision, "sue", {"approve": False}).status_code == 200
    assert asked not in {one["record_id"] for one in items(world, "sue")}


def test_a_caseload_of_ordinary_size_waits_on_one_page(world):
    """More cases than a list shows, and the most urgent task of all of them comes first."""
    me = world.person()
    new = [{"identity": an_identity(f"Person {n} Madeup")} for n in range(27)]
    opened = world.post("/v1/cases/batch", me, {"cases": new}).json()["items"]
    made = [task(world, opened[n]["id"], me, day(-n)) for n in (0, 13, 26)]
    answer = world.get("/v1/worklist", me).json()
    assert answer["cursor"] is None
    assert [one["record_id"] for one in answer["items"]] == made[::-1]


def test_the_worklist_goes_through_the_caseload_by_pages(world, monkeypatch):
    """So many cases at a time, each task once; a cursor serves only its list and its owner."""
    monkeypatch.setattr(worklist, "CASES", 2)
    me = world.person()
    opened = [world.open(me) for _ in range(5)]
    made = {task(world, opened[n], me, day(n)) for n in (0, 2, 4)}
    first = world.get("/v1/worklist", me).json()
    assert first["cursor"] is not None
    assert {one["record_id"] for one in items(world, me)} == made
    params = {"cursor": first["cursor"]}
    for path, by in (("/v1/worklist", "cara"), ("/v1/cases", me)):
        assert world.get(path, by, params=params).json()["code"] == "cursor"


@pytest.mark.parametrize("what", ["row", "manifest"])
def test_one_bad_case_costs_no_other(world, what):
    """It is named as unreadable in worklist and caseload, with an alarm; the rest is there."""
    me = world.person()
    bad, good = world.open(me), world.open(me)
    wanted = task(world, good, me, day(2))
    reference = world.get(f"/v1/cases/{bad}", me).json()["reference"]
    broken = {
        "row": (tables.case_file, tables.case_file.c.id == UUID(bad), {"hold": True}),
        "manifest": (
            tables.manifest,
            manifest_of(bad, "narrative"),
            {"sealed": b"CV\x01\x01" * 89},
        ),
    }[what]
    with tampered(world, broken[0], broken[1], **broken[2]):
        alarm, item = items(world, me)
        assert (alarm["type"], alarm["case_id"]) == ("unreadable", bad)
        # Of a row whose stamp does not hold nothing is repeated.
        assert alarm["reference"] == (None if what == "row" else reference)
        assert item["record_id"] == wanted
    failed = world.entries(case=bad, code="worklist.read", outcome="8")
    assert [entry["rule"] for entry in failed] == ["failed:tampered"]
    assert len(items(world, me)) == 1


@pytest.mark.parametrize("compartment", [None, "identity"])
def test_one_bad_case_is_named_in_the_caseload(world, compartment):
    """The other cases of the page are listed as ever."""
    me = world.person()
    bad, good = world.open(me), world.open(me)
    broken = (
        (tables.case_file, tables.case_file.c.id == UUID(bad), {"status": "Closed"})
        if compartment is None
        else (tables.manifest, manifest_of(bad, compartment), {"sealed": b"CV\x01\x01" * 89})
    )
    with tampered(world, broken[0], broken[1], **broken[2]):
        page = world.get("/v1/cases", me).json()
        assert [one["id"] for one in page["items"]] == [good]
        assert page["unreadable"] == [bad]
    failed = world.entries(case=bad, code="case.list", outcome="8")
    assert [entry["rule"] for entry in failed] == ["failed:tampered"]
    assert world.get("/v1/cases", me).json()["unreadable"] == []


def load_of(world, by, login):
    """Return whether a team's numbers are complete, and those of one colleague."""
    answer = world.get("/v1/workload", by)
    assert answer.status_code == 200, answer.text
    (team,) = answer.json()["items"]
    (load,) = [one for one in team["colleagues"] if one["staff_id"] == world.staff[login]]
    return team["complete"], {name: n for name, n in load.items() if name != "staff_id"}


@contextmanager
def without_oversight(world, case, team):
    """Take the team's oversight off a case by hand, and give it back."""
    keyring, grant = world.vault.stores.keyring, keyring_tables.grant
    with keyring.reading() as tx:
        (group,) = principals.groups(tx, PrincipalKind.OVERSIGHT, UUID(world.team(team)))
    where = (grant.c.object_id == UUID(case)) & (grant.c.grantee_id == group.id)
    with keyring.database.writing() as connection:
        before = dict(connection.execute(select(grant).where(where)).mappings().one())
        connection.execute(delete(grant).where(where))
    try:
        yield
    finally:
        with keyring.database.writing() as connection:
            connection.execute(insert(grant).values(**before))


def test_a_supervisor_sees_numbers_of_cases_that_they_can_open(world):
    """Open cases, open and overdue tasks, due reviews; what they cannot open is not counted."""
    me = world.person(team=SOUTH, by="sid")
    one, two, closed = (world.open(me) for _ in range(3))
    wish = {"content": {"to": "Closed", "reason": "made-up end"}}
    asked = world.post(f"/v1/cases/{closed}/transitions", me, wish).json()["id"]
    decision = f"/v1/cases/{closed}/transitions/{asked}/decision"
    assert world.post(decision, "sid", {"approve": True}).status_code == 200
    task(world, one, me, day(3))
    task(world, two, me, day(-1))
    task(world, two, me, day(-1), done=day(0))
    task(world, closed, me, day(-1))
    numbers = {"active_cases": 2, "open_tasks": 2, "overdue_tasks": 1, "due_reviews": 0}
    # Others of this world may be on their way to another team: then they are not counted.
    complete, found = load_of(world, "sid", me)
    assert found == numbers
    with without_oversight(world, two, SOUTH):
        fewer = {"active_cases": 1, "open_tasks": 1, "overdue_tasks": 0, "due_reviews": 0}
        assert load_of(world, "sid", me) == (False, fewer)
    with tampered(world, tables.manifest, manifest_of(two, "narrative"), sealed=b"CV\x01\x01" * 89):
        assert load_of(world, "sid", me) == (False, fewer)
    assert load_of(world, "sid", me) == (complete, numbers)
    assert "workload.read" in {entry["code"] for entry in world.entries(case=one)}
    text = world.get("/v1/workload", "sid").text
    assert one not in text
    assert "Madeup" not in text


def test_only_supervisors_see_the_workload(world):
    """Not even caseworkers of the team."""
    assert world.get("/v1/workload", "cara").json()["code"] == "refused.role"
    assert world.get("/v1/worklist", "ada").json()["code"] == "refused.role"


def test_a_review_that_was_done_leaves_the_worklist(world):
    """It comes back with the next one."""
    me = world.person()
    case = world.open(me)
    changed_row(world, case, next_review=day(-1))
    assert [item["type"] for item in items(world, me)] == ["review"]
    done = world.call("POST", f"/v1/cases/{case}/review", me)
    assert done.status_code == 200
    read = world.get(f"/v1/cases/{case}", me).json()
    assert day(60) < done.json()["next_review"] == read["next_review"]
    assert items(world, me) == []
