"""A case passes to another team: given with consent, taken, and never without somebody."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from uuid import UUID

import pytest

from casevault.domain import vocabulary
from casevault.store.case import case_keys
from casevault.store.casework import caseload, rekeying, transferring
from casevault.store.context import intents
from casevault.store.engine import keyring_tables
from casevault.store.keys import grants
from casevault.store.search import cards
from tests.api.test_consents import a_basis, a_consent
from tests.api.world import NORTH, SOUTH, an_identity, unknown_id

WHOLE = list(vocabulary.code_list("data_category"))
RARE = "Zephyrine Transferred-Madeup"


def agreed(world, case, by="cara", team=SOUTH, **changes):
    """Record the survivor's consent to a transfer; return the answer."""
    content = a_consent(world, purpose="referral", categories=WHOLE, recipients=[world.team(team)])
    return world.post(f"/v1/cases/{case}/consents", by, {"content": {**content, **changes}})


def given(world, case, by="sue", team=SOUTH):
    """Give a case to another team; return the answer."""
    return world.post(f"/v1/cases/{case}/transfer", by, {"team_id": world.team(team)})


def taken(world, transfer, by="sid"):
    """Take what was given; return the answer."""
    return world.post(f"/v1/transfers/{transfer}/receipt", by, {})


def opens(world, case, login):
    """Say whether somebody reads the identity of a case."""
    return world.get(f"/v1/cases/{case}/identity", login).status_code == 200


def waits(world, by, kind):
    """Return the cases that somebody's worklist names as on their way."""
    items = world.worklist(by)
    return {(item["case_id"], item["record_id"]) for item in items if item["type"] == kind}


def found(world, by, name=RARE):
    """Return the references of the cases that a search finds."""
    hits = world.post("/v1/search", by, {"name": name}).json()["items"]
    return {hit["reference"] for hit in hits}


@pytest.fixture
def case(world):
    """Give a case of cara's, shared with colin, that may go to the south."""
    made = world.open("cara", an_identity(RARE))
    assert world.assign(made, "colin").status_code == 204
    assert agreed(world, made).status_code == 201
    return made


def test_a_case_passes_to_another_team(world, case):
    """One act takes it from everybody here; the other team takes it, assigns it, writes to it."""
    before = world.get(f"/v1/cases/{case}", "cara").json()
    answer = given(world, case)
    assert answer.status_code == 201, answer.text
    transfer = answer.json()["id"]
    for login in ("cara", "colin", "sue"):
        assert not opens(world, case, login)
    assert (case, transfer) in waits(world, "sid", "transfer_in")
    assert (case, transfer) in waits(world, "sue", "transfer_out")
    assert waits(world, "cara", "transfer_out") == set()
    answer = taken(world, transfer)
    assert (answer.status_code, answer.json()) == (200, {"case_id": case}), answer.text
    assert opens(world, case, "sid")
    for login in ("cara", "colin", "sue", "sofia"):
        assert not opens(world, case, login)
    assert (case, transfer) not in waits(world, "sid", "transfer_in")
    assert (case, transfer) not in waits(world, "sue", "transfer_out")
    assert world.assign(case, "sofia", "sid").status_code == 204
    note = {"content": {"type": "visit", "date": "2026-11-20", "text": "Made up."}}
    assert world.post(f"/v1/cases/{case}/notes", "sofia", note).status_code == 201
    after = world.get(f"/v1/cases/{case}", "sofia").json()
    kept = ("reference", "status", "retention_class", "opened_month", "next_review")
    assert [after[name] for name in kept if name in before] == [
        before[name] for name in kept if name in before
    ]
    assert taken(world, transfer).status_code == 404


def test_the_search_card_moves(world, case):
    """Who searched here finds the person no more; in the new team they are found once taken."""
    reference = world.get(f"/v1/cases/{case}", "cara").json()["reference"]
    assert reference in found(world, "cara")
    transfer = given(world, case).json()["id"]
    assert reference not in found(world, "cara")
    taken(world, transfer)
    assert reference in found(world, "sofia")
    assert reference not in found(world, "cara")


