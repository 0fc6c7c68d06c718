"""A person's second factor: set up, confirmed, given, replaced, printed.

Each act opens the session's own seed to check a code, because nothing else can. Whoever has only
the passphrase sets up a first factor, and can replace none: that takes a code of the one before.
Must never return a printed code twice, nor say more about a wrong code than that.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import NoReturn

from casevault.crypto import totp
from casevault.domain.staff.access import SECOND_FACTOR
from casevault.errors import Conflict, NotFound, Refused
from casevault.store.context.caller import Caller
from casevault.store.context.stores import Stores
from casevault.store.engine.keyring import KeyringTransaction
from casevault.store.keys import factors, people
from casevault.store.keys.factors import Owner
from casevault.store.log import ledger
from casevault.store.log.ledger import Act, Touched
from casevault.store.staff import guesses
from casevault.store.staff.open_sessions import OpenSession, OpenSessions

# Shown on the phone: it names neither the organisation nor its work.
ISSUER = "CaseVault"


@dataclass(frozen=True, slots=True)
class Proposal:
    """What an authenticator needs; shown once, and without effect until a code confirms it."""

    secret: str = field(repr=False)
    uri: str = field(repr=False)


class SecondFactors:
    """The second factors of the people who are signed in."""

    def __init__(self, stores: Stores, sessions: OpenSessions) -> None:
        self._stores = stores
        self._sessions = sessions

    def propose(self, caller: Caller, token: str | None, code: str | None) -> Proposal:
        """Make a new authenticator secret. Where a factor is on, `code` is one of its codes."""
        opened, secret = self._sessions.open(token), totp.new_secret()
        owner = _owner(opened)
        with self._stores.keyring.reading() as tx:
            member = people.staff_by_id(tx, caller.staff)
            replaces = factors.is_on(tx, caller.staff)
        if member is None:
            raise NotFound()
        if replaces and (code is None or opened.session.assurance != SECOND_FACTOR):
            self._refuse(caller, "auth.factor_propose")

        def write(tx: KeyringTransaction) -> None:
            factors.propose(tx, owner, secret)

        self._with_code(caller, "auth.factor_propose", owner, code if replaces else None, write)
        return Proposal(totp.base32(secret), totp.uri(secret, member.login, ISSUER))

    def confirm(self, caller: Caller, token: str | None, code: str) -> tuple[str, ...]:
        """Switch the proposed factor on with its first code; return ten printed codes.

        This session now has its second factor; the person's other sessions end.
        """
        opened, stores = self._sessions.open(token), self._stores
        owner, now = _owner(opened), stores.now()
        with stores.keyring.reading() as tx:
            state = factors.proposal_state(tx, owner, code, now)
        if state is None:
            raise Conflict(
                "There is no second factor to confirm. Set one up first.",
                code="second-factor.none",
            )
        if not state:
            self._refuse(caller, "auth.factor")
        act = self._act(caller, "auth.factor")
        with stores.ledger.giving(act), stores.keyring.writing() as tx:
            if not factors.confirm(tx, owner, code, now):
                raise _wrong()
            codes = factors.print_codes(tx, owner)
            people.end_other_sessions(tx, caller.staff, opened.token)
            people.raise_session(tx, opened.token, SECOND_FACTOR)
        return codes

    def give(self, caller: Caller, token: str | None, code: str) -> None:
        """Give this session the second factor that it was begun without."""
        opened = self._sessions.open(token)

        def write(tx: KeyringTransaction) -> None:
            people.raise_session(tx, opened.token, SECOND_FACTOR)

        self._with_code(caller, "auth.factor_give", _owner(opened), code, write)

    def print_codes(self, caller: Caller, token: str | None, code: str) -> tuple[str, ...]:
        """Return ten new printed codes in exchange for a code; the earlier ones are void."""
        opened = self._sessions.open(token)
        printed: list[str] = []
        owner = _owner(opened)

        def write(tx: KeyringTransaction) -> None:
            printed.extend(factors.print_codes(tx, owner))

        self._with_code(caller, "auth.factor_print", owner, code, write)
        return tuple(printed)

    def _with_code(
        self,
        caller: Caller,
        name: str,
        owner: Owner,
        code: str | None,
        write: Callable[[KeyringTransaction], None],
    ) -> None:
        """Use a code up, if one is needed, and write in the same transaction; record first."""
        stores = self._stores
        now = stores.now()
        if code is not None:
            self._take(owner)
            with stores.keyring.reading() as tx:
                right = factors.is_right(tx, owner, code, now)
            if not right:
                self._refuse(caller, name)
        with stores.ledger.giving(self._act(caller, name)), stores.keyring.writing() as tx:
            # Of two at once with one code, the second finds it used here.
            if code is not None:
                if not factors.accept(tx, owner, code, now):
                    raise _wrong()
                guesses.give_back(tx, guesses.of_staff(stores, owner.staff), now)
            write(tx)

    def _take(self, owner: Owner) -> None:
        """Count a guess before it is evaluated."""
        stores = self._stores
        if guesses.take(stores, guesses.of_staff(stores, owner.staff)) > guesses.PER_DAY:
            raise guesses.too_many()

    def _refuse(self, caller: Caller, name: str) -> NoReturn:
        failed = replace(self._act(caller, name + "_failed"), rule="deny:code")
        self._stores.ledger.record(replace(failed, outcome=ledger.REFUSED))
        raise _wrong()

    @staticmethod
    def _act(caller: Caller, name: str) -> Act:
        touched = (Touched("staff", caller.staff),)
        return Act(name, caller.on_ledger, rule="permit:code", touched=touched)


def _owner(opened: OpenSession) -> Owner:
    return Owner.of(opened.session.staff, opened.secret)


def _wrong() -> Refused:
    return Refused(
        "This code is not valid (any more).",
        code="second-factor.code",
        hint="Wait for the next code of your authenticator, or use one from your paper.",
    )
