"""The auditor's questions, over HTTP: conditions, pages, pseudonyms, exports with their proofs."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import json
from datetime import timedelta
from uuid import UUID

import pytest
from fhir.resources.bundle import Bundle

from casevault.crypto.principals import is_raw_signature
from casevault.errors import Tampered
from casevault.ledger import evidence
from casevault.ledger.entry import parse_leaf
from casevault.ledger.proof import parse_proof, verify_proof
from casevault.ledger.tree import leaf_hash
from casevault.services.audit.ledger_exports import Format
from casevault.store.audit import ledger_search
from casevault.store.audit.ledger_query import Query
from casevault.store.log.ledger import Act, Actor
from tests.api.world import an_identity, unknown_id

ENTRIES, EXPORTS = "/v1/ledger/entries", "/v1/ledger/exports"


def checked(world, content):
    """Return how many lines of an export verify under the log's key, as an outsider would see."""
    key = world.vault.checkpoints.verifier_key
    return evidence.check_lines(io.BytesIO(content), key.name, key.public, is_raw_signature)[0]


def export(world, **body):
    """Return an export that the auditor asked for."""
    world.entries()
    answer = world.post(EXPORTS, "ada", body)
    assert answer.status_code == 200, answer.text
    return answer


@pytest.fixture
def case(world):
    """Open a case, read it, and let a stranger try."""
    case = world.open("cara")
    assert world.get(f"/v1/cases/{case}/identity", "cara").status_code == 200
    assert world.get(f"/v1/cases/{case}/identity", "sofia").status_code == 404
    return case


def test_each_condition_narrows_and_all_must_hold(world, case):
    """By case, colleague, session, code, outcome; together they are an and."""
    seen = world.entries(case=case)
    assert {one["code"] for one in seen} >= {"case.open", "case.read", "authz.deny"}
    (denied,) = world.entries(case=case, outcome="4")
    assert (denied["actor_id"], denied["code"]) == (world.staff["sofia"], "authz.deny")
    same = world.entries(session=denied["session"])
    assert same
    assert {one["session"] for one in same} == {denied["session"]}
    both = world.entries(case=case, actor=world.staff["cara"], code="case.read")
    assert [one["fields"] != [] for one in both] == [True]
    assert world.entries(case=case, actor=world.staff["colin"]) == []
    assert world.entries(subject=case, code="case.open")[0]["entities"][0]["type"] == "case"


def test_time_bounds_are_exact(world, case):
    """From is included, until is not; a place in the tree is found without a column of times."""
    read = next(one for one in world.entries(case=case) if one["code"] == "case.read")
    at = read["recorded"]
    assert read in world.entries(case=case, since=at)
    assert read not in world.entries(case=case, until=at)
    later = at[:-4] + f"{(int(at[-4:-1]) + 1) % 1000:03d}Z"
    if later > at:
        assert read in world.entries(case=case, until=later)
        assert read not in world.entries(case=case, since=later)


def test_a_question_is_about_one_month(world):
    """Another month's times are refused with a sentence; a month without entries is not found."""
    now = world.clock.now()
    query = {"month": f"{now:%Y-%m}", "since": f"{now - timedelta(days=70):%Y-%m-%dT%H:%M:%SZ}"}
    answer = world.get(ENTRIES, "ada", params=query)
    assert (answer.status_code, answer.json()["code"]) == (422, "ledger.period")
    answer = world.get(ENTRIES, "ada", params={"month": "2019-01"})
    assert (answer.status_code, answer.json()["code"]) == (404, "ledger.month")
    found = world.get("/v1/ledger/months", "ada").json()["items"]
    assert f"{now:%Y-%m}" in found
    assert found == sorted(found, reverse=True)


