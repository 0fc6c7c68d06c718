"""Referrals through the interface: to a shelter that has only a phone and a browser."""

from __future__ import annotations

import html
import json
import re
from datetime import timedelta
from urllib.parse import urlencode

import pytest

from casevault.services.sharing import collecting
from tests.api.test_alerts import ALERTS, watched
from tests.api.test_consents import a_basis, a_consent, posted
from tests.api.test_partners import added
from tests.api.world import NORTH, an_identity, bearer, unknown_id

PAGE = {"Accept": "text/html"}
FORM = {**PAGE, "Content-Type": "application/x-www-form-urlencoded"}
# Said by phone on an Arabic keyboard.
ARABIC = str.maketrans("0123456789", "٠١٢٣٤٥٦٧٨٩")
IDENTITY = an_identity("Ondine <Obvious> Madeup", age=30, languages=["fr"])
PROFILE = {"presenting_situation": "Made up: needs a bed", "risk_level": "high"}


def a_case(world):
    """Open a case with something to tell and something to keep."""
    body = {"identity": IDENTITY, "profile": PROFILE}
    return world.post("/v1/cases", "cara", body).json()["id"]


def a_shelter(world, **changes):
    """Add a shelter; return its id and name."""
    at = added(world, **changes)
    return at.rsplit("/", 1)[1], world.get(at, "cara").json()["content"]["name"]


def agreed_to(world, case, name, categories=("name", "contact"), **changes):
    """Record what the survivor agrees to tell a recipient."""
    content = a_consent(
        world, purpose="referral", categories=list(categories), recipients=[name], **changes
    )
    return posted(world, f"/v1/cases/{case}/consents", content)


def written(world, case, partner, disclose=("name", "contact"), **changes):
    """Write a referral; return its address."""
    content = {
        "service": "safehouse",
        "urgency": "today",
        "disclose": list(disclose),
        **changes,
    }
    body = {"partner_id": partner, "content": content}
    answer = world.post(f"/v1/cases/{case}/referrals", "cara", body)
    assert answer.status_code == 201, answer.text
    return answer.headers["location"]


def agree(world, at):
    """Read the preview to the survivor, who agrees; return the preview."""
    shown = world.get(at + "/preview", "cara").json()
    answer = world.post(at + "/agreement", "cara", {"digest": shown["digest"]})
    assert answer.status_code == 200, answer.text
    return shown


def sent(world, at, **offer):
    """Agree and send; return the link's path and the code."""
    agree(world, at)
    answer = world.post(at + "/sending", "cara", offer)
    assert answer.status_code == 201, answer.text
    return answer.json()["path"], answer.json()["code"]


def a_letter(world, **offer):
    """Send a referral with everything that it takes; return case, address, path and code."""
    case = a_case(world)
    partner, name = a_shelter(world)
    agreed_to(world, case, name)
    at = written(world, case, partner)
    return case, at, *sent(world, at, **offer)


def opened(world, path, code, **headers):
    """Type a code into the page as a browser sends it."""
    return world.client.post(path, content=urlencode({"code": code}), headers=FORM | headers)


def ticket_of(page):
    """Return the ticket that an opened letter holds."""
    return html.unescape(re.search(r'name="ticket" value="([^"]+)"', page.text).group(1))


def answered(world, path, ticket, answer, words=""):
    """Answer on the page."""
    fields = {"ticket": ticket, "answer": answer, "words": words}
    return world.client.post(path + "/answer", content=urlencode(fields), headers=FORM)


def wrong(code):
    """Return digits that are not these."""
    return "".join(str((int(digit) + 1) % 10) for digit in code if digit.isdigit())