def test_an_unlisted_case_stays_unlisted(world):
    """Nobody is found in the new team who was not to be found here."""
    case = world.open("cara", an_identity(RARE), {"unlisted": True})
    agreed(world, case)
    taken(world, given(world, case).json()["id"])
    assert opens(world, case, "sid")
    reference = world.get(f"/v1/cases/{case}", "sid").json()["reference"]
    assert reference not in found(world, "sofia")


def test_every_step_is_on_the_ledger(world, case):
    """Who gave it, who took it, and which versions the new team began with."""
    taken(world, given(world, case).json()["id"])
    (sent,) = world.entries(case=case, code="case.transfer")
    assert (sent["actor_id"], sent["rule"]) == (world.staff["sue"], "permit:consent")
    for code in ("case.take", "case.move"):
        (entry,) = world.entries(case=case, code=code)
        assert entry["actor_id"] == world.staff["sid"]


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"categories": WHOLE[1:]}, "consent.category"),
        ({"recipients": ["Somebody else (made up)"]}, "consent.recipient"),
        ({"purpose": "case_management"}, "consent.category"),
    ],
)
def test_consent_decides(world, changes, why):
    """Without a consent that names that team and everything, nothing goes, and it is said why."""
    case = world.open()
    agreed(world, case, **changes)
    answer = given(world, case)
    assert (answer.status_code, answer.json()["code"]) == (403, "transfer.consent")
    assert why in {error["code"] for error in answer.json()["errors"]}
    assert opens(world, case, "cara")
    assert case not in {one for one, _ in waits(world, "sid", "transfer_in")}
    rules = {entry["rule"] for entry in world.entries(case=case, code="case.read")}
    assert "refused:transfer.consent" in rules


def test_refused_staff_is_respected(world, case):
    """Whoever leads the other team and was refused by the survivor keeps the case from going."""
    body = {"staff_id": world.staff["sid"], "content": {"reason": "made up"}}
    assert world.post(f"/v1/cases/{case}/refused-staff", "cara", body).status_code == 201
    answer = given(world, case)
    assert (answer.status_code, answer.json()["code"]) == (403, "transfer.refused-staff")
    assert opens(world, case, "cara")


def test_a_waiting_decision_comes_first(world, case):
    """The other team could not decide what was asked in this one."""
    basis = {"content": a_basis(world)}
    assert world.post(f"/v1/cases/{case}/bases", "cara", basis).status_code == 201
    assert given(world, case).json()["code"] == "transfer.waiting"


def test_who_gives_to_whom(world, case):
    """A supervisor of the case's team, to another team that there is; and to nobody twice."""
    assert given(world, case, "cara").status_code == 404
    assert given(world, case, "sid").status_code == 404
    assert given(world, case, team="North team (made up)").json()["code"] == "transfer.same"
    body = {"team_id": unknown_id()}
    assert world.post(f"/v1/cases/{case}/transfer", "sue", body).status_code == 404
    transfer = given(world, case).json()["id"]
    assert given(world, case).status_code == 404
    assert taken(world, transfer, "sue").status_code == 404
    assert taken(world, transfer, "sofia").status_code == 404
    assert taken(world, unknown_id()).status_code == 404
    assert taken(world, transfer).status_code == 200


class Cut(Exception):
    """A machine that stops at this very point."""


def cut(monkeypatch, module, name):
    """Let something stop the first time it is called, and work from then on."""
    real = getattr(module, name)

    def stop(*_args, **_kwargs):
        monkeypatch.setattr(module, name, real)
        raise Cut

    monkeypatch.setattr(module, name, stop)


def test_a_giving_that_was_cut_off_is_finished_by_taking(world, case, monkeypatch):
    """The keys have gone over, the data not yet: the other team finishes it; it is recorded."""
    cut(monkeypatch, rekeying, "finish")
    assert given(world, case).status_code == 500
    assert not opens(world, case, "cara")
    ((_, transfer),) = [one for one in waits(world, "sid", "transfer_in") if one[0] == case]
    assert taken(world, transfer).status_code == 200
    assert opens(world, case, "sid")
    assert world.assign(case, "sofia", "sid").status_code == 204
    monkeypatch.setattr(intents, "LEFT_BEHIND_SECONDS", -60)
    intents.finish_all(world.vault.stores)
    assert len(world.entries(case=case, code="case.transfer")) == 1


