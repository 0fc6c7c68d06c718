"""What a restored store lacks: who has to sign, and with which exit code it ends."""

from __future__ import annotations

from uuid import UUID

import pytest

from casevault.domain.recovery.settling import CURABLE, Compared, Fault, Findings, Log

CASE = UUID(int=1)


def compared(fault):
    """Return a compartment with a fault."""
    return Compared(CASE, "narrative", fault, 1, 5, 4, b"secret commitment")


def test_nothing_found_needs_nobody():
    """A store that is what the keyring remembers."""
    found = Findings(cases=3, log=Log(10, 10))
    assert not found.needs_two_people
    assert not found.is_partial
    assert found.curable == ()


@pytest.mark.parametrize("fault", list(Fault))
def test_an_older_state_is_believed_by_two_people_and_a_hole_by_nobody(fault):
    """What is behind can be cured by signing; what is missing or foreign stays and is reported."""
    one = compared(fault)
    found = Findings(cases=1, compared=(one,))
    assert found.needs_two_people == (fault in CURABLE)
    assert found.curable == ((one,) if fault in CURABLE else ())
    assert found.is_partial == (fault not in CURABLE)
    assert "secret" not in repr(one)


@pytest.mark.parametrize(
    ("size", "signed", "missing"), [(10, None, 0), (10, 10, 0), (10, 9, 0), (7, 10, 3)]
)
def test_a_log_that_was_signed_further_has_lost_entries(size, signed, missing):
    """An entry that was signed and is not there any more."""
    log = Log(size, signed)
    assert log.missing == missing
    assert Findings(cases=0, log=log).needs_two_people == bool(missing)


def test_a_restored_store_is_signed_for_and_quarantine_is_partial():
    """Restored: two people. Data without keys and without a tombstone: exit code 3."""
    assert Findings(cases=1, restored=True).needs_two_people
    kept = Findings(cases=1, quarantined=(CASE,))
    assert kept.is_partial
    assert not kept.needs_two_people