def test_a_shelter_with_a_phone_and_a_browser(world):
    """Previewed, agreed to, sent, opened by code, answered, taken over: byte for byte."""
    case = a_case(world)
    partner, name = a_shelter(world)
    agreed_to(world, case, name.upper())
    at = written(world, case, partner, answer_by="2099-01-01")
    early = world.post(at + "/sending", "cara", {})
    assert early.json()["code"] == "referral.transition"
    shown = agree(world, at)
    left = json.loads(shown["bytes"])
    assert left["identity"] == {
        "name_to_use": IDENTITY["name_to_use"],
        "phones": IDENTITY["phones"],
    }
    assert "profile" not in left
    assert shown["leaves"] == ["contact", "name"]
    path, code = sent(world, at, language="ar", openings=2)
    assert re.fullmatch(r"\d{4} \d{4} \d{4}", code)
    door = world.client.get(path, headers=PAGE)
    assert 'dir="rtl"' in door.text
    assert "<script" not in door.text
    assert "form-action 'self'" in door.headers["content-security-policy"]
    for word in ("Ondine", name, case, "safehouse"):
        assert word not in door.text
    page = opened(world, path, code.translate(ARABIC))
    assert page.status_code == 200, page.text
    assert "Ondine &lt;Obvious&gt; Madeup" in page.text
    assert IDENTITY["phones"][0] in page.text
    assert PROFILE["presenting_situation"] not in page.text
    assert code.replace(" ", "") not in page.text
    now = world.get(at, "cara").json()
    assert (now["stage"], now["opened"], now["is_news"]) == ("received", 1, True)
    words = "مرحبا\nمكان واحد"
    assert answered(world, path, ticket_of(page), "accepted", words).status_code == 200
    assert world.post(at + "/outcome", "stra", None).status_code == 404
    taken = world.post(at + "/outcome", "cara", None)
    assert taken.status_code == 200, taken.text
    assert (taken.json()["stage"], taken.json()["answer"]) == ("accepted", words)
    again = world.post(at + "/outcome", "cara", None)
    assert again.json()["code"] == "referral.no-news"
    facts = world.get(f"/v1/cases/{case}/facts", "cara").json()
    assert [one["outcome"] for one in facts["referrals"]] == ["accepted"]
    last = opened(world, path, code)
    assert "Ondine" in last.text
    spent = opened(world, path, code)
    assert spent.status_code == 200
    assert "Ondine" not in spent.text
    assert answered(world, path, ticket_of(spent), "completed").status_code == 200
    assert world.post(at + "/outcome", "cara", None).json()["stage"] == "completed"
    codes = [entry["code"] for entry in world.entries(case=case)]
    assert codes.count("referral.open") == 3
    assert {
        "referral.add",
        "referral.preview",
        "referral.agree",
        "referral.send",
        "referral.answer",
        "referral.outcome",
    } <= set(codes)


def test_five_wrong_codes_end_a_letter(world):
    """Each counts, also if a right one would follow; the last one is an alarm on the ledger."""
    case, _, path, code = a_letter(world)
    for left in range(4, 0, -1):
        page = opened(world, path, wrong(code))
        assert (page.status_code, "Ondine" in page.text) == (403, False), left
    assert opened(world, path, code).status_code == 200
    for _ in range(4):
        assert opened(world, path, wrong(code)).status_code == 403
    dead = opened(world, path, wrong(code))
    assert dead.status_code == 404
    assert opened(world, path, code).status_code == 404
    bare = world.client.post(path, json={"code": code})
    assert bare.json()["code"] == "collect.dead"
    alarms = [e for e in world.entries(case=case) if e["code"] == "referral.dead"]
    assert len(alarms) == 1
    watched(world)
    alerts = world.get(ALERTS, "ada", params={"rule": "letter-guessed"}).json()["items"]
    assert case in {one for alert in alerts for one in alert["cases"]}


def test_what_is_not_agreed_to_leaves_nothing(world):
    """No consent, another recipient, a category too many, over a border: refused, with why."""
    case = a_case(world)
    partner, name = a_shelter(world)
    at = written(world, case, partner, ["name", "risk", "papers"])
    shown = world.get(at + "/preview", "cara").json()
    assert shown["leaves"] == []
    assert shown["stays"] == {
        "name": "consent.none",
        "risk": "consent.none",
        "papers": "referral.not-needed",
    }
    refused = world.post(at + "/agreement", "cara", {"digest": shown["digest"]})
    assert (refused.status_code, refused.json()["code"]) == (403, "referral.consent")
    agreed_to(world, case, "Another Made-Up House", ["name", "risk"])
    agreed_to(world, case, name, ["name"])
    shown = world.get(at + "/preview", "cara").json()
    assert (shown["leaves"], shown["stays"]["risk"]) == (["name"], "consent.recipient")
    refused = world.post(at + "/agreement", "cara", {"digest": shown["digest"]})
    assert refused.json()["errors"] == [{"pointer": "/disclose/risk", "code": "consent.recipient"}]
    abroad, there = a_shelter(world, country="FR", name="Made-Up House Beyond")
    agreed_to(world, case, there, ["name"])
    beyond = written(world, case, abroad, ["name"])
    shown = world.get(beyond + "/preview", "cara").json()
    assert shown["stays"] == {"name": "consent.category"}
    assert "referral.send" not in {entry["code"] for entry in world.entries(case=case)}


