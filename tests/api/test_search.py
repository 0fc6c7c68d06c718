"""Finding people over HTTP: who is found, what is said, how often one may ask."""

from __future__ import annotations

import json
from dataclasses import replace
from uuid import UUID

import anyio
import pytest

from casevault.errors import Busy
from casevault.services.search.search import Search, Terms
from casevault.store.context.caller import Gate
from casevault.store.engine import keyring_tables
from casevault.store.search import card_reading, cards, finding, search_counts
from casevault.store.search.finding import Finder
from casevault.store.search.helpers import Helpers
from tests.api.world import NORTH, SOUTH, an_identity

NAME = "Zulaykha Obviousnamov"
SPELLINGS = ["Zuleyha Obviousnamova", "Obviousnamov Zulaykha", "Зулейха Обвиоуснамова"]


@pytest.fixture(autouse=True)
def fresh_hour(world):
    """Every test begins with a whole hour's searches."""
    with world.vault.stores.keyring.writing() as tx:
        for login in ("cara", "colin", "sue", "sofia"):
            tx.remove(keyring_tables.search_count, staff_id=UUID(world.staff[login]))


def search(world, by="colin", **terms):
    """Search as somebody."""
    return world.post("/v1/search", by, terms)


def references(answer):
    """Return the references of an answer."""
    assert answer.status_code == 200, answer.text
    return [item["reference"] for item in answer.json()["items"]]


def a_case(world, by="cara", name=NAME, profile=None, **fields):
    """Open a case and return what the API says of it."""
    body = {"identity": an_identity(name, **fields), "profile": profile or {}}
    answer = world.post("/v1/cases", by, body)
    assert answer.status_code == 201, answer.text
    return answer.json()


def test_one_person_under_three_spellings_in_two_scripts(world):
    """A colleague without a grant finds the case, why it matched, and whom to ask."""
    case = a_case(world, birth_year=1994)
    for spelling in SPELLINGS:
        answer = search(world, name=spelling, birth_year=1994)
        assert case["reference"] in references(answer)
        item = next(i for i in answer.json()["items"] if i["reference"] == case["reference"])
        assert item["case_id"] is None
        assert {"id": world.staff["cara"], "name": item["ask"][0]["name"]} in item["ask"]
        assert "birth_year_same" in item["reasons"]
        assert item["team"] == NORTH
        assert set(item) == {
            "reference", "team_id", "team", "case_id", "certainty", "reasons", "ask",
        }  # fmt: skip
    mine = search(world, by="cara", name=NAME).json()["items"]
    assert case["id"] in [item["case_id"] for item in mine]


def test_given_and_family_names_are_explained(world):
    """Whoever asks by parts is told which part is alike; a phone in any form is strong."""
    case = a_case(world, name="Perpetua Nonesuchova", phones=["+390212345678"])
    asked = {"given": "Xanthippe", "family": "Nonesuchov", "phone": "02 1234 5678"}
    items = search(world, **asked).json()["items"]
    (item,) = [one for one in items if one["reference"] == case["reference"]]
    assert "family_name_alike" in item["reasons"]
    assert "given_name_alike" not in item["reasons"]
    assert "phone_ending_same" in item["reasons"]


@pytest.mark.parametrize(
    "terms",
    [
        {},
        {"name": "Zulaykha"},
        {"name": "a b c"},
        {"birth_year": 1994},
        {"phone": "123"},
        {"name": "🙂 \u200f"},
    ],
)
def test_too_little_is_refused(world, terms):
    """One attribute would list a tenth of a team."""
    answer = search(world, **terms)
    assert answer.status_code == 422
    assert answer.json()["code"] == "search.too-little"


