"""Referrals to a team of the own organisation: sealed for its inbox, answered, called back."""

from __future__ import annotations

import json
from uuid import UUID

from casevault.domain.staff.access import Decision
from casevault.store.context import caller
from casevault.store.sharing import arrivals
from tests.api.test_inbox import waiting
from tests.api.test_referrals import PROFILE, a_case, agree, agreed_to, on_worklist
from tests.api.world import SOUTH, bearer, unknown_id


def to_team(world, case, team=SOUTH, **changes):
    """Write a referral to a team; return its address."""
    content = {
        "service": "legal_assistance",
        "urgency": "today",
        "disclose": ["name", "contact"],
        **changes,
    }
    body = {"team_id": world.team(team), "content": content}
    answer = world.post(f"/v1/cases/{case}/referrals", "cara", body)
    assert answer.status_code == 201, answer.text
    return answer.headers["location"]


def referred(world, case=None, **changes):
    """Send a case of cara's to the south; return case, address, what was previewed, the entry."""
    case = case or a_case(world)
    consent = agreed_to(world, case, world.team(SOUTH))
    at = to_team(world, case, **changes)
    shown, before = agree(world, at), waiting(world, "sid")
    sent = world.post(at + "/team", "cara", None)
    assert (sent.status_code, sent.json()) == (200, {"stage": "sent"}), sent.text
    (entry,) = waiting(world, "sid") - before
    return case, at, shown, f"/v1/inbox/{entry}", consent


def test_another_team_takes_a_referral_over(world, monkeypatch):
    """The very bytes, read by their intake group alone; accepted, completed, heard in the facts."""
    case, at, shown, entry, _ = referred(world)
    with monkeypatch.context() as patch:
        patch.setattr(caller.access, "decide", lambda *_, **__: Decision(True, "permit:everything"))
        for other in ("sofia", "cara", "sue", "dora"):
            answer = world.get(entry, other)
            assert (answer.status_code, "Ondine" in answer.text) == (404, False), other
    fresh = world.get(at, "cara").json()
    assert (fresh["stage"], fresh["is_news"], fresh["undelivered"]) == ("sent", False, False)
    read = world.get(entry, "sid").json()
    left = json.loads(shown["bytes"])
    assert read["identity"] == left["identity"]
    assert read["profile"] == {}
    assert read["letter"]["service"] == "legal_assistance"
    assert read["entry"]["sent_by"] == world.staff["cara"]
    assert read["entry"]["reference"] == left["reference"] == read["letter"]["reference"]
    assert world.get(at, "cara").json()["stage"] == "received"
    placed = world.post(entry + "/case", "sid", {}).json()
    theirs = f"/v1/cases/{placed['case_id']}"
    assert world.get(theirs + "/identity", "sid").json() == left["identity"]
    note = world.get(f"{theirs}/notes/{placed['note_id']}", "sid").json()["content"]["text"]
    assert left["reference"] in note
    assert PROFILE["presenting_situation"] not in note
    assert world.get(f"/v1/cases/{case}", "sid").status_code == 404
    taken = world.post(at + "/outcome", "cara", None).json()
    assert (taken["stage"], taken["answer"]) == ("accepted", "")
    (open_,) = [
        one
        for one in world.get("/v1/inbox?box=accepted", "sid").json()["items"]
        if one["id"] == read["entry"]["id"]
    ]
    assert open_["reference"] == left["reference"]
    assert world.post(entry + "/answer", "sid", {"answer": "noted"}).status_code == 409
    words = {"answer": "completed", "words": "Made up: permit granted"}
    assert world.post(entry + "/answer", "sid", words).status_code == 204
    assert world.get(at, "cara").json()["is_news"]
    done = world.post(at + "/outcome", "cara", None).json()
    assert (done["stage"], done["answer"]) == ("completed", "Made up: permit granted")
    assert world.post(entry + "/answer", "sid", words).status_code == 404
    facts = world.get(f"/v1/cases/{case}/facts", "cara").json()
    assert [one["outcome"] for one in facts["referrals"]] == ["completed"]
    codes = [one["code"] for one in world.entries(case=case)]
    assert {"referral.send", "intake.read", "intake.take", "intake.answer"} <= set(codes)
    assert "referral.send_failed" not in codes


def test_a_team_merges_or_declines_with_a_reason(world):
    """As a note in a case of theirs; or no, with a code and words for whoever asked."""
    _, at, shown, entry, _ = referred(world)
    known = world.open("sid")
    placed = world.post(entry + "/merge", "sid", {"case_id": known}).json()
    note = world.get(f"/v1/cases/{known}/notes/{placed['note_id']}", "sid").json()
    assert json.loads(shown["bytes"])["reference"] in note["content"]["text"]
    assert world.get(at, "cara").json()["stage"] == "accepted"
    case, at, _, entry, _ = referred(world)
    no = {"reason": "cannot-help", "words": "Made up: no lawyer this month"}
    assert world.post(entry + "/decline", "sid", no).status_code == 204
    item = on_worklist(world, "cara", case_id=case, type="referral_declined")
    assert len(item) == 1
    assert world.get(at, "cara").json()["declined_for"] == "cannot-help"
    taken = world.post(at + "/outcome", "cara", None).json()
    assert (taken["stage"], taken["declined_for"]) == ("declined", "cannot-help")
    assert taken["answer"] == "Made up: no lawyer this month"