@pytest.mark.parametrize("at", ["take_grants", "end"])
def test_a_taking_that_was_cut_off_is_done_again(world, case, monkeypatch, at):
    """Before its first write or before its last one: the same request ends it."""
    transfer = given(world, case).json()["id"]
    cut(monkeypatch, transferring, at)
    assert taken(world, transfer).status_code == 500
    assert (case, transfer) in waits(world, "sid", "transfer_in")
    assert taken(world, transfer).status_code == 200
    stores = world.vault.stores
    with stores.keyring.reading() as tx:
        target = grants.Object(grants.ObjectKind.CASE, UUID(case))
        teams = {str(grant.terms.team) for grant in grants.of_object(tx, target)}
        left = tx.lookups(keyring_tables.intent, object_id=UUID(case))
    assert teams == {world.team(SOUTH)}
    assert left == []
    assert opens(world, case, "sid")


def declined(world, transfer, by="sid", reason="no_capacity"):
    """Give back what was given; return the answer."""
    return world.post(f"/v1/transfers/{transfer}/refusal", by, {"reason": reason})


def test_a_team_gives_a_case_back(world, case):
    """With a reason and new keys: nobody of it opens it any more, nothing in it is lost."""
    before = world.get(f"/v1/cases/{case}/identity", "cara").json()
    reference = world.get(f"/v1/cases/{case}", "cara").json()["reference"]
    transfer = given(world, case).json()["id"]
    for by in ("sue", "sofia", "cara"):
        assert declined(world, transfer, by).status_code == 404
    assert declined(world, transfer, reason="because").status_code == 422
    answer = declined(world, transfer)
    assert answer.status_code == 200, answer.text
    back = answer.json()["id"]
    assert not opens(world, case, "sid")
    assert reference not in found(world, "sofia")
    items = world.worklist("sue")
    (item,) = [one for one in items if one["case_id"] == case]
    assert (item["type"], item["record_id"]) == ("transfer_in", back)
    assert item["returned"] == "no_capacity"
    assert declined(world, transfer).status_code == 404
    assert declined(world, back, "sue").json()["code"] == "transfer.came-back"
    assert taken(world, back, "sue").status_code == 200
    assert world.get(f"/v1/cases/{case}/identity", "sue").json() == before
    assert reference in found(world, "colin")
    assert world.assign(case, "cara").status_code == 204
    assert opens(world, case, "cara")
    (entry,) = world.entries(case=case, code="case.return")
    assert (entry["actor_id"], entry["filters"]) == (world.staff["sid"], ["no_capacity"])
    # It may be given once more: the survivor's word still stands.
    assert given(world, case).status_code == 201


@pytest.mark.parametrize(
    ("module", "name"), [(transferring, "take_grants"), (transferring, "end"), (rekeying, "finish")]
)
def test_a_giving_back_that_was_cut_off(world, case, monkeypatch, module, name):
    """Asked again it ends; or whoever it comes back to takes it and ends it."""
    transfer = given(world, case).json()["id"]
    cut(monkeypatch, module, name)
    assert declined(world, transfer).status_code == 500
    waiting = [one for one in waits(world, "sue", "transfer_in") if one[0] == case]
    if not waiting:
        answer = declined(world, transfer)
        assert answer.status_code == 200, answer.text
        waiting = [(case, answer.json()["id"])]
    assert taken(world, waiting[0][1], "sue").status_code == 200
    assert opens(world, case, "sue")
    assert not opens(world, case, "sid")


