"""Shapes of the minimisation report: numbers, references and next steps."""

from __future__ import annotations

from typing import Self
from uuid import UUID

from casevault.api.schemas.common import Shape
from casevault.domain.retention.minimising import NEXT, Finding
from casevault.services.rights.minimising import Overview, WordsOf, WordsPage


class UnusedGrants(Shape):
    """A colleague: of how many cases they hold keys by name, and did not use since that month."""

    staff_id: UUID
    name: str
    held: int
    unused: int
    references: list[str]


class OldFilesOfTeam(Shape):
    """A team: files of cases that were closed more than six months ago."""

    team_id: UUID
    cases: int
    files: int
    references: list[str]


class Minimisation(Shape):
    """What is kept or can be opened for no purpose, counted without a key of a case.

    At most 50 references each. `next_steps` says what to do about each kind.
    """

    since: str
    unused_grants: list[UnusedGrants]
    old_files: list[OldFilesOfTeam]
    next_steps: dict[str, str]

    @classmethod
    def of(cls, found: Overview, language: str) -> Self:
        """Return the shape of what was counted."""
        return cls(
            since=found.since,
            unused_grants=[
                UnusedGrants(
                    staff_id=one.staff,
                    name=found.names[one.staff],
                    held=one.held,
                    unused=one.unused,
                    references=list(one.references),
                )
                for one in found.grants
            ],
            old_files=[
                OldFilesOfTeam(
                    team_id=one.team,
                    cases=one.cases,
                    files=one.files,
                    references=list(one.references),
                )
                for one in found.files
            ],
            next_steps={one.value: NEXT[language][one] for one in (Finding.GRANTS, Finding.FILES)},
        )


class WordsOfCase(Shape):
    """A case of yours: of its notes, services and tasks, how many are long or name somebody.

    `own` name the person whom the case is about, `others` somebody else; `not_checked` could not
    be looked at.
    """

    reference: str
    records: int
    long: int
    own: int
    others: int
    not_checked: int

    @classmethod
    def of(cls, found: WordsOf) -> Self:
        """Return the shape of the words of a case."""
        return cls(
            reference=found.reference,
            records=found.records,
            long=found.long,
            own=found.own,
            others=found.others,
            not_checked=found.not_checked,
        )


class WordsReport(Shape):
    """Those of some of your cases that say too much; `after` asks for the next cases."""

    items: list[WordsOfCase]
    unreadable: int
    after: UUID | None
    next_steps: dict[str, str]

    @classmethod
    def of(cls, page: WordsPage, language: str) -> Self:
        """Return the shape of a page."""
        return cls(
            items=[WordsOfCase.of(one) for one in page.items],
            unreadable=page.unreadable,
            after=page.after,
            next_steps={one.value: NEXT[language][one] for one in (Finding.LONG, Finding.NAMING)},
        )
