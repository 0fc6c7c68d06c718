"""The Merkle tree of RFC 6962: hashes, the frontier that grows, proofs and their checks.

Decides whether two heads belong to one history. A proof that does not fit is `Tampered`;
an index outside the tree is `Invalid`. All hashes are SHA-256, 32 bytes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from casevault.errors import Invalid
from casevault.ledger.faults import invalid, tampered

HASH_BYTES: Final = 32
MAX_SIZE: Final = 2**63 - 1
MAX_PROOF: Final = 126  # a consistency proof between trees of 63 levels has no more hashes
EMPTY_ROOT: Final = hashlib.sha256(b"").digest()

HashReader: TypeAlias = Callable[[int, int], bytes]
"""Takes (level, index), gives the hash of the complete subtree over
leaves ``[index << level, (index + 1) << level)``."""


def leaf_hash(leaf: bytes) -> bytes:
    """Return SHA-256(0x00 ‖ leaf) (RFC 6962 section 2.1)."""
    return hashlib.sha256(b"\x00" + leaf).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return SHA-256(0x01 ‖ left ‖ right) (RFC 6962 section 2.1)."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def complete_root(hashes: Sequence[bytes]) -> bytes:
    """Return the root over a power of two of neighbouring node hashes (1, 2, 4 … of them)."""
    row = list(hashes)
    while len(row) > 1:
        row = [node_hash(row[i], row[i + 1]) for i in range(0, len(row), 2)]
    return row[0]


@dataclass(frozen=True, slots=True)
class Frontier:
    """The right edge of a tree: enough to grow it and to give its root.

    `size` leaves; `hashes` one per set bit of `size` (at most 63), largest subtree first.
    """

    size: int = 0
    hashes: tuple[bytes, ...] = ()

    def __post_init__(self) -> None:
        fits = 0 <= self.size <= MAX_SIZE and len(self.hashes) == self.size.bit_count()
        if not fits or any(len(item) != HASH_BYTES for item in self.hashes):
            raise invalid("/frontier")

    def append(self, leaf: bytes) -> Frontier:
        """Return the frontier after one more leaf, given as its 32-byte leaf hash."""
        return self.extend((leaf,))

    def extend(self, leaves: Iterable[bytes]) -> Frontier:
        """Return the frontier after these leaf hashes, in order; one node hash each on average."""
        size, stack = self.size, list(self.hashes)
        for current in leaves:
            if len(current) != HASH_BYTES:
                raise invalid("/leaf", "length")
            carry = size
            while carry & 1:
                current, carry = node_hash(stack.pop(), current), carry >> 1
            stack.append(current)
            size += 1
        return Frontier(size, tuple(stack))

    def root(self) -> bytes:
        """Return the Merkle tree hash; `EMPTY_ROOT` for no leaves."""
        return _fold(self.hashes) if self.hashes else EMPTY_ROOT

    def encode(self) -> bytes:
        """Return size as 8 bytes, big endian, then the hashes."""
        return self.size.to_bytes(8, "big") + b"".join(self.hashes)

    @classmethod
    def decode(cls, data: bytes) -> Frontier:
        """Read `encode`'s bytes; any other length or size is `Tampered`."""
        if len(data) < 8 or len(data) % HASH_BYTES != 8:
            raise tampered("frontier")
        hashes = tuple(data[i : i + HASH_BYTES] for i in range(8, len(data), HASH_BYTES))
        try:
            return cls(int.from_bytes(data[:8], "big"), hashes)
        except Invalid:
            raise tampered("frontier") from None


def root_at(size: int, reader: HashReader) -> bytes:
    """Return the root of the first `size` leaves; reads at most 63 hashes."""
    return _range_hash(0, size, reader) if size else EMPTY_ROOT


def inclusion_proof(index: int, size: int, reader: HashReader) -> tuple[bytes, ...]:
    """Return PATH(index, D[size]) of RFC 6962 section 2.1.1, the leaf's sibling first.

    Raises `Invalid` unless 0 ≤ index < size.
    """
    if not 0 <= index < size <= MAX_SIZE:
        raise invalid("/index", "range")
    low, high, path = 0, size, list[bytes]()
    while high - low > 1:
        middle = low + _split(high - low)
        if index < middle:
            path.append(_range_hash(middle, high, reader))
            high = middle
        else:
            path.append(_range_hash(low, middle, reader))
            low = middle
    return tuple(reversed(path))


