"""``kill -9`` in rolls, rotations and re-issues: each is gone on with, and nothing is lost."""

from __future__ import annotations

import itertools
import json
import os
import sys
from pathlib import Path
from uuid import UUID

import pytest

from casevault.crypto import recovery
from casevault.crypto.credentials import SMALL, PassphraseKdf
from casevault.crypto.roots import PEPPER, SERVICE_KEY, adopt_roots
from casevault.domain.case.casefile import DocumentKind
from casevault.domain.staff.access import Role
from casevault.domain.staff.granting import ObjectKind, PrincipalKind
from casevault.errors import Tampered
from casevault.services.casework.casework import Casework
from casevault.services.recovery.reissues import Reissues
from casevault.services.recovery.rotations import Rotations
from casevault.store.context.caller import Gate
from casevault.store.engine.database import Database
from casevault.store.engine.keyring import Keyring, sealed_tables
from casevault.store.engine.migrate import upgrade
from casevault.store.keys import grants, people, principals
from casevault.store.log.checkpoints import Checkpoints
from casevault.store.recovery import capsules, keyring_backup, media
from casevault.store.recovery.media import Medium
from tests.builders import PASSPHRASE, PLAN, SUPERVISOR, a_vault
from tests.faults.child import KEY_ACTS, ORIGIN, PAIRS, caller_of, shares_of, stores_of
from tests.faults.nursery import run

# How often each act on keys is killed; one rotation has fewer points, so the next is begun.
KILLS = min(50, int(os.environ.get("CASEVAULT_TEST_KILLS", "500")))


@pytest.fixture
def plan(database, tmp_path):
    """Give a vault with two cases and a medium, as a file for child processes."""
    return planned(database, tmp_path)


@pytest.fixture
def sqlite_plan(sqlite_databases, tmp_path):
    """Give the same on SQLite."""
    return planned(sqlite_databases, tmp_path)


def planned(database, tmp_path):
    """Write the plan of a vault."""
    vault = a_vault(database, tmp_path)
    Medium(tmp_path / "medium", vault.stores.roots.keyring_id).take()
    found = {
        "data_url": database.data_url,
        "keyring_url": database.keyring_url,
        "keys_dir": str(vault.keys_dir),
        "organisation": str(vault.stores.organisation),
        "root_pin": vault.outcome.root_pin,
        "team": str(vault.team),
        "medium": str(tmp_path / "medium"),
        "shares": list(vault.outcome.shares[: PLAN.threshold]),
        "supervisor": {
            "id": str(vault.staff(SUPERVISOR)),
            "login": SUPERVISOR,
            "role": "supervisor",
            "seed": vault.secret(SUPERVISOR).seed.hex(),
        },
        "logins": sorted(vault.outcome.staff),
        "passphrase": PASSPHRASE,
        "file": str(tmp_path / "plan.json"),
    }
    casework = Casework(vault.stores, Gate(vault.stores, "passphrase"))
    caller = vault.caller(SUPERVISOR, Role.SUPERVISOR)
    found["cases"] = [
        str(casework.open_case(caller, {"name_to_use": name}, {}, "standard").case.id)
        for name in ("First Testperson", "Second Testperson")
    ]
    save(found)
    vault.close()
    return found


def save(plan):
    """Tell children what there is now."""
    Path(plan["file"]).write_text(json.dumps(plan))


def check_readable(plan):
    """Open every row of the keyring and every case, as the service would after a restart."""
    stores = stores_of(plan)
    try:
        with stores.keyring.reading() as tx:
            stores.trust.check_root(tx)
            counted = sum(len(tx.find(table)) for table in sealed_tables())
        assert counted > 60
        casework = Casework(stores, Gate(stores, "passphrase"))
        caller = caller_of(plan, stores)
        for case in plan["cases"]:
            found = casework.read_document(caller, UUID(case), DocumentKind.IDENTITY)
            assert found.content["name_to_use"].endswith("Testperson")
    finally:
        stores.close()


def check_medium(plan, tmp_path):
    """Rebuild the keyring from what lies on the medium, if anything does: it must open."""
    folder = Path(plan["medium"])
    if not (folder / media.KEYRING).exists():
        return
    seed = recovery.combine([share.text for share in shares_of(plan["shares"])])
    secret = recovery.recovery_principal(seed)
    place = tmp_path / f"rebuilt-{len(list(tmp_path.iterdir()))}"
    with (folder / media.CAPSULE).open("rb") as file:
        capsule = capsules.open_capsule(file, secret)
    roots = adopt_roots(place / "keys", capsule.roots)
    database = Database(f"sqlite:///{place / 'keyring' / 'keyring.db'}")
    upgrade(database, "keyring")
    with (folder / media.KEYRING).open("rb") as file:
        _, stream = capsules.open_keyring(file, capsule.backup_key.secret(secret))
        keyring_backup.load(database, stream)
    with Keyring(database, roots, UUID(plan["organisation"])).reading() as tx:
        assert sum(len(tx.find(table)) for table in sealed_tables()) > 60
    database.close()


