"""k-of-n recovery shares on paper (SLIP-39) and what is derived from the shared secret.

One 32-byte seed gives the recovery principal and the organisation root. It exists while the
ceremony or a recovery runs and is stored nowhere. SLIP-39's own passphrase is not used: a wrong
one would silently give a wrong secret.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field

import shamir_mnemonic
from shamir_mnemonic import MnemonicError

from casevault.crypto.principals import SECRET_BYTES, PrincipalSecret
from casevault.crypto.sealing import KEY_BYTES, expand
from casevault.errors import Invalid

_WORDS = 33


def new_seed() -> bytes:
    """Return 32 random bytes."""
    return secrets.token_bytes(KEY_BYTES)


def recovery_principal(seed: bytes) -> PrincipalSecret:
    """Return the recovery group's key pair."""
    return PrincipalSecret(expand(seed, b"casevault/1/recovery", SECRET_BYTES))


def root_principal(seed: bytes) -> PrincipalSecret:
    """Return the organisation root. Only its signing half is ever used."""
    return PrincipalSecret(expand(seed, b"casevault/1/root", SECRET_BYTES))


def split(seed: bytes, threshold: int, count: int) -> tuple[str, ...]:
    """Return `count` mnemonics of 33 words, any `threshold` of which give the seed back."""
    groups = shamir_mnemonic.generate_mnemonics(1, [(threshold, count)], seed, b"")
    return tuple(groups[0])


@dataclass(frozen=True, slots=True)
class Share:
    """One share as its custodian typed it: of which set, which one, and how many are needed."""

    text: str = field(repr=False)
    set_id: int
    index: int
    threshold: int


def read_share(text: str, before: Sequence[Share] = ()) -> Share:
    """Read one share, to be added to those before; each fault has a code, none shows a word.

    :raises Invalid: too short or long, a wrong word, of another set, or one that is there already.
    """
    words = text.lower().split()
    if len(words) != _WORDS:
        raise Invalid("A share has 33 words. Count them again.", code="recovery.share-length")
    try:
        found = shamir_mnemonic.Share.from_mnemonic(" ".join(words))
    except (MnemonicError, ValueError, LookupError):
        raise Invalid(
            "A word of this share is wrong or not in its place.", code="recovery.share-words"
        ) from None
    share = Share(" ".join(words), found.identifier, found.index, found.member_threshold)
    if before and share.set_id != before[0].set_id:
        raise Invalid(
            "This share belongs to another set than the ones before.",
            code="recovery.share-foreign",
        )
    if share.index in {one.index for one in before}:
        raise Invalid("This share was given already.", code="recovery.share-repeated")
    return share


def combine(shares: Sequence[str]) -> bytes:
    """Return the seed from exactly k shares.

    The library's messages quote share words, so none of them passes: every fault is `Invalid`.
    """
    try:
        seed: bytes = shamir_mnemonic.combine_mnemonics(
            [" ".join(s.split()).lower() for s in shares], b""
        )
    except (MnemonicError, ValueError):
        raise _do_not_fit() from None
    # Shares of another secret (a wallet's, say) can be valid and still not be a vault's.
    if len(seed) != KEY_BYTES:
        raise _do_not_fit()
    return seed


def _do_not_fit() -> Invalid:
    return Invalid(
        "These shares do not fit together. Check the words and bring exactly as many shares as"
        " the sheet names.",
        code="recovery.shares",
    )
