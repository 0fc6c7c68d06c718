"""Signed notes and checkpoints (C2SP signed-note, tlog-checkpoint), Ed25519 type 0x01 only.

Decides what a signed head looks like and when one is believed. Keys stay outside: signing and
checking are callables. Every malformed or unsigned input is one `Tampered`; lines of unknown
keys (witnesses, rotated keys) are passed over, as the specification demands.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeAlias

from casevault.errors import Invalid
from casevault.ledger.faults import invalid, tampered
from casevault.ledger.tree import HASH_BYTES, MAX_SIZE

ED25519: Final = b"\x01"
PUBLIC_BYTES: Final = 32
SIGNATURE_BYTES: Final = 64
KEY_ID_BYTES: Final = 4
MAX_NOTE_BYTES: Final = 262_144
MAX_SIGNATURES: Final = 64
MAX_NAME: Final = 255
_DECIMAL = re.compile(r"0|[1-9][0-9]{0,18}")
_KEY_ID = re.compile(r"[0-9a-f]{8}")
_DASH: Final = "\N{EM DASH} "

Sign: TypeAlias = Callable[[bytes], bytes]
"""Takes the message, gives the 64-byte Ed25519 signature (RFC 8032)."""
Verify: TypeAlias = Callable[[bytes, bytes, bytes], bool]
"""Takes (public key, signature, message), says whether the signature is good; does not raise."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A tree head: `origin` names the log, `size` counts leaves, `root` is 32 bytes."""

    origin: str
    size: int
    root: bytes

    def __post_init__(self) -> None:
        if not _is_name(self.origin):
            raise invalid("/origin")
        if type(self.size) is not int or not 0 <= self.size <= MAX_SIZE:
            raise invalid("/size")
        if len(self.root) != HASH_BYTES:
            raise invalid("/root", "length")

    def encode(self) -> bytes:
        """Return the note text: origin, size, base64 root, one line each."""
        return f"{self.origin}\n{self.size}\n{to_base64(self.root)}\n".encode()

    @classmethod
    def decode(cls, text: bytes) -> Checkpoint:
        """Read a note text; extension lines are refused, since no monitor could audit them."""
        try:
            origin, size, root, end = text.decode("utf-8").split("\n")
            if end or not _DECIMAL.fullmatch(size):
                raise ValueError
            return cls(origin, int(size), from_base64(root))
        except (ValueError, Invalid):
            raise tampered("checkpoint") from None


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """Who is believed: the key's name and its 32-byte Ed25519 public key."""

    name: str
    public: bytes

    def __post_init__(self) -> None:
        if not _is_name(self.name):
            raise invalid("/name")
        if len(self.public) != PUBLIC_BYTES:
            raise invalid("/public", "length")

    def encode(self) -> str:
        """Return ``name+hexid+base64(0x01 ‖ public)``, as Go's sumdb note and C2SP tools read."""
        packed = to_base64(ED25519 + self.public)
        return f"{self.name}+{key_id(self.name, self.public).hex()}+{packed}"

    @classmethod
    def parse(cls, text: str) -> VerifierKey:
        """Read a verifier key; a wrong id, type or spelling is `Tampered`."""
        try:
            name, identity, packed = text.split("+", 2)
            data = from_base64(packed)
            key = cls(name, data[1:])
        except (ValueError, Invalid):
            raise tampered("verifier-key") from None
        wrong_form = data[:1] != ED25519 or not _KEY_ID.fullmatch(identity)
        if wrong_form or identity != key_id(name, key.public).hex():
            raise tampered("verifier-key")
        return key


def key_id(name: str, public: bytes) -> bytes:
    """Return the first 4 bytes of SHA-256(name ‖ 0x0A ‖ 0x01 ‖ public)."""
    return hashlib.sha256(name.encode() + b"\n" + ED25519 + public).digest()[:KEY_ID_BYTES]


def sign_note(text: bytes, name: str, public: bytes, sign: Sign) -> bytes:
    """Return the note: text, empty line, one signature line.

    The text must be UTF-8, end in a newline and hold no other control character: else `Invalid`.
    """
    if not _is_text(text):
        raise invalid("/text")
    return text + b"\n" + _signed(text, VerifierKey(name, public), sign)


