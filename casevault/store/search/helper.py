"""A process that reads and matches cards, so that a search takes no time from other requests.

Speaks with its parent through two pipes, in messages that both ends made from this file. Holds a
directory's wrapping key while a search lasts. Must never write anything anywhere: not to the
database, not to a log, not to a file.
"""

from __future__ import annotations

import os
import pickle
import sys
from dataclasses import dataclass, field
from typing import BinaryIO

from casevault.errors import CaseVaultError
from casevault.matching.people import Person
from casevault.matching.scan import Found
from casevault.store.engine.database import Database
from casevault.store.engine.hardening import harden_process
from casevault.store.search.card_reading import Reading, Stack, Tally

# Everybody else on this machine comes first.
_NICE = 10
_LENGTH = 8


@dataclass(frozen=True, slots=True)
class Begin:
    """A search begins."""

    asked: Person = field(repr=False)
    limit: int


@dataclass(frozen=True, slots=True)
class End:
    """All stacks were sent: answer."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a helper found; `failed` if the database did not answer."""

    found: tuple[Found, ...] = field(default=(), repr=False)
    tally: Tally = field(default_factory=Tally)
    failed: bool = False


Message = Begin | Stack | End | Answer | str


def send(pipe: BinaryIO, message: Message) -> None:
    """Write one message."""
    raw = pickle.dumps(message, pickle.HIGHEST_PROTOCOL)
    pipe.write(len(raw).to_bytes(_LENGTH, "big") + raw)
    pipe.flush()


def receive(pipe: BinaryIO) -> Message | None:
    """Read one message; None when the other end is gone."""
    length = pipe.read(_LENGTH)
    if len(length) < _LENGTH:
        return None
    # Both ends of these pipes are ours, and nobody else can open them.
    message: Message = pickle.loads(pipe.read(int.from_bytes(length, "big")))  # noqa: S301
    return message


def serve(orders: BinaryIO, answers: BinaryIO) -> None:
    """Answer searches until the parent is gone; its first message is the database's address."""
    url = receive(orders)
    if not isinstance(url, str):
        return
    database = Database(url, 1)
    reading: Reading | None = None
    failed = False
    while (message := receive(orders)) is not None:
        if isinstance(message, Begin):
            reading, failed = Reading(message.asked, message.limit), False
        elif isinstance(message, Stack) and reading is not None and not failed:
            failed = not _read(database, reading, message)
        elif isinstance(message, End) and reading is not None:
            send(answers, Answer(tuple(reading.best()), reading.tally, failed))
            reading = None


def _read(database: Database, reading: Reading, stack: Stack) -> bool:
    try:
        with database.reading() as connection:
            reading.read(connection, stack)
    except CaseVaultError:
        return False
    return True


def main() -> None:
    """Run as ``python -m casevault.store.search.helper`` with the pipes as stdin and stdout."""
    harden_process()
    os.nice(_NICE)
    serve(sys.stdin.buffer, sys.stdout.buffer)


if __name__ == "__main__":
    # The messages' types must be those of the parent's module, not of one called `__main__`.
    from casevault.store.search import helper

    helper.main()