@pytest.mark.parametrize(
    "terms",
    [
        {"name": "a" * 10_000},
        {"name": "Amina Yusuf", "birth_year": 3000},
        {"name": "Amina Yusuf", "unknown": 1},
        {"name": 12},
        {"phone": "1" * 50},
    ],
)
def test_bad_input_is_a_clear_problem(world, terms):
    """What cannot be asked is refused by name of the field, without a word of it."""
    answer = search(world, **terms)
    assert answer.status_code == 422
    assert "Amina" not in answer.text
    assert "a" * 20 not in answer.text


@pytest.mark.parametrize(
    "name",
    [
        "А" * 200,
        "\u202eeman olleh",
        "a\u200bb\u200bc d\u200b",
        "Zo 1 2 3 4 5",
        "'; DROP--",
        "ｆｕｌｌ ｗｉｄｔｈ",
    ],
)
def test_strange_names_have_a_sensible_answer(world, name):
    """No name makes a fault."""
    assert search(world, name=name, birth_year=1990).status_code == 200


def test_an_unlisted_case_is_not_found(world):
    """Not by name and not by phone; and it is not found again after an amendment."""
    hidden = {"unlisted": True}
    case = a_case(world, name="Hildegund Unlistedsson", profile=hidden, phones=["+390298765432"])
    assert case["reference"] not in references(search(world, name="Hildegund Unlistedsson"))
    assert case["reference"] not in references(search(world, phone="+390298765432"))


def test_another_team_s_cards_do_not_open(world):
    """A colleague of another team finds nobody here."""
    a_case(world, name="Quirina Northerly")
    assert references(search(world, by="sofia", name="Quirina Northerly")) == []


def test_who_is_in_no_team_may_not_search(world):
    """Auditors, the DPO and the administrator have no directory."""
    for login in ("ada", "dora", "adi"):
        assert search(world, by=login, name=NAME).status_code == 403


def test_the_ledger_has_the_cases_and_not_the_question(world):
    """One entry: which cases were shown, how many, and the same digest for the same question."""
    case = a_case(world, name="Leocadia Ledgerly")
    for name in ("Leocadia Ledgerly", "LEOCADIA  ledgerly", "Leocadia Other"):
        search(world, name=name)
    ran = world.entries(code="search.run")[:3]
    first, second, third = sorted(ran, key=lambda one: one["position"])
    digests = [one["query"] for one in (first, second, third)]
    assert digests[0] == digests[1] != digests[2]
    assert "eocadia" not in str(ran)
    assert case["id"]


def test_a_budget_of_searches_is_shared_by_all_workers(world):
    """Above the limit of the hour nothing is searched; the first time is an alarm on the ledger."""
    limit = world.vault.stores.search.per_hour
    before = len(world.entries(code="search.limited"))
    for _ in range(limit - 1):
        search_counts.take(world.vault.stores, UUID(world.staff["sue"]))
    assert search(world, by="sue", name="Nobody Atall").status_code == 200
    for _ in range(3):
        refused = search(world, by="sue", name="Nobody Atall")
        assert (refused.status_code, refused.json()["code"]) == (429, "search.limited")
    assert len(world.entries(code="search.limited")) == before + 1


def test_a_card_that_was_tampered_with_raises_an_alarm_and_hides_nobody(world):
    """The others are found, the answer says that it is not complete, the ledger has an alarm."""
    one, other = a_case(world, name="Tamara Tampered"), a_case(world, name="Tamara Tampered")
    stores = world.vault.stores
    team = UUID(one["team"])
    with stores.data.writing() as connection:
        card = next(iter(cards.cards_of(stores.roots, team, UUID(one["id"]))))
        (sealed,) = cards._FIND.one(connection, {"team": team, "card": card})
        row = bytes(sealed)
        spoilt = row[:-1] + bytes([row[-1] ^ 1])
        _write(connection, team, card, spoilt)
    try:
        answer = search(world, name="Tamara Tampered")
        assert other["reference"] in references(answer)
        assert one["reference"] not in references(answer)
        assert answer.json()["complete"] is False
        newest = world.entries(code="search.run")[:2]
        assert any(one["outcome"] == 8 for one in newest)
    finally:
        with stores.data.writing() as connection:
            _write(connection, team, card, row)


