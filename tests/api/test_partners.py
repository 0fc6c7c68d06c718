"""The directory of partners through the interface."""

from __future__ import annotations

import base64
import csv
import io

import pytest

from casevault.crypto.principals import PrincipalSecret
from casevault.disclosure.catalogue import NEEDS
from casevault.store.counting import published_needs
from tests.api.world import unknown_id
from tests.unit.disclosure.test_report import released


def a_partner(world, **changes):
    """Return an entry that somebody verified today."""
    return {
        "name": "Made-Up House of Calm",
        "type": "NGO",
        "country": "IT",
        "areas": ["Nowhere in the North"],
        "services": ["safehouse"],
        "verified_on": world.clock.now().date().isoformat(),
        **changes,
    }


def added(world, **changes):
    """Add a partner; return its address."""
    answer = world.post("/v1/partners", "sue", {"content": a_partner(world, **changes)})
    assert answer.status_code == 201, answer.text
    return answer.headers["location"]


def test_supervisors_keep_the_directory_and_caseworkers_read_it(world):
    """Added, found by service and area, amended in the version that was read, removed."""
    at = added(world, areas=["Vale of Amends"])
    one = world.get(at, "cara")
    assert (one.headers["etag"], one.json()["stale"]) == ('"v1"', False)
    search = {"service": "safehouse", "area": "vale of amends"}
    found = world.get("/v1/pathways", "cara", params=search).json()["items"]
    assert [item["id"] for item in found] == [one.json()["id"]]
    body = {"content": {**one.json()["content"], "capacity": "full"}}
    assert world.put(at, "cara", body, '"v1"').json()["code"] == "refused.role"
    assert world.put(at, "sue", body, '"v1"').status_code == 204
    assert world.put(at, "sue", body, '"v1"').status_code == 412
    assert world.get(at, "cara").json()["content"]["capacity"] == "full"
    assert world.call("DELETE", at, "sue").status_code == 204
    assert world.get(at, "cara").status_code == 404


def test_a_word_that_no_list_has_is_refused(world):
    """A search for nonsense is not an empty answer."""
    answer = world.get("/v1/pathways", "cara", params={"service": "nonsense"})
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/service")


def test_gaps_are_listed(world):
    """What nobody offers in an area that the directory knows."""
    added(world, areas=["Gap Valley"], services=["food"])
    gaps = world.get("/v1/pathways/gaps", "dora").json()["items"]
    here = {gap["service"] for gap in gaps if gap["area"] == "Gap Valley"}
    assert "food" not in here
    assert "safehouse" in here


def test_published_needs_stand_beside_the_gaps(world, monkeypatch):
    """The number of the release, with its bounds; what was withheld there is not here either."""
    added(world, areas=["Need Valley"], services=["food"])
    at = "/v1/pathways/gaps"
    (file,) = released(900, NEEDS).values()
    monkeypatch.setattr(published_needs, "_newest", lambda _stores: None)
    assert {gap["unmet"] for gap in world.get(at, "dora").json()["items"]} == {None}
    monkeypatch.setattr(published_needs, "_newest", lambda _stores: file)
    found = {gap["service"]: gap["unmet"] for gap in world.get(at, "dora").json()["items"]}
    rows = [row for row in csv.DictReader(io.StringIO(file)) if row["geo"] == "_T"]
    shown = {row["service"]: int(row["value"]) for row in rows if row["value"]}
    assert {name: one["value"] for name, one in found.items() if one} == {
        name: value for name, value in shown.items() if name in found
    }
    assert any(found.values())
    assert None in found.values()


@pytest.mark.parametrize(("language", "direction"), [("en", "ltr"), ("ar", "rtl")])
def test_a_leaflet_shows_who_may_stand_on_it(world, language, direction):
    """Nobody else, and nothing that is loaded from elsewhere."""
    added(world, areas=["Leaf"], name="Made-Up Public House", public=True)
    added(world, areas=["Leaf"], name="Made-Up Hidden House")
    page = world.get("/v1/pathways/leaflet", "cara", params={"area": "leaf", "lang": language})
    assert page.status_code == 200
    assert f'dir="{direction}"' in page.text
    assert "Made-Up Public House" in page.text
    assert "Hidden" not in page.text
    assert page.headers["content-security-policy"].startswith("default-src 'none'; style-src")


def test_keys_count_when_their_fingerprint_was_read_out(world):
    """Another fingerprint, or something that is no key, is refused; changing an entry keeps it."""
    at = added(world)
    public = PrincipalSecret(bytes(range(64))).public
    body = {
        "key": base64.b64encode(public.kem + public.sign).decode(),
        "fingerprint": public.fingerprint.upper(),
    }
    wrong = {**body, "fingerprint": "0000 " * 8}
    assert world.put(at + "/key", "sue", wrong, '"v1"').json()["code"] == "partner.fingerprint"
    short = {**body, "key": base64.b64encode(b"short").decode()}
    assert world.put(at + "/key", "sue", short, '"v1"').json()["code"] == "partner.key"
    kept = world.put(at + "/key", "sue", body, '"v1"')
    assert (kept.status_code, kept.json()["fingerprint"]) == (200, public.fingerprint)
    entry = {"content": a_partner(world, hours="Made-up hours")}
    assert world.put(at, "sue", entry, '"v2"').status_code == 204
    assert world.get(at, "cara").json()["fingerprint"] == public.fingerprint
    codes = {entry["code"] for entry in world.entries(actor=world.staff["sue"])}
    assert {"partner.key", "partner.amend"} <= codes


def test_who_may_not_read_it(world):
    """The auditor has no business with it; an unknown partner is unknown."""
    assert world.get("/v1/partners", "ada").json()["code"] == "refused.role"
    assert world.get(f"/v1/partners/{unknown_id()}", "cara").status_code == 404
