"""The survivor's rights through the interface: one story for each, on both databases."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

from casevault.domain.importing.htcds import default_mapping
from casevault.domain.rights import copy_archive
from casevault.store.case import files
from casevault.store.casework import matters, objecting
from casevault.store.casework.matter_kinds import Kind
from casevault.store.engine import keyring_tables as tables
from tests.api import test_referrals as referrals
from tests.api.test_consents import a_consent
from tests.api.test_files import a_picture, added
from tests.api.test_retention import aged, decide, job, opened
from tests.api.test_team_referrals import referred
from tests.api.world import an_identity


def in_days(world, days):
    """Return the day that is so many days away."""
    return (world.vault.stores.clock.now().date() + timedelta(days=days)).isoformat()


def freeze(world, case, reason="A made-up entry is disputed", days=60):
    """Freeze a case as the DPO; return the restriction."""
    body = {"case": case, "reason": reason, "review": in_days(world, days)}
    answer = world.post("/v1/restrictions", "dora", body)
    assert answer.status_code == 201, answer.text
    return answer.json()


def lift(world, restriction, told="in_person"):
    """Lift a restriction as the DPO."""
    return world.post(f"/v1/restrictions/{restriction}/lifting", "dora", {"told": told})


def codes(world, case, *wanted):
    """Return which of these codes the log has about a case."""
    found = {entry["code"] for entry in world.entries(subject=case)}
    return found & set(wanted)


def test_a_frozen_case_is_kept_and_comes_back(world):
    """From the schedule and from erasure; the reason is for the DPO and the supervisors."""
    case = opened(world)
    reference = world.get(f"/v1/cases/{case}", "cara").json()["reference"]
    body = {"case": "CV-0000-0000", "reason": "Made up", "review": in_days(world, 9)}
    assert world.post("/v1/restrictions", "dora", body).status_code == 404
    late = {**body, "case": case, "review": in_days(world, 500)}
    assert world.post("/v1/restrictions", "dora", late).json()["code"] == "restriction.review"
    for login in ("cara", "sue", "ada"):
        assert world.post("/v1/restrictions", login, {**late}).status_code == 403
    frozen = freeze(world, reference)
    assert world.get(f"/v1/cases/{case}", "cara").json()["restriction"] is True
    listed = world.get("/v1/restrictions", "sue").json()["items"]
    (seen,) = [one for one in listed if one["case_id"] == case]
    assert (seen["reason"], seen["signed"]) == ("A made-up entry is disputed", True)
    assert case not in {o["case_id"] for o in world.get("/v1/restrictions", "sid").json()["items"]}
    assert world.get("/v1/restrictions", "cara").status_code == 403
    aged(world, case, 3)
    job(world).run()
    assert world.get(f"/v1/cases/{case}/identity", "cara").status_code == 200
    asked = world.post(f"/v1/cases/{case}/erasure", "sue", {"reason": "request"})
    assert (asked.status_code, asked.json()["code"]) == (409, "case.restricted")
    assert lift(world, frozen["id"]).status_code == 204
    assert lift(world, frozen["id"]).status_code == 404
    assert world.get(f"/v1/cases/{case}", "cara").json()["restriction"] is False
    wanted = ("restriction.set", "restriction.lift")
    assert codes(world, case, *wanted) == set(wanted)


def test_a_letter_of_a_frozen_case_waits(world):
    """Its recipient learns nothing of why; called back it can be, and lifted it opens again."""
    case, _at, path, code = referrals.a_letter(world)
    frozen = freeze(world, case)
    for answer in (world.client.get(path), referrals.opened(world, path, code)):
        assert answer.status_code == 404
        assert "cannot be opened at present" in answer.text
    lift(world, frozen["id"])
    assert referrals.opened(world, path, code).status_code == 200
    _case, at, path, code = referrals.a_letter(world)
    freeze(world, _case)
    back = world.post(at + "/recall", "cara", {"reason": "Made up", "by_survivor": True})
    assert back.status_code == 200, back.text


def ask(world, case, right="access", by="cara", **more):
    """Pass a request on; return the answer."""
    body = {"right": right, "asker": "survivor", "words": "Made-up words of Ondine", **more}
    return world.post(f"/v1/cases/{case}/rights", by, body)


def decided(world, made, by="dora", **more):
    """Grant a request, or decide it as said."""
    return world.post(f"/v1/rights/{made}/decision", by, {"grant": True, **more})


def listed(world, made, by="dora"):
    """Return a request as the DPO or a supervisor sees it."""
    items = world.get("/v1/rights", by).json()["items"]
    return next((one for one in items if one["id"] == made), None)


def waits(world, by, made):
    """Return how a matter stands on a worklist."""
    return [
        (o["type"], o["due"], o["overdue"]) for o in world.worklist(by) if o["record_id"] == made
    ]


def test_a_request_is_received_checked_decided_and_done(world):
    """By whom it may be, each step on the log; the words open for the DPO and the supervisors."""
    case = world.open("cara")
    made = ask(world, case).json()
    assert (made["stage"], made["due"]) == ("received", in_days(world, 30))
    assert ask(world, case).json()["code"] == "right.open"
    assert ask(world, case, "objection").json()["code"] == "right.purpose"
    assert ask(world, case, purpose="statistics").json()["code"] == "right.purpose"
    assert ask(world, case, by="sofia").status_code == 404
    for login in ("cara", "sue", "dora"):
        assert waits(world, login, made["id"]) == [("right", made["due"], False)], login
    assert listed(world, made["id"], "sid") is None
    assert listed(world, made["id"], "sue")["words"] == "Made-up words of Ondine"
    assert world.get("/v1/rights", "cara").status_code == 403
    assert decided(world, made["id"]).json()["code"] == "right.identity"
    assert world.get(f"/v1/rights/{made['id']}/answer", "dora").json()["code"] == "right.undecided"
    check = {"method": "code_word"}
    assert world.post(f"/v1/rights/{made['id']}/identity", "sid", check).status_code == 404
    assert world.post(f"/v1/rights/{made['id']}/identity", "sue", check).status_code == 200
    more = world.post(f"/v1/rights/{made['id']}/extension", "dora", {"reason": "Many pages"})
    assert more.json()["due"] == in_days(world, 90)
    again = world.post(f"/v1/rights/{made['id']}/extension", "dora", {"reason": "More"})
    assert again.json()["code"] == "right.extended"
    assert decided(world, made["id"], grant=False).status_code == 422
    done = f"/v1/cases/{case}/rights/{made['id']}/done"
    assert world.post(done, "cara", {"told": "in_person"}).json()["code"] == "right.stage"
    assert decided(world, made["id"], by="sue").status_code == 403
    assert decided(world, made["id"], reason="Of course").json()["stage"] == "granted"
    seen = listed(world, made["id"])
    assert (seen["identity"], seen["signed"]) == ("code_word", True)
    steps = [(one["what"], one["words"]) for one in seen["steps"]]
    assert steps == [
        ("received", ""),
        ("checked", ""),
        ("extended", "Many pages"),
        ("granted", "Of course"),
    ]
    body = {"case": case, "right": "erasure", "asker": "guardian", "words": "Said to Dora"}
    direct = world.post("/v1/rights", "dora", body).json()["id"]
    assert listed(world, direct, "sue")["words"] == listed(world, direct)["words"] == body["words"]
    assert world.post(done, "cara", {"told": "in_person"}).json()["stage"] == "done"
    assert waits(world, "dora", made["id"]) == []
    states = world.get(f"/v1/cases/{case}/rights", "cara").json()["items"]
    assert {one["right"]: one["stage"] for one in states} == {
        "access": "done",
        "erasure": "received",
    }
    wanted = {f"right.{name}" for name in ("ask", "identify", "extend", "decide", "done", "read")}
    assert codes(world, case, *wanted) == wanted


def test_who_is_refused_reads_why_and_where_to_complain(world):
    """On a page in their language; the words are escaped, Arabic reads from right to left."""
    case = world.open("cara")
    made = ask(world, case, "portability", identity="paper_seen").json()["id"]
    reason = "<b>Made-up</b> words"
    answer = decided(world, made, grant=False, reason=reason, ground="rights_of_others")
    assert answer.json()["stage"] == "refused"
    page = world.get(f"/v1/rights/{made}/answer", "sue", params={"lang": "en"})
    assert "It would harm the rights of other people." in page.text
    assert "data protection authority" in page.text
    assert "&lt;b&gt;Made-up" in page.text
    other = world.get(f"/v1/rights/{made}/answer", "dora", params={"lang": "ar"})
    assert 'dir="rtl"' in other.text
    assert world.get(f"/v1/rights/{made}/answer", "cara").status_code == 403


def test_a_request_that_nobody_answers_calls_the_dpo(world):
    """After its day it is overdue on the worklist, and waits among the deadlines."""
    case = world.open("cara")
    made = world.post(
        "/v1/rights",
        "dora",
        {"case": case, "right": "erasure", "asker": "guardian", "words": "Made up"},
    ).json()["id"]
    with world.later(days=31):
        # The sessions of today are over by then.
        world.forget_ended_sessions()
        (item,) = waits(world, "dora", made)
        assert item[2] is True
        late = world.get("/v1/deadlines", "dora").json()["items"]
        assert "rights-request-due" in {one["kind"] for one in late if one["case_id"] == case}
    world.forget_ended_sessions()


def test_a_granted_restriction_freezes_the_case(world):
    """At once; what the person asks for next is heard all the same."""
    case = world.open("cara")
    made = ask(world, case, "restriction", identity="known_in_person").json()["id"]
    assert decided(world, made, reason="Disputed").status_code == 200
    assert world.get(f"/v1/cases/{case}", "cara").json()["restriction"] is True
    assert ask(world, case, "access").status_code == 201
    done = f"/v1/cases/{case}/rights/{made}/done"
    assert world.post(done, "cara", {"told": "by_safe_contact"}).status_code == 200


def test_a_complaint_is_for_the_dpo_alone(world):
    """Anybody passes it on, nobody reads it back; it tells nobody whether a case exists."""
    case = world.open("cara")
    reference = world.get(f"/v1/cases/{case}", "cara").json()["reference"]
    body = {"asker": "survivor", "words": "Made-up words about Sue", "case": reference}
    made = world.post("/v1/complaints", "cara", body)
    elsewhere = world.post("/v1/complaints", "sofia", {**body, "case": "CV-0000-0000"})
    assert (made.status_code, elsewhere.status_code) == (201, 201)
    assert made.json().keys() == elsewhere.json().keys() == {"id"}
    for login in ("cara", "sue", "ada"):
        assert world.get("/v1/complaints", login).status_code == 403
    found = {one["id"]: one for one in world.get("/v1/complaints", "dora").json()["items"]}
    one, other = found[made.json()["id"]], found[elsewhere.json()["id"]]
    assert (one["words"], one["case_id"], one["reference"]) == (body["words"], case, reference)
    assert (other["case_id"], other["said_about"]) == (None, "CV-0000-0000")
    assert waits(world, "dora", one["id"]) == [("complaint", in_days(world, 30), False)]
    assert waits(world, "sue", one["id"]) == []
    path = f"/v1/complaints/{one['id']}/answer"
    assert world.post(path, "sue", {"words": "Made up"}).status_code == 403
    assert world.post(path, "dora", {"words": "We are sorry"}).status_code == 204
    assert world.post(path, "dora", {"words": "Again"}).json()["code"] == "complaint.answered"
    again = {each["id"]: each for each in world.get("/v1/complaints", "dora").json()["items"]}
    assert again[one["id"]]["answer"] == "We are sorry"
    assert again[one["id"]]["signed"] is True
    assert waits(world, "dora", one["id"]) == []


def test_a_worklist_opens_no_matter_of_a_case_out_of_reach(world, monkeypatch):
    """What waits is looked for among the caller's own cases; the rest stays sealed rows."""
    case = opened(world)
    made = ask(world, case).json()["id"]
    seen, real = [], matters._matter
    monkeypatch.setattr(matters, "_matter", lambda row: seen.append(real(row)) or seen[-1])
    assert world.get("/v1/worklist", "sid").status_code == 200
    assert UUID(case) not in {one.case for one in seen}
    assert len(waits(world, "cara", made)) == 1
    assert UUID(case) in {one.case for one in seen}


