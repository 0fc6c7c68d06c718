"""Whether this process can serve: booleans only, nothing about anybody."""

from __future__ import annotations

from dataclasses import dataclass

from casevault.errors import CaseVaultError
from casevault.store.context.stores import Stores
from casevault.store.engine import schema
from casevault.store.log import tree

MAX_PENDING_SECONDS = 10


@dataclass(frozen=True, slots=True)
class Ready:
    """The four things a request needs."""

    database: bool
    migrations: bool
    keyring: bool
    ledger: bool

    @property
    def all(self) -> bool:
        """Whether requests should come here."""
        return self.database and self.migrations and self.keyring and self.ledger


class Readiness:
    """Asks the stores."""

    def __init__(self, stores: Stores) -> None:
        self._stores = stores

    def check(self) -> Ready:
        """Return what works at this moment."""
        return Ready(
            database=self._data_answers(),
            migrations=self._at_head(),
            keyring=self._keyring_answers(),
            ledger=self._ledger_flows(),
        )

    def _data_answers(self) -> bool:
        try:
            with self._stores.data.reading() as connection:
                tree.head(connection)
        except CaseVaultError:
            return False
        return True

    def _at_head(self) -> bool:
        try:
            return schema.at_head(self._stores.data, "data") and schema.at_head(
                self._stores.keyring.database, "keyring"
            )
        except CaseVaultError:
            return False

    def _keyring_answers(self) -> bool:
        try:
            with self._stores.keyring.reading() as tx:
                self._stores.trust.check_root(tx)
        except CaseVaultError:
            return False
        return True

    def _ledger_flows(self) -> bool:
        try:
            with self._stores.data.reading() as connection:
                oldest = tree.oldest_pending(connection)
        except CaseVaultError:
            return False
        return oldest is None or self._stores.now() - oldest <= MAX_PENDING_SECONDS
