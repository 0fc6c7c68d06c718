"""Drafts through the interface: saved by their author, there after a lock, gone after a week."""

from __future__ import annotations

from uuid import UUID, uuid4

from sqlalchemy import update

from casevault.store.engine import tables

HALF = {"form": "note", "content": {"text": "Made-up half sente", "date": "yesterd"}}
INTAKE = {"form": "intake", "content": {"identity": {"name_to_use": "Ond"}, "profile": {}}}


def saved(world, by, body=HALF):
    """Save a draft; return its address."""
    answer = world.post("/v1/drafts", by, body)
    assert answer.status_code == 201, answer.text
    return answer.headers["location"]


def id_of(at):
    """Return the id of a draft from its address."""
    return UUID(at.rsplit("/", 1)[1])


def test_a_draft_is_saved_read_changed_listed_and_deleted(world):
    """Nothing of it is checked but the names of its fields."""
    me, case = world.person(), world.open()
    at = saved(world, me, {**HALF, "case_id": case})
    read = world.get(at, me)
    assert (read.json()["content"], read.json()["form"]) == (HALF["content"], "note")
    assert (read.json()["case_id"], read.headers["etag"]) == (case, '"v1"')
    assert world.put(at, me, INTAKE, '"v1"').headers["etag"] == '"v2"'
    assert world.put(at, me, HALF, '"v1"').status_code == 412
    assert world.put(at, me, HALF, None).status_code == 428
    (listed,) = world.get("/v1/drafts", me).json()["items"]
    assert (listed["form"], listed["version"], listed["case_id"]) == ("intake", 2, None)
    assert "content" not in listed
    assert world.call("DELETE", at, me).status_code == 204
    assert world.get(at, me).status_code == 404
    assert world.call("DELETE", at, me).status_code == 404
    entries = world.entries(actor=world.staff[me])
    codes = [entry["code"] for entry in entries if entry["code"].startswith("draft")]
    assert sorted(set(codes)) == ["draft.delete", "draft.list", "draft.read", "draft.save"]


def test_an_idle_lock_does_not_cost_an_interview(world):
    """The session ends by itself; after signing in again the draft is there as it was left."""
    me = world.person()
    at = saved(world, me, INTAKE)
    with world.later(minutes=world.settings.idle_minutes + 1):
        assert world.get(at, me).status_code == 401
        headers = {"Authorization": "Bearer " + world.sign_in(me)}
        (listed,) = world.get("/v1/drafts", headers=headers).json()["items"]
        assert at.endswith(listed["id"])
        assert world.get(at, headers=headers).json()["content"] == INTAKE["content"]


def test_a_draft_goes_a_week_after_its_last_save(world):
    """The caretaker erases it without a key; nothing of it is left in either store."""
    me = world.person()
    at = saved(world, me)
    with world.later(days=8):
        headers = {"Authorization": "Bearer " + world.sign_in(me)}
        assert world.get(at, headers=headers).status_code == 404
        world.vault.caretaker.erase_due()
    assert world.get(at, me).status_code == 404, "not even when the clock goes back"
    assert world.get("/v1/drafts", me).json()["items"] == []


def test_nobody_else_finds_a_draft(world):
    """Neither colleague nor supervisor: the answer is that of a draft that does not exist."""
    me = world.person()
    at = saved(world, me)
    unknown = f"/v1/drafts/{uuid4()}"
    for other in ("cara", "sue"):
        for method, body in (("GET", None), ("PUT", HALF), ("DELETE", None)):
            headers = {"If-Match": '"v1"'}
            theirs = world.call(method, at, other, body, headers=headers)
            none = world.call(method, unknown, other, body, headers=headers)
            assert theirs.status_code == none.status_code == 404
            assert theirs.json()["code"] == none.json()["code"]
        assert at.rsplit("/", 1)[1] not in world.get("/v1/drafts", other).text
    assert any(entry["code"] == "authz.deny" for entry in world.entries(actor=world.staff["sue"]))


def test_unknown_fields_are_refused(world):
    """Of the form, of the body, and forms that do not exist; nothing is saved."""
    me = world.person()
    bad = {"form": "note", "content": {"tetx": "x"}}
    answer = world.post("/v1/drafts", me, bad)
    assert answer.json()["errors"] == [{"pointer": "/*", "code": "field.unknown"}]
    for body in ({**HALF, "owner": me}, {**HALF, "form": "diary"}, {"form": "note"}):
        assert world.post("/v1/drafts", me, body).status_code == 422
    assert world.get("/v1/drafts", me).json()["items"] == []


def test_drafts_are_listed_by_pages(world):
    """25 at a time, each once; a cursor of somebody else's is refused."""
    me = world.person()
    made = {saved(world, me).rsplit("/", 1)[1] for _ in range(27)}
    first = world.get("/v1/drafts", me).json()
    assert len(first["items"]) == 25
    rest = world.get("/v1/drafts", me, params={"cursor": first["cursor"]}).json()
    assert {one["id"] for one in first["items"] + rest["items"]} == made
    assert (len(rest["items"]), rest["cursor"]) == (2, None)
    stolen = world.get("/v1/drafts", "cara", params={"cursor": first["cursor"]})
    assert stolen.json()["code"] == "cursor"


def test_a_repeated_save_is_one_draft(world):
    """The same Idempotency-Key gives the same draft."""
    me, headers = world.person(), {"Idempotency-Key": uuid4().hex}
    first, second = (world.post("/v1/drafts", me, HALF, headers=headers) for _ in range(2))
    assert first.json() == second.json()
    assert len(world.get("/v1/drafts", me).json()["items"]) == 1


def test_a_draft_that_was_tampered_with_can_only_be_deleted(world):
    """It is listed without a form, its reading is an alarm, the others are as they were."""
    me = world.person()
    bad, good = saved(world, me), saved(world, me)
    row = tables.private_object
    with world.vault.stores.data.writing() as connection:
        connection.execute(update(row).where(row.c.id == id_of(bad)).values(version=9))
    assert world.get(bad, me).status_code == 500
    forms = {one["id"]: one["form"] for one in world.get("/v1/drafts", me).json()["items"]}
    assert forms == {str(id_of(bad)): None, str(id_of(good)): "note"}
    assert world.call("DELETE", bad, me).status_code == 204
    failed = [entry for entry in world.entries(actor=world.staff[me]) if entry["outcome"] == 8]
    assert {entry["code"] for entry in failed} == {"draft.read", "draft.list"}


def test_an_unknown_field_is_not_repeated_and_the_known_ones_are_pointed_to(world):
    """Its name is something that somebody typed; where the right names stand is said."""
    answer = world.post("/v1/drafts", "cara", {"form": "note", "content": {}, "Ondine": 1})
    said = answer.json()
    assert (answer.status_code, said["errors"][0]["pointer"]) == (422, "/*")
    assert "Ondine" not in answer.text
    assert "/docs" in said["hint"]
