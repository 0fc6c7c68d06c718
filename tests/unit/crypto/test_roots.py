"""Root material: one folder, one host, whole or not at all, and never replaced."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import threading
from pathlib import Path
from uuid import UUID

import pytest

from casevault.crypto import macs
from casevault.crypto.macs import b64, unb64
from casevault.crypto.roots import (
    PEPPER,
    PRINCIPALS,
    SERVICE_KEY,
    adopt_roots,
    create_roots,
    discard_roots,
    host_id,
    loaded_roots,
    open_roots,
    write_private,
)
from casevault.crypto.roots import provider as provider_module
from casevault.crypto.roots.material import decode
from casevault.crypto.sealing import Key
from casevault.errors import KeyUnavailable, Misconfigured, Tampered

from .secrecy import assert_silent

KEYRING = UUID(int=5)


def created(tmp_path):
    return create_roots(tmp_path / "keys", KEYRING)


def file_of(tmp_path):
    return tmp_path / "keys" / "root.json"


def rewrite(tmp_path, change):
    path = file_of(tmp_path)
    raw = json.loads(path.read_bytes())
    change(raw)
    path.write_text(json.dumps(raw))


def test_fresh_material_is_private_and_complete(tmp_path):
    """0600 in a 0700 folder; every kind of key is there, at version 1."""
    roots = created(tmp_path)
    assert stat.S_IMODE(file_of(tmp_path).stat().st_mode) == 0o600
    assert stat.S_IMODE(file_of(tmp_path).parent.stat().st_mode) == 0o700
    assert roots.keyring_id == KEYRING
    assert roots.epochs() == (1,)
    assert roots.epoch(1).version == roots.pepper().version == roots.service().version == 1
    keys = {roots.epoch(1).id, roots.pepper().id, roots.service().id}
    assert len(keys) == 3
    assert len({roots.principal(name).public.key_id for name in PRINCIPALS}) == len(PRINCIPALS)


def test_another_process_reads_the_same(tmp_path):
    """What one wrote, another opens."""
    roots, again = created(tmp_path), open_roots(tmp_path / "keys")
    assert again.epoch(1) == roots.epoch(1)
    assert again.pepper(1) == roots.pepper()
    assert again.service(1) == roots.service()
    for name in PRINCIPALS:
        assert again.principal(name).seed == roots.principal(name).seed


def test_material_is_never_overwritten(tmp_path):
    """A second ceremony in the same folder is refused and changes nothing."""
    created(tmp_path)
    before = file_of(tmp_path).read_bytes()
    with pytest.raises(Misconfigured) as caught:
        create_roots(tmp_path / "keys", UUID(int=6))
    assert caught.value.code == "roots.exist"
    assert file_of(tmp_path).read_bytes() == before


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644, 0o610])
def test_a_file_that_others_can_read_is_refused(tmp_path, mode):
    """At the start and at every reload."""
    roots = created(tmp_path)
    file_of(tmp_path).chmod(mode)
    for act in (lambda: open_roots(tmp_path / "keys"), roots.reload, roots.new_epoch):
        with pytest.raises(Misconfigured) as caught:
            act()
        assert caught.value.code == "roots.mode"


def test_a_missing_file_says_what_to_do(tmp_path):
    """No material is a misconfiguration, not an empty vault."""
    with pytest.raises(Misconfigured) as caught:
        open_roots(tmp_path)
    assert caught.value.code == "roots.missing"


def test_another_host_is_refused(tmp_path):
    """The file provider serves one machine."""
    created(tmp_path)
    rewrite(tmp_path, lambda raw: raw.update(host_id="another-machine"))
    with pytest.raises(Misconfigured) as caught:
        open_roots(tmp_path / "keys")
    assert caught.value.code == "roots.host"


@pytest.mark.parametrize(
    "change",
    [
        lambda raw: raw.update(format=2),
        lambda raw: raw.pop("format"),
        lambda raw: raw.pop("keyring_id"),
        lambda raw: raw.update(keyring_id="x"),
        lambda raw: raw.update(keyring_id=7),
        lambda raw: raw.update(epochs={}),
        lambda raw: raw.update(epochs=[]),
        lambda raw: raw.update(epochs=None),
        lambda raw: raw["epochs"].update({"one": raw["epochs"]["1"]}),
        lambda raw: raw["epochs"].update({"1": "short"}),
        lambda raw: raw["peppers"].update({"1": "not base64 !"}),
        lambda raw: raw["services"].update({"1": 7}),
        lambda raw: raw["principals"].pop("ledger"),
        lambda raw: raw["principals"].update(ledger=raw["epochs"]),
        lambda raw: raw["principals"].update(ledger={}),
        lambda raw: raw.pop("remnants"),
        lambda raw: raw.update(remnants={"1": {"ledger-tag": "short"}}),
    ],
)
def test_changed_material_is_tampered(tmp_path, change):
    """Every malformed file is one error."""
    created(tmp_path)
    rewrite(tmp_path, change)
    with pytest.raises(Tampered) as caught:
        open_roots(tmp_path / "keys")
    assert caught.value.code == "roots"


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"null", b"\xff\xfe", b'"text"'])
def test_a_torn_file_is_tampered(tmp_path, content):
    """Whatever is not the whole file is not believed."""
    created(tmp_path)
    file_of(tmp_path).write_bytes(content)
    with pytest.raises(Tampered):
        open_roots(tmp_path / "keys")


def test_a_folder_in_place_of_the_file_is_tampered(tmp_path):
    """An operating system's error is translated too."""
    (tmp_path / "root.json").mkdir(mode=0o700)
    with pytest.raises(Tampered):
        open_roots(tmp_path)


