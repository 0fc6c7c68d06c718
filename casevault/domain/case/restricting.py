"""A case that is frozen because the survivor asked for it: kept and readable, used for nothing.

Pure. One rule for every act that writes: it stops, unless it stands in the lists below with the
reason why stopping it would harm the very person who asked.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from casevault.domain.staff.access import RULES
from casevault.domain.staff.permissions import Permission
from casevault.errors import Conflict


class TellingWay(StrEnum):
    """How a survivor was told something that they must know first."""

    IN_PERSON = "in_person"
    BY_SAFE_CONTACT = "by_safe_contact"
    IN_WRITING = "in_writing"
    NOT_REACHABLE = "not_reachable"


# What goes on whatever the act is, and why.
ALLOWED: Mapping[Permission, str] = MappingProxyType(
    {
        Permission.CASE_ASSIGN: "somebody must look after what is kept",
        Permission.ACCESS_DECIDE: "the same, where a colleague asked",
        Permission.CASE_REVOKE: "fewer people can read it",
        Permission.CASE_EXPORT: "it reads, and what it gives is the person's own",
        Permission.RIGHT_ASK: "what the person asks for is heard all the same",
        Permission.CASE_TAKE: "a case on its way between two teams must arrive or come back",
    }
)
# Acts that a use case lets through by name (`frozen_too`), and why.
EXCEPTIONS: Mapping[str, str] = MappingProxyType(
    {
        "withdraw_consent": "a consent can be taken back at any time",
        "end_basis": "the same for whatever else allowed a disclosure",
        "carry_out_objections": "the same, for a whole purpose",
        "refuse_staff": "whom the person does not want gets no key",
        "recall_referral": "it ends a disclosure",
        "amend_task": "of a notice alone: that a recipient was told is ticked off",
        "amend_identity": "of the safe contact alone: an old one can be a danger",
    }
)
_SAFE = frozenset({"safe_contact", "phones"})


def is_stopped(permission: Permission) -> bool:
    """Say whether a restriction stops what needs this permission, unless the act says otherwise."""
    return RULES[permission].writes and permission not in ALLOWED


def is_for_safety(before: Mapping[str, Any], after: Mapping[str, Any]) -> bool:
    """Say whether a change of an identity touches nothing but how the person is reached safely."""
    names = before.keys() | after.keys()
    return {name for name in names if before.get(name) != after.get(name)} <= _SAFE


def frozen() -> Conflict:
    """Return what somebody is told who would use a frozen case."""
    return Conflict(
        "This case is frozen at the survivor's request: it is kept and read, and nothing else.",
        code="case.restricted",
        hint="The data protection officer can lift it: GET /v1/restrictions.",
    )
