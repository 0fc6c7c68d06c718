"""Referrals as packages: to a recipient who keeps a key, or to one who has the `age` program."""

from __future__ import annotations

import base64
import io

import pytest

from casevault.crypto import age_packages, packages
from casevault.crypto.principals import PrincipalSecret
from casevault.domain.sharing.packing import PackageKind
from casevault.errors import Refused
from tests.api.test_files import a_picture, added
from tests.api.test_referrals import (
    PROFILE,
    a_case,
    a_shelter,
    agree,
    agreed_to,
    written,
)

SHELTER = PrincipalSecret(bytes(range(100, 164)))


def keep_key(world, partner, secret=SHELTER):
    """Enter a partner's key, with the fingerprint that they read out."""
    public = secret.public
    key = base64.b64encode(public.kem + public.sign).decode()
    body = {"key": key, "fingerprint": public.fingerprint}
    etag = world.get(f"/v1/partners/{partner}", "sue").headers["etag"]
    assert world.put(f"/v1/partners/{partner}/key", "sue", body, etag).status_code == 200


def a_letter(world, *, keyed=True):
    """Write a referral to which the survivor agreed; return case, consent, address, preview."""
    case = a_case(world)
    partner, name = a_shelter(world)
    if keyed:
        keep_key(world, partner)
    consent = agreed_to(world, case, name)
    at = written(world, case, partner)
    return case, consent, at, agree(world, at)


def test_a_shelter_that_keeps_a_key_gets_what_was_agreed_to(world):
    """Byte for byte, signed by the organisation, opened by nobody else; the answer comes by phone;
    and who withdraws afterwards is told that it is out of the house."""
    case, consent, at, shown = a_letter(world)
    packed = world.post(at + "/package", "cara", {"language": "ar"})
    assert packed.status_code == 201, packed.text
    made = packed.json()
    assert (made["fingerprint"], made["words"]) == (SHELTER.public.fingerprint, None)
    sealed = base64.b64decode(made["package"])
    found = packages.open_package(io.BytesIO(sealed), SHELTER)
    files = {one.name: one.content for one in found.files}
    assert files["referral.json"].decode() == shown["bytes"]
    assert 'dir="rtl"' in files["referral.html"].decode()
    assert PROFILE["presenting_situation"] not in files["referral.html"].decode()
    assert found.statement.kind is PackageKind.REFERRAL
    assert found.statement.signer is not None
    assert found.statement.signer.fingerprint == made["signed_by"]
    assert str(found.statement.id) == made["package_id"]
    with pytest.raises(Refused):
        packages.open_package(io.BytesIO(sealed), PrincipalSecret.generate())
    now = world.get(at, "cara").json()
    assert (now["stage"], now["page"]) == ("sent", None)
    assert world.post(at + "/package", "cara", {}).json()["code"] == "referral.transition"

    said = {"answer": "accepted", "words": "They have a made-up bed."}
    taken = world.post(at + "/answer", "cara", said)
    assert (taken.json()["stage"], taken.json()["answer"]) == ("accepted", said["words"])
    assert (
        world.post(at + "/answer", "cara", {"answer": "completed"}).json()["stage"] == "completed"
    )
    assert world.post(at + "/answer", "cara", said).status_code == 409
    facts = world.get(f"/v1/cases/{case}/facts", "cara").json()
    assert [one["outcome"] for one in facts["referrals"]] == ["completed"]
    withdrawn = world.post(consent + "/withdrawal", "cara", {"reason": "made up"})
    assert "read-referral-stays" in withdrawn.text
    sent = [e for e in world.entries(case=case) if e["code"] == "referral.send"]
    assert len(sent) == 1


