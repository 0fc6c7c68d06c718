"""A naive tree straight from the text of RFC 6962, and builders; slow, and obviously right."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from casevault.ledger.entry import Body, Entity, Leaf, encode_leaf, make_leaf
from casevault.ledger.export import Stored, hash_of
from casevault.ledger.note import Checkpoint, sign_note
from casevault.ledger.tree import Frontier, HashReader

NAME = "example.org/casevault/2026a"
PRIVATE = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
PUBLIC = PRIVATE.public_key().public_bytes_raw()
OTHER = Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33)))
OTHER_PUBLIC = OTHER.public_key().public_bytes_raw()
SALT = bytes(range(32))
WRITER = "writer-000000001"


def verify(public: bytes, signature: bytes, message: bytes) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
    except InvalidSignature:
        return False
    return True


def sha(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def k_of(n: int) -> int:
    k = 1
    while k * 2 < n:
        k *= 2
    return k


def mth(hashes: Sequence[bytes]) -> bytes:
    """MTH over leaf hashes (section 2.1)."""
    if not hashes:
        return sha(b"")
    if len(hashes) == 1:
        return hashes[0]
    k = k_of(len(hashes))
    return sha(b"\x01" + mth(hashes[:k]) + mth(hashes[k:]))


def path(m: int, hashes: Sequence[bytes]) -> list[bytes]:
    """PATH(m, D) (section 2.1.1)."""
    if len(hashes) == 1:
        return []
    k = k_of(len(hashes))
    if m < k:
        return [*path(m, hashes[:k]), mth(hashes[k:])]
    return [*path(m - k, hashes[k:]), mth(hashes[:k])]


def subproof(m: int, hashes: Sequence[bytes], whole: bool = True) -> list[bytes]:
    """SUBPROOF(m, D, b) (section 2.1.2)."""
    if m == len(hashes):
        return [] if whole else [mth(hashes)]
    k = k_of(len(hashes))
    if m <= k:
        return [*subproof(m, hashes[:k], whole), mth(hashes[k:])]
    return [*subproof(m - k, hashes[k:], False), mth(hashes[:k])]


def reader_of(hashes: Sequence[bytes]) -> HashReader:
    def read(level: int, index: int) -> bytes:
        part = hashes[index << level : (index + 1) << level]
        assert len(part) == 1 << level
        return mth(part)

    return read


def some_hashes(count: int) -> list[bytes]:
    return [sha(b"\x00" + str(i).encode()) for i in range(count)]


def a_body(**changes: object) -> Body:
    values: dict[str, object] = {
        "recorded": "2026-03-04T05:06:07.000008Z",
        "code": "case.read",
        "actor": "actor-pseudonym-0001",
        "roles": ("caseworker",),
        "session": "session-pseudonym-01",
        "assurance": "two-factor",
        "purpose": "treatment",
        "outcome": 0,
        "rule": "permit:own-grant",
        "entities": (Entity("case", "record-pseudonym-01", (("narrative", 3), ("contact", 1))),),
        "fields": ("narrative.text", "contact.phone"),
        "count": 0,
        "request": "b7f2c1",
        "links": (("approval", "entry:17"),),
        "skipped": (4, 5),
    }
    return Body(**(values | changes))  # type: ignore[arg-type]


def a_leaf(counter: int = 0, writer: str = WRITER, **changes: object) -> Leaf:
    return make_leaf(a_body(**changes), SALT, writer=writer, counter=counter, key_month="2026-03")


def some_leaves(count: int) -> list[bytes]:
    return [encode_leaf(a_leaf(i, count=i)) for i in range(count)]


def a_note(leaves: Sequence[Stored], name: str = NAME) -> bytes:
    root = Frontier().extend(hash_of(leaf) for leaf in leaves).root()
    text = Checkpoint(name, len(leaves), root).encode()
    return sign_note(text, name, PUBLIC, PRIVATE.sign)
