"""What a vault should be, as plain dictionaries: the model of the state machine.

It knows who holds what and what was written, and nothing of keys. Nothing is tested here.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from casevault.domain.case.records import REDACTED

IDENTITY, NARRATIVE, FACTS = ALL = ("identity", "narrative", "facts")
SUPERVISOR, ADMINISTRATOR = "salma", "adam"
CASEWORKERS = ("amal", "boris", "chen")
EVERYBODY = (*CASEWORKERS, SUPERVISOR, ADMINISTRATOR)
MIRRORED = {"dependant": "guardian", "guardian": "dependant"}
CONTRADICTS = {"same_person": "not_same_person", "not_same_person": "same_person"}
OPEN = ("Active", "FollowUp")
CLOSED = ("Closed", "ClosedReferred")


@dataclass
class ModelRecord:
    """A note, service or task: every version, as it should read now."""

    kind: str
    versions: list[dict[str, Any]]
    version: int = 1
    redactions: int = 0

    def redact(self, passage: str) -> None:
        """Take a passage out of every version."""
        for one in self.versions:
            one["text"] = one["text"].replace(passage, REDACTED)
        self.version += 1
        self.redactions += 1


@dataclass
class Closing:
    """Somebody's wish to close a case."""

    asker: str
    to: str
    state: str = "waiting"


@dataclass
class ModelCase:
    """A case: its content, and who holds which compartments by a grant of their own."""

    identity: dict[str, Any]
    profile: dict[str, Any]
    holders: dict[str, set[str]]
    status: str = "Active"
    versions: dict[str, int] = field(default_factory=lambda: {"identity": 1, "profile": 1})
    records: dict[UUID, ModelRecord] = field(default_factory=dict)
    links: Counter[tuple[UUID, str]] = field(default_factory=Counter)
    refused: dict[UUID, str] = field(default_factory=dict)
    closings: dict[UUID, Closing] = field(default_factory=dict)

    def holds(self, who: str, compartment: str | None = None) -> bool:
        """Say whether somebody can open a compartment, or anything at all."""
        if who == SUPERVISOR:
            return True
        held = self.holders.get(who, set())
        return bool(held) if compartment is None else compartment in held

    @property
    def waiting(self) -> bool:
        """Whether a closing waits for its decision."""
        return any(one.state == "waiting" for one in self.closings.values())

    @property
    def coded(self) -> list[dict[str, str]]:
        """The services as the facts should have them."""
        found = [r.versions[-1] for r in self.records.values() if r.kind == "service"]
        rows = [
            {"type": one["type"], "outcome": one["outcome"], "date": one["date"]} for one in found
        ]
        return sorted(rows, key=lambda row: (row["date"], row["type"], row["outcome"]))

    def may_become(self, status: str) -> bool:
        """Say whether the status table knows this step."""
        return status != self.status and (self.status in OPEN or status == "Active")
