"""Signed statements about an act: who asked for it, who approved or declined it.

Every statement signs the whole act, so that none can be shown for another one, another time or
another organisation. Whose statements count is decided in `domain.staff.approvals` and checked in
`store.context.approvals`. The format is written down in docs/formats/approval.md.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from uuid import UUID

from casevault.crypto import canonical
from casevault.crypto.canonical import Part, Reader
from casevault.crypto.principals import PrincipalSecret, PublicKeys, verify
from casevault.domain.staff.approvals import ApprovedAct, Decision, Wish
from casevault.errors import Tampered

CONTEXT = "casevault/1/approval"


@dataclass(frozen=True, slots=True)
class Statement:
    """One person's signed word about a wish. `at` in Unix seconds."""

    decision: Decision
    person: UUID
    key_id: bytes = field(repr=False)
    at: int
    signature: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Approval:
    """A wish with what its asker and others signed about it, in the order in which they did."""

    wish: Wish
    asked: Statement
    statements: tuple[Statement, ...] = ()

    @property
    def approved(self) -> int:
        """How many have approved so far."""
        return sum(one.decision is Decision.APPROVED for one in self.statements)

    def with_statement(self, statement: Statement) -> Approval:
        """Return the approval with one more statement."""
        return replace(self, statements=(*self.statements, statement))

    def encode(self) -> bytes:
        """Return the bytes that are kept."""
        found = (self.asked, *self.statements)
        return canonical.encode(*_parts(self.wish), tuple(_statement_parts(one) for one in found))

    @classmethod
    def decode(cls, data: bytes) -> Approval:
        """Read what `encode` wrote, else `Tampered`."""
        reader = Reader.of(data)
        wish = _wish(reader)
        found = [_statement(part) for part in reader.list_()]
        reader.end()
        if not found:
            raise Tampered(code="approval")
        return cls(wish, found[0], tuple(found[1:]))


def state(
    organisation: UUID,
    wish: Wish,
    decision: Decision,
    person: UUID,
    secret: PrincipalSecret,
    at: int,
) -> Statement:
    """Sign what a person says about a wish."""
    key_id = secret.public.key_id
    message = _message(organisation, wish, decision, person, key_id, at)
    return Statement(decision, person, key_id, at, secret.sign(CONTEXT, message))


def check_signature(
    organisation: UUID, wish: Wish, statement: Statement, public: PublicKeys
) -> None:
    """Return if these keys signed this statement about exactly this wish, else `Tampered`."""
    if statement.key_id != public.key_id:
        raise Tampered(code="approval")
    message = _message(
        organisation, wish, statement.decision, statement.person, statement.key_id, statement.at
    )
    verify(public, CONTEXT, message, statement.signature)


def _message(
    organisation: UUID, wish: Wish, decision: Decision, person: UUID, key_id: bytes, at: int
) -> bytes:
    return canonical.encode(
        CONTEXT, organisation, *_parts(wish), decision.value, person, key_id, at
    )


def _parts(wish: Wish) -> tuple[Part, ...]:
    return (
        wish.id,
        wish.act.value,
        wish.object_id,
        wish.team,
        wish.parameters,
        wish.involved,
        wish.asker,
        wish.asked_at,
        wish.expires_at,
    )


def _wish(reader: Reader) -> Wish:
    try:
        return Wish(
            id=reader.uuid(),
            act=ApprovedAct(reader.text()),
            object_id=reader.uuid(),
            team=reader.optional_uuid(),
            parameters=tuple(_pair(part) for part in reader.list_()),
            involved=tuple(Reader((part,)).uuid() for part in reader.list_()),
            asker=reader.uuid(),
            asked_at=reader.number(),
            expires_at=reader.number(),
        )
    except ValueError:
        raise Tampered(code="approval") from None


def _pair(part: Part) -> tuple[str, str]:
    reader = Reader(part if isinstance(part, tuple) else ())
    pair = reader.text(), reader.text()
    reader.end()
    return pair


def _statement_parts(statement: Statement) -> tuple[Part, ...]:
    return (
        statement.decision.value,
        statement.person,
        statement.key_id,
        statement.at,
        statement.signature,
    )


def _statement(part: Part) -> Statement:
    reader = Reader(part if isinstance(part, tuple) else ())
    try:
        decision = Decision(reader.text())
    except ValueError:
        raise Tampered(code="approval") from None
    statement = Statement(
        decision, reader.uuid(), reader.bytes_(), reader.number(), reader.bytes_()
    )
    reader.end()
    return statement
