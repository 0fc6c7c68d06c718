"""A release from facts to withdrawal: counted by keys, drawn once, reviewed by two, signed."""

from __future__ import annotations

import csv
import io
import json
from datetime import timedelta
from uuid import UUID

import pytest

from casevault.crypto import releases as signing
from casevault.disclosure import catalogue
from casevault.disclosure.classifications import Tier
from casevault.disclosure.counting import snapshot
from casevault.disclosure.tabulating import tabulate, whole_year
from casevault.disclosure.vault_facts import FactsIntake
from casevault.domain.importing.mapping import Candidate
from casevault.domain.staff.granting import PrincipalKind
from casevault.errors import Misconfigured
from casevault.services.casework.importing import Fate, Source
from casevault.services.counting import reporting
from casevault.store.case.tombstones import Erasure
from casevault.store.counting import counted_imports
from casevault.store.counting.facts_reading import FactsReader
from casevault.store.engine import keyring_tables
from casevault.store.keys import counting_keys, principals
from casevault.store.recovery import identity
from casevault.store.retention import erasing_keys
from tests.api import test_rights as rights
from tests.api.shared import KINDS
from tests.api.test_consents import a_consent, posted
from tests.api.world import NORTH, REPORTER, an_identity, build

REGION = "Made-Up North"
YEARLY = ["people-total", "people-region"]


@pytest.fixture(params=KINDS)
def office(request, make_databases, tmp_path):
    """A world of its own: it moves the clock by months, and has published nothing."""
    made = build(
        make_databases(request.param),
        tmp_path,
        later=("cara",),
        declared_people=500,
        team_regions={NORTH: REGION},
    )
    yield made
    made.close()


def a_case(world, *, agrees=True, **identity):
    """Open a case of somebody who agrees to be counted, or not."""
    case = world.open("cara", an_identity(**identity))
    if agrees:
        until = (world.clock.now() + timedelta(days=400)).date().isoformat()
        posted(world, f"/v1/cases/{case}/consents", a_consent(world, valid_until=until))
    return case


def counted(world, **place):
    """Return exact counts as `services.counting.reporting` has them for a moment: table → array."""
    stores, key = world.vault.stores, bytes(32)
    with stores.keyring.reading() as tx:
        imports = {d.counted.taken_on: d.counted.accepted_on for d in counted_imports.all_(tx)}
        intake = FactsIntake((REGION,), key, world.clock.now().date(), imports)
        reader = FactsReader(stores, *principals.in_use(tx, PrincipalKind.COUNTING))
    unread = 0
    for one in reader.read():
        unread += one.content is None
        if one.content is not None:
            intake.take(one.content, restricted=one.restricted)
    return exact(snapshot(intake.close(), key), world.clock.now().year), unread


def exact(snap, year):
    """Return exact counts of a snapshot: table → array."""
    shipped, found = catalogue.shipped(), {}
    for name in ("people-total", "people-region", "services-gender", "people-first-service"):
        (table,) = shipped.pick([name])
        axes = [shipped.dimension(axis, Tier.COARSE, (REGION,)) for axis in table.axes]
        found[name] = tabulate(snap, table, axes, Tier.COARSE, whole_year(year))
    return found


def next_day(world):
    """Move on by a day; sign everybody in anew."""
    world.clock.shift += timedelta(days=1)
    world.forget_ended_sessions()
    world._tokens.clear()


def an_import(world):
    """Import a case of somebody who agrees to be counted; return its day."""
    vault, day = world.vault, world.clock.now().date()
    caller = vault.sessions.authenticate(world.token("cara"), None)
    before = {one["id"] for one in world.get("/v1/cases", "cara").json()["items"]}
    line = Candidate(2, "MADE-UP-1", {"name_to_use": "Mira Example"}, {}, {})
    (taken,) = vault.importing.take(caller, Source("Old register", UUID(world.team())), [line])
    assert taken.fate is Fate.TAKEN
    items = world.get("/v1/cases", "cara").json()["items"]
    (case,) = {one["id"] for one in items} - before
    until = (day + timedelta(days=400)).isoformat()
    posted(world, f"/v1/cases/{case}/consents", a_consent(world, valid_until=until))
    return day.isoformat()


