"""Alerts over HTTP: found by the watch, sealed to auditors, reviewed by the right people only."""

from __future__ import annotations

import sys
import time
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import delete, func, select

from casevault import bootstrap
from casevault.crypto.principals import is_raw_signature
from casevault.domain.watching.limits import Limits
from casevault.errors import Misconfigured, NotFound
from casevault.ledger import sample
from casevault.ledger.entry import parse_leaf
from casevault.ledger.note import VerifierKey, unverified_checkpoint, verify_note
from casevault.ledger.sample import Week
from casevault.services.audit.notifying import Notifier
from casevault.services.audit.watching import limits_of
from casevault.store.audit import audit_records
from casevault.store.audit.audit_records import ALERT
from casevault.store.engine import tables
from casevault.store.log import exporting, tree
from tests.api.copies import a_world
from tests.api.shared import made_when_asked_for
from tests.api.world import unknown_id

ALERTS = "/v1/ledger/alerts"
# People whose guessing one run of the rules finds: each run goes through the log of a day.
AT_ONCE = 4


@pytest.fixture(scope="module")
def worlds(make_databases, tmp_path_factory):
    """Give worlds of this file's own: in one that others filled the rules have much to read."""
    yield from made_when_asked_for(make_databases, tmp_path_factory, {})


def watched(world):
    """Run the rules now; return what is new."""
    world.entries()
    return bootstrap.watch(world.settings, world.vault.stores).run()


def probing(world, number=8):
    """Let somebody new try ids of cases they cannot open; return the login."""
    login = world.person()
    for case in cases_of_colin(world, number):
        assert world.get(f"/v1/cases/{case}/identity", login).status_code == 404
    return login


def cases_of_colin(world, number):
    """Return cases that nobody here has a key to but him; every guesser tries the same ones."""
    kept = world.__dict__.setdefault("_of_colin", [])
    while len(kept) < number:
        kept.append(world.open("colin"))
    return kept[:number]


def alerts_of(world, login, rule=None, by="ada"):
    """Return the alerts about somebody, of one rule or all."""
    return [one for one in alerts(world, rule, by) if world.staff[login] in one["actors"]]


def alerts(world, rule=None, by="ada"):
    """Return every alert, of one rule or all."""
    found, cursor = [], None
    while True:
        params = ({"rule": rule} if rule else {}) | ({"cursor": cursor} if cursor else {})
        page = world.get(ALERTS, by, params=params)
        assert page.status_code == 200, page.text
        found += page.json()["items"]
        cursor = page.json()["cursor"]
        if cursor is None:
            return found


def step(world, alert, to, note="Made-up note: asked her supervisor.", by="ada", **kwargs):
    """Move a review on, at the version that is there now."""
    tag = kwargs.pop("etag", None)
    if tag is None:
        tag = world.get(f"{ALERTS}/{alert}", "ada").headers["etag"]
    body = {"to": to, "note": note}
    return world.post(f"{ALERTS}/{alert}/steps", by, body, headers={"If-Match": tag}, **kwargs)


def decide(world, wish, by="dora", approve=True):
    """Answer what waits for a second person; return the status."""
    path = f"/v1/approvals/{wish}/decision"
    return world.post(path, by, {"approve": approve}).status_code


def second_auditor(world):
    """Return another auditor who can open what auditors open."""
    if not hasattr(world, "_second_auditor"):
        login = world.person(roles=("auditor",), team=None, by="dora")
        path = f"/v1/staff/{world.staff[login]}/regrants"
        assert world.post(path, "ada", None).status_code in (200, 201)
        world._second_auditor = login
    return world._second_auditor


@pytest.fixture
def alert(world):
    """Give an alert about somebody who guesses ids: (alert, login)."""
    waiting = world.__dict__.setdefault("_alerts", [])
    if not waiting:
        waiting += found_at_once(world)
    return waiting.pop()


