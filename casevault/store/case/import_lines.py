"""Which lines of a source were taken, so that a second run of an import makes nothing twice.

A row is two HMACs of the service key: of (organisation, team, source, number there), and of the
case. A dump tells how many lines were taken, and nothing of which, from where, or what they became.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from sqlalchemy import Connection, bindparam, delete, insert, select

from casevault.crypto import canonical
from casevault.crypto.roots import RootProvider
from casevault.store.engine import stamps, tables

_LINE, _BECAME = PURPOSES = ("import-line", "import-case")
_TABLE = tables.import_line
# Made once: building a statement costs as much as running it.
_ADD = insert(_TABLE)
_FIND = select(_TABLE.c.line).where(_TABLE.c.line.in_(bindparam("lines", expanding=True)))


@dataclass(frozen=True, slots=True)
class Line:
    """A record of a source, as one team takes it: another team's answer would tell of its cases."""

    organisation: UUID
    team: UUID
    source: str = field(repr=False)
    number: str = field(repr=False)

    def encode(self) -> bytes:
        """Return what is stamped."""
        return canonical.encode(self.organisation, self.team, self.source, self.number)


def taken(connection: Connection, roots: RootProvider, lines: Sequence[Line]) -> set[Line]:
    """Return those of the lines that were taken."""
    known = {mark: line for line in lines for mark in stamps.stamps(roots, _LINE, line.encode())}
    rows = connection.execute(_FIND, {"lines": list(known)}).scalars()
    return {known[bytes(row)] for row in rows}


def keep(connection: Connection, roots: RootProvider, became: Iterable[tuple[Line, UUID]]) -> None:
    """Remember lines with the cases they became; a line that was taken meanwhile is a conflict."""
    rows = [
        {
            "line": stamps.stamp(roots, _LINE, line.encode()),
            "became": stamps.stamp(roots, _BECAME, case.bytes),
        }
        for line, case in became
    ]
    # Not in the order of the cases: who has the files of a database could count along.
    secrets.SystemRandom().shuffle(rows)
    connection.execute(_ADD, rows)


def forget(connection: Connection, roots: RootProvider, cases: Iterable[UUID]) -> None:
    """Forget the lines that these cases were, when they are erased."""
    marks = [mark for case in cases for mark in stamps.stamps(roots, _BECAME, case.bytes)]
    connection.execute(delete(_TABLE).where(_TABLE.c.became.in_(marks)))
