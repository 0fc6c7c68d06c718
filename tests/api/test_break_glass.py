"""Breaking the glass: asked for, approved or opened on duty, marked, ended, reviewed."""

from __future__ import annotations

import sys
import time
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import select

from casevault.domain.staff.granting import PrincipalKind
from casevault.services.audit.notifying import Notifier
from casevault.services.casework.emergencies import Emergencies
from casevault.services.staff.approvals import Approvals
from casevault.store.casework import dossiers
from casevault.store.casework.dossiers import Notice
from casevault.store.context.caller import Gate
from casevault.store.engine import keyring_tables
from casevault.store.keys import principals
from casevault.store.recovery import sweeping
from tests.api.world import NORTH, SOUTH, bearer, unknown_id

REASON = "Obviously made-up ambulance at two in the morning"


def ask(world, case, by, **extra):
    """Ask to open a case in an emergency."""
    return world.post("/v1/break-glass", by, {"case": case, "reason": REASON, **extra})


def decide(world, asked, by="sue", approve=True):
    """Approve or decline a request."""
    path = f"/v1/approvals/{asked.json()['id']}/decision"
    return world.post(path, by, {"approve": approve})


def reads(world, case, by, **kwargs):
    """Return the status with which somebody reads the narrative of a case."""
    return world.get(f"/v1/cases/{case}/profile", by, **kwargs).status_code


def listed(world, asked, by="dora"):
    """Return an emergency as somebody sees it in the list, or None."""
    items = world.get("/v1/break-glass", by).json()["items"]
    return next((one for one in items if one["id"] == asked.json()["id"]), None)


def review(world, asked, by="dora", **kwargs):
    """Say what the DPO found."""
    body = {"outcome": "justified", "note": "Made-up note about the ambulance"}
    return world.post(f"/v1/break-glass/{asked.json()['id']}/review", by, body, **kwargs)


def on_duty(world, *logins):
    """Say who is on call in the north."""
    body = {"members": [world.staff[login] for login in logins]}
    answer = world.post(f"/v1/teams/{world.team(NORTH)}/duty", "sue", body)
    assert answer.status_code == 200, answer.text
    return answer.json()


def items(world, by, case):
    """Return what stands on somebody's worklist about a case, in a session that is new."""
    found = world.worklist(by, headers=bearer(world.sign_in(by)))
    return [one["type"] for one in found if one["case_id"] == case]


@pytest.fixture
def asker(world):
    """Give a caseworker of the north without any case."""
    return world.person()


@pytest.fixture
def case(world):
    """Open a case of cara's."""
    return world.open("cara")


def test_an_approval_opens_the_case_for_three_hours(world, asker, case):
    """Asking gives nothing; a supervisor's yes does; the end is kept without anybody's help."""
    reference = world.get(f"/v1/cases/{case}", "cara").json()["reference"]
    asked = ask(world, reference.lower(), asker)
    assert asked.status_code == 201, asked.text
    assert asked.json()["state"] == "asked"
    assert reads(world, case, asker) == 404
    assert decide(world, asked, asker).status_code == 403
    assert decide(world, asked, "sid").status_code == 403
    assert decide(world, asked).status_code == 200
    assert reads(world, case, asker) == 200
    access = world.get(f"/v1/cases/{case}/access", asker).json()["items"]
    assert {one["rule"] for one in access} == {"permit:break-glass"}
    assert decide(world, asked).status_code == 404
    with world.later(hours=3, seconds=5):
        token = bearer(world.sign_in(asker))
        assert reads(world, case, asker, headers=token) == 404
        sweeping.sweep(world.vault.stores)
        assert sorted(items(world, "cara", case)) == ["break_glass", "rekey"]


def test_only_the_compartments_that_were_asked_for_open(world, asker, case):
    """Allergies need no name."""
    asked = ask(world, case, asker, compartments=["narrative"])
    assert decide(world, asked).status_code == 200
    assert reads(world, case, asker) == 200
    assert world.get(f"/v1/cases/{case}/identity", asker).status_code == 404


