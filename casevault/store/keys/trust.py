"""Whom the keyring's statements may be believed: vouch chains down to the pinned root.

Decides which scopes (kind, roles, team) a principal holds at a moment and whether a grant counts.
Results of checks, never keys, are remembered per process for 60 seconds, and only while nobody's
keys or vouches have changed.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from casevault.clock import Clock, unix_seconds
from casevault.crypto import grants as crypto_grants
from casevault.crypto import vouches as crypto_vouches
from casevault.crypto.grants import Grant
from casevault.crypto.principals import PublicKeys
from casevault.crypto.vouches import Vouch
from casevault.domain.staff.granting import ObjectKind, PrincipalKind, may_grant
from casevault.domain.staff.vouching import MAX_CHAIN, Scope, check_validity, may_vouch
from casevault.errors import CaseVaultError, Misconfigured, Refused, Tampered
from casevault.store.engine.keyring import KeyringTransaction
from casevault.store.keys import grants, principals
from casevault.store.keys.grants import Grantee
from casevault.store.keys.principals import Principal

REMEMBERED_SECONDS = 60
_MAX_REMEMBERED = 10_000


@dataclass(frozen=True, slots=True)
class Believed:
    """One vouch whose whole chain holds: scope, keys and the seconds in which it does."""

    scope: Scope
    serial: UUID
    public: PublicKeys = field(repr=False)
    valid_from: int
    valid_until: int
    is_revoked: bool = False

    def holds(self, at: int) -> bool:
        """Say whether the vouch covers the moment `at`."""
        return self.valid_from <= at < self.valid_until


class Trust:
    """Follows vouches to the root whose fingerprint the configuration pins."""

    def __init__(self, root_pin: str, clock: Clock) -> None:
        self._root_pin = root_pin
        self._clock = clock
        self._lock = threading.Lock()
        # What was asked → trust version, until when (Unix seconds), and the answer.
        self._memory: dict[Hashable, tuple[int, int, Any]] = {}

    def check_root(self, tx: KeyringTransaction) -> None:
        """Refuse a keyring whose root is not the pinned one."""
        roots = principals.groups(tx, PrincipalKind.ROOT)
        if len(roots) != 1 or not self._is_root(tx, roots[0]):
            raise Misconfigured(
                "The root key in the keyring is not the one that `root_fingerprint` pins. Restore"
                " the right keyring, or the right configuration file.",
                code="root.fingerprint",
            )

    def present_root(self, tx: KeyringTransaction) -> str:
        """Return the fingerprint of the root in the keyring: the pinned one, or its successor."""
        self.check_root(tx)
        (root,) = principals.groups(tx, PrincipalKind.ROOT)
        return root.public.pin

    def _is_root(self, tx: KeyringTransaction, root: Principal) -> bool:
        """Say whether this is the pinned root, or one that it signed for, from hand to hand."""
        if root.public.pin == self._root_pin:
            return True
        found: bool = self._remembered(
            tx, ("root", root.public.pin), lambda: self._succeeds(tx, root)
        )
        return found

    def _succeeds(self, tx: KeyringTransaction, root: Principal) -> bool:
        stated = [
            vouch
            for vouch in principals.vouches_for(tx, root.id)
            if vouch.statement.kind == PrincipalKind.ROOT.value
        ]
        # Keys prove themselves by the fingerprint; whoever states them need not be believed.
        at = next((v.subject_keys for v in stated if v.subject_keys.pin == self._root_pin), None)
        seen: set[str] = set()
        while at is not None and at.pin != root.public.pin:
            seen.add(at.pin)
            signer = at
            following = (v.subject_keys for v in stated if _is_signed_by(v, signer))
            at = next((keys for keys in following if keys.pin not in seen), None)
        return at is not None

    def scopes(self, tx: KeyringTransaction, subject: UUID, at: int | None = None) -> list[Scope]:
        """Return the scopes that a principal holds at `at` (now by default; Unix seconds)."""
        moment = unix_seconds(self._clock.now()) if at is None else at
        return [b.scope for b in self.believed(tx, subject) if b.holds(moment)]

    def believed(self, tx: KeyringTransaction, subject: UUID) -> tuple[Believed, ...]:
        """Return every vouch for a principal's present keys whose chain holds, in force or not."""
        found: tuple[Believed, ...] = self._remembered(
            tx, ("believed", subject), lambda: self._of_present_keys(tx, subject)
        )
        return found

    def ever(self, tx: KeyringTransaction, subject: UUID) -> tuple[Believed, ...]:
        """As `believed`, also for pairs of keys that the principal had before: what they signed.

        Never for whom to grant to.
        """
        found: tuple[Believed, ...] = self._remembered(
            tx, ("ever", subject), lambda: self._follow(tx, subject, MAX_CHAIN)
        )
        return found

    def groups(
        self, tx: KeyringTransaction, kind: PrincipalKind, team: UUID | None = None
    ) -> list[Grantee]:
        """Return the groups of one kind and team, with their vouched keys: whom to grant to.

        One whose place another has taken is not among them.

        :raises Refused: nobody vouches for one of them.
        """
        return [Grantee(one, self.public_keys(tx, one)) for one in self.group_ids(tx, kind, team)]

    def vouched_groups(
        self, tx: KeyringTransaction, kind: PrincipalKind, team: UUID | None = None
    ) -> list[Grantee]:
        """As `groups`, without those for which nobody vouches at present."""
        ids = self.group_ids(tx, kind, team)
        return [Grantee(one, self.public_keys(tx, one)) for one in ids if self.scopes(tx, one)]

    def group_ids(
        self, tx: KeyringTransaction, kind: PrincipalKind, team: UUID | None
    ) -> tuple[UUID, ...]:
        """Return the groups of one kind and team whose place no other has taken."""
        found: tuple[UUID, ...] = self._remembered(
            tx,
            ("groups", kind, team),
            lambda: tuple(
                g.id for g in principals.groups(tx, kind, team) if not self.is_retired(tx, g.id)
            ),
        )
        return found

    def is_retired(self, tx: KeyringTransaction, group: UUID) -> bool:
        """Say whether another group has taken the place of this one: its vouches are revoked."""
        found = self.believed(tx, group)
        return bool(found) and all(one.is_revoked for one in found)

    def public_keys(self, tx: KeyringTransaction, subject: UUID) -> PublicKeys:
        """Return the vouched public keys of a principal to whom something is to be granted.

        Never the keys of a bare row: whoever can write the keyring could put their own there.
        """
        now = unix_seconds(self._clock.now())
        for believed in self.believed(tx, subject):
            if believed.holds(now):
                return believed.public
        raise Refused(
            "Nobody vouches for these keys at present.",
            code="vouch.missing",
            hint="Ask the person's supervisor (or the DPO) to vouch for them.",
        )

    def standing(
        self, tx: KeyringTransaction, subject: UUID, team: UUID | None
    ) -> PublicKeys | None:
        """Return the keys of a holder who keeps what they hold; None if they are out of the team.

        A vouch that merely ran out stops new grants, never reading; one that was revoked does.
        """
        for believed in self.believed(tx, subject):
            if not believed.is_revoked and believed.scope.team in (None, team):
                return believed.public
        return None

    def check_grant(self, tx: KeyringTransaction, grant: Grant) -> None:
        """Return if this grant counts: signature, chain at issue, organisation, expiry."""
        terms = grant.terms
        now = unix_seconds(self._clock.now())
        if terms.organisation != tx.organisation:
            raise Tampered(code="grant")
        if grants.is_over(grant, now):
            raise Refused("This grant has expired.", code="grant.expired")
        self._remembered(tx, ("grant", grant.digest), lambda: self._check_granter(tx, grant))

    def _remembered(self, tx: KeyringTransaction, what: Hashable, find: Callable[[], Any]) -> Any:  # noqa: ANN401
        """Return what `find` finds, or what it found lately while trust was as it is now."""
        if tx.changes_trust:
            # It may be rolled back: nothing of it is believed by others.
            return find()
        version, now = tx.trust_version(), unix_seconds(self._clock.now())
        with self._lock:
            known = self._memory.get(what)
        if known is not None and known[0] == version and known[1] > now:
            return known[2]
        found = find()
        with self._lock:
            if len(self._memory) > _MAX_REMEMBERED:
                self._memory.clear()
            self._memory[what] = (version, now + REMEMBERED_SECONDS, found)
        return found

    def _check_granter(self, tx: KeyringTransaction, grant: Grant) -> None:
        terms = grant.terms
        if terms.object_kind not in {kind.value for kind in ObjectKind}:
            raise Tampered(code="grant")
        kind = ObjectKind(terms.object_kind)
        group = None
        if kind in (ObjectKind.GROUP, ObjectKind.DUTY):
            row = principals.principal(tx, terms.object_id)
            if row is None or row.team != terms.team:
                raise Tampered(code="grant")
            group = row.kind
        candidates = [
            b
            for b in self.ever(tx, terms.granter)
            if b.holds(terms.issued_at) and b.public.key_id == terms.granter_key_id
        ]
        if kind is ObjectKind.PRIVATE and terms.granter != terms.grantee:
            raise Tampered(code="grant.scope")
        if not may_grant([b.scope for b in candidates], kind, terms.team, group):
            raise Tampered(code="grant.scope")
        crypto_grants.check_signature(grant, candidates[0].public)

    def _of_present_keys(self, tx: KeyringTransaction, subject: UUID) -> tuple[Believed, ...]:
        principal = principals.principal(tx, subject)
        if principal is None:
            return ()
        present = principal.public.key_id
        found = self._follow(tx, subject, MAX_CHAIN)
        return tuple(one for one in found if one.public.key_id == present)

    def _follow(self, tx: KeyringTransaction, subject: UUID, depth: int) -> tuple[Believed, ...]:
        principal = principals.principal(tx, subject)
        if principal is None:
            return ()
        if principal.kind is PrincipalKind.ROOT:
            if not self._is_root(tx, principal):
                return ()
            scope = Scope(kind=PrincipalKind.ROOT.value, roles=(), team=None)
            return (Believed(scope, subject, principal.public, 0, 1 << 62),)
        if depth == 0:
            return ()
        found = principals.vouches_for(tx, subject)
        revoked = principals.revocations(tx, [v.statement.serial for v in found])
        self._check_revocations(tx, list(revoked))
        believed = []
        for vouch in found:
            if vouch.statement.kind != principal.kind.value:
                continue
            one = self._believe(tx, vouch, revoked.get(vouch.statement.serial), depth)
            if one is not None:
                believed.append(one)
        return tuple(believed)

    @staticmethod
    def _check_revocations(tx: KeyringTransaction, serials: list[UUID]) -> None:
        """Return if each signed revocation was signed with keys that its signer ever had.

        Taking power needs no chain: whoever can write here could as well delete the vouch.
        """
        for revocation in principals.signed_revocations(tx, serials):
            for vouch in principals.vouches_for(tx, revocation.revoker):
                if vouch.subject_keys.key_id == revocation.key_id:
                    crypto_vouches.check_revocation(revocation, vouch.subject_keys)

    def _believe(
        self, tx: KeyringTransaction, vouch: Vouch, revoked_at: int | None, depth: int
    ) -> Believed | None:
        statement = vouch.statement
        if statement.issuer == statement.subject:
            return None
        scope = Scope(kind=statement.kind, roles=statement.roles, team=statement.team)
        for issuer in self._follow(tx, statement.issuer, depth - 1):
            if not issuer.holds(statement.valid_from) or not may_vouch(issuer.scope, scope):
                continue
            try:
                check_validity(statement.valid_from, statement.valid_until)
                crypto_vouches.check_signature(vouch, issuer.public)
            except CaseVaultError:
                continue
            until = statement.valid_until
            if revoked_at is not None:
                until = min(until, revoked_at)
            return Believed(
                scope,
                statement.serial,
                vouch.subject_keys,
                statement.valid_from,
                until,
                is_revoked=revoked_at is not None,
            )
        return None


def _is_signed_by(vouch: Vouch, issuer: PublicKeys) -> bool:
    try:
        crypto_vouches.check_signature(vouch, issuer)
    except CaseVaultError:
        return False
    return True
