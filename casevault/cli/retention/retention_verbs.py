"""What operators have done to what is due: looked ahead, erased, certificates written out."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import date

from casevault import bootstrap
from casevault.cli.operating import At, Result, Verb
from casevault.errors import Invalid
from casevault.services.retention.retention import Retention
from casevault.store.retention import certifying
from casevault.store.retention.counting_due import Preview

_SAY_EVERY = 1000


@dataclass(frozen=True, slots=True)
class DayWish:
    """On which day (``2026-11-30``); today if it is empty."""

    day: str = ""


@dataclass(frozen=True, slots=True)
class Nothing:
    """A verb that is told nothing."""


def described(found: Preview) -> Result:
    """Return what a run would do, as JSON holds it."""
    rows = [
        {"class": name, "compartment": part, "count": count}
        for (name, part), count in sorted(found.due.items())
    ]
    return {
        "day": found.day.isoformat(),
        "cases": found.cases,
        "due": rows,
        "held": found.held,
        "restricted": found.restricted,
        "unreadable": found.unreadable,
    }


def _retention(at: At) -> Retention:
    sign = bootstrap.checkpoints(at.settings, at.stores).sign
    return Retention(at.stores, at.settings.ledger_origin, sign)


def _preview(at: At, wish: DayWish) -> Result:
    return described(_retention(at).preview(_day(wish.day)))


def _run(at: At, wish: DayWish) -> Result:
    said = 0

    def say(done: int, of: int) -> None:
        nonlocal said
        if done - said >= _SAY_EVERY or done == of:
            said = done
            at.say(f"{done} of {of} cases that are due.")

    return asdict(_retention(at).run(_day(wish.day), say))


def _certificates(at: At, _wish: Nothing) -> Result:
    stores, origin = at.stores, at.settings.ledger_origin
    with stores.data.reading() as connection:
        found = [certifying.find(connection, one) for one in certifying.ids(connection)]
    ledger = bootstrap.checkpoints(at.settings, stores).verifier_key
    keys = (ledger, certifying.organisation_key(stores, origin))
    return {
        "keys": [key.encode() for key in keys],
        "certificates": {str(one.id): one.text for one in found},
    }


def _day(text: str) -> date | None:
    if not text:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise Invalid("Write the day as 2026-11-30.", code="retention.day") from None


PREVIEW = Verb("retention.preview", DayWish, _preview)
RUN = Verb("retention.run", DayWish, _run)
CERTIFICATES = Verb("certificate.export", Nothing, _certificates)