def test_only_the_agreed_bytes_are_sent(world):
    """A name that changed since, a consent that ended since: agree again."""
    case = a_case(world)
    partner, name = a_shelter(world)
    consent = agreed_to(world, case, name)
    at = written(world, case, partner)
    agree(world, at)
    identity = f"/v1/cases/{case}/identity"
    etag = world.get(identity, "cara").headers["etag"]
    changed = {**IDENTITY, "name_to_use": "Ondine Changed"}
    assert world.put(identity, "cara", changed, etag).status_code == 204
    assert world.post(at + "/sending", "cara", {}).json()["code"] == "referral.changed"
    agree(world, at)
    assert world.post(consent + "/withdrawal", "cara", {}).status_code == 200
    assert world.post(at + "/sending", "cara", {}).json()["code"] == "referral.transition"
    now = world.get(at, "cara").json()
    assert (now["stage"], now["page"]) == ("draft", None)
    other, elsewhere = a_shelter(world, name="A Made-Up House of Tomorrow")
    agreed_to(world, case, elsewhere, valid_until=world.clock.now().date().isoformat())
    at = written(world, case, other)
    agree(world, at)
    with world.later(days=1):
        late = world.post(at + "/sending", None, {}, headers=bearer(world.sign_in("cara")))
        assert {one["code"] for one in late.json()["errors"]} == {"consent.expired"}


def test_a_withdrawal_stops_what_relies_on_it_and_names_what_was_read(world):
    """The unread letter closes, the read one cannot be called back, another consent's goes on."""
    case = a_case(world)
    partner, name = a_shelter(world)
    consent = agreed_to(world, case, name)
    other, elsewhere = a_shelter(world, name="Another Made-Up House")
    agreed_to(world, case, elsewhere)
    unread, read = written(world, case, partner), written(world, case, partner)
    goes_on = written(world, case, other)
    path, code = sent(world, unread)
    read_path, read_code = sent(world, read)
    on_path, on_code = sent(world, goes_on)
    opened(world, read_path, read_code)
    gone = world.post(consent + "/withdrawal", "cara", {}).json()
    ids = {at: at.rsplit("/", 1)[1] for at in (unread, read)}
    assert {one["about"] for one in gone["followed"]} == set(ids.values())
    assert {one["what"] for one in gone["followed"]} == {"referral-stops"}
    assert gone["stays"] == [{"what": "read-referral-stays", "about": ids[read]}]
    assert opened(world, path, code).status_code == 404
    assert opened(world, read_path, read_code).status_code == 404
    assert opened(world, on_path, on_code).status_code == 200
    assert world.get(unread, "cara").json()["stage"] == "recalled"


def test_where_the_policy_asks_a_second_person_approves(sqlite_world, monkeypatch):
    """Not who wrote it; of these bytes only; what is declined is not sent."""
    world = sqlite_world
    monkeypatch.setattr(world.vault.referrals, "_approved", True)
    case = a_case(world)
    partner, name = a_shelter(world)
    agreed_to(world, case, name)
    at = written(world, case, partner)
    agree(world, at)
    assert world.post(at + "/sending", "cara", {}).json()["code"] == "referral.unapproved"
    assert world.post(at + "/decision", "cara", {"approve": True}).status_code == 404
    said = world.post(at + "/decision", "sue", {"approve": False, "reason": "made up"})
    assert said.json() == {"state": "declined"}
    assert world.post(at + "/sending", "cara", {}).json()["code"] == "referral.unapproved"
    agree(world, at)
    assert world.post(at + "/decision", "sue", {"approve": True}).json() == {"state": "done"}
    assert world.post(at + "/sending", "cara", {}).status_code == 201
    monkeypatch.undo()
    asked = written(world, case, partner)
    shown = world.get(asked + "/preview", "cara").json()
    body = {"digest": shown["digest"], "ask_approval": True}
    assert world.post(asked + "/agreement", "cara", body).status_code == 200
    assert world.post(asked + "/sending", "cara", {}).json()["code"] == "referral.unapproved"
    codes = {entry["code"] for entry in world.entries(case=case)}
    assert {"referral.approve", "referral.decline"} <= codes


def test_a_recall_ends_the_page_and_says_what_was_read(world):
    """Before anybody opened it nothing was read; afterwards it cannot be called back."""
    _, at, path, code = a_letter(world)
    gone = world.post(at + "/recall", "cara", {"reason": "made up"})
    assert gone.json() == {"stage": "recalled", "was_read": False}
    page = opened(world, path, code)
    assert (page.status_code, "called back" in page.text) == (404, True)
    case, at, path, code = a_letter(world)
    page = opened(world, path, code)
    read = world.post(at + "/recall", "cara", {"by_survivor": True})
    assert read.json() == {"stage": "recalled", "was_read": True}
    late = answered(world, path, ticket_of(page), "accepted")
    assert late.status_code == 404
    facts = world.get(f"/v1/cases/{case}/facts", "cara").json()
    assert [one["outcome"] for one in facts["referrals"]] == ["declined_by_survivor"]
    assert world.post(at + "/recall", "cara", {}).json()["code"] == "referral.transition"


