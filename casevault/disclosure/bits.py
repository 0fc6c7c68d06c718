"""Where random bits come from: the operating system, or a seed in simulations and tests.

Must never offer a seed to a release of a vault: noise that can be drawn again is no noise.
Integers only.
"""

from __future__ import annotations

import hashlib
import secrets
from typing import Protocol

_BLOCK_BYTES = 256


class Bits(Protocol):
    """A source of independent, fair bits."""

    def take(self, count: int) -> int:
        """Return an integer of `count` random bits."""


class _Pooled:
    """Hands out bits of blocks, so that few of them are thrown away."""

    def __init__(self) -> None:
        self._pool = 0
        self._left = 0

    def _block(self) -> bytes:
        raise NotImplementedError

    def take(self, count: int) -> int:
        """Return an integer of `count` random bits."""
        while self._left < count:
            block = self._block()
            self._pool |= int.from_bytes(block, "big") << self._left
            self._left += 8 * len(block)
        taken = self._pool & ((1 << count) - 1)
        self._pool >>= count
        self._left -= count
        return taken


class SystemBits(_Pooled):
    """The operating system's generator."""

    def _block(self) -> bytes:
        return secrets.token_bytes(_BLOCK_BYTES)


class SeededBits(_Pooled):
    """The same bits for the same seed: SHA-512 in counter mode. For simulations and tests."""

    def __init__(self, seed: bytes) -> None:
        super().__init__()
        self._seed = hashlib.sha512(b"casevault/simulation/v1\x00" + seed).digest()
        self._counter = 0

    def _block(self) -> bytes:
        self._counter += 1
        return hashlib.sha512(self._seed + self._counter.to_bytes(8, "big")).digest()
