"""The calendar feed: days of one's own tasks for whoever has the address, and nothing else."""

from __future__ import annotations

import base64
import io
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
import structlog
from sqlalchemy import insert, select, update

from casevault import logs
from casevault.store.engine import keyring_tables, tables

TASK = {"type": "hearing", "text": "Obviously made-up hearing in Blue Street"}
ROW = tables.private_object


def day(offset):
    """Return a date so many days from today."""
    return (datetime.now(UTC).date() + timedelta(days=offset)).isoformat()


def task(world, case, by, due, assignee=None):
    """Add a task; return its address."""
    body = {"content": {**TASK, "due": due}}
    if assignee is not None:
        body["assignee"] = world.staff[assignee]
    answer = world.post(f"/v1/cases/{case}/tasks", by, body)
    assert answer.status_code == 201, answer.text
    return answer.headers["location"]


def feed(world, by):
    """Make a feed; return its path."""
    answer = world.post("/v1/feed", by, None)
    assert answer.status_code == 201, answer.text
    return answer.json()["path"]


def raw(path):
    """Return the bytes of the token in a path."""
    return base64.urlsafe_b64decode(path.rsplit("/", 1)[1].removesuffix(".ics"))


def with_token(data):
    """Return the path of a token of these bytes."""
    return f"/v1/feed/{base64.urlsafe_b64encode(data).decode().rstrip('=')}.ics"


def id_of(path):
    """Return the id of a feed from its path."""
    return UUID(bytes=raw(path)[:16])


def events(world, path):
    """Return the days in a feed by uid."""
    answer = world.get(path)
    assert answer.status_code == 200, answer.text
    lines = answer.text.split("\r\n")
    uids = [line[4:] for line in lines if line.startswith("UID:")]
    days = [line[-8:] for line in lines if line.startswith("DTSTART;VALUE=DATE:")]
    return {uid: f"{d[:4]}-{d[4:6]}-{d[6:]}" for uid, d in zip(uids, days, strict=True)}


def stored(world, path):
    """Return the row of a feed, or None."""
    with world.vault.stores.data.reading() as connection:
        row = connection.execute(select(ROW).where(ROW.c.id == id_of(path))).mappings()
        return next((dict(one) for one in row), None)


def test_a_feed_shows_days_and_nothing_else(world):
    """No reference, no kind, no word; not of a colleague's task, not of one that is done."""
    me, other = world.person(), world.person()
    case = world.open(me)
    at = task(world, case, me, day(3))
    task(world, case, me, day(4), assignee=other)
    done = task(world, case, me, day(5))
    body = {"content": {**TASK, "due": day(5), "done": day(0)}}
    assert world.put(done, me, body, '"v1"').status_code == 200
    assert world.call("DELETE", "/v1/feed", me).status_code == 404, "off by default"
    path = feed(world, me)
    assert list(events(world, path).values()) == [day(3)]
    answer = world.get(path)
    assert answer.headers["content-type"].startswith("text/calendar")
    assert answer.headers["cache-control"] == "no-store"
    reference = world.get(f"/v1/cases/{case}", me).json()["reference"]
    record = at.rsplit("/", 1)[1]
    for secret in (reference, case, record, record.replace("-", ""), "Blue", "hearing", me):
        assert secret not in answer.text
    summaries = {line for line in answer.text.split("\r\n") if line.startswith("SUMMARY")}
    assert summaries == {"SUMMARY:CaseVault: follow-up"}


def test_a_feed_follows_the_tasks(world):
    """Added, moved, done: at once in the person's own session; the uid of a task stays."""
    me = world.person()
    path, case = feed(world, me), world.open(me)
    assert events(world, path) == {}
    at = task(world, case, me, day(3))
    (uid,) = events(world, path)
    moved = {"content": {**TASK, "due": day(9)}}
    assert world.put(at, me, moved, '"v1"').status_code == 200
    assert events(world, path) == {uid: day(9)}
    world.sign_in(me)
    assert events(world, path) == {uid: day(9)}
    moved["content"]["done"] = day(0)
    assert world.put(at, me, moved, '"v2"').status_code == 200
    assert events(world, path) == {}


def test_what_colleagues_gave_one_shows_after_the_next_sign_in(world):
    """Only the owner's session can render; what others do waits for it."""
    me = world.person()
    path, case = feed(world, me), world.open(me)
    task(world, case, "sue", day(6), assignee=me)
    assert events(world, path) == {}
    world.sign_in(me)
    assert list(events(world, path).values()) == [day(6)]
    codes = {entry["code"] for entry in world.entries(case=case)}
    assert "feed.render" in codes


def test_two_feeds_call_the_same_task_differently(world):
    """A new feed has new uids, and the old address opens nothing more."""
    me = world.person()
    task(world, world.open(me), me, day(3))
    old = feed(world, me)
    before = events(world, old)
    new = feed(world, me)
    assert world.get(old).status_code == 404
    assert events(world, new).keys().isdisjoint(before)
    assert list(events(world, new).values()) == [day(3)]


