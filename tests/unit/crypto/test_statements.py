"""What one person signs about a case: bound to every part of it, and to the signer's keys."""

from __future__ import annotations

from uuid import UUID

import pytest

from casevault.crypto import statements
from casevault.crypto.principals import PrincipalSecret
from casevault.errors import Tampered

DANA, OTHER = PrincipalSecret.generate(), PrincipalSecret.generate()
PARTS = (UUID(int=1), "hold", UUID(int=2), 7, "2027-02-28")


def test_a_statement_holds_for_exactly_its_parts():
    """Not for another case or day, nor under somebody else's keys, nor cut off."""
    signed = statements.sign(DANA, *PARTS)
    statements.check(signed, DANA.public, *PARTS)
    assert statements.key_id_of(signed) == DANA.public.key_id
    for parts in (PARTS[:-1], (*PARTS[:2], UUID(int=3), *PARTS[3:])):
        with pytest.raises(Tampered):
            statements.check(signed, DANA.public, *parts)
    for wrong in (signed[:-1], b"", statements.sign(OTHER, *PARTS)):
        with pytest.raises(Tampered):
            statements.check(wrong, DANA.public, *PARTS)
