"""How long cases are kept, through the interface: holds, schedule, extension, erasure, certificate.

What rolls the keyring or changes the schedule has a world of its own.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest

from casevault.domain.case import casefile
from casevault.domain.case.retention import SHIPPED
from casevault.services.recovery import rolls
from casevault.services.recovery.rolls import Rolls
from casevault.services.retention.retention import Retention
from casevault.store.case import cases
from casevault.store.recovery.media import Medium
from tests.api.copies import a_world
from tests.api.test_consents import a_consent
from tests.api.test_files import added
from tests.api.world import an_identity
from tests.security.interface import CLASS, SCHEDULE


@pytest.fixture(scope="module")
def own(make_databases, tmp_path_factory):
    """Give a world of its own: it is rolled, and gets another schedule."""
    made = a_world(make_databases("sqlite"), Path(tmp_path_factory.mktemp("own")))
    yield made
    made.close()


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch):
    """Nobody reads in these tests while an epoch is destroyed."""
    monkeypatch.setattr(rolls, "READERS_SECONDS", 0)


def job(world):
    """Return the nightly job."""
    vault = world.vault
    return Retention(vault.stores, vault.settings.ledger_origin, vault.checkpoints.sign)


def aged(world, case, days):
    """Let a case have been due for some days, as if it had been counted earlier."""
    stores = world.vault.stores
    with stores.data.writing() as connection:
        found = cases.find_case(connection, stores.roots, UUID(case), lock=True)
        due = stores.clock.now().date() - timedelta(days=days)
        older = casefile.next_version(replace(found, due_identity=due.isoformat()))
        cases.change_case(connection, stores.roots, older)


def opened(world):
    """Open a case whose time runs from its opening; return its id."""
    body = {"identity": an_identity(), "profile": {}, "retention_class": "short"}
    return world.post("/v1/cases", "cara", body).json()["id"]


def decide(world, login, approval, approve=True):
    """Say yes or no."""
    return world.post(f"/v1/approvals/{approval}/decision", login, {"approve": approve})


def waiting(world, login, kind):
    """Return the items of a kind on a worklist."""
    items = world.worklist(login)
    return [(one["case_id"], one["due"], one["overdue"]) for one in items if one["type"] == kind]


def a_hold(world, case, days=20):
    """Set a hold as the DPO."""
    review = world.vault.stores.clock.now().date() + timedelta(days=days)
    body = {"case": case, "reason": "A made-up court", "owner": world.staff["dora"]}
    return world.post("/v1/holds", "dora", {**body, "review": review.isoformat()})


def destructible(world, case):
    """Give a case a file, a link and a refused colleague; return their addresses."""
    other = world.open()
    link = {"case_id": other, "content": {"type": "same_incident"}}
    refusal = {"staff_id": str(world.staff["colin"])}
    made = [
        world.post(f"/v1/cases/{case}/{noun}", "cara", body).json()["id"]
        for noun, body in (("links", link), ("refused-staff", refusal))
    ]
    paths = [
        f"/v1/cases/{case}/{noun}/{one}"
        for noun, one in zip(("links", "refused-staff"), made, strict=True)
    ]
    return [*paths, added(world, case)]


def test_a_hold_keeps_a_case_from_everything(world):
    """From the schedule, an erasure on request, redaction and taking a part away; two end it."""
    case = opened(world)
    note = {"content": {"type": "visit", "date": "2026-11-20", "text": "Blue Street, made up"}}
    row = world.post(f"/v1/cases/{case}/notes", "cara", note)
    parts = destructible(world, case)
    reference = world.get(f"/v1/cases/{case}", "cara").json()["reference"]
    for wrong in ("CV-0000-0000", "nothing"):
        assert a_hold(world, wrong).status_code == 404
    assert a_hold(world, case, days=-1).json()["code"] == "hold.review"
    hold = a_hold(world, reference).json()
    assert world.get(f"/v1/cases/{case}", "cara").json()["hold"] is True
    (seen,) = [o for o in world.get("/v1/holds", "sue").json()["items"] if o["case_id"] == case]
    assert (seen["reason"], seen["signed"], seen["reference"]) == (
        "A made-up court",
        True,
        reference,
    )
    assert world.get("/v1/holds", "sid").json()["items"] == []
    assert (case, hold["review"], False) in waiting(world, "sue", "hold_review")
    aged(world, case, 3)
    assert job(world).run().held >= 1
    assert world.get(f"/v1/cases/{case}/identity", "cara").status_code == 200
    asked = world.post(f"/v1/cases/{case}/erasure", "sue", {"reason": "request"})
    assert (asked.status_code, asked.json()["code"]) == (409, "case.hold")
    redaction = world.post(
        f"/v1/cases/{case}/notes/{row.json()['id']}/redactions",
        "cara",
        {"passage": "Blue", "reason": "made up"},
        headers={"If-Match": row.headers["etag"]},
    )
    assert redaction.json()["code"] == "case.hold"
    for part in parts:
        assert world.call("DELETE", part, "cara").json()["code"] == "case.hold", part
    later = (world.vault.stores.clock.now().date() + timedelta(days=90)).isoformat()
    path = f"/v1/holds/{hold['id']}"
    assert world.post(path + "/review", "dora", {"review": later}).json()["review"] == later
    assert case not in {one for one, *_ in waiting(world, "sue", "hold_review")}
    asked = world.post(path + "/release", "dora", None).json()["id"]
    assert decide(world, "dora", asked).status_code == 403
    assert decide(world, "ada", asked).status_code == 403
    assert decide(world, "sue", asked).status_code == 200
    assert world.get(f"/v1/cases/{case}", "cara").json()["hold"] is False
    for part in parts:
        assert world.call("DELETE", part, "cara").status_code == 204, part
    assert hold["id"] not in world.get("/v1/holds", "dora").text
    assert job(world).run().partly >= 1
    assert world.get(f"/v1/cases/{case}/identity", "cara").status_code == 404


def test_an_erasure_on_request_takes_two_and_is_certified(own, tmp_path):
    """Asked for by a supervisor, carried out by the DPO's word, final after the roll."""
    case, other = own.open("cara"), own.open("cara")
    body = {"reason": "request", "compartments": ["identity"]}
    first = own.post(f"/v1/cases/{case}/erasure", "sue", body).json()["id"]
    assert decide(own, "dora", first, approve=False).status_code == 200
    assert own.get(f"/v1/cases/{case}/identity", "cara").status_code == 200
    first = own.post(f"/v1/cases/{case}/erasure", "sue", body).json()["id"]
    assert decide(own, "sue", first).status_code == 403
    assert decide(own, "dora", first).status_code == 200
    assert own.get(f"/v1/cases/{case}/identity", "cara").status_code == 404
    assert own.get(f"/v1/cases/{case}/profile", "cara").status_code == 200
    assert own.get(f"/v1/cases/{case}", "cara").json()["due"]["identity"] == "erased"
    assert own.post(f"/v1/cases/{case}/erasure", "sue", body).json()["code"] == "case.erased"
    rest = own.post(
        f"/v1/cases/{case}/erasure",
        "sue",
        {"reason": "request", "compartments": ["narrative", "facts"]},
    ).json()["id"]
    assert decide(own, "dora", rest).status_code == 200
    assert own.get(f"/v1/cases/{case}", "cara").status_code == 404
    assert own.get(f"/v1/cases/{other}", "cara").status_code == 200
    assert decide(own, "dora", rest).status_code == 404
    assert own.get("/v1/certificates", "ada").json()["items"] == []
    medium = Medium(tmp_path / "medium", own.vault.stores.roots.keyring_id)
    medium.take()
    Rolls(own.vault.stores, medium, 1).roll(erase_now=True)
    assert job(own).run().certificates == 2
    ids = own.get("/v1/certificates", "ada").json()["items"]
    said = [own.get(f"/v1/certificates/{one}", "dora").json()["certificate"] for one in ids]
    assert sorted(one["compartments"] for one in said) == [["facts", "narrative"], ["identity"]]
    assert {one["reason"] for one in said} == {"request"}
    assert own.get(f"/v1/certificates/{case}", "dora").status_code == 404