def test_files_that_were_ticked_go_with_the_letter(world):
    """Each by itself, named in the preview, cleaned, byte for byte in the package; the others stay.
    Not by a link; not after one was taken away; not without consent to files."""
    case = a_case(world)
    partner, name = a_shelter(world)
    keep_key(world, partner)
    permit, other = (
        added(world, case, a_picture(), one, "image/jpeg").rsplit("/", 1)[1]
        for one in ("تصريح.jpg", "other.jpg")
    )
    agreed_to(world, case, name)
    ticked = {"service": "registration", "files": [permit]}
    at = written(world, case, partner, **ticked)
    shown = world.get(at + "/preview", "cara").json()
    assert (shown["files"], shown["stays"]) == ([], {"files": "consent.category"})
    refused = world.post(at + "/agreement", "cara", {"digest": shown["digest"]})
    assert refused.json()["errors"] == [{"pointer": "/disclose/files", "code": "consent.category"}]
    agreed_to(world, case, name, ("files",))
    shown = agree(world, at)
    clean = world.get(f"/v1/cases/{case}/files/{permit}", "cara").content
    (listed,) = shown["files"]
    assert listed == {
        "id": permit,
        "name": "تصريح.jpg",
        "media_type": "image/jpeg",
        "bytes": len(clean),
    }
    assert "تصريح.jpg" in shown["page"]
    assert "other.jpg" not in shown["bytes"] + shown["page"]
    linked = world.post(at + "/sending", "cara", {})
    assert (linked.status_code, linked.json()["code"]) == (409, "referral.files")
    made = world.post(at + "/package", "cara", {}).json()
    found = packages.open_package(io.BytesIO(base64.b64decode(made["package"])), SHELTER)
    files = {one.name: one.content for one in found.files}
    assert files.keys() == {"referral.html", "referral.json", "تصريح.jpg"}
    assert files["تصريح.jpg"] == clean
    assert files["referral.json"].decode() == shown["bytes"]
    assert b"MadeUpCamera" not in clean
    (entry,) = [e for e in world.entries(case=case) if e["code"] == "referral.send"]
    assert "file.name" in entry["fields"]

    at = written(world, case, partner, service="registration", files=[other])
    agree(world, at)
    assert world.call("DELETE", f"/v1/cases/{case}/files/{other}", "cara").status_code == 204
    for way in ("/package", "/paper"):
        gone = world.post(at + way, "cara", {} if way == "/package" else None)
        assert (gone.status_code, gone.json()["code"]) == (422, "referral.no-file")


def test_what_may_not_leave_is_not_packed(sqlite_world):
    """Without agreement, without a compared key, after the case changed, for a page: refused."""
    world = sqlite_world
    case, _, at, _ = a_letter(world, keyed=False)
    refused = world.post(at + "/package", "cara", {})
    assert (refused.status_code, refused.json()["code"]) == (409, "referral.no-key")
    assert "phone" in refused.json()["hint"]
    assert world.get(at, "cara").json()["stage"] == "consented"
    assert world.post(at + "/answer", "cara", {"answer": "accepted"}).status_code == 409
    case, _, at, _ = a_letter(world)
    identity = world.get(f"/v1/cases/{case}/identity", "cara")
    other = {**identity.json(), "name_to_use": "Another Obvious-Madeup"}
    amended = world.put(f"/v1/cases/{case}/identity", "cara", other, identity.headers["etag"])
    assert amended.status_code == 204, amended.text
    assert world.post(at + "/package", "cara", {}).json()["code"] == "referral.changed"
    fresh = written(world, case, world.get(at, "cara").json()["partner_id"])
    assert world.post(fresh + "/package", "cara", {}).json()["code"] == "referral.transition"
    assert world.post(at + "/package", "sid", {}).status_code == 404
    assert world.post(at + "/package", "cara", {"days": 400}).status_code == 422


@pytest.mark.slow
def test_a_shelter_without_a_key_gets_words_by_phone(sqlite_world):
    """They open an age file; nobody can show the words again."""
    world = sqlite_world
    _, _, at, shown = a_letter(world, keyed=False)
    made = world.post(at + "/package", "cara", {"to": "words"}).json()
    assert made["fingerprint"] is None
    assert len(made["words"].split()) == 6
    found = age_packages.open_package(base64.b64decode(made["package"]), made["words"])
    assert found.files[1].content.decode() == shown["bytes"]
    assert made["words"] not in world.get(at, "cara").text
    recalled = world.post(at + "/recall", "cara", {"reason": "made up"})
    assert recalled.json() == {"stage": "recalled", "was_read": True}