def test_every_look_inside_is_marked(world, asker, case):
    """Reads, lists and writes of the person in the box; the owner's own reads are not."""
    assert decide(world, ask(world, case, asker)).status_code == 200
    own = world.open(asker)
    assert reads(world, case, asker) == 200
    assert world.get("/v1/cases", asker).status_code == 200
    note = {"content": {"type": "visit", "date": "2026-11-20", "text": "Made up."}}
    assert world.post(f"/v1/cases/{case}/notes", asker, note).status_code == 201
    assert reads(world, own, asker) == 200
    assert reads(world, case, "cara") == 200
    actor = world.staff[asker]
    about = world.entries(case=case)
    rules = {(one["code"], one["rule"]) for one in about if one["actor_id"] == actor}
    assert {
        (code, "permit:break-glass") for code in ("case.read", "case.list", "note.add")
    } <= rules
    mine = {one["rule"] for one in world.entries(case=own) if one["actor_id"] == actor}
    assert "permit:break-glass" not in mine
    owners = {one["rule"] for one in about if one["actor_id"] == world.staff["cara"]}
    assert "permit:break-glass" not in owners
    (start,) = [one for one in about if one["code"] == "breakglass.start"]
    assert start["rule"] == "permit:approved"


def test_new_keys_do_not_wash_the_mark_off(world, asker, case):
    """Who still has an hour left after a re-keying is still in the box."""
    world.assign(case, "stra")
    assert decide(world, ask(world, case, asker)).status_code == 200
    gone = world.call("DELETE", f"/v1/cases/{case}/grants/{world.staff['stra']}", "sue")
    assert gone.status_code == 200
    access = world.get(f"/v1/cases/{case}/access", asker).json()["items"]
    assert {one["rule"] for one in access} == {"permit:break-glass"}


def test_a_cover_does_not_pass_an_emergency_on(world, asker, case):
    """What was opened for three hours stays with the one for whom it was opened."""
    other = world.person()
    assert decide(world, ask(world, case, asker)).status_code == 200
    until = (world.clock.now() + timedelta(days=7)).isoformat()
    body = {"staff_id": world.staff[asker], "by": world.staff[other], "until": until}
    assert world.post("/v1/covers", "sue", body).status_code in (200, 201)
    assert reads(world, case, other) == 404


def test_the_reason_is_for_oversight_and_dpo_only(world, asker, case):
    """It stands nowhere in the clear, and the asker cannot read it back."""
    asked = ask(world, case, asker)
    assert listed(world, asked, "sue")["reason"] == REASON
    assert listed(world, asked, "dora") is None
    assert listed(world, asked, "sid") is None
    assert world.get("/v1/break-glass", asker).status_code == 403
    assert decide(world, asked).status_code == 200
    seen = listed(world, asked)
    assert (seen["reason"], seen["state"]) == (REASON, "open")
    assert (seen["asked_by"], seen["opened_by"]) == (world.staff[asker], world.staff["sue"])
    assert seen["reference"] == world.get(f"/v1/cases/{case}", "cara").json()["reference"]
    stores = world.vault.stores
    with stores.keyring.database.reading() as connection:
        rows = connection.execute(select(keyring_tables.break_glass.c.sealed)).scalars().all()
    assert rows
    assert all(REASON.encode() not in bytes(row) for row in rows)
    with stores.keyring.reading() as tx:
        kept = dossiers.find(tx, dossiers.all_(tx)[-1].id)
    assert REASON.encode() not in kept.reason


def test_a_request_is_over_after_an_hour(world, asker, case):
    """Nobody approves it any more, and the sweep forgets it with its reason."""
    asked = ask(world, case, asker)
    assert ask(world, case, asker).json()["code"] == "break-glass.asked"
    with world.later(minutes=61):
        token = bearer(world.sign_in("sue"))
        path = f"/v1/approvals/{asked.json()['id']}/decision"
        assert world.confirm("sue", token["Authorization"]).status_code == 200
        answer = world.post(path, "sue", {"approve": True}, headers=token)
        assert answer.json()["code"] == "approval.expired"
        assert dossiers.sweep(world.vault.stores) >= 1
        with world.vault.stores.keyring.reading() as tx:
            assert asked.json()["id"] not in {str(one.id) for one in dossiers.all_(tx)}
    assert reads(world, case, asker) == 404


