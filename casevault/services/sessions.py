"""Signing in and out, and turning a token back into a person with their keys.

Opening the envelope is the verification. Must never say whether the login or the passphrase was
wrong, and spends the same work on logins that do not exist.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from uuid import UUID

from casevault.crypto import tokens
from casevault.crypto.credentials import PassphraseKdf
from casevault.crypto.principals import PrincipalSecret
from casevault.crypto.tokens import Token
from casevault.domain.access import Actor, Role
from casevault.domain.vouching import Scope
from casevault.errors import Busy, Conflict, Refused, Tampered, Unauthenticated
from casevault.ids import StaffId, TeamId, new_id
from casevault.store import feeds, intents, ledger, people
from casevault.store.caller import Caller
from casevault.store.keyholder import KeyHolder
from casevault.store.ledger import Act, Touched
from casevault.store.people import Session
from casevault.store.stores import Stores

PASSPHRASE = "passphrase"  # noqa: S105 - the name of an assurance level
_TOUCH_SECONDS = 60
# How long a person counts as freshly confirmed after their passphrase.
FRESH_SECONDS = 300
_MAX_SESSIONS = 10


@dataclass(frozen=True, slots=True)
class Limits:
    """How long a session lives, in seconds: unused, and at all."""

    idle: int
    absolute: int


@dataclass(frozen=True, slots=True)
class SignedIn:
    """What a person gets for their passphrase."""

    token: str = field(repr=False)
    staff: UUID
    expires_at: int


class Sessions:
    """Sessions of one host: they die with its boot secret."""

    def __init__(
        self, stores: Stores, kdf: PassphraseKdf, limits: Limits, boot_secret: bytes
    ) -> None:
        self._stores = stores
        self._kdf = kdf
        self._limits = limits
        self._boot_secret = boot_secret
        self._host_tag = tokens.host_tag_of(boot_secret)

    def sign_in(self, login: str, passphrase: str, request: str | None = None) -> SignedIn:
        """Open the person's envelope and begin a session; the entry comes first."""
        stores = self._stores
        with stores.keyring.reading() as tx:
            member = people.staff_by_login(tx, login)
            envelope = None if member is None else people.envelope_of(tx, member.id)
        if member is None or envelope is None:
            self._kdf.waste(passphrase, stores.roots.pepper())
            raise self._failed(None if member is None else member.id, request)
        pepper = stores.roots.pepper(envelope.pepper_version)
        try:
            secret = self._kdf.open(stores.organisation, member.id, envelope, passphrase, pepper)
        except Tampered:
            raise self._failed(member.id, request) from None
        return self._begin(member.id, secret, request)

    def authenticate(self, text: str | None, request: str | None = None) -> Caller:
        """Return the person behind a token with the keys they hold, else `Unauthenticated`."""
        token = self._parse(text)
        now = self._stores.now()
        with self._stores.keyring.reading() as tx:
            session = people.session_of(tx, token)
            if session is None or self._is_over(session, now):
                raise Unauthenticated("Your session has ended. Sign in again.", code="session.over")
            scopes = self._stores.trust.scopes(tx, session.staff)
        try:
            secret = people.open_session(
                self._stores.organisation, token, self._boot_secret, session
            )
        except Tampered:
            raise Unauthenticated("Sign in again.", code="session.invalid") from None
        if now - session.seen_at >= _TOUCH_SECONDS:
            self._touch(token, now)
        return self._caller(session, secret, scopes, request)

    def sign_out(self, caller: Caller, text: str | None) -> None:
        """End the session at once on every worker, then record it."""
        token = self._parse(text)
        act = Act(
            "auth.logout",
            caller.on_ledger,
            rule="permit:signed-in",
            touched=(Touched("session", caller.session),),
        )
        intents.taking(self._stores, act, lambda tx: people.end_session(tx, token))

    def step_up(self, caller: Caller, text: str | None, passphrase: str) -> int:
        """Take the passphrase once more; return until when acts that ask for it are open."""
        token, stores = self._parse(text), self._stores
        with stores.keyring.reading() as tx:
            envelope = people.envelope_of(tx, caller.staff)
        act = Act("auth.step_up", caller.on_ledger, rule="permit:envelope")
        try:
            if envelope is None:
                raise Tampered(code="envelope")
            pepper = stores.roots.pepper(envelope.pepper_version)
            self._kdf.open(stores.organisation, caller.staff, envelope, passphrase, pepper)
        except Tampered:
            failed = replace(act, code="auth.step_up_failed", rule="deny:credentials")
            stores.ledger.record(replace(failed, outcome=ledger.REFUSED))
            raise Refused("This is not your passphrase.", code="step-up.credentials") from None
        now = stores.now()
        with stores.ledger.giving(act), stores.keyring.writing() as tx:
            people.confirm_session(tx, token, now)
        return now + FRESH_SECONDS

    def _begin(self, staff: UUID, secret: PrincipalSecret, request: str | None) -> SignedIn:
        now, token = self._stores.now(), Token.new(self._host_tag)
        session = Session(new_id(), staff, now, now, now, PASSPHRASE, b"")
        actor = ledger.Actor(
            staff=staff, session=session.id, assurance=session.assurance, request=request
        )
        act = Act("auth.login", actor, rule="permit:envelope")
        with self._stores.ledger.giving(act), self._stores.keyring.writing() as tx:
            people.drop_oldest_sessions(tx, staff, keep=_MAX_SESSIONS - 1)
            people.add_session(tx, token, self._boot_secret, session, secret)
        self._render_feed(session, secret, request)
        return SignedIn(token.text(), staff, now + self._limits.absolute)

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
            fresh=-_TOUCH_SECONDS <= age <= FRESH_SECONDS,
        )
        holder = KeyHolder(session.staff, secret, self._stores.trust)
        return Caller(actor, holder, session.id, request)

    def _render_feed(self, session: Session, secret: PrincipalSecret, request: str | None) -> None:
        """Bring the person's calendar feed up to date, if they have one: only they hold its key."""
        stores = self._stores

        def caller() -> Caller:
            with stores.keyring.reading() as tx:
                scopes = stores.trust.scopes(tx, session.staff)
            return self._caller(session, secret, scopes, request)

        feeds.refresh(stores, session.staff, caller)

    def _failed(self, staff: UUID | None, request: str | None) -> Unauthenticated:
        actor = ledger.Actor(staff=staff, request=request)
        self._stores.ledger.record(
            Act("auth.login_failed", actor, rule="deny:credentials", outcome=ledger.REFUSED)
        )
        return Unauthenticated(
            "Login or passphrase is wrong.",
            code="credentials",
            hint="Check the spelling of both. After a lost passphrase, ask your supervisor.",
        )

    def _parse(self, text: str | None) -> Token:
        token = None if text is None else Token.parse(text)
        if token is None:
            raise Unauthenticated(code="session.missing")
        if token.host_tag != self._host_tag:
            raise Unauthenticated(
                "This session belongs to another host, or the service was restarted since."
                " Sign in again.",
                code="session-elsewhere",
            )
        return token

    def _is_over(self, session: Session, now: int) -> bool:
        return (
            now - session.seen_at > self._limits.idle
            or now - session.created_at > self._limits.absolute
            or now < session.created_at - _TOUCH_SECONDS
        )

    def _touch(self, token: Token, now: int) -> None:
        try:
            with self._stores.keyring.writing() as tx:
                people.touch_session(tx, token, now)
        except (Conflict, Busy):
            # It ended a moment ago, or the keyring is busy: the next request notes it.
            return