def _write(connection, team, card, sealed):
    table = cards._CARD
    connection.execute(
        table.update().where(table.c.team_id == team, table.c.id == card).values(sealed=sealed)
    )


def test_helpers_find_what_one_thread_finds(world, monkeypatch):
    """Processes beside the worker answer the same, and end with it."""
    case = a_case(world, name="Hortensia Helpersdottir")
    stores = world.vault.stores
    caller = world.vault.sessions.authenticate(world.token("colin"), None)
    helpers = Helpers(world.vault.settings.data_url, 2)
    alone = world.vault.search.run(caller, Terms("Hortensia Helpersdottir"))
    monkeypatch.setattr(finding, "ALONE", 0)
    monkeypatch.setattr(finding, "_IN_A_STACK", 2)
    together = Search(stores, Gate(stores, "passphrase"), Finder(stores, helpers))
    try:
        found = together.run(caller, Terms("Hortensia Helpersdottir"))
        assert [item.reference for item in found.items] == [item.reference for item in alone.items]
        assert case["reference"] in [item.reference for item in found.items]
        with pytest.raises(Busy, match="Nobody waits"):
            together.run(caller, Terms("Hortensia Helpersdottir"), lambda: True)
        assert together.run(caller, Terms("Hortensia Helpersdottir")).items
    finally:
        together.close()
    assert card_reading.merged([], 10) == []


def hung_up(world, path, body, by):
    """Send a request and hang up at once; return the status and the body of what is answered."""
    messages = iter([{"type": "http.request", "body": json.dumps(body).encode()}])
    sent = []

    async def receive():
        return next(messages, {"type": "http.disconnect"})

    async def send(message):
        sent.append(message)

    headers = {"host": world.client.base_url.netloc.decode()}
    headers |= {"authorization": f"Bearer {world.token(by)}", "content-type": "application/json"}
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
        "client": ("127.0.0.1", 1),
        "server": ("testserver", 80),
        "state": {},
    }
    anyio.run(world.client.app, scope, receive, send)
    return sent[0]["status"], json.loads(b"".join(one.get("body", b"") for one in sent[1:]))


def test_who_hangs_up_ends_the_search(world):
    """Nobody waits for the answer: no card is opened for it and it says that nothing was read."""
    a_case(world, name="Hedda Hungup")
    before = len(world.entries(code="search.run"))
    status, problem = hung_up(world, "/v1/search", {"name": "Hedda Hungup"}, "colin")
    assert (status, problem["code"]) == (503, "search.gone")
    assert len(world.entries(code="search.run")) == before
    assert search(world, name="Hedda Hungup").json()["items"]


def test_directories_are_shared_only_where_the_programme_says_so(world, monkeypatch):
    """With the setting, another team learns the team and the reference, and nobody's name."""
    case = a_case(world, name="Sidonie Shareworthy")
    path = f"/v1/teams/{world.team(NORTH)}/directory-shares"
    refused = world.post(path, "sue", {})
    assert (refused.status_code, refused.json()["code"]) == (403, "search.not-shared")
    stores = world.vault.stores
    wide = replace(stores, search=replace(stores.search, organisation_wide=True))
    monkeypatch.setattr(world.vault.search, "_stores", wide)
    elsewhere = f"/v1/teams/{world.team(SOUTH)}/directory-shares"
    assert world.post(elsewhere, "sue", {}).status_code == 403
    assert references(search(world, by="sofia", name="Sidonie Shareworthy")) == []
    assert world.post(path, "sue", {}).json()["directories"] >= 1
    (item,) = search(world, by="sofia", name="Sidonie Shareworthy").json()["items"]
    assert (item["reference"], item["team"]) == (case["reference"], NORTH)
    assert (item["ask"], item["case_id"]) == ([], None)
    monkeypatch.undo()
    assert references(search(world, by="sofia", name="Sidonie Shareworthy")) == []
