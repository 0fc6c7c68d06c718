"""The life of a release: draft, sealed, reviewed by two, published, withdrawn.

A draft has paid and has no numbers; once sealed its numbers never change, whoever likes them or
not, and what was paid is never given back. Pure: who may take which step is decided elsewhere.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from hashlib import sha256
from typing import Any, Self
from uuid import UUID

from casevault.disclosure.budget import YEAR, Months
from casevault.disclosure.catalogue import PEOPLE, IndicatorTable
from casevault.disclosure.measuring import Noisy
from casevault.disclosure.releasing import Design
from casevault.disclosure.tabulating import Period
from casevault.errors import Conflict, Tampered


class Stage(StrEnum):
    """Where a release stands. Reviews are signed statements beside it: `domain.staff.approvals`."""

    DRAFT = "draft"
    SEALED = "sealed"
    PUBLISHED = "published"
    WITHDRAWN = "withdrawn"


_BEFORE = {
    Stage.SEALED: Stage.DRAFT,
    Stage.PUBLISHED: Stage.SEALED,
    Stage.WITHDRAWN: Stage.PUBLISHED,
}


@dataclass(frozen=True, slots=True)
class Step:
    """Who took a step, and when (Unix seconds)."""

    by: UUID
    at: int


@dataclass(frozen=True, slots=True)
class Held:
    """A release as it is kept. `noisy` is the one draw; `digest` the SHA-256 of all its files."""

    id: UUID
    design: Design
    stage: Stage
    made: Step
    # The key under which the files lie in the data store.
    key: bytes = field(repr=False)
    noisy: Noisy = field(default_factory=dict, repr=False)
    digest: str = ""
    supersedes: UUID | None = None
    # The request for two reviews.
    approval: UUID | None = None
    published: Step | None = None
    reviewers: tuple[UUID, ...] = ()
    # The signed statement and its entry on the log, as `release verify` reads them.
    statement: str = ""
    entry: UUID | None = None
    evidence: str = ""
    withdrawn: Step | None = None
    reason: str = ""

    def moved(self, to: Stage, **changes: Any) -> Self:  # noqa: ANN401
        """Return the release one step on; any other step is a `Conflict`."""
        if self.stage is not _BEFORE.get(to):
            raise Conflict(
                f"This release is {self.stage.value}: this step is not the next one.",
                code="release.stage",
            )
        return replace(self, stage=to, **changes)

    def begins(self, design: Design) -> bool:
        """Say whether this is a draft of what is asked for: it has paid, and is gone on with."""
        same = (self.design.period, self.design.tables) == (design.period, design.tables)
        return self.stage is Stage.DRAFT and same and self._of_catalogue(design)

    def stands_in_the_way(self, design: Design) -> bool:
        """Say whether any of these tables exists for this period already."""
        shared = set(self.design.tables) & set(design.tables)
        gone = self.stage is Stage.DRAFT and not self._of_catalogue(design)
        live = self.stage is not Stage.WITHDRAWN and not gone
        return live and bool(shared) and self.design.period == design.period

    def _of_catalogue(self, design: Design) -> bool:
        return self.design.catalogue_version == design.catalogue_version

    def encode(self) -> bytes:
        """Return the bytes that the keyring keeps."""
        return json.dumps(_as_data(self), separators=(",", ":"), sort_keys=True).encode()

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Read what `encode` wrote, else `Tampered`."""
        try:
            raw = json.loads(data)
            return cls(
                id=UUID(raw["id"]),
                design=Design.from_data(raw["design"]),
                stage=Stage(raw["stage"]),
                made=_step(raw["made"]) or Step(UUID(int=0), 0),
                key=bytes.fromhex(raw["key"]),
                noisy={name: tuple(values) for name, values in raw["noisy"].items()},
                digest=raw["digest"],
                supersedes=_id(raw["supersedes"]),
                approval=_id(raw["approval"]),
                published=_step(raw["published"]),
                reviewers=tuple(UUID(one) for one in raw["reviewers"]),
                statement=raw["statement"],
                entry=_id(raw["entry"]),
                evidence=raw["evidence"],
                withdrawn=_step(raw["withdrawn"]),
                reason=raw["reason"],
            )
        except (KeyError, TypeError, ValueError, AttributeError):
            raise Tampered(code="release") from None


def months_of(tables: Iterable[IndicatorTable], period: Period) -> Months:
    """Return who pays for a release, by month of acceptance.

    Of registrations those who were accepted in the period; of anything else the whole year.
    """
    return months_of_year(period, people=all(table.universe == PEOPLE for table in tables))


def months_of_year(period: Period, *, people: bool) -> Months:
    """Return as `months_of`; `people`: nothing but registrations is counted."""
    return (period.start.month, period.end.month) if people else YEAR


def digest_of(files: Mapping[str, bytes]) -> str:
    """Return the SHA-256 over the names and digests of all files, in hexadecimal digits."""
    return sha256(json.dumps(digests_of(files), sort_keys=True).encode()).hexdigest()


def digests_of(files: Mapping[str, bytes]) -> dict[str, str]:
    """Return the SHA-256 of each file."""
    return {name: sha256(content).hexdigest() for name, content in sorted(files.items())}


def _as_data(one: Held) -> dict[str, Any]:
    return {
        "id": one.id.hex,
        "design": one.design.as_data(),
        "stage": one.stage.value,
        "made": _pair(one.made),
        "key": one.key.hex(),
        "noisy": {name: list(values) for name, values in one.noisy.items()},
        "digest": one.digest,
        "supersedes": None if one.supersedes is None else one.supersedes.hex,
        "approval": None if one.approval is None else one.approval.hex,
        "published": _pair(one.published),
        "reviewers": [staff.hex for staff in one.reviewers],
        "statement": one.statement,
        "evidence": one.evidence,
        "entry": None if one.entry is None else one.entry.hex,
        "withdrawn": _pair(one.withdrawn),
        "reason": one.reason,
    }


def _pair(step: Step | None) -> list[Any] | None:
    return None if step is None else [step.by.hex, step.at]


def _step(raw: Sequence[Any] | None) -> Step | None:
    return None if raw is None else Step(UUID(raw[0]), int(raw[1]))


def _id(raw: str | None) -> UUID | None:
    return None if raw is None else UUID(raw)
