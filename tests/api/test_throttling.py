"""Guessing is bounded per account and day, a known device stays usable, floods cost little."""

from __future__ import annotations

import base64
import itertools
import secrets
import sys
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

import httpx2
import pytest

from casevault.store.engine import keyring_tables as tables
from casevault.store.staff import failures, guesses
from tests.api.world import World, a_login, a_passphrase, bearer, unknown_id
from tests.security.server import running

DAY = 86_400


@pytest.fixture
def few(monkeypatch) -> int:
    """Allow five guesses a day, which takes less time than a hundred."""
    monkeypatch.setattr(guesses, "PER_DAY", 5)
    return 5


def sign_in(world: World, login: str, **fields: str):
    """Try to sign in."""
    body = {"login": login, "passphrase": a_passphrase(), **fields}
    return world.call("POST", "/v1/auth/sessions", None, body)


def limited(answer) -> bool:
    """Say whether an answer is the one of too many guesses."""
    return answer.status_code == 429 and answer.json()["code"] == "rate.limited"


def test_a_hundred_guesses_a_day_is_the_default() -> None:
    """The number is a promise."""
    assert guesses.PER_DAY == 100


def test_guesses_above_the_limit_are_not_evaluated(world: World, few: int) -> None:
    """Not even the right passphrase; the next day it works again."""
    login = world.person()
    right = {"passphrase": world.passphrases[login]}
    answers = [sign_in(world, login) for _ in range(few)]
    assert [answer.status_code for answer in answers] == [401] * few
    refused = sign_in(world, login, **right)
    assert limited(refused)
    assert int(refused.headers["Retry-After"]) > 0
    assert limited(sign_in(world, login))
    with world.later(seconds=DAY):
        assert sign_in(world, login, **right).status_code == 201


def test_unknown_logins_are_limited_alike(world: World, few: int) -> None:
    """Nobody learns from the limit whether a login exists; another login is not concerned."""
    login = a_login()
    answers = [sign_in(world, login) for _ in range(few + 1)]
    assert [answer.status_code for answer in answers] == [401] * few + [429]
    assert sign_in(world, a_login()).status_code == 401


def test_a_right_passphrase_costs_nothing_of_the_allowance(world: World, few: int) -> None:
    """People sign in as often as they like; a wrong code counts all the same."""
    login = world.person()
    for _ in range(few + 2):
        world.begin(login)
    known = {"passphrase": world.passphrases[login], "code": "000000"}
    assert [sign_in(world, login, **known).status_code for _ in range(few)] == [401] * few
    assert limited(sign_in(world, login, **known))


def test_the_true_person_signs_in_from_a_known_device(world: World, few: int) -> None:
    """It has an allowance of its own, which strangers cannot use up."""
    login = world.person()
    right = {"passphrase": world.passphrases[login]}
    first = sign_in(world, login, code=world.code(login), **right).json()
    assert first["device"]
    while not limited(sign_in(world, login)):
        pass
    for device in (a_login(), "", world.person()):
        assert limited(sign_in(world, login, device=device, **right))
    again = sign_in(world, login, device=first["device"], code=world.code(login), **right)
    assert again.status_code == 201
    assert again.json()["device"] is None
    # Who stole the device guesses no longer either.
    while not limited(answer := sign_in(world, login, device=first["device"])):
        assert answer.status_code == 401


def test_a_passphrase_alone_makes_no_device_known(world: World, few: int) -> None:
    """Or whoever learned it would have a new allowance for codes with every sign-in."""
    login = world.person()
    assert sign_in(world, login, passphrase=world.passphrases[login]).json()["device"] is None
    other = world.person()
    right = {"passphrase": world.passphrases[other], "code": world.code(other)}
    theirs = sign_in(world, other, **right).json()["device"]
    while not limited(sign_in(world, login, device=theirs)):
        pass


def test_a_person_has_ten_known_devices(world: World) -> None:
    """The oldest makes room, so that the table stays small."""
    login = world.person()
    for _ in range(12):
        world.begin(login, world.code(login))
    with world.vault.stores.keyring.reading() as tx:
        assert len(tx.lookups(tables.device, staff_id=UUID(world.staff[login]))) == 10


