"""What a timer has done about letters to other vaults. Opens no content."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from casevault.cli.operating import At, Result, Verb
from casevault.services.sharing.exchange import Exchange
from casevault.store.context.caller import Gate


@dataclass(frozen=True, slots=True)
class RunWish:
    """A round is told nothing."""


def _run(at: At, _wish: RunWish) -> Result:
    # A timer asks no gate: it acts as the service, and opens no letter.
    gate = Gate(at.stores, at.settings.minimum_assurance)
    return asdict(Exchange.of(at.stores, gate, at.settings).run())


RUN = Verb("exchange.run", RunWish, _run)
