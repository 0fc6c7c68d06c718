"""Records of the register as CSV tables, one for each kind. Pure."""

from __future__ import annotations

from functools import partial

from casevault.domain.counting import programme
from casevault.domain.counting.programme import FIELDS, Kind
from casevault.domain.texts.sheets import Sheet


def sheet(kind: Kind) -> Sheet:
    """Return the table of a kind."""
    command = f"casevault register export --kind {kind}"
    return Sheet("register", command, FIELDS[kind], partial(programme.checked, kind))