def test_pages_follow_one_another_without_gap(world, monkeypatch):
    """Also where a page had to stop looking before it was full."""
    case = world.open("cara", an_identity())
    stores = world.vault.stores
    actor = Actor(staff=None, roles=("service",))
    stores.ledger.record(*(Act("key.roll", actor, count=n) for n in range(230)))
    world.entries()
    monkeypatch.setattr(ledger_search, "MOST_READ", 60)
    monkeypatch.setattr(ledger_search, "_CHUNK", 20)
    found, cursor, pages = [], None, 0
    while pages == 0 or cursor:
        params = {"code": "key.roll"} | ({"cursor": cursor} if cursor else {})
        page = world.get(ENTRIES, "ada", params=params).json()
        found += [one["count"] for one in page["items"]]
        cursor, pages = page["cursor"], pages + 1
        assert pages < 500
    # PostgreSQL may integrate what was staged in one microsecond in any order.
    assert sorted(found) == list(range(230))
    assert pages > 3
    assert world.entries(case=case)


def test_each_question_is_an_entry(world, case):
    """With the names of its conditions, never their values; also a look at one's own trace."""
    before = world.entries(code="audit.query", case=case)
    world.entries(case=case, actor=world.staff["cara"], outcome="0")
    asked = world.entries(code="audit.query", case=case)
    newest = asked[0]
    assert len(asked) == len(before) + 2
    assert {"case", "actor", "outcome"} == set(newest["filters"])
    assert {"case", "code"} == set(asked[1]["filters"])
    assert any(e["type"] == "staff" for one in asked for e in one["entities"])


def test_a_known_id_has_a_name_in_each_month(world, case):
    """The look-up gives what entries show, and is an entry about that id."""
    names = world.get("/v1/ledger/pseudonyms", "ada", params={"id": case}).json()
    entry = world.entries(case=case)[0]
    assert names["subject"] in {one["record"] for one in entry["entities"]}
    assert world.entries(record=names["subject"], code="audit.pseudonym")
    cara = {"id": world.staff["cara"]}
    actor = world.get("/v1/ledger/pseudonyms", "ada", params=cara).json()["actor"]
    assert {one["actor"] for one in world.entries(actor=world.staff["cara"])} == {actor}


@pytest.mark.parametrize("path", [ENTRIES, "/v1/ledger/months"])
def test_only_auditors_ask(world, path):
    """Nobody else has the role, and nobody else has the key."""
    for login in ("cara", "sue", "dora", "adi"):
        assert world.get(path, login).status_code == 403
    assert world.post(EXPORTS, "sue", {}).status_code == 403


def test_exported_lines_prove_themselves(world, case):
    """Leaf, salt, body and proof of each; a changed byte anywhere in a line is found."""
    answer = export(world, case=case)
    lines = answer.content.splitlines(keepends=True)
    assert checked(world, answer.content) == len(lines) >= 4
    positions = [json.loads(line)["position"] for line in lines]
    assert positions == sorted(positions, reverse=True)
    line = json.loads(lines[0])
    other = json.loads(lines[1])
    changes = [
        {"body": line["body"].replace("permit", "admits", 1).replace("deny", "deni", 1)},
        {"leaf": other["leaf"]},
        {"salt": other["salt"]},
        {"proof": other["proof"]},
        {"position": line["position"] - 1},
        {"position": None},
        {"leaf": 7},
        {"more": 1},
    ]
    for change in changes:
        changed = json.dumps({**line, **change}).encode()
        with pytest.raises(Tampered):
            checked(world, lines[1] + changed)
    for junk in (b"{}\n", b"[]\n", b"\xff\n", b"x" * 40, b"[" * 100_000):
        with pytest.raises(Tampered):
            checked(world, junk)


def test_an_export_is_on_the_ledger_from_start_to_end(world, case):
    """The end names how many entries left and the digest of every byte."""
    answer = export(world, case=case, format="csv")
    (end, start) = (
        world.entries(case=case, code="audit.export_end")
        + world.entries(case=case, code="audit.export_start")[:1]
    )
    assert start["position"] < end["position"]
    assert end["count"] == len(answer.content.splitlines()) - 1
    assert [e["record"] for e in start["entities"]] == [e["record"] for e in end["entities"]]
    assert {"case", "format:csv"} == set(start["filters"])
    detail = export(world, case=case, code="audit.export_end").content.splitlines()
    digests = [dict(json.loads(json.loads(line)["body"])["links"])["digest"] for line in detail]
    assert hashlib.sha256(answer.content).hexdigest() in digests