def test_wrong_old_and_ended_addresses_look_the_same(world):
    """One answer for all of them, and each attempt is on the ledger."""
    me = world.person()
    path, ended = feed(world, me), feed(world, "cara")
    assert world.call("DELETE", "/v1/feed", "cara").status_code == 204
    good = raw(path)
    paths = {
        "key": with_token(good[:-1] + bytes([good[-1] ^ 1])),
        "id": with_token(bytes([good[0] ^ 1]) + good[1:]),
        "short": with_token(good[:-1]),
        "long": with_token(good + b"x"),
        "ended": ended,
        "none": "/v1/feed/x.ics",
        "text": "/v1/feed/%C3%A9%00.ics",
    }
    answers = {name: world.get(wrong) for name, wrong in paths.items()}
    found = {
        (a.status_code, a.json()["code"], a.json()["detail"], a.headers["content-type"])
        for a in answers.values()
    }
    assert len(found) == 1
    assert {status for status, *_ in found} == {404}
    assert world.get(path).status_code == 200
    entries = world.entries(code="feed.open")
    assert len([entry for entry in entries if entry["rule"] == "deny:token"]) >= len(paths)
    assert [entry["rule"] for entry in entries].count("permit:token") >= 1


def test_an_ended_feed_stays_closed_when_its_row_comes_back(world):
    """From a backup of the data store, with the very address that opened it."""
    me = world.person()
    path = feed(world, me)
    copy = stored(world, path)
    assert world.call("DELETE", "/v1/feed", me).status_code == 204
    assert stored(world, path) is None
    with world.vault.stores.data.writing() as connection:
        connection.execute(insert(ROW).values(**copy))
    assert world.get(path).status_code == 404


def test_the_address_is_kept_nowhere(world):
    """Not in either store, in whatever spelling, and no log line holds it."""
    me = world.person()
    stream = io.StringIO()
    logs.configure("debug", stream)
    try:
        path = feed(world, me)
        assert world.get(path).status_code == 200
        assert world.get(path + "x").status_code == 404
    finally:
        structlog.reset_defaults()
    token, lines = raw(path), stream.getvalue()
    assert "/v1/feed/{token}.ics" in lines
    needles = [token, token[16:], path.rsplit("/", 1)[1].encode(), token[16:].hex().encode()]
    found = [lines.encode()]
    for database, metadata in (
        (world.vault.stores.data, tables.data),
        (world.vault.stores.keyring.database, keyring_tables.keyring),
    ):
        with database.reading() as connection:
            for table in metadata.sorted_tables:
                for row in connection.execute(select(table)):
                    found += [v if isinstance(v, bytes) else str(v).encode() for v in row]
    assert len(found) > 100
    assert not any(needle in one for needle in needles for one in found)
    row = stored(world, path)
    assert set(row) == {"id", "kind", "erase_after", "version", "sealed"}


def test_a_row_that_was_changed_by_hand_is_an_alarm(world):
    """Reading it fails and says so on the ledger; signing in and working go on."""
    me = world.person()
    path, case = feed(world, me), world.open(me)
    with world.vault.stores.data.writing() as connection:
        connection.execute(update(ROW).where(ROW.c.id == id_of(path)).values(version=7))
    assert world.get(path).status_code == 500
    rules = {entry["rule"] for entry in world.entries(code="feed.open", outcome="8")}
    assert rules == {"failed:tampered"}
    world.sign_in(me)
    task(world, case, me, day(3))
    failed = world.entries(actor=world.staff[me], code="feed.render", outcome="8")
    assert len(failed) == 2
    assert events(world, feed(world, me)) != {}


def test_a_case_that_does_not_open_costs_the_others_nothing(world):
    """The feed shows the rest, and the alarm is on the ledger."""
    me = world.person()
    bad, good = world.open(me), world.open(me)
    task(world, bad, me, day(1))
    task(world, good, me, day(2))
    case = tables.case_file
    with world.vault.stores.data.writing() as connection:
        connection.execute(update(case).where(case.c.id == UUID(bad)).values(hold=True))
    try:
        assert list(events(world, feed(world, me)).values()) == [day(2)]
    finally:
        with world.vault.stores.data.writing() as connection:
            connection.execute(update(case).where(case.c.id == UUID(bad)).values(hold=False))
    failed = world.entries(case=bad, code="feed.render", outcome="8")
    assert [entry["rule"] for entry in failed] == ["failed:tampered"]


@pytest.mark.parametrize("login", ["ada", "dora", "adi", "uma"])
def test_only_people_with_cases_have_feeds(world, login):
    """No other role, and nobody who is not vouched for."""
    assert world.post("/v1/feed", login, None).json()["code"] == "refused.role"
    assert world.call("DELETE", "/v1/feed", login).json()["code"] == "refused.role"


def test_an_owner_is_named_when_their_feed_is_read(world):
    """So that an auditor finds who has an address that is being read."""
    me = world.person()
    path = feed(world, me)
    world.get(path)
    (entry, *_) = world.entries(code="feed.open")
    assert (entry["outcome"], entry["actor"]) == (0, None)
    assert {entity["type"] for entity in entry["entities"]} == {"feed", "staff"}
