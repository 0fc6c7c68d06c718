"""What of a person stands on their search card, and keeping the card in step with their record.

Only what matching needs: forms of names, birth years, the last seven digits of phones; full
phones and numbers of papers only where the programme switches them on. A case that is `unlisted`
has no card.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from casevault.domain.case.casefile import CaseMetadata, DocumentKind
from casevault.errors import NotFound
from casevault.matching.people import Person, encode, person
from casevault.store.casework.held import Change
from casevault.store.context.caller import Caller
from casevault.store.context.search_options import SearchOptions
from casevault.store.context.stores import Stores
from casevault.store.search import cards
from casevault.store.search.cards import Fresh

# Fields of the identity document that a card is made from.
ON_CARDS = frozenset(
    {"name_to_use", "names", "aliases", "spellings", "age", "birth_year", "age_band"}
    | {"phones", "papers"}
)
_BANDS = {
    "under_18": (0, 17),
    "18_to_24": (18, 24),
    "25_to_34": (25, 34),
    "35_to_49": (35, 49),
    "50_and_over": (50, 110),
}


@dataclass(frozen=True, slots=True)
class Listed:
    """A case that is to have a card: its text."""

    case: UUID
    text: bytes

    def __repr__(self) -> str:
        return "Listed(…)"


def of_birth(
    options: SearchOptions,
    case: CaseMetadata,
    contents: Iterable[tuple[DocumentKind, Mapping[str, Any]]],
) -> Listed | None:
    """Return the card of a case to be, or None if it has none."""
    given = dict(contents)
    if given.get(DocumentKind.PROFILE, {}).get("unlisted"):
        return None
    identity = given[DocumentKind.IDENTITY]
    return Listed(case.id, card_text(options, identity, int(case.opened_month[:4])))


def card_text(options: SearchOptions, identity: Mapping[str, Any], year: int) -> bytes:
    """Return the text of a card; `year` is the one in which an age was said."""
    return encode(
        known_of(options, identity, year),
        full_phones=options.full_phones,
        with_numbers=options.papers,
    )


def known_of(options: SearchOptions, identity: Mapping[str, Any], year: int) -> Person:
    """Return what matching goes by of an identity document."""
    return person(
        list(names_of(identity)),
        birth_years(identity, year),
        identity.get("phones", ()),
        [one["number"] for one in identity.get("papers", ()) if one.get("number")],
        regions=options.regions,
    )


def birth_years(identity: Mapping[str, Any], year: int) -> tuple[int, int] | None:
    """Return the first and last year in which somebody may have been born."""
    if "birth_year" in identity:
        return identity["birth_year"], identity["birth_year"]
    if "age" in identity:
        # The birthday may have been or may still come.
        return year - identity["age"] - 1, year - identity["age"]
    youngest, oldest = _BANDS.get(identity.get("age_band", ""), (None, None))
    if youngest is None or oldest is None:
        return None
    return year - oldest - 1, year - youngest


def refresh(
    stores: Stores, caller: Caller, change: Change, identity: Mapping[str, Any], year: int
) -> Fresh | None:
    """Make the card of a case anew within a change of it, if it has one; `cards.settle` follows.

    The new key is in the keyring before the card is: until the change commits, the one before
    stays what opens.
    """
    case, roots = change.case, stores.roots
    if not cards.has_card(change.connection, roots, case.team, case.id):
        # Unlisted, and so it stays.
        return None
    return enlist(stores, caller, change, identity, year)


def enlist(
    stores: Stores, caller: Caller, change: Change, identity: Mapping[str, Any], year: int
) -> Fresh:
    """Give a case a card within a change of it, replacing one that there is."""
    case = change.case
    with stores.keyring.writing() as tx:
        directory = cards.directory_of(tx, stores.trust, caller, case.team)
        fresh = cards.renew(tx, directory, [case.id], stores.now())[case.id]
        if cards.erased(tx, [case.id]):
            raise NotFound()
    text = card_text(stores.search, identity, year)
    sealed = cards.seal_card(stores.organisation, fresh, text)
    cards.put(change.connection, stores.roots, fresh, sealed)
    return fresh


def delist(stores: Stores, change: Change) -> None:
    """Take a case's card away within a change of it: its key first, which needs no key."""
    case = change.case
    with stores.keyring.writing() as tx:
        cards.forget(tx, case.team, [case.id])
    cards.remove(change.connection, stores.roots, case.team, [case.id])


def names_of(identity: Mapping[str, Any]) -> Iterable[str]:
    """Give every name that an identity document holds, as it was written."""
    yield identity["name_to_use"]
    for one in identity.get("names", ()):
        parts = (one.get("given"), one.get("other"), one.get("family"))
        yield " ".join(part for part in parts if part)
    yield from identity.get("aliases", ())
    yield from identity.get("spellings", ())
