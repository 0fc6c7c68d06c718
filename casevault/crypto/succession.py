"""From one version of a case key to the next, and back.

v+1 carries v (*lineage*), so the newest key opens every older backup; v vouches for v+1
(*succession*), so nobody can slip in a key of their own. There is no way from v to v+1.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass, field

from casevault.crypto import canonical
from casevault.crypto.sealing import KEY_BYTES, Key, Place, expand, seal, unseal
from casevault.errors import Tampered


@dataclass(frozen=True, slots=True)
class Step:
    """What the keyring keeps beside version v+1."""

    lineage: bytes = field(repr=False)
    succession: bytes = field(repr=False)


def succeed(old: Key, new: Key, place: Place) -> Step:
    """Return the step from `old` (v) to `new` (v+1) for the compartment at `place`."""
    if new.version != old.version + 1:
        raise ValueError("versions follow one another")
    return Step(seal(_lineage_key(new), place, old.material, new.version), _mac(old, new, place))


def predecessor(new: Key, place: Place, step: Step, old_id: bytes) -> Key:
    """Return version v from v+1; the id must be the one the keyring names for v."""
    content = unseal(_lineage_key(new), place, step.lineage, new.version).content
    if len(content) != KEY_BYTES or new.version < 2:
        raise Tampered(code="lineage")
    old = Key(content, new.version - 1)
    if not hmac.compare_digest(old.id, old_id):
        raise Tampered(code="lineage")
    return old


def check_succession(old: Key, new: Key, place: Place, step: Step) -> None:
    """Return if a holder of `old` made `new` its successor, else `Tampered`."""
    if new.version != old.version + 1 or not hmac.compare_digest(
        _mac(old, new, place), step.succession
    ):
        raise Tampered(code="succession")


def _lineage_key(new: Key) -> Key:
    return Key(expand(new.material, b"casevault/1/lineage"), new.version)


def _mac(old: Key, new: Key, place: Place) -> bytes:
    message = canonical.encode(
        "casevault/1/succession",
        place.organisation,
        place.kind,
        place.case,
        place.compartment,
        place.row,
        old.id,
        old.version,
        new.id,
        new.version,
    )
    return hmac.digest(expand(old.material, b"casevault/1/succession-key"), message, hashlib.sha256)