def add_signature(note: bytes, name: str, public: bytes, sign: Sign) -> bytes:
    """Return the note with one more signature line: another key, the same text."""
    return note + _signed(_split(note)[0], VerifierKey(name, public), sign)


def has_signature(note: bytes, key: VerifierKey) -> bool:
    """Say whether a note carries a line of this key; whether it is good, `verify_note` says."""
    wanted = (key.name, key_id(key.name, key.public))
    return wanted in [(who, ident) for who, ident, _ in map(_signature, _split(note)[1])]


def _signed(text: bytes, key: VerifierKey, sign: Sign) -> bytes:
    signature = sign(text)
    if len(signature) != SIGNATURE_BYTES:
        raise invalid("/signature", "length")
    packed = to_base64(key_id(key.name, key.public) + signature)
    return f"{_DASH}{key.name} {packed}\n".encode()


def verify_note(note: bytes, name: str, public: bytes, verify: Verify) -> bytes:
    """Return the text of a note that carries exactly one good signature of this key.

    A bad or repeated signature of this key, or none, is `Tampered`.
    """
    text, lines = _split(note)
    wanted = (name, key_id(name, public))
    signatures = [body for who, ident, body in map(_signature, lines) if (who, ident) == wanted]
    if len(signatures) != 1 or len(signatures[0]) != SIGNATURE_BYTES:
        raise tampered("signature")
    if not verify(public, signatures[0], text):
        raise tampered("signature")
    return text


def open_note(note: bytes, name: str, public: bytes, verify: Verify) -> Checkpoint:
    """Return the checkpoint of a note signed by this key; its origin must be the key's name."""
    checkpoint = Checkpoint.decode(verify_note(note, name, public, verify))
    if checkpoint.origin != name:
        raise tampered("origin")
    return checkpoint


def unverified_checkpoint(note: bytes) -> Checkpoint:
    """Return what a note claims, without believing it: for the maker of an export, no one else."""
    return Checkpoint.decode(_split(note)[0])


def to_base64(data: bytes) -> str:
    """Return standard base64 with padding (RFC 4648 section 4)."""
    return base64.b64encode(data).decode("ascii")


def from_base64(text: str) -> bytes:
    """Read standard base64; any other spelling of the same bytes raises ValueError."""
    try:
        data = base64.b64decode(text.encode("ascii"), validate=True)
    except binascii.Error:
        raise ValueError("not base64") from None
    if to_base64(data) != text:
        raise ValueError("not canonical base64")
    return data


def _split(note: bytes) -> tuple[bytes, list[str]]:
    """Cut at the last empty line; the text keeps its final newline."""
    head, found, tail = note.rpartition(b"\n\n")
    text = head + b"\n"
    if len(note) > MAX_NOTE_BYTES or not found or not _is_text(text) or not _is_text(tail):
        raise tampered("note")
    lines = tail.decode("utf-8").split("\n")[:-1]
    if len(lines) > MAX_SIGNATURES:
        raise tampered("note")
    return text, lines


def _signature(line: str) -> tuple[str, bytes, bytes]:
    """Return (key name, key id, signature) of one line."""
    parts = line.removeprefix(_DASH).split(" ")
    if not line.startswith(_DASH) or len(parts) != 2 or not _is_name(parts[0]):
        raise tampered("note")
    try:
        data = from_base64(parts[1])
    except ValueError:
        raise tampered("note") from None
    if len(data) <= KEY_ID_BYTES:
        raise tampered("note")
    return parts[0], data[:KEY_ID_BYTES], data[KEY_ID_BYTES:]


def _is_text(data: bytes) -> bool:
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return text.endswith("\n") and all(c >= " " or c == "\n" for c in text)


def _is_name(name: object) -> bool:
    if not isinstance(name, str) or not 0 < len(name) <= MAX_NAME:
        return False
    return all(c.isprintable() and not c.isspace() and c != "+" for c in name)
