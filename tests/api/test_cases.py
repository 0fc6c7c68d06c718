"""One case through the interface: opened, listed, read, amended, assigned, explained, audited."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from tests.api.world import an_identity


def test_a_case_is_opened_and_read_back(world):
    """201 with Location and ETag; the same words come back to the person who typed them."""
    body = {"identity": an_identity("Odo Openedcase-Madeup"), "profile": {"risk_level": None}}
    answer = world.post("/v1/cases", "cara", body)
    assert answer.status_code == 201
    assert answer.headers["etag"] == '"v1"'
    location = answer.headers["location"]
    read = world.get(f"{location}/identity", "cara")
    assert read.json()["name_to_use"] == "Odo Openedcase-Madeup"
    assert world.get(location, "cara").json()["reference"] == answer.json()["reference"]


def test_unknown_and_foreign_cases_look_the_same(world):
    """Same status, same body except the request id; both refusals are on the ledger."""
    paths = ["", "/identity", "/profile", "/access", "/grants"]
    for path in paths:
        bodies = []
        for case in (world.case, str(uuid4())):
            answer = world.get(f"/v1/cases/{case}{path}", "stra")
            assert answer.status_code == 404
            bodies.append({k: v for k, v in answer.json().items() if k != "instance"})
        assert bodies[0] == bodies[1]
    denied = world.entries(case=world.case, code="authz.deny")
    assert {entry["rule"] for entry in denied} >= {"deny:no-grant"}


def test_a_refused_change_answers_at_once(world):
    """Without a key a change is a 404, quickly, and nothing changes."""
    tag = world.get(f"/v1/cases/{world.case}/identity", "cara").headers["etag"]
    began = datetime.now(UTC)
    answer = world.put(f"/v1/cases/{world.case}/identity", "stra", an_identity(), tag)
    assert answer.status_code == 404
    assert datetime.now(UTC) - began < timedelta(seconds=5)
    assert world.get(f"/v1/cases/{world.case}/identity", "cara").headers["etag"] == tag


def test_a_change_needs_the_version_that_was_read(world):
    """428 without If-Match, 412 with another, 204 with the right one."""
    case = world.open()
    path = f"/v1/cases/{case}/identity"
    changed = an_identity("Newname Madeup")
    assert world.put(path, "cara", changed, None).status_code == 428
    for wrong in ('"v7"', "v1", "*", '"x"'):
        assert world.put(path, "cara", changed, wrong).status_code == 412
    answer = world.put(path, "cara", changed, '"v1"')
    assert (answer.status_code, answer.headers["etag"]) == (204, '"v2"')
    assert world.put(path, "cara", changed, '"v1"').status_code == 412
    assert world.get(path, "cara").json()["name_to_use"] == "Newname Madeup"


def test_a_repeated_post_creates_once(world):
    """The same Idempotency-Key gives the same case; with another body it is refused."""
    headers = {"Idempotency-Key": uuid4().hex}
    body = {"identity": an_identity()}
    first = world.post("/v1/cases", "cara", body, headers=headers)
    again = world.post("/v1/cases", "cara", body, headers=headers)
    assert first.json()["id"] == again.json()["id"]
    other = world.post("/v1/cases", "cara", {"identity": an_identity("B C")}, headers=headers)
    assert (other.status_code, other.json()["code"]) == (409, "idempotency.reused")
    # Keys of two people are two keys.
    assert (
        world.post("/v1/cases", "colin", body, headers=headers).json()["id"] != first.json()["id"]
    )


def test_a_caseload_is_paged_without_a_total(world):
    """25 at a time, each case once; a cursor that was changed or lent is refused."""
    login = world.person()
    made = {world.open(login) for _ in range(27)}
    first = world.get("/v1/cases", login).json()
    second = world.get("/v1/cases", login, params={"cursor": first["cursor"]}).json()
    assert (len(first["items"]), len(second["items"]), second["cursor"]) == (25, 2, None)
    assert {item["id"] for item in first["items"] + second["items"]} == made
    assert all(item["display_name"] for item in first["items"])
    letter = "B" if first["cursor"][20] == "A" else "A"
    changed = first["cursor"][:20] + letter + first["cursor"][21:]
    for by, cursor in ((login, changed), ("colin", first["cursor"]), (login, "x")):
        answer = world.get("/v1/cases", by, params={"cursor": cursor})
        assert (answer.status_code, answer.json()["code"]) == (422, "cursor")


def test_assigning_is_granting(world):
    """The colleague reads exactly what was granted; until then, and others, nothing."""
    case = world.open()
    assert world.get(f"/v1/cases/{case}/profile", "colin").status_code == 404
    assert world.assign(case, "colin", compartments=["narrative"]).status_code == 204
    assert world.get(f"/v1/cases/{case}/profile", "colin").status_code == 200
    assert world.get(f"/v1/cases/{case}/identity", "colin").status_code == 404
    access = world.get(f"/v1/cases/{case}/access", "colin").json()["items"]
    assert {item["compartment"]: item["rule"] for item in access} == {
        "facts": "deny:no-grant",
        "identity": "deny:no-grant",
        "narrative": "permit:own-grant",
    }
    holders = world.get(f"/v1/cases/{case}/grants", "sue").json()["items"]
    # Whether the team has anybody on call is another test's business.
    kinds = sorted(one["kind"] for one in holders if one["kind"] != "duty")
    assert kinds == ["counting", "oversight", "recovery", "staff", "staff"]


def test_assigning_twice_is_assigning_once(world):
    """The second grant stands in place of the first: there are as many, and one for the person."""

    def holders():
        items = world.get(f"/v1/cases/{case}/grants", "sue").json()["items"]
        return sorted((one["principal"], one["kind"], *one["compartments"]) for one in items)

    case = world.open()
    assert world.assign(case, "colin").status_code == 204
    once = holders()
    assert [one[0] for one in once].count(world.staff["colin"]) == 1
    assert world.assign(case, "colin").status_code == 204
    assert holders() == once


@pytest.mark.parametrize("login", ["sofia", "uma", "dora", "adi"])
def test_a_case_is_not_assigned_outside_its_team(world, login):
    """Other team, unvouched, other role: refused."""
    answer = world.assign(world.open(), login)
    assert (answer.status_code, answer.json()["code"]) == (403, "assign.team")


@pytest.mark.parametrize("login", ["cara", "sid", "stra", "dora", "ada", "adi"])
def test_only_the_teams_supervisor_assigns(world, login):
    """Nobody else gives keys away."""
    assert world.assign(world.case, "stra", by=login).status_code in (403, 404)
    assert world.get(f"/v1/cases/{world.case}/identity", "stra").status_code == 404


def test_a_grant_ends_at_its_moment(world):
    """An assignment with an end opens nothing afterwards."""
    case = world.open()
    until = datetime.now(UTC) + timedelta(minutes=5)
    assert world.assign(case, "stra", expires_at=until.isoformat()).status_code == 204
    assert world.get(f"/v1/cases/{case}/identity", "stra").status_code == 200
    with world.later(minutes=6):
        assert world.get(f"/v1/cases/{case}/identity", "stra").status_code == 404


def test_the_auditor_sees_who_did_what_and_no_content(world):
    """Opening, reading and refusals, with names of fields and never a value."""
    case = world.open("cara", an_identity("Auda Auditedcase-Madeup"))
    world.get(f"/v1/cases/{case}/identity", "cara")
    world.get(f"/v1/cases/{case}/identity", "stra")
    entries = world.entries(case=case)
    assert [(e["code"], e["actor_id"]) for e in entries[::-1]] == [
        ("case.open", world.staff["cara"]),
        ("case.read", world.staff["cara"]),
        ("authz.deny", world.staff["stra"]),
    ]
    assert "identity.name_to_use" in entries[1]["fields"]
    assert "Auditedcase" not in str(entries)
    assert world.entries(case=case)[0]["code"] == "audit.query"
    for login in ("cara", "sue", "dora", "adi", "uma"):
        assert world.get("/v1/ledger/entries", login).status_code == 403


def test_bad_bodies_are_refused_without_echo(world):
    """Never a 5xx, never the input, nothing stored."""
    secret = "Echo-Madeup-31337"
    bodies = [
        b'{"identity": {"name_to_use": NaN}}',
        b'{"identity": {"name_to_use": "x", "age": 1e999}}',
        b'{"identity": {"name_to_use": "\\ud800 ' + secret.encode() + b'"}}',
        b'{"identity": {"name_to_use": "a", "name_to_use": "b"}}',
        b"\xef\xbb\xbf{}",
        b"[" * 1000 + b"]" * 1000,
        b'{"identity": {"' + secret.encode() + b'": 1}}',
        b'{"' + secret.encode() + b'": 1, "identity": {"name_to_use": "x"}}',
        b'{"identity": "' + secret.encode() + b'"}',
        b'{"identity": {"name_to_use": {"x": "' + secret.encode() + b'"}}}',
        b'{"identity": {"name_to_use": "x"}, "team": "' + secret.encode() + b'"}',
        b'{"identity": {"name_to_use": "x\\u0000"}}',
        b'{"identity": {"name_to_use": "x", "age": 1' + b"0" * 5000 + b"}}",
        b"\xff\xfe",
        b"",
        b"null",
        b"7",
        b'{"identity": {"name_to_use": "' + b"x" * (1 << 20) + b'"}}',
    ]
    headers = {
        "Authorization": f"Bearer {world.token('cara')}",
        "Content-Type": "application/json",
    }
    for body in bodies:
        answer = world.client.post("/v1/cases", content=body, headers=headers)
        assert 400 <= answer.status_code < 500, body[:60]
        assert answer.headers["content-type"] == "application/problem+json"
        assert secret not in answer.text
        assert answer.headers["cache-control"] == "no-store"
    answer = world.client.post("/v1/cases", content=b"x", headers={"Content-Type": "text/plain"})
    assert answer.status_code == 415


def test_revoking_takes_the_case_away(world):
    """From that moment it is like an unknown case to them; to others nothing changed."""
    case = world.open()
    assert world.assign(case, "colin").status_code == 204
    etag = world.get(f"/v1/cases/{case}/identity", "cara").headers["ETag"]
    answer = world.call("DELETE", f"/v1/cases/{case}/grants/{world.staff['colin']}", "sue")
    assert (answer.status_code, answer.json()) == (200, {"still_opens_through": []})
    assert world.get(f"/v1/cases/{case}/identity", "colin").status_code == 404
    again = world.get(f"/v1/cases/{case}/identity", "cara")
    assert (again.status_code, again.headers["ETag"]) == (200, etag)
    holders = world.get(f"/v1/cases/{case}/grants", "sue").json()["items"]
    assert world.staff["colin"] not in {one["principal"] for one in holders}


def test_revoking_what_is_not_there(world):
    """Nobody's grant is a 404 of its own; only the team's supervisor revokes."""
    case = world.open()
    path = f"/v1/cases/{case}/grants/{world.staff['colin']}"
    answer = world.call("DELETE", path, "sue")
    assert (answer.status_code, answer.json()["code"]) == (404, "grant")
    assert world.call("DELETE", path, "cara").status_code == 404
    assert world.call("DELETE", path, "sid").status_code == 404
