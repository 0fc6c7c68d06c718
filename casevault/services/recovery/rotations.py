"""Rotating keys that belong to no person: a new version, everything moved, the old one destroyed.

Everybody works on meanwhile; a rotation that was cut off is gone on with by running it again. An
older version goes only when nothing names it, the keyring backup is younger than that, and no
backup of the data store from before is promised any more. What the root must vouch for needs the
recovery shares.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from casevault.crypto.recovery import Share
from casevault.crypto.roots import PEPPER, SERVICE_KEY
from casevault.domain.staff.granting import PrincipalKind
from casevault.errors import Refused
from casevault.store.context.stores import Stores
from casevault.store.engine import milestones
from casevault.store.log.ledger import SERVICE, Act
from casevault.store.recovery import pairs, recovering, versions
from casevault.store.recovery.versions import Use

_DAY = 86_400
# What is kept for a day under a key that has no mark of its version: idempotency records.
_UNMARKED_SECONDS = _DAY + 3600
SYMMETRIC = (PEPPER, SERVICE_KEY)
PAIRS = (PrincipalKind.SERVICE, PrincipalKind.ORGANISATION, PrincipalKind.COUNTING)


@dataclass(frozen=True, slots=True)
class Rotated:
    """A rotation so far: the present version, how much was moved, what still needs older ones."""

    kind: str
    version: int
    moved: int
    left: tuple[Use, ...]


class Rotations:
    """The rotations of one vault; `promised_days` is how long a data backup must be restorable."""

    def __init__(self, stores: Stores, promised_days: int) -> None:
        self._stores = stores
        self._promised = promised_days * _DAY

    def uses(self) -> list[Use]:
        """Return what needs which version of which key."""
        return versions.uses(self._stores)

    def rotate(self, kind: str) -> Rotated:
        """Give the pepper or the service key a new version, and move what can be moved.

        While anything lies under an older version this goes on with the rotation before.
        """
        stores = self._stores
        if not self._older(kind):
            stores.roots.add_version(kind)
        moved = versions.move_service_key(stores) if kind == SERVICE_KEY else 0
        present = stores.roots.versions(kind)[0]
        self._record("key.rotate", kind, moved)
        return Rotated(kind, present, moved, self._older(kind))

    def renew_pair(self, kind: PrincipalKind, shares: Sequence[Share]) -> Rotated:
        """Give a principal of the root provider a new pair, with the quorum present.

        :raises Invalid: the shares are not those that hold now.
        """
        stores = self._stores
        found = recovering.recovered(stores.keyring, stores.trust, list(shares))
        if not (pairs.is_told(stores, kind) and self._older(kind.value)):
            pairs.renew(stores, found.root, kind)
        moved = 0
        if kind is PrincipalKind.COUNTING:
            moved = pairs.move(stores, kind, found.holder, found.holder.granter)
        elif kind is PrincipalKind.SERVICE:
            moved = pairs.move_own(stores, kind)
        self._record("key.rotate", kind.value, moved)
        present = stores.roots.versions(kind.value)[0]
        return Rotated(kind.value, present, moved, self._older(kind.value))

    def retire(self, kind: str) -> tuple[int, ...]:
        """Destroy the older versions of a key; return which.

        :raises Refused: something names one, or a backup that is promised does.
        """
        stores = self._stores
        older = stores.roots.versions(kind)[1:]
        if not older:
            return ()
        left = self._older(kind)
        if left:
            raise _needed(left)
        self._check_copies(kind, self._empty_since(kind))
        for version in older:
            keep = versions.LASTING if kind == SERVICE_KEY else ()
            stores.roots.drop_version(kind, version, keep)
        with stores.keyring.writing() as tx:
            milestones.forget(tx, _mark(kind))
        self._record("key.retire", kind, len(older))
        return older

    def _older(self, kind: str) -> tuple[Use, ...]:
        present = self._stores.roots.versions(kind)[0]
        return tuple(
            one for one in self.uses() if one.kind == kind and one.version < present and one.count
        )

    def _empty_since(self, kind: str) -> int:
        """Return since when nothing has named an older version, as far as we have looked."""
        stores = self._stores
        with stores.keyring.writing() as tx:
            since = milestones.last(tx, _mark(kind))
            if since is None:
                since = stores.now()
                milestones.note(tx, _mark(kind), since)
        return since

    def _check_copies(self, kind: str, since: int) -> None:
        stores = self._stores
        with stores.keyring.reading() as tx:
            copied = milestones.last(tx, milestones.KEYRING_BACKUP)
        if copied is None or copied <= since:
            raise Refused(
                "The keyring backup is older than the last move. Run `casevault keys roll` first.",
                code="rotation.backup",
            )
        until = since + max(self._promised, _UNMARKED_SECONDS)
        if kind == SERVICE_KEY and stores.now() < until:
            raise Refused(
                "Backups of the data store that are still promised need the older key until"
                f" {datetime.fromtimestamp(until, UTC):%Y-%m-%d}. Run this again then.",
                code="rotation.promised",
            )

    def _record(self, code: str, kind: str, count: int) -> None:
        act = Act(code, SERVICE, rule="permit:service", filters=(kind,), count=count)
        self._stores.ledger.record(act)


def _mark(kind: str) -> str:
    return "unused/" + kind


def _needed(left: Sequence[Use]) -> Refused:
    counts: Counter[str] = Counter()
    for one in left:
        counts[one.what] += one.count
    named = ", ".join(f"{count} {what}" for what, count in sorted(counts.items()))
    return Refused(f"The older key is still needed: {named}.", code="rotation.needed")
