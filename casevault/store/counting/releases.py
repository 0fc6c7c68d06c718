"""Releases as rows of the keyring, their files as sealed rows of the data store.

What was drawn and paid must never go backwards with a restore, so it is in the keyring. The files
follow from it byte for byte; they are kept because a later version may draw them otherwise. Each
lies under a key of its own. Nobody sees one that is not published but those who review it.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from uuid import UUID

from sqlalchemy import Connection, delete, insert, select

from casevault.crypto.sealing import Key, Place, seal, unseal
from casevault.disclosure import catalogue, rendering
from casevault.disclosure.lifecycle import Held, Stage, digest_of
from casevault.disclosure.releasing import Release
from casevault.errors import NotFound, Tampered
from casevault.store.engine import keyring_tables, milestones, tables
from casevault.store.engine.keyring import KeyringTransaction

_TABLE = keyring_tables.release
_PAYLOAD = tables.release_payload
_KIND = "release"


def add(tx: KeyringTransaction, held: Held) -> None:
    """Keep a new release."""
    tx.add(_TABLE, held.encode(), id=held.id)


def change(tx: KeyringTransaction, held: Held) -> None:
    """Keep a release one step on."""
    tx.replace(_TABLE, held.encode(), id=held.id)


def find(tx: KeyringTransaction, release: UUID, *, lock: bool = False) -> Held:
    """Return one release (`lock`: nobody else takes a step meanwhile), else `NotFound`."""
    row = tx.one(_TABLE, lock=lock, id=release)
    if row is None:
        raise NotFound()
    return _checked(Held.decode(row.content), row.lookup["id"])


def all_(tx: KeyringTransaction) -> list[Held]:
    """Return every release, oldest first."""
    found = [_checked(Held.decode(row.content), row.lookup["id"]) for row in tx.find(_TABLE)]
    return sorted(found, key=lambda one: (one.made.at, one.id))


def years(tx: KeyringTransaction) -> set[int]:
    """Return the years of every release that ever was, whatever became of it."""
    return {one.design.period.year for one in all_(tx)}


def take_turn(tx: KeyringTransaction, now: int) -> None:
    """Wait for whoever else decides who is counted in which year; what they did is seen after it.

    A release is reserved for a year of which no import is decided on at the same moment.
    """
    tx.one(keyring_tables.milestone, lock=True, kind=milestones.COUNTED)
    milestones.note(tx, milestones.COUNTED, now)


def published(tx: KeyringTransaction) -> list[Held]:
    """Return the releases that are published and not withdrawn, oldest first."""
    return [one for one in all_(tx) if one.stage is Stage.PUBLISHED]


def rendered(held: Held) -> dict[str, bytes]:
    """Return the files that follow from the stored draw."""
    release = Release.of(held.design, catalogue.shipped())
    return rendering.files([(release, held.noisy)])


def put_files(
    connection: Connection, organisation: UUID, held: Held, files: Mapping[str, bytes]
) -> None:
    """Keep the files of a release, in place of what is there."""
    text = json.dumps({name: content.decode() for name, content in sorted(files.items())})
    sealed = seal(Key(held.key), _place(organisation, held), text.encode())
    connection.execute(delete(_PAYLOAD).where(_PAYLOAD.c.id == held.id))
    year = held.design.period.year
    connection.execute(insert(_PAYLOAD).values(id=held.id, sealed=sealed, cohort_year=year))


def are_forgotten(connection: Connection, known: Collection[UUID], year: int) -> bool:
    """Say whether there are files of a release of a year that the keyring does not know.

    It was made from a copy of before, and so was the account in it.
    """
    query = select(_PAYLOAD.c.id).where(_PAYLOAD.c.cohort_year == year)
    return not set(connection.execute(query).scalars()) <= set(known)


def files(connection: Connection, organisation: UUID, held: Held) -> dict[str, bytes]:
    """Return the files of a release; what a restored backup lacks is drawn again from the numbers.

    :raises Tampered: they are not those that were sealed.
    """
    query = select(_PAYLOAD.c.sealed).where(_PAYLOAD.c.id == held.id)
    sealed = connection.execute(query).scalar_one_or_none()
    if sealed is None:
        found = rendered(held)
    else:
        opened = unseal(Key(held.key), _place(organisation, held), bytes(sealed))
        found = {name: text.encode() for name, text in json.loads(opened.content).items()}
    if digest_of(found) != held.digest:
        raise Tampered(code="release.files")
    return found


def _place(organisation: UUID, held: Held) -> Place:
    return Place(organisation, _KIND, held.id)


def _checked(held: Held, row: UUID) -> Held:
    if held.id != row:
        raise Tampered(code="release")
    return held
