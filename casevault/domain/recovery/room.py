"""What still works when the disk fills up: a ladder, so that the log never runs out of room first.

Pure. A look at a case that cannot be recorded is refused anyway; the ladder refuses it earlier,
while there is still room for what must go on: erasure, audit, taking powers away, getting help.
"""

from __future__ import annotations

from enum import IntEnum

from casevault.domain.staff.access import Permission

MIB = 1 << 20
WARN_BYTES = 2048 * MIB
EXPORT_BYTES = 500 * MIB
CASE_BYTES = 200 * MIB

_EXPORTS = frozenset({Permission.LEDGER_EXPORT.value, Permission.CASE_EXPORT.value, "release:make"})
# Whatever is not named here, by its noun or whole, is about cases and waits for room.
_GOES_ON_NOUNS = frozenset(
    {
        "health",
        "docs",
        "vocabulary",
        "session",
        "factor",
        "enrolment",
        "staff",
        "recovery-code",
        "sign-in",
        "vouch",
        "keys",
        "approval",
        "deadline",
        "duty",
        "ledger",
        "retention",
        "erasure",
        "hold",
        "right",
        "complaint",
        "alert",
        "review",
        "sign-off",
    }
)
_GOES_ON = frozenset({"case:revoke", "case:erase", "break-glass:list", "break-glass:review"})


class Room(IntEnum):
    """How much room there is, the least first."""

    NO_CASES = 0
    NO_EXPORTS = 1
    WARN = 2
    PLENTY = 3


def room(free: int) -> Room:
    """Return the rung of the ladder for so many free bytes."""
    if free < CASE_BYTES:
        return Room.NO_CASES
    if free < EXPORT_BYTES:
        return Room.NO_EXPORTS
    return Room.WARN if free < WARN_BYTES else Room.PLENTY


def has_room(permission: Permission, found: Room) -> bool:
    """Say whether an operation goes on with so little room."""
    if permission.value in _EXPORTS:
        return found > Room.NO_EXPORTS
    noun = permission.value.partition(":")[0]
    goes_on = noun in _GOES_ON_NOUNS or permission.value in _GOES_ON
    return goes_on or found > Room.NO_CASES
