"""Packages that come in by hand: sealed offline to a team, opened by its group, once."""

from __future__ import annotations

import base64
import json

from casevault.crypto.principals import PrincipalSecret
from casevault.domain.sharing.packing import PackageKind, PackedFile
from casevault.domain.sharing.referral import FORMAT
from tests.api.test_packed_referrals import keep_key
from tests.api.test_referrals import a_shelter
from tests.api.world import SOUTH
from tests.security.interface import a_package

REFERRAL = {
    "format": FORMAT,
    "reference": "R-MADE-UP",
    "from": "Whoever they say they are",
    "service": "safehouse",
    "urgency": "today",
    "identity": {"name_to_use": "Ondine Obvious-Madeup"},
}


def sent(world, package, by="sue"):
    """Bring a package."""
    body = {"package": base64.b64encode(package).decode()}
    return world.post("/v1/inbox/packages", by, body)


def packed(name, content):
    """Return the files of a package with one."""
    return (PackedFile(name, json.dumps(content).encode()),)


def test_an_intake_made_offline_becomes_a_case(world):
    """The volunteer cannot read it back; it comes in once, and who signed it is said."""
    package = a_package(world)
    made = sent(world, package)
    assert made.status_code == 201, made.text
    at = f"/v1/inbox/{made.json()['receipt']}"
    shown = world.get(at, "sue").json()
    assert shown["words"] == "Made up: waits in Blue Street."
    assert shown["letter"] == {"from": "Made-Up Volunteers", "signed": "nobody"}
    again = sent(world, package)
    assert (again.status_code, again.json()["code"]) == (409, "package.again")
    taken = world.post(at + "/case", "sue", {})
    assert taken.status_code == 201, taken.text
    assert sent(world, package).json()["code"] == "package.again"
    codes = [(e["code"], e["outcome"]) for e in world.entries(code="intake.unpack")]
    assert codes[:3] == [("intake.unpack", 4), ("intake.unpack", 4), ("intake.unpack", 0)]


def test_who_sent_a_referral_is_whose_key_was_compared(sqlite_world):
    """A known partner by their name in the directory; anybody else is what they call themselves."""
    world = sqlite_world
    partner, name = a_shelter(world)
    compared = PrincipalSecret.generate()
    keep_key(world, partner, compared)
    files = packed("referral.json", REFERRAL)
    for signer, expected in (
        (compared, {"signed": "known", "from": name}),
        (PrincipalSecret.generate(), {"signed": "unknown", "from": "Made-Up Volunteers"}),
    ):
        package = a_package(world, kind=PackageKind.REFERRAL, signer=signer, files=files)
        made = sent(world, package)
        assert made.status_code == 201, made.text
        shown = world.get(f"/v1/inbox/{made.json()['receipt']}", "sue").json()
        letter = shown["letter"]
        assert letter["reference"] == "R-MADE-UP"
        assert {key: letter[key] for key in expected} == expected
        assert shown["identity"] == REFERRAL["identity"]


def test_a_package_that_is_not_right_is_refused_and_nothing_comes_in(sqlite_world):
    """Another team's, cut off, changed, too old, of the future, holding something else."""
    world = sqlite_world
    good = a_package(world)
    now = int(world.clock.now().timestamp())
    day = 86_400
    strange = {"identity": {"name_to_use": "x", "shoe_size": 40}}
    refused = [
        (a_package(world, team=SOUTH), 403, "package.recipient"),
        (good[:-1], 422, "package.damaged"),
        (good[:40], 422, "package.damaged"),
        (good[:2000] + b"x" + good[2001:], 422, "package.damaged"),
        (b"PK\x03\x04", 422, "package.damaged"),
        (a_package(world, made_at=now - 31 * day), 422, "package.expired"),
        (a_package(world, made_at=now + day), 422, "package.expired"),
        (a_package(world, expires_at=now - 1), 422, "package.expired"),
        (a_package(world, kind=PackageKind.FILES), 422, "package.content"),
        (a_package(world, kind=PackageKind.REFERRAL), 422, "package.content"),
        (a_package(world, files=packed("intake.json", ["made up"])), 422, "package.content"),
        (a_package(world, files=packed("intake.json", {"word": ""})), 422, "package.content"),
        (a_package(world, files=packed("intake.json", {"words": 3})), 422, "package.content"),
        (a_package(world, files=packed("intake.json", strange)), 422, "invalid"),
        (a_package(world, files=packed("intake.json", {"words": "a\x07"})), 422, "invalid"),
        (a_package(world, files=(PackedFile("intake.json", b"{"),)), 400, "json.malformed"),
    ]
    before = world.get("/v1/inbox", "sue").json()
    for number, (package, status, code) in enumerate(refused):
        answer = sent(world, package)
        assert answer.status_code == status, (number, answer.text)
        assert answer.json()["code"].startswith(code.partition(".")[0]), (number, answer.text)
        assert code.startswith("json") or answer.json()["code"] == code, (number, answer.text)
        assert "shoe" not in answer.text
    assert world.get("/v1/inbox", "sue").json() == before
    assert sent(world, good, "cara").status_code in (403, 404)
