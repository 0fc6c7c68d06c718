"""What a restored data store lacks or has too much, compared with the newest keyring.

Pure: names of findings, what they mean for the exit code, and the digest of what two people sign.
The data may be old, the keyring may not; so the keyring says what must be gone, and people say that
what is missing is missing.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from uuid import UUID


class Fault(StrEnum):
    """What is wrong with one compartment of a case. The codes never change."""

    # An older state than the keyring remembers: what was written since is lost.
    BEHIND = "behind"
    # The same revision as the keyring remembers, of other content.
    DIFFERENT = "different"
    # The keyring names the key, and the data has nothing under it.
    MISSING = "missing"
    # Data under a key that the keyring does not name.
    FOREIGN = "foreign"


# What is cured by believing the restored state: two people sign that it is to be believed.
CURABLE = frozenset({Fault.BEHIND, Fault.DIFFERENT})


@dataclass(frozen=True, slots=True, order=True)
class Compared:
    """A compartment of a case whose data is not what the keyring remembers."""

    case: UUID
    compartment: str
    fault: Fault
    key_version: int
    # Revisions of its manifest, and which manifest it is that was found.
    remembered: int
    found: int
    commitment: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True)
class Log:
    """The access log as it was restored, and how far it was signed before."""

    size: int
    signed: int | None

    @property
    def missing(self) -> int:
        """How many signed entries are not there any more, at least."""
        return max(0, (self.signed or 0) - self.size)


@dataclass(frozen=True, slots=True)
class Findings:
    """What settling found. Ids of cases only: which person is behind one, nobody sees here."""

    cases: int
    # Of cases that the keyring has a tombstone of, this time removed from the data.
    erased: tuple[UUID, ...] = ()
    # Data without keys and without a tombstone: kept, opened by nobody.
    quarantined: tuple[UUID, ...] = ()
    # Were in quarantine, and have keys again.
    released: tuple[UUID, ...] = ()
    # Keys without data: opened after the backup was made (or an opening that failed half-way).
    lost: tuple[UUID, ...] = ()
    compared: tuple[Compared, ...] = ()
    # Lie in a team that had given them away: the team that holds them finds them to be taken.
    strayed: tuple[UUID, ...] = ()
    # Drafts, refused lines and feeds whose key is gone: ended by their authors, removed when due.
    closed: int = 0
    log: Log = Log(0, None)
    # The data came from a backup and nobody has signed that it is to be believed.
    restored: bool = False

    @property
    def needs_two_people(self) -> bool:
        """Whether a state is to be believed that is older than the keyring remembers."""
        return bool(self.restored or self.log.missing or self.curable)

    @property
    def curable(self) -> tuple[Compared, ...]:
        """What is lowered in the keyring when two people have signed."""
        return tuple(one for one in self.compared if one.fault in CURABLE)

    @property
    def is_partial(self) -> bool:
        """Whether something stays that people have to look into: exit code 3."""
        broken = [one for one in self.compared if one.fault not in CURABLE]
        return bool(self.quarantined or broken)