def consistency_proof(old: int, new: int, reader: HashReader) -> tuple[bytes, ...]:
    """Return PROOF(old, D[new]) of RFC 6962 section 2.1.2; empty for old = 0 or old = new.

    Raises `Invalid` unless 0 ≤ old ≤ new.
    """
    if not 0 <= old <= new <= MAX_SIZE:
        raise invalid("/size", "range")
    if old in (0, new):
        return ()
    low, high, path = 0, new, list[bytes]()
    while old != high:
        middle = low + _split(high - low)
        if old <= middle:
            path.append(_range_hash(middle, high, reader))
            high = middle
        else:
            path.append(_range_hash(low, middle, reader))
            low = middle
    if low:  # otherwise the subtree is the old tree itself, whose root the verifier holds
        path.append(_range_hash(low, high, reader))
    return tuple(reversed(path))


def verify_inclusion(
    leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes
) -> None:
    """Check that leaf hash `leaf` stands at `index` under `root` (RFC 9162 section 2.1.3.2).

    Raises `Tampered` on any mismatch, also of lengths.
    """
    if not 0 <= index < size <= MAX_SIZE or not _are_hashes((leaf, root, *proof)):
        raise tampered("inclusion", index)
    place, last, current = index, size - 1, leaf
    for sibling in proof:
        if last == 0:
            raise tampered("inclusion", index)
        if place & 1 or place == last:
            current = node_hash(sibling, current)
            place, last = _climb_to_right_child(place, last)
        else:
            current = node_hash(current, sibling)
        place, last = place >> 1, last >> 1
    if last != 0 or current != root:
        raise tampered("inclusion", index)


def verify_consistency(
    old: int, new: int, old_root: bytes, new_root: bytes, proof: Sequence[bytes]
) -> None:
    """Check that the tree of `new` leaves extends that of `old` (RFC 9162 section 2.1.4.2).

    Raises `Tampered` on any mismatch; an old size of 0 needs `EMPTY_ROOT` and no proof.
    """
    if not 0 <= old <= new <= MAX_SIZE or not _are_hashes((old_root, new_root, *proof)):
        raise tampered("consistency")
    if old == new or old == 0:
        if proof or old_root != (new_root if old else EMPTY_ROOT):
            raise tampered("consistency")
        if new == 0 and new_root != EMPTY_ROOT:
            raise tampered("consistency")
        return
    _walk_consistency(old, new, old_root, new_root, proof)


def _walk_consistency(
    old: int, new: int, old_root: bytes, new_root: bytes, proof: Sequence[bytes]
) -> None:
    # A complete old tree is itself a node of the new one and is left out of the proof.
    path = [old_root, *proof] if old.bit_count() == 1 else list(proof)
    if not path:
        raise tampered("consistency")
    place, last = old - 1, new - 1
    while place & 1:
        place, last = place >> 1, last >> 1
    first = second = path[0]
    for sibling in path[1:]:
        if last == 0:
            raise tampered("consistency")
        if place & 1 or place == last:
            first, second = node_hash(sibling, first), node_hash(sibling, second)
            place, last = _climb_to_right_child(place, last)
        else:
            second = node_hash(second, sibling)
        place, last = place >> 1, last >> 1
    if last != 0 or first != old_root or second != new_root:
        raise tampered("consistency")


def _climb_to_right_child(place: int, last: int) -> tuple[int, int]:
    """Skip the levels on which the right-most node has no sibling and is only passed up."""
    while place and not place & 1:
        place, last = place >> 1, last >> 1
    return place, last


def _split(count: int) -> int:
    """Return the largest power of two below `count` (RFC 6962's k); `count` is at least 2."""
    return 1 << ((count - 1).bit_length() - 1)


def _range_hash(start: int, end: int, reader: HashReader) -> bytes:
    """Return MTH(D[start:end]); `start` is a multiple of the largest subtree inside."""
    parts = list[bytes]()
    while start < end:
        level = (end - start).bit_length() - 1
        parts.append(_read(reader, level, start >> level))
        start += 1 << level
    return _fold(parts)


def _fold(parts: Sequence[bytes]) -> bytes:
    current = parts[-1]
    for left in reversed(parts[:-1]):
        current = node_hash(left, current)
    return current


def _read(reader: HashReader, level: int, index: int) -> bytes:
    found = reader(level, index)
    if len(found) != HASH_BYTES:
        raise tampered("tile", index)
    return found


def _are_hashes(items: Sequence[bytes]) -> bool:
    return len(items) <= MAX_PROOF and all(len(item) == HASH_BYTES for item in items)
