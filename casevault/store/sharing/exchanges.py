"""What went to another vault and what came from one: one row each, in the keyring.

A row of what was sent belongs to its case, one of what came to its team; both stand beside the
other matters of a case, so that the erasure of a case takes its rows without any key. A letter's
bytes stay until the other vault's receipt is here and not longer. Must never say that something
was delivered on anything but that receipt.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from types import MappingProxyType
from typing import Any
from uuid import UUID

from casevault.crypto import canonical
from casevault.crypto.canonical import Reader
from casevault.domain.sharing.collecting import PageState
from casevault.domain.sharing.exchanging import ANSWERED, KEPT_SECONDS, Message, Saying, Standing
from casevault.domain.sharing.referral import ReferralState
from casevault.errors import NotFound, Tampered
from casevault.store.casework.matter_kinds import Kind
from casevault.store.context.stores import Stores
from casevault.store.engine import keyring_tables as tables
from casevault.store.engine.keyring import KeyringTransaction, Row
from casevault.store.log.ledger import SERVICE, Act

_TABLE = tables.matter
SENT, RECEIVED = Kind.LETTER_SENT.value, Kind.LETTER_CAME.value
# The mark of a referral's record that names its letter.
MARK = "exchange"
_S, _R = Standing, ReferralState
_STAGES = {
    _S.READ: _R.RECEIVED,
    _S.ACCEPTED: _R.ACCEPTED,
    _S.DECLINED: _R.DECLINED,
    _S.COMPLETED: _R.COMPLETED,
    _S.RECALLED: _R.RECALLED,
}


@dataclass(frozen=True, slots=True)
class Sent:
    """A letter, or a question without anybody in it, to a partner. Times are Unix seconds.

    `message` is what is delivered, None once a receipt is here; `digest` its SHA-256.
    """

    id: UUID
    case: UUID
    referral: UUID
    partner: UUID
    sender: UUID
    saying: Saying
    reference: str
    at: int
    expires_at: int
    digest: bytes
    message: bytes | None = field(repr=False)
    delivered_at: int | None = None
    heard_at: int | None = None
    standing: Standing = Standing.WAITING
    was_read: bool = False
    turn: int = 0
    # It was given up here; told to the other vault once `standing` says so.
    recalled: bool = False
    # Why the last attempt came to nothing: a code.
    fault: str = ""

    @property
    def opened(self) -> int:
        """Whether somebody there has read it, as pages count their openings."""
        return int(self.was_read)

    def stage(self, now: int) -> ReferralState:
        """Return how far its referral is, as far as the other vault has said."""
        if self.recalled:
            return ReferralState.RECALLED
        late = self.standing not in ANSWERED and self.expires_at <= now
        return ReferralState.EXPIRED if late else _STAGES.get(self.standing, _R.SENT)

    def state(self, now: int) -> PageState:
        """Return it as a page would."""
        if self.recalled or self.standing is Standing.RECALLED:
            return PageState.RECALLED
        return PageState.EXPIRED if self.stage(now) is _R.EXPIRED else PageState.OPEN

    def is_live(self, now: int) -> bool:
        """Say whether there is something to deliver or to ask about."""
        if self.recalled:
            told = self.standing is Standing.RECALLED
            return not told and self.at + KEPT_SECONDS > now
        ended = self.standing in (_S.DECLINED, _S.COMPLETED, _S.RECALLED)
        return not ended and (self.expires_at > now or self.standing is _S.ACCEPTED)

    def heard(self, receipt: Message, now: int) -> Sent:
        """Return it after a receipt that was checked."""
        return replace(
            self,
            message=None,
            delivered_at=self.delivered_at or now,
            heard_at=now,
            # What was said once stays, also when the other side has forgotten it since.
            standing=self.standing if receipt.standing is _S.UNKNOWN else receipt.standing,
            was_read=self.was_read or receipt.was_read,
            turn=receipt.turn,
            fault="exchange.unknown-letter" if receipt.standing is _S.UNKNOWN else "",
        )


@dataclass(frozen=True, slots=True)
class Received:
    """What came from a partner for a team; a letter lies in the inbox under the same id."""

    id: UUID
    team: UUID
    partner: UUID
    saying: Saying
    reference: str
    at: int
    digest: bytes
    service: str = ""
    urgency: str = ""
    standing: Standing = Standing.WAITING
    was_read: bool = False
    turn: int = 0
    # What colleagues wrote, sealed to the partner at once.
    words: bytes = field(default=b"", repr=False)


def add(tx: KeyringTransaction, one: Sent | Received) -> None:
    """Keep a new row."""
    tx.add(_TABLE, _content(one), **_lookup(one))


def change(tx: KeyringTransaction, one: Sent | Received) -> None:
    """Keep a row as it is now."""
    tx.replace(_TABLE, _content(one), **_lookup(one))


def sent(tx: KeyringTransaction, letter: UUID, *, lock: bool = False) -> Sent:
    """Return one that was sent, else `NotFound`."""
    row = tx.one(_TABLE, lock=lock, id=letter, kind=SENT)
    if row is None:
        raise NotFound()
    return _sent(row)


def is_there(tx: KeyringTransaction, letter: UUID) -> bool:
    """Say whether a letter was made."""
    return bool(tx.lookups(_TABLE, id=letter, kind=SENT))


def received(tx: KeyringTransaction, letter: UUID, *, lock: bool = False) -> Received | None:
    """Return one that came, if it did."""
    row = tx.one(_TABLE, lock=lock, id=letter, kind=RECEIVED)
    return None if row is None else _received(row)


def of_cases(tx: KeyringTransaction, cases: Iterable[UUID], saying: Saying) -> dict[UUID, Sent]:
    """Return what was sent about these cases by their referral; of several the newest."""
    wanted = sorted(cases)
    found = map(_sent, tx.find(_TABLE, object_id=wanted, kind=SENT)) if wanted else ()
    newest = sorted(found, key=lambda one: (one.at, one.id))
    return {one.referral: one for one in newest if one.saying is saying}


def live(tx: KeyringTransaction, now: int) -> list[Sent]:
    """Return everything that is to be delivered or asked about, oldest first."""
    found = [one for one in map(_sent, tx.find(_TABLE, kind=SENT)) if one.is_live(now)]
    return sorted(found, key=lambda one: (one.at, one.id))


def of_teams(tx: KeyringTransaction, teams: Iterable[UUID]) -> list[Received]:
    """Return what came for these teams, newest first."""
    wanted = sorted(teams)
    found = map(_received, tx.find(_TABLE, object_id=wanted, kind=RECEIVED)) if wanted else ()
    return sorted(found, key=lambda one: (-one.at, one.id))


def came_from(tx: KeyringTransaction, partner: UUID, since: int) -> int:
    """Return how much a partner has sent since then, whatever became of it."""
    found = map(_received, tx.find(_TABLE, kind=RECEIVED))
    return sum(one.partner == partner and one.at >= since for one in found)


def note_read(tx: KeyringTransaction, letter: UUID) -> None:
    """Note that a colleague has read a letter; what came otherwise is left alone."""
    found = received(tx, letter, lock=True)
    if found is not None and not found.was_read:
        standing = Standing.READ if found.standing is Standing.WAITING else found.standing
        change(tx, replace(found, was_read=True, standing=standing))


def recall(tx: KeyringTransaction, letter: UUID) -> Sent | None:
    """Give a letter up; return it as it was, None if there is none (any more).

    Its bytes go: what was not delivered is not delivered any more.
    """
    row = tx.one(_TABLE, lock=True, id=letter, kind=SENT)
    if row is None:
        return None
    before = _sent(row)
    change(tx, replace(before, recalled=True, message=None))
    return before


def forget(tx: KeyringTransaction, cases: Iterable[UUID]) -> None:
    """Delete what was sent about cases of which something is erased, without any key."""
    wanted = sorted(cases)
    if wanted:
        tx.remove(_TABLE, object_id=wanted, kind=SENT)


def sweep(stores: Stores) -> int:
    """Forget what is too old to be asked about; take bytes that came too late to be delivered."""
    now = stores.now()
    with stores.keyring.writing() as tx:
        rows: list[Sent | Received] = [
            *map(_sent, tx.find(_TABLE, kind=SENT)),
            *map(_received, tx.find(_TABLE, kind=RECEIVED)),
        ]
        over = [one for one in rows if one.at + KEPT_SECONDS <= now]
        late = [
            one for one in rows if isinstance(one, Sent) and one.message and one.expires_at <= now
        ]
        for one in late:
            change(tx, replace(one, message=None))
        if over:
            tx.remove(_TABLE, id=[one.id for one in over], kind=[SENT, RECEIVED])
    if over or late:
        count = len({one.id for one in (*over, *late)})
        stores.ledger.record(Act("exchange.sweep", SERVICE, rule="permit:expiry", count=count))
    return len(over) + len(late)


def _lookup(one: Sent | Received) -> dict[str, UUID | str]:
    if isinstance(one, Sent):
        return {"id": one.id, "kind": SENT, "object_id": one.case}
    return {"id": one.id, "kind": RECEIVED, "object_id": one.team}


def _content(one: Sent | Received) -> bytes:
    return canonical.encode(*(_plain(getattr(one, name)) for name in _FIELDS[type(one)]))


def _sent(row: Row) -> Sent:
    return Sent(row.lookup["id"], row.lookup["object_id"], **_read(row, Sent))


def _received(row: Row) -> Received:
    return Received(row.lookup["id"], row.lookup["object_id"], **_read(row, Received))


def _read(row: Row, shape: type[Sent | Received]) -> dict[str, Any]:
    reader = Reader.of(row.content)
    try:
        found = {name: _READ[name](reader) for name in _FIELDS[shape]}
    except ValueError:
        # A code that we do not know.
        raise Tampered(code="exchange") from None
    reader.end()
    return found


def _plain(value: Any) -> canonical.Part:  # noqa: ANN401 - a field of either shape
    if isinstance(value, StrEnum):
        return value.value
    return int(value) if isinstance(value, bool) else value


# The order in which the fields lie in a row, which never changes.
_SHARED = ("partner", "saying", "reference", "at", "digest", "standing", "was_read", "turn")
_FIELDS: Mapping[type[Sent | Received], tuple[str, ...]] = MappingProxyType(
    {
        Sent: (
            *_SHARED,
            "referral",
            "sender",
            "expires_at",
            "message",
            "delivered_at",
            "heard_at",
            "recalled",
            "fault",
        ),
        Received: (*_SHARED, "service", "urgency", "words"),
    }
)
_READ: Mapping[str, Callable[[Reader], Any]] = MappingProxyType(
    {
        **dict.fromkeys(("partner", "referral", "sender"), Reader.uuid),
        **dict.fromkeys(("reference", "service", "urgency", "fault"), Reader.text),
        **dict.fromkeys(("at", "turn", "expires_at"), Reader.number),
        **dict.fromkeys(("delivered_at", "heard_at"), Reader.optional_number),
        **dict.fromkeys(("digest", "words"), Reader.bytes_),
        **dict.fromkeys(("was_read", "recalled"), lambda reader: bool(reader.number())),
        "message": Reader.optional_bytes,
        "saying": lambda reader: Saying(reader.text()),
        "standing": lambda reader: Standing(reader.text()),
    }
)
