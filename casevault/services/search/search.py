"""Finding people: what may be asked, and of which directories.

What an answer says, and how often somebody may ask, is settled in `store.search.answers`. Must
never keep what was asked.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from uuid import UUID

from casevault.domain.staff.access import Permission, Subject
from casevault.domain.staff.granting import PrincipalKind
from casevault.errors import FieldError, Invalid, Refused
from casevault.ids import TeamId
from casevault.matching.people import Person, attributes, person
from casevault.store.context.caller import Caller, Gate
from casevault.store.context.stores import Stores
from casevault.store.keys import people, principals, teams
from casevault.store.log.ledger import Act
from casevault.store.search.answers import MAX_ANSWERS, Answering, Answers
from casevault.store.search.finding import Finder
from casevault.store.search.helpers import Gone

_ENOUGH = 2
_OLDEST = 120


@dataclass(frozen=True, slots=True)
class Terms:
    """What is known of the person who is looked for."""

    name: str = field(default="", repr=False)
    given: str = field(default="", repr=False)
    family: str = field(default="", repr=False)
    birth_year: int | None = field(default=None, repr=False)
    age: int | None = field(default=None, repr=False)
    phone: str = field(default="", repr=False)
    number: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Share:
    """With how many directories a team's directory is shared."""

    team: UUID
    directories: int


class Search:
    """The use cases of finding people."""

    def __init__(self, stores: Stores, gate: Gate, finder: Finder) -> None:
        self._stores = stores
        self._gate = gate
        self._finder = finder
        self._answering = Answering(stores)

    def close(self) -> None:
        """End what was started for large searches."""
        self._finder.close()

    def run(self, caller: Caller, terms: Terms, is_gone: Gone = lambda: False) -> Answers:
        """Look through the caller's directories; at most ten answers.

        :raises Invalid: too little is known of the person.
        :raises Busy: the caller has searched too often this hour.
        """
        self._gate.require(caller, Permission.SEARCH_RUN, Subject("search"))
        asked = self._asked(terms)
        if attributes(asked) < _ENOUGH:
            raise _too_little()
        self._answering.count(caller)
        wide = self._stores.search.organisation_wide
        outcome = self._finder.find(caller, asked, MAX_ANSWERS, is_gone, shared=wide)
        return self._answering.answer(caller, asked, outcome)

    def share(self, caller: Caller, team: UUID) -> Share:
        """Let the members of all other teams search the cards of the caller's team.

        Only where the configuration says so. After somebody left a team it is to be done again.
        """
        stores = self._stores
        self._gate.require(caller, Permission.DIRECTORY_SHARE, Subject("directory", TeamId(team)))
        if not stores.search.organisation_wide:
            self._gate.deny(caller, Permission.DIRECTORY_SHARE, "refused:search.not-shared")
            raise Refused(
                "Directories are not shared here: `search_organisation_wide` is off.",
                code="search.not-shared",
            )
        act = Act("directory.share", caller.on_ledger, rule="permit:team")
        with stores.ledger.giving(act), stores.keyring.writing() as tx:
            rows = principals.groups(tx, PrincipalKind.DIRECTORY, team)
            (own,) = [row for row in rows if not stores.trust.is_retired(tx, row.id)]
            key = caller.keys.group_key(tx, own)
            others = [
                group
                for other in people.teams(tx)
                if other != team
                for group in stores.trust.vouched_groups(tx, PrincipalKind.DIRECTORY, other)
            ]
            for group in others:
                teams.admit(tx, caller.keys.granter, own, key, group, stores.now())
        return Share(team, len(others))

    def _asked(self, terms: Terms) -> Person:
        names = [terms.name, f"{terms.given} {terms.family}"]
        years = None if terms.birth_year is None else (terms.birth_year, terms.birth_year)
        if years is None and terms.age is not None:
            year = self._today().year
            years = year - min(terms.age, _OLDEST) - 1, year - min(terms.age, _OLDEST)
        return person(
            names,
            years,
            [terms.phone],
            [terms.number],
            family=terms.family,
            given=terms.given,
            regions=self._stores.search.regions,
        )

    def _today(self) -> date:
        return self._stores.clock.now().date()


def _too_little() -> Invalid:
    return Invalid(
        "Say more about the person: two parts of their name, or a name and the year of birth, or"
        " a phone number, or the number of a paper.",
        code="search.too-little",
        errors=(FieldError("", "search.too-little"),),
    )
