"""What comes in through the interface: a referrer writes, a team reads, nobody else."""

from __future__ import annotations

from uuid import UUID

from casevault.domain.sharing.arriving import A_DAY
from casevault.domain.staff.access import Decision
from casevault.domain.staff.granting import ObjectKind, PrincipalKind
from casevault.services.sharing import inbox
from casevault.store.context import caller
from casevault.store.keys import grants, principals
from casevault.store.sharing import arrivals
from tests.api.world import NORTH, SOUTH, an_identity, bearer, unknown_id

IDENTITY = an_identity("Ondine Inbound-Madeup", age=30)
PROFILE = {"needs": ["safehouse"], "presenting_situation": "Made up: waits outside"}


def a_referrer(world):
    """Let somebody join who may send intakes and nothing else."""
    return world.person(roles=("referrer",), team=None, by="dora")


def submitted(world, by, team=NORTH, **changes):
    """Send an intake; return its receipt."""
    body = {
        "team": team,
        "identity": IDENTITY,
        "profile": PROFILE,
        "words": "Made up: until six",
        **changes,
    }
    answer = world.post("/v1/intakes", by, body)
    assert answer.status_code == 201, answer.text
    return answer.json()["receipt"]


def waiting(world, by="sue"):
    """Return the ids of what waits in somebody's inbox."""
    return {one["id"] for one in world.get("/v1/inbox", by).json()["items"]}


def test_an_intake_becomes_a_case(world):
    """Read by the team's supervisor, opened as a case with a correction, gone from the inbox."""
    by = a_referrer(world)
    receipt = submitted(world, by, team="  north TEAM (made up) ")
    assert receipt in waiting(world)
    at = f"/v1/inbox/{receipt}"
    opened = world.get(at, "sue").json()
    assert opened["identity"] == IDENTITY
    assert opened["words"] == "Made up: until six"
    corrected = {**IDENTITY, "age": 31}
    placed = world.post(at + "/case", "sue", {"identity": corrected})
    assert placed.status_code == 201, placed.text
    case = placed.json()["case_id"]
    assert world.get(f"/v1/cases/{case}/identity", "sue").json() == corrected
    assert world.get(f"/v1/cases/{case}/profile", "sue").json() == PROFILE
    assert receipt not in waiting(world)
    assert world.get(at, "sue").status_code == 404
    assert world.post(at + "/case", "sue", {}).status_code == 404
    codes = {entry["code"] for entry in world.entries(case=case)}
    assert {"case.open", "intake.take"} <= codes


def test_whoever_sends_reads_nothing_back(world, monkeypatch):
    """Not even with every permission there is: they have no key, and neither has the service."""
    by = a_referrer(world)
    receipt = submitted(world, by)
    for path in ("/v1/inbox", f"/v1/inbox/{receipt}", "/v1/cases", "/v1/staff", "/v1/partners"):
        assert world.get(path, by).status_code in (403, 404), path
    for other in ("sid", "cara", "dora", "adi", "ada"):
        assert world.get(f"/v1/inbox/{receipt}", other).status_code == 404
    monkeypatch.setattr(
        caller.access, "decide", lambda *_, **__: Decision(True, "permit:everything")
    )
    for other in (by, "sid", "cara", "dora"):
        answer = world.get(f"/v1/inbox/{receipt}", other)
        assert (answer.status_code, "Ondine" in answer.text) == (404, False), other


def test_an_intake_of_somebody_known_becomes_a_note(world):
    """In words, in a case that the supervisor holds; in another it cannot be put."""
    receipt = submitted(world, a_referrer(world))
    at, case = f"/v1/inbox/{receipt}", world.open("sue")
    elsewhere = world.post(at + "/merge", "sue", {"case_id": world.open("sofia")})
    assert elsewhere.status_code == 404
    assert receipt in waiting(world)
    placed = world.post(at + "/merge", "sue", {"case_id": case})
    assert placed.status_code == 201, placed.text
    note = world.get(f"/v1/cases/{case}/notes/{placed.json()['note_id']}", "sue").json()
    text = note["content"]["text"]
    assert text.startswith("Made up: until six\n")
    assert "Name to use: Ondine Inbound-Madeup" in text
    assert "Needs: Safe house" in text
    assert receipt not in waiting(world)