def test_codes_are_limited_in_sessions_too(world: World, few: int) -> None:
    """Who stole a passphrase tries five codes; a passphrase once more counts with them."""
    login = world.person()
    token = world.begin(login)
    path = "/v1/auth/sessions/current/second-factor"
    for _ in range(few - 1):
        answer = world.call("POST", path, None, {"code": "000000"}, headers=bearer(token))
        assert answer.status_code == 403
    wrong = {"passphrase": a_passphrase()}
    answer = world.call("POST", "/v1/auth/step-up", None, wrong, headers=bearer(token))
    assert answer.status_code == 403
    good = {"code": world.code(login)}
    assert limited(world.call("POST", path, None, good, headers=bearer(token)))
    right = {"passphrase": world.passphrases[login]}
    assert limited(world.call("POST", "/v1/auth/step-up", None, right, headers=bearer(token)))


def test_two_at_once_are_both_counted(world: World, monkeypatch) -> None:
    """Ten at once, five of them evaluated."""
    monkeypatch.setattr(guesses, "PER_DAY", 5)
    login = a_login()
    with ThreadPoolExecutor(4) as pool:
        found = [pool.submit(sign_in, world, login) for _ in range(10)]
    statuses = [each.result().status_code for each in found]
    assert statuses.count(401) + statuses.count(503) <= 5 + statuses.count(503)
    assert statuses.count(401) <= 5
    assert 429 in statuses


def test_a_flood_is_few_entries(world: World, monkeypatch) -> None:
    """The first failure of a minute at once; the others as one entry with a count."""
    monkeypatch.setattr(failures, "AT_ONCE", 2)
    login = world.person()
    world.token("ada")
    with world.later(minutes=5):
        begun = len(world.entries(code="auth.login_failed", actor=world.staff[login]))
        for _ in range(4):
            assert sign_in(world, login).status_code == 401
        for _ in range(3):
            assert sign_in(world, a_login()).status_code == 401
        found = world.entries(code="auth.login_failed", actor=world.staff[login])
        assert len(found) == begun + 1
    with world.later(minutes=8):
        assert failures.record_past(world.vault.stores) >= 2
        assert failures.record_past(world.vault.stores) == 0
        found = world.entries(code="auth.login_failed", actor=world.staff[login])
        assert [entry["count"] for entry in found[:2]] == [3, None]


def test_two_caretakers_record_a_minute_once(world: World, monkeypatch) -> None:
    """What the other one recorded already is not recorded again."""
    login, stores = world.person(), world.vault.stores
    world.token("ada")
    with world.later(minutes=9):
        for _ in range(3):
            sign_in(world, login)
    with world.later(minutes=12):
        with stores.keyring.reading() as tx:
            rows = tx.find(tables.failure)
        failures.record_past(stores)
        with stores.keyring.writing() as tx:
            for row in rows:
                if not tx.lookups(tables.failure, **row.lookup):
                    tx.add(tables.failure, row.content, **row.lookup)
        failures.record_past(stores)
        found = world.entries(code="auth.login_failed", actor=world.staff[login])
    assert [entry["count"] for entry in found] == [2, None]


