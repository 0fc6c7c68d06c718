"""`casevault doctor` on real vaults: what it finds, its exit codes, and that it can find."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from casevault.cli.recovery import machine as looking
from casevault.store.engine import milestones
from tests.cli.machines import a_machine

SWAPS = "Filename Type Size Used Priority\n"


@pytest.fixture
def machine(make_databases, tmp_path, pg_programs, monkeypatch):
    """Give a vault whose machine is otherwise sound."""
    monkeypatch.setattr(looking, "has_plain_swap", lambda _table: False)
    monkeypatch.setattr(looking, "_dumps", lambda: False)
    made = a_machine(make_databases, "sqlite", tmp_path, pg_programs)
    yield made
    made.stop()
    shutil.rmtree(made.world.settings.runtime_dir, ignore_errors=True)


def examined(machine):
    """Return exit code and findings by code."""
    done = machine.run("doctor", "--json")
    found = json.loads(done.stdout)["findings"]
    assert all(one["says"] and (one["do"] or one["code"] == "config.weak") for one in found)
    return done.exit_code, {one["code"]: one for one in found}


def test_a_fresh_vault_is_red_until_its_copies_are_made(machine):
    """Nothing was ever copied; after roll and backup only warnings are left."""
    code, found = examined(machine)
    assert code == 1
    assert {"capsule.old", "keyring-backup.old", "backup.old", "drill.old"} <= found.keys()
    assert machine.run("keys", "roll", "--new-medium").exit_code == 0
    machine.backup()
    code, found = examined(machine)
    assert code == 3, found
    assert {one["level"] for one in found.values()} == {"warning"}
    assert {"drill.old", "role.alone", "roots.plain", "disk.same"} <= found.keys()
    text = machine.run("doctor")
    assert text.exit_code == 3
    assert "role.alone: One person alone is dpo" in text.stdout


def test_folders_and_their_backups(machine):
    """Open rights and folders that the machine's own backup takes."""
    settings = machine.world.settings
    Path(settings.keys_dir).chmod(0o755)
    with machine.config.open("a") as file:
        file.write(f'machine_backups = ["{Path(settings.keys_dir).parent}"]\n')
    code, found = examined(machine)
    assert code == 1
    assert "keys" in found["folder.open"]["says"]
    assert found["backups.folder"]["level"] == "red"
    Path(settings.keys_dir).chmod(0o700)
    (settings.keys_dir / "copied").touch(0o644)
    assert "folder.open" in examined(machine)[1]


def test_age_and_state_of_the_vault(machine):
    """Old copies, a restored store, a case without keys."""
    stores = machine.world.vault.stores
    machine.run("keys", "roll", "--new-medium")
    day = 86_400
    with stores.keyring.writing() as tx:
        milestones.note(tx, milestones.CAPSULE, stores.now() - day - 60)
        milestones.note(tx, milestones.BACKUP, stores.now() - 3 * day)
        milestones.note(tx, milestones.REHEARSED, stores.now() - 10)
    code, found = examined(machine)
    assert code == 1
    assert found["capsule.old"]["says"].endswith("24 hours ago.")
    assert found["backup.old"]["says"].endswith("3 days ago.")
    assert "drill.old" not in found
    with stores.keyring.writing() as tx:
        milestones.note(tx, milestones.UNSETTLED, stores.now())
    code, found = examined(machine)
    assert code == 1
    assert "casevault db settle" in found["vault.closed"]["says"]


def test_vouches_that_end(machine):
    """Sixty days before, by role and kind; nobody's name."""
    world = machine.world
    before, found = examined(machine)
    assert "vouch.ending" not in found
    with world.later(days=310):
        stores = world.vault.stores
        from casevault.domain.recovery import doctor
        from casevault.store.recovery.standing import standing

        told = standing(stores, 1)
        says = [one.says for one in doctor.examine_standing(told) if one.code == "vouch.ending"]
    assert any("the recovery group" in one for one in says)
    assert any("a person who is caseworker" in one for one in says)
    assert not any("cara" in one.lower() for one in says)
    assert before


@pytest.mark.parametrize(
    ("device", "uuid", "plain"),
    [
        ("/dev/sda2", None, True),
        ("/swapfile", None, True),
        ("/dev/zram0", None, False),
        ("/dev/dm-1", "CRYPT-PLAIN-swap", False),
        ("/dev/dm-1", "LVM-0123", True),
    ],
)
def test_swap_on_a_disk_must_be_encrypted(tmp_path, device, uuid, plain):
    """Memory and dm-crypt are well; a file, a partition, plain LVM are not."""
    if uuid is not None:
        folder = tmp_path / Path(device).name / "dm"
        folder.mkdir(parents=True)
        (folder / "uuid").write_text(uuid)
    assert looking.has_plain_swap(SWAPS + f"{device} partition 1 0 -2\n", tmp_path) is plain
    assert looking.has_plain_swap(SWAPS, tmp_path) is False
