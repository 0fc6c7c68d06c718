"""The ladder of a filling disk, as arithmetic and as a list of what goes on."""

from __future__ import annotations

import pytest

from casevault.domain.recovery.room import (
    CASE_BYTES,
    EXPORT_BYTES,
    WARN_BYTES,
    Room,
    has_room,
    room,
)
from casevault.domain.staff.access import Permission
from casevault.errors import Busy
from casevault.store.engine.space import Space, free_bytes


@pytest.mark.parametrize(
    ("free", "found"),
    [
        (0, Room.NO_CASES),
        (CASE_BYTES - 1, Room.NO_CASES),
        (CASE_BYTES, Room.NO_EXPORTS),
        (EXPORT_BYTES - 1, Room.NO_EXPORTS),
        (EXPORT_BYTES, Room.WARN),
        (WARN_BYTES - 1, Room.WARN),
        (WARN_BYTES, Room.PLENTY),
        (1 << 50, Room.PLENTY),
    ],
)
def test_each_rung_begins_where_it_is_said(free, found):
    """200 MiB, 500 MiB, 2 GiB."""
    assert room(free) is found


def test_with_a_warning_everything_goes_on():
    """A warning refuses nothing."""
    for permission in Permission:
        assert has_room(permission, Room.WARN)


def test_exports_stop_first():
    """Below 500 MiB no export; cases still work."""
    stopped = {p for p in Permission if not has_room(p, Room.NO_EXPORTS)}
    assert Permission.LEDGER_EXPORT in stopped
    assert Permission.CASE_READ not in stopped


def test_the_last_rung_leaves_what_must_go_on():
    """No case data; audit, approvals, taking away and signing in still work."""
    stopped = {p for p in Permission if not has_room(p, Room.NO_CASES)}
    assert stopped >= {
        Permission.CASE_READ,
        Permission.CASE_LIST,
        Permission.CASE_OPEN,
        Permission.CASE_AMEND,
        Permission.DRAFT_READ,
        Permission.WORKLIST_READ,
    }
    assert not stopped & {
        Permission.LEDGER_QUERY,
        Permission.CASE_REVOKE,
        Permission.STAFF_DEPART,
        Permission.SESSION_CREATE,
        Permission.APPROVAL_DECIDE,
        Permission.HEALTH_READ,
    }


def test_the_fullest_disk_counts(tmp_path):
    """The smallest of all folders, asked at most once a second; one that is gone has no room."""
    asked = []

    def ask(folder):
        asked.append(folder.name)
        return {"a": WARN_BYTES, "b": EXPORT_BYTES}[folder.name]

    space = Space([tmp_path / "a", tmp_path / "b"], ask)
    assert (space.room(), space.room(), asked) == (Room.WARN, Room.WARN, ["a", "b"])
    space.require_exports()
    assert free_bytes(tmp_path) > 0
    gone = Space([tmp_path / "gone"])
    assert gone.room() is Room.NO_CASES
    with pytest.raises(Busy) as caught:
        gone.require_exports()
    assert caught.value.code == "disk.full"
    assert Space([]).room() is Room.PLENTY
