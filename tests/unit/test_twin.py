"""The bench's plaintext twin answers what the bench asks for; it shares code that others change."""

from __future__ import annotations

from fastapi.testclient import TestClient

from benchmarks import twin
from casevault.cli.demo.story import IDENTITY

NOTE = {"type": "visit", "date": "2026-11-20", "text": "A made-up visit."}


def signed_in(client: TestClient, login: str) -> dict[str, str]:
    """Return the header of somebody who has just signed in."""
    body = {"login": login, "passphrase": "made up words for the twin"}
    answer = client.post("/v1/auth/sessions", json=body)
    return {"Authorization": f"Bearer {answer.json()['token']}"}


def test_each_act_of_the_bench_is_answered(tmp_path, monkeypatch):
    """Recorded, read, amended if it is still that version, noted, listed, shared and not shared."""
    monkeypatch.setenv("TWIN_URL", f"sqlite:///{tmp_path}/twin.db")
    with TestClient(twin.create(), raise_server_exceptions=False) as client:
        sam, cara = signed_in(client, "sam"), signed_in(client, "cara")
        colleague = client.get("/v1/me", headers=cara).json()["id"]
        made = client.post("/v1/cases", json={"identity": IDENTITY}, headers=sam)
        case = f"/v1/cases/{made.json()['id']}"
        read = client.get(f"{case}/identity", headers=sam)
        assert (read.json(), read.headers["etag"]) == (IDENTITY, '"v1"')
        for status in (204, 412):
            held = {**sam, "If-Match": read.headers["etag"]}
            answer = client.put(f"{case}/identity", json=IDENTITY, headers=held)
            assert answer.status_code == status
        noted = client.post(f"{case}/notes", json={"content": NOTE}, headers=sam)
        listed = client.get("/v1/cases", headers=sam)
        taken = client.post("/v1/import", json=[{"identity": IDENTITY}], headers=sam)
        shared = client.post(f"{case}/grants", json={"staff_id": colleague}, headers=sam)
        gone = client.delete(f"{case}/grants/{colleague}", headers=sam)
        answers = [one.status_code for one in (made, noted, listed, taken, shared, gone)]
        assert answers == [201, 201, 200, 201, 204, 200]
        assert listed.json()["items"][0]["display_name"] == IDENTITY["name_to_use"]
        assert client.get("/v1/cases").status_code == 401
