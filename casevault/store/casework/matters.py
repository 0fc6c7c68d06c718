"""Matters of a case: what is said about it outside of it, under keys of their own.

A hold says why a case must be kept, a right what somebody asked for. Each text is granted to those
who may read it, and not to who wrote it; the rest is for the service, which has no key. A hold
counts by its row here: every erasure looks for it in the transaction that takes the keys. Must
never give power over a case.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from uuid import UUID

from casevault.crypto import canonical, statements
from casevault.crypto.canonical import Reader
from casevault.crypto.sealing import Key, Place, header, seal, unseal
from casevault.domain.staff.granting import ObjectKind, PrincipalKind
from casevault.errors import KeyUnavailable, NotFound, Tampered
from casevault.store.casework.matter_kinds import KEEPING, KINDS, Kind
from casevault.store.context.caller import Caller
from casevault.store.context.stores import Stores
from casevault.store.engine import keyring_tables as tables
from casevault.store.engine.keyring import KeyringTransaction, Row
from casevault.store.keys import grants
from casevault.store.keys.grants import Grantee, Object
from casevault.store.keys.trust import Trust

_TABLE = tables.matter
_TEXT = "text"


# The case of a complaint that is about none (that there is), and when one was answered.
NOBODYS = UUID(int=0)
OPEN, ANSWERED = "open", "answered"
_KEEP_SECONDS = 365 * 86_400


@dataclass(frozen=True, slots=True)
class Matter:
    """One matter; times are Unix seconds. `type` is a code of its kind, `owner` looks after it.

    `statement` is what its author signed about it, `due` a day (a hold's review, a right's answer).
    """

    id: UUID
    kind: Kind
    case: UUID
    team: UUID
    author: UUID
    owner: UUID
    at: int
    due: str
    type: str = ""
    state: str = "open"
    statement: bytes = field(default=b"", repr=False)
    text: bytes = field(default=b"", repr=False)

    @property
    def target(self) -> Object:
        """The matter as an object of grants."""
        return Object(ObjectKind.MATTER, self.id, self.team)


def write(
    stores: Stores, tx: KeyringTransaction, caller: Caller, matter: Matter, text: str
) -> bytes:
    """Return a text sealed under a key of its own, which is granted to the kind's readers only."""
    key = Key.random()
    readers = _readers(stores, tx, matter)
    grants.give(
        tx,
        matter.target,
        {_TEXT: key},
        caller.keys.granter,
        [(reader, frozenset({_TEXT})) for reader in readers],
        purpose=matter.kind.value,
        issued_at=matter.at,
    )
    return seal(key, _place(tx.organisation, matter), text.encode())


def read(tx: KeyringTransaction, caller: Caller, matter: Matter) -> str | None:
    """Return the text to somebody whose group holds its key, else None."""
    opened = caller.keys.open(tx, matter.target, _TEXT).get(_TEXT)
    if opened is None:
        return None
    try:
        return unseal(opened.key, _place(tx.organisation, matter), matter.text).content.decode()
    except UnicodeDecodeError:
        raise Tampered(code="matter") from None


def rewritten(tx: KeyringTransaction, caller: Caller, matter: Matter, text: str) -> Matter:
    """Return a matter with another text under the same key; who cannot read it cannot either.

    :raises KeyUnavailable: the caller's groups hold no key of it.
    """
    opened = caller.keys.open(tx, matter.target, _TEXT).get(_TEXT)
    if opened is None:
        raise KeyUnavailable()
    revision = header(matter.text).revision + 1
    place = _place(tx.organisation, matter)
    return replace(matter, text=seal(opened.key, place, text.encode(), revision))


def signed(organisation: UUID, caller: Caller, matter: Matter) -> Matter:
    """Return a matter with its author's signed statement."""
    parts = _said(organisation, matter)
    return replace(matter, statement=statements.sign(caller.keys.secret, *parts))


def is_signed(tx: KeyringTransaction, trust: Trust, matter: Matter) -> bool:
    """Say whether its author, vouched for at that time, signed a matter as it stands."""
    try:
        key_id = statements.key_id_of(matter.statement)
        for believed in trust.ever(tx, matter.author):
            if believed.public.key_id == key_id and believed.holds(matter.at):
                said = _said(tx.organisation, matter)
                statements.check(matter.statement, believed.public, *said)
                return True
    except Tampered:
        return False
    return False


def add(tx: KeyringTransaction, matter: Matter) -> None:
    """Keep a new matter."""
    tx.add(_TABLE, _content(matter), **_lookup(matter))


def change(tx: KeyringTransaction, matter: Matter) -> None:
    """Keep a matter as it is now."""
    tx.replace(_TABLE, _content(matter), **_lookup(matter))


def find(tx: KeyringTransaction, matter_id: UUID, kind: Kind, *, lock: bool = False) -> Matter:
    """Return one matter of a kind (`lock`: nobody else changes it meanwhile), else `NotFound`."""
    row = tx.one(_TABLE, lock=lock, id=matter_id, kind=kind.value)
    if row is None:
        raise NotFound()
    return _matter(row)