def found_at_once(world):
    """Let several people guess ids; return the one alert about each, found by one run."""
    logins = [probing(world) for _ in range(AT_ONCE)]
    watched(world)
    every = alerts(world, "id-probing")
    made = []
    for login in logins:
        (found,) = (one for one in every if world.staff[login] in one["actors"])
        made.append((found, login))
    return made


def test_a_look_that_should_not_have_been_is_found(world, alert):
    """The rule, the person, the cases and the places in the log; once, however often it runs."""
    found, login = alert
    assert (found["rule"], found["state"], found["count"]) == ("id-probing", "open", 8)
    assert len(found["cases"]) == len(found["positions"]) == 8
    entries = world.entries(actor=world.staff[login], outcome="4")
    assert {one["position"] for one in entries} >= set(found["positions"])
    assert [one for one in watched(world) if one.key == world.staff[login]] == []
    assert len(alerts_of(world, login, "id-probing")) == 1
    raised = world.entries(subject=found["id"], code="alert.raise")
    assert [one["rule"] for one in raised] == ["alert:id-probing"]


def test_what_is_found_is_sealed_to_the_auditors(world, alert):
    """The table holds no word of it, and nobody else opens it or is told of it."""
    found, login = alert
    stores = world.vault.stores
    with stores.data.reading() as connection:
        rows = connection.execute(select(tables.audit_record)).mappings().all()
    for row in rows:
        for word in (world.staff[login], "id-probing"):
            assert word.encode() not in bytes(row["sealed"])
            assert UUID(world.staff[login]).bytes not in bytes(row["sealed"])
    for other in ("sue", "dora", "adi", "cara"):
        assert world.get(ALERTS, other).status_code == 403
        keys = world.vault.sessions.authenticate(world.token(other)).keys
        with pytest.raises(NotFound):
            audit_records.read(stores, keys, ALERT, UUID(found["id"]))
    with stores.keyring.reading() as tx:
        service = audit_records.own_holder(stores, tx)
    with pytest.raises(NotFound):
        audit_records.read(stores, service, ALERT, UUID(found["id"]))


def test_people_are_called_with_a_rule_and_a_count_only(world, tmp_path):
    """The command of the programme gets two words that say nothing about anybody."""
    said = tmp_path / "said"
    script = "import sys; open(sys.argv[1], 'a').write(' '.join(sys.argv[2:]) + '\\n')"
    command = (sys.executable, "-c", script, str(said))
    probing(world)
    world.entries()
    settings = world.settings.model_copy(update={"notify_command": command})
    bootstrap.watch(settings, world.vault.stores).run()
    until = time.monotonic() + 30
    while time.monotonic() < until and not (
        said.exists() and "alert-id-probing" in said.read_text()
    ):
        time.sleep(0.02)
    for line in said.read_text().splitlines():
        kind, count = line.split()
        assert kind.startswith("alert-")
        assert count.isdecimal()
    assert Notifier(()).alert("x", 1) is None


def test_a_review_goes_its_way(world, alert):
    """open, in_review, needs_info and back, justified, closed; each step with its note, sealed."""
    found, _ = alert
    for to in ("in_review", "needs_info", "in_review", "justified", "closed"):
        answer = step(world, found["id"], to)
        assert answer.status_code == 200, answer.text
        assert answer.json()["alert"]["state"] == to
    shown = world.get(f"{ALERTS}/{found['id']}", "ada").json()
    assert [one["to"] for one in shown["steps"]][-2:] == ["justified", "closed"]
    assert {one["by"] for one in shown["steps"]} == {world.staff["ada"]}
    assert world.get(ALERTS, "ada", params={"state": "closed"}).json()["items"]
    with world.vault.stores.data.reading() as connection:
        for row in connection.execute(select(tables.audit_record.c.sealed)).scalars():
            assert b"supervisor" not in bytes(row)


