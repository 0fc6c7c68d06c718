"""A calendar feed of one's own follow-ups: made, ended, and read by whoever has its address.

Off until somebody makes one. The address is shown once. Wrong, old and ended ones give the same
answer; each reading is on the ledger, with whose feed it was.
"""

from __future__ import annotations

from casevault.domain.staff.access import Permission, Subject
from casevault.errors import NotFound, Tampered
from casevault.store.casework import feeds
from casevault.store.casework.feeds import FeedToken
from casevault.store.context.caller import Caller, Gate
from casevault.store.context.stores import Stores
from casevault.store.log import ledger
from casevault.store.log.ledger import Act, Touched
from casevault.store.staff.failures import Failures

_OPEN = "feed.open"


class Feeds:
    """The use cases of feeds."""

    def __init__(self, stores: Stores, gate: Gate) -> None:
        self._stores = stores
        self._gate = gate
        self._failures = Failures(stores)

    def make(self, caller: Caller) -> str:
        """Make the caller's feed and return its token, which nobody can show again."""
        self._gate.require(caller, Permission.FEED_WRITE, Subject("feed"))
        return feeds.make(self._stores, caller).text()

    def end(self, caller: Caller) -> None:
        """Erase the caller's feed; its token opens nothing more, not even in old backups."""
        self._gate.require(caller, Permission.FEED_WRITE, Subject("feed"))
        feeds.end(self._stores, caller)

    def open(self, token: str, request: str | None = None) -> str:
        """Return the calendar that a token opens."""
        parsed = FeedToken.parse(token)
        try:
            if parsed is None:
                raise NotFound()
            text, owner = feeds.open_(self._stores, parsed)
        except NotFound:
            # Anybody can send any address, as often as they like.
            self._failures.record(_OPEN, "deny:token", token, None, request)
            raise
        except Tampered:
            self._record_tampering(parsed, request)
            raise
        touched = (Touched("feed", parsed.id), Touched("staff", owner))
        actor = ledger.Actor(request=request)
        self._stores.ledger.record(Act(_OPEN, actor, rule="permit:token", touched=touched))
        return text

    def _record_tampering(self, token: FeedToken | None, request: str | None) -> None:
        self._stores.ledger.record(
            Act(
                _OPEN,
                ledger.Actor(request=request),
                rule="failed:tampered",
                outcome=ledger.FAILED,
                touched=() if token is None else (Touched("feed", token.id),),
            )
        )