def test_an_import_counts_when_two_people_say_so(office):
    """Never before, once for each day, never of a year that was released; both signed it."""
    day, at = an_import(office), "/v1/releases/counted-imports"
    wish = {"taken_on": day, "accepted_on": day}
    early = office.post(at, REPORTER, wish)
    assert (early.status_code, early.json()["code"]) == (422, "release.historic"), "not over"
    next_day(office)
    assert int(counted(office)[0]["people-total"]) == 0
    assert office.post(at, "dora", wish).json()["code"] == "refused.role"
    late = office.post(at, REPORTER, {**wish, "accepted_on": "2199-01-01"})
    assert late.json()["errors"][0]["pointer"] == "/accepted_on"
    asked, twin = (office.post(at, REPORTER, wish).json() for _ in range(2))
    assert {name: asked[name] for name in wish} == wish
    decide = f"/v1/approvals/{asked['id']}/decision"
    assert office.post(decide, REPORTER, {"approve": True}).json()["code"] == "refused.role"
    assert office.post(decide, "sue", {"approve": True}).json()["code"] == "refused.role"
    assert int(counted(office)[0]["people-total"]) == 0, "one word is not enough"
    assert office.post(decide, "dora", {"approve": True}).status_code == 200
    assert int(counted(office)[0]["people-total"]) == 1
    (shown,) = office.get(at, "ada").json()["items"]
    assert (shown["taken_on"], shown["accepted_on"], len(shown["people"])) == (day, day, 2)
    again = office.post(f"/v1/approvals/{twin['id']}/decision", "dora", {"approve": True})
    assert again.json()["code"] == "release.historic-decided", "what was asked twice is done once"
    assert office.post(at, REPORTER, wish).json()["code"] == "release.historic-decided"
    codes = [entry["code"] for entry in office.entries()]
    assert "release.count_import" in codes
    # Once anything of a year was released, nobody enters it or a year before it.
    months_later(office)
    released = {"period": day[:4], "tables": YEARLY}
    assert office.post("/v1/releases", REPORTER, released).status_code == 201
    for year in (int(day[:4]), int(day[:4]) - 1):
        other = {"taken_on": "2020-02-02", "accepted_on": f"{year}-05-05"}
        answer = office.post(at, REPORTER, other)
        assert (answer.status_code, answer.json()["code"]) == (409, "release.period-released")


def months_later(world):
    """Move on until this year can be released; sign everybody in anew."""
    day = world.clock.now().date()
    world.clock.shift += timedelta(days=(day.replace(month=12, day=31) - day).days + 35)
    world.forget_ended_sessions()
    world._tokens.clear()


def test_facts_of_a_vault_are_counted_by_the_rules(office):
    """Once a person however many cases, only who agrees, by region, services once."""
    first = a_case(office, gender="Feminine")
    again = a_case(office)
    a_case(office, agrees=False)
    third = a_case(office)
    today = office.clock.now().date().isoformat()
    for case in (first, again):
        content = {"type": "safehouse", "outcome": "provided", "date": today}
        posted(office, f"/v1/cases/{case}/services", content)
    found, unread = counted(office)
    assert (int(found["people-total"]), unread) == (3, 0)
    with office.vault.stores.keyring.reading() as tx:
        assert len(counting_keys.cases(tx)) == 4
    link = {"case_id": again, "content": {"type": "same_person"}}
    linked = office.post(f"/v1/cases/{first}/links", "cara", link)
    assert linked.status_code == 201, linked.text
    found, _ = counted(office)
    assert int(found["people-total"]) == 2
    assert found["people-region"].tolist() == [2, 0]
    assert int(found["services-gender"].sum()) == 1
    assert found["people-first-service"][0] == 1, "one of two had help within a week"
    undone = office.call("DELETE", f"/v1/cases/{first}/links/{linked.json()['id']}", "cara")
    assert undone.status_code == 204
    listed = office.get(f"/v1/cases/{third}/consents", "cara").json()["items"]
    at = f"/v1/cases/{third}/consents/{listed[0]['id']}/withdrawal"
    gone = office.post(at, "cara", {}).json()
    assert gone["followed"] == [{"what": "leaves-counts", "about": None}]
    found, _ = counted(office)
    assert int(found["people-total"]) == 2, "two again by the link, one fewer by withdrawal"
    # An erasure takes the copy of the key too, without any key; the rest is still counted.
    stores = office.vault.stores
    with stores.keyring.writing() as tx:
        erasure = Erasure(UUID(first), UUID(office.team()), "request")
        erasing_keys.erase(tx, [erasure], stores.now())
    with stores.keyring.reading() as tx:
        assert UUID(first) not in counting_keys.cases(tx)
    found, unread = counted(office)
    assert (int(found["people-total"]), unread) == (1, 0), "what was erased is no alarm"
    with stores.keyring.writing() as tx:
        tx.remove(keyring_tables.case_key, case_id=UUID(again))
    assert counted(office)[1] == 1, "what is missing without a tombstone is"