def previewed(world, case, *withheld, by="cara"):
    """Return the preview of a copy."""
    return world.post(f"/v1/cases/{case}/copy/preview", by, {"withheld": list(withheld)})


def given(world, case, digest, *withheld, form="json", **params):
    """Ask for the copy that was previewed."""
    body = {"withheld": list(withheld), "digest": digest, "others_reviewed": True, "form": form}
    return world.post(f"/v1/cases/{case}/copy", "cara", body, params=params)


def a_full_case(world):
    """Open a case with a note, its correction, a perpetrator, a consent and a file's name."""
    perpetrator = {"described_as": "Made-up Person Behind", "present_danger": True}
    identity = an_identity("Ondine Obvious-Madeup", languages=["ar"])
    profile = {"presenting_situation": "Made-up <b>situation</b>", "perpetrators": [perpetrator]}
    case = world.open("cara", identity, profile)
    text = "Her made-up sister Sabela came along. They talked."
    note = {"content": {"type": "visit", "date": "2026-11-20", "text": text}}
    made = world.post(f"/v1/cases/{case}/notes", "cara", note)
    content = {**note["content"], "text": text + " In Blue Street."}
    corrected = world.call(
        "PUT",
        f"/v1/cases/{case}/notes/{made.json()['id']}",
        "cara",
        {"content": content, "reason": "Sabela said where"},
        headers={"If-Match": made.headers["etag"]},
    )
    assert corrected.status_code in (200, 204), corrected.text
    consent = {"content": a_consent(world)}
    assert world.post(f"/v1/cases/{case}/consents", "cara", consent).status_code == 201
    return case, UUID(made.json()["id"]).hex