def test_who_declines_ends_it(world, asker, case):
    """The request is gone, and may be made again."""
    asked = ask(world, case, asker)
    assert decide(world, asked, approve=False).status_code == 200
    assert listed(world, asked, "sue") is None
    assert ask(world, case, asker).status_code == 201
    assert reads(world, case, asker) == 404


def test_nobody_reaches_beyond_their_team(world, asker):
    """Another team's case, an unknown one and a wrong reference give one answer."""
    foreign = world.open("sofia")
    reference = world.get(f"/v1/cases/{foreign}", "sofia").json()["reference"]
    answers = [ask(world, one, asker) for one in (foreign, reference, unknown_id(), "CV-NOTHING")]
    assert {one.status_code for one in answers} == {404}
    assert len({one.json()["code"] for one in answers}) == 1
    assert ask(world, foreign, "dora").status_code == 403


def test_who_holds_the_case_has_no_need(world, case):
    """Neither the owner nor the team's supervisor breaks anything."""
    for login in ("cara", "sue"):
        assert ask(world, case, login).json()["code"] == "break-glass.held"


def test_nobody_whom_the_survivor_refused_gets_in(world, asker, case):
    """Neither by an approval nor on duty."""
    body = {"staff_id": world.staff[asker], "content": {"reason": "made up"}}
    assert world.post(f"/v1/cases/{case}/refused-staff", "cara", body).status_code == 201
    asked = ask(world, case, asker)
    assert decide(world, asked).json()["code"] == "assign.refused-staff"
    assert decide(world, asked, approve=False).status_code == 200
    on_duty(world, asker)
    assert ask(world, case, asker).json()["code"] == "assign.refused-staff"
    assert reads(world, case, asker) == 404
    on_duty(world)


def test_on_duty_opens_at_once_and_nothing_before(world, asker, case):
    """Membership alone opens no case; breaking the glass does, with the same trail."""
    assert on_duty(world, asker)["left"] == 0
    later = world.open("cara")
    for one in (case, later):
        assert reads(world, one, asker) == 404
        opened = ask(world, one, asker)
        assert (opened.status_code, opened.json()["state"]) == (201, "open")
        assert reads(world, one, asker) == 200
        rules = {(e["code"], e["rule"]) for e in world.entries(case=one)}
        assert ("breakglass.start", "permit:duty") in rules
        assert ("case.read", "permit:break-glass") in rules
        assert "break_glass" in items(world, "cara", one)
        assert "break_glass" not in items(world, asker, one)
    assert on_duty(world)["members"] == []
    third = world.open("cara")
    assert ask(world, third, asker).json()["state"] == "asked"


def test_only_the_teams_supervisor_says_who_is_on_duty(world, asker):
    """And only colleagues of the team are."""
    path, body = f"/v1/teams/{world.team(NORTH)}/duty", {"members": [world.staff[asker]]}
    for login in ("sid", "cara", "adi", "dora"):
        assert world.post(path, login, body).status_code == 403
    for stranger in ("sofia", "uma", "ada"):
        answer = world.post(path, "sue", {"members": [world.staff[stranger]]})
        assert answer.json()["code"] == "assign.team"


def test_the_dpo_reviews_once_and_after_the_end(world, asker, case):
    """The note is sealed; a second review, an early one and another role are refused."""
    asked = ask(world, case, asker)
    assert decide(world, asked).status_code == 200
    assert review(world, asked).json()["code"] == "break-glass.not-over"
    assert review(world, asked, "sue").status_code == 403
    with world.later(hours=4):
        token = bearer(world.sign_in("dora"))
        assert world.confirm("dora", token["Authorization"]).status_code == 200
        assert review(world, asked, headers=token).status_code == 204
        again = review(world, asked, headers=token)
        assert again.json()["code"] == "break-glass.reviewed"
    assert listed(world, asked) is None
    codes = {one["code"] for one in world.entries(case=case)}
    assert "breakglass.review" in codes


