"""Lockdown of a running service: every worker refuses, it does not start again, two end it."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from casevault import bootstrap
from casevault.cli.app import app
from casevault.errors import Misconfigured
from tests.api.world import World, bearer, build
from tests.cli.processes import casevault
from tests.security.server import Served, running

NAME = "Example Red Cross (made up)"
PEOPLE = ("sue", "dora", "adi", "cara")


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)])
def world(request, make_databases, tmp_path):
    """Give a vault of its own, whose people know their codes."""
    made = build(make_databases(request.param), tmp_path, ("cara",))
    for login in PEOPLE:
        made.token(login)
    yield made
    made.close()


def lockdown(served: Served, runner, *arguments: str, who: tuple[str, ...]):
    """Run the command on the same machine, in another process than the workers."""
    given = ["lockdown", *arguments, "--config", str(served.config)]
    for option, login in zip(("--login", "--second-login"), who, strict=False):
        given += [option, login]
    return runner.invoke(app, given, input="".join(map(served.typed, who)))


def answers(served: Served, token: str) -> list[int]:
    """Return how a worker answers to a session, and to somebody who signs in."""
    body = {"login": "cara", "passphrase": served.passphrases["cara"]}
    # Not over a connection that another worker holds.
    with type(served.client)(base_url=served.client.base_url, timeout=20) as client:
        return [
            client.get("/v1/me", headers=bearer(token)).status_code,
            client.post("/v1/auth/sessions", json=body).status_code,
        ]


def every_worker_refuses(served: Served, token: str) -> None:
    """Each of them alone, at once; a second later with the same answer to everything."""
    for nth in range(2):
        with served.only(served.workers[nth]):
            me, signs_in = answers(served, token)
        assert me in (401, 503)
        assert signs_in in (423, 503)
    time.sleep(1.1)
    for nth in range(2):
        with served.only(served.workers[nth]):
            assert answers(served, token) == [503, 503]


def test_every_worker_refuses(world: World, tmp_path: Path, runner) -> None:
    """By the command on the server; nothing serves the vault afterwards."""
    with running(world, tmp_path, workers=2) as served:
        token = served.token("cara")
        assert lockdown(served, runner, "--yes", who=("adi",)).exit_code == 0
        every_worker_refuses(served, token)
    with pytest.raises(Misconfigured, match="locked down"):
        bootstrap.begin_service(served.settings)


@pytest.mark.slow
@pytest.mark.parametrize("world", ["sqlite", "postgresql"], indirect=True)
def test_nothing_serves_until_two_people_end_it(world: World, tmp_path: Path, runner) -> None:
    """By HTTP from wherever one is; a service that is begun ends with a sentence; two open it."""
    with running(world, tmp_path, workers=2) as served:
        token = served.token("cara")
        for nth in range(2):
            with served.only(served.workers[nth]):
                assert answers(served, token) == [200, 201]
        begun = served.post("/v1/lockdown", "dora", {"organisation": NAME})
        assert begun.status_code == 204
        every_worker_refuses(served, token)
    again = casevault("serve", "--config", served.config)
    assert again.code == 1
    assert "locked down" in again.err
    assert lockdown(served, runner, "--end", who=("sue", "sue")).exit_code != 0
    assert casevault("serve", "--config", served.config).code == 1
    assert lockdown(served, runner, "--end", who=("sue", "adi")).exit_code == 0
    with running(world, tmp_path, workers=2) as served:
        token = served.token("cara")
        for nth in range(2):
            with served.only(served.workers[nth]):
                assert answers(served, token) == [200, 201]
