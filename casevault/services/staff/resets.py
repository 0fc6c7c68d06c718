"""A forgotten passphrase, without e-mail: a new pair of keys, or a code that was kept on paper.

A reset never restores the ability to read. The administrator only takes away and hands out a
one-time code; the person's new keys open nothing until the right colleague vouches for them and
grants them anew, in their own session, what the signed grants to the old pair name. The recovery
code is the person's own: it opens a second envelope once, and touches no grant.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from casevault.crypto import macs, tokens
from casevault.crypto.credentials import PassphraseKdf, check_strength
from casevault.crypto.grants import Grant
from casevault.crypto.sealing import Key
from casevault.domain import vocabulary
from casevault.domain.staff.access import Permission, Subject
from casevault.domain.staff.granting import ObjectKind
from casevault.errors import NotFound, Refused, Tampered, Unauthenticated
from casevault.store.case import case_keys
from casevault.store.context import intents
from casevault.store.context.caller import Caller, Gate
from casevault.store.context.stores import Stores
from casevault.store.engine.keyring import KeyringTransaction
from casevault.store.keys import grants, people, teams
from casevault.store.keys.grants import Grantee, Object
from casevault.store.keys.principals import Principal
from casevault.store.log import ledger
from casevault.store.log.ledger import Act, Touched
from casevault.store.staff import resetting
from casevault.store.staff.failures import Failures

_CODE_SECONDS = 7 * 86_400
_CODE_WORDS = 8
_BATCH = 100


@dataclass(frozen=True, slots=True)
class Regranted:
    """How much a person got again, and how many cases somebody else has to give them."""

    groups: int
    cases: int
    left: int


@dataclass(frozen=True, slots=True)
class _Plan:
    """What the caller can give again, and to which keys."""

    grantee: Grantee
    groups: tuple[Principal, ...]
    cases: tuple[Grant, ...]
    left: int


class Resets:
    """The use cases of people who cannot sign in any more."""

    def __init__(self, stores: Stores, gate: Gate, kdf: PassphraseKdf) -> None:
        self._stores = stores
        self._gate = gate
        self._kdf = kdf
        self._failures = Failures(stores)

    def reset(self, caller: Caller, staff: UUID) -> str:
        """End a person's sessions, envelope and vouches now; return a one-time code (7 days)."""
        stores, touched = self._stores, (Touched("staff", staff),)
        subject = Subject(kind="staff", self_act=staff == caller.staff)
        self._gate.require(caller, Permission.STAFF_RESET, subject, touched)
        with stores.keyring.reading() as tx:
            if people.staff_by_id(tx, staff) is None:
                raise NotFound()
        code, now = tokens.new_code(), stores.now()

        def take(tx: KeyringTransaction) -> None:
            resetting.begin(tx, caller, staff, now)
            people.add_enrolment(tx, staff, code, now + _CODE_SECONDS)

        act = Act("staff.reset", caller.on_ledger, rule="permit:role", touched=touched)
        intents.taking(stores, act, take)
        return code

    def regrant(self, caller: Caller, staff: UUID) -> Regranted:
        """Give a person with new, vouched keys what they held before, as far as the caller can.

        Groups follow from what they are vouched for now; cases, from the grants to their old keys.
        """
        touched = (Touched("staff", staff),)
        subject = Subject(kind="staff", self_act=staff == caller.staff)
        self._gate.require(caller, Permission.STAFF_REGRANT, subject, touched)
        stores = self._stores
        with stores.keyring.reading() as tx:
            if people.staff_by_id(tx, staff) is None:
                raise NotFound()
            plan, wanted = self._plan(tx, caller, staff)
        if wanted and not plan.groups and not plan.cases:
            self._gate.deny(caller, Permission.STAFF_REGRANT, "deny:no-grant", touched)
            raise Refused(
                "Nothing that this person held is within your reach.",
                code="regrant.scope",
                hint="Supervisors give their team's cases again, auditors and the DPO their group.",
            )
        self._admit(caller, plan)
        done = 0
        for at in range(0, len(plan.cases), _BATCH):
            done += self._give(caller, plan.grantee, plan.cases[at : at + _BATCH])
        if not plan.groups and not plan.cases:
            # Whoever asked is told that nothing waits: that is recorded like what was given.
            stores.ledger.record(
                Act("key.regrant", caller.on_ledger, rule="permit:role", touched=touched, count=0)
            )
        left = plan.left + len(plan.cases) - done
        if not left:
            with stores.keyring.writing() as tx:
                resetting.end(tx, staff)
        return Regranted(len(plan.groups), done, left)

    def make_code(self, caller: Caller) -> str:
        """Seal the caller's secret a second time, under eight words that are shown once."""
        self._gate.require(caller, Permission.RECOVERY_CODE, Subject("staff", self_act=True))
        stores = self._stores
        code = macs.words(vocabulary.passphrase_words(), _CODE_WORDS)
        with self._kdf.queued(reserved=True):
            envelope = self._kdf.close(
                stores.organisation, caller.staff, caller.keys.secret, code, stores.roots.pepper()
            )
        act = Act(
            "auth.recovery_code",
            caller.on_ledger,
            rule="permit:own",
            touched=(Touched("staff", caller.staff),),
        )
        with stores.ledger.giving(act), stores.keyring.writing() as tx:
            people.put_recovery_envelope(tx, caller.staff, envelope)
        return code

    def use_code(self, login: str, code: str, passphrase: str, request: str | None = None) -> None:
        """Set a new passphrase by the code on paper, once; every session ends, no grant changes."""
        check_strength(passphrase)
        stores = self._stores
        with stores.keyring.reading() as tx:
            member = people.staff_by_login(tx, login)
            kept = None if member is None else people.recovery_envelope_of(tx, member.id)
        words = " ".join(code.lower().split())
        with self._kdf.queued():
            if member is None or kept is None:
                self._kdf.waste(words, stores.roots.pepper())
                raise self._wrong(login, None if member is None else member.id, request)
            pepper = stores.roots.pepper(kept.pepper_version)
            try:
                secret = self._kdf.open(stores.organisation, member.id, kept, words, pepper)
            except Tampered:
                raise self._wrong(login, member.id, request) from None
            envelope = self._kdf.close(
                stores.organisation, member.id, secret, passphrase, stores.roots.pepper()
            )
        actor = ledger.Actor(staff=member.id, request=request)
        act = Act("auth.restore", actor, rule="permit:code", touched=(Touched("staff", member.id),))
        with stores.ledger.giving(act), stores.keyring.writing() as tx:
            # Used up here: of two at once, the second finds nothing to take away.
            if not people.drop_recovery_envelope(tx, member.id):
                raise self._no()
            people.take_sign_in(tx, member.id)
            people.put_envelope(tx, member.id, envelope)

    def _plan(self, tx: KeyringTransaction, caller: Caller, staff: UUID) -> tuple[_Plan, bool]:
        """Return what the caller can give, and whether anything is to be given at all."""
        trust, now = self._stores.trust, self._stores.now()
        grantee = Grantee(staff, trust.public_keys(tx, staff))
        scopes = [scope for scope in trust.scopes(tx, staff) if scope.kind == "staff"]
        belongs = [
            group for scope in scopes for group in teams.groups_for(tx, scope.roles, scope.team)
        ]
        member_of = grants.objects_of(tx, ObjectKind.GROUP, [staff])
        mine = caller.keys.group_ids(tx)
        # A retired group is passed on by whoever still holds it; nobody has to.
        groups = {
            group.id: group
            for group in belongs
            if group.id not in member_of
            and (group.id in mine or not trust.is_retired(tx, group.id))
        }
        owed = resetting.owed(tx, trust, staff, grantee.public.key_id, now)
        in_teams = {scope.team for scope in scopes}
        cases = tuple(
            grant
            for grant in owed
            if grant.terms.team in in_teams and self._keys(tx, caller, grant) is not None
        )
        reachable = tuple(group for group in groups.values() if group.id in mine)
        plan = _Plan(grantee, reachable, cases, len(owed) - len(cases))
        return plan, bool(groups or owed)

    def _admit(self, caller: Caller, plan: _Plan) -> None:
        if not plan.groups:
            return
        staff = Touched("staff", plan.grantee.id)
        groups = tuple(Touched("group", group.id) for group in plan.groups)
        act = Act("key.regrant", caller.on_ledger, rule="permit:vouch", touched=(staff, *groups))
        with self._stores.ledger.giving(act), self._stores.keyring.writing() as tx:
            for group in plan.groups:
                key = caller.keys.group_key(tx, group)
                teams.admit(tx, caller.keys.granter, group, key, plan.grantee, self._stores.now())

    def _give(self, caller: Caller, grantee: Grantee, batch: Sequence[Grant]) -> int:
        stores, now = self._stores, self._stores.now()
        staff = Touched("staff", grantee.id)
        cases = tuple(Touched("case", grant.terms.object_id) for grant in batch)
        act = Act(
            "key.regrant",
            caller.on_ledger,
            rule="permit:team",
            touched=(staff, *cases),
            count=len(cases),
        )
        done = 0
        with stores.ledger.giving(act), stores.keyring.writing() as tx:
            for old in batch:
                terms = old.terms
                present = case_keys.locked(tx, terms.object_id)
                still = grants.of_object(tx, _target(old), [grantee.id])
                keys = self._keys(tx, caller, old)
                # Revoked, assigned or given new keys since we looked: that was meant.
                if keys is None or terms.id not in {grant.terms.id for grant in still}:
                    continue
                if any(present[name].newest.key_id != key.id for name, key in keys.items()):
                    continue
                grants.take(tx, _target(old), grantee.id)
                grants.give(
                    tx,
                    _target(old),
                    keys,
                    caller.keys.granter,
                    [(grantee, frozenset(keys))],
                    purpose=grants.again(terms, "regrant"),
                    issued_at=now,
                    expires_at=terms.expires_at,
                )
                done += 1
        return done

    @staticmethod
    def _keys(tx: KeyringTransaction, caller: Caller, old: Grant) -> dict[str, Key] | None:
        """Return the keys that an old grant carried as the caller holds them; None if not all."""
        opened = caller.keys.open(tx, _target(old))
        names = {carried.compartment for carried in old.terms.carried}
        if not names <= opened.keys():
            return None
        return {name: opened[name].key for name in sorted(names)}

    def _wrong(self, login: str, staff: UUID | None, request: str | None) -> Unauthenticated:
        about = people.fold_login(login)
        self._failures.record("auth.restore_failed", "deny:credentials", about, staff, request)
        return self._no()

    @staticmethod
    def _no() -> Unauthenticated:
        return Unauthenticated(
            "Login or recovery code is wrong, or the code was used.",
            code="recovery-code",
            hint="Without the code, the administrator resets the account.",
        )


def _target(grant: Grant) -> Object:
    return Object(ObjectKind.CASE, grant.terms.object_id, grant.terms.team)
