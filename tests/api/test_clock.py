"""A clock that is wrong: what is said, what stays, what is written down. An hour, and ten years."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from casevault.errors import Busy
from casevault.store.engine import clock_guard
from casevault.store.keys import grants
from tests.api.world import World, bearer, build

REASON = "Obviously made-up ambulance at two in the morning"
YEARS = 3652


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)])
def world(request, make_databases, tmp_path: Path):
    """Give a vault of its own: its log learns of years that have not come."""
    made = build(make_databases(request.param), tmp_path, ("cara", "colin", "stra"))
    # Two hours old: what people are vouched for lies behind an hour that is missing.
    made.clock.shift = timedelta(hours=2)
    made._tokens.clear()
    made.vault.caretaker.keep_dates()
    yield made
    made.close()


class Office:
    """What depends on time: a cover, an assignment with a date, an open box, a waiting wish."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.covered, self.lent, self.broken = (world.open("cara") for _ in range(3))
        until = (world.clock.now() + timedelta(days=7)).isoformat()
        body = {"staff_id": world.staff["cara"], "by": world.staff["stra"], "until": until}
        assert world.post("/v1/covers", "sue", body).status_code == 201
        assert world.assign(self.lent, "colin", expires_at=until).status_code == 204
        asked = world.post("/v1/break-glass", "colin", {"case": self.broken, "reason": REASON})
        self._decide(asked.json()["id"])
        body = {"scope": "auditors", "beneficiary": world.staff["ada"]}
        self.wish = world.post("/v1/recoveries", "adi", body).json()["id"]
        self.tokens = {login: world.token(login) for login in ("stra", "colin")}

    def _decide(self, wish: str):
        return self.world.post(f"/v1/approvals/{wish}/decision", "sue", {"approve": True})

    def opens(self, tokens: dict[str, str]) -> list[int]:
        """Return how cover, assignment and box answer."""
        asked = (("stra", self.covered), ("colin", self.lent), ("colin", self.broken))
        return [
            self.world.get(f"/v1/cases/{case}/profile", headers=bearer(tokens[by])).status_code
            for by, case in asked
        ]

    def decided(self) -> int:
        """Approve what waits; return how that is answered."""
        return self._decide(self.wish).status_code


def signed_in_anew(world: World) -> dict[str, str]:
    """Return new tokens of those who depend on a date."""
    return {login: world.sign_in(login) for login in ("stra", "colin")}


def test_an_hour_and_ten_years(world: World) -> None:
    """Dates hold, sessions end, nothing is lost; years are said to be the clock's fault."""
    office = Office(world)
    for hours in (1, -1):
        with world.later(hours=hours):
            assert office.opens(office.tokens) == [401, 401, 401], hours
            assert office.opens(signed_in_anew(world)) == [200, 200, 200], hours
            world.vault.caretaker.keep_dates()
    assert office.opens(office.tokens) == [200, 200, 200]
    for days in (YEARS, -YEARS):
        with world.later(days=days):
            assert office.opens(office.tokens) == [401, 401, 401]
            body = {"login": "sue", "passphrase": world.passphrases["sue"]}
            answer = world.post("/v1/auth/sessions", None, body)
            assert (answer.status_code, answer.json()["code"]) == (503, "clock")
            assert "--clock-is-right" in answer.json()["hint"]
            world.vault.caretaker.keep_dates()
            with pytest.raises(Busy, match="clock"):
                clock_guard.require_right(world.vault.stores.keyring, world.vault.stores.now())
    # Nothing was deleted by a date that had not come, and the log goes on.
    assert office.opens(office.tokens) == [200, 200, 200]
    assert office.decided() == 200
    assert world.get(f"/v1/cases/{world.open('cara')}/profile", "cara").status_code == 200
    assert f"{world.clock.now():%Y-%m}" in {m.month for m in world.vault.stores.months.kept()}
    assert [one["outcome"] for one in world.entries(code="system.clock")] == [8]
    refused = world.entries(code="auth.login_failed")
    assert {one["rule"] for one in refused} == {"deny:clock"}
    it_really_rested(world, office)


def it_really_rested(world: World, office: Office) -> None:
    """After two months people sign in; what is over is deleted once an operator says so."""
    with world.later(days=60):
        tokens = signed_in_anew(world)
        assert office.opens(tokens) == [404, 404, 404]
        world.vault.caretaker.keep_dates()
        assert left_over(world) > 0
        clock_guard.confirm(world.vault.stores.keyring, world.vault.stores.now())
        world.vault.caretaker.keep_dates()
        assert left_over(world) == 0
        assert office.opens(tokens) == [404, 404, 404]


def left_over(world: World) -> int:
    """Return how many objects have grants that are over and still there."""
    stores = world.vault.stores
    with stores.keyring.reading() as tx:
        return len(grants.expired(tx, stores.now()))