def test_what_is_declined_or_unclaimed_is_erased(world):
    """With a reason that is a code; after thirty days nothing of it is left."""
    by = a_referrer(world)
    declined, unclaimed = submitted(world, by), submitted(world, by)
    at = f"/v1/inbox/{declined}/decline"
    assert world.post(at, "sue", {"reason": "somebody's words"}).status_code == 422
    assert world.post(at, "sue", {"reason": "spam"}).status_code == 204
    assert world.post(at, "sue", {"reason": "spam"}).status_code == 404
    stores = world.vault.stores
    with stores.keyring.reading() as tx:
        assert arrivals.find(tx, arrivals_id(declined)).sealed is None
    assert unclaimed in waiting(world)
    with world.later(days=31):
        headers = bearer(world.sign_in("sue"))
        assert unclaimed not in {
            one["id"] for one in world.get("/v1/inbox", headers=headers).json()["items"]
        }
        world.vault.caretaker.watch_people()
        with stores.keyring.reading() as tx:
            left = {one.id for one in arrivals.about(tx, [arrivals_id(world.team(NORTH))])}
    assert not {arrivals_id(declined), arrivals_id(unclaimed)} & left


def arrivals_id(text):
    """Return an id as the stores have it."""
    return UUID(text)


def test_a_flood_is_stopped(world, monkeypatch):
    """Of one referrer on one day, and of all together in one inbox; a faulty one counts not."""
    by = a_referrer(world)
    body = {"team": NORTH, "identity": {"nonsense": 1}, "profile": {}}
    assert world.post("/v1/intakes", by, body).status_code == 422
    for _ in range(A_DAY):
        submitted(world, by, team=SOUTH)
    full = {"team": SOUTH, "identity": IDENTITY, "profile": {}}
    refused = world.post("/v1/intakes", by, full)
    assert (refused.status_code, refused.json()["code"]) == (429, "intake.limited")
    monkeypatch.setattr(inbox, "MOST_WAITING", 20)
    assert world.post("/v1/intakes", a_referrer(world), full).status_code == 429
    nowhere = world.post("/v1/intakes", a_referrer(world), {**full, "team": "No team"})
    assert nowhere.status_code == 404
    assert world.get(f"/v1/inbox/{unknown_id()}", "sid").status_code == 404


def test_a_supervisor_names_who_opens_the_inbox(world):
    """A caseworker of the team, until they are left out: then they open nothing, old or new."""
    by, path = a_referrer(world), f"/v1/teams/{world.team(SOUTH)}/intake"
    early = submitted(world, by, team=SOUTH)
    assert world.get("/v1/inbox", "sofia").json()["code"] == "refused.no-grant"
    stranger = world.post(path, "sid", {"members": [world.staff["cara"]]})
    assert (stranger.status_code, stranger.json()["code"]) == (403, "assign.team")
    assert world.post(path, "sue", {"members": []}).status_code == 403
    assert world.post(path, "sofia", {"members": []}).status_code == 403
    named = world.post(path, "sid", {"members": [world.staff["sofia"]]})
    assert {world.staff["sofia"], world.staff["sid"]} <= set(named.json()["members"])
    # What lay there before is for whoever has the group's key now.
    late = submitted(world, by, team=SOUTH)
    assert {early, late} <= waiting(world, "sofia")
    assert world.get(f"/v1/inbox/{early}", "sofia").json()["identity"] == IDENTITY
    assert late in {one["record_id"] for one in world.worklist("sofia") if one["type"] == "intake"}
    placed = world.post(f"/v1/inbox/{late}/case", "sofia", {})
    assert placed.status_code == 201, placed.text
    left = world.post(path, "sid", {"members": []})
    assert world.staff["sofia"] not in left.json()["members"]
    after = submitted(world, by, team=SOUTH)
    for gone in (early, after):
        assert world.get(f"/v1/inbox/{gone}", "sofia").status_code == 404
        assert world.get(f"/v1/inbox/{gone}", "sid").json()["identity"] == IDENTITY
    with world.vault.stores.keyring.reading() as tx:
        keys = grants.of_grantee(tx, ObjectKind.GROUP, arrivals_id(world.staff["sofia"]))
        groups = principals.groups(tx, PrincipalKind.INTAKE, arrivals_id(world.team(SOUTH)))
    assert len(groups) == 1
    assert groups[0].id not in {one.terms.object_id for one in keys}
    codes = [entry["code"] for entry in world.entries()]
    assert codes.count("team.intake") == 2