def test_an_epoch_is_durable_before_it_is_used(tmp_path, monkeypatch):
    """New epochs follow one another, are on disk at once, and are seen by another process."""
    # However slow this machine is: the other process believes for a while what it has read.
    monkeypatch.setattr(provider_module, "_FRESH_SECONDS", 600)
    roots, other = created(tmp_path), open_roots(tmp_path / "keys")
    assert roots.new_epoch() == 2
    on_disk = json.loads(file_of(tmp_path).read_bytes())["epochs"]["2"]
    assert unb64(on_disk) == roots.epoch(2).material
    # The other process reloads when it meets a number that it does not know.
    assert other.epochs() == (1,)
    assert other.epoch(2) == roots.epoch(2)
    assert other.epochs() == (1, 2)


def test_a_destroyed_epoch_is_gone(tmp_path):
    """From the file, from this process, and from any that reads the file again."""
    roots, other = created(tmp_path), open_roots(tmp_path / "keys")
    material = file_of(tmp_path).read_bytes()
    first = json.loads(material)["epochs"]["1"].encode()
    roots.new_epoch()
    roots.new_epoch()
    assert roots.destroy_epochs_before(3) == (1, 2)
    assert roots.epochs() == (3,)
    other.reload()
    for provider in (roots, other, open_roots(tmp_path / "keys")):
        for number in (1, 2):
            with pytest.raises(KeyUnavailable):
                provider.epoch(number)
        assert provider.epoch(3).version == 3
    assert first not in file_of(tmp_path).read_bytes()
    assert [path.name for path in file_of(tmp_path).parent.iterdir()] == ["root.json"]
    # Numbers are never used again.
    assert roots.new_epoch() == 4


def test_destroying_reaches_epochs_that_another_process_made(tmp_path):
    """What the certificate says is destroyed is destroyed."""
    worker, command = created(tmp_path), open_roots(tmp_path / "keys")
    worker.new_epoch()
    worker.new_epoch()
    command.destroy_epochs_before(3)
    assert open_roots(tmp_path / "keys").epochs() == (3,)


def test_the_newest_epoch_is_never_destroyed(tmp_path):
    """A wrong number must not cost the vault."""
    roots = created(tmp_path)
    with pytest.raises(ValueError, match=r"."):
        roots.destroy_epochs_before(99)
    assert open_roots(tmp_path / "keys").epochs() == (1,)