def test_taken_and_given_back_at_once(world, case):
    """By two supervisors: one of them is heard, and one team holds it."""
    other = world.person(roles=("supervisor",), team=SOUTH, by="sid")
    transfer = given(world, case).json()["id"]
    for login in ("sid", other):
        world.token(login)
    with ThreadPoolExecutor(2) as pool:
        asked = [pool.submit(taken, world, transfer), pool.submit(declined, world, transfer, other)]
        statuses = sorted(one.result().status_code for one in asked)
    assert statuses[0] == 200
    assert statuses[1] in (404, 409)
    back = [one for one in waits(world, "sue", "transfer_in") if one[0] == case]
    holders = [one for one in ("sue", "sid") if holds_whole(world, case, one)]
    assert holders == (["sue"] if back else ["sid"])
    for _, way in back:
        assert taken(world, way, "sue").status_code == 200
    assert opens(world, case, holders[0])


@pytest.mark.parametrize("seed", [20261126])
def test_no_case_is_stranded_between_teams(world, seed, monkeypatch):
    """Given, taken, given back, each cut off somewhere: a supervisor always holds it whole."""
    chance = random.Random(seed)  # noqa: S311 - which step is cut off, no secret
    case = world.open("cara", an_identity(RARE))
    agreed(world, case, recipients=[world.team(NORTH), world.team(SOUTH)])
    places = [(transferring, "begin"), (transferring, "end"), (transferring, "take_grants")]
    places += [(rekeying, "finish"), (cards, "settle"), (cards, "remove")]
    here, there, way = "sue", "sid", None
    for _ in range(14):
        act = "give" if way is None else chance.choice(("take", "decline"))
        if chance.random() < 0.5:
            cut(monkeypatch, *chance.choice(places))
        for _again in range(2):
            if act == "give":
                given(world, case, here, SOUTH if here == "sue" else NORTH)
            elif act == "take":
                taken(world, way, there)
            else:
                declined(world, way, there)
        holders = [one for one in ("sue", "sid") if holds_whole(world, case, one)]
        assert len(holders) == 1, (act, holders)
        monkeypatch.undo()
        on_way = {one: waits(world, one, "transfer_in") for one in ("sue", "sid")}
        moving = [(one, ids) for one, found_ in on_way.items() for c, ids in found_ if c == case]
        if moving:
            ((there, way),) = moving
            here = "sue" if there == "sid" else "sid"
        else:
            (here,), way = holders, None
            there = "sue" if here == "sid" else "sid"
    if way is not None:
        assert taken(world, way, there).status_code == 200
        here = there
    assert opens(world, case, here)


def holds_whole(world, case, login):
    """Say whether a supervisor's group is granted every compartment under its newest key."""
    stores, target = world.vault.stores, grants.Object(grants.ObjectKind.CASE, UUID(case))
    with stores.keyring.reading() as tx:
        mine = grants.objects_of(tx, grants.ObjectKind.GROUP, [UUID(world.staff[login])])
        newest = {
            name: kept.newest.key_id for name, kept in case_keys.of_case(tx, target.id).items()
        }
        held = {
            carried.compartment: carried.key_id
            for grant in grants.of_object(tx, target, mine)
            for carried in grant.terms.carried
        }
    return held == newest


def test_nobody_of_the_old_team_holds_anything(world, case):
    """Neither a person, nor a group, nor what a cover would have given until a date."""
    # Somebody new: a cover gives every case of cara's, also those of other tests.
    cover = world.person()
    until = (world.clock.now() + timedelta(days=3)).isoformat()
    body = {"staff_id": world.staff["cara"], "by": world.staff[cover], "until": until}
    assert world.post("/v1/covers", "sue", body).status_code == 201
    given(world, case)
    stores = world.vault.stores
    with stores.keyring.reading() as tx:
        for login in ("cara", "colin", cover, "sue"):
            groups = grants.objects_of(tx, grants.ObjectKind.GROUP, [UUID(world.staff[login])])
            held = grants.objects_of(
                tx, grants.ObjectKind.CASE, {UUID(world.staff[login]), *groups}
            )
            assert UUID(case) not in held
            assert UUID(case) not in caseload.own(tx, UUID(world.staff[login]))