def test_a_schedule_is_changed_by_two_after_a_look_at_the_real_cases(own):
    """The DPO sees what it would make due; a supervisor signs exactly it; then cases go by it."""
    case = opened(own)
    (shipped,) = own.get("/v1/retention/schedules", "cara").json()["items"]
    months = {one["name"]: one["identity"] for one in shipped["classes"]}
    assert months["short"] == SHIPPED.classes["short"].identity
    only = {"classes": [{"name": "standard", **CLASS}]}
    assert own.post("/v1/retention/schedules", "dora", only).json()["code"] == (
        "retention.schedule"
    )
    asked = own.post("/v1/retention/schedules", "dora", SCHEDULE).json()
    assert (asked["version"], asked["due_now"]["cases"], asked["due_then"]["cases"]) == (2, 0, 0)
    (shown,) = [
        one
        for one in own.get("/v1/approvals", "sue").json()["items"]
        if one["act"] == "retention.schedule"
    ]
    assert shown["parameters"]["class.short"].startswith("closed identity=60 narrative=84")
    assert decide(own, "dora", asked["approval"]["id"]).status_code == 403
    late = own.post("/v1/retention/schedules", "dora", SCHEDULE).json()["approval"]["id"]
    assert decide(own, "sue", asked["approval"]["id"]).status_code == 200
    assert decide(own, "sue", late).json()["code"] == "retention.changed"
    assert [one["version"] for one in own.get("/v1/retention/schedules", "ada").json()["items"]]
    before = own.get(f"/v1/cases/{case}", "cara").json()["due"]["identity"]
    assert job(own).run().recounted >= 1
    after = own.get(f"/v1/cases/{case}", "cara").json()["due"]["identity"]
    assert int(after[:4]) - int(before[:4]) == 4