def test_two_processes_that_roll_at_once_lose_no_epoch(tmp_path):
    """Every epoch that somebody was given is in the file."""
    created(tmp_path)
    given_out, start = [], threading.Barrier(4)

    def roll():
        # An own object each: what two processes have in common is the file alone.
        provider = open_roots(tmp_path / "keys")
        start.wait()
        for _ in range(10):
            number = provider.new_epoch()
            given_out.append((number, provider.epoch(number).id))

    threads = [threading.Thread(target=roll) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    kept = open_roots(tmp_path / "keys")
    assert len(given_out) == 40
    assert {(n, kept.epoch(n).id) for n in kept.epochs() if n > 1} == set(given_out)


def test_versions_that_are_not_there_are_unavailable(tmp_path):
    """A pepper or service key that was retired is missed, not guessed."""
    roots = created(tmp_path)
    for act in (lambda: roots.pepper(2), lambda: roots.service(2), lambda: roots.epoch(7)):
        with pytest.raises(KeyUnavailable):
            act()


def test_the_highest_version_is_current(tmp_path):
    """After a rotation by hand the new key is used and the old still opens."""
    first = created(tmp_path)
    rewrite(tmp_path, lambda raw: raw["services"].update({"2": raw["peppers"]["1"]}))
    first.reload()
    assert first.service().version == 2
    assert first.service(1).version == 1


def test_what_another_process_changed_is_seen_without_asking(tmp_path, monkeypatch):
    """A worker that serves uses a rotated key, and forgets a destroyed one, within a moment."""
    monkeypatch.setattr(provider_module, "_FRESH_SECONDS", 0)
    worker, command = created(tmp_path), open_roots(tmp_path / "keys")

    def rotate(material):
        material.services[2] = Key.random(2)

    command.change(rotate)
    assert worker.service() == command.service(2)
    command.destroy_epochs_before(command.new_epoch())
    assert worker.epochs() == (2,)
    with pytest.raises(KeyUnavailable):
        worker.epoch(1)


def test_a_file_that_vanishes_does_not_stop_who_has_read_it(tmp_path, monkeypatch):
    """A mistake with `rm` must not lose the keys that a running service still holds."""
    monkeypatch.setattr(provider_module, "_FRESH_SECONDS", 0)
    worker = created(tmp_path)
    before = worker.service()
    file_of(tmp_path).unlink()
    assert worker.service() == before


def test_a_change_that_fails_changes_nothing(tmp_path):
    """Neither the file nor what this process holds."""
    roots = created(tmp_path)
    before = file_of(tmp_path).read_bytes()

    def fail(material):
        material.epochs.clear()
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        roots.change(fail)
    assert file_of(tmp_path).read_bytes() == before
    assert roots.epochs() == (1,)


def test_exported_material_is_put_back_on_another_machine(tmp_path):
    """What a capsule holds makes the same provider again, named for the machine it is on now."""
    roots = created(tmp_path)
    exported = roots.export().replace(host_id().encode(), b"the-dead-machine")
    again = adopt_roots(tmp_path / "new", exported)
    assert again.keyring_id == KEYRING
    assert again.epoch(1) == roots.epoch(1)
    with pytest.raises(Misconfigured) as caught:
        adopt_roots(tmp_path / "new", exported)
    assert caught.value.code == "roots.exist"


def test_a_file_promises_no_more_than_it_can(tmp_path):
    """Certificates say how surely a destroyed epoch is gone."""
    assert created(tmp_path).shredding == "best effort"


def test_a_write_is_whole_or_nothing(tmp_path, monkeypatch):
    """When the disk fails, the file before stays and no half file is left."""
    path = tmp_path / "root.json"
    write_private(path, b"before")

    def full(_descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_private(path, b"after")
    assert path.read_bytes() == b"before"
    assert [found.name for found in tmp_path.iterdir()] == ["root.json"]


def test_a_written_file_is_private_whatever_the_umask(tmp_path):
    """0600 from its first byte."""
    before = os.umask(0)
    try:
        write_private(tmp_path / "file", b"x")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0o600


def test_a_process_that_dies_while_writing_leaves_the_file_before(tmp_path):
    """Killed between writing and renaming, the material is still the old one."""
    roots = created(tmp_path)
    script = (
        "import os, sys; from pathlib import Path; from casevault.crypto.roots import open_roots\n"
        "os.fsync = lambda _: os._exit(9)\n"
        "open_roots(Path(sys.argv[1])).new_epoch()\n"
    )
    done = subprocess.run([sys.executable, "-c", script, str(tmp_path / "keys")], check=False)
    assert done.returncode == 9
    again = open_roots(tmp_path / "keys")
    assert again.epochs() == (1,)
    assert again.epoch(1) == roots.epoch(1)


def test_a_machine_is_named_by_its_id_or_its_name(monkeypatch):
    """Machine id first, host name next, and a word when there is neither."""
    texts = {"/etc/machine-id": "0123abc\n", "/proc/sys/kernel/hostname": "vault\n"}

    def read(path):
        if str(path) not in texts:
            raise FileNotFoundError
        return texts[str(path)]

    monkeypatch.setattr(Path, "read_text", read)
    assert host_id() == "0123abc"
    texts["/etc/machine-id"] = "\n"
    assert host_id() == "vault"
    texts.clear()
    assert host_id() == "unknown-host"


def test_nothing_prints_its_secret(tmp_path):
    """Neither the provider nor its material."""
    roots = created(tmp_path)
    material = decode(file_of(tmp_path).read_bytes())
    keys = (material.epochs[1], material.peppers[1], material.services[1])
    secrets = [key.material for key in keys]
    secrets += [seed for pairs in material.principals.values() for seed in pairs.values()]
    assert_silent(material, *secrets)
    assert_silent(roots, *secrets)


def test_material_of_another_keyring_is_not_discarded(tmp_path):
    """Only what was made for this one; a folder without any is left alone too."""
    created(tmp_path)
    discard_roots(tmp_path / "keys", UUID(int=6))
    assert file_of(tmp_path).exists()
    discard_roots(tmp_path / "keys", KEYRING)
    assert not file_of(tmp_path).exists()
    discard_roots(tmp_path / "keys", KEYRING)


def test_principals_have_versions(tmp_path):
    """Each pair by its number, the newest first; one without any pair is not believed."""
    roots = created(tmp_path)
    assert roots.principal_versions("ledger") == (1,)
    with pytest.raises(KeyUnavailable):
        roots.principal("ledger", 2)
    rewrite(tmp_path, lambda raw: raw["principals"].update(ledger={}))
    with pytest.raises(Tampered):
        roots.reload()


def test_a_copy_without_epochs_is_refused(tmp_path):
    """It would open nothing."""
    roots = created(tmp_path)
    with pytest.raises(ValueError, match="opens nothing"):
        roots.export(epochs_from=2)


# --- versions ------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [PEPPER, SERVICE_KEY, "counting"])
def test_a_new_version_is_current_and_the_older_stays_until_it_is_dropped(tmp_path, kind):
    """Also for another process; the newest cannot be dropped."""
    roots = created(tmp_path)
    other = open_roots(tmp_path / "keys")
    assert roots.add_version(kind) == 2
    other.reload()
    assert roots.versions(kind) == other.versions(kind) == (2, 1)
    with pytest.raises(ValueError, match="in use"):
        roots.drop_version(kind, 2)
    roots.drop_version(kind, 1)
    assert roots.versions(kind) == (2,)
    other.reload()
    assert other.versions(kind) == (2,)


def test_pairs_are_different_and_each_can_be_had(tmp_path):
    """A principal's pair by its version; one that is gone is `KeyUnavailable`."""
    roots = created(tmp_path)
    first = roots.principal("counting").public
    roots.add_version("counting")
    assert roots.principal("counting").public != first
    assert roots.principal("counting", 1).public == first
    assert roots.principal_versions("counting") == (2, 1)
    roots.drop_version("counting", 1)
    with pytest.raises(KeyUnavailable):
        roots.principal("counting", 1)


def test_of_a_service_key_only_what_is_asked_for_stays(tmp_path):
    """Derived keys for named purposes, and they are what the key itself gave."""
    roots = created(tmp_path)
    old = roots.service()
    roots.add_version(SERVICE_KEY)
    roots.drop_version(SERVICE_KEY, 1, ["ledger-tag"])
    for provider in (roots, open_roots(tmp_path / "keys")):
        assert provider.remnant(1, "ledger-tag") == macs.purpose_key(old, "ledger-tag")
        assert provider.remnant(1, "case-file") is None
        assert provider.remnant(2, "ledger-tag") is None
        assert provider.remnant_versions("ledger-tag") == (1,)
        assert provider.remnant_versions("case-file") == ()
    assert b64(old.material) not in file_of(tmp_path).read_text()


def test_a_copy_for_the_capsule_leaves_out_what_is_about_to_go(tmp_path):
    """Epochs before a number; a copy without any is refused."""
    roots = created(tmp_path)
    roots.new_epoch()
    assert set(decode(roots.export()).epochs) == {1, 2}
    assert set(decode(roots.export(2)).epochs) == {2}
    with pytest.raises(ValueError, match="opens nothing"):
        roots.export(3)


def test_exported_material_is_looked_at_in_memory(tmp_path):
    """As the drill does with a capsule: the same keys, and nothing can be changed or written."""
    roots = created(tmp_path)
    found = loaded_roots(roots.export())
    assert found.keyring_id == roots.keyring_id
    assert found.epoch(1) == roots.epoch(1)
    assert found.service_versions() == roots.service_versions() == (1,)
    assert found.shredding == "best effort"
    with pytest.raises(RuntimeError):
        found.new_epoch()
    assert found.reload().epochs.keys() == {1}
    found._vessel.abandon(KEYRING)
    assert found.reload().epochs.keys() == {1}
    with pytest.raises(Tampered):
        loaded_roots(b"{}")
