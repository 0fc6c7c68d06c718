"""What the doctor says: every finding at its limit, and silence where all is well."""

from __future__ import annotations

from dataclasses import replace

import pytest

from casevault.domain.recovery import doctor
from casevault.domain.recovery.doctor import Finding, Level, Machine, Place, Standing

NOW = 1_800_000_000
HOUR, DAY, GIB = 3600, 86_400, 1 << 30
WELL = Standing(
    now=NOW,
    epoch=7,
    rolled=7,
    epochs_held=2,
    epochs_kept=1,
    capsule=NOW - HOUR,
    keyring_backup=NOW - HOUR,
    backup=NOW - HOUR,
    drill=NOW - DAY,
)
PLACES = tuple(
    Place(name, exists=True, free=50 * GIB, device=device)
    for device, name in enumerate(("keys", "keyring", "data", "medium", "backups"))
)
SOUND = Machine(PLACES)


def codes(found):
    return [(one.code, one.level) for one in found]


def place(name, **changes):
    return replace(
        SOUND, places=tuple(replace(p, **changes) if p.name == name else p for p in PLACES)
    )


def test_a_sound_vault_gives_no_finding():
    """Silence means that it was looked at."""
    assert list(doctor.examine_standing(WELL)) == []
    assert list(doctor.examine_machine(SOUND)) == []
    assert doctor.exit_code([]) == 0


@pytest.mark.parametrize(
    ("changes", "code", "level"),
    [
        ({"capsule": None}, "capsule.old", Level.RED),
        ({"capsule": NOW - 24 * HOUR - 1}, "capsule.old", Level.RED),
        ({"keyring_backup": NOW - 24 * HOUR - 1}, "keyring-backup.old", Level.RED),
        ({"backup": NOW - 48 * HOUR - 1}, "backup.old", Level.RED),
        ({"backup": None}, "backup.old", Level.RED),
        ({"drill": NOW - 395 * DAY - 1}, "drill.old", Level.WARNING),
        ({"drill": None}, "drill.old", Level.WARNING),
        ({"rolled": 6}, "keys.unfinished", Level.RED),
        ({"epochs_held": 3}, "keys.epochs", Level.WARNING),
        ({"unsettled": True}, "data.unsettled", Level.RED),
        ({"quarantined": 2}, "data.quarantine", Level.RED),
        ({"one_cluster": True}, "postgres.one-cluster", Level.RED),
        ({"clock_doubted": True}, "clock.doubted", Level.RED),
        ({"log_cut": True}, "ledger.cut", Level.RED),
        ({"pending": 61}, "ledger.pending", Level.RED),
        ({"shut": True}, "lockdown.shut", Level.WARNING),
        ({"unsigned_lockdowns": 1}, "lockdown.unsigned", Level.RED),
        ({"vanished_lockdowns": 2}, "lockdown.vanished", Level.RED),
        ({"held_alone": ("auditor",)}, "role.alone", Level.WARNING),
        ({"ending": (("the dpo group", NOW + 59 * DAY),)}, "vouch.ending", Level.WARNING),
        ({"ending": (("a person who is dpo", NOW),)}, "vouch.ending", Level.RED),
    ],
)
def test_what_the_stores_tell(changes, code, level):
    """Each fault alone is one finding, which says what to do."""
    found = list(doctor.examine_standing(replace(WELL, **changes)))
    assert codes(found) == [(code, level)]
    assert all(one.says and one.do for one in found)


@pytest.mark.parametrize(
    "changes",
    [
        {"capsule": NOW - 24 * HOUR},
        {"keyring_backup": NOW - 24 * HOUR},
        {"backup": NOW - 48 * HOUR},
        {"drill": NOW - 395 * DAY},
        {"epochs_held": 1},
        {"pending": 60},
    ],
)
def test_at_the_limit_all_is_well(changes):
    """The last good second."""
    assert list(doctor.examine_standing(replace(WELL, **changes))) == []


@pytest.mark.parametrize(
    ("machine", "code", "level"),
    [
        (place("keys", is_open=True), "folder.open", Level.RED),
        (place("keyring", exists=False), "folder.missing", Level.RED),
        (place("medium", exists=False), "folder.missing", Level.WARNING),
        (place("data", free=2 * GIB - 1), "disk.low", Level.WARNING),
        (place("data", free=(500 << 20) - 1), "disk.low", Level.RED),
        (place("medium", device=1), "disk.same", Level.WARNING),
        (place("backups", device=2), "disk.same", Level.WARNING),
        (replace(SOUND, in_machine_backups=("keys",)), "backups.folder", Level.RED),
        (replace(SOUND, has_plain_swap=True), "memory.swap", Level.RED),
        (replace(SOUND, dumps_protected_processes=True), "memory.dumps", Level.RED),
        (replace(SOUND, sealed_roots=False), "roots.plain", Level.WARNING),
        (replace(SOUND, medium_set=False), "medium.unset", Level.RED),
        (replace(SOUND, backup_set=False), "backups.unset", Level.RED),
        (replace(SOUND, programs=False), "backups.programs", Level.RED),
    ],
)
def test_what_the_machine_tells(machine, code, level):
    """Each fault alone is one finding, which says what to do."""
    found = list(doctor.examine_machine(machine))
    assert codes(found) == [(code, level)]
    assert all(one.says and one.do for one in found)


def test_disks_with_room_say_nothing():
    """The last good byte, and what cannot be known."""
    assert list(doctor.examine_machine(place("data", free=2 * GIB))) == []
    assert list(doctor.examine_machine(place("data", free=None, device=None))) == []
    assert list(doctor.examine_machine(replace(SOUND, programs=True))) == []


def test_the_exit_code_is_that_of_the_worst():
    """1 for red, 3 for warnings only."""
    red, warning = (Finding("x", level, "says", "do") for level in Level)
    assert doctor.exit_code([warning]) == 3
    assert doctor.exit_code([warning, red]) == 1