def test_another_basis_that_ends_stops_what_leaves_by_it(world):
    """Ended by the colleague who claimed it, or declined by a second person after the act."""
    case = a_case(world)
    partner, name = a_shelter(world)
    rescue = a_basis(world, basis="vital_interests", recipients=[name], categories=["name"])
    for decline in (False, True):
        basis = posted(world, f"/v1/cases/{case}/bases", rescue)
        at = written(world, case, partner, ["name"])
        path, code = sent(world, at)
        if decline:
            no = {"approve": False, "reason": "made up"}
            assert world.post(basis + "/decision", "sue", no).status_code == 200
        else:
            ended = world.post(basis + "/withdrawal", "cara", {"reason": "made up"})
            row = at.rsplit("/", 1)[1]
            assert ended.json()["followed"] == [{"what": "referral-stops", "about": row}]
        assert world.get(at, "cara").json()["stage"] == "recalled"
        assert opened(world, path, code).status_code == 404
        again = world.post(basis + "/withdrawal", "cara", {})
        assert (again.status_code, again.json()["code"]) == (409, "basis.ended")
    assert "basis.withdraw" in {entry["code"] for entry in world.entries(case=case)}


def test_what_is_said_by_phone_is_written_down_as_that(world):
    """About a link that nobody answered: by whom and when; what cannot have been said is not."""
    _, at, path, code = a_letter(world)
    today = world.clock.now().date()
    for day in (today + timedelta(days=2), today - timedelta(days=2)):
        body = {"answer": "accepted", "said_on": day.isoformat()}
        refused = world.post(at + "/answer", "cara", body)
        assert (refused.status_code, refused.json()["code"]) == (422, "referral.told-on")
    yes = {"answer": "accepted", "words": "Made up: from six", "said_on": today.isoformat()}
    told = world.post(at + "/answer", "cara", yes).json()
    assert (told["stage"], told["said_by"], told["said_on"]) == ("accepted", "phone", str(today))
    page = opened(world, path, code)
    assert page.status_code == 200
    # The page is behind what was said: that is no news.
    assert not world.get(at, "cara").json()["is_news"]
    done = world.post(at + "/answer", "cara", {"answer": "completed", "said_by": "letter"}).json()
    assert (done["stage"], done["said_by"], done["answer"]) == (
        "completed",
        "letter",
        "Made up: from six",
    )
    assert opened(world, path, code).status_code == 404


def test_a_letter_ends_on_its_date(world):
    """Neither opened nor answered afterwards; the caseworker hears that nobody answered."""
    _, at, path, code = a_letter(world, days=1)
    page = opened(world, path, code)
    with world.later(days=2):
        assert opened(world, path, code).status_code == 404
        late = answered(world, path, ticket_of(page), "accepted")
        assert late.status_code == 404
        headers = bearer(world.sign_in("cara"))
        taken = world.post(at + "/outcome", None, None, headers=headers)
        assert taken.json()["stage"] == "expired"


def test_a_ticket_answers_only_its_letter(world):
    """Another letter's, a made-up one and a link that never was."""
    _, _, path, code = a_letter(world)
    _, _, other, other_code = a_letter(world)
    opened(world, path, code)
    stray = ticket_of(opened(world, other, other_code))
    assert answered(world, path, stray, "accepted").status_code == 403
    assert answered(world, path, "0000", "declined").status_code == 403
    nowhere = f"/v1/collect/{unknown_id()}"
    assert world.client.get(nowhere, headers=PAGE).status_code == 404
    assert opened(world, nowhere, code).status_code == 404


def test_a_recipient_writes_so_much_and_no_more(sqlite_world, monkeypatch):
    """Whoever has a letter could bury the answers of all others; what was said stays."""
    monkeypatch.setattr(collecting, "MOST_ANSWERS", 2)
    world = sqlite_world
    _, at, path, code = a_letter(world)
    ticket = ticket_of(opened(world, path, code))
    found = [answered(world, path, ticket, "accepted", f"Made up {n}") for n in range(3)]
    assert [one.status_code for one in found] == [200, 200, 429]
    assert world.get(at, "cara").json()["is_news"]
    assert answered(world, path, ticket, "completed").status_code == 200


