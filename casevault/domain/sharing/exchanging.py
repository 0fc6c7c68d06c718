"""Two vaults that know each other: where the other one is, and what they say to one another.

Whoever sends a letter does all the asking: they deliver it, ask how it stands, recall it; the other
vault only answers, and never connects to anybody. Pure: what a message may hold and where one may
be sent; sealing, signing and sending are done elsewhere. Must never take a message as a whole that
holds a name which is not written down here.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Self
from uuid import UUID

from casevault.domain.case import dictionary
from casevault.domain.texts import strict_json
from casevault.errors import FieldError, Invalid

FORMAT = "casevault/exchange/1"
FILE = "message.json"
# One letter and what it is wrapped in; files go by hand.
MAX_BYTES = 640 << 10
MAX_WORDS = 1000
# Of one partner and day: a flood must not bury the one who needs help.
A_DAY = 40
LETTER_DAYS = 30
# Both sides know of a letter for so long: what follows from it may take months.
KEPT_SECONDS = 400 * 86_400
# Clocks that differ by more than this are mended first.
CLOCKS_SECONDS = 3600
LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
_ADDRESS = re.compile(r"(https?)://(?:([a-z0-9.-]+)|\[([0-9a-f:]+)\])(?::([0-9]{1,5}))?/?")
_HOST = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)(\.(?!-)[a-z0-9-]{1,63}(?<!-))*")
_REFERENCE = re.compile(r"R-[0-9A-Z]{4}-[0-9A-Z]{4}")
_CODE_LENGTH = 40
_PORTS = {"https": 443, "http": 80}


class Saying(StrEnum):
    """What a message is. The codes never change."""

    # May we send you somebody? Says which help is asked for, and nothing about anybody.
    QUESTION = "question"
    LETTER = "letter"
    ASK = "ask"
    RECALL = "recall"
    # The one answer to each of these.
    RECEIPT = "receipt"
    # What colleagues wrote beside their answer, sealed inside of a receipt.
    WORDS = "words"


class Standing(StrEnum):
    """How a letter stands with whoever got it."""

    WAITING = "waiting"
    READ = "read"
    ACCEPTED = "accepted"
    DECLINED = "declined"
    COMPLETED = "completed"
    RECALLED = "recalled"
    # Never came, or came too long ago.
    UNKNOWN = "unknown"


# What a team may still say after what it said.
_AFTER = {
    Standing.WAITING: {Standing.ACCEPTED, Standing.DECLINED, Standing.COMPLETED},
    Standing.READ: {Standing.ACCEPTED, Standing.DECLINED, Standing.COMPLETED},
    Standing.ACCEPTED: {Standing.COMPLETED, Standing.DECLINED},
}
ANSWERED = frozenset({Standing.ACCEPTED, Standing.DECLINED, Standing.COMPLETED})


def may_follow(standing: Standing, answer: Standing) -> bool:
    """Say whether a team that said one may say the other now."""
    return answer in _AFTER.get(standing, set())


@dataclass(frozen=True, slots=True)
class Address:
    """Where a vault answers: exactly this host and port, over TLS but for `plain`."""

    host: str
    port: int
    plain: bool = False

    @classmethod
    def of(cls, text: str) -> Self:
        """Read ``https://vault.example.org`` or with a port; anything more is refused."""
        found = _ADDRESS.fullmatch(text)
        if found is None:
            raise _no_address()
        scheme, name, six, port = found.groups()
        host, number = name or six, int(port or _PORTS[scheme])
        if not 0 < number < 1 << 16 or (name and (len(name) > 253 or not _HOST.fullmatch(name))):
            raise _no_address()
        return cls(host, number, scheme == "http")

    @property
    def is_loopback(self) -> bool:
        """Whether it is this very machine."""
        return self.host in LOOPBACK

    def __str__(self) -> str:
        """Return it as it is written."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http{'' if self.plain else 's'}://{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Message:
    """What stands in `message.json`; what a kind of message does not need is empty.

    `about` is the id of the letter, of a receipt that of the message which it answers; `digest` is
    that message's SHA-256. `to` is the key id of the team for which a question is; a letter's
    stands on what is sealed in it. `turn` counts what a team has said about a letter.
    """

    saying: Saying
    reference: str
    about: UUID | None = None
    sealed: bytes = field(default=b"", repr=False)
    digest: bytes = b""
    to: bytes = b""
    standing: Standing = Standing.UNKNOWN
    was_read: bool = False
    turn: int = 0
    words: str = field(default="", repr=False)
    service: str = ""
    urgency: str = ""

    def encode(self) -> bytes:
        """Return it as UTF-8 JSON, keys sorted, without what is empty."""
        content = {
            "format": FORMAT,
            "saying": self.saying.value,
            "reference": self.reference,
            "about": None if self.about is None else self.about.hex,
            "sealed": base64.b64encode(self.sealed).decode(),
            "digest": self.digest.hex(),
            "to": self.to.hex(),
            "standing": self.standing.value if self.saying is Saying.RECEIPT else "",
            "was_read": self.was_read,
            "turn": self.turn,
            "words": self.words,
            "service": self.service,
            "urgency": self.urgency,
        }
        kept = {name: value for name, value in content.items() if value}
        return json.dumps(kept, ensure_ascii=False, sort_keys=True).encode()

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Read what another vault wrote, else `Invalid` (`exchange.message`)."""
        raw = strict_json.parse(data)
        if not isinstance(raw, dict) or raw.pop("format", None) != FORMAT:
            raise no_message()
        try:
            found = cls(**_read(raw))
        except (TypeError, ValueError, KeyError, binascii.Error):
            raise no_message() from None
        found._check()
        return found

    def _check(self) -> None:
        faults = [
            self.words and dictionary.words_fault(self.words, long=True) is not None,
            len(self.words) > MAX_WORDS,
            _REFERENCE.fullmatch(self.reference) is None,
            not 0 <= self.turn < 1 << 31,
            len(self.digest) not in (0, 32),
            len(self.to) != (16 if self.saying is Saying.QUESTION else 0),
            max(len(self.service), len(self.urgency)) > _CODE_LENGTH,
            self.saying in _ABOUT and self.about is None,
            self.saying is Saying.LETTER and not self.sealed,
        ]
        if any(faults):
            raise no_message()