def test_steps_that_do_not_follow_are_refused(world, alert):
    """409 for a jump, 422 without a note where one is owed, 428 and 412 for versions."""
    found, _ = alert
    assert step(world, found["id"], "closed").json()["code"] == "review.step"
    assert step(world, found["id"], "in_review", note="").status_code == 200
    assert step(world, found["id"], "noise", note="").json()["code"] == "review.note"
    assert step(world, found["id"], "noise", etag='"v1"').status_code == 412
    path, body = f"{ALERTS}/{found['id']}/steps", {"to": "noise", "note": "x"}
    assert world.post(path, "ada", body).status_code == 428
    assert step(world, found["id"], "gone").status_code == 422
    assert world.get(f"{ALERTS}/{unknown_id()}", "ada").status_code == 404
    assert world.get(f"{ALERTS}/{found['id']}", "ada").json()["state"] == "in_review"


def test_a_violation_needs_a_second_person(world, alert):
    """Asked for by the auditor, approved by the DPO, who sees the rule; then it can be said."""
    found, login = alert
    assert step(world, found["id"], "in_review").status_code == 200
    asked = step(world, found["id"], "violation")
    assert asked.status_code == 200, asked.text
    wish = asked.json()["waits_for"]
    assert asked.json()["alert"]["state"] == "in_review"
    again = step(world, found["id"], "violation")
    assert (again.status_code, again.json()["code"]) == (403, "approval.missing")
    for by, status in (("ada", 403), ("cara", 403), ("sue", 403)):
        assert decide(world, wish, by) == status, by
    (shown,) = [
        one for one in world.get("/v1/approvals", "dora").json()["items"] if one["id"] == wish
    ]
    assert shown["parameters"]["rule"] == "id-probing"
    assert shown["involved"] == [world.staff[login]]
    assert (
        world.post(f"/v1/approvals/{wish}/decision", "dora", {"approve": True}).status_code == 200
    )
    done = step(world, found["id"], "violation")
    assert done.json()["alert"]["state"] == "violation"
    waiting = world.get("/v1/approvals", "dora").json()["items"]
    assert wish not in {one["id"] for one in waiting}
    assert step(world, found["id"], "closed").status_code == 200


def test_a_violation_that_was_declined_is_none(world, alert):
    """The second person's no stands; the review ends otherwise."""
    found, _ = alert
    assert step(world, found["id"], "in_review").status_code == 200
    wish = step(world, found["id"], "violation").json()["waits_for"]
    assert (
        world.post(f"/v1/approvals/{wish}/decision", "dora", {"approve": False}).status_code == 200
    )
    assert step(world, found["id"], "violation").json()["code"] == "approval.declined"
    assert step(world, found["id"], "justified").status_code == 200


def test_nobody_reviews_their_own_access(world):
    """An auditor who asked about themselves is found, and another auditor looks at it."""
    other = second_auditor(world)
    world.entries(by=other, actor=world.staff[other])
    watched(world)
    (found,) = alerts_of(world, other, "own-trace")
    answer = step(world, found["id"], "in_review", by=other)
    assert (answer.status_code, answer.json()["code"]) == (403, "refused.self")
    denied = world.entries(actor=world.staff[other], code="authz.deny")
    assert denied[0]["rule"] == "deny:self"
    assert step(world, found["id"], "in_review").status_code == 200


def test_a_review_is_opened_by_hand(world):
    """Of entries that an auditor came upon; whose they are is read from the entries."""
    case = world.open("cara")
    entry = world.entries(case=case)[0]
    body = {
        "month": entry["recorded"][:7],
        "positions": [entry["position"]],
        "note": "Why at night?",
    }
    made = world.post("/v1/ledger/reviews", "ada", body)
    assert made.status_code == 201, made.text
    assert made.json()["actors"] == [world.staff["cara"]]
    assert made.json()["steps"][0]["note"] == "Why at night?"
    unknown = {**body, "positions": [10**9]}
    assert world.post("/v1/ledger/reviews", "ada", unknown).status_code == 404
    for bad in ({"positions": []}, {"note": ""}, {"month": "2026-13"}):
        assert world.post("/v1/ledger/reviews", "ada", {**body, **bad}).status_code == 422