def check_done(plan, act):
    """Say that an act which was acknowledged has its whole effect."""
    stores = stores_of(plan)
    try:
        with stores.keyring.reading() as tx:
            if act == "roll":
                epoch = tx.identity().epoch
                assert stores.roots.epochs() == (epoch,)
                assert {at for _, at in tx.rows_by_epoch()} == {epoch}
            elif act in PAIRS or act == "reissue":
                kind = PAIRS.get(act, PrincipalKind.RECOVERY)
                (row,) = principals.groups(tx, kind)
                assert stores.trust.public_keys(tx, row.id) == row.public
                if act != "reissue":
                    assert stores.roots.principal(act).public == row.public
                held = {
                    one.terms.grantee_key_id
                    for object_kind in ObjectKind
                    for one in grants.of_grantee(tx, object_kind, row.id)
                }
                assert held <= {row.public.key_id}
        if act in (SERVICE_KEY, PEPPER):
            present = stores.roots.versions(act)[0]
            uses = Rotations(stores, 90).uses()
            old = {u.what for u in uses if u.kind == act and u.version < present and u.count}
            assert old <= {"search cards"}
            assert present > 1
        elif act == "ledger":
            assert len(stores.roots.versions("ledger")) == 1
            signer = Checkpoints(stores.data, stores.roots, ORIGIN, Path(plan["keys_dir"]))
            assert signer.opened(signer.sign()).size > 0
    finally:
        stores.close()


def killed_in_a_round(plan, tmp_path, act, numbers):
    """Kill an act at each of these points, before and after, until it ends; return how often."""
    killed = 0
    for number in numbers:
        finished = False
        for moment in ("before", "after"):
            acknowledged, died = run(plan, act, number, moment)
            killed += died
            check_readable(plan)
            if act == "roll":
                check_medium(plan, tmp_path)
            if acknowledged:
                check_done(plan, act)
                take_new_shares(plan, act)
            finished = finished or not died
        if finished:
            break
    acknowledged, _ = run(plan, act, 10_000, "before")
    assert acknowledged
    check_done(plan, act)
    check_readable(plan)
    take_new_shares(plan, act)
    return killed


def take_new_shares(plan, act):
    """After a re-issue the next one begins with what is on the new paper."""
    paper = Path(plan["file"] + ".paper")
    if act == "reissue" and paper.exists():
        plan["shares"] = json.loads(paper.read_text())
        stores = stores_of(plan)
        plan["root_pin"] = Reissues(stores).root_pin()
        stores.close()
        save(plan)
        paper.unlink()


def test_a_roll_is_killed_and_gone_on_with(sqlite_plan, tmp_path):
    """At a few of its points: the switch, in the middle of the rows, the copies."""
    assert killed_in_a_round(sqlite_plan, tmp_path, "roll", (3, 9)) == 4
    check_medium(sqlite_plan, tmp_path)


@pytest.mark.faults
@pytest.mark.parametrize("act", KEY_ACTS)
def test_killed_at_fifty_points(plan, tmp_path, act):
    """Every commit and every file put in its place, before and after it; then the next rotation."""
    killed = rounds = 0
    while killed < KILLS:
        found = killed_in_a_round(plan, tmp_path, act, itertools.count(1))
        assert found >= 2
        killed, rounds = killed + found, rounds + 1
    sys.stdout.write(f"{act}: killed {killed} times in {rounds} rotations\n")


def opens(plan, text):
    """Say whether these words open the supervisor's secret."""
    stores, staff = stores_of(plan), UUID(plan["supervisor"]["id"])
    try:
        with stores.keyring.reading() as tx:
            envelope = people.envelope_of(tx, staff)
        pepper = stores.roots.pepper(envelope.pepper_version)
        PassphraseKdf(SMALL, 1).open(stores.organisation, staff, envelope, text, pepper)
    except Tampered:
        return False
    finally:
        stores.close()
    return True


def changed_in_a_round(plan, name):
    """Kill changes of a passphrase before and after each commit, until one ends; return how often.

    One of both opens after each, and the new one once that was said.
    """
    killed = 0
    for number in itertools.count(1):
        finished = False
        for moment in ("before", "after"):
            new = f"made-up heron words {name} {number} {moment}"
            plan["next_passphrase"] = new
            save(plan)
            acknowledged, died = run(plan, "passphrase", number, moment)
            found = [text for text in (plan["passphrase"], new) if opens(plan, text)]
            assert len(found) == 1
            assert found == [new] or not acknowledged
            plan["passphrase"] = found[0]
            killed, finished = killed + died, finished or not died
        if finished:
            return killed


@pytest.mark.faults
def test_a_change_of_passphrase_is_killed_at_fifty_points(plan):
    """A secret is never under two passphrases, and never under none."""
    killed = 0
    for name in itertools.count(1):
        found = changed_in_a_round(plan, name)
        assert found >= 4
        killed += found
        if killed >= KILLS:
            break
    sys.stdout.write(f"passphrase: killed {killed} times in {name} changes\n")
