"""What a frozen case still allows, and that everything else that writes is stopped."""

from __future__ import annotations

import pytest

from casevault.domain.case import keeping, restricting
from casevault.domain.staff.access import RULES
from casevault.domain.staff.permissions import Permission
from casevault.errors import Conflict
from tests.unit.domain.test_keeping import a_case


def test_what_writes_is_stopped_and_what_reads_is_not():
    """But for what is listed, with its reason."""
    for permission, rule in RULES.items():
        listed = permission in restricting.ALLOWED
        assert restricting.is_stopped(permission) is (rule.writes and not listed)
    assert restricting.is_stopped(Permission.CASE_AMEND)
    assert not restricting.is_stopped(Permission.CASE_READ)


def test_every_exception_has_a_reason_and_writes():
    """A permission that reads needs no exception."""
    assert all(RULES[one].writes and why for one, why in restricting.ALLOWED.items())
    assert all(restricting.EXCEPTIONS.values())


@pytest.mark.parametrize(
    ("after", "safe"),
    [
        ({"name_to_use": "Made-up", "phones": ["+390000000001"]}, True),
        ({"name_to_use": "Made-up", "safe_contact": {"who": "An aunt"}}, True),
        ({"name_to_use": "Another"}, False),
        ({"phones": ["+390000000001"]}, False),
    ],
)
def test_only_how_a_person_is_reached_is_for_safety(after, safe):
    """A field that is taken away counts as changed."""
    assert restricting.is_for_safety({"name_to_use": "Made-up"}, after) is safe


def test_nothing_of_a_frozen_case_is_destroyed():
    """A hold is named first; a case without either is free."""
    keeping.check_free(a_case())
    for changes, code in (
        ({"restriction": True}, "case.restricted"),
        ({"hold": True, "restriction": True}, "case.hold"),
    ):
        with pytest.raises(Conflict) as refused:
            keeping.check_free(a_case(**changes))
        assert refused.value.code == code
