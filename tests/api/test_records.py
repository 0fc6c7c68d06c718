"""Daily work on a case through the interface: notes, services, tasks, links, refusals, status."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from casevault.matching import noticing
from casevault.store.casework import advising
from tests.api.world import an_identity, unknown_id

NOTE = {"type": "visit", "date": "2026-11-20", "text": "Obviously made-up talk about Blue Street."}
SERVICE = {
    "type": "safehouse",
    "outcome": "provided",
    "date": "2026-11-21",
    "text": "A made-up bed",
}
TASK = {"type": "hearing", "due": "2026-12-01", "text": "Made-up hearing"}
OF_KIND = {"notes": NOTE, "services": SERVICE, "tasks": TASK}


def added(world, case, kind="notes", by="cara", **changes: Any):
    """Add a record; return its address."""
    body = {"content": {**OF_KIND[kind], **changes}}
    answer = world.post(f"/v1/cases/{case}/{kind}", by, body)
    assert answer.status_code == 201, answer.text
    return answer.headers["location"]


@pytest.mark.parametrize("kind", OF_KIND)
def test_a_record_is_written_read_and_listed(world, kind):
    """What was typed comes back, with its author; the entry names record and fields."""
    case = world.open()
    at = added(world, case, kind)
    read = world.get(at, "cara")
    assert read.json()["content"] == OF_KIND[kind]
    assert read.headers["etag"] == '"v1"'
    listed = world.get(f"/v1/cases/{case}/{kind}", "cara").json()
    assert [item["id"] for item in listed["items"]] == [at.rsplit("/", 1)[1]]
    codes = {entry["code"] for entry in world.entries(case=case)}
    assert {f"{kind[:-1]}.add", f"{kind[:-1]}.read", f"{kind[:-1]}.list"} <= codes


def test_a_note_is_corrected_with_a_reason_and_keeps_its_history(world):
    """No reason, no correction; the version that was read must still hold."""
    at = added(world, world.open())
    body = {"content": {**NOTE, "text": "Made-up talk about Green Street."}}
    assert world.put(at, "cara", body, '"v1"').json()["code"] == "record.reason"
    body["reason"] = "wrong street"
    assert world.put(at, "cara", body, '"v1"').status_code == 200
    assert world.put(at, "cara", body, '"v1"').status_code == 412
    versions = world.get(at, "cara").json()["versions"]
    assert [v["content"]["text"] for v in versions] == [NOTE["text"], body["content"]["text"]]
    assert versions[1]["reason"] == "wrong street"


def test_a_redaction_takes_a_passage_out_of_every_version(world):
    """The passage is gone from the answer; a trace says who, when and why."""
    at = added(world, world.open())
    body = {"content": {**NOTE, "text": "Blue Street again"}, "reason": "more"}
    assert world.put(at, "cara", body, '"v1"').status_code == 200
    wish = {"passage": "Blue Street", "reason": "tells where"}
    headers = {"If-Match": '"v2"'}
    assert world.post(at + "/redactions", "cara", wish, headers=headers).status_code == 204
    read = world.get(at, "cara")
    assert "Blue Street" not in read.text
    assert read.json()["redactions"][0]["reason"] == "tells where"
    headers = {"If-Match": '"v3"'}
    again = world.post(at + "/redactions", "cara", wish, headers=headers)
    assert again.json()["code"] == "redaction.absent"
    assert "Blue Street" not in again.text


def test_a_note_comes_back_with_places_that_tell_who_somebody_is(world):
    """Places and kinds, own by the identity; never the words, and nothing of it in the way."""
    case = world.open("cara", {"name_to_use": "Zaziwe Testperson", "phones": ["+15550100199"]})
    text = "  Zazive met Karim Madeup,\r\nphone 001 555 010 0199."
    body = {"content": {**NOTE, "text": text}}
    made = world.post(f"/v1/cases/{case}/notes", "cara", body)
    advice = made.json()["advice"]
    kept = world.get(made.headers["location"], "cara").json()["content"]["text"]
    places = [(kept[one["start"] : one["end"]], one["sign"], one["own"]) for one in advice["items"]]
    assert advice["state"] == "checked"
    assert places == [
        ("Zazive", "name", True),
        ("Karim Madeup", "name", False),
        ("001 555 010 0199", "phone", True),
    ]
    assert "Karim" not in made.text
    body = {"content": {**NOTE, "text": "Made-up: sleeps better."}, "reason": "names nobody"}
    changed = world.put(made.headers["location"], "cara", body, '"v1"')
    assert changed.json()["advice"] == {"state": "checked", "items": []}
    entries = [one for one in world.entries(case=case) if one["code"].startswith("note.a")]
    assert ["identity.names" in one["fields"] for one in entries] == [True] * 2


def test_who_holds_no_identity_learns_none_from_advice(world):
    """A colleague with the narrative alone: a guessed name is a name, nobody's in particular."""
    case = world.open("cara", {"name_to_use": "Karim Testperson"})
    assert world.assign(case, "colin", compartments=["narrative"]).status_code == 204
    at = f"/v1/cases/{case}/notes"
    for name in ("Karim", "Dawit"):
        body = {"content": {**NOTE, "text": f"Is it {name}?"}}
        (item,) = world.post(at, "colin", body).json()["advice"]["items"]
        assert (item["sign"], item["own"]) == ("name", False)
    (last, *_) = [one for one in world.entries(case=case) if one["code"] == "note.add"]
    assert "identity.names" not in last["fields"]