def resident(pid: int) -> float:
    """Return the resident size of a process in MiB."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    raise AssertionError("no such process")


@dataclass
class Flood:
    """What came of trying to sign in as strangers do, at a steady rate; half of them as one."""

    url: str
    seconds: float
    target: str
    per_second: int = 200
    threads: int = 16
    # How often each status came, for anybody and for the one.
    statuses: Counter[int] = field(default_factory=Counter)
    of_target: Counter[int] = field(default_factory=Counter)

    def run(self) -> None:
        """Attack until the time is over."""
        workers = [threading.Thread(target=self._work) for _ in range(self.threads)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()

    def _work(self) -> None:
        until = time.monotonic() + self.seconds
        with httpx2.Client(base_url=self.url, timeout=30, verify=False) as client:
            following = time.monotonic()
            for number in itertools.count():
                following += self.threads / self.per_second
                if time.monotonic() >= until:
                    return
                login = self.target if number % 2 else secrets.token_hex(4)
                body = {"login": login, "passphrase": secrets.token_hex(10)}
                status = client.post("/v1/auth/sessions", json=body).status_code
                (self.of_target if number % 2 else self.statuses)[status] += 1
                time.sleep(max(0.0, following - time.monotonic()))


@pytest.mark.parametrize("seconds", [3.0, pytest.param(30.0, marks=pytest.mark.slow)])
def test_a_login_flood_leaves_others_alive(
    sqlite_world: World, tmp_path: Path, seconds: float
) -> None:
    """200 a second: memory is bounded, people go on working, a known device still signs in."""
    with running(sqlite_world, tmp_path) as served:
        login = served.person()
        right = {"passphrase": served.passphrases[login]}
        device = sign_in(served, login, code=served.code(login), **right).json()["device"]
        headers = bearer(served.token("cara"))
        assert served.client.get("/v1/me", headers=headers).status_code == 200
        (pid,) = _workers(served)
        attack = Flood(str(served.client.base_url), seconds, login)
        attacker = threading.Thread(target=attack.run)
        before, waits, owner = resident(pid), [], Counter[int]()
        largest = before
        attacker.start()
        while attacker.is_alive():
            began = time.monotonic()
            assert served.client.get("/v1/me", headers=headers).status_code == 200
            waits.append(time.monotonic() - began)
            largest = max(largest, resident(pid))
            if len(waits) % 10 == 2:
                # The true person, whose place in the queue strangers cannot take.
                answer = sign_in(served, login, device=device, **right)
                owner[answer.status_code] += 1
            time.sleep(0.05)
        attacker.join()
        last = sign_in(served, login, device=device, **right)
    tried = attack.statuses + attack.of_target
    p95 = sorted(waits)[int(len(waits) * 0.95)]
    sys.stdout.write(
        f"\nlogin flood of {seconds:.0f} s: {tried.total()} tries {dict(sorted(tried.items()))},"
        f" resident {before:.0f} -> {largest:.0f} MiB, other requests p95 {p95 * 1000:.0f} ms,"
        f" the person from their device {dict(owner)}\n"
    )
    assert set(tried) <= {401, 429, 503}
    assert attack.of_target[401] <= guesses.PER_DAY, "more were evaluated than a day allows"
    assert tried[503] + tried[429] > tried[401] / 20, "the queue must have been full at times"
    assert len(waits) >= 3
    assert max(waits) < 5
    assert largest - before < 150
    assert owner[201] >= 1
    assert last.status_code == 201


def _workers(served) -> list[int]:
    listening = f":{served.port:04X} "
    lines = [line for line in Path("/proc/net/tcp").read_text().splitlines() if listening in line]
    inodes = {line.split()[9] for line in lines if line.split()[3] == "0A"}
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                links = {link.readlink().name for link in (folder / "fd").iterdir()}
            except OSError:
                continue
            if any(f"socket:[{inode}]" in links for inode in inodes):
                found.append(int(folder.name))
    return found[-1:]


def test_doors_for_anybody_fill_no_log(sqlite_world: World, monkeypatch: pytest.MonkeyPatch):
    """Addresses that nobody gave out and messages of strangers: some entries, then a count."""
    world = sqlite_world
    monkeypatch.setattr(failures, "AT_ONCE", 2)
    with world.later(minutes=3):
        codes = ("feed.open", "referral.guess", "exchange.refuse")
        before = {code: refused(world, code) for code in codes}
        for number in range(6):
            assert world.get(f"/v1/feed/{'M' * 60}{number}.ics").status_code == 404
            body = {"code": "0"}
            assert world.post(f"/v1/collect/{unknown_id()}", None, body).status_code == 404
            message = {"message": base64.b64encode(b"made up %d" % number).decode()}
            assert world.post("/v1/exchange/messages", None, message).status_code == 422
        grown = {code: refused(world, code) - before[code] for code in codes}
        assert all(1 <= grown[code] <= 4 for code in codes), grown
    with world.later(minutes=6):
        failures.record_past(world.vault.stores)
        counted = {code: refused(world, code) - before[code] for code in codes}
        assert all(counted[code] > grown[code] for code in codes), counted


def refused(world: World, code: str) -> int:
    """Return how many refusals of a code are on the ledger."""
    return len([one for one in world.entries(code=code) if one["outcome"] == 4])
