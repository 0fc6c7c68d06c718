"""The coded facts of a case: what counts are made from, taken over from identity and profile.

Only codes, dates, countries and a declared region; nothing that somebody wrote in words. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from typing import Any

from casevault.domain.case import retention

_BANDS = ((18, "under_18"), (25, "18_to_24"), (35, "25_to_34"), (50, "35_to_49"))

# How long after a period what happened in it may still be written down for it.
DELAY_DAYS = 30


def first_facts(
    identity: Mapping[str, Any], profile: Mapping[str, Any], opened: date
) -> dict[str, Any]:
    """Return the facts that identity and profile already say; what they leave open stays out."""
    history = profile.get("history", [])
    found = {
        "accepted_on": opened.isoformat(),
        "gender": identity.get("gender"),
        "age_band": age_band(identity, opened),
        "citizenships": identity.get("citizenships"),
        "trafficking_status": profile.get("trafficking_status"),
        "exploitation": _distinct(code for e in history for code in e.get("exploitation", [])),
        "industry": _distinct(code for e in history for code in e.get("industry", [])),
        "controlled_by": _distinct(c for e in history for c in e.get("controlled_by", [])),
        "countries": _distinct(
            e["country"] for e in history if e.get("type") == "Exploitation" and "country" in e
        ),
    }
    return {name: value for name, value in found.items() if value}


def age_band(identity: Mapping[str, Any], at: date) -> str | None:
    """Return the band of an age that is exact, by year of birth, or estimated, in this order."""
    age = _age(identity, at)
    if age is None:
        band = identity.get("age_band")
        return None if band is None else str(band)
    return next((band for limit, band in _BANDS if age < limit), "50_and_over")


def is_minor(identity: Mapping[str, Any], at: date) -> bool:
    """Say whether the safeguards for minors apply; when the age is open between, they do."""
    return age_band(identity, at) == "under_18"


def counted_on(happened: date, written: date) -> date:
    """Return the day on which something counts: when it happened, or when it was written down.

    The latter once the quarter in which it happened may have been published.
    """
    month = 3 * ((happened.month - 1) // 3) + 3
    ended = date(happened.year + month // 12, month % 12 + 1, 1) - timedelta(days=1)
    return happened if written <= ended + timedelta(days=DELAY_DAYS) else written


def of_age(identity: Mapping[str, Any], at: date) -> date | None:
    """Return by when a minor has come of age, in steps of years that tell no birthday."""
    if not is_minor(identity, at):
        return None
    return retention.of_age(_age(identity, at) or 0, at)


def _age(identity: Mapping[str, Any], at: date) -> int | None:
    if "age" in identity:
        return int(identity["age"])
    if "birth_year" in identity:
        # The birthday may still come: the younger of the two ages, so that a minor stays one.
        return at.year - int(identity["birth_year"]) - 1
    return None


def _distinct(codes: Iterable[str]) -> list[str]:
    return sorted(set(codes))