def test_advice_that_fails_costs_nobody_their_note(world, monkeypatch):
    """An error in it or a text that takes too long: not checked, and the note is there."""
    case, at = world.open(), "/v1/cases/{}/notes"

    def fail(*_args, **_kwargs):
        raise RuntimeError("Zaziwe")

    for place, name, value in ((noticing, "names_in", fail), (advising, "MOST_SECONDS", -1.0)):
        with monkeypatch.context() as patch:
            patch.setattr(place, name, value)
            body = {"content": {**NOTE, "text": "Zaziwe came"}}
            made = world.post(at.format(case), "cara", body)
        assert made.status_code == 201
        assert made.json()["advice"] == {"state": "not_checked", "items": []}
        assert world.get(made.headers["location"], "cara").json()["content"]["text"]


def test_a_service_becomes_a_coded_fact(world):
    """Counts see type, outcome and date; never the text, and nothing that ties to the note."""
    case = world.open()
    at = added(world, case, "services")
    facts = world.get(f"/v1/cases/{case}/facts", "cara").json()
    # Whether it is late depends on the day of the test.
    late = facts["services"][0].get("counted_on")
    coded = {
        **({"counted_on": late} if late else {}),
        "type": "safehouse",
        "outcome": "provided",
        "date": "2026-11-21",
    }
    assert facts["services"] == [coded]
    body = {"content": {**SERVICE, "outcome": "unavailable"}}
    assert world.put(at, "cara", body, '"v1"').status_code == 200
    facts = world.get(f"/v1/cases/{case}/facts", "cara").json()
    assert facts["services"] == [{**coded, "outcome": "unavailable"}]
    assert "pid" not in facts
    assert "A bed" not in str(facts)


def test_facts_are_taken_over_and_amended(world):
    """Identity and profile fill them; what the service writes itself cannot be sent."""
    body = {
        "identity": an_identity(gender="Feminine", age=16, citizenships=["MD"]),
        "profile": {"history": [{"type": "Exploitation", "country": "IT"}]},
    }
    case = world.post("/v1/cases", "cara", body).json()["id"]
    path = f"/v1/cases/{case}/facts"
    read = world.get(path, "cara")
    facts = read.json()
    assert (facts["gender"], facts["age_band"], facts["countries"]) == (
        "Feminine",
        "under_18",
        ["IT"],
    )
    changed = {"gender": "Feminine", "context": ["conflict"], "legal_status": "applied"}
    assert world.put(path, "cara", changed, read.headers["etag"]).status_code == 204
    assert world.get(path, "cara").json() == changed
    refused = world.put(path, "cara", {"pid": "0" * 32}, '"v2"')
    assert refused.json()["errors"] == [{"pointer": "/pid", "code": "field.read-only"}]


def test_a_task_belongs_to_somebody_and_is_done(world):
    """The assignee is the author unless another is named; done needs no reason."""
    case = world.open()
    at = added(world, case, "tasks")
    me = world.get("/v1/me", "cara").json()["id"]
    assert world.get(at, "cara").json()["about"] == me
    body = {"content": {**TASK, "done": "2026-11-30"}}
    assert world.put(at, "cara", body, '"v1"').status_code == 200
    assert world.get(at, "cara").json()["content"]["done"] == "2026-11-30"


