"""Operations run in one thread, whole, and nothing that blocks gets into the event loop."""

from __future__ import annotations

import asyncio
import threading
from typing import Annotated

import anyio.to_thread
import pytest
from fastapi import Depends, FastAPI
from fastapi.testclient import TestClient
from pydantic import BaseModel

from casevault.api.app import ROUTERS
from casevault.api.routing import OneThread, Router, blocking


class Shown(BaseModel):
    """An answer that the framework checks."""

    thread: int
    caller: int


@blocking
async def _caller() -> int:
    return threading.get_ident()


def _own_thread() -> int:
    return 0


async def _waits() -> int:
    await asyncio.sleep(0)
    return 1


Caller = Annotated[int, Depends(_caller)]


def an_app(*routers):
    """Return an application of these routers."""
    app = FastAPI()
    for router in routers:
        app.include_router(router)
    return app


def test_a_request_crosses_into_one_thread_once(monkeypatch):
    """Caller, operation and the check of its answer share one thread: one crossing, not three."""
    crossed, crossing = [], anyio.to_thread.run_sync

    async def counted(work, *given, **named):
        crossed.append(work)
        return await crossing(work, *given, **named)

    router = Router(prefix="/v1/made-up")

    @router.get("")
    def show(caller: Caller) -> Shown:
        return Shown(thread=threading.get_ident(), caller=caller)

    with TestClient(an_app(router)) as client:
        monkeypatch.setattr(anyio.to_thread, "run_sync", counted)
        shown = client.get("/v1/made-up").json()
    assert shown["thread"] == shown["caller"]
    assert len(crossed) == 1


def test_a_dependency_that_needs_a_thread_of_its_own_is_refused():
    """It would be a second crossing for every request, and could not be driven here."""
    router = Router()
    with pytest.raises(TypeError, match="thread of its own"):

        @router.get("/made-up")
        def show(caller: Annotated[int, Depends(_own_thread)]) -> int:
            return caller


def test_what_blocks_is_refused_in_the_event_loop():
    """An operation that is declared async must not look up its caller where everybody waits."""
    router = Router()
    with pytest.raises(TypeError, match="everybody waiting"):

        @router.get("/made-up")
        async def show(caller: Caller) -> int:
            return caller


def test_an_operation_in_a_thread_awaits_nothing():
    """What would wait for the event loop from a thread fails, rather than never to end."""
    router = Router()

    @router.get("/made-up")
    def show(found: Annotated[int, Depends(_waits)]) -> int:
        return found

    with (
        TestClient(an_app(router)) as client,
        pytest.raises(RuntimeError, match="waited for the event loop"),
    ):
        client.get("/made-up")


def test_routers_pass_on_what_begins_otherwise(monkeypatch):
    """One comparison for each router; the wrong method is still told from the wrong address."""
    cases, staff = Router(prefix="/v1/cases"), Router(prefix="/v1/staff")

    @cases.get("/{case_id}/notes")
    def notes(case_id: str) -> str:
        return case_id

    @staff.get("/{staff_id}")
    def person(staff_id: str) -> str:
        return staff_id

    app = an_app(cases, staff)
    with TestClient(app) as client:
        assert client.get("/v1/staff/a").json() == "a"
        looked = []
        monkeypatch.setattr(OneThread, "matches", _counting(looked))
        assert client.get("/v1/cases/b/notes").json() == "b"
        assert {route.path for route in looked} == {"/v1/cases/{case_id}/notes"}
        assert client.post("/v1/staff/a").status_code == 405
        assert client.get("/v1/unknown").status_code == 404
    with TestClient(app, root_path="/below") as client:
        assert client.get("/below/v1/staff/a").json() == "a"


def _counting(looked):
    matches = OneThread.matches

    def counted(self, scope):
        looked.append(self)
        return matches(self, scope)

    return counted


def test_every_router_of_the_interface_is_one_of_these():
    """An operation that was declared on the framework's own router would cross three times."""
    assert all(isinstance(router, Router) for router in ROUTERS)