def test_a_recall_takes_it_out_of_the_inbox_or_tells_who_read_it(world):
    """Unread it is gone; read it cannot be called back, which both sides are told."""
    _, at, _, entry, _ = referred(world)
    gone = world.post(at + "/recall", "cara", {"reason": "made up"}).json()
    assert gone == {"stage": "recalled", "was_read": False}
    assert world.get(entry, "sid").status_code == 404
    case, at, _, entry, consent = referred(world)
    assert world.get(entry, "sid").status_code == 200
    ended = world.post(consent + "/withdrawal", "cara", {}).json()
    assert {one["what"] for one in ended["followed"]} == {"referral-stops"}
    assert {one["what"] for one in ended["stays"]} == {"read-referral-stays"}
    assert world.get(at, "cara").json()["stage"] == "recalled"
    shut = world.get(entry, "sid")
    assert (shut.status_code, shut.json()["code"]) == (404, "intake.recalled")
    assert world.post(entry + "/case", "sid", {}).status_code == 404
    row = entry.rsplit("/", 1)[1]
    assert len(on_worklist(world, "sid", type="intake_recalled", record_id=row)) == 1
    recalled = world.get("/v1/inbox?box=recalled", "sid").json()["items"]
    assert row in {one["id"] for one in recalled}
    assert world.post(entry + "/answer", "sid", {"answer": "noted"}).status_code == 204
    assert not on_worklist(world, "sid", type="intake_recalled", record_id=row)
    assert "intake.answer" in {one["code"] for one in world.entries(case=case)}


def test_what_a_team_does_not_answer_shows(world):
    """Overdue by the date asked for; nobody reads it after thirty days, and it is expired."""
    today = world.clock.now().date()
    case, at, _, entry, _ = referred(world, answer_by=today.isoformat())
    with world.later(days=2):
        found = world.get(at, headers=bearer(world.sign_in("cara"))).json()
        assert (found["stage"], found["overdue"]) == ("sent", True)
    with world.later(days=31):
        assert world.get(entry, headers=bearer(world.sign_in("sid"))).status_code == 404
        world.vault.caretaker.watch_people()
        headers = bearer(world.sign_in("cara"))
        assert world.get(at, headers=headers).json()["stage"] == "expired"
        taken = world.post(at + "/outcome", None, None, headers=headers).json()
        assert taken["stage"] == "expired"
    assert not world.get(f"/v1/cases/{case}", "cara").is_error


def test_what_was_cut_off_on_its_way_is_sent_again_once(world, monkeypatch):
    """Recorded as sent, then nothing: the caseworker is told, sends again, and it arrives once."""
    case = a_case(world)
    agreed_to(world, case, SOUTH)
    at, before = to_team(world, case), waiting(world, "sid")
    agree(world, at)

    def broken(*_args):
        raise OSError

    with monkeypatch.context() as patch:
        patch.setattr(arrivals, "receive", broken)
        assert world.post(at + "/team", "cara", None).status_code == 500
    assert waiting(world, "sid") == before
    found = world.get(at, "cara").json()
    assert (found["stage"], found["undelivered"]) == ("sent", True)
    assert len(on_worklist(world, "cara", case_id=case, type="referral_undelivered")) == 1
    codes = [one["code"] for one in world.entries(case=case)]
    assert "referral.send_failed" in codes
    assert world.post(at + "/team", "cara", None).status_code == 200
    assert len(waiting(world, "sid") - before) == 1
    again = world.post(at + "/team", "cara", None)
    assert (again.status_code, again.json()["code"]) == (409, "referral.transition")
    assert not world.get(at, "cara").json()["undelivered"]


def test_each_way_out_is_for_its_recipients(world):
    """A team's letter goes behind no link; one for two, for nobody, for no team is refused."""
    case = a_case(world)
    agreed_to(world, case, SOUTH)
    at = to_team(world, case)
    early = world.post(at + "/team", "cara", None)
    assert early.json()["code"] == "referral.transition"
    agree(world, at)
    for way, body in (("sending", {}), ("package", {"to": "words"}), ("paper", None)):
        refused = world.post(f"{at}/{way}", "cara", body)
        assert (refused.status_code, refused.json()["code"]) == (409, "referral.to-team"), way
    told = world.post(at + "/answer", "cara", {"answer": "accepted"})
    assert told.json()["code"] == "referral.to-team"
    content = {"service": "food", "urgency": "today", "disclose": ["name"]}
    path = f"/v1/cases/{case}/referrals"
    for ids in ({}, {"team_id": unknown_id(), "partner_id": unknown_id()}):
        nobody = world.post(path, "cara", {**ids, "content": content})
        assert (nobody.status_code, nobody.json()["code"]) == (422, "referral.recipient")
    nowhere = world.post(path, "cara", {"team_id": unknown_id(), "content": content})
    assert (nowhere.status_code, nowhere.json()["code"]) == (404, "referral.team")


def test_who_is_refused_reads_no_letter(world):
    """A team whose inbox is opened by somebody whom the survivor does not want gets nothing."""
    case, before = a_case(world), waiting(world, "sid")
    agreed_to(world, case, SOUTH)
    at = to_team(world, case)
    agree(world, at)
    refusal = {"staff_id": world.staff["sid"], "content": {"reason": "made up"}}
    assert world.post(f"/v1/cases/{case}/refused-staff", "cara", refusal).status_code == 201
    refused = world.post(at + "/team", "cara", None)
    assert (refused.status_code, refused.json()["code"]) == (403, "referral.refused-staff")
    assert waiting(world, "sid") == before


def test_an_erased_case_takes_its_letters_out_of_inboxes(world):
    """Whatever erases a case deletes what another team has not taken over, without any key."""
    case, _, _, entry, _ = referred(world)
    with world.vault.stores.keyring.writing() as tx:
        arrivals.forget(tx, [UUID(case)])
    assert world.get(entry, "sid").status_code == 404