def test_the_timeline_is_paged_by_date(world):
    """Everything in one list, newest first, 25 at a time, each once, never a total."""
    case = world.open()
    for day in range(1, 29):
        added(world, case, date=f"2026-10-{day:02}")
    added(world, case, "services")
    page = world.get(f"/v1/cases/{case}/timeline", "cara").json()
    assert len(page["items"]) == 25
    assert page["items"][0]["record_type"] == "service"
    rest = world.get(f"/v1/cases/{case}/timeline?cursor={page['cursor']}", "cara").json()
    items = page["items"] + rest["items"]
    assert len({item["id"] for item in items}) == len(items) == 29
    dates = [item["date"] for item in items]
    assert dates == sorted(dates, reverse=True)
    assert rest["cursor"] is None
    other = world.open()
    stolen = world.get(f"/v1/cases/{other}/timeline?cursor={page['cursor']}", "cara")
    assert stolen.json()["code"] == "cursor"


def test_a_record_of_another_case_is_not_found(world):
    """A nested id is resolved through its parent, and through its kind."""
    mine, other = world.open(), world.open()
    note = added(world, other).rsplit("/", 1)[1]
    assert world.get(f"/v1/cases/{mine}/notes/{note}", "cara").status_code == 404
    assert world.get(f"/v1/cases/{other}/services/{note}", "cara").status_code == 404
    body = {"content": NOTE, "reason": "x"}
    assert world.put(f"/v1/cases/{mine}/notes/{note}", "cara", body, '"v1"').status_code == 404
    assert world.get(f"/v1/cases/{mine}/notes/{uuid4()}", "cara").status_code == 404


def test_a_stranger_finds_no_record(world):
    """Somebody of the team without a grant gets the answer for a case that does not exist."""
    case = world.open()
    at = added(world, case)
    assert world.get(at, "stra").status_code == 404
    assert world.post(f"/v1/cases/{case}/notes", "stra", {"content": NOTE}).status_code == 404


def test_a_repeated_note_is_one_note(world):
    """The same Idempotency-Key gives the same id; another body under it is refused."""
    case = world.open()
    key = {"Idempotency-Key": uuid4().hex}
    path, body = f"/v1/cases/{case}/notes", {"content": NOTE}
    first, second = (world.post(path, "cara", body, headers=key) for _ in range(2))
    assert first.json() == second.json()
    assert len(world.get(path, "cara").json()["items"]) == 1
    changed = {"content": {**NOTE, "text": "something else"}}
    assert world.post(path, "cara", changed, headers=key).json()["code"] == "idempotency.reused"


def test_links_show_in_both_cases_and_can_be_taken_back(world):
    """The other side of a dependant is a guardian; contradictions and doubles are refused."""
    one, two = world.open(), world.open()
    path = f"/v1/cases/{one}/links"
    made = world.post(path, "cara", {"case_id": two, "content": {"type": "dependant"}})
    assert made.status_code == 201, made.text
    there = world.get(f"/v1/cases/{two}/links", "cara").json()["items"]
    assert [(link["about"], link["content"]["type"]) for link in there] == [(one, "guardian")]
    again = world.post(path, "cara", {"case_id": two, "content": {"type": "dependant"}})
    assert again.json()["code"] == "link.exists"
    same = {"case_id": two, "content": {"type": "same_person"}}
    assert world.post(path, "cara", same).status_code == 201
    denied = {"case_id": two, "content": {"type": "not_same_person"}}
    assert world.post(path, "cara", denied).json()["code"] == "link.contradiction"
    itself = {"case_id": one, "content": {"type": "family"}}
    assert world.post(path, "cara", itself).json()["code"] == "link.itself"
    gone = world.call("DELETE", f"{path}/{made.json()['id']}", "cara")
    assert gone.status_code == 204
    left = world.get(f"/v1/cases/{two}/links", "cara").json()["items"]
    assert [link["content"]["type"] for link in left] == ["same_person"]


def test_a_link_needs_both_cases(world):
    """A case that is not mine cannot be linked, and looks like one that does not exist."""
    mine, foreign = world.open(), world.open(by="sofia")
    for other in (foreign, str(uuid4())):
        body = {"case_id": other, "content": {"type": "family"}}
        assert world.post(f"/v1/cases/{mine}/links", "cara", body).status_code == 404