def test_a_days_numbers_are_kept_for_the_service_alone(world):
    """When a day is over its tallies are sealed, and the rules count on them the day after."""
    login = world.person()
    for _ in range(3):
        assert world.get(f"/v1/cases/{world.open(login)}/identity", login).status_code == 200
    world.entries()
    stores = world.vault.stores
    with world.later(days=1, minutes=20):
        if f"{stores.clock.now():%Y-%m}" not in {m.month for m in stores.months.kept()}:
            stores.months.current()
        watch = bootstrap.watch(world.settings, stores)
        watch.run()
    day = (stores.clock.now()).date()
    record = audit_records.id_for(stores, audit_records.TALLY, day.isoformat())
    with stores.keyring.reading() as tx:
        keys = audit_records.own_holder(stores, tx)
    found = audit_records.read(stores, keys, audit_records.TALLY, record)
    assert found.content[world.staff[login]][0] == 3
    ada = world.vault.sessions.authenticate(world.token("ada")).keys
    with pytest.raises(NotFound):
        audit_records.read(stores, ada, audit_records.TALLY, record)
    with stores.data.writing() as connection:
        connection.execute(delete(tables.audit_record).where(tables.audit_record.c.id == record))


def test_records_end_with_their_keys(world, alert):
    """Past its date, the row and every grant of it are gone; the erasure is an entry."""
    found, _ = alert
    stores = world.vault.stores
    due = stores.clock.now().date() + timedelta(days=800)
    assert audit_records.erase_due(stores, due) >= 1
    # The others ended too; what is found again would have been raised twice.
    world._alerts.clear()
    assert world.get(f"{ALERTS}/{found['id']}", "ada").status_code == 404
    assert world.entries(code="audit.erase")
    with stores.data.reading() as connection:
        count = select(func.count()).select_from(tables.audit_record)
        left = connection.execute(count.where(tables.audit_record.c.kind == ALERT)).scalar()
    assert left == 0


def test_limits_come_from_the_configuration_within_their_range(world):
    """One that would switch a rule off stops the service from starting, with a sentence."""
    assert limits_of({"probes": 50}) == replace(Limits(), probes=50)
    for bad in ({"probes": 1000}, {"nothing": 1}):
        with pytest.raises(Misconfigured):
            bootstrap.watch(
                world.settings.model_copy(update={"alert_limits": bad}), world.vault.stores
            )


def test_one_worker_in_its_turn(make_databases, tmp_path):
    """A process that began just now waits; of two that are due, one runs.

    In a world of its own: in the last hour of a day that is over then, and found nothing in again.
    """
    world = a_world(make_databases("sqlite"), tmp_path)
    probing(world)
    world.entries()
    one, two = (bootstrap.watch(world.settings, world.vault.stores) for _ in range(2))
    assert one.run_if_due() == 0
    with world.later(hours=1, seconds=1):
        first = one.run_if_due()
        assert first >= 1
        assert two.run_if_due() == 0
    world.close()


def test_looking_for_one_person_is_found(world):
    """Many searches over the real search, and nothing that was found is opened."""
    login = world.person()
    for n in range(13):
        body = {"name": f"Nobody Known-Madeup {n}", "birth_year": 1990}
        answer = world.post("/v1/search", login, body)
        assert answer.status_code == 200, answer.text
    watched(world)
    (found,) = alerts_of(world, login, "search-without-opening")
    assert found["count"] == 13


# --- the weekly sample ----------------------------------------------------------------------------


def leaves_of(world):
    """Return every leaf, as an outsider reads it from an export."""
    stores = world.vault.stores
    with stores.data.reading() as connection:
        size = tree.head(connection).size
    chunks = exporting.stored(stores.data, 0, size)
    return [parse_leaf(leaf) for chunk in chunks for leaf in chunk]