def test_people_are_warned_and_can_keep_a_case_longer(world):
    """On the worklist a month before, urgent in the last week; an extension ends the warning."""
    case = opened(world)
    for days, overdue in ((20, False), (3, True)):
        aged(world, case, -days)
        found = {one: urgent for one, _due, urgent in waiting(world, "cara", "erasure")}
        assert found[case] is overdue
    path = f"/v1/cases/{case}/extension"
    body = {"months": 3, "reason": "A made-up appeal"}
    assert world.post(path, "cara", body).status_code == 404
    assert world.post(path, "sue", {**body, "months": 100}).json()["code"] == "retention.extension"
    due = world.post(path, "sue", body).json()["due"]
    assert due["identity"] > world.vault.stores.clock.now().date().isoformat()
    assert case not in {one for one, *_ in waiting(world, "cara", "erasure")}


def test_a_withdrawn_consent_makes_a_case_due(world):
    """Whoever withdraws hears of it; a new consent ends it."""
    case = world.open("cara")
    at = f"/v1/cases/{case}/consents"
    content = a_consent(world, purpose="case_management")
    given = world.post(at, "cara", {"content": content}).json()["id"]
    before = world.get(f"/v1/cases/{case}", "cara").json()["due"]
    gone = world.post(f"{at}/{given}/withdrawal", "cara", {}).json()
    assert {"what": "erased-soon", "about": None} in gone["followed"]
    due = world.get(f"/v1/cases/{case}", "cara").json()["due"]
    assert len(set(due.values())) == 1
    assert due["identity"] < before["identity"]
    assert world.post(at, "cara", {"content": content}).status_code == 201
    assert world.get(f"/v1/cases/{case}", "cara").json()["due"] == before