def test_a_refused_person_cannot_be_assigned(world):
    """The survivor's word holds until it is taken back."""
    case = world.open()
    colin = world.get("/v1/me", "colin").json()["id"]
    path = f"/v1/cases/{case}/refused-staff"
    body = {"staff_id": colin, "content": {"reason": "made-up reason"}}
    assert world.post(path, "cara", body).status_code == 201
    assert world.assign(case, "colin").json()["code"] == "assign.refused-staff"
    (refusal,) = world.get(path, "cara").json()["items"]
    assert (refusal["staff_id"], refusal["holds_keys"]) == (colin, False)
    assert world.call("DELETE", f"{path}/{refusal['id']}", "cara").status_code == 204
    assert world.assign(case, "colin").status_code == 204


def test_status_follows_the_table_and_closing_waits_for_a_supervisor(world):
    """Illegal is 409; closing needs a reason and somebody else's yes, signed."""
    case = world.open()
    path = f"/v1/cases/{case}/transitions"
    done = world.post(path, "cara", {"content": {"to": "FollowUp"}})
    assert (done.json()["state"], done.json()["status"]) == ("done", "FollowUp")
    same = world.post(path, "cara", {"content": {"to": "FollowUp"}})
    assert (same.status_code, same.json()["code"]) == (409, "case.transition")
    bare = world.post(path, "cara", {"content": {"to": "Closed"}})
    assert bare.json()["code"] == "case.reason"
    wish = {"content": {"to": "Closed", "reason": "made-up end"}}
    waits = world.post(path, "cara", wish).json()
    assert (waits["state"], waits["status"]) == ("waiting", "FollowUp")
    assert world.post(path, "cara", wish).json()["code"] == "transition.waiting"
    decision = f"{path}/{waits['id']}/decision"
    assert world.post(decision, "cara", {"approve": True}).status_code in (403, 404)
    closed = world.post(decision, "sue", {"approve": True})
    assert (closed.status_code, closed.json()["status"]) == (200, "Closed")
    assert world.post(decision, "sue", {"approve": True}).json()["code"] == "transition.decided"
    assert world.get(f"/v1/cases/{case}", "cara").json()["status"] == "Closed"
    back = {"content": {"to": "Active", "reason": "made-up return"}}
    assert world.post(path, "cara", back).json()["status"] == "Active"


def test_nobody_approves_their_own_closing(world):
    """Not even a supervisor."""
    case = world.open(by="sue")
    path = f"/v1/cases/{case}/transitions"
    wish = {"content": {"to": "Closed", "reason": "made-up end"}}
    waits = world.post(path, "sue", wish).json()
    answer = world.post(f"{path}/{waits['id']}/decision", "sue", {"approve": True})
    assert (answer.status_code, answer.json()["code"]) == (403, "refused.self")
    assert world.get(f"/v1/cases/{case}", "sue").json()["status"] == "Active"


def test_a_batch_opens_all_or_none(world):
    """Fifty at most, linked to the first; a fault names its place and nothing is made."""
    cases = [{"identity": an_identity(f"Person {n} Madeup")} for n in range(4)]
    answer = world.post("/v1/cases/batch", "cara", {"cases": cases})
    assert answer.status_code == 201, answer.text
    ids = [item["id"] for item in answer.json()["items"]]
    first = world.get(f"/v1/cases/{ids[0]}/links", "cara").json()["items"]
    assert {link["about"] for link in first} == set(ids[1:])
    last = world.get(f"/v1/cases/{ids[3]}/links", "cara").json()["items"]
    assert [link["about"] for link in last] == [ids[0]]
    assert world.get(f"/v1/cases/{ids[2]}/identity", "cara").json() == cases[2]["identity"]
    cases[2]["identity"]["phones"] = ["not a phone"]
    refused = world.post("/v1/cases/batch", "cara", {"cases": cases})
    assert refused.json()["errors"] == [
        {"pointer": "/cases/2/identity/phones/0", "code": "field.phone"}
    ]
    too_many = [{"identity": an_identity()}] * 51
    assert world.post("/v1/cases/batch", "cara", {"cases": too_many}).status_code == 422


def test_nobody_who_is_not_there_is_named(world):
    """Neither for a task nor for a refusal; nothing is kept of either."""
    case = world.open()
    nobody = unknown_id()
    task = {"content": {"type": "hearing", "due": "2026-12-01"}, "assignee": nobody}
    for path, body in (("tasks", task), ("refused-staff", {"staff_id": nobody})):
        answer = world.post(f"/v1/cases/{case}/{path}", "cara", body)
        assert (answer.status_code, answer.json()["code"]) == (404, "staff.unknown")
        assert world.get(f"/v1/cases/{case}/{path}", "cara").json()["items"] == []
