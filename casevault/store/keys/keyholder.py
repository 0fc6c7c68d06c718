"""A person's key ring for one request: what they can open, and by which grant.

Built from the session's secret, dropped with the request; no key outlives it. This is where
"the key is the permission" happens: without a grant there is nothing here to open a case with.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from uuid import UUID

from casevault.crypto import grants as crypto_grants
from casevault.crypto.grants import Grant
from casevault.crypto.principals import PrincipalSecret
from casevault.crypto.sealing import Key
from casevault.domain.staff.granting import ObjectKind, PrincipalKind
from casevault.errors import KeyUnavailable, Refused
from casevault.store.engine.keyring import KeyringTransaction
from casevault.store.keys import grants, principals
from casevault.store.keys.grants import Granter, Object
from casevault.store.keys.principals import Principal
from casevault.store.keys.teams import GROUP_COMPARTMENT
from casevault.store.keys.trust import Trust


@dataclass(frozen=True, slots=True)
class OpenedKey:
    """A key and the way by which this person holds it."""

    key: Key = field(repr=False)
    through: PrincipalKind
    grant_id: UUID
    expires_at: int | None
    purpose: str


class KeyHolder:
    """The keys within reach of one person during one request.

    Without a secret (a session without its second factor) it opens and signs nothing.
    """

    def __init__(self, staff: UUID, secret: PrincipalSecret | None, trust: Trust) -> None:
        self.staff = staff
        self._secret = secret
        self._trust = trust
        self._groups: dict[UUID, tuple[Principal, PrincipalSecret]] = {}
        self._member_of: tuple[KeyringTransaction, set[UUID]] | None = None
        self._broken: set[UUID] = set()
        # The grant that was opened last, by its digest: its keys are often asked for one by one.
        self._last_link: tuple[bytes, Key] | None = None

    def __repr__(self) -> str:
        return "KeyHolder(…)"

    @property
    def granter(self) -> Granter:
        """This person as the signer of grants."""
        return Granter(self.staff, self.secret)

    def sign(self, context: str, message: bytes) -> bytes:
        """Sign a statement in this person's name."""
        return self.secret.sign(context, message)

    @property
    def broken(self) -> frozenset[UUID]:
        """The cases of which this request opened anything by breaking the glass."""
        return frozenset(self._broken)

    @property
    def secret(self) -> PrincipalSecret:
        """The person's own secret; `KeyUnavailable` before the second factor."""
        if self._secret is None:
            raise KeyUnavailable()
        return self._secret

    def group_ids(self, tx: KeyringTransaction) -> set[UUID]:
        """Return the groups of which the keyring says this person is a member (unchecked)."""
        if self._member_of is None or self._member_of[0] is not tx:
            self._member_of = tx, grants.objects_of(tx, ObjectKind.GROUP, [self.staff])
        return self._member_of[1]

    def open(
        self, tx: KeyringTransaction, target: Object, *compartments: str
    ) -> dict[str, OpenedKey]:
        """Return the keys of an object that this person can open: of these compartments, or all.

        Own grants come first, then those of the person's groups. A grant that has expired or
        does not count is passed over only if it is expired; anything forged is `Tampered`.
        """
        wanted = frozenset(compartments)
        opened = self._open_of(tx, target, [self.staff], wanted, {})
        if not wanted or not wanted <= opened.keys():
            groups = list(self.group_ids(tx))
            opened = self._open_of(tx, target, groups, wanted, opened)
        return opened

    def glance(
        self,
        tx: KeyringTransaction,
        target: Object,
        wanted: Collection[str],
        every: Collection[str],
    ) -> tuple[dict[str, OpenedKey], set[str]]:
        """Return the keys of the `wanted` compartments, and the names of all that are held.

        Of the other compartments of `every` nothing is opened: it is enough that a grant that
        counts carries them, and that the row of the key is there.
        """
        opened: dict[str, OpenedKey] = {}
        names: set[str] = set()
        for own in (True, False):
            if names.issuperset(every):
                break
            reach = [self.staff] if own else list(self.group_ids(tx))
            for grant in self._found(tx, target, reach):
                carried = {c.compartment for c in grant.terms.carried}.intersection(every) - names
                carried &= grants.carried_rows(tx, grant) if carried else carried
                if carried and self._counts(tx, grant, target):
                    opened |= self._open_grant(tx, grant, carried.intersection(wanted))
                    names |= carried
        return opened, names

    def open_on_duty(self, tx: KeyringTransaction, target: Object) -> dict[str, OpenedKey]:
        """Return the keys of a case that the team's duty group holds, to a member of it.

        Only breaking the glass may ask for them: `open` does not look through this group.
        """
        opened: dict[str, OpenedKey] = {}
        for group in principals.groups(tx, PrincipalKind.DUTY, target.team):
            membership = Object(ObjectKind.DUTY, group.id, group.team)
            own = self._open_of(tx, membership, [self.staff], frozenset({GROUP_COMPARTMENT}), {})
            if GROUP_COMPARTMENT not in own:
                continue
            key = own[GROUP_COMPARTMENT].key
            self._groups[group.id] = group, principals.group_secret(tx.organisation, group, key)
            opened = self._open_of(tx, target, [group.id], frozenset(), opened)
        return opened

    def prefetch(self, tx: KeyringTransaction, kind: ObjectKind, ids: list[UUID]) -> None:
        """Read at once what `open` will ask for about each of these objects."""
        reach = [self.staff, *self.group_ids(tx)]
        grants.prefetch(tx, kind, ids, reach)

    def _open_of(
        self,
        tx: KeyringTransaction,
        target: Object,
        grantees: list[UUID],
        compartments: frozenset[str],
        opened: dict[str, OpenedKey],
    ) -> dict[str, OpenedKey]:
        opened = dict(opened)
        for grant in self._found(tx, target, grantees):
            carried = {c.compartment for c in grant.terms.carried}
            wanted = (carried & compartments if compartments else carried) - opened.keys()
            if wanted and self._counts(tx, grant, target):
                opened |= self._open_grant(tx, grant, wanted)
        return opened

    @staticmethod
    def _found(tx: KeyringTransaction, target: Object, grantees: list[UUID]) -> list[Grant]:
        # What is held anyhow comes before what an emergency opened.
        found = grants.of_object(tx, target, grantees)
        found.sort(key=lambda grant: grant.terms.purpose == grants.BREAK_GLASS)
        return found

    def group(self, tx: KeyringTransaction, group_id: UUID) -> tuple[Principal, PrincipalSecret]:
        """Return a group of which this person is a member, with its secret."""
        if group_id not in self._groups:
            row = principals.principal(tx, group_id)
            if row is None:
                raise Refused(code="group.unknown")
            target = Object(ObjectKind.GROUP, group_id, row.team)
            for grant in grants.of_object(tx, target, [self.staff]):
                if self._counts(tx, grant, target):
                    key = self._unwrap(tx, grant, self.secret, {GROUP_COMPARTMENT})[
                        GROUP_COMPARTMENT
                    ]
                    secret = principals.group_secret(tx.organisation, row, key)
                    self._groups[group_id] = (row, secret)
                    break
            else:
                raise Refused(code="group.not-member")
        return self._groups[group_id]

    def group_key(self, tx: KeyringTransaction, group: Principal) -> Key:
        """Return the key of a group's secret: what is granted to let a colleague in."""
        return self.group_key_of(tx, group.id, group.team)

    def group_key_of(self, tx: KeyringTransaction, group: UUID, team: UUID | None) -> Key:
        """As `group_key`, for whoever knows a group by its id and team: its row is not opened."""
        target = Object(ObjectKind.GROUP, group, team)
        for grant in grants.of_object(tx, target, [self.staff]):
            if self._counts(tx, grant, target):
                return self._unwrap(tx, grant, self.secret, {GROUP_COMPARTMENT})[GROUP_COMPARTMENT]
        raise Refused(code="group.not-member")

    def keys_through(self, tx: KeyringTransaction, group: Principal) -> list[tuple[Principal, Key]]:
        """Return the keys of groups that were granted to a group of this person's."""
        _, secret = self.group(tx, group.id)
        found = []
        for one in grants.of_grantee(tx, ObjectKind.GROUP, group.id):
            row = principals.principal(tx, one.terms.object_id)
            if row is None:
                continue
            target = Object(ObjectKind.GROUP, row.id, row.team)
            if self._counts(tx, one, target):
                opened = self._unwrap(tx, one, secret, {GROUP_COMPARTMENT})
                found.append((row, opened[GROUP_COMPARTMENT]))
        return found

    def _counts(self, tx: KeyringTransaction, grant: Grant, target: Object) -> bool:
        terms = grant.terms
        if terms.grantee == self.staff and terms.grantee_key_id != self.secret.public.key_id:
            # To the pair that this person had before a reset.
            return False
        try:
            self._trust.check_grant(tx, grant)
        except Refused:
            return False
        return terms.team == target.team

    def _open_grant(
        self, tx: KeyringTransaction, grant: Grant, wanted: set[str]
    ) -> dict[str, OpenedKey]:
        terms = grant.terms
        if terms.grantee == self.staff:
            kind, secret = PrincipalKind.STAFF, self.secret
        else:
            row, secret = self.group(tx, terms.grantee)
            kind = row.kind
        keys = self._unwrap(tx, grant, secret, wanted) if wanted else {}
        if terms.purpose == grants.BREAK_GLASS:
            self._broken.add(terms.object_id)
        return {
            name: OpenedKey(key, kind, terms.id, terms.expires_at, terms.purpose)
            for name, key in keys.items()
        }

    def _unwrap(
        self, tx: KeyringTransaction, grant: Grant, secret: PrincipalSecret, wanted: set[str]
    ) -> dict[str, Key]:
        link = self._link(grant, secret)
        rows = grants.key_rows(tx, grant, wanted)
        return {name: crypto_grants.open_row(grant, link, name, row) for name, row in rows.items()}

    def _link(self, grant: Grant, secret: PrincipalSecret) -> Key:
        digest = grant.digest
        if self._last_link is None or self._last_link[0] != digest:
            self._last_link = digest, crypto_grants.open_link(grant, secret)
        return self._last_link[1]