def test_a_copy_is_given_as_it_was_shown(world):
    """Everything that is held, what speaks of others kept back with its reason, who looked."""
    case, note = a_full_case(world)
    shown = previewed(world, case).json()
    kinds = {part["part"] for part in shown["copy"]["parts"]}
    assert {"identity", "profile", "facts", "note", "consent"} <= kinds
    assert shown["copy"]["looks"] is None
    certain = {(one["part"], one["field"]) for one in shown["review"] if one["certain"]}
    assert ("profile", "perpetrators") in certain
    assert (note, "text") in {(one["id"], one["field"]) for one in shown["review"]}
    profile = next(p["id"] for p in shown["copy"]["parts"] if p["part"] == "profile")
    kept_back = (
        {"id": note, "passage": "made-up sister Sabela", "reason": "other_person"},
        {"id": note, "passage": "Sabela", "reason": "other_person"},
        {"id": profile, "field": "perpetrators", "reason": "safety_of_others"},
    )
    # On PostgreSQL entries come into the tree a moment later.
    assert world.entries(subject=case)
    assert world.post("/v1/ledger/looks", "ada", {"case_id": case}).status_code == 201
    again = previewed(world, case, *kept_back).json()
    # Not what was shown any more: something is kept back, and an auditor released the list.
    assert given(world, case, shown["digest"], *kept_back).json()["code"] == "copy.changed"
    answer = given(world, case, again["digest"], *kept_back)
    assert answer.headers["content-disposition"] == 'attachment; filename="copy.json"'
    found = answer.json()
    assert found == again["copy"]
    assert "Sabela" not in answer.text
    assert "Person Behind" not in answer.text
    (part,) = [one for one in found["parts"] if one["id"] == note]
    assert part["content"]["text"] == "Her […] came along. They talked. In Blue Street."
    assert part["before"][0]["content"]["text"] == "Her […] came along. They talked."
    assert part["corrections"] == ["[…] said where"]
    assert part["kept_back"] == ["other_person"]
    assert any(look["did"] == "saw" for look in found["looks"]["looks"])
    page = given(world, case, again["digest"], *kept_back, form="html", lang="ar").text
    assert 'dir="rtl"' in page
    assert "&lt;b&gt;situation" in page
    assert "<script" not in page
    assert "يتعلق بشخص آخر" in page
    absent = {"id": note, "passage": "nowhere in it", "reason": "other_person"}
    assert previewed(world, case, absent).json()["errors"][0]["pointer"] == "/withheld/0"
    (entry, *_) = world.entries(subject=case, code="case.export")
    assert {"html", "ar", "kept-back:other_person"} <= set(entry["filters"])
    assert {"note.text", "identity.name_to_use"} <= set(entry["fields"])