@pytest.mark.parametrize("body", [b"code=1&code=2", b"code=%ff", b"\xff", b"a;b", b"code"])
def test_a_form_that_is_none_is_refused(sqlite_world, body):
    """Twice the same field, bytes that are no text; and forms go nowhere else."""
    world = sqlite_world
    path = f"/v1/collect/{unknown_id()}"
    answer = world.client.post(path, content=body, headers=FORM)
    assert (answer.status_code, answer.json()["code"]) == (422, "form")
    elsewhere = world.client.post("/v1/auth/sessions", content=b"a=b", headers=FORM)
    assert elsewhere.status_code == 415


def on_worklist(world, by, **wanted):
    """Return the items of somebody's worklist that hold these values, of the whole caseload."""
    return [one for one in world.worklist(by) if wanted.items() <= one.items()]


def test_what_waits_is_on_the_worklist(world):
    """Not answered in time, declined, closed by guesses, to be approved, a consent that ends."""
    case = a_case(world)
    partner, name = a_shelter(world)
    today = world.clock.now().date()
    ends = (today + timedelta(days=10)).isoformat()
    agreed_to(world, case, name, valid_until=ends)
    late = written(world, case, partner, answer_by=(today - timedelta(days=1)).isoformat())
    path, code = sent(world, late)
    types = {one["type"] for one in on_worklist(world, "cara", case_id=case)}
    assert types == {"referral_overdue", "consent_expiring"}
    (overdue,) = on_worklist(world, "cara", case_id=case, type="referral_overdue")
    assert (overdue["overdue"], overdue["record_id"]) == (True, late.rsplit("/", 1)[1])
    answered(world, path, ticket_of(opened(world, path, code)), "declined")
    asked = written(world, case, partner)
    shown = world.get(asked + "/preview", "cara").json()
    body = {"digest": shown["digest"], "ask_approval": True}
    world.post(asked + "/agreement", "cara", body)
    guessed = written(world, case, partner)
    path, code = sent(world, guessed)
    for _ in range(5):
        opened(world, path, wrong(code))
    types = {one["type"] for one in on_worklist(world, "cara", case_id=case)}
    assert types == {"referral_declined", "referral_closed", "consent_expiring"}
    (waits,) = on_worklist(world, "sue", case_id=case, type="referral")
    assert waits["record_id"] == asked.rsplit("/", 1)[1]
    assert world.post(late + "/outcome", "cara", None).json()["stage"] == "declined"
    types = {one["type"] for one in on_worklist(world, "cara", case_id=case)}
    assert "referral_declined" not in types


def test_what_waits_for_a_team_is_on_its_supervisors_worklist(world):
    """What came in, and whom to ask again; of no case, and for nobody else."""
    long_ago = (world.clock.now().date() - timedelta(days=200)).isoformat()
    partner, _ = a_shelter(world, name="A Made-Up House of Old", verified_on=long_ago)
    by = world.person(roles=("referrer",), team=None, by="dora")
    body = {"team": NORTH, "identity": IDENTITY, "profile": {}}
    receipt = world.post("/v1/intakes", by, body).json()["receipt"]
    (stale,) = on_worklist(world, "sue", record_id=partner)
    assert (stale["type"], stale["case_id"]) == ("partner_stale", None)
    (intake,) = on_worklist(world, "sue", record_id=receipt)
    assert (intake["type"], intake["case_id"]) == ("intake", None)
    assert on_worklist(world, "cara", record_id=receipt) == []
    assert on_worklist(world, "sid", record_id=receipt) == []


def test_a_summary_on_paper(world):
    """For a lawyer: the same manifest; who has it has read it; what they say is written by hand."""
    case = a_case(world)
    partner, name = a_shelter(world, name="Made-Up Lawyers", services=["legal_assistance"])
    consent = agreed_to(world, case, name, ("name", "risk"))
    at = written(world, case, partner, ("name", "risk"), service="legal_assistance")
    assert world.post(at + "/paper", "cara", None).json()["code"] == "referral.transition"
    agree(world, at)
    page = world.post(at + "/paper", "cara", None, params={"lang": "fr"})
    assert page.status_code == 200, page.text
    assert "Ondine &lt;Obvious&gt; Madeup" in page.text
    assert IDENTITY["phones"][0] not in page.text
    assert 'lang="fr"' in page.text
    assert world.get(at, "cara").json()["stage"] == "received"
    said = world.post(at + "/answer", "cara", {"answer": "accepted", "words": "by phone"})
    assert (said.json()["stage"], said.json()["answer"]) == ("accepted", "by phone")
    gone = world.post(consent + "/withdrawal", "cara", {}).json()
    assert [one["what"] for one in gone["stays"]] == ["read-referral-stays"]
