"""What people see and do about their own sessions and their own passphrase.

A changed passphrase re-seals one envelope: no key changes, and every other session ends. Must
never show or end a session of anybody else.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from uuid import UUID

from casevault.crypto.credentials import PassphraseKdf, check_strength
from casevault.errors import NotFound, Refused, Tampered
from casevault.store.context import intents
from casevault.store.context.caller import Caller
from casevault.store.context.stores import Stores
from casevault.store.engine.keyring import KeyringTransaction
from casevault.store.keys import people
from casevault.store.log.ledger import REFUSED, Act, Touched
from casevault.store.staff import guesses
from casevault.store.staff.open_sessions import OpenSessions


@dataclass(frozen=True, slots=True)
class Begun:
    """One session of one's own; times in Unix seconds."""

    id: UUID
    device: str = field(repr=False)
    created_at: int
    seen_at: int
    assurance: str
    current: bool


class OwnSessions:
    """The use cases of one's own sessions and passphrase."""

    def __init__(self, stores: Stores, kdf: PassphraseKdf, sessions: OpenSessions) -> None:
        self._stores = stores
        self._kdf = kdf
        self._sessions = sessions

    def list_(self, caller: Caller) -> list[Begun]:
        """Return the caller's sessions that still go on, the newest first."""
        stores = self._stores
        with stores.keyring.reading() as tx:
            found = people.sessions_of(tx, caller.staff)
        going_on = [
            Begun(
                one.id,
                one.device,
                one.created_at,
                one.seen_at,
                one.assurance,
                current=one.id == caller.session,
            )
            for one in found
            if not self._sessions.is_over(one)
        ]
        act = Act("auth.sessions", caller.on_ledger, rule="permit:own", count=len(going_on))
        stores.ledger.record(act)
        return going_on

    def end(self, caller: Caller, session: UUID) -> None:
        """End one session of the caller's, on every worker at once."""
        act = Act(
            "auth.end", caller.on_ledger, rule="permit:own", touched=(Touched("session", session),)
        )
        with self._stores.keyring.reading() as tx:
            mine = {one.id for one in people.sessions_of(tx, caller.staff)}
        if session not in mine:
            self._stores.ledger.record(
                Act("auth.end", caller.on_ledger, rule="refused:unknown", outcome=REFUSED)
            )
            raise NotFound()

        def end(tx: KeyringTransaction) -> None:
            people.end_session_with(tx, caller.staff, session)

        intents.taking(self._stores, act, end)

    def end_all(self, caller: Caller) -> None:
        """End every session of the caller, this one too."""
        touched = (Touched("staff", caller.staff),)
        act = Act("auth.end", caller.on_ledger, rule="permit:own", touched=touched)
        intents.taking(self._stores, act, lambda tx: people.end_sessions(tx, caller.staff))

    def change_passphrase(self, caller: Caller, text: str | None, present: str, new: str) -> None:
        """Seal the caller's secret under another passphrase; every other session ends.

        :raises KeyUnavailable: the session has no second factor where one is asked for.
        :raises Refused: `present` is not the passphrase.
        """
        token, stores, secret = self._sessions.parse(text), self._stores, caller.keys.secret
        check_strength(new, "/new_passphrase")
        touched = (Touched("staff", caller.staff),)
        with self._kdf.queued(reserved=True):
            self._check(caller, present, touched)
            envelope = self._kdf.close(
                stores.organisation, caller.staff, secret, new, stores.roots.pepper()
            )
        act = Act("auth.passphrase", caller.on_ledger, rule="permit:envelope", touched=touched)
        with stores.ledger.giving(act), stores.keyring.writing() as tx:
            people.put_envelope(tx, caller.staff, envelope)
            people.end_other_sessions(tx, caller.staff, token)
            guesses.give_back(tx, guesses.of_staff(stores, caller.staff), stores.now())

    def _check(self, caller: Caller, present: str, touched: tuple[Touched, ...]) -> None:
        stores = self._stores
        if guesses.take(stores, guesses.of_staff(stores, caller.staff)) > guesses.PER_DAY:
            raise guesses.too_many()
        with stores.keyring.reading() as tx:
            envelope = people.envelope_of(tx, caller.staff)
        try:
            if envelope is None:
                raise Tampered(code="envelope")
            pepper = stores.roots.pepper(envelope.pepper_version)
            self._kdf.open(stores.organisation, caller.staff, envelope, present, pepper)
        except Tampered:
            failed = Act(
                "auth.passphrase_failed",
                caller.on_ledger,
                rule="deny:credentials",
                outcome=REFUSED,
                touched=touched,
            )
            stores.ledger.record(failed)
            raise Refused("This is not your passphrase.", code="step-up.credentials") from None