def test_files_go_with_a_copy_unless_they_are_kept_back(world, monkeypatch):
    """In one archive under names that say nothing, cleaned, the very bytes that were previewed."""
    case = world.open("cara", an_identity("Oriel Obvious-Madeup"))
    names = ("Sabela at the made-up lake.jpg", "made-up permit.jpg", "made-up letter.jpg")
    lake, permit, letter = (
        UUID(added(world, case, a_picture(), name, "image/jpeg").rsplit("/", 1)[1])
        for name in names
    )
    shown = previewed(world, case).json()
    places = {(one["id"], one["field"]) for one in shown["review"]}
    assert {(lake.hex, "file"), (letter.hex, "file"), (permit.hex, "file")} <= places
    # One is not named at all; of one, its name is told and not what is in it.
    kept_back = (
        {"id": lake.hex, "reason": "other_person"},
        {"id": letter.hex, "field": "file", "reason": "legal_advice"},
    )
    shown = previewed(world, case, *kept_back).json()
    # What was attached before digests were kept is read for its digest.
    attached = files.attached
    monkeypatch.setattr(files, "attached", lambda *of: replace(attached(*of), digest=None))
    assert previewed(world, case, *kept_back).json()["digest"] == shown["digest"]
    monkeypatch.undo()
    answer = given(world, case, shown["digest"], *kept_back, form="zip", lang="fr")
    assert answer.headers["content-type"] == "application/zip"
    assert answer.headers["content-disposition"] == 'attachment; filename="copy.zip"'
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        found = {one: archive.read(one) for one in archive.namelist()}
    assert list(found) == ["copy.html", "copy.json", "files/001.jpg"]
    clean = world.get(f"/v1/cases/{case}/files/{permit}", "cara").content
    assert found["files/001.jpg"] == clean
    told = json.loads(found["copy.json"])
    assert told == shown["copy"]
    (part,) = [one for one in told["parts"] if "file" in one]
    assert part["id"] == permit.hex
    assert part["file"]["sha256"] == hashlib.sha256(clean).hexdigest()
    page = found["copy.html"].decode()
    assert '<a href="files/001.jpg">' in page
    assert names[1] in page
    assert names[2] in page
    assert "Sabela" not in page
    assert b"MadeUpCamera" not in answer.content
    (entry,) = world.entries(subject=str(permit), code="case.export")
    assert {"zip", "fr", "kept-back:other_person"} <= set(entry["filters"])
    assert world.entries(subject=str(lake), code="case.export") == []
    alone = given(world, case, shown["digest"], *kept_back, form="html").text
    assert "files/001.jpg" not in alone

    monkeypatch.setattr(copy_archive, "MAX_BYTES", len(clean) - 1)
    refused = given(world, case, shown["digest"], *kept_back, form="zip")
    assert (refused.status_code, refused.json()["code"]) == (422, "copy.size")
    monkeypatch.undo()
    path = f"/v1/cases/{case}/files/{permit}"
    assert world.call("DELETE", path, "cara").status_code == 204
    changed = given(world, case, shown["digest"], *kept_back, form="zip")
    assert changed.json()["code"] == "copy.changed"