def test_the_sample_is_drawn_once_and_anybody_can_repeat_it(world):
    """From the first checkpoint that covers the week: 2 %, rounded up, of what is not `system`."""
    world.entries()
    week = Week.before(world.clock.now() + timedelta(days=7))
    early = world.post("/v1/ledger/samples", "ada", {"week": week.name})
    assert (early.status_code, early.json()["code"]) == (409, "sample.early")
    with world.later(days=7):
        token = {"Authorization": f"Bearer {world.sign_in('ada')}"}
        body = {"week": week.name}
        drawn = world.post("/v1/ledger/samples", "ada", body, headers=token).json()["items"]
        again = world.post("/v1/ledger/samples", "ada", body, headers=token).json()["items"]
    assert [one["id"] for one in drawn] == [one["id"] for one in again]
    note = drawn[0]["checkpoint"].encode()
    key = world.vault.checkpoints.verifier_key
    assert verify_note(note, key.name, key.public, is_raw_signature)
    head = unverified_checkpoint(note)
    leaves = leaves_of(world)[: head.size]
    among = [n for n, leaf in enumerate(leaves) if week.holds(leaf)]
    mine = sample.draw(head, week, among)
    assert sorted(p for one in drawn for p in one["positions"]) == list(mine)
    assert len(mine) == -(-len(among) * 2 // 100) >= 1
    own = [one for one in drawn if world.staff["ada"] in one["actors"]]
    for one in own:
        answer = step(world, one["id"], "in_review")
        assert answer.json()["code"] == "refused.self"


@pytest.mark.parametrize("week", ["2026-W54", "2026-47", "soon", ""])
def test_a_week_has_a_name(sqlite_world, week):
    """Anything else is refused."""
    assert sqlite_world.post("/v1/ledger/samples", "ada", {"week": week}).status_code == 422


# --- signing off ----------------------------------------------------------------------------------


def test_a_sign_off_is_a_note_that_outsiders_check(world, alert):
    """Signed by the auditor's own key; period, checkpoints, counts per rule, what is open."""
    found, _ = alert
    day = world.clock.now().date()
    with world.later(days=1):
        token = {"Authorization": f"Bearer {world.sign_in('ada')}"}
        body = {"first": (day - timedelta(days=6)).isoformat(), "last": day.isoformat()}
        made = world.post("/v1/ledger/sign-offs", "ada", body, headers=token)
        assert made.status_code == 201, made.text
        listed = world.get("/v1/ledger/sign-offs", "ada", headers=token).json()["items"]
        for_dpo = {"Authorization": f"Bearer {world.sign_in('dora')}"}
        assert world.get("/v1/ledger/sign-offs", "dora", headers=for_dpo).json()["items"] == listed
    assert made.json() in listed
    key = VerifierKey.parse(made.json()["key"])
    note = made.json()["note"].encode()
    text = verify_note(note, key.name, key.public, is_raw_signature).decode()
    lines = text.splitlines()
    assert lines[0] == "casevault/1/sign-off"
    assert f"period {body['first']} {body['last']}" in lines
    assert f"auditor {world.staff['ada']}" in lines
    assert any(line.startswith("raised id-probing ") for line in lines)
    assert f"open {found['id']}" in lines
    (to,) = [line for line in lines if line.startswith("to ")]
    assert int(to.split()[1]) > 0
    with world.vault.stores.keyring.reading() as tx:
        ada = world.vault.stores.trust.public_keys(tx, UUID(world.staff["ada"]))
    assert key.public == ada.sign
    altered = note.replace(b"raised id-probing ", b"raised id-probing 9")
    with pytest.raises(Exception, match="ledger"):
        verify_note(altered, key.name, key.public, is_raw_signature)


@pytest.mark.parametrize(
    ("first", "last"),
    [("2026-02-01", "2026-01-01"), ("2024-01-01", "2026-01-01"), ("2099-01-01", "2099-01-02")],
)
def test_a_period_is_over_and_not_longer_than_a_year(sqlite_world, first, last):
    """Nobody signs for days to come."""
    answer = sqlite_world.post("/v1/ledger/sign-offs", "ada", {"first": first, "last": last})
    assert (answer.status_code, answer.json()["code"]) == (422, "sign-off.period")