def test_a_review_that_is_late_raises_an_alert_once(world, asker, case):
    """After 72 hours, on the ledger and by the command, which learns a kind and a count."""
    asked = ask(world, case, asker)
    assert decide(world, asked).status_code == 200
    stores, told = world.vault.stores, []

    def tell(notice, count):
        told.append((notice, count))

    dossiers.notices(stores, tell)
    assert [notice for notice, _ in told].count(Notice.OPENED) == 1
    told.clear()
    dossiers.notices(stores, tell)
    assert told == []
    with world.later(hours=71):
        assert dossiers.alarm(stores) == 0
    with world.later(hours=73):
        late = dossiers.alarm(stores)
        assert late >= 1
        assert dossiers.alarm(stores) == 0
        dossiers.notices(stores, tell)
    assert told[0][0] is Notice.OVERDUE
    alerts = [one for one in world.entries(case=case) if one["code"] == "breakglass.overdue"]
    assert len(alerts) == 1


def test_a_programme_can_be_closed_to_it(world, asker, case):
    """Neither asking nor approving what was asked before opens anything then."""
    asked = ask(world, case, asker)
    stores = world.vault.stores
    gate = Gate(stores, world.settings.minimum_assurance)
    vault = replace(
        world.vault,
        emergencies=Emergencies(stores, gate, closed=True),
        approvals=Approvals(stores, gate, break_glass_closed=True),
    )
    app = world.client.app
    app.state.vault = vault
    try:
        assert ask(world, world.open("cara"), asker).json()["code"] == "break-glass.closed"
        assert decide(world, asked).json()["code"] == "break-glass.closed"
    finally:
        app.state.vault = world.vault
    assert reads(world, case, asker) == 404


def test_the_command_learns_a_kind_and_a_count(tmp_path):
    """No shell, no environment of ours, and nobody waits for it."""
    out = tmp_path / "called"
    code = (
        "import os, sys; out = ' '.join(sys.argv[2:]) + str('HOME' in os.environ);"
        "open(sys.argv[1], 'w').write(out)"
    )
    Notifier((sys.executable, "-c", code, str(out))).tell(Notice.OVERDUE, 2)
    until = time.monotonic() + 10
    while time.monotonic() < until and not (out.exists() and out.read_text()):
        time.sleep(0.02)
    assert out.read_text() == "break-glass-overdue 2False"


def test_a_command_that_hangs_or_is_not_there_stops_nobody(tmp_path):
    """`tell` returns at once, whatever becomes of the command."""
    began = time.monotonic()
    Notifier(("/nonexistent/made-up",)).tell(Notice.ASKED, 1)
    Notifier((sys.executable, "-c", "import time; time.sleep(30)"), 0.2).tell(Notice.ASKED, 1)
    Notifier(()).tell(Notice.ASKED, 1)
    assert time.monotonic() - began < 5


def test_a_duty_group_without_a_vouch_stops_no_case(world):
    """Being on call is optional; opening a case is not."""
    body = {"members": [world.staff["sofia"]]}
    assert world.post(f"/v1/teams/{world.team(SOUTH)}/duty", "sid", body).status_code == 200
    with world.vault.stores.keyring.writing() as tx:
        (group,) = principals.groups(tx, PrincipalKind.DUTY, UUID(world.team(SOUTH)))
        for vouch in principals.vouches_for(tx, group.id):
            revoked_at = world.vault.stores.now() - 1
            principals.add_revocation(tx, vouch.statement.serial, revoked_at)
    holders = world.get(f"/v1/cases/{world.open('sofia')}/grants", "sofia").json()["items"]
    assert "oversight" in {one["kind"] for one in holders}
    assert "duty" not in {one["kind"] for one in holders}