def test_a_copy_is_for_whoever_holds_every_part(world):
    """Not for colleagues without a grant, not for half a case; a frozen one is copied too."""
    case, _ = a_full_case(world)
    assert previewed(world, case, by="sofia").status_code == 404
    assert previewed(world, case, by="dora").status_code == 404
    assert world.assign(case, "colin", compartments=["identity"]).status_code == 204
    assert previewed(world, case, by="colin").json()["code"] == "copy.parts"
    freeze(world, case)
    digest = previewed(world, case).json()["digest"]
    assert given(world, case, digest).status_code == 200
    missing = {"withheld": [], "digest": digest, "form": "json"}
    assert world.post(f"/v1/cases/{case}/copy", "cara", missing).status_code == 422


def test_a_letter_in_another_teams_inbox_stays_shut_too(world):
    """Not opened, taken over or declined while its case is frozen, nor under an objection to
    referral; no word of why; it opens again when the case is lifted, and can be called back."""
    case, at, _, entry, _ = referred(world)
    ways = {"/case": {}, "/merge": {"case_id": world.open("sid")}}
    ways["/decline"] = {"reason": "cannot-help"}

    def shut():
        answers = [world.get(entry, "sid")]
        answers += [world.post(entry + way, "sid", body) for way, body in ways.items()]
        assert {(one.status_code, one.json()["code"]) for one in answers} == {
            (409, "intake.paused")
        }
        assert not any("frozen" in one.text or "restrict" in one.text for one in answers)

    frozen = freeze(world, case)["id"]
    shut()
    assert world.get(at, "cara").json()["stage"] == "sent"
    refused = [one for one in world.entries(case=case) if one["code"] == "intake.read"]
    assert {one["rule"] for one in refused} == {"refused:intake.paused"}
    assert lift(world, frozen).status_code == 204
    assert world.get(entry, "sid").status_code == 200
    # Somebody has read it; it is shut again for all that.
    frozen = freeze(world, case)["id"]
    shut()
    assert lift(world, frozen).status_code == 204
    made = ask(world, case, "objection", identity="code_word", purpose="referral").json()["id"]
    assert decided(world, made).json()["stage"] == "granted"
    shut()
    assert world.post(f"/v1/cases/{case}/objections", "cara", None).status_code == 200
    assert world.get(entry, "sid").json()["code"] == "intake.recalled"