def test_the_life_of_a_release(office, monkeypatch):
    """Draft, sealed, reviewed by two, published, verified by its signature, withdrawn.

    Two people are in the draw: not a third whose case is frozen, nor a fourth who objected.
    """
    *_, frozen, objecting = [a_case(office) for _ in range(4)]
    rights.freeze(office, frozen, days=300)
    asked = {"identity": "code_word", "purpose": "statistics"}
    right = rights.ask(office, objecting, "objection", **asked).json()["id"]
    assert rights.decided(office, right).json()["stage"] == "granted"
    drawn = []
    monkeypatch.setattr(
        reporting, "snapshot", lambda *of, **how: drawn.append(snapshot(*of, **how)) or drawn[-1]
    )
    wish = {"period": str(office.clock.now().year), "tables": YEARLY}
    early = office.post("/v1/releases", REPORTER, wish)
    assert early.json()["code"] == "release.period-open"
    months_later(office)
    with office.vault.stores.keyring.reading() as tx:
        before = tx.identity().generation
    assert office.post("/v1/releases", "dora", wish).json()["code"] == "refused.role"
    made = office.post("/v1/releases", REPORTER, wish)
    assert made.status_code == 201, made.text
    at = made.headers["location"]
    (snap,) = drawn
    assert int(exact(snap, int(wish["period"]))["people-total"]) == 2
    assert (made.json()["stage"], made.json()["approved"]) == ("sealed", 0)
    # Nobody draws again, and who made it does not see it.
    again = office.post("/v1/releases", REPORTER, wish)
    assert again.json()["code"] == "release.period-released"
    file = at + "/files/people-region.csv"
    assert office.get(file, REPORTER).json()["code"] == "refused.self"
    yes = {"approve": True}
    assert office.post(at + "/reviews", REPORTER, yes).json()["code"] == "refused.self"
    assert office.post(at + "/reviews", "dora", yes).json()["code"] == "refused.role", "not yet"
    assert office.post(at + "/publication", REPORTER, {}).json()["code"] == "approval.missing"
    assert office.post(at + "/reviews", "sue", yes).json()["approved"] == 1
    seen = office.get(file, "dora")
    assert seen.status_code == 200
    waiting = office.get("/v1/approvals", "dora").json()["items"]
    assert [one["act"] for one in waiting] == ["release.publish"]
    assert office.post(at + "/reviews", "dora", yes).json()["approved"] == 2
    done = office.post(at + "/publication", REPORTER, {}).json()
    assert (done["stage"], len(done["reviewers"])) == ("published", 2)
    assert office.get(file, REPORTER).content == seen.content, "not one byte is drawn again"
    rows = list(csv.DictReader(io.StringIO(seen.text)))
    assert {row["geo"] for row in rows} == {"_T", REGION, "unknown"}
    assert {row["release_id"] for row in rows} == {done["id"]}
    proof = json.loads(office.get(at + "/files/release.json", REPORTER).content)
    said = signing.check(signing.Signed.from_data(proof), office.settings.root_fingerprint)
    assert said["digest"] == done["digest"]
    assert json.loads(proof["ledger"]["body"])["code"] == "release.publish"
    # The report is made from what was published, and from nothing before it was.
    report = office.get(f"/v1/indicators/{wish['period']}", "dora").json()["people"]
    assert [one["indicator"] for one in report] == YEARLY
    assert {one["release_id"] for one in report} == {done["id"]}
    shown = office.get(f"/v1/indicators/{wish['period']}?format=csv", REPORTER).text
    assert shown.count(done["id"]) == len(rows) + 1
    # It costs what it costs.
    account = office.get("/v1/releases/account", REPORTER).json()["cohorts"]
    assert [(one["spent"], one["left"]) for one in account] == [(0.09, 0.0)]
    assert office.get("/v1/indicators/2020", "dora").json()["people"] == []
    gone = office.post(at + "/withdrawal", "dora", {"reason": "error"})
    assert gone.json()["stage"] == "withdrawn"
    assert office.get(f"/v1/indicators/{wish['period']}", "dora").json()["people"] == []
    assert office.get(file, REPORTER).json()["code"] == "release.withdrawn"
    assert office.post("/v1/releases", REPORTER, wish).json()["code"] == "release.budget"
    codes = [e["code"] for e in office.entries() if e["code"].startswith("release.")]
    steps = ("reserve", "count", "seal", "review", "publish", "withdraw", "reserve_failed")
    assert {f"release.{step}" for step in steps} <= set(codes)
    # A keyring that was rebuilt from before it meets files of which it knows nothing.
    stores, release = office.vault.stores, UUID(done["id"])
    with stores.keyring.writing() as tx:
        row = tx.one(keyring_tables.release, id=release)
        tx.remove(keyring_tables.release, id=release)
        tx.remove(keyring_tables.privacy_charge, cohort_year=int(wish["period"]))
    forgotten = office.post("/v1/releases", REPORTER, wish).json()
    assert forgotten["code"] == "release.account-older"
    with stores.keyring.writing() as tx:
        tx.add(keyring_tables.release, row.content, id=release)
    # A copy of the keyring from before would have forgotten what was paid: it does not start.
    table = keyring_tables.keyring_identity
    with stores.keyring.database.writing() as connection:
        connection.execute(table.update().values(generation=before))
    with pytest.raises(Misconfigured) as older:
        identity.check(stores.data, stores.keyring.database, stores.roots, stores.organisation)
    assert older.value.code == "identity.older"
    refused = office.post("/v1/releases", REPORTER, {**wish, "tables": ["people-means"]})
    assert refused.json()["code"] == "identity.older", "while the service runs, too"
