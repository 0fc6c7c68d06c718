"""What one person signs about a case outside of it: these parts, by these keys, nothing else."""

from __future__ import annotations

import pytest

from casevault.crypto import canonical, statements
from casevault.crypto.principals import PrincipalSecret
from casevault.errors import Tampered

AMAL, BASIL = (PrincipalSecret(bytes([n]) * 64) for n in (1, 2))
PARTS = ("hold", 7, b"case")
SIGNED = statements.sign(AMAL, *PARTS)


def test_a_statement_is_checked_against_its_parts_and_keys():
    """And says by which keys it was signed."""
    statements.check(SIGNED, AMAL.public, *PARTS)
    assert statements.key_id_of(SIGNED) == AMAL.public.key_id


@pytest.mark.parametrize("parts", [("hold", 8, b"case"), ("hold", 7), (*PARTS, None)])
def test_other_parts_were_not_signed(parts):
    """Another day, fewer, more."""
    with pytest.raises(Tampered):
        statements.check(SIGNED, AMAL.public, *parts)


def test_other_keys_did_not_sign():
    """Nor are bytes that are no statement one."""
    with pytest.raises(Tampered):
        statements.check(SIGNED, BASIL.public, *PARTS)
    lying = canonical.encode(BASIL.public.key_id, canonical.decode(SIGNED)[1])
    for wrong in (lying, SIGNED[:-1], b"", canonical.encode("a", b"b")):
        with pytest.raises(Tampered):
            statements.check(wrong, BASIL.public, *PARTS)
