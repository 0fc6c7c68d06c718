"""Everything a use case works with, put together once per process by `bootstrap`."""

from __future__ import annotations

from dataclasses import dataclass, field
from uuid import UUID

from casevault.clock import Clock, unix_seconds
from casevault.crypto.roots import RootProvider
from casevault.domain.dictionary import Dictionary
from casevault.store.counting_options import CountingOptions
from casevault.store.database import Database
from casevault.store.keyring import Keyring
from casevault.store.ledger import Ledger
from casevault.store.months import Months
from casevault.store.search_options import SearchOptions
from casevault.store.trust import Trust


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
