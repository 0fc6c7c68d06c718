"""What a timer has done about letters to other vaults. Opens no content."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from casevault import bootstrap
from casevault.cli.operating import At, Result, Verb


@dataclass(frozen=True, slots=True)
class RunWish:
    """A round is told nothing."""


def _run(at: At, _wish: RunWish) -> Result:
    return asdict(bootstrap.exchange(at.settings, at.stores).run())


RUN = Verb("exchange.run", RunWish, _run)