def all_(tx: KeyringTransaction, kind: Kind) -> list[Matter]:
    """Return every matter of a kind, what is due first."""
    return sorted(map(_matter, tx.find(_TABLE, kind=kind.value)), key=lambda one: (one.due, one.id))


def of_case(tx: KeyringTransaction, kind: Kind, case: UUID) -> list[Matter]:
    """Return the matters of a kind of one case, what is due first."""
    found = map(_matter, tx.find(_TABLE, object_id=case, kind=kind.value))
    return sorted(found, key=lambda one: (one.due, one.id))


def of_cases(
    tx: KeyringTransaction, kinds: Iterable[Kind], cases: Collection[UUID]
) -> list[Matter]:
    """Return the matters of these kinds of some cases, what is due first; no other is opened."""
    rows = tx.lookups(_TABLE, kind=[kind.value for kind in kinds])
    ids = [row["id"] for row in rows if row["object_id"] in cases]
    found = map(_matter, tx.find(_TABLE, id=ids)) if ids else ()
    return sorted(found, key=lambda one: (one.due, one.id))


def held(tx: KeyringTransaction, cases: Sequence[UUID]) -> set[UUID]:
    """Return those of these cases that a hold or a restriction keeps; none is opened for it."""
    return having(tx, cases, *KEEPING)


def restricted(tx: KeyringTransaction, cases: Sequence[UUID]) -> set[UUID]:
    """Return those of these cases that are frozen; no restriction is opened for it."""
    return having(tx, cases, Kind.RESTRICTION)


def kinds_of(tx: KeyringTransaction, case: UUID) -> set[str]:
    """Return of which kinds there are matters of a case."""
    return {str(row["kind"]) for row in tx.lookups(_TABLE, object_id=case)}


def drop(tx: KeyringTransaction, matters: Iterable[UUID]) -> None:
    """Delete matters with the keys of their texts."""
    ids = list(matters)
    if ids:
        grants.take_object(tx, ObjectKind.MATTER, ids)
        tx.remove(_TABLE, id=ids)


def sweep(stores: Stores) -> int:
    """Delete complaints about no case that were answered a year ago; return how many.

    Others go with their case.
    """
    before = stores.now() - _KEEP_SECONDS
    with stores.keyring.reading() as tx:
        if not tx.lookups(_TABLE, object_id=[NOBODYS], kind=Kind.COMPLAINT.value):
            return 0
    with stores.keyring.writing() as tx:
        found = of_case(tx, Kind.COMPLAINT, NOBODYS)
        old = [one.id for one in found if one.state == ANSWERED and one.at <= before]
        drop(tx, old)
    return len(old)


def forget(tx: KeyringTransaction, cases: Sequence[UUID]) -> None:
    """Delete all matters of cases that are erased."""
    drop(tx, [row["id"] for row in tx.lookups(_TABLE, object_id=list(cases))])


def having(tx: KeyringTransaction, cases: Sequence[UUID], *kinds: Kind) -> set[UUID]:
    """Return those of these cases that have a matter of one of these kinds; none is opened."""
    if not cases:
        return set()
    names = [kind.value for kind in kinds]
    return {row["object_id"] for row in tx.lookups(_TABLE, object_id=list(cases), kind=names)}


def _readers(stores: Stores, tx: KeyringTransaction, matter: Matter) -> list[Grantee]:
    found = stores.trust.groups(tx, PrincipalKind.RECOVERY)
    for kind in KINDS[matter.kind].readers:
        team = matter.team if kind is PrincipalKind.OVERSIGHT else None
        found = [*found, *stores.trust.groups(tx, kind, team)]
    return found


def _said(organisation: UUID, one: Matter) -> tuple[canonical.Part, ...]:
    return (
        organisation,
        one.id,
        one.kind.value,
        one.case,
        one.team,
        one.author,
        one.owner,
        one.at,
        one.due,
        one.type,
        # How far it is, where that moves.
        *((one.state,) if KINDS[one.kind].moving else ()),
    )


def _place(organisation: UUID, matter: Matter) -> Place:
    return Place(organisation, "matter/" + matter.kind.value, matter.id)


def _lookup(one: Matter) -> dict[str, UUID | str]:
    return {"id": one.id, "kind": one.kind.value, "object_id": one.case}


def _content(one: Matter) -> bytes:
    return canonical.encode(
        one.team,
        one.author,
        one.owner,
        one.at,
        one.due,
        one.type,
        one.state,
        one.statement,
        one.text,
    )


def _matter(row: Row) -> Matter:
    reader = Reader.of(row.content)
    try:
        kind = Kind(row.lookup["kind"])
    except ValueError:
        raise Tampered(code="matter") from None
    if KINDS[kind].letter:
        raise Tampered(code="matter")
    found = Matter(
        row.lookup["id"],
        kind,
        row.lookup["object_id"],
        team=reader.uuid(),
        author=reader.uuid(),
        owner=reader.uuid(),
        at=reader.number(),
        due=reader.text(),
        type=reader.text(),
        state=reader.text(),
        statement=reader.bytes_(),
        text=reader.bytes_(),
    )
    reader.end()
    return found