def test_an_objection_stops_its_purpose_at_once(world):
    """Before anybody opens the case: nothing more leaves; carried out, the case says so too."""
    case, at, path, code = referrals.a_letter(world)
    counted = world.post(f"/v1/cases/{case}/consents", "cara", {"content": a_consent(world)})
    assert counted.status_code == 201, counted.text
    before = {one["id"] for one in world.get(f"/v1/cases/{case}/consents", "cara").json()["items"]}
    for purpose in ("referral", "statistics"):
        made = ask(world, case, "objection", identity="code_word", purpose=purpose).json()["id"]
        assert decided(world, made).json()["stage"] == "granted"
        done = f"/v1/cases/{case}/rights/{made}/done"
        assert world.post(done, "cara", {"told": "in_person"}).status_code == 200
    assert "cannot be opened at present" in referrals.opened(world, path, code).text
    with world.vault.stores.keyring.reading() as tx:
        assert objecting.stops_counting(tx, [UUID(case)]) == {UUID(case)}
    again = world.post(f"/v1/cases/{case}/consents", "cara", {"content": a_consent(world)})
    assert again.json()["code"] == "objection.open"
    answer = world.post(f"/v1/cases/{case}/objections", "cara", None).json()
    followed = {one["what"] for one in answer["followed"]}
    assert {"leaves-counts", "referral-stops"} <= followed
    consents = world.get(f"/v1/cases/{case}/consents", "cara").json()["items"]
    taken = {one["id"] for one in consents if one["state"] == "withdrawn"}
    assert counted.json()["id"] in taken <= before
    assert world.get(at, "cara").json()["stage"] == "recalled"
    assert world.post(f"/v1/cases/{case}/objections", "cara", None).json()["followed"] == []
    # Who agrees anew has said something new.
    again = world.post(f"/v1/cases/{case}/consents", "cara", {"content": a_consent(world)})
    assert again.status_code == 201, again.text
    with world.vault.stores.keyring.reading() as tx:
        assert objecting.stops_counting(tx, [UUID(case)]) == set()


def test_earlier_recipients_are_told_of_a_correction(world):
    """A task for each, on the worklist until it is done; the request is not done before."""
    case, _at, path, code = referrals.a_letter(world)
    assert referrals.opened(world, path, code).status_code == 200
    made = ask(world, case, "rectification", identity="code_word").json()["id"]
    notices = f"/v1/cases/{case}/rights/{made}/notices"
    early = world.post(notices, "cara", {"words": "Made up"})
    assert early.json()["code"] == "notice.stage"
    assert decided(world, made).status_code == 200
    (one,) = world.get(notices, "cara").json()["items"]
    assert (one["task_id"], one["done"]) == (None, False)
    done = f"/v1/cases/{case}/rights/{made}/done"
    assert world.post(done, "cara", {"told": "in_person"}).json()["code"] == "right.notices"
    assert world.get(notices, "sofia").status_code == 404
    body = {"words": "The made-up year was wrong"}
    (one,) = world.post(notices, "cara", body).json()["items"]
    (again,) = world.post(notices, "cara", body).json()["items"]
    assert one["task_id"] == again["task_id"]
    assert [kind for kind, *_ in waits(world, "cara", one["task_id"])] == ["task"]
    body = {"content": {"type": "follow_up", "due": in_days(world, 3)}}
    ordinary = world.post(f"/v1/cases/{case}/tasks", "cara", body).json()["id"]
    # Frozen meanwhile: that a recipient was told is ticked off all the same.
    freeze(world, case)
    task = f"/v1/cases/{case}/tasks/{one['task_id']}"
    read = world.get(task, "cara")
    content = read.json()["content"]
    assert "The made-up year was wrong" in content["text"]
    ticked = {"content": {**content, "done": in_days(world, 0)}}
    assert world.put(task, "cara", ticked, read.headers["etag"]).status_code == 200
    usual = world.put(f"/v1/cases/{case}/tasks/{ordinary}", "cara", ticked, '"v1"')
    assert usual.json()["code"] == "case.restricted"
    assert world.get(notices, "cara").json()["items"][0]["done"] is True
    assert world.post(done, "cara", {"told": "in_person"}).json()["stage"] == "done"
    other = ask(world, case, "access").json()["id"]
    assert world.get(f"/v1/cases/{case}/rights/{other}/notices", "cara").status_code == 404


