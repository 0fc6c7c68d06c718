"""Signing in and out, and turning a token back into a person with their keys.

Opening the envelope is the verification. Must never say whether the login or the passphrase was
wrong, and spends the same work on logins that do not exist.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from uuid import UUID

from casevault.crypto.credentials import Envelope, PassphraseKdf
from casevault.crypto.principals import PrincipalSecret
from casevault.crypto.tokens import Token
from casevault.domain.staff.access import PASSPHRASE, SECOND_FACTOR, Actor, Role, is_assured
from casevault.domain.staff.vouching import Scope
from casevault.errors import (
    Busy,
    CaseVaultError,
    Conflict,
    Refused,
    Tampered,
    Unauthenticated,
)
from casevault.ids import StaffId, TeamId, new_id
from casevault.store.casework import feeds
from casevault.store.context import intents
from casevault.store.context.caller import Caller
from casevault.store.context.stores import Stores
from casevault.store.engine import clock_guard
from casevault.store.engine.clock_guard import Judged
from casevault.store.engine.keyring import KeyringTransaction
from casevault.store.keys import factors, glimpse, people
from casevault.store.keys.factors import Owner
from casevault.store.keys.keyholder import KeyHolder
from casevault.store.keys.people import Session
from casevault.store.log import ledger
from casevault.store.log.ledger import Act, Touched
from casevault.store.staff import guesses, lockdowns
from casevault.store.staff.failures import Failures
from casevault.store.staff.guesses import Allowance
from casevault.store.staff.open_sessions import TOUCH_SECONDS, OpenSessions

# How long a person counts as freshly confirmed after their passphrase.
FRESH_SECONDS = 300
# What the ledger calls the reasons for which nobody, or this person, signs in.
_SHUT_OUT = {"lockdown": "locked", "clock": "clock"}
_MAX_SESSIONS = 10


@dataclass(frozen=True, slots=True)
class SignedIn:
    """What a person gets for their passphrase."""

    token: str = field(repr=False)
    staff: UUID
    expires_at: int
    assurance: str
    # Whether the person has a second factor at all: if not, setting it up comes next.
    second_factor: bool
    # What makes this device a known one, if it was none; the vault keeps its digest.
    device: str | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class _Attempt:
    """Somebody who wants to sign in, and against what that counts."""

    login: str = field(repr=False)
    staff: UUID | None
    request: str | None
    allowance: Allowance
    is_known: bool


class Sessions:
    """Sessions of one host: they die with its boot secret."""

    def __init__(
        self,
        stores: Stores,
        kdf: PassphraseKdf,
        sessions: OpenSessions,
        minimum_assurance: str,
        *,
        shut_too: bool = False,
    ) -> None:
        self._stores = stores
        self._kdf = kdf
        self._sessions = sessions
        self._minimum = minimum_assurance
        # For the command that ends a lockdown, and no other.
        self._shut_too = shut_too
        self._failures = Failures(stores)

    def sign_in(
        self,
        login: str,
        passphrase: str,
        code: str | None = None,
        request: str | None = None,
        device: str | None = None,
        label: str = "",
    ) -> SignedIn:
        """Open the person's envelope and begin a session; the entry comes first.

        Without a code the session has no second factor, and no keys where one is asked for.
        `device` is what an earlier sign-in gave to this device: it has its own allowance; `label`
        is what its person calls it.

        :raises Unauthenticated: login, passphrase or code are wrong.
        :raises Refused: the account is suspended.
        :raises Locked: the vault is locked down.
        :raises Busy: too many sign in at this moment, or too many tried this login today.
        """
        stores = self._stores
        with stores.keyring.reading() as tx:
            member = people.staff_by_login(tx, login)
            envelope = None if member is None else people.envelope_of(tx, member.id)
            known = None if member is None else guesses.of_device(tx, member.id, device)
        attempt = _Attempt(
            login,
            None if member is None else member.id,
            request,
            known or guesses.of_login(stores, login),
            is_known=known is not None,
        )
        with self._kdf.queued(reserved=attempt.is_known):
            self._take(attempt)
            staff, secret = self._unlocked(attempt, envelope, passphrase)
            renewed = self._renewed(staff, secret, envelope, passphrase)
        return self._begin(attempt, Owner.of(staff, secret), secret, code, renewed, label)

    def _unlocked(
        self, attempt: _Attempt, envelope: Envelope | None, passphrase: str
    ) -> tuple[UUID, PrincipalSecret]:
        stores = self._stores
        if attempt.staff is None or envelope is None:
            self._kdf.waste(passphrase, stores.roots.pepper())
            raise self._failed(attempt)
        pepper = stores.roots.pepper(envelope.pepper_version)
        try:
            return attempt.staff, self._kdf.open(
                stores.organisation, attempt.staff, envelope, passphrase, pepper
            )
        except Tampered:
            raise self._failed(attempt) from None

    def _renewed(
        self, staff: UUID, secret: PrincipalSecret, envelope: Envelope | None, passphrase: str
    ) -> tuple[Envelope, Envelope] | None:
        """Return the envelope with the one to replace it by, if it is not as it would be made now.

        Only here is the passphrase at hand: a new pepper, and other parameters, reach each person
        at their next sign-in.
        """
        stores, pepper = self._stores, self._stores.roots.pepper()
        if envelope is None or not self._kdf.is_outdated(envelope, pepper):
            return None
        fresh = self._kdf.close(stores.organisation, staff, secret, passphrase, pepper)
        return envelope, fresh

    def _take(self, attempt: _Attempt) -> None:
        """Count a guess before it is evaluated; the first one too many is on the ledger."""
        count = guesses.take(self._stores, attempt.allowance)
        if count > guesses.PER_DAY:
            if count == guesses.PER_DAY + 1:
                actor = ledger.Actor(staff=attempt.staff, request=attempt.request)
                self._stores.ledger.record(
                    Act("auth.limited", actor, rule="deny:limit", outcome=ledger.REFUSED)
                )
            raise guesses.too_many()

    def authenticate(self, text: str | None, request: str | None = None) -> Caller:
        """Return the person behind a token with the keys they hold, else `Unauthenticated`."""
        token, stores = self._sessions.parse(text), self._stores

        def known(tx: KeyringTransaction) -> tuple[Session, list[Scope]]:
            session = self._sessions.find(tx, token)
            return session, stores.trust.scopes(tx, session.staff)

        seen = partial(glimpse.of_session, stores.keyring, token.sid_digest)
        session, scopes = glimpse.answered(stores.keyring, seen, known)
        opened, now = self._sessions.unseal(token, session), self._stores.now()
        if now - session.seen_at >= TOUCH_SECONDS:
            self._touch(token, now)
        return self._caller(session, opened.secret, scopes, request)

    def sign_out(self, caller: Caller, text: str | None) -> None:
        """End the session at once on every worker, then record it."""
        token = self._sessions.parse(text)
        act = Act(
            "auth.logout",
            caller.on_ledger,
            rule="permit:signed-in",
            touched=(Touched("session", caller.session),),
        )
        intents.taking(self._stores, act, lambda tx: people.end_session(tx, token))

    def step_up(self, caller: Caller, text: str | None, passphrase: str) -> int:
        """Take the passphrase once more; return until when acts that ask for it are open."""
        token, stores = self._sessions.parse(text), self._stores
        with stores.keyring.reading() as tx:
            envelope = people.envelope_of(tx, caller.staff)
        act = Act("auth.step_up", caller.on_ledger, rule="permit:envelope")
        allowance = guesses.of_staff(stores, caller.staff)
        try:
            if envelope is None:
                raise Tampered(code="envelope")
            pepper = stores.roots.pepper(envelope.pepper_version)
            with self._kdf.queued(reserved=True):
                if guesses.take(stores, allowance) > guesses.PER_DAY:
                    raise guesses.too_many()
                self._kdf.open(stores.organisation, caller.staff, envelope, passphrase, pepper)
        except Tampered:
            failed = replace(act, code="auth.step_up_failed", rule="deny:credentials")
            stores.ledger.record(replace(failed, outcome=ledger.REFUSED))
            raise Refused("This is not your passphrase.", code="step-up.credentials") from None
        now = stores.now()
        with stores.ledger.giving(act), stores.keyring.writing() as tx:
            guesses.give_back(tx, allowance, now)
            people.confirm_session(tx, token, now)
        return now + FRESH_SECONDS

    def refresh_feed(self, text: str | None, request: str | None) -> None:
        """Do for a session that was just given its second factor what signing in does."""
        opened = self._sessions.open(text)
        self._render_feed(opened.session, opened.secret, request)

    def _begin(
        self,
        attempt: _Attempt,
        owner: Owner,
        secret: PrincipalSecret,
        code: str | None,
        renewed: tuple[Envelope, Envelope] | None,
        label: str,
    ) -> SignedIn:
        stores, now = self._stores, self._stores.now()
        with stores.keyring.reading() as tx:
            second_factor = factors.is_on(tx, owner.staff)
            right = code is None or factors.is_right(tx, owner, code, now)
        if not right:
            raise self._failed(attempt, "deny:code")
        token = Token.new(self._sessions.host_tag)
        assurance = PASSPHRASE if code is None else SECOND_FACTOR
        assured = is_assured(assurance, self._minimum)
        session = Session(new_id(), owner.staff, now, now, now, assurance, b"", label)
        actor = ledger.Actor(
            staff=owner.staff, session=session.id, assurance=assurance, request=attempt.request
        )
        act, device = Act("auth.login", actor, rule="permit:envelope"), None
        self._check_open(act)
        with stores.ledger.giving(act), stores.keyring.writing() as tx:
            # Whoever shuts them out at this moment waits, and then finds this session to end.
            people.alone(tx, owner.staff)
            # Of two at once with one code, the second finds it used here.
            if code is not None and not factors.accept(tx, owner, code, now):
                raise _wrong_code()
            present = people.envelope_of(tx, owner.staff)
            if present is None:
                # They left while their passphrase was being checked.
                raise Unauthenticated(code="session.over")
            if renewed is not None and present == renewed[0]:
                people.put_envelope(tx, owner.staff, renewed[1])
            if self._shut_out(tx, owner.staff) is not None:
                raise Unauthenticated(code="session.over")
            guesses.give_back(tx, attempt.allowance, now)
            if assured and not attempt.is_known:
                device = guesses.add_device(tx, owner.staff, now)
            people.drop_oldest_sessions(tx, owner.staff, keep=_MAX_SESSIONS - 1)
            people.add_session(tx, token, self._sessions.boot_secret, session, secret)
        if assured:
            self._render_feed(session, secret, attempt.request)
        expires = now + self._sessions.limits.absolute
        return SignedIn(token.text(), owner.staff, expires, assurance, second_factor, device)

    def _check_open(self, act: Act) -> None:
        """Refuse, and record it, while the vault is locked down or the person is suspended."""
        staff = act.actor.staff
        assert staff is not None  # noqa: S101 - whoever has just opened their envelope
        with self._stores.keyring.reading() as tx:
            why = self._shut_out(tx, staff)
        if why is not None:
            rule = "deny:" + _SHUT_OUT.get(why.code, "suspended")
            failed = replace(act, code="auth.login_failed", rule=rule)
            self._stores.ledger.record(replace(failed, outcome=ledger.REFUSED))
            raise why

    def _shut_out(self, tx: KeyringTransaction, staff: UUID) -> CaseVaultError | None:
        if lockdowns.is_shut(tx) and not self._shut_too:
            return lockdowns.locked()
        if clock_guard.judged(tx, self._stores.now()) is Judged.WRONG:
            return clock_guard.wrong()
        member = people.staff_by_id(tx, staff)
        if member is None or not member.suspended:
            return None
        return Refused(
            "This account is suspended.",
            code="staff.suspended",
            hint="An administrator can say why, and end it.",
        )

    def _caller(
        self,
        session: Session,
        secret: PrincipalSecret,
        scopes: Sequence[Scope],
        request: str | None,
    ) -> Caller:
        staff_scopes = [scope for scope in scopes if scope.kind == "staff"]
        age = self._stores.now() - session.confirmed_at
        actor = Actor(
            staff_id=StaffId(session.staff),
            roles=frozenset(Role(role) for scope in staff_scopes for role in scope.roles),
            teams=frozenset(TeamId(s.team) for s in staff_scopes if s.team is not None),
            assurance=session.assurance,
            fresh=-TOUCH_SECONDS <= age <= FRESH_SECONDS,
        )
        # A passphrase alone gives no key: not the answer of the gate, but nothing to open with.
        enough = is_assured(session.assurance, self._minimum)
        holder = KeyHolder(session.staff, secret if enough else None, self._stores.trust)
        return Caller(actor, holder, session.id, request)

    def _render_feed(self, session: Session, secret: PrincipalSecret, request: str | None) -> None:
        """Bring the person's calendar feed up to date, if they have one: only they hold its key."""
        stores = self._stores

        def caller() -> Caller:
            with stores.keyring.reading() as tx:
                scopes = stores.trust.scopes(tx, session.staff)
            return self._caller(session, secret, scopes, request)

        feeds.refresh(stores, session.staff, caller)

    def _failed(self, attempt: _Attempt, rule: str = "deny:credentials") -> Unauthenticated:
        about = people.fold_login(attempt.login)
        self._failures.record("auth.login_failed", rule, about, attempt.staff, attempt.request)
        if rule == "deny:code":
            return _wrong_code()
        return Unauthenticated(
            "Login or passphrase is wrong.",
            code="credentials",
            hint="Check the spelling of both. After a lost passphrase, ask your supervisor.",
        )

    def _touch(self, token: Token, now: int) -> None:
        try:
            with self._stores.keyring.writing() as tx:
                people.touch_session(tx, token, now)
        except (Conflict, Busy):
            # It ended a moment ago, or the keyring is busy: the next request notes it.
            return


def _wrong_code() -> Unauthenticated:
    return Unauthenticated(
        "This code is not valid (any more).",
        code="second-factor.code",
        hint="Wait for the next code of your authenticator, or use one from your paper.",
    )