# What names the letter that it is about.
_ABOUT = frozenset({Saying.ASK, Saying.RECALL, Saying.RECEIPT, Saying.WORDS})
_KINDS: dict[str, type] = {
    "saying": str,
    "reference": str,
    "about": str,
    "sealed": str,
    "digest": str,
    "to": str,
    "standing": str,
    "words": str,
    "service": str,
    "urgency": str,
    "was_read": bool,
    "turn": int,
}


def _read(raw: dict[str, Any]) -> dict[str, Any]:
    # Not `isinstance`: true is no number.
    if any(type(value) is not _KINDS[name] for name, value in raw.items()):
        raise TypeError
    found: dict[str, Any] = {**raw, "saying": Saying(raw["saying"])}
    found["reference"] = raw["reference"]
    for name, read in (
        ("about", _uuid),
        ("sealed", _unb64),
        ("digest", bytes.fromhex),
        ("to", bytes.fromhex),
        ("standing", Standing),
    ):
        if name in raw:
            found[name] = read(raw[name])
    return found


def _unb64(text: str) -> bytes:
    return base64.b64decode(text, validate=True)


def _uuid(text: str) -> UUID:
    return UUID(bytes=bytes.fromhex(text))


def no_message() -> Invalid:
    """Return that something is no message between vaults."""
    return Invalid("This is no message of another vault.", code="exchange.message")


def _no_address() -> Invalid:
    return Invalid(
        "Write the address of a vault as https://vault.example.org, with a port if it has one of"
        " its own, and nothing more.",
        code="exchange.address",
        errors=(FieldError("/address", "exchange.address"),),
    )