def test_a_file_is_taken_along_as_htcds(world):
    """Under the standard's names, read back by our own import; nothing about others, no texts."""
    event = {"type": "Exploitation", "exploitation": ["ForcedLabour"], "account": "Made-up words"}
    profile = {
        "history": [event],
        "needs": ["legal_assistance"],
        "presenting_situation": "Made-up words",
        "perpetrators": [{"described_as": "Made-up Person"}],
    }
    names = [{"given": "Ondine", "family": "Obvious-Madeup"}]
    case = world.open("cara", an_identity(names=names, languages=["ar", "fr"]), profile)
    answer = world.post(f"/v1/cases/{case}/portability", "cara", None)
    assert answer.headers["content-disposition"] == 'attachment; filename="portability.json"'
    found = answer.json()
    assert (found["prs_FirstName"], found["vic_TypeOfExploitation"]) == ("Ondine", ["ForcedLabour"])
    assert "Made-up" not in answer.text
    (entry, *_) = world.entries(subject=case, code="case.export")
    assert "portability" in entry["filters"]
    read = default_mapping(found).read(1, found, "cas_CaseNumber")
    assert read.identity["names"] == names
    assert read.identity["languages"] == ["ar", "fr"]
    assert read.profile["history"][0]["exploitation"] == ["ForcedLabour"]
    assert world.post(f"/v1/cases/{case}/portability", "sofia", None).status_code == 404


def test_everything_that_was_asked_goes_with_the_case(world):
    """Requests, objections and complaints, their keys and their deadlines."""
    case = world.open("cara")
    reference = world.get(f"/v1/cases/{case}", "cara").json()["reference"]
    first = ask(world, case, "objection", identity="code_word", purpose="statistics").json()["id"]
    decided(world, first)
    body = {"asker": "survivor", "words": "Made up", "case": reference}
    second = world.post("/v1/complaints", "cara", body).json()["id"]
    asked = world.post(f"/v1/cases/{case}/erasure", "sue", {"reason": "request"}).json()["id"]
    assert decide(world, "dora", asked).status_code == 200
    assert listed(world, first) is None
    complaints = world.get("/v1/complaints", "dora").json()["items"]
    assert second not in {one["id"] for one in complaints}
    assert waits(world, "dora", first) == waits(world, "dora", second) == []
    with world.vault.stores.keyring.reading() as tx:
        assert matters.kinds_of(tx, UUID(case)) == set()
        for one in (first, second):
            assert tx.lookups(tables.deadline, id=UUID(one)) == []
    direct = {"case": case, "right": "access", "asker": "survivor", "words": "Made up"}
    assert world.post("/v1/rights", "dora", direct).status_code == 404


def test_a_complaint_about_no_case_goes_a_year_after_its_answer(sqlite_world):
    """One that is not answered stays."""
    world = sqlite_world
    stores, body = world.vault.stores, {"asker": "survivor", "words": "Made up"}
    made = [world.post("/v1/complaints", "cara", body).json()["id"] for _ in range(2)]
    answer = world.post(f"/v1/complaints/{made[0]}/answer", "dora", {"words": "Made up"})
    assert answer.status_code == 204
    with stores.keyring.writing() as tx:
        one = matters.find(tx, UUID(made[0]), Kind.COMPLAINT, lock=True)
        matters.change(tx, replace(one, at=one.at - 366 * 86_400))
    assert matters.sweep(stores) >= 1
    left = {one["id"] for one in world.get("/v1/complaints", "dora").json()["items"]}
    assert left & set(made) == {made[1]}
