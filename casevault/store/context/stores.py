"""Everything a use case works with, put together once per process by `bootstrap`."""

from __future__ import annotations

from dataclasses import dataclass, field
from uuid import UUID

from casevault.clock import Clock, unix_seconds
from casevault.crypto.roots import RootProvider
from casevault.domain.case.dictionary import Dictionary
from casevault.store.context.counting_options import CountingOptions
from casevault.store.context.search_options import SearchOptions
from casevault.store.engine.database import Database
from casevault.store.engine.keyring import Keyring
from casevault.store.keys.trust import Trust
from casevault.store.log.ledger import Ledger
from casevault.store.log.months import Months


@dataclass(frozen=True, slots=True)
class Stores:
    """The two stores, the ledger, what they stand on, and what this programme may write."""

    organisation: UUID
    data: Database
    keyring: Keyring
    ledger: Ledger
    months: Months
    trust: Trust
    roots: RootProvider
    clock: Clock
    dictionary: Dictionary = field(default_factory=Dictionary)
    search: SearchOptions = field(default_factory=SearchOptions)
    counting: CountingOptions = field(default_factory=CountingOptions)

    def now(self) -> int:
        """Return the present moment in Unix seconds."""
        return unix_seconds(self.clock.now())

    def close(self) -> None:
        """End the ledger's writer and close all connections."""
        self.ledger.close()
        self.data.close()
        self.keyring.database.close()
