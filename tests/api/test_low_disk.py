"""A disk that fills up: what is refused on each rung, and that nothing leaves once it is full."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from casevault.domain.recovery.room import Room
from casevault.store.engine import space as space_module
from casevault.store.engine import tables
from casevault.store.log.ledger import Ledger
from tests.api.world import World, an_identity, build
from tests.conftest import Databases

MARKER = "Fully Booked-Madeup"


@contextmanager
def on_rung(found: Room) -> Iterator[None]:
    """Let every disk stand on a rung of the ladder."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(space_module.Space, "room", lambda _self: found)
        yield


def is_refused(answer: Any) -> bool:
    """Say whether the disk is why, and nothing else is said."""
    return (
        answer.status_code == 503
        and answer.json()["code"] == "disk.full"
        and MARKER not in answer.text
        and answer.headers["retry-after"] == "2"
    )


def test_the_ladder_over_http(world: World) -> None:
    """A warning changes nothing; at the end case data stop, but neither audit nor revoking."""
    case = world.open("cara", an_identity(MARKER))
    path = f"/v1/cases/{case}/identity"
    assert world.assign(case, "colin").status_code == 204
    for rung in (Room.WARN, Room.NO_EXPORTS):
        with on_rung(rung):
            assert world.get(path, "cara").status_code == 200
    with on_rung(Room.NO_CASES):
        for answer in (
            world.get(path, "cara"),
            world.get("/v1/cases", "cara"),
            world.get("/v1/worklist", "cara"),
            world.post("/v1/cases", "cara", {"identity": an_identity(MARKER)}),
        ):
            assert is_refused(answer), answer.text
        assert world.get("/v1/ledger/entries", "ada").status_code == 200
        revoked = world.client.delete(
            f"/v1/cases/{case}/grants/{world.staff['colin']}",
            headers={"Authorization": "Bearer " + world.token("sue")},
        )
        assert revoked.status_code < 300, revoked.text
        assert world.get("/livez").status_code == 200
    assert world.get(path, "cara").status_code == 200


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Mount eight mebibytes of memory as a disk."""
    place = tmp_path / "disk"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=8m,mode=0700", "tmpfs", str(place)]
    if os.getuid() != 0 or subprocess.run(command, check=False, capture_output=True).returncode:
        pytest.skip("mounting a small tmpfs needs root and the right to mount")
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)  # noqa: S607 - as above


def entries(world: World) -> int:
    """Return how many entries there are."""
    with world.vault.stores.data.reading() as connection:
        query = select(func.count()).select_from(tables.ledger_entry)
        return int(connection.execute(query).scalar_one())


def test_a_disk_that_is_really_full(small_disk: Path, tmp_path: Path) -> None:
    """What cannot be recorded is not disclosed; with room again nothing is missing."""
    databases = Databases(
        "sqlite",
        f"sqlite:///{small_disk / 'casevault.db'}",
        f"sqlite:///{tmp_path / 'keyring' / 'keyring.db'}",
    )
    # The ladder would refuse on so small a disk before it is full: here it has to be blind.
    with on_rung(Room.PLENTY):
        world = build(databases, tmp_path)
        try:
            case = world.open("cara", an_identity(MARKER))
            path = f"/v1/cases/{case}/identity"
            assert world.get(path, "cara").status_code == 200
            filler = small_disk / "filler"
            with filler.open("wb", buffering=0) as file, pytest.raises(OSError, match="space"):
                while True:
                    file.write(bytes(4096))
            answers = [world.get(path, "cara") for _ in range(3)]
            answers.append(world.post("/v1/cases", "cara", {"identity": an_identity(MARKER)}))
            assert {answer.status_code for answer in answers} == {503}
            assert not any(MARKER in answer.text for answer in answers)
            before = entries(world)
            filler.unlink()
            assert world.get(path, "cara").status_code == 200
            assert entries(world) == before + 1
            # The numbers that were taken in vain are named.
            assert world.vault.checkpoints.sign()
            assert not missing(world)
        finally:
            world.close()


def missing(world: World) -> tuple[Any, ...]:
    """Return gaps of counters that nobody explains."""
    from casevault.store.audit.inspection import Inspection

    vault = world.vault
    with vault.stores.data.reading() as connection:
        return Inspection(vault.stores, connection, vault.checkpoints).run().gaps


# A change appends to the ledger in its own transaction; a look has one of its own, with others.
@pytest.mark.parametrize("place", ["append", "_write"])
def test_injected_write_errors(world: World, monkeypatch: pytest.MonkeyPatch, place: str) -> None:
    """Whatever of the ledger fails, no text of the case leaves, and the error is ours."""
    case = world.open("cara", an_identity(MARKER))
    path = f"/v1/cases/{case}/identity"
    good = getattr(Ledger, place)
    failing = [True]

    def sometimes(self: Ledger, *args: Any, **kwargs: Any) -> Any:
        if failing[0]:
            from sqlalchemy.exc import OperationalError

            raise OperationalError("INSERT", {}, OSError(28, "No space left on device"))
        return good(self, *args, **kwargs)

    monkeypatch.setattr(Ledger, place, sometimes)
    answers = [world.post("/v1/cases", "cara", {"identity": an_identity(MARKER)})]
    if place == "_write":
        answers += [world.get(path, "cara"), world.get("/v1/cases", "cara")]
    assert {answer.status_code for answer in answers} == {503}
    assert not any(MARKER in answer.text or "device" in answer.text for answer in answers)
    failing[0] = False
    assert world.get(path, "cara").status_code == 200
    world.vault.caretaker.integrate()
    assert not missing(world)
