"""Typed identifiers and the case reference that people say aloud.

All identifiers about a person are random (UUID version 4): a time-ordered id would tell
everyone the moment at which somebody asked for help.
"""

from __future__ import annotations

import secrets
from typing import NewType
from uuid import UUID, uuid4

CaseId = NewType("CaseId", UUID)
StaffId = NewType("StaffId", UUID)
TeamId = NewType("TeamId", UUID)
PrincipalId = NewType("PrincipalId", UUID)
EntryId = NewType("EntryId", UUID)
CaseReference = NewType("CaseReference", str)

# Whose team is not known: no decision finds a role in it.
NO_TEAM = TeamId(UUID(int=0))

# Crockford's base 32: no I, L, O, U, so that a reference survives a bad telephone line.
_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_CONFUSED = str.maketrans("ILO", "110")
_RANDOM_CHARACTERS = 7
_REFERENCE_CHARACTERS = _RANDOM_CHARACTERS + 1


def new_id() -> UUID:
    """Return a fresh random UUID."""
    return uuid4()


def new_reference() -> CaseReference:
    """Return a random reference such as ``CV-7K3M-9QXP``; the last character checks the rest."""
    body = "".join(secrets.choice(_ALPHABET) for _ in range(_RANDOM_CHARACTERS))
    return _format(body + _check_character(body))


def parse_reference(text: str) -> CaseReference | None:
    """Read a reference as people type it (case, spaces and dashes do not matter); None if wrong."""
    folded = text.strip().upper().removeprefix("CV").replace("-", "").replace(" ", "")
    folded = folded.translate(_CONFUSED)
    if len(folded) != _REFERENCE_CHARACTERS or any(c not in _ALPHABET for c in folded):
        return None
    if _check_character(folded[:-1]) != folded[-1]:
        return None
    return _format(folded)


def _check_character(body: str) -> str:
    # Odd weights are units modulo 32, so every single wrong character is found; so are all
    # swaps of neighbours that are not exactly 16 apart in the alphabet.
    total = sum((2 * place + 1) * _ALPHABET.index(c) for place, c in enumerate(body))
    return _ALPHABET[total % len(_ALPHABET)]


def _format(characters: str) -> CaseReference:
    return CaseReference(f"CV-{characters[:4]}-{characters[4:]}")