def test_an_export_that_is_cut_off_has_no_end(world, case):
    """Whoever goes away before the last byte leaves a start alone: that is an alarm later."""
    world.confirm("ada")
    caller = world.vault.sessions.authenticate(world.token("ada"))
    pieces = world.vault.ledger_exports.export(caller, Query(case=UUID(case)), Format.CSV)
    assert world.entries(case=case, code="audit.export_start")
    next(pieces)
    pieces.close()
    assert world.entries(case=case, code="audit.export_end") == []


def test_a_spreadsheet_calculates_nothing(world, case):
    """Cells that could be formulas begin with an apostrophe; the rest is as in the entries."""
    rows = list(csv.DictReader(io.StringIO(export(world, case=case, format="csv").text[1:])))
    assert [row["code"] for row in rows].count("case.open") == 1
    for row in rows:
        assert not [cell for cell in row.values() if cell.startswith(("=", "+", "-", "@", "\t"))]
        proof = base64.urlsafe_b64decode(row["proof"] + "=" * (-len(row["proof"]) % 4))
        assert proof.startswith(b"c2sp.org/tlog-proof@v1\n")
    assert evidence._cell("-pseudonym_0123456789") == "'-pseudonym_0123456789"
    assert [evidence._cell(bad)[0] for bad in ("=1", "+1", "@x", "\t=1", "\r=1")] == ["'"] * 5


def test_the_bundle_is_fhir_r5(world, case):
    """Validated by fhir.resources: every resource, and that what it says is the entry."""
    answer = export(world, case=case, format="fhir")
    assert answer.headers["content-type"].startswith("application/fhir+json")
    bundle = Bundle.model_validate_json(answer.content)
    assert bundle.type == "collection"
    events = [one.resource for one in bundle.entry]
    seen = world.entries(case=case)
    by_id = {one["id"]: one for one in seen}
    assert len(events) >= 4
    for event in events:
        entry = by_id[event.id]
        assert event.code.coding[0].code == entry["code"]
        assert event.outcome.code.code == str(entry["outcome"])
        assert len(event.entity) >= len(entry["entities"])
        assert {one.url.rpartition(":")[2] for one in event.extension} == {
            "leaf",
            "salt",
            "body",
            "proof",
        }


def test_an_empty_export_is_whole(world):
    """No entry fits: still a valid file of each kind, and an end that says 0."""
    nobody = unknown_id()
    assert export(world, actor=nobody).content == b""
    assert len(export(world, actor=nobody, format="csv").content.splitlines()) == 1
    bundle = Bundle.model_validate_json(export(world, actor=nobody, format="fhir").content)
    assert not bundle.entry
    newest = world.entries(code="audit.export_end")[0]
    assert newest["count"] == 0


@pytest.mark.parametrize(
    "body",
    [{"format": "xls"}, {"case": "x"}, {"month": "2026-13"}, {"since": "2026-11-01"}, {"more": 1}],
)
def test_a_strange_wish_is_refused(world, body):
    """With one clear answer; nothing is exported."""
    assert world.post(EXPORTS, "ada", body).status_code == 422


def test_one_entry_is_proven_to_anybody(world):
    """A file that stands alone: its leaf, the path, a signed checkpoint; asking is logged."""
    (entry, *_) = world.entries()
    answer = world.get(f"{ENTRIES}/{entry['position']}/proof", "ada")
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("text/plain")
    proof, key = parse_proof(answer.content), world.vault.checkpoints.verifier_key
    verify_proof(proof, leaf_hash(proof.extra), key.name, key.public, is_raw_signature)
    assert parse_leaf(proof.extra).k == f"{world.clock.now():%Y-%m}"
    with pytest.raises(Tampered):
        verify_proof(proof, leaf_hash(proof.extra + b" "), key.name, key.public, is_raw_signature)
    assert world.get(f"{ENTRIES}/{2**40}/proof", "ada").json()["code"] == "ledger.entry"
    assert world.get(f"{ENTRIES}/-1/proof", "ada").status_code == 422
    assert world.get(f"{ENTRIES}/0/proof", "dora").json()["code"] == "refused.role"
    (first, second, *_) = [e for e in world.entries(code="audit.query") if "proof" in e["filters"]]
    assert {first["count"], second["count"]} == {0, 1}
