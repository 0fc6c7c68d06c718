"""From a token to the session behind it and the person's secret: what every request begins with.

Decides when a session is over. Must never say more about a token that opens nothing than that.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from casevault.crypto import tokens
from casevault.crypto.principals import PrincipalSecret
from casevault.crypto.tokens import Token
from casevault.errors import Tampered, Unauthenticated
from casevault.store.context.stores import Stores
from casevault.store.engine.keyring import KeyringTransaction
from casevault.store.keys import people
from casevault.store.keys.people import Session

TOUCH_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Limits:
    """How long a session lives, in seconds: unused, and at all."""

    idle: int
    absolute: int


@dataclass(frozen=True, slots=True)
class OpenSession:
    """A session that goes on, its token, and its person's secret."""

    token: Token = field(repr=False)
    session: Session
    secret: PrincipalSecret = field(repr=False)


class OpenSessions:
    """Sessions of one host: they die with its boot secret."""

    def __init__(self, stores: Stores, limits: Limits, boot_secret: bytes) -> None:
        self._stores = stores
        self.limits = limits
        self.boot_secret = boot_secret
        self.host_tag = tokens.host_tag_of(boot_secret)

    def parse(self, text: str | None) -> Token:
        """Read a token of this host, else `Unauthenticated`."""
        token = None if text is None else Token.parse(text)
        if token is None:
            raise Unauthenticated(code="session.missing")
        if token.host_tag != self.host_tag:
            raise Unauthenticated(
                "This session belongs to another host, or the service was restarted since."
                " Sign in again.",
                code="session-elsewhere",
            )
        return token

    def find(self, tx: KeyringTransaction, token: Token) -> Session:
        """Return the session of a token, else `Unauthenticated`."""
        session = people.session_of(tx, token)
        if session is None or self.is_over(session):
            raise Unauthenticated("Your session has ended. Sign in again.", code="session.over")
        return session

    def unseal(self, token: Token, session: Session) -> OpenSession:
        """Open the person's secret, else `Unauthenticated`."""
        try:
            secret = people.open_session(
                self._stores.organisation, token, self.boot_secret, session
            )
        except Tampered:
            raise Unauthenticated("Sign in again.", code="session.invalid") from None
        return OpenSession(token, session, secret)

    def open(self, text: str | None) -> OpenSession:
        """Return what a token opens, else `Unauthenticated`."""
        token = self.parse(text)
        with self._stores.keyring.reading() as tx:
            session = self.find(tx, token)
        return self.unseal(token, session)

    def is_over(self, session: Session) -> bool:
        """Say whether a session was unused, or there at all, for too long."""
        now = self._stores.now()
        return (
            now - session.seen_at > self.limits.idle
            or now - session.created_at > self.limits.absolute
            or now < session.created_at - TOUCH_SECONDS
        )
